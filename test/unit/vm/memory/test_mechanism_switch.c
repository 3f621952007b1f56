/* From one mechanism to another while the guest runs (vm/memory/mechanism_switch.c): what is refused, what is kept, and
 * when it happens. */
#include "test/unit/vm/fixture.h"

#include "host/memory/frames.h"


static void start_with(const char *mmu, const char *description)
{
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = mmu, .description = description });
	check_entry(__LINE__);
}

static const char *to(const char *name) { return vm_switch(bench.v->vm, mmu_mechanism_by_name(name)); }
static const char *mmu(void) { return bench.vm[0]->mmu.ops->name; }

/* ---- SW2 ---- */

static uint64_t cpuid_bits(uint32_t leaf, enum gpr n)
{
	*bench_gpr(GPR_RAX) = leaf;
	*bench_gpr(GPR_RCX) = 0;
	again();
	return *bench_gpr(n);
}

static void features_that_a_mechanism_lacks(void **state)
{
	(void)state;
	start_with("ept", "");
	assert_false(cpuid_bits(CPUID_LEAF_VERSION, GPR_RCX) & CPUID_1_ECX_PCID);
	assert_false(cpuid_bits(CPUID_LEAF_FEATURES, GPR_RBX) & CPUID_7_EBX_INVPCID);
	STEP(bench_wrmsr(MSR_EFER, EFER_LME));
	assert_null(to("shadow"));
	finish();
	start_with("ept", "switch off\n");
	assert_true(cpuid_bits(CPUID_LEAF_VERSION, GPR_RCX) & CPUID_1_ECX_PCID);
	assert_non_null(to("shadow"));
	assert_string_equal(mmu(), "ept");
	assert_null(to("ept"));
	finish();
	/* Where EPT cannot be had anyway, nothing is hidden for its sake, and nothing for those that lack no more. */
	start_with("shadow", "switch off\n");
	assert_false(cpuid_bits(CPUID_LEAF_VERSION, GPR_RCX) & CPUID_1_ECX_PCID);
	assert_null(to("vtlb"));
	assert_null(to("ept"));
	finish();
}

static void what_the_cpu_lacks(void **state)
{
	(void)state;
	start_as(BENCH_PENRYN, "shadow");
	assert_non_null(to("ept"));
	assert_string_equal(mmu(), "shadow");
	again();
	assert_null(to("brute"));
	again();
	finish();
}

/* ---- the guest's mode ---- */

static void put(enum segment n, unsigned selector, unsigned access)
{
	vmcs_put(VMCS_GUEST_ES_SELECTOR + 2 * n, selector);
	vmcs_put(VMCS_GUEST_ES_ACCESS + 2 * n, access);
}

/* Protected mode; the entry takes them without "unrestricted guest", or does not. SDM, "Checks on Guest Segment
 * Registers". */
static void segments(enum segment n, unsigned selector, unsigned access, bool good)
{
	bool possible;

	start_with("ept", "");
	assert_true(bench_mode(BENCH_PROT32, 0));
	put(n, selector, access);
	if (n == SEG_SS)
		put(SEG_CS, BENCH_CODE0 | (selector & 3), SEGMENT_FLAT_CODE32 | (access & SEGMENT_DPL));
	assert_null(to("shadow"));
	possible = !bench.v->emulated;
	if (possible)
		again();
	finish();
	assert_int_equal(possible, good);
}

static void segment_registers_half_way(void **state)
{
	(void)state;
	segments(SEG_CS, BENCH_CODE0, SEGMENT_FLAT_DATA, false);
	segments(SEG_CS, BENCH_CODE0, SEGMENT_FLAT_CODE32, true);
	/* CS of another selector's level than SS; SS of another level than its selector. */
	segments(SEG_CS, BENCH_CODE0 | 1, SEGMENT_FLAT_CODE32, false);
	segments(SEG_SS, BENCH_DATA0 | 3, SEGMENT_FLAT_DATA, false);
	segments(SEG_SS, BENCH_DATA0 | 3, SEGMENT_FLAT_DATA | SEGMENT_DPL, true);
	segments(SEG_DS, 3, SEGMENT_FLAT_DATA, false);
	segments(SEG_GS, 3, SEGMENT_FLAT_DATA, false);
	segments(SEG_DS, 3, SEGMENT_FLAT_DATA | SEGMENT_DPL, true);
	segments(SEG_DS, 3, SEGMENT_UNUSABLE | SEGMENT_DATA16, true);
	segments(SEG_FS, 3, SEGMENT_FLAT_CODE32 | TYPE_CONFORMING, true); /* conforming code, readable */
}

