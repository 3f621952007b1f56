/* A debugger of a guest (vm/debug/debug.c, vm/debug/debug_registers.c, vm/control/debug.c): it stops between two
 * instructions, what it is given of the CPU is the debugger's and the rest stays the guest's, and nothing is left when
 * the debugger goes. */
#include "test/unit/vm/fixture.h"

#include <stdio.h>

static unsigned serial;

/* The request's answer says so; where the guest stands still nobody enters. */
static bool asked(const char *request, const char *expected)
{
	char line[220], done[60];

	snprintf(line, sizeof(line), "t%u debug 0 %s\n", ++serial, request);
	ask(line);
	check_entry(__LINE__);
	snprintf(done, sizeof(done), "done t%u %s", serial, expected);
	return said(done);
}
/* So does the JSON that answers it. */
static bool tells(const char *request, const char *expected)
{
	char tag[20];

	assert_true(asked(request, "ok\n"));
	snprintf(tag, sizeof(tag), "t%u", serial);
	return answered(tag, expected);
}
#define OK(request) assert_true(asked(request, "ok\n"))
#define REFUSED(request) assert_true(asked(request, "error "))

static struct vcpu *v0(void) { return bench.vm[0]->vcpu[0]; }

static void attach_as(const char *mmu, enum bench_mode mode)
{
	at_mode(mmu, mode, 0);
	OK("attach");
	assert_int_equal(bench.at, BENCH_IDLE);
}
static void attach(void) { attach_as("ept", BENCH_LONG64); }

static void exception_exit(unsigned vector, uint64_t qualification, uint32_t type)
{
	bench_exit(&(struct bench_exit){ .reason = EXIT_EXCEPTION_OR_NMI, .info = (uint32_t)EVENT_VALID | type | vector,
					 .qualification = qualification, .length = 1 });
	check_entry(__LINE__);
}
static void debug_exit(uint64_t causes) { exception_exit(VECTOR_DB, causes, EVENT_TYPE_HARDWARE_EXCEPTION); }
static void int3_exit(void) { exception_exit(VECTOR_BP, 0, EVENT_TYPE_SOFTWARE_EXCEPTION); }

static uint8_t byte_at(uint64_t gpa)
{
	uint8_t byte;

	bench_peek(gpa, &byte, 1);
	return byte;
}

static void who_may_ask(void **state)
{
	(void)state;
	start();
	REFUSED("registers");
	REFUSED("pause");
	OK("status");
	OK("attach");
	OK("registers");
	REFUSED("nonsense");
	REFUSED("registers 1");
	REFUSED("insert soft 1");
	REFUSED("insert soft x 1");
	REFUSED("set rax");
	REFUSED("set rax 0");
	REFUSED("set rax 0x");
	OK("continue");
	assert_int_equal(bench.at, BENCH_ENTRY);
	REFUSED("registers");
	REFUSED("continue");
	OK("pause");
	assert_int_equal(bench.at, BENCH_IDLE);
	OK("detach");
	assert_int_equal(bench.at, BENCH_ENTRY);
	finish();
}

static void software_breakpoints(void **state)
{
	uint8_t code[2] = { 0x90, 0x91 };
	char request[60];

	(void)state;
	attach();
	bench_poke(BENCH_CODE, code, 2);
	snprintf(request, sizeof(request), "insert soft 0x%x 1", BENCH_CODE);
	OK(request);
	assert_int_equal(byte_at(BENCH_CODE), 0xcc);
	ask("m dump 0 gpa 0x180000 2\n");
	assert_true(said("\"bytes\":\"9091\""));
	OK("write 0x180000 92");
	assert_int_equal(byte_at(BENCH_CODE), 0xcc);
	OK("continue");
	int3_exit();
	assert_int_equal(bench.at, BENCH_IDLE);
	assert_int_equal(v0()->debug.stop, DEBUG_SOFT);
	OK("set rip 0100180000000000");
	OK("continue");
	int3_exit();                            /* it is gone meanwhile */
	assert_int_equal(bench.at, BENCH_ENTRY);
	assert_int_equal(bench.entry.event, 0);
	code[0] = 0xcc;
	bench_poke(BENCH_CODE + 1, code, 1);
	int3_exit();                            /* the guest's own */
	EXPECT_EVENT(INFO(EVENT_TYPE_SOFTWARE_EXCEPTION, VECTOR_BP), 0);
	OK("pause");
	OK("detach");
	assert_int_equal(byte_at(BENCH_CODE), 0x92);
	assert_false(vmcs_get(VMCS_EXCEPTION_BITMAP) & BIT(VECTOR_BP));
	finish();
}

