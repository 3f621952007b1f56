/* What stays cached and what goes, case by case. Each test names the section of the SDM whose statement it carries out; a
 * translation is shown to be cached by changing the entry in memory and finding the old answer. */
#include "test/unit/model/machine.h"

#define OLD frame(DATA)
#define NEW frame(DATA2)

/* Address 0 is cached as OLD; memory says NEW. */
static void cache_and_change(struct machine *m, uint64_t flags)
{
	poke(m, L1, 0, OLD | RWU | flags);
	run(m);
	reaches(m, 0, READ, OLD);
	poke(m, L1, 0, NEW | RWU | flags);
	reaches(m, 0, READ, OLD);
}

/* "Details of TLB Use", "Operations that Invalidate TLBs and Paging-Structure Caches": INVLPG. */
static void invlpg(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	cache_and_change(&m, X_G);
	m_invlpg(&m.cpu, 0x1000);
	reaches(&m, 0, READ, OLD); /* another page */
	m_invlpg(&m.cpu, 0x123);
	reaches(&m, 0, READ, NEW); /* global or not */
	stop(&m);
}

/* INVLPG invalidates the paging-structure caches of the PCID, whatever the address. */
static void invlpg_structures(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	poke(&m, L1, 1, OLD | RWU);
	poke(&m, OTHER_L1, 1, NEW | RWU);
	run(&m);
	reaches(&m, 0, READ, OLD);
	poke(&m, L2, 0, frame(OTHER_L1) | RWU);
	reaches(&m, 0x1000, READ, OLD); /* by the cached PDE */
	m_invlpg(&m.cpu, 0x1000);
	poke(&m, L2, 0, frame(L1) | RWU);
	reaches(&m, 0x1000, READ, OLD);
	poke(&m, L2, 0, frame(OTHER_L1) | RWU);
	m_invlpg(&m.cpu, 0x7fff000000);
	reaches(&m, 0x1000, READ, OLD); /* its own translation is there still */
	m_invlpg(&m.cpu, 0x1000);
	reaches(&m, 0x1000, READ, NEW);
	stop(&m);
}

/* "MOV to CR3": everything of the PCID but global translations. */
static void mov_cr3(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	cache_and_change(&m, 0);
	m_mov_cr3(&m.cpu, frame(ROOT));
	reaches(&m, 0, READ, NEW);
	stop(&m);
	start(&m);
	cache_and_change(&m, X_G);
	m_mov_cr3(&m.cpu, frame(ROOT));
	reaches(&m, 0, READ, OLD);
	stop(&m);
	start(&m);
	m.vmcs.guest.cr4 &= ~X_CR4_PGE; /* then G says nothing */
	cache_and_change(&m, X_G);
	m_mov_cr3(&m.cpu, frame(ROOT));
	reaches(&m, 0, READ, NEW);
	stop(&m);
}

/* "Process-Context Identifiers (PCIDs)". */
static void pcids(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	m.vmcs.guest.cr4 |= X_CR4_PCIDE;
	m.vmcs.guest.cr3 |= 1;
	cache_and_change(&m, 0);
	m_mov_cr3(&m.cpu, frame(ROOT) | 2);
	reaches(&m, 0, READ, NEW); /* another PCID */
	m_mov_cr3(&m.cpu, frame(ROOT) | 1 | X_CR3_KEEP);
	reaches(&m, 0, READ, OLD);
	m_mov_cr3(&m.cpu, frame(ROOT) | 1);
	reaches(&m, 0, READ, NEW);
	stop(&m);
}

/* A global translation serves every PCID. */
static void globals_across_pcids(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	m.vmcs.guest.cr4 |= X_CR4_PCIDE;
	m.vmcs.guest.cr3 |= 1;
	cache_and_change(&m, X_G);
	m_mov_cr3(&m.cpu, frame(ROOT) | 2);
	reaches(&m, 0, READ, OLD);
	m_invpcid(&m.cpu, 1, 1, 0);
	reaches(&m, 0, READ, OLD);
	m_invpcid(&m.cpu, 3, 0, 0);
	reaches(&m, 0, READ, OLD);
	m_invpcid(&m.cpu, 0, 2, 0);
	reaches(&m, 0, READ, OLD); /* an individual address, but global */
	m_invpcid(&m.cpu, 2, 0, 0);
	reaches(&m, 0, READ, NEW);
	stop(&m);
}

