/* The exit handlers of vm/exit/dispatch.c: instructions that are skipped, HLT, hypercalls, exits that nobody asked for,
 * and what was being delivered when the guest was left. The values are the manual's. */
#include "test/unit/vm/fixture.h"

#include "vm/vm.h"


static uint64_t rip_after_cpuid(enum bench_mode mode, uint64_t rip)
{
	uint64_t after;

	at_mode("ept", mode, 0);
	vmcs_put(VMCS_GUEST_RIP, rip);
	STEP(bench_exit_simple(EXIT_CPUID, 2));
	EXPECT_NOTHING();
	after = bench.entry.rip;
	finish();
	return after;
}

/* SDM, "Checks on Guest RIP, RFLAGS, and SSP": 32 bits outside 64-bit code. */
static void rip_wraps_outside_64bit_code(void **state)
{
	static const enum bench_mode modes[] = { BENCH_PROT16, BENCH_PROT32, BENCH_PAGED32, BENCH_PAE, BENCH_COMPAT };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
		assert_int_equal(rip_after_cpuid(modes[i], 0xfffffffe), 0);
		assert_int_equal(rip_after_cpuid(modes[i], 0xffffffff), 1);
		assert_int_equal(rip_after_cpuid(modes[i], 0xfffffffd), 0xffffffff);
	}
	/* The limit of the code segment is for the guest's next fetch to find. */
	assert_int_equal(rip_after_cpuid(BENCH_PROT16, 0xfffe), 0x10000);
	assert_int_equal(rip_after_cpuid(BENCH_REAL, 0xfffe), 0x10000);
}

static void rip_has_64_bits_in_64bit_code(void **state)
{
	(void)state;
	assert_int_equal(rip_after_cpuid(BENCH_LONG64, 0xfffffffe), 0x100000000);
	assert_int_equal(rip_after_cpuid(BENCH_LONG64, 0xfffffffffffffffe), 0);
	/* No more canonical, but the entry allows it: the fetch faults. */
	assert_int_equal(rip_after_cpuid(BENCH_LONG64, 0x7ffffffffffe), 0x800000000000);
}

/* A skipped instruction ends blocking by STI and MOV SS, as an executed one does. */
static void skip_ends_blocking(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI);
	STEP(bench_exit_simple(EXIT_CPUID, 2));
	assert_int_equal(bench.entry.interruptibility, 0);
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_MOV_SS | BLOCKING_NMI);
	STEP(bench_exit_simple(EXIT_CPUID, 2));
	assert_int_equal(bench.entry.interruptibility, BLOCKING_NMI);
	finish();
}

/* SDM, "Single-Step Exception Condition": the trap comes after the instruction. */
static void skip_under_single_step(void **state)
{
	static const uint64_t blocking[] = { 0, BLOCKING_STI, BLOCKING_MOV_SS };

	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(blocking); i++) {
		vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_TF);
		vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, blocking[i]);
		vmcs_put(VMCS_GUEST_PENDING_DEBUG, blocking[i] ? PENDING_DEBUG_BS : 0);
		STEP(bench_exit_simple(EXIT_CPUID, 2));
		assert_int_equal(bench.entry.pending_debug, PENDING_DEBUG_BS);
		assert_int_equal(bench.entry.interruptibility, 0);
	}
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	STEP(bench_exit_simple(EXIT_CPUID, 2));
	assert_int_equal(bench.entry.pending_debug, 0);
	finish();
}

/* The guest is left before the instruction for which MOV SS holds the trap back: the CPU has saved it (SDM, "Saving
 * Non-Register State"), and an entry needs it ("Checks on Guest Non-Register State"). */
static void a_trap_that_mov_ss_holds_back(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_TF);
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_MOV_SS);
	vmcs_put(VMCS_GUEST_PENDING_DEBUG, PENDING_DEBUG_BS);
	EXIT(.reason = EXIT_EPT_VIOLATION, .qualification = READ_KNOWN, .gpa = BENCH_DATA, .gva = BENCH_DATA);
	assert_int_equal(bench.entry.rip, BENCH_CODE);
	assert_int_equal(bench.entry.interruptibility, BLOCKING_MOV_SS);
	assert_int_equal(bench.entry.pending_debug, PENDING_DEBUG_BS);
	finish();
}

/* ---- HLT ---- */

