/* lab/os/tlb.c - CR3, PCIDs and flushes, as Linux handles them on one CPU: six address-space numbers, which the
 * processes take by turns; up to 33 pages are flushed one by one, more by loading CR3. */
#include "lab/os/inside.h"

static uint64_t pcid(const struct lab_os *os) { return os->pcid ? os->own.asid_now + 1 : 0; }

static void load(struct lab_os *os, bool flush)
{
	uint64_t keep = os->pcid && !flush ? CR3_NO_FLUSH : 0;

	os->own.user_cr3 = false;
	lab_cpu_load_cr3(os->cpu, (os->own.loaded ? os->own.loaded->pgd | pcid(os) : os->kernel_pgd) | keep);
}

void os_enter(struct lab_os *os)
{
	if (os->own.user_cr3)
		load(os, false);
}

void os_leave(struct lab_os *os)
{
	struct asid *a = &os->own.asid[os->own.asid_now];

	if (!os->pti || os->own.user_cr3 || !os->own.loaded || os->in_kernel)
		return;
	os->own.user_cr3 = true;
	lab_cpu_load_cr3(os->cpu,
			 os->own.loaded->user_pgd |
				 (os->pcid ? pcid(os) | CR3_USER_PCID | (a->user_stale ? 0 : CR3_NO_FLUSH) : 0));
	a->user_stale = false;
}

/* Which number the process gets; true: what is cached under it is another process's. On one CPU only the running
 * process's tables are edited, so that what is cached for the others stays true. */
static bool choose_asid(struct lab_os *os, const struct mm *mm)
{
	for (unsigned i = 0; i < OS_ASIDS; i++) {
		if (os->own.asid[i].id == mm->id) {
			os->own.asid_now = i;
			return false;
		}
	}
	os->own.asid_now = os->own.asid_next++ % OS_ASIDS;
	os->own.asid[os->own.asid_now] = (struct asid){ .id = mm->id, .user_stale = true };
	return true;
}

void os_load(struct lab_os *os, struct mm *mm)
{
	bool flush = true;

	os->own.loaded = mm;
	if (mm && os->pcid)
		flush = choose_asid(os, mm);
	load(os, flush || !mm);
}

/* Everything of this process, but nothing global. */
void os_flush_mm(struct lab_os *os, struct mm *mm)
{
	if (os->own.loaded != mm)
		return;
	os->count.os_flush_full++;
	os->own.asid[os->own.asid_now].user_stale = true;
	load(os, true);
}

static void flush_pages(struct lab_os *os, struct mm *mm, uint64_t first, uint64_t last, unsigned stride)
{
	if (os->own.loaded != mm)
		return;
	for (uint64_t va = first; va < last; va += 1ull << stride) {
		lab_cpu_invlpg(os->cpu, va);
		os->count.os_flush_pages++;
		if (os->pti && os->pcid && os->features.invpcid)
			lab_cpu_invpcid(os->cpu, 0, (unsigned)(pcid(os) | CR3_USER_PCID), va);
	}
	if (os->pti && !(os->pcid && os->features.invpcid))
		os->own.asid[os->own.asid_now].user_stale = true;
}

void os_gather_range(struct lab_os *os, uint64_t va, unsigned shift)
{
	struct gather *g = &os->gather;
	uint64_t end = va + (1ull << shift);

	if (g->first == g->last) {
		g->first = va;
		g->last = end;
		g->stride = shift;
		return;
	}
	g->first = va < g->first ? va : g->first;
	g->last = end > g->last ? end : g->last;
	g->stride = shift < g->stride ? shift : g->stride;
}

void os_gather_add(struct lab_os *os, struct mm *mm, uint64_t va, uint64_t frame, unsigned level)
{
	struct gather *g = &os->gather;

	os_gather_range(os, va, level_shift(level));
	g->page[g->n++] = frame << 2 | level;
	if (g->n == OS_GATHER)
		os_gather_flush(os, mm);
}

void os_gather_flush(struct lab_os *os, struct mm *mm)
{
	struct gather *g = &os->gather;

	if (g->first != g->last) {
		if ((g->last - g->first) >> g->stride <= os->config->flush_ceiling)
			flush_pages(os, mm, g->first, g->last, g->stride);
		else
			os_flush_mm(os, mm);
	}
	for (unsigned i = 0; i < g->n; i++)
		if (g->page[i] >> 2 != os->zero_frame)
			frames_put(&os->frames, g->page[i] >> 2, g->page[i] & 3);
	g->n = 0;
	g->first = g->last = 0;
}
