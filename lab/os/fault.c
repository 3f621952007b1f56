/* lab/os/fault.c - what a page fault is answered with: zeroed pages, large ones where they can be had, pages of files,
 * copies. */
#include "lab/os/inside.h"

uint64_t os_prot_bits(const struct vma *v)
{
	return PTE_P | PTE_U | PTE_A | (v->prot & LAB_PROT_EXEC ? 0 : PTE_NX);
}

static bool backed_by_cache(const struct vma *v) { return v->file != 0; }

/* The largest page that the VMA may have at va. */
unsigned os_wanted_level(const struct lab_os *os, const struct vma *v, uint64_t va)
{
	unsigned most = 1;

	if (backed_by_cache(v))
		return 1;
	if (v->flags & (LAB_MAP_HUGE_2M | LAB_MAP_HUGE_1G))
		most = v->flags & LAB_MAP_HUGE_1G ? 3 : 2;
	else if (!(v->flags & LAB_MAP_STACK) && v->advice != LAB_ADVICE_NOHUGEPAGE)
		most = (os->config->pages - 12u) / 9 + 1;
	for (; most > 1; most--) {
		uint64_t base = va & ~(level_size(most) - 1);

		if ((most == 3 && !os->features.pages_1g) || base < v->start || base + level_size(most) > v->end)
			continue;
		break;
	}
	return most;
}

static void zero(struct lab_os *os, uint64_t frame, unsigned level)
{
	lab_cpu_zero(os->cpu, frame << 12, level_size(level));
	if (level == 1)
		os->count.os_zeroed_4k++;
	else if (level == 2)
		os->count.os_zeroed_2m++;
	else
		os->count.os_zeroed_1g++;
}

/* ---- pages of files ---- */

/* The aligned window of pages around it comes in together, as by read-ahead. */
static bool read_window(struct lab_os *os, const struct vma *v, uint64_t page)
{
	uint64_t first = page & ~(uint64_t)(OS_WINDOW - 1), end = (v->offset + (v->end - v->start)) >> 12;

	if (v->file >> 31) /* shared anonymous memory: one page at a time, and zeroed */
		first = page, end = page + 1;
	for (uint64_t p = first < v->offset >> 12 ? v->offset >> 12 : first; p < first + OS_WINDOW && p < end; p++) {
		uint64_t frame;

		if (cache_find(&os->cache, v->file, p))
			continue;
		frame = os_alloc(os, 1);
		if (frame == UINT64_MAX)
			return false;
		if (v->file >> 31)
			zero(os, frame, 1);
		if (!cache_add(&os->cache, v->file, p, frame))
			return lab_fail(os->error, "no memory for the guest's page cache");
	}
	return true;
}

static uint64_t file_page(const struct vma *v, uint64_t va) { return (v->offset + (va - v->start)) >> 12; }

/* What is there already of the pages around is mapped with it, and young: accessed, as if it had been touched. So Linux
 * has it wherever an architecture does not ask for old ones, as arm64 alone does (arch_wants_old_prefaulted_pte). */
static bool map_around(struct lab_os *os, const struct vma *v, uint64_t va, const struct spot *s)
{
	uint64_t first = va & ~(uint64_t)(OS_WINDOW * 4096 - 1) & ~4095ull;

	for (unsigned i = 0; i < OS_WINDOW; i++) {
		uint64_t near = first + 4096 * i, at = s->at - (va >> 12 & 511) * 8 + (near >> 12 & 511) * 8, *frame;

		if (near == (va & ~4095ull) || near < v->start || near >= v->end || os_read(os, at) & PTE_P)
			continue;
		frame = cache_find(&os->cache, v->file, file_page(v, near));
		if (!frame)
			continue;
		if (!frames_get(&os->frames, *frame, 1))
			return lab_fail(os->error, "no memory");
		os_write(os, at, *frame << 12 | os_prot_bits(v));
		os_count_leaf(os, 1, 1);
	}
	return true;
}

