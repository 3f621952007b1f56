/* A guest's registers and events in the VMCB, and what an exit tells (svm/guest.c). APM, "Event Injection", "Virtual
 * Interrupts", "Nested versus Guest Page Faults, Fault Ordering". */
#include "test/unit/svm/soft.h"

static const struct mmu_intercepts nested = { .ept = true, .unrestricted = true };

static void begin(void) { soft_svm_start(&nested); }

static void segments(void **state)
{
	struct segment_state s = { 0x33, 0xffffffff, SEGMENT_FLAT_DATA | SEGMENT_DPL, 0x1000 }, got;

	(void)state;
	begin();
	svm_set_segment(&svm_test, SEG_SS, &s);
	assert_int_equal(vmcb_of_test()->segment[SEG_SS].attributes, 0xcf3);
	assert_int_equal(vmcb_of_test()->cpl, 3);
	got = svm_get_segment(&svm_test, SEG_SS);
	assert_int_equal(got.access, s.access);
	assert_true(got.selector == 0x33 && got.limit == 0xffffffff && got.base == 0x1000);
	/* what a CPU leaves out */
	vmcb_of_test()->segment[SEG_DS] = (struct vmcb_segment){ 0x2b, 0x0f2, 0xfffff, 0 };
	got = svm_get_segment(&svm_test, SEG_DS);
	assert_int_equal(got.access, 0xf3);
	vmcb_of_test()->tr.attributes = 0x89;
	assert_int_equal(svm_get_segment(&svm_test, SEG_TR).access & SEGMENT_TYPE, TYPE_TSS32_BUSY);
	vmcb_of_test()->segment[SEG_ES].attributes = 0;
	assert_true(svm_get_segment(&svm_test, SEG_ES).access & SEGMENT_UNUSABLE);
	s.access = SEGMENT_UNUSABLE | SEGMENT_P;
	svm_set_segment(&svm_test, SEG_ES, &s);
	assert_false(vmcb_of_test()->segment[SEG_ES].attributes & SEGMENT_P);
	svm_set_rflags(&svm_test, RFLAGS_VM | RFLAGS_FIXED);
	assert_int_equal(vmcb_of_test()->cpl, 3);
}

static void msrs(void **state)
{
	static const uint32_t own[] = { MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_FS_BASE, MSR_GS_BASE,
					MSR_KERNEL_GS_BASE, MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_FMASK };
	uint64_t value;

	(void)state;
	begin();
	for (unsigned i = 0; i < ARRAY_SIZE(own); i++)
		svm_set_own_msr(&svm_test, own[i], 0x1000 + i);
	for (unsigned i = 0; i < ARRAY_SIZE(own); i++) {
		assert_true(svm_own_msr(&svm_test, own[i], &value));
		assert_int_equal(value, 0x1000 + i);
	}
	assert_int_equal(vmcb_of_test()->lstar, 0x1007);
	assert_false(svm_own_msr(&svm_test, MSR_EFER, &value));
}

static struct event event(uint32_t info, uint32_t error, uint32_t length)
{
	return (struct event){ info, error, length };
}

static void injection(void **state)
{
	struct event pf = event(EVENT_VALID | EVENT_TYPE_HARDWARE_EXCEPTION | EVENT_HAS_ERROR | 14, 6, 0);
	struct event int3 = event(EVENT_VALID | EVENT_TYPE_SOFTWARE_EXCEPTION | 3, 9, 1);
	struct event soft = event(EVENT_VALID | EVENT_TYPE_SOFTWARE_INTERRUPT | 0x80, 0, 2);
	struct event int1 = event(EVENT_VALID | EVENT_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION | 1, 0, 1);

	(void)state;
	begin();
	svm_inject(&svm_test, &pf);
	assert_int_equal(vmcb_of_test()->event_injection, 0x600000000ull | 0x80000b0e);
	svm_inject(&svm_test, &int3);
	assert_int_equal(vmcb_of_test()->event_injection, 0x80000303);
	assert_int_equal(vmcb_of_test()->rip, 0x1001);
	svm_inject(&svm_test, &soft);
	assert_int_equal(vmcb_of_test()->event_injection, 0x80000480);
	assert_int_equal(vmcb_of_test()->rip, 0x1003);
	assert_int_equal(vmcb_of_test()->next_rip, 0x1003);
	svm_inject(&svm_test, &int1);
	assert_int_equal(vmcb_of_test()->event_injection, 0x80000301);
}

