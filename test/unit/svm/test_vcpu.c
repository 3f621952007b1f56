/* A virtual CPU's controls and paging registers, and what stands around VMRUN (svm/vcpu.c). APM, "VMRUN Instruction",
 * "Nested Paging". */
#include "test/unit/svm/soft.h"

#include "hvm/guards.h"

static const struct mmu_intercepts nested = { .ept = true, .unrestricted = true };
static const struct mmu_intercepts shadow = {
	.page_fault = true, .cr3_load = true, .cr3_store = true, .invlpg = true, .unrestricted = true,
	.cr0_force_mask = CR0_PG | CR0_WP, .cr0_force_value = CR0_PG | CR0_WP,
	.cr4_force_mask = CR4_PAE, .cr4_force_value = CR4_PAE,
	.efer_force_mask = EFER_NXE, .efer_force_value = EFER_NXE,
};

static void started_nested(void **state)
{
	const struct vmcb *c;

	(void)state;
	soft_svm_start(&nested);
	c = vmcb_of_test();
	assert_true(c->nested_control & NESTED_PAGING);
	assert_int_equal(c->nested_cr3, 0x7000);
	assert_int_equal(c->cr3, 0x5000);
	assert_int_equal(c->asid, 3);
	assert_int_equal(c->pat, PAT_AFTER_RESET);
	assert_int_equal(c->rip, 0x1000);
	assert_int_equal(c->efer, EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME);
	assert_false(c->cr_intercepts & (CR_READ(3) | CR_WRITE(3) | CR_READ(0) | CR_READ(4) | CR_WRITE(0)));
	assert_true((c->cr_intercepts & (CR_WRITE(4) | CR_READ(8) | CR_WRITE(8))) ==
		    (CR_WRITE(4) | CR_READ(8) | CR_WRITE(8)));
	assert_true(c->intercepts[0] & INTERCEPT_CR0_SELECTIVE);
	assert_false(c->intercepts[0] & INTERCEPT_INVLPG);
	assert_int_equal(c->exceptions, BIT(VECTOR_DB) | BIT(VECTOR_AC) | BIT(VECTOR_MC));
	assert_true(c->interrupt_control & V_INTR_MASKING);
	assert_true(c->intercepts[0] & INTERCEPT_INTR && c->intercepts[1] & INTERCEPT_VMRUN);
	assert_null(svm_entry_check(&svm_test));
}

static void started_with_shadow_tables(void **state)
{
	const struct vmcb *c;

	(void)state;
	soft_svm_start(&shadow);
	c = vmcb_of_test();
	assert_false(c->nested_control & NESTED_PAGING);
	assert_true((c->cr_intercepts & (CR_READ(3) | CR_WRITE(3))) == (CR_READ(3) | CR_WRITE(3)));
	assert_true(c->intercepts[0] & INTERCEPT_INVLPG);
	assert_true(c->exceptions & BIT(VECTOR_PF));
	assert_null(svm_entry_check(&svm_test));
}

/* For a debugger, and to be looked at: also where paging is applied meanwhile; and none is left behind. */
static void exceptions_that_exit(void **state)
{
	const struct vmcb *c;
	uint32_t before;

	(void)state;
	soft_svm_start(&shadow);
	c = vmcb_of_test();
	before = c->exceptions;
	for (unsigned applied = 0; applied < 2; applied++) {
		svm_set_debug(&svm_test, &(struct hvm_debug){ .exceptions = true });
		if (applied)
			svm_apply_paging(&svm_test, &svm_test_mmu);
		assert_int_equal(c->exceptions, ~0u);
		svm_set_debug(&svm_test, &(struct hvm_debug){ .int3 = true });
		if (applied)
			svm_apply_paging(&svm_test, &svm_test_mmu);
		assert_int_equal(c->exceptions, before | BIT(VECTOR_BP));
		svm_set_debug(&svm_test, &(struct hvm_debug){ .step = false });
		if (applied)
			svm_apply_paging(&svm_test, &svm_test_mmu);
		assert_int_equal(c->exceptions, before);
	}
}

