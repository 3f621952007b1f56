/* Exceptions that exit although they are the guest's own: #DB, #AC, #MC (vm/exit/exception.c). They arrive as without
 * it. */
#include "test/unit/vm/fixture.h"


static void exception(uint32_t info, uint32_t error, uint64_t qualification, uint32_t length)
{
	EXIT(.reason = EXIT_EXCEPTION_OR_NMI, .info = info, .error = error, .qualification = qualification,
	     .length = length);
}

static void they_are_intercepted(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		start_as(BENCH_HASWELL, mechanisms[m]);
		assert_int_equal(vmcs_get(VMCS_EXCEPTION_BITMAP) & (BIT(VECTOR_DB) | BIT(VECTOR_AC) | BIT(VECTOR_MC)),
				 BIT(VECTOR_DB) | BIT(VECTOR_AC) | BIT(VECTOR_MC));
		/* Their error codes have no mask; those of page faults do where the mechanism wants a part of them. */
		finish();
	}
}

static void a_breakpoint(void **state)
{
	(void)state;
	at_mode("", BENCH_LONG64, 0);
	write_dr6(0xffff0ff0 | 8);
	exception(EXCEPTION(VECTOR_DB), 0, 1, 0);
	EXPECT_EVENT(EXCEPTION(VECTOR_DB), 0);
	assert_int_equal(read_dr6(), 0xffff0ff1);
	assert_int_equal(bench.entry.rip, BENCH_CODE);
	/* A trap of the single step keeps what the guest has not cleared but for the breakpoints. */
	exception(EXCEPTION(VECTOR_DB), 0, PENDING_DEBUG_BS, 0);
	assert_int_equal(read_dr6(), 0xffff4ff0);
	finish();
}

static void a_debug_register_that_is_protected(void **state)
{
	(void)state;
	at_mode("", BENCH_LONG64, 0);
	vmcs_put(VMCS_GUEST_DR7, 0x400 | DR7_GD | 3);
	exception(EXCEPTION(VECTOR_DB), 0, DR6_BD, 0);
	EXPECT_EVENT(EXCEPTION(VECTOR_DB), 0);
	assert_true(read_dr6() & DR6_BD);
	assert_int_equal(vmcs_get(VMCS_GUEST_DR7), 0x403);
	finish();
}

/* The handler of any debug exception may reach the debug registers. */
static void a_breakpoint_while_they_are_protected(void **state)
{
	(void)state;
	at_mode("", BENCH_LONG64, 0);
	vmcs_put(VMCS_GUEST_DR7, 0x400 | DR7_GD | 3);
	exception(EXCEPTION(VECTOR_DB), 0, 1, 0);
	EXPECT_EVENT(EXCEPTION(VECTOR_DB), 0);
	assert_int_equal(vmcs_get(VMCS_GUEST_DR7), 0x403);
	finish();
}

/* INT1 pushes the address behind it, and leaves DR6 alone. */
static void int1(void **state)
{
	(void)state;
	at_mode("", BENCH_LONG64, 0);
	exception(INFO(EVENT_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION, 1), 0, 0, 1);
	EXPECT_EVENT(INFO(EVENT_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION, 1), 0);
	assert_int_equal(bench.entry.length, 1);
	assert_int_equal(read_dr6(), 0xffff0ff0);
	finish();
}

/* STI under single-step: its trap exits while STI still blocks. */
static void a_trap_while_sti_or_mov_ss_blocks(void **state)
{
	static const uint64_t blocking[] = { BLOCKING_STI, BLOCKING_MOV_SS };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(blocking); i++) {
		at_mode("", BENCH_LONG64, 0);
		vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_TF);
		vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, blocking[i]);
		exception(EXCEPTION(VECTOR_DB), 0, PENDING_DEBUG_BS, 0);
		EXPECT_EVENT(EXCEPTION(VECTOR_DB), 0);
		finish();
	}
}

static void an_alignment_check(void **state)
{
	(void)state;
	at_mode("", BENCH_LONG64, 0);
	exception(EXCEPTION_ERROR(VECTOR_AC), 0, 0, 0);
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_AC), 0);
	assert_true(bench.entry.rflags & RFLAGS_RF);
	/* On the way to another exception: benign, so that it comes instead. */
	EXIT(.reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION_ERROR(VECTOR_AC),
	     .vectoring = EXCEPTION_ERROR(VECTOR_GP),
	     .vectoring_error = 8);
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_AC), 0);
	/* On the way to an interrupt, which is lost, and to an NMI, which blocks the next. */
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	EXIT(.reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION_ERROR(VECTOR_AC),
	     .vectoring = INFO(EVENT_TYPE_EXTERNAL, 0x77));
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_AC), 0);
	assert_false(bench.entry.proc & PROC_INTERRUPT_WINDOW);
	EXIT(.reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION_ERROR(VECTOR_AC), .vectoring = INFO(EVENT_TYPE_NMI, 2));
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_AC), 0);
	assert_int_equal(bench.entry.interruptibility, BLOCKING_NMI);
	finish();
	/* In the shadow of a MOV SS, under single-step, from an emulator that has not saved the trap. */
	at_mode("", BENCH_LONG64, 0);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_TF);
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_MOV_SS);
	exception(EXCEPTION_ERROR(VECTOR_AC), 0, 0, 0);
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_AC), 0);
	assert_int_equal(bench.entry.pending_debug, DR6_BS);
	finish();
}

static void a_machine_check(void **state)
{
	(void)state;
	at_mode("", BENCH_LONG64, 0);
	EXIT(.reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION(VECTOR_MC), .vectoring = EXCEPTION_ERROR(VECTOR_PF),
	     .vectoring_error = 2);
	/* The guest's own event is delivered; of the machine check it is told nothing. */
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_PF), 2);
	STEP(bench_exit_simple(EXIT_MACHINE_CHECK | (uint32_t)EXIT_REASON_ENTRY_FAILED, 0));
	EXPECT_NOTHING();
	bench.machine_check_fatal = true;
	EXPECT_END(bench_exit(&(struct bench_exit){ .reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION(VECTOR_MC) }),
		   "machine check");
	bench_delete();
	start();
	bench.machine_check_fatal = true;
	EXPECT_END(bench_exit_simple(EXIT_MACHINE_CHECK | (uint32_t)EXIT_REASON_ENTRY_FAILED, 0), "machine check");
	bench_delete();
}

static void what_nobody_asked_for(void **state)
{
	(void)state;
	start();
	EXPECT_END(bench_exit(&(struct bench_exit){ .reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION(VECTOR_UD) }),
		   "exception 6 exited");
	bench_delete();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_intercepted),
		cmocka_unit_test(a_breakpoint),
		cmocka_unit_test(a_debug_register_that_is_protected),
		cmocka_unit_test(a_breakpoint_while_they_are_protected),
		cmocka_unit_test(int1),
		cmocka_unit_test(a_trap_while_sti_or_mov_ss_blocks),
		cmocka_unit_test(an_alignment_check),
		cmocka_unit_test(a_machine_check),
		cmocka_unit_test(what_nobody_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