/* What the guest has written there meanwhile stays. */
static void overwritten(void **state)
{
	uint8_t byte = 0x55;

	(void)state;
	attach();
	OK("insert soft 0x180000 1");
	bench_poke(BENCH_CODE, &byte, 1);
	OK("remove soft 0x180000 1");
	assert_int_equal(byte_at(BENCH_CODE), 0x55);
	REFUSED("remove soft 0x180000 1");
	REFUSED("insert soft 0xfee00000 1");
	finish();
}

#define MOV_DR_EXITS (vmcs_get(VMCS_PROC_CONTROLS) & BIT(23))

static void hardware_breakpoints(void **state)
{
	(void)state;
	attach();
	REFUSED("insert watch 0x1001 2");
	REFUSED("insert watch 0x1000 3");
	v0()->saved_dr[3] = 0x3333;
	vmcs_put(VMCS_GUEST_DR7, DR7_RESET | 2); /* the guest has breakpoint 0 */
	OK("insert watch 0x1000 4");
	OK("continue");
	assert_int_equal(bench.at, BENCH_ENTRY);
	assert_true(MOV_DR_EXITS);
	assert_int_equal(vmcs_get(VMCS_GUEST_DR7), DR7_RESET | 2 | 2 << 6 | 0xdull << 28);
	assert_int_equal(resident_breakpoint(3), 0x1000);
	assert_int_equal(debug_dr(v0(), 3), 0x3333);
	assert_int_equal(debug_dr7(v0()), DR7_RESET | 2);
	debug_set_dr(v0(), 3, 0x4444);
	debug_set_dr(v0(), 1, 0x1111);
	assert_int_equal(resident_breakpoint(1), 0x1111);
	assert_int_equal(debug_dr(v0(), 1), 0x1111);
	assert_int_equal(resident_breakpoint(3), 0x1000);
	debug_exit(1);                          /* the guest's */
	EXPECT_EVENT(EXCEPTION(VECTOR_DB), 0);
	debug_exit(8);
	assert_int_equal(bench.at, BENCH_IDLE);
	assert_int_equal(v0()->debug.stop, DEBUG_WATCH);
	assert_int_equal(v0()->debug.address, 0x1000);
	assert_false(v0()->event.info & EVENT_VALID);
	OK("continue");
	debug_exit(9);                          /* both */
	assert_int_equal(v0()->event.info, EXCEPTION(VECTOR_DB));
	OK("detach");
	assert_int_equal(bench.at, BENCH_ENTRY);
	assert_int_equal(resident_breakpoint(3), 0x4444);
	assert_int_equal(vmcs_get(VMCS_GUEST_DR7), DR7_RESET | 2);
	assert_false(MOV_DR_EXITS);
	finish();
}

/* The guest's breakpoints come first. */
static void all_taken(void **state)
{
	(void)state;
	attach();
	vmcs_put(VMCS_GUEST_DR7, DR7_RESET | 0xaa);
	OK("insert watch 0x1000 1");
	OK("continue");
	assert_int_equal(vmcs_get(VMCS_GUEST_DR7), DR7_RESET | 0xaa);
	debug_set_dr7(v0(), DR7_RESET | 0x2a);
	assert_int_equal(vmcs_get(VMCS_GUEST_DR7), DR7_RESET | 0xaa | 1 << 28);
	assert_int_equal(debug_dr7(v0()), DR7_RESET | 0x2a);
	finish();
}

