/* Registers that no virtual CPU can have had are refused in a snapshot (vm/snapshot/possible.c,
 * vm/snapshot/possible_segments.c). That those which one can have are not, vm_snapshot shows in every mode. */
#include "test/unit/vm/snapshot/taken.h"

/* The heart is asked for its registers before they are written: they are changed in what was written. */
static void patch_cpu(uint64_t old, uint64_t new)
{
	for (size_t at = 0; at + 8 <= taken.cpu_bytes[0]; at++)
		if (snapshot_u64(taken.cpu[0] + at) == old) {
			snapshot_put64(taken.cpu[0] + at, new);
			return;
		}
	fail_msg("0x%lx is not in it", old);
}

static void bad_paging(uint64_t old, uint64_t new)
{
	take_one();
	patch_cpu(old, new);
	finish();
	expect("its control registers are as no CPU has them", plainly);
}

static void registers_that_cannot_be(void **state)
{
	uint64_t cr0, cr4, efer;
	uint8_t *fpu;

	(void)state;
	take_one();
	cr0 = REGS.cr0, cr4 = REGS.cr4, efer = REGS.efer;
	finish();
	bad_paging(cr0, cr0 & ~CR0_PE);
	bad_paging(cr0, cr0 | BIT(40));
	bad_paging(cr0, cr0 & ~CR0_PG);
	bad_paging(cr4, cr4 | BIT(30));
	bad_paging(cr4, cr4 & ~CR4_PAE);
	bad_paging(efer, efer & ~EFER_LME);
	bad_paging(efer, efer | BIT(20));
	bad_paging(BENCH_TABLES, BIT(52));
	BAD_CPU(V->saved_msr[1] = BIT(60), "its registers are as no CPU has them");
	BAD_CPU(V->saved_msr[2] = BIT(60), "its registers are as no CPU has them");
	BAD_CPU(V->saved_msr[3] = BIT(40), "its registers are as no CPU has them");
	BAD_CPU(V->saved_msr[4] = BIT(60), "its registers are as no CPU has them");
	BAD_CPU(V->saved_msr[5] = BIT(40), "its registers are as no CPU has them");
	BAD_CPU(V->saved_dr[4] = BIT(40), "its registers are as no CPU has them");
	BAD_CPU(V->signals = SIGNAL_WAITS, "its registers are as no CPU has them");
	BAD_CPU(V->signals = 0x10, "its registers are as no CPU has them");
	BAD_CPU(V->signals = 0x9a << SIGNAL_VECTOR_SHIFT, "its registers are as no CPU has them");
	BAD_CPU(V->xcr0 = BIT(40), "its vector registers are as no CPU has them");
	BAD_CPU(V->xcr0 = 4, "its vector registers are as no CPU has them");
	BAD_CPU(fpu = V->fpu; memset(fpu + 26, 0xff, 2), "its vector registers are as no CPU has them");
	memset(fpu + 26, 0, 2); /* the bench's, for all machines */
	BAD_CPU(memset(fpu + 520, 1, 1), "its vector registers are as no CPU has them");
	memset(fpu + 520, 0, 1);
	BAD_CPU(V->hvm.spec_guest = 1, "its CPU has other controls of speculation");
	/* More behind them. */
	take_one();
	taken.cpu_bytes[0] += 8;
	finish();
	expect("more stands behind its last section", plainly);
}

#define SEGMENTS "its segments or flags are as no CPU has them"
#define ACCESS(n) (VMCS_GUEST_ES_ACCESS + 2 * (n))
#define LIMIT(n) (VMCS_GUEST_ES_LIMIT + 2 * (n))
#define BASE(n) (VMCS_GUEST_ES_BASE + 2 * (n))
#define SELECTOR(n) (VMCS_GUEST_ES_SELECTOR + 2 * (n))

/* A field of the VMCS is so, in this mode; every other one as it was. */
static void bad_field(enum bench_mode mode, enum vmcs_field field, uint64_t value, const char *what)
{
	bench_new(&plainly);
	assert_true(bench_mode(mode, mode == BENCH_V86 ? 3 : 0));
	take();
	vmcs_put(field, value);
	take_state();
	finish();
	expect(what, plainly);
}

