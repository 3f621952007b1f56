/* What is injected: exceptions, two at once, NMIs, interrupts, and the windows that are asked for (vm/exit/event.c).
 * The values are those of the SDM, "Interrupt 8 - Double Fault Exception (#DF)", "Event Injection" and "Checks on Guest
 * Non-Register State". */
#include "test/unit/vm/fixture.h"


#define ICR_NMI_TO_ALL 0x84400ull

#define UNMAPPED 0x800000u /* by the guest's own tables */

/* A page fault while an event is being delivered. */
static enum bench_at fault_during(uint32_t vectoring, uint32_t error, uint32_t length)
{
	return bench_exit(&(struct bench_exit){ PAGE_FAULT_EXIT,
						.error = 2,
						.qualification = UNMAPPED,
						.vectoring = vectoring,
						.vectoring_error = error,
						.length = length });
}

/* ---- two exceptions at once ---- */

static void page_fault_during(uint32_t first, uint32_t error, uint32_t then, uint32_t then_error)
{
	at_mode("shadow", BENCH_PAGED32, 0);
	STEP(fault_during(first, error, 0));
	EXPECT_EVENT(then, then_error);
	if (then == EXCEPTION_ERROR(VECTOR_PF))
		assert_int_equal(read_cr2(), UNMAPPED);
	finish();
}

static void a_page_fault_after_another_exception(void **state)
{
	(void)state;
	page_fault_during(0, 0, EXCEPTION_ERROR(VECTOR_PF), 2);
	/* Benign and contributory ones give way. */
	page_fault_during(EXCEPTION(VECTOR_DB), 0, EXCEPTION_ERROR(VECTOR_PF), 2);
	page_fault_during(EXCEPTION(VECTOR_UD), 0, EXCEPTION_ERROR(VECTOR_PF), 2);
	page_fault_during(EXCEPTION(VECTOR_DE), 0, EXCEPTION_ERROR(VECTOR_PF), 2);
	page_fault_during(EXCEPTION_ERROR(VECTOR_TS), 8, EXCEPTION_ERROR(VECTOR_PF), 2);
	page_fault_during(EXCEPTION_ERROR(VECTOR_NP), 8, EXCEPTION_ERROR(VECTOR_PF), 2);
	page_fault_during(EXCEPTION_ERROR(VECTOR_SS), 8, EXCEPTION_ERROR(VECTOR_PF), 2);
	page_fault_during(EXCEPTION_ERROR(VECTOR_GP), 8, EXCEPTION_ERROR(VECTOR_PF), 2);
	page_fault_during(EXCEPTION_ERROR(VECTOR_AC), 0, EXCEPTION_ERROR(VECTOR_PF), 2);
	/* Two page faults double. */
	page_fault_during(EXCEPTION_ERROR(VECTOR_PF), 0, EXCEPTION_ERROR(VECTOR_DF), 0);
}

static void a_fault_after_a_double_fault(void **state)
{
	(void)state;
	at_mode("shadow", BENCH_PAGED32, 0);
	EXPECT_END(fault_during(EXCEPTION_ERROR(VECTOR_DF), 0, 0), "triple fault");
	assert_int_equal(bench.vm[0]->status, VM_STATUS_TRIPLE_FAULT);
	bench_delete();
}

/* A software interrupt whose delivery faults is executed again, once the fault is mended: nothing is left of it. */
static void a_fault_after_a_software_event(void **state)
{
	static const uint32_t first[] = { EVENT_TYPE_SOFTWARE_INTERRUPT | 0x80, EVENT_TYPE_SOFTWARE_EXCEPTION | 3,
					  EVENT_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION | 1 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(first); i++) {
		at_mode("shadow", BENCH_PAGED32, 0);
		STEP(fault_during((uint32_t)EVENT_VALID | first[i], 0, 2));
		EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_PF), 2);
		STEP(bench_interrupt(0xf1));
		EXPECT_NOTHING();
		finish();
	}
}

/* The interrupt was acknowledged, and is lost with its delivery: else a guest that cannot take it would fault for
 * ever. */
static void a_fault_after_an_interrupt(void **state)
{
	static const uint32_t vectors[] = { 0x41, 0x08, 0x00, 0xff };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(vectors); i++) {
		at_mode("shadow", BENCH_PAGED32, 0);
		vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
		STEP(fault_during(INFO(EVENT_TYPE_EXTERNAL, vectors[i]), 0, 0));
		EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_PF), 2);
		assert_false(bench.entry.proc & PROC_INTERRUPT_WINDOW);
		STEP(bench_interrupt(0xf1));
		EXPECT_NOTHING();
		finish();
	}
}

