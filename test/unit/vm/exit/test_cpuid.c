/* What the guest's CPUID says (vm/exit/cpuid.c): of the CPU's features those that Vellum makes work, and the few
 * answers that follow the guest's state. The bits are the manual's (SDM, CPUID). */
#include "test/unit/vm/fixture.h"

/* A CPU that says yes to everything, but for what the test takes away. */
static struct cpuid everything(uint32_t leaf, uint32_t subleaf, struct cpuid c)
{
	switch (leaf) {
	case CPUID_LEAF_VERSION:
		return (struct cpuid){ c.eax, c.ebx, UINT32_MAX, UINT32_MAX };
	case CPUID_LEAF_CACHE:
		c.eax |= 0xfc3fc000;
		return c;
	case CPUID_LEAF_FEATURES:
		return subleaf ? (struct cpuid){ 1, 1, 1, 1 } : (struct cpuid){ 2, UINT32_MAX, UINT32_MAX, UINT32_MAX };
	case CPUID_LEAF_XSTATE:
		if (subleaf == 0)
			return (struct cpuid){ UINT32_MAX, 4096, 4096, UINT32_MAX };
		if (subleaf == 1)
			return (struct cpuid){ UINT32_MAX, 4096, 0xff, 0 };
		return (struct cpuid){ 64, 576 + 64 * (subleaf - 2), subleaf == 9 ? 2 : 0, 0 };
	case CPUID_LEAF_EXTENDED_FEATURES:
		return (struct cpuid){ 0, 0, UINT32_MAX, UINT32_MAX };
	default:
		return c;
	}
}

static const struct mmu_caps all_paging = {
	.maxphyaddr = 40, .nx = true, .page_1g = true, .pcid = true, .smep = true, .smap = true, .pku = true
};
static struct cpuid_policy p;

static void policy(const struct mmu_caps *caps, uint32_t proc2, uint64_t cr4_fixed1, bool nested, bool random)
{
	const struct hvm_caps cpu = { .mmu = *caps, .rdtscp = proc2 & PROC2_RDTSCP,
				      .invpcid = proc2 & PROC2_INVPCID, .cr4_may = cr4_fixed1 };

	cpuid_policy_init(&p, &cpu, 2000000000, 1, nested, random);
}

static struct cpuid answer(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_state state = { .cr4 = 0, .xcr0 = 1, .apic_enabled = true, .apic_id = 3 };

	return cpuid_answer(&p, leaf, subleaf, &state);
}

static void begin(struct cpuid (*cpu)(uint32_t leaf, uint32_t subleaf, struct cpuid c))
{
	bench_new(&(struct bench_config){ .cpu = BENCH_MODERN, .mmu = "ept" });
	soft.cpuid = cpu;
}

#define OFF(value, bit) assert_int_equal((value) >> (bit) & 1, 0)
#define ON(value, bit) assert_int_equal((value) >> (bit) & 1, 1)

/* What nothing here makes work is not offered, whatever the CPU says. */
static void features_that_are_hidden(void **state)
{
	static const uint8_t l1c[] = { 2, 3, 4, 5, 6, 7, 8, 10, 11, 14, 15, 16, 18, 27 },
			     l1d[] = { 10, 18, 20, 21, 22, 28, 29, 30, 31 };
	static const uint8_t l7b[] = { 2, 4, 11, 12, 14, 15, 25, 26, 27 }, l7c[] = { 4, 5, 7, 13, 16, 22, 24, 29, 30 };
	static const uint8_t e1c[] = { 2, 3, 6, 11, 15, 16, 29 }, e1d[] = { 18, 31 };

	(void)state;
	begin(everything);
	policy(&all_paging, UINT32_MAX, UINT64_MAX, true, true);
	for (unsigned n = 0; n < ARRAY_SIZE(l1c); n++)
		OFF(answer(1, 0).ecx, l1c[n]);
	for (unsigned n = 0; n < ARRAY_SIZE(l1d); n++)
		OFF(answer(1, 0).edx, l1d[n]);
	for (unsigned n = 0; n < ARRAY_SIZE(l7b); n++)
		OFF(answer(7, 0).ebx, l7b[n]);
	for (unsigned n = 0; n < ARRAY_SIZE(l7c); n++)
		OFF(answer(7, 0).ecx, l7c[n]);
	assert_int_equal(answer(7, 0).edx, 0);
	for (unsigned n = 0; n < ARRAY_SIZE(e1c); n++)
		OFF(answer(0x80000001, 0).ecx, e1c[n]);
	for (unsigned n = 0; n < ARRAY_SIZE(e1d); n++)
		OFF(answer(0x80000001, 0).edx, e1d[n]);
	OFF(answer(0xd, 1).eax, 3);
	/* And what always is. */
	ON(answer(1, 0).ecx, 21);
	ON(answer(1, 0).ecx, 24);
	ON(answer(1, 0).ecx, 31);
	ON(answer(7, 0).ebx, 1);
	finish();
}

