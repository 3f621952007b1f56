/* lab/os/tables.c - the guest's page tables: walked, built, split and freed by the guest's kernel. */
#include "lab/os/inside.h"

uint64_t os_read(struct lab_os *os, uint64_t at) { return lab_cpu_read_pte(os->cpu, at); }

void os_write(struct lab_os *os, uint64_t at, uint64_t value)
{
	os->count.os_pte_writes++;
	lab_cpu_write_pte(os->cpu, at, value);
}

void os_count_leaf(struct lab_os *os, unsigned level, int by)
{
	uint64_t *const count[] = { NULL, &os->count.os_pages_4k, &os->count.os_pages_2m, &os->count.os_pages_1g };

	*count[level] += (uint64_t)(int64_t)by;
	if (by > 0)
		os->entered += (uint64_t)by;
}

uint64_t os_alloc(struct lab_os *os, unsigned level)
{
	uint64_t frame = frames_alloc(&os->frames, level);

	if (frame == UINT64_MAX && level == 1)
		lab_fail(os->error,
			 "the guest's memory is exhausted (%llu MBytes, of which its kernel and page tables take "
			 "%llu): give "
			 "it more with guest.memory",
			 (unsigned long long)(os->features.memory >> 20), (unsigned long long)((os->tables >> 8) + 32));
	return frame;
}

uint64_t os_table(struct lab_os *os)
{
	uint64_t frame = os_alloc(os, 1);

	if (frame == UINT64_MAX)
		return frame;
	lab_cpu_zero(os->cpu, frame << 12, 4096);
	os->tables++;
	return frame << 12;
}

static uint64_t entry_at(uint64_t table, unsigned level, uint64_t va)
{
	return table + (va >> level_shift(level) & 511) * 8;
}

/* With page-table isolation the user's copy of the top table follows. */
static void write_entry(struct lab_os *os, struct mm *mm, uint64_t at, unsigned level, uint64_t value)
{
	os_write(os, at, value);
	if (level == os->levels && mm->user_pgd)
		os_write(os, mm->user_pgd + (at & 0xfff), value);
}

struct spot os_peek(const struct lab_os *os, const struct mm *mm, uint64_t va, unsigned level)
{
	struct spot s = { .value = mm->pgd };

	for (s.level = os->levels;; s.level--) {
		s.at = entry_at(s.value & PTE_ADDRESS, s.level, va);
		s.value = lab_cpu_peek(os->cpu, s.at);
		if (s.level == level || !(s.value & PTE_P) || (s.level <= 3 && (s.value & PTE_PS)))
			return s;
	}
}

bool os_descend(struct lab_os *os, struct mm *mm, uint64_t va, unsigned level, bool make, struct spot *s)
{
	uint64_t table = mm->pgd;

	for (unsigned l = os->levels;; l--) {
		s->at = entry_at(table, l, va);
		s->value = os_read(os, s->at);
		s->level = l;
		if (l == level || (l <= 3 && (s->value & PTE_PS)))
			return true;
		if (!(s->value & PTE_P)) {
			if (!make)
				return true;
			table = os_table(os);
			if (table == UINT64_MAX)
				return false;
			write_entry(os, mm, s->at, l, table | ENTRY_TABLE);
		} else {
			table = s->value & PTE_ADDRESS;
		}
	}
}

bool os_split(struct lab_os *os, uint64_t va, const struct spot *s)
{
	uint64_t frame = (s->value & PTE_ADDRESS) >> 12, table;
	uint64_t base = va & ~(level_size(2) - 1);

	if (s->level != 2)
		return lab_fail(os->error,
				"a 1-GByte page cannot be changed in parts: calls on it must cover whole ones");
	table = os_table(os);
	if (table == UINT64_MAX || !frames_split(&os->frames, frame))
		return lab_fail(os->error, "no memory");
	for (unsigned i = 0; i < 512; i++)
		os_write(os, table + 8 * i, (s->value & ~(PTE_ADDRESS | PTE_PS)) | (frame + i) << 12);
	os_write(os, s->at, table | ENTRY_TABLE);
	os_count_leaf(os, 2, -1);
	os_count_leaf(os, 1, 512);
	os->count.os_huge_split++;
	os_gather_range(os, base, 21);
	return true;
}

/* A leaf that the range [va, end) covers in part only is split, and the loop comes by again. */
static bool one_leaf(struct lab_os *os, struct mm *mm, uint64_t va, uint64_t end, struct spot *s, os_leaf_function *f,
		     void *ctx, bool *again)
{
	uint64_t size = level_size(s->level);

	*again = false;
	if (s->level > 1 && ((va & (size - 1)) || end - va < size)) {
		*again = true;
		return os_split(os, va, s);
	}
	return f(os, mm, va, s, ctx);
}

