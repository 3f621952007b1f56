/* The model's EPT, by hand-made tables: violations with their qualifications, misconfigurations, accessed and dirty
 * flags. */
#include "test/unit/model/machine.h"

#define RIGHTS(r) ((uint64_t)(r) << X_QUAL_RIGHTS_SHIFT)
#define OF_PAGE (X_QUAL_GLA_VALID | X_QUAL_TRANSLATION)
#define OF_TABLE X_QUAL_GLA_VALID

static void two_dimensions(void **state)
{
	struct machine *m = *state;

	with_ept(m);
	poke(m, EPT1, DATA, frame(DATA2) | RWX | WB);
	run(m);
	reaches(m, 0x18, READ, frame(DATA2) + 0x18);
	/* Four entries of the guest's; the first of five EPT walks reads four entries, the others find the PDE
	 * cached. */
	assert_int_equal(m->cpu.stats.references - m->cpu.stats.flags_set, 4 + 4 + 4 * 1);
}

/* 24 references with no paging-structure cache and no TLB at all, as n * m + n + m has it. */
static void references(void **state)
{
	static const struct m_geometry none = { .adversarial = false };
	struct machine *m = *state;

	with_ept(m);
	m_cpu_fini(&m->cpu);
	assert_true(m_cpu_init(&m->cpu, &m->phys, &m->caps, &none));
	run(m);
	reaches(m, 0, READ, frame(DATA));
	assert_int_equal(m->cpu.stats.references - m->cpu.stats.flags_set, 24);
	m->cpu.stats.references = m->cpu.stats.flags_set = 0;
	/* The data on a 2-MByte guest page: one level less of the guest's. */
	poke(m, L2, 1, 0 | RWU | X_PS);
	reaches(m, 0x200000 + frame(DATA), READ, frame(DATA));
	assert_int_equal(m->cpu.stats.references - m->cpu.stats.flags_set, 19);
}

/* 29 with five levels of EPT under four of the guest's, 35 with five in both dimensions. */
static void references_of_five(void **state)
{
	static const struct m_geometry none = { .adversarial = false };
	struct machine *m = *state;

	for (unsigned levels = 4; levels <= 5; levels++) {
		restart(m);
		with_ept_of_five(m);
		m_cpu_fini(&m->cpu);
		assert_true(m_cpu_init(&m->cpu, &m->phys, &m->caps, &none));
		if (levels == 5) {
			poke(m, OTHER_ROOT, 0, frame(ROOT) | RWU);
			m->vmcs.guest.cr3 = frame(OTHER_ROOT);
			m->vmcs.guest.cr4 |= X_CR4_LA57;
		}
		run(m);
		reaches(m, 0, READ, frame(DATA));
		assert_int_equal(m->cpu.stats.references - m->cpu.stats.flags_set, levels * 5 + levels + 5);
	}
}

/* The fifth level: its entries have rights, an accessed flag, reserved bits, and a cache. */
static void fifth_level(void **state)
{
	struct machine *m = *state;
	struct m_result r;

	with_ept_of_five(m);
	m->vmcs.eptp |= X_EPTP_AD;
	run(m);
	reaches(m, 0, READ, frame(DATA));
	assert_int_equal(m->cpu.cache[M_NPSC_5].live, 1);
	assert_int_equal(peek(m, EPT5, 0), frame(EPT4) | RWX | X_EPT_A);
	assert_int_equal(peek(m, EPT5, 1), frame(EPT4) | RWX);
	/* What the cache holds serves until an INVEPT. */
	poke(m, EPT5, 0, 0);
	poke(m, L1, 1, frame(DATA2) | RWU | X_A);
	reaches(m, 0x1000, READ, frame(DATA2));
	m_exit(&m->cpu);
	m_invept(&m->cpu, 1, m->vmcs.eptp);
	assert_int_equal(m->cpu.cache[M_NPSC_5].live, 0);
	run(m);
	violates(m, 0, READ, frame(ROOT), X_QUAL_READ | X_QUAL_WRITE | OF_TABLE);
	poke(m, EPT5, 0, frame(EPT4) | X_EPT_R | X_EPT_W);
	violates(m, 0, FETCH, frame(DATA), X_QUAL_FETCH | RIGHTS(3) | OF_PAGE);
	for (unsigned bit = 3; bit < 12; bit++) {
		m_exit(&m->cpu);
		m_invept(&m->cpu, 2, 0);
		poke(m, EPT5, 0, frame(EPT4) | RWX | BIT(bit));
		run(m);
		r = m_access(&m->cpu, 0, READ);
		assert_int_equal(r.event == M_EXIT && r.exit == M_EXIT_EPT_MISCONFIG, bit <= 7);
		if (r.event == M_EXIT)
			run(m);
	}
}