static void real_mode(void **state)
{
	(void)state;
	start_with("ept", "");
	assert_true(bench_mode(BENCH_REAL, 0));
	bench_poke(0x8000, "\xeb\xfe", 2); /* for ever */
	assert_null(to("shadow"));
	assert_string_equal(mmu(), "shadow");
	assert_int_equal(bench_exit_simple(EXIT_CPUID, 2), BENCH_EMULATED);
	assert_null(to("vtlb"));
	assert_int_equal(bench_emulate(), BENCH_EMULATED);
	assert_null(to("ept"));
	STEP(bench_emulate());
	assert_false(vmcs_get(VMCS_GUEST_CR0) & CR0_PE);
	again();
	finish();
	/* Also with the segment registers of protected mode, which it has just left. */
	start_with("ept", "");
	assert_true(bench_mode(BENCH_PROT32, 0));
	STEP(bench_mov_to_cr(0, CR0_NE | CR0_ET));
	assert_null(to("shadow"));
	assert_true(bench.v->emulated);
	finish();
	/* Virtual-8086 mode is no real mode, for all that its segment registers look like. */
	start_with("ept", "");
	assert_true(bench_mode(BENCH_V86, 3));
	put(SEG_CS, 0x1001, SEGMENT_V86);
	put(SEG_SS, 0x1002, SEGMENT_V86);
	vmcs_put(VMCS_GUEST_ES_BASE + 2 * SEG_CS, 0x10010);
	vmcs_put(VMCS_GUEST_ES_BASE + 2 * SEG_SS, 0x10020);
	assert_null(to("shadow"));
	again();
	finish();
}

/* The VMCS of one that has not run yet holds nothing: it may be another's that is loaded, whose guest is half way. */
static void one_that_has_not_run(void **state)
{
	struct vm *other = start_one_of_two();

	(void)state;
	put(SEG_CS, BENCH_CODE0, SEGMENT_FLAT_DATA);
	assert_null(vm_switch(other, mmu_mechanism_by_name("shadow")));
	put(SEG_CS, BENCH_CODE0, SEGMENT_FLAT_CODE32);
	assert_string_equal(other->mmu.ops->name, "shadow");
	for (unsigned n = 0; n < 8 && bench.v->vm != other; n++)
		STEP(bench_timer());
	assert_ptr_equal(bench.v->vm, other);
	finish();
}

/* ---- SW1 ---- */

/* Under EPT the guest changes CR3, and bits of CR0 and CR4, without an exit. */
static void what_changed_without_an_exit(void **state)
{
	(void)state;
	start_with("ept", "");
	assert_true(bench_mode(BENCH_PAGED32, 0));
	vmcs_put(VMCS_GUEST_CR3, BENCH_TABLES + 0x10);
	vmcs_put(VMCS_GUEST_CR0, vmcs_get(VMCS_GUEST_CR0) | CR0_TS);
	assert_null(to("shadow"));
	again();
	assert_int_equal(bench.v->mmu.regs.cr3, BENCH_TABLES + 0x10);
	assert_int_equal(vmcs_get(VMCS_CR0_SHADOW) & CR0_TS, CR0_TS);
	finish();
}

/* Paging with PAE begins in the exit after which the mechanism changes: its PDPTEs are still on the way to the VMCS. */
static void what_was_about_to_be_written(void **state)
{
	uint64_t pdpte[4];

	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_LYNNFIELD, .mmu = "ept",
					  .description = "switch-every 32exits\nswitch-among ept,shadow\n" });
	assert_true(bench_mode(BENCH_PAE, 0));
	STEP(bench_mov_to_cr(0, CR0_WP | CR0_NE | CR0_ET | CR0_PE));
	memcpy(pdpte, bench.v->mmu.regs.pdpte, sizeof(pdpte));
	assert_true(pdpte[0] & 1);
	for (unsigned n = 0; n < 4; n++)
		vmcs_put(VMCS_GUEST_PDPTE0 + 2 * n, 0);
	assert_string_equal(mmu(), "ept");
	bench.vm[0]->switching.seen = 31;
	STEP(bench_mov_to_cr(0, CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE));
	assert_string_equal(mmu(), "shadow");
	assert_memory_equal(bench.v->mmu.regs.pdpte, pdpte, sizeof(pdpte));
	finish();
}

/* Where there is no memory for the new tables, it goes on with the old ones. */
static void no_memory(void **state)
{
	static hfn_t taken[8192];
	unsigned count = 0;
	const char *why;

	(void)state;
	start_with("ept", "");
	assert_true(bench_mode(BENCH_LONG64, 0));
	while (count < ARRAY_SIZE(taken) && !hfn_is_none(taken[count] = frames_alloc()))
		count++;
	for (unsigned n = 0; n < 8; n++) {
		why = to(n & 1 ? "ept" : "shadow");
		again();
		if (why)
			break;
	}
	while (count)
		frames_free(taken[--count], 1);
	assert_null(to("vtlb"));
	again();
	assert_string_equal(mmu(), "vtlb");
	finish();
}

/* ---- SW3, and when ---- */

static void every_so_many_exits(void **state)
{
	static const char *const round[] = { "shadow", "vtlb", "brute", "ept", "shadow" };

	(void)state;
	start_with("ept", "switch-every 40exits\n");
	for (unsigned i = 0; i < ARRAY_SIZE(round); i++) {
		const char *before = mmu();
		unsigned n = 0;

		for (; !strcmp(mmu(), before); n++) {
			assert_true(n < 50);
			again();
		}
		assert_in_range(n, 39, 41);
		assert_string_equal(mmu(), round[i]);
	}
	finish();
}