static void apply(uint64_t cr0, uint64_t cr4)
{
	svm_test_mmu.regs.cr0 = cr0;
	svm_test_mmu.regs.cr4 = cr4;
	svm_apply_paging(&svm_test, &svm_test_mmu);
}

/* SV1. */
static void what_the_guest_reads(void **state)
{
	const struct vmcb *c;

	(void)state;
	soft_svm_start(&shadow);
	c = vmcb_of_test();
	/* protected mode without paging: each write exits, for one of PG alone is none to the hardware */
	apply(CR0_PE | CR0_CD, 0);
	assert_int_equal(c->cr0, CR0_PE | CR0_PG | CR0_WP);
	assert_true((c->cr_intercepts & (CR_READ(0) | CR_WRITE(0))) == (CR_READ(0) | CR_WRITE(0)));
	assert_false(c->intercepts[0] & INTERCEPT_CR0_SELECTIVE);
	assert_int_equal(c->cr4, CR4_PAE | CR4_MCE);
	assert_true(c->cr_intercepts & CR_READ(4));
	svm_sync_paging(&svm_test, &svm_test_mmu);
	assert_int_equal(svm_test_mmu.regs.cr0, CR0_PE | CR0_CD);
	assert_int_equal(svm_test_mmu.regs.cr4, 0);
	/* real mode, paged for the CPU */
	apply(0, 0);
	assert_int_equal(c->cr0, CR0_PG | CR0_WP);
	/* what needs no intercept */
	apply(CR0_PE | CR0_PG | CR0_WP, CR4_PAE | CR4_MCE);
	assert_false(c->cr_intercepts & (CR_READ(0) | CR_WRITE(0) | CR_READ(4)));
	assert_true(c->intercepts[0] & INTERCEPT_CR0_SELECTIVE);
}

static void what_the_guest_changes_without_an_exit(void **state)
{
	(void)state;
	soft_svm_start(&nested);
	vmcb_of_test()->cr0 |= CR0_TS;
	vmcb_of_test()->cr3 = 0x9000;
	vmcb_of_test()->rflags |= RFLAGS_AC;
	vmcb_of_test()->cpl = 3;
	vmcb_of_test()->efer &= ~EFER_NXE;
	svm_sync_paging(&svm_test, &svm_test_mmu);
	assert_true(svm_test_mmu.regs.cr0 & CR0_TS);
	assert_int_equal(svm_test_mmu.regs.cr3, 0x9000);
	assert_int_equal(svm_test_mmu.regs.cpl, 3);
	assert_true(svm_test_mmu.regs.ac);
	assert_false(svm_test_mmu.regs.efer & (EFER_NXE | EFER_SVME));
	svm_test_mmu.regs.cr0 = 0;
	svm_sync_unowned(&svm_test, &svm_test_mmu);
	assert_int_equal(svm_test_mmu.regs.cr0, CR0_PE | CR0_PG | CR0_WP | CR0_TS);
	/* without nested paging CR3 is the mechanism's */
	soft_svm_start(&shadow);
	vmcb_of_test()->cr3 = 0x9000;
	svm_sync_paging(&svm_test, &svm_test_mmu);
	assert_int_equal(svm_test_mmu.regs.cr3, 0x5000);
}

/* PKRU is in the CPU, and told only where it counts. */
static void protection_keys(void **state)
{
	(void)state;
	soft_svm_start(&nested);
	soft_svm.pkru = 0x55555554;
	apply(CR0_PE | CR0_PG | CR0_WP, CR4_PAE);
	svm_sync_paging(&svm_test, &svm_test_mmu);
	assert_int_equal(svm_test_mmu.regs.pkru, 0);
	apply(CR0_PE | CR0_PG | CR0_WP, CR4_PAE | CR4_PKE);
	svm_sync_paging(&svm_test, &svm_test_mmu);
	assert_int_equal(svm_test_mmu.regs.pkru, 0x55555554);
}