/* Guest-physical addresses of more than 48 bits: memory to five levels, a violation to four. */
static void wide_addresses(void **state)
{
	struct machine *m = *state;

	with_ept_of_five(m);
	poke(m, L1, 1, BIT(48) | frame(DATA2) | RWU);
	run(m);
	reaches(m, 0x1010, READ, frame(DATA2) + 0x10);
	poke(m, L1, 2, BIT(51) | frame(DATA2) | RWU);
	violates(m, 0x2010, READ, BIT(51) | frame(DATA2) | 0x10, X_QUAL_READ | OF_PAGE);
	m_exit(&m->cpu);
	m->vmcs.eptp = frame(EPT4) | 6 | 3 << X_EPTP_LENGTH_SHIFT;
	run(m);
	violates(m, 0x1010, WRITE, BIT(48) | frame(DATA2) | 0x10, X_QUAL_WRITE | OF_PAGE);
	poke(m, L2, 1, BIT(48) | frame(OTHER_L1) | RWU | X_A);
	violates(m, 0x200000, WRITE, BIT(48) | frame(OTHER_L1), X_QUAL_READ | OF_TABLE);
}

static void violations(void **state)
{
	struct machine *m = *state;

	with_ept(m);
	run(m);
	poke(m, EPT1, DATA, 0);
	violates(m, 0x8, READ, frame(DATA) + 8, X_QUAL_READ | OF_PAGE);
	violates(m, 0x8, WRITE, frame(DATA) + 8, X_QUAL_WRITE | OF_PAGE);
	violates(m, 0x8, FETCH, frame(DATA) + 8, X_QUAL_FETCH | OF_PAGE);
	poke(m, EPT1, DATA, frame(DATA) | X_EPT_R | WB);
	violates(m, 0x8, WRITE, frame(DATA) + 8, X_QUAL_WRITE | RIGHTS(1) | OF_PAGE);
	violates(m, 0x8, FETCH, frame(DATA) + 8, X_QUAL_FETCH | RIGHTS(1) | OF_PAGE);
	reaches(m, 0x8, READ, frame(DATA) + 8);
	poke(m, EPT1, DATA, frame(DATA) | X_EPT_R | X_EPT_X | WB);
	violates(m, 0x8, WRITE, frame(DATA) + 8, X_QUAL_WRITE | RIGHTS(5) | OF_PAGE);
}

/* Rights are the AND over the levels. */
static void rights_of_all_levels(void **state)
{
	struct machine *m = *state;

	with_ept(m);
	poke(m, EPT2, 0, frame(EPT1) | X_EPT_R | X_EPT_X);
	/* The tables cannot be written then: their accessed flags are there already. */
	poke(m, ROOT, 0, frame(L3) | RWU | X_A);
	poke(m, L3, 0, frame(L2) | RWU | X_A);
	poke(m, L2, 0, frame(L1) | RWU | X_A);
	poke(m, L1, 0, frame(DATA) | RWU | X_A | X_D);
	run(m);
	violates(m, 0, WRITE, frame(DATA), X_QUAL_WRITE | RIGHTS(5) | OF_PAGE);
	reaches(m, 0, READ, frame(DATA));
}