/* SV4: the instruction is there again, and nothing is left of the event. */
static void interrupted(struct vmcb *c)
{
	c->exit_code = EXITCODE_NPF;
	c->exit_interrupt = EVENT_VALID | EVENT_TYPE_SOFTWARE_INTERRUPT | 0x80;
}
static void interrupted_int3(struct vmcb *c)
{
	c->exit_code = EXITCODE_NPF;
	c->exit_interrupt = EVENT_VALID | EVENT_TYPE_HARDWARE_EXCEPTION | 3;
}
static void interrupted_pf(struct vmcb *c)
{
	c->exit_code = EXITCODE_NPF;
	c->exit_interrupt = 0x500000000ull | EVENT_VALID | EVENT_TYPE_HARDWARE_EXCEPTION | EVENT_HAS_ERROR | 14;
}
static void by_a_task_gate(struct vmcb *c)
{
	c->exit_code = EXITCODE_TASK_SWITCH;
	c->exit_interrupt = EVENT_VALID | EVENT_TYPE_SOFTWARE_INTERRUPT | 0x80;
}

static void interrupted_db(struct vmcb *c)
{
	c->exit_code = EXITCODE_NPF;
	c->next_rip = 0;
	c->exit_interrupt = EVENT_VALID | EVENT_TYPE_HARDWARE_EXCEPTION | VECTOR_DB;
}

static void int3_by_a_task_gate(struct vmcb *c)
{
	by_a_task_gate(c);
	c->exit_interrupt = EVENT_VALID | EVENT_TYPE_HARDWARE_EXCEPTION | VECTOR_BP;
}

static void interrupted_delivery(void **state)
{
	struct event soft = event(EVENT_VALID | EVENT_TYPE_SOFTWARE_INTERRUPT | 0x80, 0, 2);

	(void)state;
	begin();
	svm_inject(&svm_test, &soft);
	soft_svm.run = interrupted;
	svm_enter(&svm_test);
	assert_int_equal(soft_svm.entered.rip, 0x1002);
	assert_int_equal(vmcb_of_test()->rip, 0x1000);
	assert_int_equal(svm_exit_delivery(&svm_test), 0);
	assert_int_equal(vmcb_of_test()->event_injection, 0); /* SV3 */
	soft_svm.run = interrupted_int3; /* the guest's own */
	svm_enter(&svm_test);
	assert_int_equal(vmcb_of_test()->rip, 0x1000);
	assert_int_equal(svm_exit_delivery(&svm_test), 0);
	assert_true(svm_exit_delivery_anew(&svm_test));
	soft_svm.run = interrupted_pf;
	svm_enter(&svm_test);
	assert_int_equal(svm_exit_delivery(&svm_test), 0x80000b0e);
	assert_false(svm_exit_delivery_anew(&svm_test));
	soft_svm.run = by_a_task_gate;
	svm_enter(&svm_test);
	assert_false(svm_exit_delivery_anew(&svm_test));
	assert_int_equal(svm_exit_delivery(&svm_test), 0x80000480);
	soft_svm.run = int3_by_a_task_gate;
	svm_enter(&svm_test);
	assert_int_equal(svm_exit_delivery(&svm_test), 0x80000603);
	/* INT1, which exits before its event; the delivery of that is interrupted, and the next one is not */
	soft = event(EVENT_VALID | EVENT_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION | VECTOR_DB, 0, 1);
	svm_inject(&svm_test, &soft);
	soft_svm.run = interrupted_db;
	svm_enter(&svm_test);
	assert_int_equal(soft_svm.entered.rip, 0x1001);
	assert_int_equal(vmcb_of_test()->rip, 0x1000);
	assert_int_equal(svm_exit_delivery(&svm_test), 0x80000501);
	assert_int_equal(svm_exit_length(&svm_test), 1);
	svm_enter(&svm_test);
	assert_int_equal(svm_exit_delivery(&svm_test), 0x80000301);
}

