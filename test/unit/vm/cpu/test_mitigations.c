/* What is done against speculation for one virtual machine, and the controls that its guest is offered
 * (vm/cpu/mitigations.c). SDM, "IA32_SPEC_CTRL", "IA32_PRED_CMD", "IA32_ARCH_CAPABILITIES"; which CPU needs what:
 * test/unit/host/cpu/test_speculation.c. */
#include "test/unit/vm/fixture.h"

#define MSR_SPEC_CTRL_BITS (SPEC_CTRL_IBRS | SPEC_CTRL_STIBP | SPEC_CTRL_SSBD)
#define ALL_CONTROLS \
	(uint32_t)(CPUID_7_EDX_SPEC_CTRL | CPUID_7_EDX_STIBP | CPUID_7_EDX_SSBD | CPUID_7_EDX_MD_CLEAR | \
		   CPUID_7_EDX_L1D_FLUSH | CPUID_7_EDX_ARCH_CAPABILITIES)

static const struct speculation_cpu old = { 0 };
static const struct speculation_cpu updated = { (uint32_t)(ALL_CONTROLS & ~CPUID_7_EDX_ARCH_CAPABILITIES), true, 0 };
static const struct speculation_cpu newest = { ALL_CONTROLS, false,
					       ARCH_RDCL_NO | ARCH_IBRS_ALL | ARCH_MDS_NO | ARCH_PBRSB_NO };

static struct bench_config described(const struct speculation_cpu *cpu, const char *description)
{
	return (struct bench_config){
		.cpu = BENCH_HASWELL, .mmu = "ept", .speculation = cpu, .description = description
	};
}

static void start_on(const struct speculation_cpu *cpu, const char *description)
{
	struct bench_config c = described(cpu, description);

	bench_new(&c);
	check_entry(__LINE__);
}

static void takes(uint32_t msr, uint64_t value)
{
	STEP(bench_wrmsr(msr, value));
	EXPECT_NOTHING();
}

static void refuses(uint32_t msr, uint64_t value)
{
	STEP(bench_wrmsr(msr, value));
	EXPECT_GP();
}

static uint64_t reads(uint32_t msr)
{
	STEP(bench_rdmsr(msr));
	EXPECT_NOTHING();
	return (uint32_t)*bench_gpr(GPR_RAX) | *bench_gpr(GPR_RDX) << 32;
}

static uint32_t leaf7_edx(void)
{
	*bench_gpr(GPR_RAX) = 7;
	*bench_gpr(GPR_RCX) = 0;
	STEP(bench_exit_simple(EXIT_CPUID, 2));
	return (uint32_t)*bench_gpr(GPR_RDX);
}

/* SP1, SP2. */
static void old_microcode(void **state)
{
	struct bench_config c = described(&old, "");

	(void)state;
	start_on(&old, "mitigations off\n");
	assert_false(bench_create(&c)->ended);
	finish();
	start_on(&old, "");
	assert_int_equal(bench.v->hvm.guards, GUARD_REGISTERS);
	assert_int_equal(bench.v->hvm.spec_host, 0);
	assert_non_null(strstr(bench_log(), "too old for what it needs besides: l1d, verw, ibrs, ibpb"));
	assert_int_equal(leaf7_edx(), 0);
	refuses(MSR_SPEC_CTRL, 0);
	refuses(MSR_PRED_CMD, 1);
	refuses(MSR_PRED_CMD, 0);
	assert_int_equal(soft.barriers, 0);
	STEP(bench_rdmsr(MSR_SPEC_CTRL));
	EXPECT_GP();
	STEP(bench_rdmsr(MSR_ARCH_CAPABILITIES));
	EXPECT_GP();
	finish();
}

static void what_the_cpu_needs(void **state)
{
	(void)state;
	start_on(&updated, "");
	assert_int_equal(bench.v->hvm.guards, GUARD_REGISTERS | GUARD_L1D | GUARD_VERW | GUARD_SPEC_CTRL |
						      GUARD_SPEC_CTRL_EACH | GUARD_RSB | GUARD_IBPB);
	assert_int_equal(bench.v->hvm.spec_host, SPEC_CTRL_IBRS);
	assert_null(strstr(bench_log(), "too old"));
	finish();
	start_on(&newest, "");
	assert_int_equal(
		bench.v->hvm.guards & (GUARD_L1D | GUARD_VERW | GUARD_SPEC_CTRL_EACH | GUARD_RSB | GUARD_RSB_ONE), 0);
	finish();
}