static void invpcid(void **state)
{
	static const struct { unsigned type; uint16_t pcid; uint64_t va; bool goes;
	} cases[] = {
		{ 0, 1, 0, true },  { 0, 1, 0x1000, false }, { 0, 2, 0, false }, { 1, 1, 0, true },
		{ 1, 2, 0, false }, { 2, 0, 0, true },       { 3, 0, 0, true },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct machine m;

		start(&m);
		m.vmcs.guest.cr4 |= X_CR4_PCIDE;
		m.vmcs.guest.cr3 |= 1;
		cache_and_change(&m, 0);
		assert_int_equal(m_invpcid(&m.cpu, cases[i].type, cases[i].pcid, cases[i].va).event, M_OK);
		reaches(&m, 0, READ, cases[i].goes ? NEW : OLD);
		stop(&m);
	}
}

/* MOV to CR4: PGE changed, SMEP set; MOV to CR0: PG cleared. */
static void mov_cr4(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	cache_and_change(&m, X_G);
	m_mov_cr4(&m.cpu, m.cpu.regs.cr4 | X_CR4_SMAP);
	m.cpu.regs.ac = true;
	reaches(&m, 0, READ, OLD);
	m_mov_cr4(&m.cpu, m.cpu.regs.cr4 ^ X_CR4_PGE);
	reaches(&m, 0, READ, NEW);
	poke(&m, L1, 0, OLD | RWU);
	m_mov_cr4(&m.cpu, m.cpu.regs.cr4 | X_CR4_SMEP);
	reaches(&m, 0, READ, OLD);
	poke(&m, L1, 0, NEW | RWU);
	m_mov_cr4(&m.cpu, m.cpu.regs.cr4 & ~X_CR4_SMEP);
	reaches(&m, 0, READ, OLD);
	stop(&m);
}

/* "Invalidation of TLBs and Paging-Structure Caches": a page fault invalidates what was cached for its address. */
static void page_fault(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	poke(&m, L1, 0, OLD | X_P | X_U);
	run(&m);
	reaches(&m, 0, READ, OLD);
	poke(&m, L1, 0, OLD | RWU);
	faults(&m, 0, WRITE, X_PF_P | X_PF_WR); /* cached rights */
	reaches(&m, 0, WRITE, OLD);
	stop(&m);
}

/* Entries that are not present, or whose accessed flag is clear, are not cached; nor does reading ahead set flags. */
static void speculation(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	run(&m);
	for (unsigned i = 0; i < 20; i++)
		m_speculate(&m.cpu, 0);
	assert_int_equal(peek(&m, ROOT, 0), frame(L3) | RWU);
	poke(&m, ROOT, 0, frame(L3) | RWU | X_A);
	poke(&m, L3, 0, frame(L2) | RWU | X_A);
	poke(&m, L2, 0, frame(L1) | RWU | X_A);
	for (unsigned i = 0; i < 20; i++)
		m_speculate(&m.cpu, 0);
	poke(&m, L1, 0, NEW | RWU);
	reaches(&m, 0, READ, NEW);
	m_invlpg(&m.cpu, 0);
	poke(&m, L1, 0, OLD | RWU | X_A);
	for (unsigned i = 0; i < 20; i++)
		m_speculate(&m.cpu, 0);
	poke(&m, L1, 0, NEW | RWU | X_A);
	reaches(&m, 0, READ, OLD);
	stop(&m);
}

/* A large page cached in pieces (the EPT page is smaller) goes as a whole by one INVLPG. */
static void fragments(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	with_ept(&m);
	poke(&m, L2, 1, RWU | X_PS);
	poke(&m, L2, 2, RWU | X_PS);
	run(&m);
	reaches(&m, 0x200000 + OLD, READ, OLD);
	reaches(&m, 0x200000 + NEW, READ, NEW);
	reaches(&m, 0x400000 + OLD, READ, OLD);
	poke(&m, L2, 1, frame(OTHER_L1) | RWU);
	poke(&m, L2, 2, frame(OTHER_L1) | RWU);
	m_invlpg(&m.cpu, 0x200000 + NEW);
	faults(&m, 0x200000 + OLD, READ, 0);
	reaches(&m, 0x400000 + OLD, READ, OLD);
	stop(&m);
}

/* "Operations that Invalidate Cached Mappings": VM entries and exits with "enable VPID" 0. */
static void transitions(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	cache_and_change(&m, X_G);
	m_exit(&m.cpu);
	run(&m);
	reaches(&m, 0, READ, OLD); /* VPID 1 */
	stop(&m);
	start(&m);
	m.vmcs.vpid = 0;
	cache_and_change(&m, X_G);
	m_exit(&m.cpu);
	run(&m);
	reaches(&m, 0, READ, NEW);
	stop(&m);
}