static void a_step(void **state)
{
	(void)state;
	attach();
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	machine.caps.steps = true;
	OK("step");
	assert_int_equal(bench.at, BENCH_ENTRY);
	assert_true(vmcs_get(VMCS_PROC_CONTROLS) & PROC_MONITOR_TRAP);
	assert_true(bench.entry.interruptibility & BLOCKING_STI);
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, 0);
	bench_exit(&(struct bench_exit){ .reason = EXIT_MONITOR_TRAP_FLAG });
	assert_int_equal(bench.at, BENCH_IDLE);
	assert_int_equal(v0()->debug.stop, DEBUG_STEPPED);
	OK("step");
	bench_exit_simple(EXIT_CPUID, 2);       /* done by the hypervisor: no trap of the CPU's */
	assert_int_equal(bench.at, BENCH_IDLE);
	assert_int_equal(v0()->debug.stop, DEBUG_STEPPED);
	OK("continue");
	assert_false(vmcs_get(VMCS_PROC_CONTROLS) & PROC_MONITOR_TRAP);
	finish();
}

/* Without a monitor trap: by the guest's TF, which is as before afterwards. */
static void a_step_by_flag(void **state)
{
	(void)state;
	attach();
	machine.caps.steps = false;
	OK("step");
	assert_true(vmcs_get(VMCS_GUEST_RFLAGS) & RFLAGS_TF);
	debug_exit(PENDING_DEBUG_BS);
	assert_int_equal(bench.at, BENCH_IDLE);
	assert_int_equal(v0()->debug.stop, DEBUG_STEPPED);
	assert_false(vmcs_get(VMCS_GUEST_RFLAGS) & RFLAGS_TF);
	OK("continue");
	debug_exit(PENDING_DEBUG_BS);
	EXPECT_EVENT(EXCEPTION(VECTOR_DB), 0);
	finish();
}

/* A triple fault is looked at as without a debugger (CH4 in vm/exit/chain.c), whose step ends there, and whose
 * breakpoints are not in the way. */
static void a_triple_fault(void **state)
{
	(void)state;
	for (unsigned steps = 0; steps < 2; steps++) {
		char request[60];

		attach();
		machine.caps.steps = steps;
		bench.chains = true;
		snprintf(request, sizeof(request), "insert hard 0x%x 1", BENCH_CODE);
		OK(request);
		vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
		OK("step");
		assert_int_not_equal(vmcs_get(VMCS_GUEST_DR7), DR7_RESET);
		STEP(bench_exit_simple(EXIT_TRIPLE_FAULT, 0));
		assert_int_equal(vmcs_get(VMCS_GUEST_DR7), DR7_RESET);
		assert_int_equal(vmcs_get(VMCS_EXCEPTION_BITMAP), ~0u);
		vmcs_put(VMCS_GUEST_RIP, BENCH_CODE + 5); /* which a step would be over by */
		STEP(bench_interrupt(0x30));
		EXPECT_END(steps ? bench_exit_simple(EXIT_MONITOR_TRAP_FLAG, 0) :
				   bench_exit(&(struct bench_exit){
					.reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION(VECTOR_DB),
					.qualification = DR6_BS }), "triple fault at rip");
		assert_true(said("no exception comes again"));
		assert_true(said(", rflags 0x2, cpl 0\n"));
		finish();
	}
}

