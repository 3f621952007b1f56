/* What the CPU cannot enter without "unrestricted guest" (vm/cpu/enterable.c), rule by rule, beside the manual's checks
 * (model/vmentry_segments.c): EN1. */
#include "test/unit/vm/fixture.h"

#define FIELD(name, n) (VMCS_GUEST_ES_##name + 2 * (n))

static void start_with(enum bench_mode mode, unsigned cpl)
{
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .description = "unrestricted off\n" });
	check_entry(__LINE__);
	assert_true(bench_mode(mode, cpl));
	hvm_sync_paging(&bench.v->hvm, &bench.v->mmu);
	assert_true(vcpu_enterable(bench.v));
}

/* One field otherwise than in the mode: the hypervisor says whether it can be entered, and so does the model. */
static void one(enum bench_mode mode, unsigned cpl, uint32_t field, uint64_t value, bool good, int line)
{
	bool enterable;

	start_with(mode, cpl);
	vmcs_put(field, value);
	hvm_sync_paging(&bench.v->hvm, &bench.v->mmu);
	enterable = vcpu_enterable(bench.v);
	if (enterable != good)
		fail_msg("line %d: %s", line, good ? "it can be entered" : "it cannot be entered");
	/* The model must agree, of the same VMCS. */
	bench_exit_simple(EXIT_CPUID, 2);
	if (bench.at == BENCH_ENTRY && !bench.broken != good)
		fail_msg("line %d: the model says %s", line, bench.broken ? bench.broken : "nothing");
	bench_delete();
}
#define GOOD(mode, cpl, field, value) one(mode, cpl, field, value, true, __LINE__)
#define BAD(mode, cpl, field, value) one(mode, cpl, field, value, false, __LINE__)

static void code_segment(void **state)
{
	const uint32_t access = FIELD(ACCESS, SEG_CS);

	(void)state;
	BAD(BENCH_PROT32, 0, access, SEGMENT_FLAT_DATA);
	BAD(BENCH_PROT32, 0, access, SEGMENT_FLAT_CODE32 & ~TYPE_ACCESSED);
	BAD(BENCH_PROT32, 0, access, SEGMENT_FLAT_CODE32 | SEGMENT_DPL);
	GOOD(BENCH_PROT32, 0, access, SEGMENT_FLAT_CODE32 & ~TYPE_READ_WRITE);
	GOOD(BENCH_PROT32, 3, access, SEGMENT_FLAT_CODE32 | TYPE_CONFORMING);
	BAD(BENCH_PROT32, 0, access, SEGMENT_FLAT_CODE32 | TYPE_CONFORMING | SEGMENT_DPL);
	BAD(BENCH_PROT32, 0, access, SEGMENT_FLAT_CODE32 & ~SEGMENT_S);
	BAD(BENCH_PROT32, 0, access, SEGMENT_FLAT_CODE32 & ~SEGMENT_P);
	BAD(BENCH_PROT32, 0, access, SEGMENT_FLAT_CODE32 | BIT(8));
	BAD(BENCH_PROT32, 0, access, SEGMENT_FLAT_CODE32 & ~SEGMENT_G);
	BAD(BENCH_PROT32, 0, FIELD(LIMIT, SEG_CS), 0xffffefff - 1);
	BAD(BENCH_PROT32, 0, FIELD(BASE, SEG_CS), BIT(32));
	BAD(BENCH_PROT32, 0, FIELD(SELECTOR, SEG_CS), BENCH_CODE0 | 1);
	BAD(BENCH_LONG64, 0, access, SEGMENT_FLAT_CODE64 | SEGMENT_DB);
	GOOD(BENCH_PROT32, 0, access, SEGMENT_FLAT_CODE32 | SEGMENT_L);
}

static void stack(void **state)
{
	const uint32_t access = FIELD(ACCESS, SEG_SS);

	(void)state;
	BAD(BENCH_PROT32, 0, FIELD(SELECTOR, SEG_SS), BENCH_DATA0 | 1);
	BAD(BENCH_PROT32, 0, access, SEGMENT_FLAT_DATA & ~TYPE_READ_WRITE);
	BAD(BENCH_PROT32, 0, access, SEGMENT_FLAT_DATA & ~TYPE_ACCESSED);
	BAD(BENCH_PROT32, 0, access, SEGMENT_FLAT_CODE32);
	GOOD(BENCH_PROT32, 0, access, SEGMENT_FLAT_DATA | TYPE_EXPAND_DOWN);
	GOOD(BENCH_PROT32, 0, access, SEGMENT_UNUSABLE);
	GOOD(BENCH_LONG64, 0, access, SEGMENT_UNUSABLE);
	BAD(BENCH_PROT32, 0, FIELD(BASE, SEG_SS), BIT(40));
}