static void a_fault_after_an_nmi(void **state)
{
	(void)state;
	at_mode("shadow", BENCH_PAGED32, 0);
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
	STEP(fault_during(INFO(EVENT_TYPE_NMI, 2), 0, 0));
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_PF), 2);
	assert_int_equal(bench.entry.interruptibility & BLOCKING_NMI, BLOCKING_NMI);
	assert_false(bench.entry.proc & PROC_NMI_WINDOW);
	finish();
}

/* ---- the image of RFLAGS ---- */

/* SDM, "Debug Exceptions": faults set RF in the image that they save. */
static void faults_set_rf(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	STEP(bench_wrmsr(NO_SUCH_MSR, 0));
	EXPECT_GP();
	assert_true(bench.entry.rflags & RFLAGS_RF);
	finish();
	at_mode("shadow", BENCH_PAGED32, 0);
	STEP(fault_during(0, 0, 0));
	assert_true(bench.entry.rflags & RFLAGS_RF);
	finish();
	/* An abort and an interrupt do not. */
	at_mode("shadow", BENCH_PAGED32, 0);
	STEP(fault_during(EXCEPTION_ERROR(VECTOR_PF), 0, 0));
	assert_false(bench.entry.rflags & RFLAGS_RF);
	finish();
}

static void no_error_code_in_real_mode(void **state)
{
	(void)state;
	at_mode("ept", BENCH_REAL, 0);
	STEP(bench_wrmsr(NO_SUCH_MSR, 0));
	EXPECT_EVENT(EXCEPTION(VECTOR_GP), 0);
	STEP(bench_exit_simple(EXIT_RDPMC, 2));
	EXPECT_EVENT(EXCEPTION(VECTOR_GP), 0);
	STEP(bench_exit_simple(EXIT_GETSEC, 2));
	EXPECT_UD();
	finish();
	/* Virtual-8086 mode is protected mode. */
	at_mode("ept", BENCH_V86, 0);
	STEP(bench_exit_simple(EXIT_RDPMC, 2));
	EXPECT_GP();
	finish();
}

/* ---- interrupts ---- */

static void an_interrupt_waits_for_its_window(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	lapic_on();
	STEP(bench_wrmsr(MSR_X2APIC_SELF_IPI, 0x51));
	EXPECT_NOTHING();
	assert_true(bench.entry.proc & PROC_INTERRUPT_WINDOW);
	/* STI and MOV SS hold it back for one instruction more. */
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI);
	vcpu_request(bench.v, REQUEST_EVENT);
	STEP(bench_interrupt(0xf1));
	EXPECT_NOTHING();
	assert_true(bench.entry.proc & PROC_INTERRUPT_WINDOW);
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_MOV_SS);
	vcpu_request(bench.v, REQUEST_EVENT);
	STEP(bench_interrupt(0xf1));
	EXPECT_NOTHING();
	STEP(bench_exit_simple(EXIT_INTERRUPT_WINDOW, 0));
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 0x51), 0);
	assert_false(bench.entry.proc & PROC_INTERRUPT_WINDOW);
	finish();
}

static void the_higher_class_comes_first(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	lapic_on();
	STEP(bench_wrmsr(MSR_X2APIC_SELF_IPI, 0x51));
	STEP(bench_wrmsr(MSR_X2APIC_SELF_IPI, 0x81));
	STEP(bench_wrmsr(MSR_X2APIC_SELF_IPI, 0x61));
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	STEP(bench_exit_simple(EXIT_INTERRUPT_WINDOW, 0));
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 0x81), 0);
	/* The others wait for its end, not for a window. */
	assert_false(bench.entry.proc & PROC_INTERRUPT_WINDOW);
	STEP(bench_wrmsr(MSR_X2APIC_EOI, 0));
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 0x61), 0);
	STEP(bench_wrmsr(MSR_X2APIC_EOI, 0));
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 0x51), 0);
	STEP(bench_wrmsr(MSR_X2APIC_EOI, 0));
	EXPECT_NOTHING();
	finish();
}

/* TPR holds back its class and those below; a lower TPR lets them in. */
static void the_task_priority_holds_interrupts_back(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	lapic_on();
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	STEP(bench_mov_to_cr(8, 5));
	STEP(bench_wrmsr(MSR_X2APIC_SELF_IPI, 0x51));
	EXPECT_NOTHING();
	assert_false(bench.entry.proc & PROC_INTERRUPT_WINDOW);
	STEP(bench_mov_to_cr(8, 4));
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 0x51), 0);
	finish();
}