/* What was asked for, and only that. */
static void what_was_asked_for(void **state)
{
	struct bench_config c;
	struct vm *vm;

	(void)state;
	start_on(&updated, "mitigations off\n");
	assert_int_equal(bench.v->hvm.guards, 0);
	assert_int_equal(bench.v->hvm.spec_host, 0);
	assert_int_equal(leaf7_edx(), 0);
	finish();
	start_on(&updated, "mitigations verw,guest\n");
	assert_int_equal(bench.v->hvm.guards, GUARD_VERW | GUARD_SPEC_CTRL);
	assert_int_equal(bench.v->hvm.spec_host, 0);
	finish();
	/* What the CPU has not is refused, not passed over. */
	start_on(&old, "");
	c = described(&old, "mitigations registers,l1d\n");
	vm = bench_create(&c);
	assert_true(vm->ended);
	assert_int_equal(vm->status, VM_STATUS_UNSUPPORTED);
	assert_non_null(strstr(vm->end_text, "l1d"));
	assert_non_null(strstr(vm->end_text, "IA32_FLUSH_CMD"));
	finish();
}

/* The guest's IA32_SPEC_CTRL is its own: the host's stays. */
static void spec_ctrl(void **state)
{
	(void)state;
	start_on(&updated, "");
	assert_int_equal(leaf7_edx(),
			 CPUID_7_EDX_SPEC_CTRL | CPUID_7_EDX_STIBP | CPUID_7_EDX_SSBD | CPUID_7_EDX_MD_CLEAR);
	assert_int_equal(reads(MSR_SPEC_CTRL), 0);
	takes(MSR_SPEC_CTRL, MSR_SPEC_CTRL_BITS);
	assert_int_equal(reads(MSR_SPEC_CTRL), MSR_SPEC_CTRL_BITS);
	assert_int_equal(bench.v->hvm.spec_guest, MSR_SPEC_CTRL_BITS);
	assert_int_equal(bench.v->hvm.spec_host, SPEC_CTRL_IBRS);
	refuses(MSR_SPEC_CTRL, BIT(3));
	refuses(MSR_SPEC_CTRL, BIT(63));
	assert_int_equal(reads(MSR_SPEC_CTRL), MSR_SPEC_CTRL_BITS);
	takes(MSR_SPEC_CTRL, 0);
	assert_int_equal(reads(MSR_SPEC_CTRL), 0);
	finish();
}

static void barriers(void **state)
{
	unsigned before;

	(void)state;
	start_on(&updated, "");
	before = soft.barriers;
	takes(MSR_PRED_CMD, 0);
	assert_int_equal(soft.barriers, before);
	takes(MSR_PRED_CMD, 1);
	assert_int_equal(soft.barriers, before + 1);
	refuses(MSR_PRED_CMD, 2);
	refuses(MSR_PRED_CMD, BIT(32) | 1);
	assert_int_equal(soft.barriers, before + 1);
	/* It is a command: there is nothing to read. */
	STEP(bench_rdmsr(MSR_PRED_CMD));
	EXPECT_GP();
	finish();
}

/* Who gets the CPU after another finds none of what that one taught its predictors, and the host's IA32_SPEC_CTRL in
 * force. */
static void turns(const char *description, unsigned barriers, uint64_t spec_host)
{
	struct bench_config c = described(&updated, description);
	unsigned before;
	struct vm *first;

	c.vms = 2;
	bench_new(&c);
	first = bench.v->vm;
	before = soft.barriers;
	soft.spec_ctrl = SPEC_CTRL_STIBP;
	STEP(bench_exit_simple(EXIT_CPUID, 2));
	assert_int_equal(soft.barriers, before);
	for (unsigned n = 0; n < 4 && bench.v->vm == first; n++)
		STEP(bench_timer());
	assert_ptr_not_equal(bench.v->vm, first);
	assert_int_equal(soft.barriers, before + barriers);
	assert_int_equal(soft.spec_ctrl, spec_host);
	finish();
}

static void one_after_another(void **state)
{
	(void)state;
	turns("", 1, SPEC_CTRL_IBRS);
	turns("mitigations ibpb\n", 1, SPEC_CTRL_STIBP);
	turns("mitigations guest\n", 0, 0);
	turns("mitigations off\n", 0, SPEC_CTRL_STIBP);
}

static void arch_capabilities(void **state)
{
	(void)state;
	start_on(&newest, "");
	assert_true(leaf7_edx() & CPUID_7_EDX_ARCH_CAPABILITIES);
	assert_int_equal(reads(MSR_ARCH_CAPABILITIES), newest.arch_capabilities | ARCH_SKIP_L1DFL);
	refuses(MSR_ARCH_CAPABILITIES, 0);
	finish();
	start_on(&newest, "mitigations registers\n");
	STEP(bench_rdmsr(MSR_ARCH_CAPABILITIES));
	EXPECT_GP();
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_microcode),      cmocka_unit_test(what_the_cpu_needs),
		cmocka_unit_test(what_was_asked_for), cmocka_unit_test(spec_ctrl),
		cmocka_unit_test(barriers),	      cmocka_unit_test(one_after_another),
		cmocka_unit_test(arch_capabilities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
