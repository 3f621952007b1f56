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

/* A CPU that steps by TF alone: what the instruction raises the emulator delivers. */
static void by_trap_flag(void **state)
{
	struct bench_exit x = { .reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION(VECTOR_UD) };

	(void)state;
	at_mode_on(BENCH_PENRYN, "shadow", BENCH_PAGED32, 0);
	machine.caps.steps = false;
	vmcs_put(VMCS_GUEST_IDTR_LIMIT, 0);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	bench.chains = true;
	STEP(bench_exit_simple(EXIT_TRIPLE_FAULT, 0));
	assert_false(bench.entry.proc & PROC_MONITOR_TRAP);
	assert_true(bench.entry.rflags & RFLAGS_TF);
	assert_int_equal(vmcs_get(VMCS_EXCEPTION_BITMAP), ~0u);
	STEP(bench_interrupt(0x30)); /* the host's */
	EXPECT_END(bench_exit(&x), "triple fault at rip");
	assert_true(said("log test0: exception #UD\n"));
	assert_true(said("log test0: exception #GP, error 0x33, in the delivery of #UD\n"));
	assert_true(said("log test0: exception #GP, error 0x6b, in the delivery of #GP\n"));
	assert_true(said("log test0: exception #GP, error 0x43, in the delivery of #DF\n"));
	assert_true(said(", rflags 0x202, cpl 0\n"));
	finish();
}

/* It has a handler now: that does not run. And no exception comes: the trap behind the instruction. */
static void by_trap_flag_nothing(void **state)
{
	const uint32_t gate[2] = { BENCH_CODE0 << 16 | 0x1234, 0x8e00 };
	struct bench_exit ud = { .reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION(VECTOR_UD) };
	struct bench_exit trap = { .reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION(VECTOR_DB),
				   .qualification = DR6_BS };

	(void)state;
	for (unsigned again = 0; again < 2; again++) {
		at_mode_on(BENCH_PENRYN, "shadow", BENCH_PAGED32, 0);
		machine.caps.steps = false;
		bench.chains = true;
		bench_poke(BENCH_DATA + 8 * VECTOR_UD, gate, sizeof(gate));
		vmcs_put(VMCS_GUEST_IDTR_BASE, BENCH_DATA);
		vmcs_put(VMCS_GUEST_IDTR_LIMIT, 0x7ff);
		vmcs_put(VMCS_GUEST_RSP, BENCH_STACK);
		STEP(bench_exit_simple(EXIT_TRIPLE_FAULT, 0));
		EXPECT_END(bench_exit(again ? &ud : &trap), "triple fault at rip");
		assert_int_equal(said("log test0: exception #UD\n"), again);
		assert_int_equal(said("no exception comes again"), !again);
		finish();
	}
}

static const struct bench_exit own_trap = { .reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION(VECTOR_DB),
					    .qualification = DR6_BS };

/* 32 bits, at BENCH_CODE + 1 with TF set: on a CPU that steps by TF alone, or one that has another way. */
static void stepping(bool steps)
{
	at_mode_on(steps ? BENCH_HASWELL : BENCH_PENRYN, steps ? "ept" : "shadow", BENCH_PAGED32, 0);
	machine.caps.steps = steps;
	bench.chains = true;
	vmcs_put(VMCS_GUEST_RSP, BENCH_STACK);
	vmcs_put(VMCS_GUEST_IDTR_LIMIT, 0);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_TF);
	vmcs_put(VMCS_GUEST_RIP, BENCH_CODE + 1);
}

/* Who has TF of its own, and no trap yet: the instruction raises it, or nothing is. */
static void steps_itself(void **state)
{
	struct bench_exit ud = { .reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION(VECTOR_UD) };

	(void)state;
	for (unsigned again = 0; again < 2; again++) {
		stepping(false);
		STEP(bench_exit_simple(EXIT_TRIPLE_FAULT, 0));
		EXPECT_END(bench_exit(again ? &ud : &own_trap), "triple fault at rip");
		assert_int_equal(said("log test0: exception #UD\n"), again);
		assert_int_equal(said("no exception comes again"), !again);
		assert_false(said("#DB"));
		finish();
	}
}

/* CH3. */
static void by_own_trap(void **state)
{
	(void)state;
	for (unsigned steps = 0; steps < 2; steps++) {
		stepping(steps);
		STEP(bench_exit(&own_trap));
		assert_int_equal(bench.entry.event, EXCEPTION(VECTOR_DB));
		EXPECT_END(bench_exit_simple(EXIT_TRIPLE_FAULT, 0), "triple fault at rip");
		assert_true(said("log test0: exception #DB\n"));
		assert_true(said("log test0: exception #GP, error 0xb, in the delivery of #DB\n"));
		assert_true(said("log test0: exception #GP, error 0x6b, in the delivery of #GP\n"));
		assert_true(said("log test0: exception #GP, error 0x43, in the delivery of #DF\n"));
		assert_true(said(", rflags 0x102, cpl 0\n"));
		finish();
	}
}