/* The same: guest-physical mappings live through transitions, VPID or not. */
static void transitions_and_guest_physical(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	with_ept(&m);
	m.vmcs.vpid = 0;
	run(&m);
	reaches(&m, 0, READ, OLD);
	poke(&m, EPT1, DATA, NEW | RWX | WB);
	m_exit(&m.cpu);
	run(&m);
	reaches(&m, 0, READ, OLD);
	m_exit(&m.cpu);
	m_invept(&m.cpu, 1, m.vmcs.eptp);
	run(&m);
	reaches(&m, 0, READ, NEW);
	stop(&m);
}

static void other_vpid(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	cache_and_change(&m, X_G);
	m_exit(&m.cpu);
	m.vmcs.vpid = 2;
	run(&m);
	reaches(&m, 0, READ, NEW);
	m_exit(&m.cpu);
	m.vmcs.vpid = 1;
	run(&m);
	reaches(&m, 0, READ, OLD);
	stop(&m);
}

/* "INVVPID - Invalidate Translations Based on VPID". */
static void invvpid(void **state)
{
	static const struct { unsigned type; uint16_t vpid; uint64_t va, flags; bool goes; } cases[] = {
		{ 0, 1, 0, 0, true }, { 0, 1, 0, X_G, true }, { 0, 1, 0x1000, 0, false }, { 0, 2, 0, 0, false }, { 1, 1, 0, X_G, true },
		{ 1, 2, 0, 0, false }, { 2, 0, 0, X_G, true }, { 3, 1, 0, 0, true }, { 3, 1, 0, X_G, false }, { 3, 2, 0, 0, false },
	};

	(void)state;
	for (unsigned ept = 0; ept < 2; ept++)
		for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
			struct machine m;

			start(&m);
			if (ept)
				with_ept(&m);
			cache_and_change(&m, cases[i].flags);
			m_exit(&m.cpu);
			m_invvpid(&m.cpu, cases[i].type, cases[i].vpid, cases[i].va);
			run(&m);
			reaches(&m, 0, READ, cases[i].goes ? NEW : OLD);
			stop(&m);
		}
}

/* Operands that the instructions refuse, and then do nothing. INVLPG of what is no address is a NOP. */
static void refused(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	cache_and_change(&m, 0);
	m_invlpg(&m.cpu, 1ull << 47);
	m_invlpg(&m.cpu, 1ull << 63);
	reaches(&m, 0, READ, OLD);
	m_exit(&m.cpu);
	assert_false(m_invvpid(&m.cpu, 0, 1, 1ull << 47));
	assert_false(m_invvpid(&m.cpu, 0, 1, ~0ull >> 1));
	assert_false(m_invvpid(&m.cpu, 0, 0, 0));
	assert_false(m_invvpid(&m.cpu, 1, 0, 0));
	assert_false(m_invvpid(&m.cpu, 3, 0, 0));
	assert_false(m_invvpid(&m.cpu, 4, 1, 0));
	assert_false(m_invept(&m.cpu, 1, 0xf80));
	assert_false(m_invept(&m.cpu, 3, 0));
	run(&m);
	reaches(&m, 0, READ, OLD);
	m_exit(&m.cpu);
	assert_true(m_invvpid(&m.cpu, 0, 1, 0));
	run(&m);
	reaches(&m, 0, READ, NEW);
	stop(&m);
}

/* INVVPID reaches no guest-physical mapping; INVEPT no linear one. */
static void not_theirs(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	with_ept(&m);
	run(&m);
	reaches(&m, 0, READ, OLD);
	poke(&m, EPT1, DATA, NEW | RWX | WB);
	m_exit(&m.cpu);
	m_invvpid(&m.cpu, 2, 0, 0);
	run(&m);
	reaches(&m, 0, READ, OLD);
	stop(&m);
	start(&m);
	cache_and_change(&m, 0);
	m_exit(&m.cpu);
	m_invept(&m.cpu, 2, 0);
	run(&m);
	reaches(&m, 0, READ, OLD);
	stop(&m);
}

/* "INVEPT - Invalidate Translations Derived from EPT": combined mappings of the EP4TA, of all VPIDs. */
static void invept(void **state)
{
	static const struct {
		unsigned type;
		unsigned table;
		bool goes;
	} cases[] = { { 1, EPT4, true }, { 1, ROOT, false }, { 2, ROOT, true } };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct machine m;

		start(&m);
		with_ept(&m);
		cache_and_change(&m, 0);
		m_exit(&m.cpu);
		m_invept(&m.cpu, cases[i].type, frame(cases[i].table) | 6 | 3 << 3);
		run(&m);
		reaches(&m, 0, READ, cases[i].goes ? NEW : OLD);
		stop(&m);
	}
}