/* A debug trap comes before an interrupt, and an entry that injects one would drop it. */
static void a_debug_trap_comes_before_an_interrupt(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	lapic_on();
	STEP(bench_wrmsr(MSR_X2APIC_SELF_IPI, 0x51));
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_TF);
	vcpu_request(bench.v, REQUEST_EVENT); /* as if the interrupt came at that moment */
	STEP(bench_exit_simple(EXIT_CPUID, 2));
	EXPECT_NOTHING();
	assert_int_equal(bench.entry.pending_debug, PENDING_DEBUG_BS);
	assert_true(bench.entry.proc & PROC_INTERRUPT_WINDOW);
	finish();
}

/* ---- NMIs ---- */

static void an_nmi_and_its_window(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	lapic_on();
	STEP(bench_wrmsr(MSR_X2APIC_ICR, ICR_NMI_TO_ALL));
	EXPECT_EVENT(INFO(EVENT_TYPE_NMI, 2), 0);
	assert_false(bench.entry.proc & PROC_NMI_WINDOW);
	/* Another one while the first is being handled. */
	assert_true(vmcs_get(VMCS_GUEST_INTERRUPTIBILITY) & BLOCKING_NMI);
	STEP(bench_wrmsr(MSR_X2APIC_ICR, ICR_NMI_TO_ALL));
	EXPECT_NOTHING();
	assert_true(bench.entry.proc & PROC_NMI_WINDOW);
	/* IRET. */
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, 0);
	STEP(bench_exit_simple(EXIT_NMI_WINDOW, 0));
	EXPECT_EVENT(INFO(EVENT_TYPE_NMI, 2), 0);
	assert_false(bench.entry.proc & PROC_NMI_WINDOW);
	finish();
}

static void an_nmi_waits_for_sti_and_mov_ss(void **state)
{
	static const uint64_t blocking[] = { BLOCKING_STI, BLOCKING_MOV_SS };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(blocking); i++) {
		at_mode("ept", BENCH_LONG64, 0);
		bench.v->signals |= SIGNAL_NMI;
		vcpu_request(bench.v, REQUEST_EVENT);
		vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
		vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, blocking[i]);
		STEP(bench_interrupt(0xf1));
		EXPECT_NOTHING();
		assert_true(bench.entry.proc & PROC_NMI_WINDOW);
		STEP(bench_exit_simple(EXIT_NMI_WINDOW, 0));
		EXPECT_EVENT(INFO(EVENT_TYPE_NMI, 2), 0);
		finish();
	}
}

static void an_nmi_comes_before_an_interrupt(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	lapic_on();
	STEP(bench_wrmsr(MSR_X2APIC_SELF_IPI, 0x51));
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	STEP(bench_wrmsr(MSR_X2APIC_ICR, ICR_NMI_TO_ALL));
	EXPECT_EVENT(INFO(EVENT_TYPE_NMI, 2), 0);
	assert_true(bench.entry.proc & PROC_INTERRUPT_WINDOW);
	finish();
}

/* An event that is delivered again comes before what waits. */
static void a_requeued_event_comes_first(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	lapic_on();
	STEP(bench_wrmsr(MSR_X2APIC_SELF_IPI, 0x51));
	bench.v->signals |= SIGNAL_NMI;
	vcpu_request(bench.v, REQUEST_EVENT);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	EXIT(.reason = EXIT_EXTERNAL_INTERRUPT, .info = INFO(EVENT_TYPE_EXTERNAL, 0xf1),
	     .vectoring = EXCEPTION_ERROR(VECTOR_GP));
	EXPECT_GP();
	assert_true(bench.entry.proc & PROC_NMI_WINDOW);
	assert_true(bench.entry.proc & PROC_INTERRUPT_WINDOW);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_fault_after_another_exception),
		cmocka_unit_test(a_fault_after_a_double_fault),
		cmocka_unit_test(a_fault_after_a_software_event),
		cmocka_unit_test(a_fault_after_an_interrupt),
		cmocka_unit_test(a_fault_after_an_nmi),
		cmocka_unit_test(faults_set_rf),
		cmocka_unit_test(no_error_code_in_real_mode),
		cmocka_unit_test(an_interrupt_waits_for_its_window),
		cmocka_unit_test(the_higher_class_comes_first),
		cmocka_unit_test(the_task_priority_holds_interrupts_back),
		cmocka_unit_test(a_debug_trap_comes_before_an_interrupt),
		cmocka_unit_test(an_nmi_and_its_window),
		cmocka_unit_test(an_nmi_waits_for_sti_and_mov_ss),
		cmocka_unit_test(an_nmi_comes_before_an_interrupt),
		cmocka_unit_test(a_requeued_event_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