/* A HLT sleeps, and afterwards the exits are counted as before. */
static void a_hlt_between_exits(void **state)
{
	unsigned n;

	(void)state;
	start_with("ept", "switch-every 32exits\n");
	x2apic_on();
	STEP(bench_wrmsr(MSR_X2APIC_LVT_TIMER, LVT_TIMER_DEADLINE | DEADLINE_VECTOR));
	STEP(bench_wrmsr(MSR_TSC_DEADLINE, vmcs_get(VMCS_TSC_OFFSET) + soft.tsc + 10000));
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
	STEP(bench_timer());
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 0x31), 0);
	for (n = 0; n < 40 && !strcmp(mmu(), bench.vm[0]->switching.list[0]->name); n++)
		again();
	for (n = 0; n < 100 && bench.vm[0]->mmu.counters.switches < 2; n++)
		again();
	assert_in_range(n, 1, 40);
	finish();
}

#define PERIOD 1000000 /* ticks */

/* The guest runs for a period, by the host's clock. */
static void run_for(uint64_t ticks)
{
	bench_wait(ticks);
	STEP(bench_timer());
}

static void every_millisecond(void **state)
{
	(void)state;
	start_with("ept", "switch-every 1ms\nswitch-among ept,brute\n");
	assert_in_range(timers_next(&bench.vm[0]->vcpu[0]->timers), soft.tsc + PERIOD - 5000, soft.tsc + PERIOD);
	run_for(PERIOD);
	assert_string_equal(mmu(), "brute");
	/* A period begins when the change is done. */
	assert_in_range(timers_next(&bench.vm[0]->vcpu[0]->timers), soft.tsc + PERIOD - 5000, soft.tsc + PERIOD);
	run_for(PERIOD);
	assert_string_equal(mmu(), "ept");
	finish();
}

/* An alarm that comes when the guest has hardly run changes nothing, and comes again a little later. */
static void too_early(void **state)
{
	(void)state;
	start_with("ept", "switch-every 1ms\nswitch-among ept,brute\n");
	run_for(PERIOD);
	assert_string_equal(mmu(), "brute");
	vcpu_request(bench.v, REQUEST_MMU);
	again();
	assert_string_equal(mmu(), "brute");
	assert_in_range(timers_next(&bench.vm[0]->vcpu[0]->timers), soft.tsc + PERIOD / 16 - 5000,
			soft.tsc + PERIOD / 16 + 5000);
	run_for(PERIOD / 16 + 100);
	assert_string_equal(mmu(), "ept");
	finish();
}

/* One that sleeps makes no progress and needs none. */
static void while_it_sleeps(void **state)
{
	(void)state;
	start_with("ept", "switch-every 1ms\nswitch-among ept,brute\n");
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
	assert_int_equal(bench_timer(), BENCH_IDLE);
	assert_string_equal(mmu(), "brute");
	assert_int_equal(bench_timer(), BENCH_IDLE);
	assert_string_equal(mmu(), "ept");
	finish();
}

/* ---- lists ---- */

static void the_round(void **state)
{
	struct vm *vm;

	(void)state;
	/* Without a list: all that the CPU can run. */
	bench_new(&(struct bench_config){ .cpu = BENCH_PENRYN, .mmu = "", .description = "switch-every 32exits\n" });
	assert_int_equal(bench.vm[0]->switching.count, 3);
	for (unsigned n = 0; n < 3; n++)
		assert_string_not_equal(bench.vm[0]->switching.list[n]->name, "ept");
	vm = bench_create(&(struct bench_config){ .mmu = "shadow",
						  .description = "switch-every 32exits\nswitch-among shadow,ept\n" });
	assert_true(vm->ended);
	assert_int_equal(vm->status, VM_STATUS_UNSUPPORTED);
	assert_non_null(strstr(vm->end_text, "ept"));
	finish();
	/* It starts outside of the list: the first change leads to the list's first. */
	start_with("shadow", "switch-every 32exits\nswitch-among ept,brute\n");
	for (unsigned n = 0; n < 40 && !strcmp(mmu(), "shadow"); n++)
		again();
	assert_string_equal(mmu(), "ept");
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(features_that_a_mechanism_lacks),
		cmocka_unit_test(what_the_cpu_lacks),
		cmocka_unit_test(segment_registers_half_way),
		cmocka_unit_test(real_mode),
		cmocka_unit_test(one_that_has_not_run),
		cmocka_unit_test(what_changed_without_an_exit),
		cmocka_unit_test(what_was_about_to_be_written),
		cmocka_unit_test(no_memory),
		cmocka_unit_test(every_so_many_exits),
		cmocka_unit_test(a_hlt_between_exits),
		cmocka_unit_test(every_millisecond),
		cmocka_unit_test(too_early),
		cmocka_unit_test(while_it_sleeps),
		cmocka_unit_test(the_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
