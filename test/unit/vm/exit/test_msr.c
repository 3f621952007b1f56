/* RDMSR and WRMSR (vm/exit/msr.c). SDM, "Model-Specific Registers", and the chapters that name each register. */
#include "test/unit/vm/held.h"

static void in_long_mode(void)
{
	start();
	assert_true(bench_mode(BENCH_LONG64, 0));
}

static void takes(uint32_t msr, uint64_t value, int line)
{
	vmcs_put(VMCS_GUEST_RIP, BENCH_CODE);
	step_to_entry(bench_wrmsr(msr, value), line);
	expect_event(0, 0, line);
	if (bench.entry.rip != BENCH_CODE + 2)
		fail_msg("line %d: the instruction was not skipped", line);
}
#define TAKES(msr, value) takes(msr, value, __LINE__)

static void refuses(uint32_t msr, uint64_t value, int line)
{
	vmcs_put(VMCS_GUEST_RIP, BENCH_CODE);
	step_to_entry(bench_wrmsr(msr, value), line);
	expect_event(EXCEPTION_ERROR(VECTOR_GP), 0, line);
	if (bench.entry.rip != BENCH_CODE)
		fail_msg("line %d: the instruction was skipped", line);
}
#define REFUSES(msr, value) refuses(msr, value, __LINE__)

static uint64_t reads(uint32_t msr, int line)
{
	vmcs_put(VMCS_GUEST_RIP, BENCH_CODE);
	*bench_gpr(GPR_RAX) = *bench_gpr(GPR_RDX) = ~0ull;
	step_to_entry(bench_rdmsr(msr), line);
	expect_event(0, 0, line);
	if (bench.entry.rip != BENCH_CODE + 2 || *bench_gpr(GPR_RAX) >> 32 || *bench_gpr(GPR_RDX) >> 32)
		fail_msg("line %d: not skipped, or the upper halves of RAX and RDX are not clear", line);
	return *bench_gpr(GPR_RAX) | *bench_gpr(GPR_RDX) << 32;
}
#define READS(msr) reads(msr, __LINE__)

static void registers_that_are_not_there(void **state)
{
	static const uint32_t msrs[] = { 0x2,
					 0x3a,
					 0xe7,
					 0x186,
					 0x345,
					 0x38f,
					 0x480,
					 0x48f,
					 0x570,
					 0x6a0,
					 0xc0000084 + 0x1000,
					 0xc0010015,
					 0x40000000,
					 0xffffffff,
					 MSR_MTRR_PHYSBASE0 + 16 };

	(void)state;
	in_long_mode();
	for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++) {
		REFUSES(msrs[i], 0);
		*bench_gpr(GPR_RAX) = 0x1122334455667788;
		STEP(bench_rdmsr(msrs[i]));
		EXPECT_GP();
		assert_int_equal(bench.entry.rip, BENCH_CODE);
		assert_int_equal(*bench_gpr(GPR_RAX), 0x1122334455667788);
	}
	finish();
}

/* The number is in ECX, whatever the upper half of RCX holds; the value in EDX:EAX, whatever is above. */
static void operands(void **state)
{
	(void)state;
	in_long_mode();
	*bench_gpr(GPR_RCX) = 0xdeadbeef00000000 | MSR_PAT;
	*bench_gpr(GPR_RAX) = 0xffffffff00070406;
	*bench_gpr(GPR_RDX) = 0xffffffff00070406;
	STEP(bench_exit_simple(EXIT_WRMSR, 2));
	EXPECT_NOTHING();
	assert_int_equal(READS(MSR_PAT), 0x0007040600070406);
	finish();
}

