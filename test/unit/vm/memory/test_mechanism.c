/* Which mechanism a virtual machine gets, and what is refused (vm/memory/mechanism.c). */
#include "test/unit/vm/fixture.h"


static uint64_t no_vpid(uint32_t msr, uint64_t value)
{
	return msr == MSR_VMX_EPT_VPID_CAP ? value & ~CAP_INVVPID : value;
}

static struct vm *create(const char *mmu, const char *description)
{
	return bench_create(&(struct bench_config){ .mmu = mmu, .description = description });
}

static void refused(const char *mmu, const char *description, const char *text)
{
	struct vm *vm = create(mmu, description);

	assert_true(vm->ended);
	assert_int_equal(vm->status, VM_STATUS_UNSUPPORTED);
	if (!strstr(vm->end_text, text))
		fail_msg("\"%s\" does not say \"%s\"", vm->end_text, text);
}

static void the_best(void **state)
{
	(void)state;
	start();
	assert_string_equal(bench.vm[0]->mmu.ops->name, "ept");
	finish();
	start_as(BENCH_PENRYN, "");
	assert_string_equal(bench.vm[0]->mmu.ops->name, "shadow");
	finish();
	start_as(BENCH_LYNNFIELD, "brute");
	assert_string_equal(bench.vm[0]->mmu.ops->name, "brute");
	finish();
}

static void what_the_cpu_has_not(void **state)
{
	(void)state;
	start_as(BENCH_PENRYN, "");
	refused("ept", "", "mmu ept");
	refused("", "vpid on\n", "vpid on");
	refused("shadow", "ept-levels 5\n", "ept-levels 5");
	/* Of no matter to this mechanism. */
	assert_false(create("shadow", "pages 1g\nvpid off\n")->ended);
	finish();
	start_as(BENCH_LYNNFIELD, "");
	refused("", "pages 1g\n", "pages 1g");
	refused("", "unrestricted on\n", "unrestricted on");
	refused("", "dirty pml\n", "dirty pml cannot be had: the CPU has no page-modification logging; use wp or auto");
	refused("ept", "ept-levels 5\n", "ept-levels 5");
	assert_false(create("ept", "pages 2m\nvpid on\nept-levels 4\n")->ended);
	finish();
}

static uint64_t no_large(uint32_t msr, uint64_t value)
{
	return msr == MSR_VMX_EPT_VPID_CAP ? value & ~(CAP_EPT_2M | CAP_EPT_1G) : value;
}

static void an_ept_of_small_pages(void **state)
{
	(void)state;
	bench_new(&(struct bench_config){
		.cpu = BENCH_HASWELL, .mmu = "ept", .description = "pages 4k\n", .msr = no_large });
	refused("ept", "pages 2m\n", "pages 2m");
	finish();
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .msr = no_vpid });
	refused("shadow", "vpid on\n", "vpid on");
	finish();
}

static void who_runs_real_mode(void **state)
{
	(void)state;
	start();
	assert_true(mechanism_runs_real_mode(bench.vm[0], mmu_mechanism_by_name("ept")));
	assert_false(mechanism_runs_real_mode(bench.vm[0], mmu_mechanism_by_name("shadow")));
	finish();
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .description = "unrestricted off\n" });
	assert_false(mechanism_runs_real_mode(bench.vm[0], mmu_mechanism_by_name("ept")));
	assert_false(vmcs_get(VMCS_PROC_CONTROLS2) & PROC2_UNRESTRICTED);
	assert_true(vmcs_get(VMCS_GUEST_CR0) & CR0_PG);
	finish();
	start_as(BENCH_LYNNFIELD, "");
	assert_false(mechanism_runs_real_mode(bench.vm[0], mmu_mechanism_by_name("ept")));
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_best),
		cmocka_unit_test(what_the_cpu_has_not),
		cmocka_unit_test(an_ept_of_small_pages),
		cmocka_unit_test(who_runs_real_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