static void windows(void **state)
{
	const uint32_t irq = (uint32_t)(V_IRQ | V_IGNORE_TPR | V_PRIORITY_HIGHEST);

	(void)state;
	begin();
	svm_set_interrupt_window(&svm_test, true);
	assert_int_equal(vmcb_of_test()->interrupt_control, irq | V_INTR_MASKING);
	assert_true(vmcb_of_test()->intercepts[0] & INTERCEPT_VINTR);
	svm_set_interrupt_window(&svm_test, false);
	assert_int_equal(vmcb_of_test()->interrupt_control, V_INTR_MASKING);
	assert_false(vmcb_of_test()->intercepts[0] & INTERCEPT_VINTR);
}

static void irets(struct vmcb *c) { c->exit_code = EXITCODE_IRET; }

/* SV5. */
static void nmis(void **state)
{
	struct event nmi = event(EVENT_VALID | EVENT_TYPE_NMI | 2, 0, 0);

	(void)state;
	begin();
	svm_inject(&svm_test, &nmi);
	assert_true(svm_test.nmi_blocked && (vmcb_of_test()->intercepts[0] & INTERCEPT_IRET));
	svm_enter(&svm_test);
	assert_true(svm_test.nmi_blocked);
	svm_set_nmi_window(&svm_test, true);
	assert_false(vmcb_of_test()->interrupt_control & V_IRQ);
	soft_svm.run = irets;
	svm_enter(&svm_test);
	/* still at the IRET; what comes behind it exits */
	assert_true(svm_test.nmi_blocked && !(vmcb_of_test()->intercepts[0] & INTERCEPT_IRET));
	assert_true(vmcb_of_test()->interrupt_control & V_IRQ);
	soft_svm.run = NULL;
	svm_enter(&svm_test); /* an exit at the same place: the IRET itself has faulted */
	assert_true(svm_test.nmi_blocked);
	vmcb_of_test()->rip += 2;
	svm_enter(&svm_test);
	assert_false(svm_test.nmi_blocked);
	svm_set_blocking(&svm_test, BLOCKING_NMI | BLOCKING_MOV_SS);
	assert_int_equal(vmcb_of_test()->interrupt_shadow, INTERRUPT_SHADOW);
	assert_true(vmcb_of_test()->intercepts[0] & INTERCEPT_IRET);
	svm_set_blocking(&svm_test, 0);
	assert_int_equal(vmcb_of_test()->interrupt_shadow, 0);
	assert_false(vmcb_of_test()->intercepts[0] & INTERCEPT_IRET);
}

static uint64_t exited(unsigned number, uint64_t code)
{
	svm_test.exit = number;
	vmcb_of_test()->exit_code = code;
	return svm_exit_event(&svm_test);
}

static void what_exited(void **state)
{
	(void)state;
	begin();
	assert_int_equal(exited(SVM_EXIT_EXCEPTION, 0x4e), 0x80000b0e);
	assert_int_equal(exited(SVM_EXIT_EXCEPTION, 0x41), 0x80000301);
	assert_int_equal(exited(SVM_EXIT_EXCEPTION, 0x43), 0x80000603);
	assert_int_equal(exited(SVM_EXIT_NMI, 0x61), 0x80000202);
	assert_int_equal(exited(SVM_EXIT_ICEBP, 0x88), 0x80000501);
	assert_int_equal(exited(SVM_EXIT_INTR, 0x60), 0);
	vmcb_of_test()->exit_code = EXITCODE_IOIO;
	vmcb_of_test()->exit_info[1] = 0x1002;
	vmcb_of_test()->next_rip = 0x1005;
	assert_int_equal(svm_exit_length(&svm_test), 2);
	vmcb_of_test()->exit_code = EXITCODE_CPUID;
	assert_int_equal(svm_exit_length(&svm_test), 5);
}

static bool lacks(unsigned number, uint64_t code)
{
	exited(number, code);
	return svm_exit_lacks_length(&svm_test);
}

