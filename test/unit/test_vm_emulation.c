/* What becomes of instructions that are emulated (vm/emulation.c): bounds, breakpoints, the FPU, and what is not known. */
#include "test/unit/vm_fixture.h"

#define TF BIT(8)
#define ABSENT 0x30000000u /* no memory, no device */
#define READ BIT(0)
#define WRITE BIT(1)
#define GVA_KNOWN (BIT(7) | BIT(8))
#define HIT(n) (BIT(12) | BIT(n)) /* of the pending debug exceptions: enabled breakpoint */
#define BS BIT(14)
#define DR7_WRITE4 0xd0401u /* breakpoint 0: writes of 4 bytes; accesses of 4 bytes */
#define DR7_ACCESS4 0xf0401u

static void at_mode(enum bench_mode mode, unsigned cpl)
{
	start_as(BENCH_HASWELL, "ept");
	assert_true(bench_mode(mode, cpl));
}

static enum bench_at violation(uint64_t qualification, uint64_t gpa)
{
	return bench_exit(&(struct bench_exit){ .reason = EXIT_EPT_VIOLATION, .qualification = qualification, .gpa = gpa, .gva = gpa });
}

static void code(const char *bytes, size_t n)
{
	vmcs_put(VMCS_GUEST_RIP, BENCH_CODE);
	bench_poke(BENCH_CODE, bytes, n);
}
#define CODE(bytes) code(bytes, sizeof(bytes) - 1)

/* So many iterations for each exit; the rest is taken up again at the same instruction. */
static void a_repeated_instruction_is_bounded(void **state)
{
	(void)state;
	at_mode(BENCH_LONG64, 0);
	*bench_gpr(GPR_RDI) = ABSENT;
	*bench_gpr(GPR_RCX) = 300;
	CODE("\xf3\xaa"); /* rep stosb */
	for (unsigned left = 300 - 128; left < 300; left -= 128) {
		STEP(violation(WRITE | GVA_KNOWN, ABSENT));
		EXPECT_NOTHING();
		assert_int_equal(*bench_gpr(GPR_RCX), left);
		assert_int_equal(bench.entry.rip, BENCH_CODE);
	}
	STEP(violation(WRITE | GVA_KNOWN, ABSENT));
	assert_int_equal(*bench_gpr(GPR_RCX), 0);
	assert_int_equal(bench.entry.rip, BENCH_CODE + 2);
	finish();
}

/* One trap for each iteration. */
static void a_repeated_instruction_is_stepped(void **state)
{
	(void)state;
	at_mode(BENCH_LONG64, 0);
	*bench_gpr(GPR_RDI) = ABSENT;
	*bench_gpr(GPR_RCX) = 2;
	vmcs_put(VMCS_GUEST_RFLAGS, 2 | TF);
	CODE("\xf3\xaa");
	for (unsigned left = 2; left-- > 0;) {
		vmcs_put(VMCS_GUEST_PENDING_DEBUG, 0);
		STEP(violation(WRITE | GVA_KNOWN, ABSENT));
		assert_int_equal(*bench_gpr(GPR_RCX), left);
		assert_int_equal(bench.entry.rip, left ? BENCH_CODE : BENCH_CODE + 2);
		assert_int_equal(bench.entry.pending_debug, BS);
	}
	finish();
}

static void watched_data(void **state)
{
	(void)state;
	at_mode(BENCH_LONG64, 0);
	bench.v->saved_dr[0] = ABSENT + 4;
	*bench_gpr(GPR_RBX) = ABSENT;
	vmcs_put(VMCS_GUEST_DR7, DR7_WRITE4);
	CODE("\x8b\x43\x04"); /* mov eax, [rbx + 4] */
	STEP(violation(READ | GVA_KNOWN, ABSENT + 4));
	assert_int_equal(bench.entry.pending_debug, 0);
	CODE("\x88\x43\x03"); /* mov [rbx + 3], al: beside it */
	STEP(violation(WRITE | GVA_KNOWN, ABSENT + 3));
	assert_int_equal(bench.entry.pending_debug, 0);
	CODE("\x48\x89\x03"); /* mov [rbx], rax: over it */
	STEP(violation(WRITE | GVA_KNOWN, ABSENT));
	assert_int_equal(bench.entry.pending_debug, HIT(0));
	vmcs_put(VMCS_GUEST_PENDING_DEBUG, 0);
	vmcs_put(VMCS_GUEST_DR7, DR7_ACCESS4);
	CODE("\x8b\x43\x04");
	STEP(violation(READ | GVA_KNOWN, ABSENT + 4));
	assert_int_equal(bench.entry.pending_debug, HIT(0));
	/* A repeated instruction stops where it hits. */
	vmcs_put(VMCS_GUEST_PENDING_DEBUG, 0);
	*bench_gpr(GPR_RDI) = ABSENT + 3;
	*bench_gpr(GPR_RCX) = 9;
	CODE("\xf3\xaa");
	STEP(violation(WRITE | GVA_KNOWN, ABSENT + 3));
	assert_int_equal(*bench_gpr(GPR_RCX), 7);
	assert_int_equal(bench.entry.pending_debug, HIT(0));
	finish();
}

/* AVX-512 is not emulated: a program gets #UD, a kernel's VM stops. */
static void what_is_not_known(void **state)
{
	(void)state;
	at_mode(BENCH_LONG64, 3);
	*bench_gpr(GPR_RBX) = ABSENT;
	CODE("\x62\xf1\x7c\x48\x11\x03"); /* vmovups [rbx], zmm0 */
	STEP(violation(WRITE | GVA_KNOWN, ABSENT));
	EXPECT_UD();
	finish();
	at_mode(BENCH_LONG64, 0);
	*bench_gpr(GPR_RBX) = ABSENT;
	CODE("\x62\xf1\x7c\x48\x11\x03");
	EXPECT_END(violation(WRITE | GVA_KNOWN, ABSENT), "does not emulate");
	finish();
}

/* The FPU's instructions run on the CPU, and a descriptor table is stored by hand. */
static void fpu_and_system_instructions(void **state)
{
	(void)state;
	at_mode(BENCH_LONG64, 0);
	*bench_gpr(GPR_RBX) = ABSENT;
	CODE("\xdd\x03"); /* fld qword [rbx] */
	STEP(violation(READ | GVA_KNOWN, ABSENT));
	EXPECT_NOTHING();
	assert_int_equal(bench.entry.rip, BENCH_CODE + 2);
	CODE("\x0f\xae\x3b"); /* clflush [rbx] */
	STEP(violation(READ | GVA_KNOWN, ABSENT));
	EXPECT_NOTHING();
	CODE("\x0f\x01\x03"); /* sgdt [rbx] */
	STEP(violation(WRITE | GVA_KNOWN, ABSENT));
	EXPECT_NOTHING();
	assert_int_equal(bench.entry.rip, BENCH_CODE + 3);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_repeated_instruction_is_bounded), cmocka_unit_test(a_repeated_instruction_is_stepped),
		cmocka_unit_test(watched_data), cmocka_unit_test(what_is_not_known), cmocka_unit_test(fpu_and_system_instructions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
