/* lab/os/collapse.c - large pages made of small ones afterwards, as khugepaged does: at each tick a few 2-MByte regions
 * of the running process are looked at, and one that is all its own becomes a large page, even if most of it was never
 * touched. */
#include "lab/os/inside.h"

/* The region's last-level table, where it may be collapsed: every page in it private to the process, and at least
 * one. */
static bool collapsible(struct lab_os *os, struct mm *mm, uint64_t base, struct spot *s, uint64_t pte[512])
{
	unsigned present = 0;

	if (!os_descend(os, mm, base, 2, false, s) || s->level != 2 || !(s->value & ENTRY_P) || (s->value & ENTRY_PS))
		return false;
	for (unsigned i = 0; i < 512; i++) {
		uint64_t frame;

		pte[i] = os_read(os, (s->value & ENTRY_ADDR) + 8 * i);
		frame = (pte[i] & ENTRY_ADDR) >> 12;
		if (!(pte[i] & ENTRY_P))
			continue;
		if (frame != os->zero_frame && frames_others(&os->frames, frame, 1))
			return false;
		present++;
	}
	return present > 0;
}

/* The table goes first, and what a TLB has of it: nobody writes to the small pages while they are copied. */
static void collapse(struct lab_os *os, struct mm *mm, const struct vma *v, uint64_t base, const struct spot *s,
		     const uint64_t pte[512])
{
	uint64_t large = frames_alloc(&os->frames, 2);

	if (large == UINT64_MAX) {
		os->count.os_huge_refused++;
		return;
	}
	os_write(os, s->at, 0);
	/* What TLBs have of it are small pages, each to be dropped by itself. */
	os_gather_range(os, base, 12);
	os_gather_range(os, base + level_size(2) - 4096, 12);
	os_gather_flush(os, mm);
	for (unsigned i = 0; i < 512; i++) {
		uint64_t frame = (pte[i] & ENTRY_ADDR) >> 12, to = (large + i) << 12;

		if (!(pte[i] & ENTRY_P)) {
			lab_cpu_zero(os->cpu, to, 4096);
			continue;
		}
		lab_cpu_copy(os->cpu, to, frame << 12, 4096);
		os_count_leaf(os, 1, -1);
		if (frame != os->zero_frame)
			frames_put(&os->frames, frame, 1);
	}
	frames_put(&os->frames, (s->value & ENTRY_ADDR) >> 12, 1);
	os->tables--;
	os_write(os, s->at, large << 12 | os_prot_bits(v) | ENTRY_W | ENTRY_D | ENTRY_PS);
	os_count_leaf(os, 2, 1);
	os->count.os_collapsed++;
}

/* The next region at or above the address that lies in a VMA which may have large pages. false: none. */
static bool next_region(const struct lab_os *os, const struct mm *mm, uint64_t *base, unsigned *vma)
{
	for (*vma = vma_find(mm, *base); *vma < mm->vmas; ++*vma) {
		const struct vma *v = &mm->vma[*vma];
		uint64_t first = (v->start + level_size(2) - 1) & ~(level_size(2) - 1);

		if (*base < first)
			*base = first;
		if ((v->prot & LAB_PROT_WRITE) && *base + level_size(2) <= v->end && os_wanted_level(os, v, *base) == 2)
			return true;
	}
	return false;
}

void os_collapse_some(struct lab_os *os)
{
	struct mm *mm = os_mm(os);

	for (uint64_t i = 0; mm && i < os->config->khugepaged; i++) {
		uint64_t pte[512];
		struct spot s;
		unsigned vma;

		if (!next_region(os, mm, &mm->scanned, &vma)) {
			mm->scanned = 0;
			return;
		}
		lab_cpu_work(os->cpu, WORK_PAGES, os->config->path_page);
		if (collapsible(os, mm, mm->scanned, &s, pte))
			collapse(os, mm, &mm->vma[vma], mm->scanned, &s, pte);
		mm->scanned += level_size(2);
	}
}
