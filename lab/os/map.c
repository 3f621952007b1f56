/* lab/os/map.c - the system calls that change a process's mappings. */
#include "lab/os/inside.h"

static uint64_t up(uint64_t addr) { return (addr + 4095) & ~4095ull; }

bool os_munmap(struct lab_os *os, struct mm *mm, uint64_t start, uint64_t end)
{
	unsigned first, last;
	uint64_t floor, ceiling;

	first = vma_find(mm, start);
	if (first == mm->vmas || mm->vma[first].start >= end)
		return true;
	os_note_sizes(os);
	if (!vma_cut(mm, start) || !vma_cut(mm, end))
		return lab_fail(os->error, "no memory");
	first = vma_find(mm, start);
	for (last = first; last < mm->vmas && mm->vma[last].start < end; last++)
		if (!os_zap(os, mm, mm->vma[last].start, mm->vma[last].end))
			return false;
	floor = first ? mm->vma[first - 1].end : 0;
	ceiling = last < mm->vmas ? mm->vma[last].start : os->user_top;
	vma_remove(mm, first, last - first);
	os_free_tables(os, mm, start, end, floor, ceiling);
	os_gather_flush(os, mm);
	return true;
}

static bool populate(struct lab_os *os, struct mm *mm, uint64_t start, uint64_t end, bool write)
{
	for (uint64_t va = start; va < end;) {
		struct spot s;

		if (!os_fault(os, mm, va, write) || !os_descend(os, mm, va, 1, false, &s))
			return false;
		va = (va | (level_size(s.level) - 1)) + 1;
	}
	return true;
}

bool os_mmap(struct lab_os *os, struct mm *mm, const struct lab_call *c)
{
	uint64_t end = up(c->addr + c->length);
	struct vma v = {
		.start = c->addr, .end = end, .file = c->file, .offset = c->file ? c->offset & ~4095ull : 0,
		.flags = c->flags & (uint16_t)~LAB_MAP_POPULATE, .prot = c->prot,
	};

	if (!os_munmap(os, mm, c->addr, end))
		return false;
	if (v.file >> 31)
		return lab_fail(os->error, "file numbers go to 2147483647");
	if (!v.file && (v.flags & LAB_MAP_SHARED))
		v.file = 1u << 31 | os->next_shared++;
	if (!vma_insert(mm, &v))
		return lab_fail(os->error, "no memory");
	return !(c->flags & LAB_MAP_POPULATE) || populate(os, mm, c->addr, end, c->prot & LAB_PROT_WRITE);
}

/* ---- protection and advice ---- */

struct change {
	uint8_t prot;
	bool clear_flags;
};

static bool change_leaf(struct lab_os *os, struct mm *mm, uint64_t va, struct spot *s, void *ctx)
{
	const struct change *c = ctx;
	uint64_t value = s->value;

	(void)mm;
	if (c->clear_flags) {
		value &= ~(PTE_A | PTE_D);
	} else {
		/* What may be written again becomes so at the next write, when it is known whether it must be
		 * copied. */
		value &= c->prot & LAB_PROT_WRITE ? ~0ull : ~PTE_W;
		value = c->prot & LAB_PROT_EXEC ? value & ~PTE_NX : value | PTE_NX;
		value = c->prot ? value | PTE_U : value & ~PTE_U; /* PROT_NONE */
	}
	if (value == s->value)
		return true;
	os_write(os, s->at, value);
	lab_cpu_work(os->cpu, WORK_PAGES, os->config->path_page);
	os_gather_range(os, va, level_shift(s->level));
	return true;
}

/* No large page reaches over at. Where none can be, tables are not looked at. */
static bool split_at(struct lab_os *os, struct mm *mm, uint64_t at)
{
	uint64_t base = at & ~(level_size(2) - 1);
	unsigned i = vma_find(mm, at);
	const struct vma *v = &mm->vma[i];
	struct spot s;

	if (base == at || !vma_holds(mm, i, at) || base < v->start || base + level_size(2) > v->end)
		return true;
	if (os->config->pages == 12 && !(v->flags & (LAB_MAP_HUGE_2M | LAB_MAP_HUGE_1G)))
		return true;
	if (!os_descend(os, mm, at, 1, false, &s))
		return false;
	return s.level == 1 || !(s.value & PTE_P) || !(at & (level_size(s.level) - 1)) || os_split(os, at, &s);
}

/* Cuts the VMAs at the ends of the range, and says which are in it. */
static bool span(struct lab_os *os, struct mm *mm, uint64_t start, uint64_t end, unsigned *first, unsigned *last)
{
	if (!split_at(os, mm, start) || (end < os->user_top && !split_at(os, mm, end)))
		return false;
	if (!vma_cut(mm, start) || !vma_cut(mm, end))
		return lab_fail(os->error, "no memory");
	*first = vma_find(mm, start);
	for (*last = *first; *last < mm->vmas && mm->vma[*last].start < end; ++*last)
		;
	return true;
}

bool os_mprotect(struct lab_os *os, struct mm *mm, uint64_t start, uint64_t end, uint8_t prot)
{
	struct change c = { .prot = prot };
	unsigned first, last;

	if (!span(os, mm, start, end, &first, &last))
		return false;
	for (unsigned i = first; i < last; i++) {
		mm->vma[i].prot = prot;
		if (!os_each_leaf(os, mm, mm->vma[i].start, mm->vma[i].end, change_leaf, &c))
			return false;
	}
	os_gather_flush(os, mm);
	if (first < last)
		vma_merge(mm, first, last - 1);
	return true;
}