static void segments_that_cannot_be(void **state)
{
	static const struct {
		enum bench_mode mode;
		enum vmcs_field field;
		uint64_t value;
	} bad[] = {
		{ BENCH_LONG64, ACCESS(SEG_CS), SEGMENT_FLAT_CODE64 | SEGMENT_DB },
		{ BENCH_LONG64, ACCESS(SEG_CS), SEGMENT_FLAT_CODE64 & ~SEGMENT_P },
		{ BENCH_LONG64, ACCESS(SEG_CS), SEGMENT_FLAT_CODE64 | SEGMENT_DPL },
		{ BENCH_LONG64, ACCESS(SEG_CS), SEGMENT_FLAT_CODE64 & ~SEGMENT_S },
		{ BENCH_LONG64, ACCESS(SEG_TR), SEGMENT_TSS },
		{ BENCH_LONG64, ACCESS(SEG_TR), SEGMENT_TSS_BUSY | SEGMENT_UNUSABLE },
		{ BENCH_LONG64, ACCESS(SEG_TR), SEGMENT_P | TYPE_TSS16_BUSY },
		{ BENCH_LONG64, ACCESS(SEG_TR), SEGMENT_TSS_BUSY | SEGMENT_S },
		{ BENCH_LONG64, SELECTOR(SEG_TR), BENCH_TSS1 | SELECTOR_TI },
		{ BENCH_LONG64, BASE(SEG_TR), BIT(50) },
		{ BENCH_LONG64, BASE(SEG_FS), BIT(50) },
		{ BENCH_LONG64, ACCESS(SEG_LDTR), SEGMENT_P | TYPE_TSS32 },
		{ BENCH_PROT32, BASE(SEG_CS), BIT(32) },
		{ BENCH_PROT32, LIMIT(SEG_DS), 0xfffff000 },
		{ BENCH_PROT32, ACCESS(SEG_DS), SEGMENT_FLAT_DATA | BIT(8) },
		{ BENCH_PROT32, ACCESS(SEG_DS), SEGMENT_FLAT_DATA & ~(uint32_t)TYPE_ACCESSED },
		{ BENCH_PROT32, ACCESS(SEG_ES), SEGMENT_FLAT_CODE32 & ~TYPE_READ_WRITE },
		{ BENCH_PROT32, ACCESS(SEG_SS), SEGMENT_FLAT_CODE32 },
		{ BENCH_PROT32, ACCESS(SEG_SS), SEGMENT_FLAT_DATA | SEGMENT_DPL },
		{ BENCH_PROT32, ACCESS(SEG_CS), SEGMENT_FLAT_DATA | SEGMENT_DPL },
		{ BENCH_V86, BASE(SEG_ES), 0x10 },
		{ BENCH_V86, LIMIT(SEG_ES), 0xfffff },
		{ BENCH_V86, ACCESS(SEG_ES), SEGMENT_DATA16 },
	};

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(bad); n++)
		bad_field(bad[n].mode, bad[n].field, bad[n].value, SEGMENTS);
}

static void flags_that_cannot_be(void **state)
{
	(void)state;
	bad_field(BENCH_LONG64, VMCS_GUEST_RFLAGS, 0, SEGMENTS);
	bad_field(BENCH_LONG64, VMCS_GUEST_RFLAGS, RFLAGS_FIXED | BIT(3), SEGMENTS);
	bad_field(BENCH_LONG64, VMCS_GUEST_RFLAGS, RFLAGS_FIXED | BIT(22), SEGMENTS);
	bad_field(BENCH_LONG64, VMCS_GUEST_RIP, BIT(50), SEGMENTS);
	bad_field(BENCH_PROT32, VMCS_GUEST_RIP, BIT(32), SEGMENTS);
	bad_field(BENCH_LONG64, VMCS_GUEST_GDTR_BASE, BIT(50), SEGMENTS);
	bad_field(BENCH_LONG64, VMCS_GUEST_IDTR_BASE, BIT(50), SEGMENTS);
	bad_field(BENCH_LONG64, VMCS_GUEST_GDTR_LIMIT, 0x10000, SEGMENTS);
	bad_field(BENCH_LONG64, VMCS_GUEST_IDTR_LIMIT, 0x10000, SEGMENTS);
}