static void page_directory_pointers(void **state)
{
	(void)state;
	soft_svm_start(&nested);
	soft_svm.pdptes[2] = 0x3001;
	vmcb_of_test()->efer = EFER_SVME;
	vmcb_of_test()->cr3 = 0x12345fe0;
	svm_sync_paging(&svm_test, &svm_test_mmu);
	assert_int_equal(soft_svm.pdptes_at, 0x12345fe0);
	assert_int_equal(svm_test_mmu.regs.pdpte[2], 0x3001);
}

static void without_a_tag(void **state)
{
	(void)state;
	soft_svm_start(&nested);
	svm_enter(&svm_test);
	assert_int_equal(soft_svm.entered.tlb_control, TLB_FLUSH_ALL); /* the CPU's first */
	svm_enter(&svm_test);
	assert_int_equal(soft_svm.entered.tlb_control, TLB_FLUSH_NOTHING);
	svm_test_mmu.root.vpid = 0;
	svm_apply_root(&svm_test, &svm_test_mmu);
	svm_enter(&svm_test);
	svm_enter(&svm_test);
	assert_int_equal(soft_svm.entered.asid, 15);
	assert_int_equal(soft_svm.entered.tlb_control, TLB_FLUSH_ASID);
	svm_test_caps.flush_by_asid = false;
	svm_enter(&svm_test);
	assert_int_equal(soft_svm.entered.tlb_control, TLB_FLUSH_ALL);
}

static void faults(struct vmcb *c)
{
	c->exit_code = EXITCODE_CPUID;
	c->cr2 = 0x4444;
	c->rax = 0x77;
}

static void in_and_out(void **state)
{
	(void)state;
	soft_svm_start(&nested);
	svm_test.hvm.gpr[GPR_RAX] = 0x66;
	soft_svm.cr2 = 0x3333;
	soft_svm.dr6 = DR6_RESET | 1;
	soft_svm.run = faults;
	svm_enter(&svm_test);
	assert_int_equal(soft_svm.entered.rax, 0x66);
	assert_int_equal(soft_svm.entered.cr2, 0x3333);
	assert_int_equal(soft_svm.entered.dr6, DR6_RESET | 1);
	assert_int_equal(svm_test.hvm.gpr[GPR_RAX], 0x77);
	assert_int_equal(soft_svm.cr2, 0x4444);
	assert_int_equal(svm_test.exit, SVM_EXIT_CPUID);
}

static void steps(struct vmcb *c)
{
	c->exit_code = EXITCODE_EXCEPTION + VECTOR_DB;
	c->dr6 |= DR6_BS;
}

static void clears_and_watches(struct vmcb *c)
{
	c->exit_code = EXITCODE_EXCEPTION + VECTOR_DB;
	c->dr6 = DR6_RESET | 2;
}

/* An intercepted #DB has changed DR6; what vm/ does with it wants the causes, and DR6 as it was. */
static void debug_exceptions(void **state)
{
	(void)state;
	soft_svm_start(&nested);
	soft_svm.run = steps;
	svm_enter(&svm_test);
	assert_int_equal(svm_test.debug_causes, DR6_BS);
	assert_int_equal(soft_svm.dr6, DR6_RESET);
	/* a bit that was set before may be the cause, if nothing else is */
	soft_svm.dr6 = DR6_RESET | DR6_BS;
	svm_enter(&svm_test);
	assert_int_equal(svm_test.debug_causes, DR6_BS);
	/* what the guest clears in between stays so */
	soft_svm.run = clears_and_watches;
	soft_svm.dr6 = DR6_RESET | DR6_BS | DR6_BD;
	svm_enter(&svm_test);
	assert_int_equal(svm_test.debug_causes, 2);
	assert_int_equal(soft_svm.dr6, DR6_RESET);
}