bool os_madvise(struct lab_os *os, struct mm *mm, uint64_t start, uint64_t end, uint8_t advice)
{
	struct change c = { .clear_flags = true };
	unsigned first, last;

	if (advice == LAB_ADVICE_DONTNEED)
		os_note_sizes(os);
	if (!span(os, mm, start, end, &first, &last))
		return false;
	for (unsigned i = first; i < last; i++) {
		struct vma *v = &mm->vma[i];

		if (advice == LAB_ADVICE_HUGEPAGE || advice == LAB_ADVICE_NOHUGEPAGE)
			v->advice = advice;
		else if (advice == LAB_ADVICE_DONTNEED && !os_zap(os, mm, v->start, v->end))
			return false;
		else if (advice == LAB_ADVICE_FREE && !os_each_leaf(os, mm, v->start, v->end, change_leaf, &c))
			return false;
	}
	os_gather_flush(os, mm);
	if (first < last)
		vma_merge(mm, first, last - 1);
	return true;
}

/* ---- mremap ---- */

/* A large page can only move to where it is aligned and no table is. */
static bool split_for_move(struct lab_os *os, struct mm *mm, uint64_t va, struct spot *s, void *ctx)
{
	uint64_t to = va + *(uint64_t *)ctx;
	struct spot there;

	if (s->level == 1)
		return true;
	if (!(to & (level_size(s->level) - 1))) {
		if (!os_descend(os, mm, to, s->level, false, &there))
			return false;
		if (!(there.value & PTE_P))
			return true;
	}
	return os_split(os, va, s);
}

static bool move_leaf(struct lab_os *os, struct mm *mm, uint64_t va, struct spot *s, void *ctx)
{
	struct spot there;

	if (!os_descend(os, mm, va + *(uint64_t *)ctx, s->level, true, &there))
		return false;
	os_write(os, s->at, 0);
	os_write(os, there.at, s->value);
	lab_cpu_work(os->cpu, WORK_PAGES, os->config->path_page);
	os_gather_range(os, va, level_shift(s->level));
	return true;
}

static bool move(struct lab_os *os, struct mm *mm, uint64_t from, uint64_t to, uint64_t bytes)
{
	uint64_t delta = to - from;
	unsigned first, last;

	if (!span(os, mm, from, from + bytes, &first, &last))
		return false;
	for (uint64_t at = from; at < from + bytes;) {
		unsigned i = vma_find(mm, at);
		struct vma v;

		if (i == mm->vmas || mm->vma[i].start >= from + bytes)
			break;
		v = mm->vma[i];
		at = v.end;
		v.start += delta;
		v.end += delta;
		if (!vma_insert(mm, &v))
			return lab_fail(os->error, "no memory");
		if (!os_each_leaf(os, mm, v.start - delta, at, split_for_move, &delta) ||
		    !os_each_leaf(os, mm, v.start - delta, at, move_leaf, &delta))
			return false;
	}
	os_gather_flush(os, mm);
	return os_munmap(os, mm, from, from + bytes);
}

bool os_mremap(struct lab_os *os, struct mm *mm, const struct lab_call *c)
{
	uint64_t old = up(c->length), bytes = up(c->to_length), kept = old < bytes ? old : bytes;
	unsigned i = vma_find(mm, c->addr);
	struct vma tail;

	if (!vma_holds(mm, i, c->addr))
		return lab_fail(os->error, "mremap of address %#llx, where nothing is mapped",
				(unsigned long long)c->addr);
	if (c->to != c->addr && c->to < c->addr + old && c->addr < c->to + bytes)
		return lab_fail(os->error, "mremap from %#llx to %#llx, which overlap", (unsigned long long)c->addr,
				(unsigned long long)c->to);
	if (bytes < old && !os_munmap(os, mm, c->addr + bytes, c->addr + old))
		return false;
	if (c->to != c->addr && (!os_munmap(os, mm, c->to, c->to + bytes) || !move(os, mm, c->addr, c->to, kept)))
		return false;
	if (bytes <= old)
		return true;
	i = vma_find(mm, c->to + kept - 1);
	if (!vma_holds(mm, i, c->to + kept - 1))
		return lab_fail(os->error, "mremap of what is not mapped as a whole");
	tail = mm->vma[i];
	tail.offset += tail.file ? c->to + kept - tail.start : 0;
	tail.start = c->to + kept;
	tail.end = c->to + bytes;
	return os_munmap(os, mm, tail.start, tail.end) && (vma_insert(mm, &tail) || lab_fail(os->error, "no memory"));
}

bool os_brk(struct lab_os *os, struct mm *mm, uint64_t end)
{
	struct vma v = { .start = mm->brk_end, .end = up(end), .prot = LAB_PROT_READ | LAB_PROT_WRITE };

	if (!mm->brk_known) {
		mm->brk_start = mm->brk_end = up(end);
		mm->brk_known = true;
		return true;
	}
	if (v.end < mm->brk_start)
		return lab_fail(os->error, "brk below the heap's beginning");
	mm->brk_end = v.end;
	if (v.end < v.start)
		return os_munmap(os, mm, v.end, v.start);
	if (v.end == v.start)
		return true;
	return os_munmap(os, mm, v.start, v.end) && (vma_insert(mm, &v) || lab_fail(os->error, "no memory"));
}