#define INTERRUPTED "what it is about to be interrupted by is nothing that can be"
#define BLOCKED(value) bad_field(BENCH_LONG64, VMCS_GUEST_INTERRUPTIBILITY, value, INTERRUPTED)
#define TRAPS(value) bad_field(BENCH_LONG64, VMCS_GUEST_PENDING_DEBUG, value, INTERRUPTED)

/* An external interrupt where flags forbid it; a reserved type; vectors and error codes that do not belong together. */
static void events_that_cannot_be(void **state)
{
	static const struct event bad[] = {
		{ INFO(EVENT_TYPE_EXTERNAL, 0x40), 0, 0 },
		{ INFO(1u << EVENT_TYPE_SHIFT, 0x40), 0, 1 },
		{ INFO(7u << EVENT_TYPE_SHIFT, 0), 0, 1 },
		{ INFO(EVENT_TYPE_NMI, 3), 0, 0 },
		{ EXCEPTION(VECTOR_NMI), 0, 0 },
		{ EXCEPTION(0x20), 0, 0 },
		{ EXCEPTION(VECTOR_PF), 0, 0 },
		{ EXCEPTION_ERROR(VECTOR_UD), 0, 0 },
		{ EXCEPTION_ERROR(VECTOR_GP), 0x10000, 0 },
		{ EXCEPTION(VECTOR_UD) | BIT(13), 0, 0 },
		{ INFO(EVENT_TYPE_SOFTWARE_INTERRUPT, 0x80), 0, 0 },
		{ INFO(EVENT_TYPE_SOFTWARE_INTERRUPT, 0x80), 0, 16 },
		{ INFO(EVENT_TYPE_SOFTWARE_INTERRUPT, 0x80) | EVENT_HAS_ERROR, 0, 2 },
	};

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(bad); n++)
		BAD_CPU(V->event = bad[n], INTERRUPTED);
	BLOCKED(BLOCKING_STI);
	BLOCKED(BIT(2));
	BLOCKED(BIT(4));
	TRAPS(BIT(4));
	TRAPS(BIT(16));
}

/* Those of PAE paging, which a load of CR3 would have refused. */
static void pdptes_that_cannot_be(void **state)
{
	uint64_t old;

	(void)state;
	bench_new(&plainly);
	assert_true(bench_mode(BENCH_PAE, 0));
	take();
	old = REGS.pdpte[0];
	assert_true(old & PTE_P);
	patch_cpu(old, old | BIT(7));
	finish();
	expect("its control registers are as no CPU has them", plainly);
}

/* Of the second CPU: what vcpu_signal_init() and its like let come to be, and what not. */
static bool signals_restore(uint32_t signals)
{
	static const struct bench_config two = { .mmu = "ept", .description = "vcpus 2\n" };
	const char *text;

	bench_new(&two);
	assert_true(bench_mode(BENCH_LONG64, 0));
	bench.vm[0]->vcpu[1]->signals = signals;
	take();
	finish();
	text = refusal(two);
	if (*text)
		assert_non_null(strstr(text, "its registers are as no CPU has them"));
	return !*text;
}

static void signals(void **state)
{
	const uint32_t sipi = SIGNAL_SIPI | 0x9a << SIGNAL_VECTOR_SHIFT;

	(void)state;
	assert_true(signals_restore(SIGNAL_NMI));
	assert_true(signals_restore(SIGNAL_WAITS));
	assert_true(signals_restore(SIGNAL_WAITS | SIGNAL_INIT));
	assert_true(signals_restore(SIGNAL_WAITS | sipi));
	assert_true(signals_restore(SIGNAL_INIT | sipi | SIGNAL_NMI));
	assert_true(signals_restore(SIGNAL_WAITS | sipi | SIGNAL_NMI));
	assert_false(signals_restore(SIGNAL_WAITS | SIGNAL_NMI));
	assert_false(signals_restore(SIGNAL_INIT | SIGNAL_NMI));
	assert_false(signals_restore(sipi));
	assert_false(signals_restore(SIGNAL_WAITS | 0x9a << SIGNAL_VECTOR_SHIFT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_that_cannot_be),
		cmocka_unit_test(segments_that_cannot_be),
		cmocka_unit_test(flags_that_cannot_be),
		cmocka_unit_test(events_that_cannot_be),
		cmocka_unit_test(pdptes_that_cannot_be),
		cmocka_unit_test(signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