/* The trap has a handler, or was elsewhere: it is the instruction, and all that the trap's delivery changed is back. */
static void behind_own_trap(void **state)
{
	const uint32_t gate[2] = { BENCH_CODE0 << 16 | 0x1234, 0x8e00 };

	(void)state;
	for (unsigned steps = 0; steps < 2; steps++)
		for (unsigned elsewhere = 0; elsewhere < 2; elsewhere++) {
			struct bench_exit ud = { .reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION(VECTOR_UD) };

			stepping(steps);
			if (!elsewhere) {
				bench_poke(BENCH_DATA + 8 * VECTOR_DB, gate, sizeof(gate));
				vmcs_put(VMCS_GUEST_IDTR_BASE, BENCH_DATA);
				vmcs_put(VMCS_GUEST_IDTR_LIMIT, 8 * VECTOR_DB + 7);
			}
			STEP(bench_exit(&own_trap));
			if (elsewhere)
				vmcs_put(VMCS_GUEST_RIP, BENCH_CODE + 7);
			STEP(bench_exit_simple(EXIT_TRIPLE_FAULT, 0));
			assert_int_equal(bench.entry.rip, BENCH_CODE + (elsewhere ? 7 : 1));
			assert_int_equal(vmcs_get(VMCS_GUEST_RSP), BENCH_STACK);
			assert_true(bench.entry.rflags & RFLAGS_TF);
			assert_int_equal(bench.entry.event, 0);
			if (!steps) {
				EXPECT_END(bench_exit(&ud), "triple fault at rip");
			} else {
				STEP(bench_exit(&ud));
				EXPECT_END(bench_exit_simple(EXIT_MONITOR_TRAP_FLAG, 0), "triple fault at rip");
			}
			assert_true(said("log test0: exception #UD\n"));
			assert_false(said("#DB"));
			finish();
		}
}

#define REAL_CODE 0x8000u
#define REAL_HANDLER 0x9000u

/* Real mode that no CPU runs: what was raised is known. One that had a handler is not a part of it. */
static void by_emulator(void **state)
{
	static const uint8_t code[] = { 0x0f, 0x0b };                   /* ud2 */
	static const uint8_t handler[] = { 0x0f, 0x01, 0x1e, 0, 0x70,   /* lidt 0x7000 */
					   0xcd, 0x20 };                /* int $0x20 */
	const uint32_t vector = REAL_HANDLER, limit = 0x1f;

	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "shadow",
					  .description = "unrestricted off\n" });
	check_entry(__LINE__);
	assert_true(bench_mode(BENCH_PROT16, 0));
	vmcs_put(VMCS_GUEST_RSP, 0x7ff0);
	vmcs_put(VMCS_GUEST_IDTR_LIMIT, 0x3ff);
	for (unsigned n = SEG_ES; n <= SEG_GS; n++)
		vmcs_put(VMCS_GUEST_ES_SELECTOR + 2 * n, 0);
	bench_poke(4 * VECTOR_UD, &vector, 4);
	bench_poke(REAL_CODE, code, sizeof(code));
	bench_poke(REAL_HANDLER, handler, sizeof(handler));
	bench_poke(0x7000, &limit, 4);
	/* Of two that have found a handler in the end. */
	bench.v->chain.of[0].info = VECTOR_DE;
	bench.v->chain.count = 1;
	vmcs_put(VMCS_GUEST_RIP, REAL_CODE - 3);
	EXPECT_END(bench_mov_to_cr(0, CR0_NE | CR0_ET), "triple fault at rip");
	assert_false(said("exception #UD"));
	assert_false(said("exception #DE"));
	assert_true(said("log test0: exception #GP\n"));
	assert_true(said("log test0: exception #GP, in the delivery of #GP\n"));
	assert_true(said("log test0: exception #GP, in the delivery of #DF\n"));
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_nested), cmocka_unit_test(by_shadow), cmocka_unit_test(nothing_again),
		cmocka_unit_test(nothing_before), cmocka_unit_test(for_ever), cmocka_unit_test(by_trap_flag),
		cmocka_unit_test(by_trap_flag_nothing), cmocka_unit_test(steps_itself), cmocka_unit_test(by_own_trap),
		cmocka_unit_test(behind_own_trap), cmocka_unit_test(by_emulator),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