/* Under shadow paging the guest's own tables do not reach the CPU. */
static void features_of_paging(void **state)
{
	struct mmu_caps none = { .maxphyaddr = 36 };

	(void)state;
	begin(everything);
	policy(&all_paging, UINT32_MAX, UINT64_MAX, true, true);
	ON(answer(1, 0).ecx, 17);
	ON(answer(7, 0).ebx, 10);
	ON(answer(7, 0).ecx, 3);
	assert_int_equal(p.cr4_offered & (CR4_PCIDE | CR4_PKE | CR4_SMEP | CR4_SMAP),
			 CR4_PCIDE | CR4_PKE | CR4_SMEP | CR4_SMAP);
	assert_true(p.xcr0_offered & XCR0_PKRU);
	policy(&all_paging, UINT32_MAX, UINT64_MAX, false, true);
	OFF(answer(1, 0).ecx, 17);
	OFF(answer(7, 0).ebx, 10);
	OFF(answer(7, 0).ecx, 3);
	assert_int_equal(p.cr4_offered & (CR4_PCIDE | CR4_PKE), 0);
	assert_false(p.xcr0_offered & XCR0_PKRU);
	ON(answer(7, 0).ebx, 7);
	/* Without its control INVPCID would be #UD. */
	policy(&all_paging, ~(uint32_t)PROC2_INVPCID, UINT64_MAX, true, true);
	OFF(answer(7, 0).ebx, 10);
	policy(&all_paging, ~(uint32_t)PROC2_RDTSCP, UINT64_MAX, true, true);
	OFF(answer(0x80000001, 0).edx, 27);
	assert_false(p.has_rdtscp);
	/* No bit of CR4 without its feature, and none that the CPU cannot set. */
	policy(&none, UINT32_MAX, UINT64_MAX, true, true);
	assert_int_equal(p.cr4_offered & (CR4_PCIDE | CR4_PKE | CR4_SMEP | CR4_SMAP), 0);
	OFF(answer(0x80000001, 0).edx, 26);
	assert_int_equal(answer(0x80000008, 0).eax, 0x3024);
	policy(&all_paging, UINT32_MAX, ~CR4_SMEP, true, true);
	assert_int_equal(p.cr4_offered & (CR4_SMEP | CR4_SMAP), CR4_SMAP);
	finish();
}

static void random_numbers(void **state)
{
	(void)state;
	begin(everything);
	policy(&all_paging, UINT32_MAX, UINT64_MAX, true, true);
	ON(answer(1, 0).ecx, 30);
	ON(answer(7, 0).ebx, 18);
	policy(&all_paging, UINT32_MAX, UINT64_MAX, true, false);
	OFF(answer(1, 0).ecx, 30);
	OFF(answer(7, 0).ebx, 18);
	finish();
}

static struct cpuid part_of_avx512(uint32_t leaf, uint32_t subleaf, struct cpuid c)
{
	c = everything(leaf, subleaf, c);
	if (leaf == CPUID_LEAF_XSTATE && subleaf == 0)
		c.eax &= ~(uint32_t)BIT(6);
	return c;
}

static struct cpuid no_nx(uint32_t leaf, uint32_t subleaf, struct cpuid c)
{
	c = everything(leaf, subleaf, c);
	if (leaf == CPUID_LEAF_EXTENDED_FEATURES)
		c.edx &= ~(uint32_t)CPUID_80000001_EDX_NX;
	return c;
}

static void states(void **state)
{
	(void)state;
	begin(everything);
	policy(&all_paging, UINT32_MAX, UINT64_MAX, true, true);
	assert_int_equal(p.xcr0_offered, 0x2e7); /* x87, SSE, AVX, AVX-512, PKRU; not MPX nor what comes later */
	ON(answer(7, 0).ebx, 16);
	ON(answer(7, 0).ecx, 1);
	assert_int_equal(answer(0xd, 0).eax, 0x2e7);
	assert_int_equal(answer(0xd, 0).edx, 0);
	assert_int_equal(answer(0xd, 0).ecx, 576 + 64 * 7 + 64); /* up to PKRU's */
	assert_int_equal(answer(0xd, 3).eax, 0);
	assert_int_equal(p.efer_offered & EFER_NXE, EFER_NXE);
	soft.cpuid = part_of_avx512;
	policy(&all_paging, UINT32_MAX, UINT64_MAX, true, true);
	assert_int_equal(p.xcr0_offered, 0x207);
	OFF(answer(7, 0).ebx, 16);
	OFF(answer(7, 0).ebx, 31);
	OFF(answer(7, 0).ecx, 1);
	assert_int_equal(answer(0xd, 5).eax, 0);
	soft.cpuid = no_nx;
	policy(&all_paging, UINT32_MAX, UINT64_MAX, true, true);
	assert_int_equal(p.efer_offered & EFER_NXE, 0);
	finish();
}