bool os_each_leaf(struct lab_os *os, struct mm *mm, uint64_t start, uint64_t end, os_leaf_function *f, void *ctx)
{
	struct spot s = { 0, 0, 0 };
	bool again = false;

	for (uint64_t va = start; va < end;) {
		/* Along a last-level table there is no need to come down from the top again. */
		if (s.level == 1 && (va >> 12 & 511) && !again) {
			s.at += 8;
			s.value = os_read(os, s.at);
		} else if (!os_descend(os, mm, va, 1, false, &s)) {
			return false;
		}
		again = false;
		if ((s.value & PTE_P) && !one_leaf(os, mm, va, end, &s, f, ctx, &again))
			return false;
		if (!again)
			va = (va | (level_size(s.level) - 1)) + 1;
	}
	return true;
}

static bool zap_leaf(struct lab_os *os, struct mm *mm, uint64_t va, struct spot *s, void *ctx)
{
	(void)ctx;
	os_write(os, s->at, 0);
	os_count_leaf(os, s->level, -1);
	lab_cpu_work(os->cpu, WORK_PAGES, os->config->path_page);
	os_gather_add(os, mm, va, (s->value & PTE_ADDRESS) >> 12, s->level);
	return true;
}

bool os_zap(struct lab_os *os, struct mm *mm, uint64_t start, uint64_t end)
{
	return os_each_leaf(os, mm, start, end, zap_leaf, NULL);
}

struct sweep {
	uint64_t start, end, floor, ceiling;
};

static void free_below(struct lab_os *os, struct mm *mm, uint64_t table, unsigned level, uint64_t base,
		       const struct sweep *w)
{
	uint64_t size = level_size(level), va = base > w->start ? base : w->start & ~(size - 1);
	uint64_t stop = w->end - base < size * 512 ? w->end : base + size * 512;

	for (; va < stop; va += size) {
		uint64_t at = entry_at(table, level, va), value = os_read(os, at);

		if (!(value & PTE_P) || (level <= 3 && (value & PTE_PS)))
			continue;
		if (level > 2)
			free_below(os, mm, value & PTE_ADDRESS, level - 1, va, w);
		if (va < w->floor || va + size > w->ceiling)
			continue;
		write_entry(os, mm, at, level, 0);
		os->tables--;
		os_gather_add(os, mm, va, (value & PTE_ADDRESS) >> 12, 1);
	}
}

void os_free_tables(struct lab_os *os, struct mm *mm, uint64_t start, uint64_t end, uint64_t floor, uint64_t ceiling)
{
	const struct sweep w = { start, end, floor, ceiling };

	free_below(os, mm, mm->pgd, os->levels, 0, &w);
}

/* ---- before the guest runs ---- */

static bool boot_map(struct lab_os *os, uint64_t va, uint64_t gpa, unsigned level)
{
	uint64_t table = os->kernel_pgd;

	for (unsigned l = os->levels;; l--) {
		uint64_t at = entry_at(table, l, va), value = lab_cpu_peek(os->cpu, at);

		if (l == level) {
			lab_cpu_poke(os->cpu, at,
				     gpa | PTE_P | PTE_W | PTE_A | PTE_D | PTE_PS | os->kernel_flags);
			return true;
		}
		if (!(value & PTE_P)) {
			uint64_t frame = os_alloc(os, 1);

			if (frame == UINT64_MAX)
				return false;
			os->tables++;
			value = frame << 12 | ENTRY_TABLE;
			lab_cpu_poke(os->cpu, at, value);
		}
		table = value & PTE_ADDRESS;
	}
}

/* The direct map: 2-MByte pages, as the kernel's text; of more than 64 GBytes 1-GByte pages where the CPU has them. */
bool os_boot_tables(struct lab_os *os)
{
	unsigned level = os->features.memory > 64ull << 30 && os->features.pages_1g ? 3 : 2;
	uint64_t frame = os_alloc(os, 1);

	if (frame == UINT64_MAX)
		return false;
	os->kernel_pgd = frame << 12;
	os->tables++;
	for (uint64_t gpa = 0; gpa < os->features.memory; gpa += level_size(level))
		if (!boot_map(os, os->direct + gpa, gpa, level))
			return false;
	for (unsigned i = 0; i < 8; i++)
		if (!boot_map(os, LAB_KERNEL_TEXT + i * level_size(2), (8 + i) * level_size(2), 2))
			return false;
	return true;
}