/* Of instructions that are skipped, and of those whose event goes on. IN and OUT tell it elsewhere. */
static void lengths_without_nrips(void **state)
{
	(void)state;
	begin();
	assert_true(lacks(SVM_EXIT_CPUID, EXITCODE_CPUID) && lacks(SVM_EXIT_HLT, EXITCODE_HLT));
	assert_true(lacks(SVM_EXIT_WRMSR, EXITCODE_MSR) && lacks(SVM_EXIT_VMMCALL, EXITCODE_VMMCALL));
	assert_true(lacks(SVM_EXIT_ICEBP, EXITCODE_ICEBP) && lacks(SVM_EXIT_TASK_SWITCH, EXITCODE_TASK_SWITCH));
	assert_true(lacks(SVM_EXIT_EXCEPTION, EXITCODE_EXCEPTION + VECTOR_BP));
	assert_true(lacks(SVM_EXIT_EXCEPTION, EXITCODE_EXCEPTION + VECTOR_OF));
	assert_false(lacks(SVM_EXIT_EXCEPTION, EXITCODE_EXCEPTION + VECTOR_PF));
	assert_false(lacks(SVM_EXIT_IOIO, EXITCODE_IOIO) || lacks(SVM_EXIT_NPF, EXITCODE_NPF));
	assert_false(lacks(SVM_EXIT_CR_WRITE, EXITCODE_CR_WRITE) || lacks(SVM_EXIT_INTR, EXITCODE_INTR));
	vmcb_of_test()->rip = 0x1000;
	svm_set_exit_length(&svm_test, 3);
	assert_int_equal(svm_exit_length(&svm_test), 3);
}

static struct hvm_nested_fault fault(uint64_t error)
{
	vmcb_of_test()->exit_info[0] = error;
	vmcb_of_test()->exit_info[1] = 0x12345;
	return svm_exit_nested_fault(&svm_test);
}

static void nested_faults(void **state)
{
	(void)state;
	begin();
	assert_int_equal(fault(NPF_FINAL | PFERR_U).access, MMU_LINEAR | MMU_READ);
	assert_int_equal(fault(NPF_FINAL | PFERR_U | PFERR_W).access, MMU_LINEAR | MMU_WRITE);
	assert_int_equal(fault(NPF_FINAL | PFERR_U | PFERR_I).access, MMU_LINEAR | MMU_FETCH);
	assert_int_equal(fault(NPF_WALK | PFERR_U | PFERR_W).access, MMU_LINEAR | MMU_TABLE | MMU_READ | MMU_WRITE);
	assert_int_equal(fault(NPF_FINAL).gpa.v, 0x12345);
	assert_false(fault(NPF_FINAL).translated); /* the linear address is not told */
}

static void task_switches(void **state)
{
	(void)state;
	begin();
	vmcb_of_test()->exit_info[0] = 0x28;
	vmcb_of_test()->exit_info[1] = TASK_SWITCH_IRET;
	assert_int_equal(svm_exit_task_switch(&svm_test).source, HVM_TASK_IRET);
	vmcb_of_test()->exit_info[1] = TASK_SWITCH_JMP;
	assert_int_equal(svm_exit_task_switch(&svm_test).source, HVM_TASK_JMP);
	vmcb_of_test()->exit_info[1] = 0;
	assert_int_equal(svm_exit_task_switch(&svm_test).source, HVM_TASK_CALL);
	vmcb_of_test()->exit_interrupt = EVENT_VALID;
	assert_int_equal(svm_exit_task_switch(&svm_test).source, HVM_TASK_GATE);
	assert_int_equal(svm_exit_task_switch(&svm_test).selector, 0x28);
}

static void debugging(void **state)
{
	uint64_t value;

	(void)state;
	begin();
	svm_set_debug(&svm_test, &(struct hvm_debug){ .debug_registers = true, .int3 = true });
	assert_int_equal(vmcb_of_test()->dr_intercepts, DR_ALL);
	assert_true(vmcb_of_test()->exceptions & BIT(VECTOR_BP));
	svm_set_debug(&svm_test, &(struct hvm_debug){ 0 });
	assert_int_equal(vmcb_of_test()->dr_intercepts, 0);
	assert_false(vmcb_of_test()->exceptions & BIT(VECTOR_BP));
	assert_string_equal(svm_control_shown(&svm_test, 3, &value), "asid");
	assert_int_equal(value, 3);
	assert_null(svm_control_shown(&svm_test, 50, &value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments),
		cmocka_unit_test(msrs),
		cmocka_unit_test(injection),
		cmocka_unit_test(interrupted_delivery),
		cmocka_unit_test(windows),
		cmocka_unit_test(nmis),
		cmocka_unit_test(what_exited), cmocka_unit_test(lengths_without_nrips),
		cmocka_unit_test(nested_faults),
		cmocka_unit_test(task_switches),
		cmocka_unit_test(debugging),
	};

	return cmocka_run_group_tests_name("svm_guest", tests, NULL, NULL);
}