/* A CPU whose XSETBV does not exit: no XSAVE, and nothing that needs it. */
static void without_xsave(void **state)
{
	(void)state;
	begin(everything);
	policy(&all_paging, 0, ~CR4_OSXSAVE, true, false);
	assert_false(answer(CPUID_LEAF_VERSION, 0).ecx & (CPUID_1_ECX_XSAVE | CPUID_1_ECX_AVX | CPUID_1_ECX_FMA));
	assert_true(answer(CPUID_LEAF_VERSION, 0).ecx & CPUID_1_ECX_AESNI);
	assert_false(answer(CPUID_LEAF_FEATURES, 0).ebx & (CPUID_7_EBX_AVX2 | CPUID_7_EBX_AVX512));
	assert_false(answer(CPUID_LEAF_FEATURES, 0).ecx & CPUID_7_ECX_VAES);
	assert_int_equal(p.xcr0_offered, 0);
	assert_false(p.cr4_offered & CR4_OSXSAVE);
	finish();
}

/* What follows the guest's state. */
static void mirrors(void **state)
{
	struct cpuid_state s = { .cr4 = 0, .xcr0 = 1, .apic_enabled = true };

	(void)state;
	begin(everything);
	policy(&all_paging, UINT32_MAX, UINT64_MAX, true, true);
	OFF(cpuid_answer(&p, CPUID_LEAF_VERSION, 0, &s).ecx, 27);
	ON(cpuid_answer(&p, CPUID_LEAF_VERSION, 0, &s).edx, 9);
	OFF(cpuid_answer(&p, CPUID_LEAF_FEATURES, 0, &s).ecx, 4);
	assert_int_equal(cpuid_answer(&p, CPUID_LEAF_XSTATE, 0, &s).ebx, 576);
	s = (struct cpuid_state){ .cr4 = CR4_OSXSAVE | CR4_PKE,
				  .xcr0 = XCR0_PKRU | XCR0_AVX | XCR0_SSE | XCR0_X87,
				  .apic_enabled = false };
	ON(cpuid_answer(&p, CPUID_LEAF_VERSION, 0, &s).ecx, 27);
	OFF(cpuid_answer(&p, CPUID_LEAF_VERSION, 0, &s).edx, 9);
	ON(cpuid_answer(&p, CPUID_LEAF_FEATURES, 0, &s).ecx, 4);
	assert_int_equal(cpuid_answer(&p, CPUID_LEAF_XSTATE, 0, &s).ebx, 576 + 64 * 7 + 64);
	/* Compacted: one behind the other, aligned where the state asks for it. */
	assert_int_equal(cpuid_answer(&p, CPUID_LEAF_XSTATE, 1, &s).ebx, 576 + 64 + 64);
	finish();
}

static bool nothing(struct cpuid c) { return !(c.eax | c.ebx | c.ecx | c.edx); }

static void the_ends(void **state)
{
	struct cpuid top, above;

	(void)state;
	begin(everything);
	policy(&all_paging, UINT32_MAX, UINT64_MAX, true, true);
	top = answer(answer(0, 0).eax, 0);
	above = answer(0x1234, 0);
	assert_memory_equal(&above, &top, sizeof(top));
	assert_false(nothing(top));
	for (unsigned n = 1; n < 100; n++)
		assert_true(nothing(answer(7, n)));
	for (unsigned n = 4; n < 1000; n++)
		assert_true(nothing(answer(4, n)));
	assert_int_equal(answer(4, 0).eax >> 14, 0); /* one core, one thread */
	for (unsigned n = 32; n < 10000; n++)
		assert_true(nothing(answer(0xd, n)));
	assert_true(nothing(answer(0xd, UINT32_MAX)));
	assert_true(nothing(answer(0x40000001, 0)));
	assert_int_equal(answer(0xb, 0).edx, 3);
	finish();
}

static struct cpuid old(uint32_t leaf, uint32_t subleaf, struct cpuid c)
{
	if (leaf == CPUID_LEAF_BASIC)
		c.eax = CPUID_LEAF_THERMAL;
	if (leaf == CPUID_LEAF_FEATURES || leaf == CPUID_LEAF_XSTATE)
		return (struct cpuid){ UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX };
	return everything(leaf, subleaf, c);
}

/* Leaves that the CPU has not are answered by its highest one, which says something else. */
static void leaves_that_are_not_there(void **state)
{
	struct mmu_caps caps = { .maxphyaddr = 36 };

	(void)state;
	begin(old);
	policy(&caps, UINT32_MAX, UINT64_MAX, true, true);
	assert_true(nothing(answer(7, 0)));
	assert_int_equal(p.xcr0_offered, 0);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(features_that_are_hidden),
		cmocka_unit_test(features_of_paging),
		cmocka_unit_test(random_numbers),
		cmocka_unit_test(states),
		cmocka_unit_test(without_xsave),
		cmocka_unit_test(mirrors),
		cmocka_unit_test(the_ends),
		cmocka_unit_test(leaves_that_are_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
