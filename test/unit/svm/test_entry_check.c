/* What VMRUN would refuse (svm/entry_check.c). APM, "Canonicalization and Consistency Checks". */
#include "test/unit/svm/soft.h"

static const struct mmu_intercepts nested = { .ept = true, .unrestricted = true };

#define REFUSED(change, words) \
	do { \
		soft_svm_start(&nested); \
		change; \
		assert_non_null(svm_entry_check(&svm_test)); \
		assert_non_null(strstr(svm_entry_check(&svm_test), words)); \
	} while (0)
#define TAKEN(change) \
	do { \
		soft_svm_start(&nested); \
		change; \
		assert_null(svm_entry_check(&svm_test)); \
	} while (0)

static void registers(void **state)
{
	struct vmcb *c;

	(void)state;
	soft_svm_start(&nested);
	c = vmcb_of_test();
	TAKEN(c = vmcb_of_test());
	REFUSED(vmcb_of_test()->efer &= ~EFER_SVME, "SVME");
	REFUSED(vmcb_of_test()->cr0 |= CR0_NW, "CR0.NW");
	TAKEN(vmcb_of_test()->cr0 |= CR0_NW | CR0_CD);
	REFUSED(vmcb_of_test()->cr0 |= BIT(32), "CR0[63:32]");
	REFUSED(vmcb_of_test()->cr3 |= BIT(48), "CR3");
	REFUSED(vmcb_of_test()->cr4 |= CR4_VMXE, "CR4");
	REFUSED(vmcb_of_test()->dr6 |= BIT(32), "DR6");
	REFUSED(vmcb_of_test()->dr7 |= BIT(32), "DR7");
	REFUSED(vmcb_of_test()->efer |= BIT(1), "EFER");
	(void)c;
}

static void modes(void **state)
{
	(void)state;
	REFUSED(vmcb_of_test()->cr4 &= ~CR4_PAE, "CR4.PAE is zero");
	REFUSED(vmcb_of_test()->cr0 &= ~CR0_PE, "CR0.PE is zero");
	REFUSED(vmcb_of_test()->segment[SEG_CS].attributes |= SEGMENT_DB >> 4, "CS.D");
	TAKEN((vmcb_of_test()->cr0 &= ~(CR0_PE | CR0_PG), vmcb_of_test()->cr4 &= ~CR4_PAE)); /* real mode */
	/* paged real mode */
	TAKEN((vmcb_of_test()->cr0 &= ~CR0_PE, vmcb_of_test()->efer &= ~(EFER_LME | EFER_LMA)));
}

static void controls(void **state)
{
	(void)state;
	REFUSED(vmcb_of_test()->intercepts[1] &= (uint32_t)~INTERCEPT_VMRUN, "VMRUN");
	REFUSED(vmcb_of_test()->asid = 0, "ASID");
	REFUSED(vmcb_of_test()->asid = 16, "ASID");
	TAKEN(vmcb_of_test()->asid = 15);
	REFUSED(vmcb_of_test()->io_map = BIT(48) - PAGE_SIZE, "intercept table");
	REFUSED(vmcb_of_test()->msr_map = BIT(48) - PAGE_SIZE, "intercept table");
	REFUSED(vmcb_of_test()->nested_cr3 |= BIT(50), "N_CR3");
	REFUSED(vmcb_of_test()->pat = 2, "G_PAT");
	REFUSED(vmcb_of_test()->pat = 8ull << 56, "G_PAT");
	TAKEN((vmcb_of_test()->pat = 2, vmcb_of_test()->nested_control = 0));
}

static void event(uint32_t type, uint32_t vector)
{
	vmcb_of_test()->event_injection = EVENT_VALID | type | vector;
}

static void events(void **state)
{
	(void)state;
	TAKEN(event(EVENT_TYPE_EXTERNAL, 0x80));
	TAKEN(event(EVENT_TYPE_NMI, 2));
	TAKEN(event(EVENT_TYPE_SOFTWARE_INTERRUPT, 0x80));
	TAKEN(event(EVENT_TYPE_HARDWARE_EXCEPTION, 14));
	REFUSED(event(EVENT_TYPE_HARDWARE_EXCEPTION, 2), "no exception");
	REFUSED(event(EVENT_TYPE_HARDWARE_EXCEPTION, 32), "no exception");
	REFUSED(event(EVENT_TYPE_SOFTWARE_EXCEPTION, 3), "reserved type");
	TAKEN(vmcb_of_test()->event_injection = EVENT_TYPE_SOFTWARE_EXCEPTION | 3); /* not valid */
}

/* SV2: it is not entered. */
static void an_illegal_one_is_not_entered(void **state)
{
	(void)state;
	soft_svm_start(&nested);
	svm_enter(&svm_test);
	assert_int_equal(soft_svm.runs, 1);
	assert_int_equal(svm_test.exit, SVM_EXIT_HLT);
	svm_test_mmu.regs.cr0 &= ~CR0_PE; /* with EFER.LME and PG */
	svm_apply_paging(&svm_test, &svm_test_mmu);
	svm_enter(&svm_test);
	assert_int_equal(soft_svm.runs, 1);
	assert_int_equal(svm_test.exit, SVM_EXIT_INVALID);
	assert_int_equal(svm_exit_delivery(&svm_test), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers),
		cmocka_unit_test(modes),
		cmocka_unit_test(controls),
		cmocka_unit_test(events),
		cmocka_unit_test(an_illegal_one_is_not_entered),
	};

	return cmocka_run_group_tests_name("svm_entry_check", tests, NULL, NULL);
}