static void hlt_sleeps_until_an_interrupt(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	lapic_on();
	/* In 10,000 ticks. */
	STEP(bench_wrmsr(MSR_X2APIC_LVT_TIMER, LVT_TIMER_DEADLINE | DEADLINE_VECTOR));
	STEP(bench_wrmsr(MSR_TSC_DEADLINE, vmcs_get(VMCS_TSC_OFFSET) + soft.tsc + 10000));
	vmcs_put(VMCS_GUEST_RIP, BENCH_CODE);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI);
	assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
	STEP(bench_timer());
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 0x31), 0);
	assert_int_equal(bench.entry.rip, BENCH_CODE + 1);
	assert_int_equal(bench.entry.interruptibility, 0);
	assert_int_equal(bench.entry.activity, 0);
	/* It is awake for good, whatever else there is to look at. */
	vcpu_request(bench.v, REQUEST_EVENT);
	STEP(bench_exit_simple(EXIT_CPUID, 2));
	finish();
}

static void hlt_for_good(void **state)
{
	(void)state;
	/* An interrupt does not wake what has them disabled. */
	at_mode("ept", BENCH_LONG64, 0);
	lapic_on();
	STEP(bench_wrmsr(MSR_X2APIC_SELF_IPI, 0x41));
	EXPECT_END(bench_exit_simple(EXIT_HLT, 1), "halted for good");
	bench_delete();
	at_mode("ept", BENCH_LONG64, 0);
	EXPECT_END(bench_exit_simple(EXIT_HLT, 1), "halted for good");
	assert_int_equal(bench.vm[0]->status, VM_STATUS_STOPPED);
	bench_delete();
}

/* The trap wakes the CPU: it is delivered after the HLT. */
static void hlt_under_single_step(void **state)
{
	(void)state;
	for (unsigned interrupts = 0; interrupts < 2; interrupts++) {
		at_mode("ept", BENCH_LONG64, 0);
		vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_TF | (interrupts ? RFLAGS_IF : 0));
		STEP(bench_exit_simple(EXIT_HLT, 1));
		EXPECT_NOTHING();
		assert_int_equal(bench.entry.pending_debug, PENDING_DEBUG_BS);
		assert_int_equal(bench.entry.activity, 0);
		assert_int_equal(bench.entry.rip, BENCH_CODE + 1);
		finish();
	}
}

/* ---- instructions ---- */

static void vmcall(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	STEP(bench_exit_simple(EXIT_VMCALL, 3));
	EXPECT_NOTHING();
	assert_int_equal(*bench_gpr(GPR_RAX), ~0ull);
	assert_int_equal(bench.entry.rip, BENCH_CODE + 3);
	finish();
	at_mode("ept", BENCH_LONG64, 3);
	*bench_gpr(GPR_RAX) = 7;
	STEP(bench_exit_simple(EXIT_VMCALL, 3));
	EXPECT_UD();
	assert_int_equal(*bench_gpr(GPR_RAX), 7);
	assert_int_equal(bench.entry.rip, BENCH_CODE);
	finish();
}

static void instructions_that_do_not_exist(void **state)
{
	static const uint32_t reasons[] = { EXIT_GETSEC, EXIT_VMCLEAR,	EXIT_VMLAUNCH, EXIT_VMPTRLD, EXIT_VMPTRST,
					    EXIT_VMREAD, EXIT_VMRESUME, EXIT_VMWRITE,  EXIT_VMXOFF,  EXIT_VMXON,
					    EXIT_INVEPT, EXIT_INVVPID,	EXIT_VMFUNC,   EXIT_MONITOR, EXIT_MWAIT };

	(void)state;
	at_mode("ept", BENCH_LONG64, 3);
	for (unsigned i = 0; i < ARRAY_SIZE(reasons); i++) {
		STEP(bench_exit_simple(reasons[i], 3));
		EXPECT_UD();
		assert_int_equal(bench.entry.rip, BENCH_CODE);
		assert_int_equal(bench.entry.rflags >> 16 & 1, 1); /* RF: it is a fault */
	}
	STEP(bench_exit_simple(EXIT_RDPMC, 2));
	EXPECT_GP();
	assert_int_equal(bench.entry.rip, BENCH_CODE);
	finish();
}

static void instructions_without_effect(void **state)
{
	static const uint32_t reasons[] = { EXIT_INVD, EXIT_WBINVD };

	(void)state;
	at_mode("ept", BENCH_PAE, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(reasons); i++) {
		vmcs_put(VMCS_GUEST_RIP, BENCH_CODE);
		STEP(bench_exit_simple(reasons[i], 2));
		EXPECT_NOTHING();
		assert_int_equal(bench.entry.rip, BENCH_CODE + 2);
	}
	finish();
}

/* ---- exits that end the virtual machine ---- */

static void ends(uint32_t reason, const char *text, int status)
{
	start();
	EXPECT_END(bench_exit_simple(reason, 1), text);
	assert_int_equal(bench.vm[0]->status, status);
	bench_delete();
}

