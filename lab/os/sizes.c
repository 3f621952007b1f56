/* lab/os/sizes.c - in pages of which size the processes lie, and why not in larger ones: as it is when most of their
 * memory is mapped. What a program frees before it ends counts with the rest. */
#include "lab/os/inside.h"

enum { FEW_LEAVES = 4096, NEAR = 64 };

/* Why the pages of [base, base + 2 MBytes) that the VMA maps are small; table: the last-level table they lie in. */
static uint64_t *reason(const struct lab_os *os, const struct vma *v, uint64_t base, uint64_t table,
			struct lab_os_counters *to)
{
	uint64_t pte[512];

	if (v->file)
		return &to->os_small_file;
	if (v->flags & LAB_MAP_STACK)
		return &to->os_small_stack;
	if (v->advice == LAB_ADVICE_NOHUGEPAGE)
		return &to->os_small_advice;
	if (os->config->pages == 12 && !(v->flags & (LAB_MAP_HUGE_2M | LAB_MAP_HUGE_1G)))
		return &to->os_small_off;
	if (base < v->start || base + level_size(2) > v->end)
		return &to->os_small_edge;
	if (!(v->prot & LAB_PROT_WRITE) || !os_collapsible(os, table, pte))
		return &to->os_small_shared;
	return frames_whole_left(&os->frames) ? &to->os_small_waiting : &to->os_small_refused;
}

static void count_small(const struct lab_os *os, const struct vma *v, uint64_t base, uint64_t table,
			struct lab_os_counters *to)
{
	uint64_t first = base < v->start ? v->start : base, pages = 0;

	for (uint64_t va = first; va < base + level_size(2) && va < v->end; va += 4096)
		pages += lab_cpu_peek(os->cpu, table + (va >> 12 & 511) * 8) & PTE_P;
	if (!pages)
		return;
	to->os_held_4k += pages;
	*reason(os, v, base, table, to) += pages;
}

static void count_vma(const struct lab_os *os, const struct mm *mm, const struct vma *v, struct lab_os_counters *to)
{
	for (uint64_t va = v->start; va < v->end;) {
		struct spot s = os_peek(os, mm, va, 2);

		if (!(s.value & PTE_P))
			; /* nothing is here */
		else if (s.level == 3)
			to->os_held_1g++;
		else if (s.value & PTE_PS)
			to->os_held_2m++;
		else
			count_small(os, v, va & ~(level_size(2) - 1), s.value & PTE_ADDRESS, to);
		va = (va | (level_size(s.level) - 1)) + 1;
	}
}

static void count_all(const struct lab_os *os, struct lab_os_counters *to)
{
#define C(name, help) to->name = 0;
	LAB_OS_HELD(C)
#undef C
	for (uint32_t i = 0; i < os->processes; i++)
		for (unsigned v = 0; os->process[i] && v < os->process[i]->vmas; v++)
			count_vma(os, os->process[i], &os->process[i]->vma[v], to);
}

static uint64_t mapped(const struct lab_os *os)
{
	return (os->count.os_pages_4k << 12) + (os->count.os_pages_2m << 21) + (os->count.os_pages_1g << 30);
}

void os_note_sizes(struct lab_os *os)
{
	uint64_t now = mapped(os), leaves = os->count.os_pages_4k + os->count.os_pages_2m + os->count.os_pages_1g;

	if (!now || now < os->most)
		return;
	/* Counting looks at every leaf: where they are many, not for each that came since the last time. */
	if (os->entered * 4 < leaves && (now == os->most || leaves > FEW_LEAVES) && now - os->most <= os->most / NEAR)
		return;
	count_all(os, &os->count);
	os->most = now;
	os->entered = 0;
}

void os_sizes_at_most(const struct lab_os *os, struct lab_os_counters *to)
{
	if (mapped(os) >= os->most)
		count_all(os, to);
}
