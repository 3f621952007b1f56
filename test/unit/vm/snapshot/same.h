/* test/unit/vm/snapshot/same.h - that a guest is in another place what it was: from every mechanism to every other. */
#ifndef VELLUM_TEST_VM_SAME_H
#define VELLUM_TEST_VM_SAME_H

#include "test/unit/vm/fixture.h"

/* What the guest sees of the VMCS. */
static const enum vmcs_field fields[] = {
	VMCS_GUEST_RIP, VMCS_GUEST_RSP, VMCS_GUEST_RFLAGS, VMCS_GUEST_DR7, VMCS_CR0_SHADOW, VMCS_CR4_SHADOW,
	VMCS_GUEST_ES_SELECTOR + 2 * SEG_CS, VMCS_GUEST_ES_BASE + 2 * SEG_CS, VMCS_GUEST_ES_ACCESS + 2 * SEG_CS,
	VMCS_GUEST_ES_SELECTOR + 2 * SEG_SS, VMCS_GUEST_ES_BASE + 2 * SEG_FS, VMCS_GUEST_ES_BASE + 2 * SEG_GS,
	VMCS_GUEST_ES_SELECTOR + 2 * SEG_TR, VMCS_GUEST_ES_BASE + 2 * SEG_TR, VMCS_GUEST_GDTR_BASE,
	VMCS_GUEST_GDTR_LIMIT, VMCS_GUEST_IDTR_BASE, VMCS_GUEST_IDTR_LIMIT, VMCS_GUEST_SYSENTER_CS,
	VMCS_GUEST_SYSENTER_ESP, VMCS_GUEST_SYSENTER_EIP, VMCS_GUEST_INTERRUPTIBILITY,
};
static uint64_t before[ARRAY_SIZE(fields)], gpr[GPR_COUNT], cr3, tsc;

static inline void remember(void)
{
	for (unsigned n = 0; n < ARRAY_SIZE(fields); n++)
		before[n] = vmcs_get(fields[n]);
	memcpy(gpr, bench.v->hvm.gpr, sizeof(gpr));
	cr3 = bench.v->mmu.regs.cr3;
	tsc = guest_tsc();
}

static inline void is_the_same(void)
{
	assert_int_equal(bench.at, BENCH_ENTRY);
	check_entry(0);
	for (unsigned n = 0; n < ARRAY_SIZE(fields); n++)
		if (vmcs_get(fields[n]) != before[n])
			fail_msg("field 0x%x: 0x%lx, not 0x%lx", fields[n], vmcs_get(fields[n]), before[n]);
	assert_memory_equal(bench.v->hvm.gpr, gpr, sizeof(gpr));
	assert_int_equal(bench.v->mmu.regs.cr3, cr3);
}

/* A guest of which each register is another. */
static inline void begin_under(const char *mmu, enum bench_mode mode)
{
	bench_new(&(struct bench_config){ .mmu = mmu, .guest_clock = true });
	assert_true(bench_mode(mode, 0));
	for (unsigned n = 0; n < GPR_COUNT; n++)
		if (n != GPR_RSP)
			*bench_gpr((enum gpr)n) = 0x1111111111111111ull * n;
	bench_poke(BENCH_DATA + 5, "found again", 11);
	bench.v->saved_cr2 = 0x1234567;
	bench.v->saved_msr[1] = 0xffffffff81000000;
	bench.v->misc_enable ^= MISC_ENABLE_LIMIT_CPUID;
}

/* go(): it comes to a container under this mechanism; then(): what is to hold there besides. */
static inline void from_each_to_each(void (*go)(const char *mmu), void (*then)(void))
{
	static const enum bench_mode modes[] = { BENCH_PROT32, BENCH_PAGED32, BENCH_PAE, BENCH_LONG64 };
	char text[12] = "";

	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms) * ARRAY_SIZE(modes); n++) {
		const char *of = mechanisms[n % 4], *to = mechanisms[(n + n / 4) % 4];
		uint64_t misc;

		begin_under(of, modes[n / 4]);
		misc = bench.v->misc_enable;
		remember();
		go(to);
		is_the_same();
		assert_string_equal(bench.vm[0]->mmu.ops->name, to);
		bench_peek(BENCH_DATA + 5, text, 11);
		assert_string_equal(text, "found again");
		assert_int_equal(bench.v->saved_cr2, 0x1234567);
		assert_int_equal(bench.v->saved_msr[1], 0xffffffff81000000);
		assert_int_equal(bench.v->misc_enable, misc);
		then();
		finish();
	}
}

/* The same of a guest in each mode, at the levels that it has, under one mechanism. */
static inline void of_each_mode(void (*go)(const char *mmu))
{
	for (unsigned n = 0; n < 2 * BENCH_MODES; n++) {
		bench_new(&(struct bench_config){ .mmu = "ept", .guest_clock = true });
		assert_true(bench_mode((enum bench_mode)(n / 2), n / 2 == BENCH_V86 || (n / 2 != BENCH_REAL && n & 1) ?
									 3 : 0));
		remember();
		go("ept");
		is_the_same();
		finish();
	}
}

#endif
