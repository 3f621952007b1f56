/* Which exceptions a triple fault is made of (vm/exit/chain.c). */
#include "test/unit/vm/fixture.h"

#define ICR_NMI_TO_ALL 0x84400ull

/* The guest is about to do the instruction again, and nothing else. */
static void triple(void)
{
	bench.chains = true;
	vmcs_put(VMCS_GUEST_RFLAGS, vmcs_get(VMCS_GUEST_RFLAGS) | RFLAGS_IF);
	STEP(bench_exit_simple(EXIT_TRIPLE_FAULT, 0));
	assert_true(bench.entry.proc & PROC_MONITOR_TRAP);
	assert_int_equal(vmcs_get(VMCS_EXCEPTION_BITMAP), ~0u);
	assert_int_equal(vmcs_get(VMCS_PF_ERROR_MASK) | vmcs_get(VMCS_PF_ERROR_MATCH), 0);
	assert_int_equal(bench.entry.event, 0);
}

/* #UD without an IDT, as the CPU delivers it. */
static void by_nested(void **state)
{
	struct bench_exit last;

	(void)state;
	start_as(BENCH_HASWELL, "ept");
	triple();
	EXIT(.reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION(VECTOR_UD));
	assert_int_equal(bench.entry.event, EXCEPTION(VECTOR_UD));
	EXIT(.reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION_ERROR(VECTOR_GP), .error = 0x33,
	     .vectoring = EXCEPTION(VECTOR_UD));
	assert_int_equal(bench.entry.event, EXCEPTION_ERROR(VECTOR_GP));
	assert_int_equal(bench.entry.error, 0x33);
	EXIT(.reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION_ERROR(VECTOR_PF), .error = 2,
	     .qualification = 0xdead000, .vectoring = EXCEPTION_ERROR(VECTOR_GP), .vectoring_error = 0x33);
	assert_int_equal(bench.entry.event, EXCEPTION_ERROR(VECTOR_PF));
	EXIT(.reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION_ERROR(VECTOR_NP), .error = 0x10,
	     .vectoring = EXCEPTION_ERROR(VECTOR_PF), .vectoring_error = 2);
	assert_int_equal(bench.entry.event, EXCEPTION_ERROR(VECTOR_DF));
	last = (struct bench_exit){ .reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION_ERROR(VECTOR_TS), .error = 0x28,
				    .vectoring = EXCEPTION_ERROR(VECTOR_DF) };
	EXPECT_END(bench_exit(&last), "triple fault at rip");
	assert_true(said("log test0: exception #UD\n"));
	assert_true(said("log test0: exception #GP, error 0x33, in the delivery of #UD\n"));
	assert_true(said("log test0: exception #PF, error 0x2, address 0xdead000, in the delivery of #GP\n"));
	assert_true(said("log test0: exception #NP, error 0x10, in the delivery of #PF\n"));
	assert_true(said("log test0: exception #TS, error 0x28, in the delivery of #DF\n"));
	finish();
}

/* What the guest's tables say goes by the heart; INT3 as it came. */
static void by_shadow(void **state)
{
	(void)state;
	at_mode("shadow", BENCH_PAGED32, 0);
	triple();
	EXIT(.reason = EXIT_EXCEPTION_OR_NMI, .info = INFO(EVENT_TYPE_SOFTWARE_EXCEPTION, VECTOR_BP), .length = 1);
	assert_int_equal(bench.entry.event, INFO(EVENT_TYPE_SOFTWARE_EXCEPTION, VECTOR_BP));
	assert_int_equal(bench.entry.length, 1);
	EXIT(.reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION_ERROR(VECTOR_PF), .error = PFERR_W,
	     .qualification = 0x40000000, .vectoring = INFO(EVENT_TYPE_SOFTWARE_EXCEPTION, VECTOR_BP), .length = 1);
	assert_int_equal(bench.entry.event, EXCEPTION_ERROR(VECTOR_PF));
	EXPECT_END(bench_exit_simple(EXIT_MONITOR_TRAP_FLAG, 0), "triple fault at rip");
	assert_true(said("log test0: exception #BP\n"));
	assert_true(said("log test0: exception #PF, error 0x2, address 0x40000000, in the delivery of #BP\n"));
	finish();
}

/* It was the delivery of an interrupt: nothing of the instruction is carried out, whatever it is. */
static void nothing_again(void **state)
{
	static const uint32_t reasons[] = { EXIT_MONITOR_TRAP_FLAG, EXIT_CPUID, EXIT_VMCALL, EXIT_TRIPLE_FAULT };

	(void)state;
	for (size_t n = 0; n < sizeof(reasons) / sizeof(reasons[0]); n++) {
		start();
		*bench_gpr(GPR_RAX) = 0x123;
		triple();
		STEP(bench_interrupt(0x30)); /* the host's */
		EXPECT_END(bench_exit_simple(reasons[n], 2), "triple fault at rip");
		assert_int_equal(*bench_gpr(GPR_RAX), 0x123);
		assert_true(said("log test0: no exception comes again: it was in the delivery of an interrupt\n"));
		finish();
	}
}

/* An interrupt and an NMI that wait do not come in front of it; the registers that are told are those before. */
static void nothing_before(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	lapic_on();
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
	STEP(bench_wrmsr(MSR_X2APIC_ICR, ICR_NMI_TO_ALL));
	STEP(bench_wrmsr(MSR_X2APIC_SELF_IPI, 0x40));
	EXPECT_NOTHING();
	bench.chains = true;
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, 0);
	STEP(bench_exit_simple(EXIT_TRIPLE_FAULT, 0));
	assert_int_equal(bench.entry.event, 0);
	assert_false(bench.entry.rflags & RFLAGS_IF);
	assert_true(bench.entry.interruptibility & BLOCKING_NMI);
	EXPECT_END(bench_exit_simple(EXIT_MONITOR_TRAP_FLAG, 0), "triple fault");
	assert_true(said(", rflags 0x202, cpl 0\n"));
	finish();
}

/* The same exception for ever. */
static void for_ever(void **state)
{
	unsigned n = 0;

	(void)state;
	start();
	triple();
	while (n < 1000 && bench_interrupt(0x30) == BENCH_ENTRY)
		n++;
	assert_in_range(n, 50, 200);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_nested), cmocka_unit_test(by_shadow), cmocka_unit_test(nothing_again),
		cmocka_unit_test(nothing_before), cmocka_unit_test(for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