static void exits_that_end_it(void **state)
{
	(void)state;
	ends(EXIT_TRIPLE_FAULT, "triple fault", VM_STATUS_TRIPLE_FAULT);
	ends(EXIT_INVALID_GUEST_STATE | (uint32_t)EXIT_REASON_ENTRY_FAILED, "refused the guest's state",
	     VM_STATUS_STOPPED);
	ends(EXIT_MSR_LOADING | (uint32_t)EXIT_REASON_ENTRY_FAILED, "refused the guest's state", VM_STATUS_STOPPED);
	/* Of CPUs newer than the table, whose controls are off. */
	ends(66, "reason 66", VM_STATUS_STOPPED);
	ends(77, "reason 77", VM_STATUS_STOPPED);
	ends(0xffff, "reason 65535", VM_STATUS_STOPPED);
	/* Gaps of the table. */
	ends(5, "reason 5", VM_STATUS_STOPPED);
	ends(38, "reason 38", VM_STATUS_STOPPED);
	ends(EXIT_APIC_ACCESS, "reason 44", VM_STATUS_STOPPED);
}

/* ---- exits while an event is delivered ---- */

static void requeued(uint32_t vectoring, uint32_t error, uint32_t length, uint64_t blocking_before,
		     uint64_t blocking_after)
{
	bool rf = (vectoring & EVENT_TYPE) == EVENT_TYPE_HARDWARE_EXCEPTION && (vectoring & EVENT_VECTOR) != 1;

	at_mode("ept", BENCH_LONG64, 0);
	/* As the fault leaves it that the delivery ended in. */
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_RF);
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, blocking_before);
	/* Bit 12 of the vectoring information is undefined. */
	EXIT(.reason = EXIT_EXTERNAL_INTERRUPT, .info = INFO(EVENT_TYPE_EXTERNAL, 0xf1),
	     .vectoring = vectoring | (uint32_t)BIT(12), .vectoring_error = error, .length = length);
	EXPECT_EVENT(vectoring, error);
	if (length)
		assert_int_equal(bench.entry.length, length);
	assert_int_equal(bench.entry.interruptibility, blocking_after);
	/* The flags that a fault pushes have RF, those of a debug exception and of anything else have not. */
	assert_int_equal(!!(vmcs_get(VMCS_GUEST_RFLAGS) & RFLAGS_RF), rf);
	/* Once. */
	EXIT(.reason = EXIT_EXTERNAL_INTERRUPT, .info = INFO(EVENT_TYPE_EXTERNAL, 0xf1));
	EXPECT_NOTHING();
	finish();
}

static void events_are_delivered_again(void **state)
{
	(void)state;
	requeued(INFO(EVENT_TYPE_EXTERNAL, 0x41), 0, 0, 0, 0);
	requeued(INFO(EVENT_TYPE_NMI, 2), 0, 0, BLOCKING_NMI, 0);
	requeued(EXCEPTION_ERROR(VECTOR_GP), 0x18, 0, 0, 0);
	requeued(EXCEPTION(VECTOR_UD), 0, 0, BLOCKING_NMI, BLOCKING_NMI);
	requeued(EXCEPTION(VECTOR_DB), 0, 0, 0, 0);
	requeued(INFO(EVENT_TYPE_SOFTWARE_INTERRUPT, 0x80), 0, 2, 0, 0);
	requeued(INFO(EVENT_TYPE_SOFTWARE_EXCEPTION, 3), 0, 1, 0, 0);
	requeued(INFO(EVENT_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION, 1), 0, 1, 0, 0);
}

/* The host's own interrupts and NMIs cost the guest nothing. */
static void host_interrupts(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 3);
	STEP(bench_interrupt(0xf1));
	EXPECT_NOTHING();
	EXIT(.reason = EXIT_EXCEPTION_OR_NMI, .info = INFO(EVENT_TYPE_NMI, 2));
	EXPECT_NOTHING();
	assert_int_equal(bench.entry.rip, BENCH_CODE);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rip_wraps_outside_64bit_code),
		cmocka_unit_test(rip_has_64_bits_in_64bit_code),
		cmocka_unit_test(skip_ends_blocking),
		cmocka_unit_test(skip_under_single_step),
		cmocka_unit_test(a_trap_that_mov_ss_holds_back),
		cmocka_unit_test(hlt_sleeps_until_an_interrupt),
		cmocka_unit_test(hlt_for_good),
		cmocka_unit_test(hlt_under_single_step),
		cmocka_unit_test(vmcall),
		cmocka_unit_test(instructions_that_do_not_exist),
		cmocka_unit_test(instructions_without_effect),
		cmocka_unit_test(exits_that_end_it),
		cmocka_unit_test(events_are_delivered_again),
		cmocka_unit_test(host_interrupts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