static void tables_of_the_guest(void **state)
{
	struct machine *m = *state;

	with_ept(m);
	run(m);
	poke(m, EPT1, L2, 0);
	violates(m, 0, WRITE, frame(L2), X_QUAL_READ | OF_TABLE);
	/* Setting the accessed flag is a write. */
	poke(m, EPT1, L2, frame(L2) | X_EPT_R | WB);
	violates(m, 0, READ, frame(L2), X_QUAL_WRITE | RIGHTS(1) | OF_TABLE);
	assert_int_equal(peek(m, L2, 0), frame(L1) | RWU);
	poke(m, L2, 0, frame(L1) | RWU | X_A);
	reaches(m, 0, READ, frame(DATA));
}

static void accessed_and_dirty(void **state)
{
	struct machine *m = *state;

	with_ept(m);
	m->vmcs.eptp |= X_EPTP_AD;
	run(m);
	reaches(m, 0, READ, frame(DATA));
	assert_int_equal(peek(m, EPT4, 0) & (X_EPT_A | X_EPT_D), X_EPT_A);
	assert_int_equal(peek(m, EPT1, DATA) & (X_EPT_A | X_EPT_D), X_EPT_A);
	/* Reads of the guest's tables count as writes. */
	assert_int_equal(peek(m, EPT1, L1) & (X_EPT_A | X_EPT_D), X_EPT_A | X_EPT_D);
	reaches(m, 0, WRITE, frame(DATA));
	assert_int_equal(peek(m, EPT1, DATA) & (X_EPT_A | X_EPT_D), X_EPT_A | X_EPT_D);
	poke(m, EPT1, OTHER_L1, frame(OTHER_L1) | X_EPT_R | WB);
	poke(m, L2, 1, frame(OTHER_L1) | RWU | X_A);
	poke(m, OTHER_L1, 0, frame(DATA) | RWU | X_A);
	violates(m, 0x200000, READ, frame(OTHER_L1), X_QUAL_READ | X_QUAL_WRITE | RIGHTS(1) | OF_TABLE);
}

/* SDM, "Page-Modification Logging". */
static void log_full(struct machine *m, struct x_access a)
{
	struct m_result r = m_access(&m->cpu, 0, a);

	assert_int_equal(r.event, M_EXIT);
	assert_int_equal(r.exit, M_EXIT_LOG_FULL);
	assert_null(m->cpu.vmcs);
	m->vmcs.pml_index = 0;
}

static void pages_logged(void **state)
{
	struct machine *m = *state;

	with_ept(m);
	m->caps.pml = true;
	m->vmcs.eptp |= X_EPTP_AD;
	m->vmcs.pml = frame(OTHER_L1);
	m->vmcs.pml_index = 511;
	run(m);
	reaches(m, 0, READ, frame(DATA));
	/* The guest's four tables, each for a write; then the page, once. */
	assert_int_equal(m->vmcs.pml_index, 511 - 4);
	assert_int_equal(peek(m, OTHER_L1, 511), frame(ROOT));
	assert_int_equal(peek(m, OTHER_L1, 508), frame(L1));
	reaches(m, 8, WRITE, frame(DATA) + 8);
	reaches(m, 16, WRITE, frame(DATA) + 16);
	assert_int_equal(m->vmcs.pml_index, 511 - 5);
	assert_int_equal(peek(m, OTHER_L1, 507), frame(DATA));
	/* Full: neither flag is set, nor does the access take place. */
	m_exit(&m->cpu);
	poke(m, EPT1, DATA, frame(DATA) | RWX | WB);
	assert_true(m_invept(&m->cpu, 2, 0));
	m->vmcs.pml_index = 0xffff;
	run(m);
	log_full(m, WRITE);
	assert_int_equal(peek(m, EPT1, DATA) & (X_EPT_A | X_EPT_D), 0);
	run(m);
	reaches(m, 0, WRITE, frame(DATA));
	assert_int_equal(m->vmcs.pml_index, 0xffff);
	assert_int_equal(peek(m, OTHER_L1, 0), frame(DATA));
	m_exit(&m->cpu);
	m->vmcs.pml = frame(OTHER_L1) + 8;
	assert_non_null(m_entry(&m->cpu, &m->vmcs));
	m->vmcs.pml = frame(OTHER_L1);
	m->caps.pml = false;
	assert_non_null(m_entry(&m->cpu, &m->vmcs));
}