static bool map_file(struct lab_os *os, struct vma *v, uint64_t va, bool write, const struct spot *s)
{
	uint64_t *cached = cache_find(&os->cache, v->file, file_page(v, va)), frame, copy;

	if (cached)
		os->count.os_faults_minor++;
	else if (!read_window(os, v, file_page(v, va)))
		return false;
	frame = *cache_find(&os->cache, v->file, file_page(v, va));
	if (write && !(v->flags & LAB_MAP_SHARED)) {
		copy = os_alloc(os, 1);
		if (copy == UINT64_MAX)
			return false;
		lab_cpu_copy(os->cpu, copy << 12, frame << 12, 4096);
		os->count.os_cow_copies++;
		v->copied = true;
		os_write(os, s->at, copy << 12 | os_prot_bits(v) | PTE_W | PTE_D);
	} else {
		if (!frames_get(&os->frames, frame, 1))
			return lab_fail(os->error, "no memory");
		os_write(os, s->at, frame << 12 | os_prot_bits(v) | (write ? PTE_W | PTE_D : 0));
		if (!write && !map_around(os, v, va, s))
			return false;
	}
	os_count_leaf(os, 1, 1);
	return true;
}

/* ---- anonymous pages ---- */

/* false: no such page; at level 1 that is an error. Where mappings are implied, a read gets a page of its own at once:
 * that it was never written before is not known, and the page of zeros would cost a second fault that the program
 * perhaps never had. */
static bool map_anonymous(struct lab_os *os, struct vma *v, bool write, const struct spot *s)
{
	uint64_t frame = os->zero_frame, bits = os_prot_bits(v);

	if (write || s->level > 1 || v->implied) {
		frame = os_alloc(os, s->level);
		if (frame == UINT64_MAX)
			return false;
		zero(os, frame, s->level);
		if (v->prot & LAB_PROT_WRITE)
			bits |= PTE_W | (write ? PTE_D : 0);
	}
	v->copied = true;
	os_write(os, s->at, frame << 12 | bits | (s->level > 1 ? PTE_PS : 0));
	os_count_leaf(os, s->level, 1);
	return true;
}

static bool replace(struct lab_os *os, struct mm *mm, struct vma *v, uint64_t va, struct spot *s)
{
	uint64_t old = (s->value & PTE_ADDRESS) >> 12, frame = os_alloc(os, s->level);

	if (frame == UINT64_MAX)
		return lab_fail(os->error,
				"no page of %llu KBytes is left for a copy: give the guest more with guest.memory",
				(unsigned long long)(level_size(s->level) >> 10));
	if (old == os->zero_frame) {
		zero(os, frame, 1);
	} else {
		lab_cpu_copy(os->cpu, frame << 12, old << 12, level_size(s->level));
		os->count.os_cow_copies++;
	}
	v->copied = true;
	os_write(os, s->at, 0);
	os_gather_add(os, mm, va & ~(level_size(s->level) - 1), old, s->level);
	os_gather_flush(os, mm);
	os_write(os, s->at, frame << 12 | os_prot_bits(v) | PTE_W | PTE_D | (s->level > 1 ? PTE_PS : 0));
	return true;
}

/* A leaf is there already. again: it was split, look again. */
static bool present(struct lab_os *os, struct mm *mm, struct vma *v, uint64_t va, bool write, struct spot *s,
		    bool *again)
{
	uint64_t frame = (s->value & PTE_ADDRESS) >> 12;
	bool shared = backed_by_cache(v) && (v->flags & LAB_MAP_SHARED);

	*again = false;
	if (!write || (s->value & PTE_W)) {
		os->count.os_faults_minor++; /* a stale translation; the fault has dropped it */
		return true;
	}
	if (frame != os->zero_frame && (shared || !frames_others(&os->frames, frame, s->level))) {
		os->count.os_cow_reuses += !shared;
		os_write(os, s->at, s->value | PTE_W | PTE_D);
		return true;
	}
	if (s->level == 2 && !(v->flags & LAB_MAP_HUGE_2M)) {
		*again = true;
		if (!os_split(os, va, s))
			return false;
		os_gather_flush(os, mm);
		return true;
	}
	return replace(os, mm, v, va, s);
}

