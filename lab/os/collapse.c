/* lab/os/collapse.c - large pages made of small ones afterwards, as khugepaged does: each time a few 2-MByte regions of
 * the running process are looked at, and one that may becomes a large page, even if most of it was never touched.
 *
 * Looking costs the guest nothing here: Linux does it once in ten seconds, which stand for a short time of ours. What
 * copying costs is said apart from the run time, for the same reason (cycles_khugepaged). */
#include "lab/os/inside.h"

enum { MAX_SHARED = 256 }; /* Linux' khugepaged/max_ptes_shared */

/* At least one page of its own, one that is writable, one that was accessed, and no more than half shared; as many as
 * like may be missing (Linux' max_ptes_none is 511). */
bool os_collapsible(const struct lab_os *os, uint64_t table, uint64_t pte[512])
{
	unsigned present = 0, shared = 0, writable = 0, young = 0;

	for (unsigned i = 0; i < 512; i++) {
		uint64_t frame;

		pte[i] = lab_cpu_peek(os->cpu, table + 8 * i);
		frame = (pte[i] & PTE_ADDRESS) >> 12;
		if (!(pte[i] & PTE_P) || frame == os->zero_frame)
			continue;
		present++;
		shared += frames_others(&os->frames, frame, 1) != 0;
		writable += (pte[i] & PTE_W) != 0;
		young += (pte[i] & PTE_A) != 0;
	}
	return present && shared <= MAX_SHARED && writable && young;
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
		uint64_t frame = (pte[i] & PTE_ADDRESS) >> 12, to = (large + i) << 12;

		if (!(pte[i] & PTE_P)) {
			lab_cpu_zero(os->cpu, to, 4096);
			continue;
		}
		lab_cpu_copy(os->cpu, to, frame << 12, 4096);
		os_count_leaf(os, 1, -1);
		if (frame != os->zero_frame)
			frames_put(&os->frames, frame, 1);
	}
	frames_put(&os->frames, (s->value & PTE_ADDRESS) >> 12, 1);
	os->tables--;
	os_write(os, s->at, large << 12 | os_prot_bits(v) | PTE_W | PTE_D | PTE_PS);
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

static void collapse_one(struct lab_os *os, struct mm *mm, const struct vma *v, uint64_t base)
{
	struct spot s = os_peek(os, mm, base, 2);
	uint64_t pte[512];

	if (s.level != 2 || !(s.value & PTE_P) || (s.value & PTE_PS) ||
	    !os_collapsible(os, s.value & PTE_ADDRESS, pte))
		return;
	os_enter(os);
	collapse(os, mm, v, base, &s, pte);
	os_leave(os);
}

void os_collapse_some(struct lab_os *os)
{
	struct mm *mm = os_mm(os);

	for (uint64_t i = 0; mm && i < os->config->khugepaged; i++) {
		unsigned vma;

		if (!next_region(os, mm, &mm->scanned, &vma)) {
			mm->scanned = 0;
			return;
		}
		collapse_one(os, mm, &mm->vma[vma], mm->scanned);
		mm->scanned += level_size(2);
	}
}
