/* What stays cached and what goes as the guest acts: its own invalidations, its registers, page faults, dirty flags;
 * reading ahead. Each test names the section of the SDM whose statement it carries out. */
#include "test/unit/model/cached.h"

/* "Details of TLB Use", "Operations that Invalidate TLBs and Paging-Structure Caches": INVLPG. */
static void invlpg(void **state)
{
	struct machine *m = *state;

	cache_and_change(m, X_G);
	m_invlpg(&m->cpu, 0x1000);
	reaches(m, 0, READ, OLD); /* another page */
	m_invlpg(&m->cpu, 0x123);
	reaches(m, 0, READ, NEW); /* global or not */
}

/* INVLPG invalidates the paging-structure caches of the PCID, whatever the address. */
static void invlpg_structures(void **state)
{
	struct machine *m = *state;

	poke(m, L1, 1, OLD | RWU);
	poke(m, OTHER_L1, 1, NEW | RWU);
	run(m);
	reaches(m, 0, READ, OLD);
	poke(m, L2, 0, frame(OTHER_L1) | RWU);
	reaches(m, 0x1000, READ, OLD); /* by the cached PDE */
	m_invlpg(&m->cpu, 0x1000);
	poke(m, L2, 0, frame(L1) | RWU);
	reaches(m, 0x1000, READ, OLD);
	poke(m, L2, 0, frame(OTHER_L1) | RWU);
	m_invlpg(&m->cpu, 0x7fff000000);
	reaches(m, 0x1000, READ, OLD); /* its own translation is there still */
	m_invlpg(&m->cpu, 0x1000);
	reaches(m, 0x1000, READ, NEW);
}

/* "MOV to CR3": everything of the PCID but global translations. */
static void mov_cr3(void **state)
{
	struct machine *m = *state;

	cache_and_change(m, 0);
	m_mov_cr3(&m->cpu, frame(ROOT));
	reaches(m, 0, READ, NEW);
	restart(m);
	cache_and_change(m, X_G);
	m_mov_cr3(&m->cpu, frame(ROOT));
	reaches(m, 0, READ, OLD);
	restart(m);
	m->vmcs.guest.cr4 &= ~X_CR4_PGE; /* then G says nothing */
	cache_and_change(m, X_G);
	m_mov_cr3(&m->cpu, frame(ROOT));
	reaches(m, 0, READ, NEW);
}

/* "Process-Context Identifiers (PCIDs)". */
static void pcids(void **state)
{
	struct machine *m = *state;

	m->vmcs.guest.cr4 |= X_CR4_PCIDE;
	m->vmcs.guest.cr3 |= 1;
	cache_and_change(m, 0);
	m_mov_cr3(&m->cpu, frame(ROOT) | 2);
	reaches(m, 0, READ, NEW); /* another PCID */
	m_mov_cr3(&m->cpu, frame(ROOT) | 1 | X_CR3_KEEP);
	reaches(m, 0, READ, OLD);
	m_mov_cr3(&m->cpu, frame(ROOT) | 1);
	reaches(m, 0, READ, NEW);
}

/* A global translation serves every PCID. */
static void globals_across_pcids(void **state)
{
	struct machine *m = *state;

	m->vmcs.guest.cr4 |= X_CR4_PCIDE;
	m->vmcs.guest.cr3 |= 1;
	cache_and_change(m, X_G);
	m_mov_cr3(&m->cpu, frame(ROOT) | 2);
	reaches(m, 0, READ, OLD);
	m_invpcid(&m->cpu, 1, 1, 0);
	reaches(m, 0, READ, OLD);
	m_invpcid(&m->cpu, 3, 0, 0);
	reaches(m, 0, READ, OLD);
	m_invpcid(&m->cpu, 0, 2, 0);
	reaches(m, 0, READ, OLD); /* an individual address, but global */
	m_invpcid(&m->cpu, 2, 0, 0);
	reaches(m, 0, READ, NEW);
}

static void invpcid(void **state)
{
	static const struct { unsigned type; uint16_t pcid; uint64_t va; bool goes;
	} cases[] = {
		{ 0, 1, 0, true },  { 0, 1, 0x1000, false }, { 0, 2, 0, false }, { 1, 1, 0, true },
		{ 1, 2, 0, false }, { 2, 0, 0, true },       { 3, 0, 0, true },
	};
	struct machine *m = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		restart(m);
		m->vmcs.guest.cr4 |= X_CR4_PCIDE;
		m->vmcs.guest.cr3 |= 1;
		cache_and_change(m, 0);
		assert_int_equal(m_invpcid(&m->cpu, cases[i].type, cases[i].pcid, cases[i].va).event, M_OK);
		reaches(m, 0, READ, cases[i].goes ? NEW : OLD);
	}
}