static void misconfigured(struct machine *m, uint64_t entry, bool at_leaf, bool expected,
			  const struct mmu_caps *without)
{
	struct m_result r;

	restart(m);
	with_ept(m);
	if (without)
		m->caps = *without;
	poke(m, at_leaf ? EPT1 : EPT2, at_leaf ? DATA : 0, entry);
	run(m);
	r = m_access(&m->cpu, 0, FETCH);
	assert_int_equal(r.event == M_EXIT && r.exit == M_EXIT_EPT_MISCONFIG, expected);
	if (expected && at_leaf)
		assert_int_equal(r.gpa, frame(DATA));
}

static void misconfigurations(void **state)
{
	struct machine *m = *state;
	struct mmu_caps plain = m->caps;

	misconfigured(m, frame(DATA) | RWX | WB, true, false, NULL);
	misconfigured(m, frame(DATA) | X_EPT_W | WB, true, true, NULL);
	misconfigured(m, frame(DATA) | X_EPT_W | X_EPT_X | WB, true, true, NULL);
	misconfigured(m, frame(DATA) | X_EPT_X | WB, true, false, NULL);
	for (unsigned type = 0; type < 8; type++)
		misconfigured(m, frame(DATA) | RWX | type << X_EPT_TYPE_SHIFT, true,
			      type == 2 || type == 3 || type == 7, NULL);
	misconfigured(m, frame(DATA) | RWX | WB | BIT(40), true, true, NULL);
	misconfigured(m, frame(DATA) | RWX | WB | BIT(52) | BIT(63) | BIT(10) | BIT(11), true, false, NULL);
	misconfigured(m, BIT(40) | WB, true, false, NULL); /* not present: a violation, whatever else it says */
	misconfigured(m, frame(EPT1) | RWX | BIT(3), false, true, NULL);
	misconfigured(m, frame(EPT1) | RWX | BIT(6), false, true, NULL);
	misconfigured(m, RWX | WB | X_EPT_LARGE | frame(1), false, true, NULL);
	plain.ept_execute_only = false;
	misconfigured(m, frame(DATA) | X_EPT_X | WB, true, true, &plain);
	plain.ept_2m = false;
	misconfigured(m, RWX | WB | X_EPT_LARGE, false, true, &plain);
}

static void large(void **state)
{
	struct machine *m = *state;
	struct m_result r;

	with_ept(m);
	poke(m, EPT2, 1, 0x40000000 | RWX | 0 << X_EPT_TYPE_SHIFT | X_EPT_LARGE | X_EPT_IPAT);
	poke(m, EPT3, 1, 0x80000000 | RWX | WB | X_EPT_LARGE);
	poke(m, L1, 1, 0x201000 | RWU | X_PCD);
	poke(m, L1, 2, 0x40002000 | RWU);
	poke(m, L2, 1, 0x200000 | RWU | X_PS);
	run(m);
	r = m_access(&m->cpu, 0x1008, READ);
	assert_int_equal(r.hpa, 0x40001008);
	assert_int_equal(r.ept_type, 8);
	assert_int_equal(r.pat, 2);
	reaches(m, 0x2008, READ, 0x80002008);
	reaches(m, 0x234567, READ, 0x40034567);
}

static void unpaged(void **state)
{
	struct machine *m = *state;

	with_ept(m);
	m->vmcs.guest = (struct x_regs){ .cr0 = X_CR0_PE };
	poke(m, EPT1, 3, frame(DATA) | X_EPT_R | WB);
	run(m);
	reaches(m, 0x3010, READ, frame(DATA) + 0x10);
	violates(m, 0x3010, WRITE, 0x3010, X_QUAL_WRITE | RIGHTS(1) | OF_PAGE);
}