/* The other halves of YMM registers become zero with the first that is set, and all are told. */
static void set_avx(void)
{
	uint8_t *area = v0()->fpu, *ymm;

	bench.vm[0]->cpuid.xcr0_offered &= ~XCR0_AVX;
	REFUSED("set y16 000102030405060708090a0b0c0d0e0f");
	assert_false(tells("registers", "ymm"));
	bench.vm[0]->cpuid.xcr0_offered |= XCR0_AVX;
	bench.vm[0]->cpuid.xsave[2].ebx = 576;
	area[XSAVE_XSTATE_BV] &= (uint8_t)~XCR0_AVX;
	ymm = area + 576;
	memset(ymm, 0x77, XSAVE_YMM_BYTES);
	assert_true(tells("registers", "\"ymm\":\"0000"));
	REFUSED("set y255 0000");
	REFUSED("set y1x 00");
	OK("set y16 5a0102030405060708090a0b0c0d0e0f");
	assert_int_equal(ymm[16], 0x5a);
	assert_int_equal(ymm[0] | ymm[32] | ymm[255], 0);
	assert_true(area[XSAVE_XSTATE_BV] & XCR0_AVX);
	assert_true(tells("registers", "\"ymm\":\"000000000000000000000000000000005a01"));
}

static void registers(void **state)
{
	uint32_t mxcsr;

	(void)state;
	attach();
	OK("set rax 8877665544332211");
	assert_int_equal(v0()->hvm.gpr[GPR_RAX], 0x1122334455667788);
	OK("set rsp 0010000000000000");
	assert_int_equal(vmcs_get(VMCS_GUEST_RSP), 0x1000);
	REFUSED("set rip 0000000000800000");
	REFUSED("set rax 112233445566778899");
	REFUSED("set cs 1800");
	REFUSED("set nothing 00");
	REFUSED("set cr4 ffffffffffffffff");
	assert_false(v0()->event.info & EVENT_VALID);
	REFUSED("set fx415 0000");
	REFUSED("set fx8 00");
	REFUSED("set fx26 000000");
	OK("set fx24 ffffffff");
	memcpy(&mxcsr, (uint8_t *)v0()->fpu + 24, 4);
	assert_int_equal(mxcsr, 0xffff);
	OK("set fx160 000102030405060708090a0b0c0d0e0f");
	assert_int_equal(((uint8_t *)v0()->fpu)[161], 1);
	set_avx();
	/* With an interrupt that is to be injected, IF is 1. */
	v0()->event = (struct event){ .info = INFO(EVENT_TYPE_EXTERNAL, 0x40) };
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	OK("set eflags 02000000");
	assert_true(vmcs_get(VMCS_GUEST_RFLAGS) & RFLAGS_IF);
	v0()->event.info = 0;
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI);
	OK("set eflags 02000000");
	assert_false(vmcs_get(VMCS_GUEST_INTERRUPTIBILITY) & BLOCKING_STI);
	OK("continue");
	finish();
}

/* Two of one CPU: while one steps alone, the other does not run. */
static void the_others(void **state)
{
	struct vcpu *second;

	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .description = "vcpus 2\n" });
	second = bench.vm[0]->vcpu[1];
	OK("attach");
	assert_int_equal(bench.at, BENCH_IDLE);
	ask("a debug 0.0 stepalone\n");
	assert_int_equal(bench.at, BENCH_ENTRY);
	assert_true(v0()->debug.step && !v0()->debug.held);
	assert_true(second->debug.held && !second->debug.step);
	assert_false(schedule_runnable(second));
	bench_exit_simple(EXIT_CPUID, 2);
	assert_int_equal(bench.at, BENCH_IDLE);
	OK("detach");
	assert_false(second->debug.held);
	finish();
}

/* It stands before its first instruction, and has registers all the same. */
static void paused_from_the_start(void **state)
{
	struct vm *vm;

	(void)state;
	start();
	vm = bench_create(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .description = "paused on\n" });
	assert_int_equal(vm->config->paused, CONFIG_ON);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_may_ask), cmocka_unit_test(software_breakpoints), cmocka_unit_test(overwritten),
		cmocka_unit_test(hardware_breakpoints), cmocka_unit_test(all_taken), cmocka_unit_test(a_step),
		cmocka_unit_test(a_step_by_flag), cmocka_unit_test(a_triple_fault), cmocka_unit_test(registers),
		cmocka_unit_test(the_others), cmocka_unit_test(paused_from_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