static void efer(void **state)
{
	(void)state;
	in_long_mode();
	TAKES(MSR_EFER, EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
	assert_int_equal(READS(MSR_EFER), EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
	/* LMA is read-only, and what is written to it does not matter. */
	TAKES(MSR_EFER, EFER_LME);
	assert_int_equal(READS(MSR_EFER), EFER_LME | EFER_LMA);
	REFUSES(MSR_EFER, 0); /* LME under paging */
	REFUSES(MSR_EFER, EFER_LME | BIT(1));
	REFUSES(MSR_EFER, EFER_LME | EFER_SVME);
	REFUSES(MSR_EFER, EFER_LME | BIT(63));
	assert_int_equal(READS(MSR_EFER), EFER_LME | EFER_LMA);
	finish();
	start();
	assert_true(bench_mode(BENCH_PAE, 0));
	REFUSES(MSR_EFER, EFER_LME);
	TAKES(MSR_EFER, EFER_NXE);
	assert_int_equal(READS(MSR_EFER), EFER_NXE);
	finish();
}

static void efer_where_areas_switch_it(void **state)
{
	(void)state;
	start_as(BENCH_PENRYN, "shadow");
	assert_true(bench_mode(BENCH_LONG64, 0));
	TAKES(MSR_EFER, EFER_SCE | EFER_LME);
	assert_int_equal(READS(MSR_EFER), EFER_SCE | EFER_LME | EFER_LMA);
	TAKES(MSR_PAT, 0x0606060606060606);
	assert_int_equal(READS(MSR_PAT), 0x0606060606060606);
	REFUSES(MSR_PAT, 2);
	finish();
}

static void pat(void **state)
{
	(void)state;
	in_long_mode();
	TAKES(MSR_PAT, 0x0706050401000706);
	for (unsigned i = 0; i < 8; i++) {
		REFUSES(MSR_PAT, 2ull << 8 * i);
		REFUSES(MSR_PAT, 3ull << 8 * i);
		REFUSES(MSR_PAT, 8ull << 8 * i);
		REFUSES(MSR_PAT, 0x86ull << 8 * i);
	}
	assert_int_equal(READS(MSR_PAT), 0x0706050401000706);
	finish();
}

static void mtrrs(void **state)
{
	(void)state;
	in_long_mode();
	assert_int_equal(READS(MSR_MTRRCAP), 0x108);
	REFUSES(MSR_MTRRCAP, 0x108);
	TAKES(MSR_MTRR_DEF_TYPE, 0xc06);
	REFUSES(MSR_MTRR_DEF_TYPE, 0xc02);
	REFUSES(MSR_MTRR_DEF_TYPE, 0xc07); /* UC- is the PAT's alone */
	REFUSES(MSR_MTRR_DEF_TYPE, 0x1c06);
	TAKES(MSR_MTRR_PHYSBASE0, 0xc0000000);
	REFUSES(MSR_MTRR_PHYSBASE0, 0xc0000100);
	REFUSES(MSR_MTRR_PHYSBASE0, 0xc0000002);
	REFUSES(MSR_MTRR_PHYSBASE0, BIT(40));
	TAKES(MSR_MTRR_PHYSBASE0 + 1, 0xffc0000800);
	REFUSES(MSR_MTRR_PHYSBASE0 + 1, 0xffc0000801);
	REFUSES(MSR_MTRR_PHYSBASE0 + 1, BIT(40) | 0x800);
	TAKES(MSR_MTRR_PHYSBASE0 + 14, 6);
	for (uint32_t msr = MSR_MTRR_FIX16K_80000; msr <= MSR_MTRR_FIX4K_F8000;
	     msr += MSR_MTRR_FIX4K_F8000 - MSR_MTRR_FIX16K_80000) {
		TAKES(msr, 0x0605040100060504);
		assert_int_equal(READS(msr), 0x0605040100060504);
		REFUSES(msr, 0x0200000000000000);
		REFUSES(msr, 0x07);
		REFUSES(msr, 0x0900);
	}
	TAKES(MSR_MTRR_FIX64K_00000, 0x0606060606060606);
	finish();
}

static void tsc(void **state)
{
	uint64_t adjust, before;

	(void)state;
	in_long_mode();
	adjust = READS(MSR_TSC_ADJUST);
	TAKES(MSR_TSC, 0x1000000000);
	before = READS(MSR_TSC);
	assert_in_range(before, 0x1000000000, 0x1000001000);
	assert_int_not_equal(READS(MSR_TSC_ADJUST), adjust);
	TAKES(MSR_TSC_ADJUST, READS(MSR_TSC_ADJUST) + 0x100000);
	assert_in_range(READS(MSR_TSC), before + 0x100000, before + 0x101000);
	/* What RDTSC adds is the same. */
	assert_in_range(soft.tsc + vmcs_get(VMCS_TSC_OFFSET), before + 0x100000, before + 0x102000);
	finish();
}

static void machine_registers(void **state)
{
	(void)state;
	in_long_mode();
	assert_int_equal(READS(MSR_PLATFORM_ID), 0);
	assert_int_equal(READS(MSR_MCG_CAP), 0);
	assert_int_equal(READS(MSR_BIOS_SIGN_ID), 0);
	assert_int_equal(READS(MSR_DEBUGCTL), 0);
	TAKES(MSR_DEBUGCTL, 0);
	REFUSES(MSR_DEBUGCTL, BIT(2));
	REFUSES(MSR_DEBUGCTL, BIT(16));
	finish();
}

static void apic(void **state)
{
	(void)state;
	in_long_mode();
	REFUSES(MSR_X2APIC_FIRST + 0x80, 0); /* not in x2APIC mode */
	REFUSES(MSR_APIC_BASE, 0xfee00d01); /* reserved */
	REFUSES(MSR_APIC_BASE, LAPIC_DEFAULT_BASE | APIC_BASE_EXTD | APIC_BASE_BSP); /* x2APIC mode of one off */
	REFUSES(MSR_APIC_BASE, BIT(40) | LAPIC_DEFAULT_BASE | APIC_BASE_EN | APIC_BASE_BSP);
	TAKES(MSR_APIC_BASE, X2APIC_ON | APIC_BASE_BSP);
	REFUSES(MSR_APIC_BASE, LAPIC_DEFAULT_BASE | APIC_BASE_EN | APIC_BASE_BSP); /* only by way of "disabled" */
	TAKES(MSR_X2APIC_TPR, 0x20);
	assert_int_equal(READS(MSR_X2APIC_TPR), 0x20);
	REFUSES(MSR_X2APIC_TPR, 0x100);
	REFUSES(MSR_X2APIC_VERSION, 0); /* the version is read-only */
	REFUSES(MSR_X2APIC_EOI, 1); /* an EOI is 0 */
	REFUSES(MSR_X2APIC_FIRST + 0x3ff, 0);
	REFUSES(MSR_X2APIC(APIC_ICR_HIGH), 0); /* the ICR is one register */
	TAKES(MSR_APIC_BASE, LAPIC_DEFAULT_BASE);
	finish();
}

/* Bits that the CPU shows can be written as it lets them; others are #GP. */
static void misc_enable(void **state)
{
	uint64_t value;

	(void)state;
	in_long_mode();
	value = READS(MSR_MISC_ENABLE);
	assert_true(value & MISC_ENABLE_FAST_STRING);
	assert_true(value & MISC_ENABLE_BTS_UNAVAILABLE);
	assert_true(value & MISC_ENABLE_PEBS_UNAVAILABLE);
	TAKES(MSR_MISC_ENABLE, value);
	TAKES(MSR_MISC_ENABLE, value & ~MISC_ENABLE_FAST_STRING);
	assert_int_equal(READS(MSR_MISC_ENABLE), value & ~MISC_ENABLE_FAST_STRING);
	TAKES(MSR_MISC_ENABLE, value);
	assert_int_equal(READS(MSR_MISC_ENABLE), value);
	REFUSES(MSR_MISC_ENABLE, value | BIT(1));
	REFUSES(MSR_MISC_ENABLE, value | BIT(63));
	assert_int_equal(READS(MSR_MISC_ENABLE), value);
	finish();
}

static void no_root(struct mmu_vcpu *vcpu, const struct walk_regs *old, bool cr3_write, bool keep_tlb)
{
	(void)old;
	(void)cr3_write;
	(void)keep_tlb;
	vcpu->stuck = "there is no root";
}

/* The registers are such that the mechanism cannot run the guest on: its machine ends, and says why. */
static void efer_without_a_root(void **state)
{
	struct mmu_ops ops;

	(void)state;
	start_as(BENCH_HASWELL, "shadow");
	ops = *bench.v->vm->mmu.ops;
	ops.regs_changed = no_root;
	bench.v->vm->mmu.ops = &ops;
	EXPECT_END(bench_wrmsr(MSR_EFER, EFER_NXE), "there is no root");
	finish();
}

/* Kernels take them for granted on CPUs of AMD's. */
static void registers_of_another_vendor(void **state)
{
	(void)state;
	in_long_mode();
	REFUSES(MSR_AMD_NB_CFG, 1);
	bench.v->vm->cpuid.basic[0].ecx = CPUID_0_ECX_AMD;
	TAKES(MSR_AMD_NB_CFG, 1);
	TAKES(MSR_AMD_HWCR, 1);
	assert_int_equal(READS(MSR_AMD_NB_CFG), 0);
	assert_int_equal(READS(MSR_AMD_HWCR), 0);
	finish();
}

/* L7 in dev/irq/lapic.h: while another CPU has the device lock, in x2APIC mode, its accesses to the MSRs and to CR8 do
 * not wait for it. */
static void no_lock_of_the_vm(void **state)
{
	static const struct {
		uint32_t msr;
		uint64_t value;
	} writes[] = {
		{ MSR_X2APIC_TPR, 0x20 },       { MSR_X2APIC_LVT_TIMER, 0x40 },
		{ MSR_X2APIC_DIV_CONF, 0xb },   { MSR_X2APIC(APIC_TIMER_INITIAL), 1000000 },
		{ MSR_X2APIC_SELF_IPI, 0x1f },  { MSR_X2APIC_ICR, ICR_ASSERT | 1ull << 32 | 0x40 },
		{ MSR_X2APIC_EOI, 0 },          { MSR_TSC_ADJUST, 1000000 },
		{ MSR_TSC, 5000000 },
	};

	(void)state;
	in_long_mode();
	lapic_on();
	devices_held();
	for (unsigned n = 0; n < ARRAY_SIZE(writes); n++)
		TAKES(writes[n].msr, writes[n].value);
	assert_int_equal(READS(MSR_X2APIC_LVT_TIMER), 0x40);
	assert_in_range(READS(MSR_X2APIC(APIC_TIMER_CURRENT)), 1, 1000000);
	READS(MSR_X2APIC_APICID);
	READS(MSR_X2APIC(APIC_LVT_LINT0));
	READS(MSR_APIC_BASE);
	READS(MSR_TSC_DEADLINE);
	*bench_gpr(GPR_RAX) = 3;
	STEP(bench_exit(&(struct bench_exit){ .reason = EXIT_CR_ACCESS, .qualification = 8, .length = 3 }));
	EXPECT_NOTHING();
	assert_int_equal(READS(MSR_X2APIC_TPR), 0x30);
	devices_free();
	finish();
}

/* EFER flushes nothing on a CPU. Where other tables are used for it, that is the reason of the INVVPID. */
static void a_flush_for_efer(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++) {
		struct mmu_counters before, after;

		at_mode(mechanisms[i], BENCH_LONG64, 0);
		TAKES(MSR_EFER, EFER_LME | EFER_LMA);
		before = mmu_counters(&bench.vm[0]->mmu);
		TAKES(MSR_EFER, EFER_LME | EFER_LMA | EFER_NXE);
		after = mmu_counters(&bench.vm[0]->mmu);
		assert_int_equal(after.invvpid_for_register, before.invvpid_for_register);
		assert_int_equal(after.invvpid_for_tables, before.invvpid_for_tables + (i ? 1 : 0));
		finish();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flush_for_efer),
		cmocka_unit_test(registers_that_are_not_there),
		cmocka_unit_test(operands),
		cmocka_unit_test(efer),
		cmocka_unit_test(efer_where_areas_switch_it),
		cmocka_unit_test(pat),
		cmocka_unit_test(mtrrs),
		cmocka_unit_test(tsc),
		cmocka_unit_test(machine_registers),
		cmocka_unit_test(apic),
		cmocka_unit_test(no_lock_of_the_vm),
		cmocka_unit_test(misc_enable),
		cmocka_unit_test(efer_without_a_root),
		cmocka_unit_test(registers_of_another_vendor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