/* Loads of PDPTEs go through EPT, with no linear address. */
static void pdpte_loads(void **state)
{
	struct machine *m = *state;
	struct m_result r;

	with_ept(m);
	m->vmcs.guest.efer = 0;
	m->vmcs.guest.cr4 = X_CR4_PAE;
	m->vmcs.guest.pdpte[0] = frame(L2) | X_P;
	poke(m, EPT1, PDPT_PAGE, 0);
	run(m);
	reaches(m, 0, READ, frame(DATA)); /* from the VMCS, not from memory */
	r = m_mov_cr3(&m->cpu, frame(PDPT_PAGE));
	assert_int_equal(r.event, M_EXIT);
	assert_int_equal(r.exit, M_EXIT_EPT_VIOLATION);
	assert_int_equal(r.gpa, frame(PDPT_PAGE));
	assert_int_equal(r.qualification, X_QUAL_READ);
	poke(m, EPT1, PDPT_PAGE, frame(PDPT_PAGE) | RWX | WB);
	poke(m, PDPT_PAGE, 1, frame(L2) | X_P);
	run(m);
	assert_int_equal(m_mov_cr3(&m->cpu, frame(PDPT_PAGE)).event, M_OK);
	faults(m, 0, READ, 0);
	reaches(m, 0x40000000, READ, frame(DATA));
}

static void entry_checks(void **state)
{
	struct machine *m = *state;

	with_ept(m);
	m->vmcs.eptp = frame(EPT4) | 6; /* walk length */
	assert_non_null(m_entry(&m->cpu, &m->vmcs));
	m->vmcs.eptp = frame(EPT4) | 1 | 3 << 3;
	assert_non_null(m_entry(&m->cpu, &m->vmcs));
	m->vmcs.eptp = frame(EPT4) | 6 | 3 << 3 | BIT(7);
	assert_non_null(m_entry(&m->cpu, &m->vmcs));
	m->vmcs.eptp = frame(EPT4) | 6 | 5 << 3;
	assert_non_null(m_entry(&m->cpu, &m->vmcs));
	m->vmcs.eptp = frame(EPT4) | 6 | 4 << 3;
	m->caps.ept_5level = false;
	assert_non_null(m_entry(&m->cpu, &m->vmcs));
	m->caps.ept_5level = true;
	assert_null(m_entry(&m->cpu, &m->vmcs));
	m_exit(&m->cpu);
	m->vmcs.eptp = frame(EPT4) | 6 | 3 << 3;
	assert_null(m_entry(&m->cpu, &m->vmcs));
	m_exit(&m->cpu);
	m->caps.unrestricted_guest = false;
	m->vmcs.guest = (struct x_regs){ .cr0 = X_CR0_PE };
	assert_non_null(m_entry(&m->cpu, &m->vmcs));
}

static void exits_for_apic(struct machine *m, uint64_t va, struct x_access a, uint64_t qualification)
{
	struct m_result r = m_access(&m->cpu, va, a);

	assert_int_equal(r.event, M_EXIT);
	assert_int_equal(r.exit, M_EXIT_APIC_ACCESS);
	assert_int_equal(r.qualification, qualification);
	assert_null(m->cpu.vmcs);
	run(m);
}

/* The physical address counts: by EPT or without, by a TLB or a walk, of data or of a table. */
static void the_apic_access_page(void **state)
{
	struct machine *m = *state;

	for (unsigned ept = 0; ept < 2; ept++) {
		restart(m);
		if (ept)
			with_ept(m);
		m->vmcs.apic_access = frame(DATA);
		run(m);
		for (unsigned n = 0; n < 2; n++) {
			exits_for_apic(m, 0x80, READ, 0x80);
			exits_for_apic(m, 0x80, WRITE, 1 << 12 | 0x80);
			exits_for_apic(m, 0x80, FETCH, 2 << 12 | 0x80);
		}
		m_exit(&m->cpu);
		m->vmcs.apic_access = 0;
		run(m);
		reaches(m, 0x80, READ, frame(DATA) + 0x80);
	}
	restart(m);
	with_ept(m);
	m->vmcs.apic_access = frame(L1);
	run(m);
	exits_for_apic(m, 0x80, READ, 15 << 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_apic_access_page),
		T(two_dimensions), T(references), T(references_of_five), T(fifth_level), T(wide_addresses),
		T(violations), T(rights_of_all_levels), T(tables_of_the_guest), T(accessed_and_dirty),
		T(pages_logged),
		T(misconfigurations), T(large), T(unpaged), T(pdpte_loads), T(entry_checks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