/* What is cached without EPT is not used with it, nor the other way; guest-physical mappings are the EP4TA's own. */
static void kinds(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	cache_and_change(&m, 0);
	m_exit(&m.cpu);
	with_ept(&m);
	run(&m);
	reaches(&m, 0, READ, NEW);
	m_exit(&m.cpu);
	m.vmcs.ept = false;
	run(&m);
	reaches(&m, 0, READ, OLD);
	stop(&m);
}

/* The guest's own INVLPG drops combined mappings, not guest-physical ones. */
static void invlpg_under_ept(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	with_ept(&m);
	run(&m);
	reaches(&m, 0, READ, OLD);
	poke(&m, EPT1, DATA, NEW | RWX | WB);
	m_invlpg(&m.cpu, 0);
	reaches(&m, 0, READ, OLD);
	poke(&m, L1, 0, NEW | RWU);
	m_invlpg(&m.cpu, 0);
	reaches(&m, 0, READ, NEW);
	stop(&m);
}

/* "EPT Violations" invalidate what would translate the address, so that they do not recur: no INVEPT after adding rights. */
static void violation(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	with_ept(&m);
	poke(&m, EPT1, DATA, OLD | X_EPT_R | WB);
	run(&m);
	reaches(&m, 0, READ, OLD);
	violates(&m, 0, WRITE, OLD, X_QUAL_WRITE | 1 << X_QUAL_RIGHTS_SHIFT | X_QUAL_GLA_VALID | X_QUAL_TRANSLATION);
	poke(&m, EPT1, DATA, OLD | RWX | WB);
	reaches(&m, 0, WRITE, OLD);
	stop(&m);
}

/* The same of another address on that page, cached by a combined mapping with the old rights: a violation again, once. */
static void violation_elsewhere(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	with_ept(&m);
	m.cpu.adversarial = true;
	poke(&m, EPT1, DATA, OLD | X_EPT_R | WB);
	poke(&m, L1, 1, OLD | RWU | X_A | X_D);
	run(&m);
	for (unsigned i = 0; i < 30; i++) {
		reaches(&m, 0, READ, OLD);
		reaches(&m, 0x1000, READ, OLD);
	}
	poke(&m, EPT1, DATA, OLD | RWX | WB);
	for (unsigned i = 0; i < 30; i++) {
		struct m_result r = m_access(&m.cpu, 0x1000, WRITE);

		if (r.event == M_EXIT) {
			assert_int_equal(r.exit, M_EXIT_EPT_VIOLATION);
			run(&m);
		}
	}
	reaches(&m, 0x1000, WRITE, OLD);
	stop(&m);
}

/* A write with the dirty flag clear goes to memory, however the translation is cached. */
static void dirty_is_set_in_memory(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	cache_and_change(&m, 0);
	reaches(&m, 0, WRITE, NEW);
	assert_int_equal(peek(&m, L1, 0), NEW | RWU | X_A | X_D);
	stop(&m);
}

/* The account: a flush that drops only what memory still says was not needed. */
static void account(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	with_ept(&m);
	m.cpu.account = true;
	run(&m);
	reaches(&m, 0, READ, OLD);
	m_exit(&m.cpu);
	m_invvpid(&m.cpu, 1, 1, 0);
	m_invept(&m.cpu, 1, m.vmcs.eptp);
	assert_int_equal(m.cpu.stats.flushes, 2);
	assert_int_equal(m.cpu.stats.flushes_idle, 2);
	run(&m);
	reaches(&m, 0, READ, OLD);
	m_exit(&m.cpu);
	poke(&m, EPT1, DATA, 0);
	m_invept(&m.cpu, 1, m.vmcs.eptp);
	assert_int_equal(m.cpu.stats.flushes, 3);
	assert_int_equal(m.cpu.stats.flushes_idle, 2);
	stop(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(invlpg),
		cmocka_unit_test(invlpg_structures),
		cmocka_unit_test(mov_cr3),
		cmocka_unit_test(pcids),
		cmocka_unit_test(globals_across_pcids),
		cmocka_unit_test(invpcid),
		cmocka_unit_test(mov_cr4),
		cmocka_unit_test(page_fault),
		cmocka_unit_test(speculation),
		cmocka_unit_test(fragments),
		cmocka_unit_test(transitions),
		cmocka_unit_test(transitions_and_guest_physical),
		cmocka_unit_test(other_vpid),
		cmocka_unit_test(invvpid), cmocka_unit_test(refused),
		cmocka_unit_test(not_theirs),
		cmocka_unit_test(invept),
		cmocka_unit_test(kinds),
		cmocka_unit_test(invlpg_under_ept),
		cmocka_unit_test(violation),
		cmocka_unit_test(violation_elsewhere),
		cmocka_unit_test(dirty_is_set_in_memory),
		cmocka_unit_test(account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