/* MOV to CR4: PGE changed, SMEP set; MOV to CR0: PG cleared. */
static void mov_cr4(void **state)
{
	struct machine *m = *state;

	cache_and_change(m, X_G);
	m_mov_cr4(&m->cpu, m->cpu.regs.cr4 | X_CR4_SMAP);
	m->cpu.regs.ac = true;
	reaches(m, 0, READ, OLD);
	m_mov_cr4(&m->cpu, m->cpu.regs.cr4 ^ X_CR4_PGE);
	reaches(m, 0, READ, NEW);
	poke(m, L1, 0, OLD | RWU);
	m_mov_cr4(&m->cpu, m->cpu.regs.cr4 | X_CR4_SMEP);
	reaches(m, 0, READ, OLD);
	poke(m, L1, 0, NEW | RWU);
	m_mov_cr4(&m->cpu, m->cpu.regs.cr4 & ~X_CR4_SMEP);
	reaches(m, 0, READ, OLD);
}

/* "Invalidation of TLBs and Paging-Structure Caches": a page fault invalidates what was cached for its address. */
static void page_fault(void **state)
{
	struct machine *m = *state;

	poke(m, L1, 0, OLD | X_P | X_U);
	run(m);
	reaches(m, 0, READ, OLD);
	poke(m, L1, 0, OLD | RWU);
	faults(m, 0, WRITE, X_PF_P | X_PF_WR); /* cached rights */
	reaches(m, 0, WRITE, OLD);
}

/* Entries that are not present, or whose accessed flag is clear, are not cached; nor does reading ahead set flags. */
static void speculation(void **state)
{
	struct machine *m = *state;

	run(m);
	for (unsigned i = 0; i < 20; i++)
		m_speculate(&m->cpu, 0);
	assert_int_equal(peek(m, ROOT, 0), frame(L3) | RWU);
	poke(m, ROOT, 0, frame(L3) | RWU | X_A);
	poke(m, L3, 0, frame(L2) | RWU | X_A);
	poke(m, L2, 0, frame(L1) | RWU | X_A);
	for (unsigned i = 0; i < 20; i++)
		m_speculate(&m->cpu, 0);
	poke(m, L1, 0, NEW | RWU);
	reaches(m, 0, READ, NEW);
	m_invlpg(&m->cpu, 0);
	poke(m, L1, 0, OLD | RWU | X_A);
	for (unsigned i = 0; i < 20; i++)
		m_speculate(&m->cpu, 0);
	poke(m, L1, 0, NEW | RWU | X_A);
	reaches(m, 0, READ, OLD);
}

/* A large page cached in pieces (the EPT page is smaller) goes as a whole by one INVLPG. */
static void fragments(void **state)
{
	struct machine *m = *state;

	with_ept(m);
	poke(m, L2, 1, RWU | X_PS);
	poke(m, L2, 2, RWU | X_PS);
	run(m);
	reaches(m, 0x200000 + OLD, READ, OLD);
	reaches(m, 0x200000 + NEW, READ, NEW);
	reaches(m, 0x400000 + OLD, READ, OLD);
	poke(m, L2, 1, frame(OTHER_L1) | RWU);
	poke(m, L2, 2, frame(OTHER_L1) | RWU);
	m_invlpg(&m->cpu, 0x200000 + NEW);
	faults(m, 0x200000 + OLD, READ, 0);
	reaches(m, 0x400000 + OLD, READ, OLD);
}

/* A write with the dirty flag clear goes to memory, however the translation is cached. */
static void dirty_is_set_in_memory(void **state)
{
	struct machine *m = *state;

	cache_and_change(m, 0);
	reaches(m, 0, WRITE, NEW);
	assert_int_equal(peek(m, L1, 0), NEW | RWU | X_A | X_D);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(invlpg), T(invlpg_structures), T(mov_cr3), T(pcids), T(globals_across_pcids), T(invpcid),
		T(mov_cr4), T(page_fault), T(speculation), T(fragments), T(dirty_is_set_in_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