static bool fault_in(struct lab_os *os, struct mm *mm, struct vma *v, uint64_t va, bool write)
{
	for (unsigned level = os_wanted_level(os, v, va); level;) {
		struct spot s;
		bool again;

		if (!os_descend(os, mm, va, level, true, &s))
			return false;
		if ((s.value & PTE_P) && (s.level == 1 || (s.value & PTE_PS))) {
			if (!present(os, mm, v, va, write, &s, &again))
				return false;
			if (!again)
				return true;
			level = 1;
		} else if (s.value & PTE_P) {
			level--; /* a table of smaller pages */
		} else if (backed_by_cache(v)) {
			return map_file(os, v, va, write, &s);
		} else if (map_anonymous(os, v, write, &s)) {
			return true;
		} else if (level-- == 1) {
			return false;
		} else {
			os->count.os_huge_refused++;
		}
	}
	return true;
}

bool os_fault(struct lab_os *os, struct mm *mm, uint64_t va, bool write)
{
	unsigned i = vma_find(mm, va);

	return vma_holds(mm, i, va) ? fault_in(os, mm, &mm->vma[i], va & ~4095ull, write)
				    : lab_fail(os->error, "nothing is mapped");
}

/* ---- whether the access is allowed ---- */

static bool stack_grows(struct mm *mm, unsigned i, uint64_t va)
{
	struct vma *v = &mm->vma[i];
	uint64_t page = va & ~4095ull;

	if (i >= mm->vmas || !(v->flags & LAB_MAP_STACK) || v->end - page > OS_STACK_MAX ||
	    (i && mm->vma[i - 1].end > page))
		return false;
	v->start = page;
	return true;
}

/* A region for what a stream without mappings touches: the 2-MByte region around, as far as nothing else is there. */
static bool imply(struct lab_os *os, struct mm *mm, unsigned i, uint64_t va)
{
	uint64_t start = va & ~(level_size(2) - 1), end = start + level_size(2);
	struct vma v = { .prot = LAB_PROT_READ | LAB_PROT_WRITE | LAB_PROT_EXEC, .implied = true };

	if (i && mm->vma[i - 1].end > start)
		start = mm->vma[i - 1].end;
	if (i < mm->vmas && mm->vma[i].start < end)
		end = mm->vma[i].start;
	v.start = start;
	v.end = end;
	os->count.os_implicit++;
	return vma_insert(mm, &v) || lab_fail(os->error, "no memory");
}

bool lab_os_page_fault(struct lab_os *os, uint64_t gva, uint32_t error_code, struct lab_error *error)
{
	struct mm *mm = os_mm(os);
	bool write = error_code & 2, ok;
	uint8_t need = error_code & 16 ? LAB_PROT_EXEC
		       : write	       ? LAB_PROT_WRITE
				       : LAB_PROT_READ | LAB_PROT_WRITE | LAB_PROT_EXEC;
	unsigned i;

	os->error = error;
	if (!mm || gva >= os->user_top)
		return lab_fail(error, "address %#llx was touched, which is not a user's%s", (unsigned long long)gva,
				mm ? "" : ", and no process runs");
	os_enter(os);
	os->count.os_faults++;
	lab_cpu_work(os->cpu, WORK_FAULT, os->config->path_fault);
	i = vma_find(mm, gva);
	if (!vma_holds(mm, i, gva) && !stack_grows(mm, i, gva)) {
		if (!os->implicit)
			return lab_fail(error, "process %u touched address %#llx, where nothing is mapped",
					(unsigned)os->current, (unsigned long long)gva);
		if (!imply(os, mm, i, gva))
			return false;
		i = vma_find(mm, gva);
	}
	if (!(mm->vma[i].prot & need)) {
		if (!os->implicit)
			return lab_fail(error, "process %u may not %s address %#llx as it is mapped",
					(unsigned)os->current,
					write			? "write to"
					: need == LAB_PROT_EXEC ? "execute"
								: "read",
					(unsigned long long)gva);
		if (!os_mprotect(os, mm, gva & ~4095ull, (gva & ~4095ull) + 4096, mm->vma[i].prot | need))
			return false;
	}
	ok = os_fault(os, mm, gva, write);
	os_leave(os);
	return ok;
}