static void a_trap_that_waits(void **state)
{
	(void)state;
	soft_svm_start(&nested);
	svm_test.pending_debug = PENDING_DEBUG_BS;
	vmcb_of_test()->dr7 |= DR7_GD;
	svm_enter(&svm_test);
	assert_int_equal(soft_svm.entered.event_injection, 0x80000301);
	assert_int_equal(soft_svm.entered.dr6, DR6_RESET | DR6_BS);
	assert_false(soft_svm.entered.dr7 & DR7_GD);
	svm_enter(&svm_test);
	assert_int_equal(soft_svm.entered.event_injection, 0);
	/* a breakpoint that is not enabled, and a trap that an event discards */
	svm_test.pending_debug = 1;
	svm_enter(&svm_test);
	assert_int_equal(soft_svm.entered.event_injection, 0);
	svm_test.pending_debug = PENDING_DEBUG_BS;
	svm_inject(&svm_test, &(struct event){ EVENT_VALID | 0x30, 0, 0 });
	svm_enter(&svm_test);
	assert_int_equal(soft_svm.entered.event_injection, EVENT_VALID | 0x30);
	assert_int_equal(svm_test.pending_debug, 0);
}

/* Without nested paging the CPU has one PAT. */
static void memory_types(void **state)
{
	(void)state;
	soft_svm_start(&shadow);
	svm_set_pat(&svm_test, 0x0007010600070106);
	svm_enter(&svm_test);
	assert_int_equal(soft_svm.pat_inside, 0x0007010600070106);
	assert_int_equal(soft_svm.pat, PAT_AFTER_RESET);
	soft_svm_start(&nested);
	svm_set_pat(&svm_test, 0x0007010600070106);
	svm_enter(&svm_test);
	assert_int_equal(soft_svm.pat_inside, PAT_AFTER_RESET);
	assert_int_equal(soft_svm.entered.pat, 0x0007010600070106);
}

static void speculation(void **state)
{
	(void)state;
	soft_svm_start(&nested);
	svm_test.hvm.guards = GUARD_SPEC_CTRL;
	svm_test.hvm.spec_guest = 4;
	svm_test.hvm.spec_host = 1;
	svm_enter(&svm_test);
	assert_int_equal(soft_svm.spec_ctrl, 1);
}

static void reset(void **state)
{
	struct hvm_start start = { .real_mode = true, .cs = 0xf000, .cs_base = 0xffff0000, .rip = 0xfff0, .rdx = 5 };

	(void)state;
	soft_svm_start(&nested);
	svm_test.nmi_blocked = true;
	svm_vcpu_reset(&svm_test, &start);
	assert_int_equal(vmcb_of_test()->segment[SEG_CS].base, 0xffff0000);
	assert_int_equal(vmcb_of_test()->rip, 0xfff0);
	assert_int_equal(vmcb_of_test()->cpl, 0);
	assert_int_equal(svm_test.hvm.gpr[GPR_RDX], 5);
	assert_false(svm_test.nmi_blocked);
	svm_vcpu_destroy(&svm_test);
	assert_null(svm_test.vmcb);
	soft_svm.frames = 0;
	assert_false(svm_vcpu_init(&svm_test, &svm_test_caps));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(started_nested),
		cmocka_unit_test(started_with_shadow_tables),
		cmocka_unit_test(exceptions_that_exit),
		cmocka_unit_test(what_the_guest_reads),
		cmocka_unit_test(what_the_guest_changes_without_an_exit),
		cmocka_unit_test(protection_keys),
		cmocka_unit_test(page_directory_pointers),
		cmocka_unit_test(without_a_tag),
		cmocka_unit_test(in_and_out),
		cmocka_unit_test(debug_exceptions),
		cmocka_unit_test(a_trap_that_waits),
		cmocka_unit_test(memory_types),
		cmocka_unit_test(speculation),
		cmocka_unit_test(reset),
	};

	return cmocka_run_group_tests_name("svm_vcpu", tests, NULL, NULL);
}