static void data(void **state)
{
	const uint32_t access = FIELD(ACCESS, SEG_DS);

	(void)state;
	BAD(BENCH_PROT32, 0, access, SEGMENT_FLAT_DATA & ~TYPE_ACCESSED);
	BAD(BENCH_PROT32, 0, FIELD(ACCESS, SEG_GS), (SEGMENT_FLAT_CODE32 & ~TYPE_READ_WRITE));
	GOOD(BENCH_PROT32, 0, FIELD(ACCESS, SEG_GS), SEGMENT_FLAT_CODE32);
	BAD(BENCH_PROT32, 0, FIELD(SELECTOR, SEG_FS), BENCH_DATA0 | 3);
	GOOD(BENCH_PROT32, 3, FIELD(ACCESS, SEG_ES), SEGMENT_FLAT_CODE32 | TYPE_CONFORMING);
	BAD(BENCH_PROT32, 3, FIELD(ACCESS, SEG_ES), SEGMENT_FLAT_DATA);
	GOOD(BENCH_PROT32, 3, FIELD(ACCESS, SEG_ES), SEGMENT_UNUSABLE);
	BAD(BENCH_PROT32, 0, FIELD(BASE, SEG_DS), BIT(32));
	GOOD(BENCH_LONG64, 0, FIELD(BASE, SEG_FS), 0xffff800000000000);
	BAD(BENCH_LONG64, 0, FIELD(BASE, SEG_GS), BIT(50));
}

static void virtual_8086(void **state)
{
	(void)state;
	GOOD(BENCH_V86, 3, VMCS_GUEST_RSP, 0x1234);
	BAD(BENCH_V86, 3, FIELD(BASE, SEG_FS), 0x10);
	BAD(BENCH_V86, 3, FIELD(SELECTOR, SEG_CS), 1);
	BAD(BENCH_V86, 3, FIELD(LIMIT, SEG_DS), 0xfffff);
	BAD(BENCH_V86, 3, FIELD(ACCESS, SEG_SS), SEGMENT_V86 & ~SEGMENT_DPL);
}

static void tables(void **state)
{
	const uint32_t tr = FIELD(ACCESS, SEG_TR), ldtr = FIELD(ACCESS, SEG_LDTR);

	(void)state;
	BAD(BENCH_PROT32, 0, tr, SEGMENT_TSS);
	BAD(BENCH_PROT32, 0, tr, SEGMENT_TSS_BUSY | SEGMENT_UNUSABLE);
	BAD(BENCH_PROT32, 0, tr, SEGMENT_TSS_BUSY & ~SEGMENT_P);
	BAD(BENCH_PROT32, 0, tr, SEGMENT_TSS_BUSY | SEGMENT_S);
	BAD(BENCH_PROT32, 0, FIELD(SELECTOR, SEG_TR), BENCH_TSS1 | 4);
	GOOD(BENCH_PROT32, 0, tr, SEGMENT_P | TYPE_TSS16_BUSY);
	BAD(BENCH_LONG64, 0, tr, SEGMENT_P | TYPE_TSS16_BUSY);
	GOOD(BENCH_PROT32, 0, ldtr, SEGMENT_LDT);
	BAD(BENCH_PROT32, 0, ldtr, SEGMENT_TSS_BUSY);
	BAD(BENCH_PROT32, 0, ldtr, SEGMENT_LDT | SEGMENT_G);
}

/* With "unrestricted guest" what the CPU itself has made of the registers can be entered. */
static void unrestricted(void **state)
{
	(void)state;
	at_mode("ept", BENCH_REAL, 0);
	vmcs_put(FIELD(SELECTOR, SEG_SS), 3);
	hvm_sync_paging(&bench.v->hvm, &bench.v->mmu);
	assert_true(vcpu_enterable(bench.v));
	again();
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(code_segment),
		cmocka_unit_test(stack),
		cmocka_unit_test(data),
		cmocka_unit_test(virtual_8086),
		cmocka_unit_test(tables),
		cmocka_unit_test(unrestricted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
