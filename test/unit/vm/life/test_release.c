/* What a virtual machine held goes back (vm/life/release.c): of each that ended, and of each that could not be made. */
#include "test/unit/vm/fixture.h"

#include "host/memory/frames.h"


/* What stays while there is a machine: what is still said of it on request. */
static uint64_t kept(const struct vm *vm)
{
	return pages_for(sizeof(struct vm)) + (vm->vcpu_count ? pages_for(sizeof(struct vcpu)) : 0);
}

/* An instruction that reads the TPR. */
static void patch_something(void)
{
	bench_poke(BENCH_CODE, "\xa1\x80\0\xe0\xfe", 5);
	vmcs_put(VMCS_GUEST_RIP, BENCH_CODE);
	EXIT(PAGE_FAULT_EXIT, .qualification = LAPIC_DEFAULT_BASE + APIC_TPR);
	assert_int_equal(bench.vm[0]->patch.made, 1);
}

static void everything_of_one_that_ended(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		bench_new(&(struct bench_config){
			.cpu = BENCH_HASWELL, .mmu = mechanisms[n], .description = "testdev on\n",
			.tpr = n & 1 ? "trap" : n ? "patch" : "flexpriority" });
		assert_true(bench_mode(n == 2 ? BENCH_PAE : BENCH_LONG64, 0));
		if (n == 2)
			patch_something();
		*bench_gpr(GPR_RAX) = 1;
		EXIT(.reason = EXIT_IO_INSTRUCTION, .qualification = (uint64_t)MARK_PORT << 16, .length = 1);
		for (unsigned page = 0; page < 16; page++) {
			uint64_t at = BENCH_DATA + page * PAGE_SIZE;

			if (n == 0)
				EXIT(.reason = EXIT_EPT_VIOLATION, .qualification = READ_KNOWN, .gpa = at, .gva = at);
			else
				EXIT(PAGE_FAULT_EXIT, .qualification = at);
		}
		assert_int_equal(bench_exit_simple(EXIT_TRIPLE_FAULT, 0), BENCH_OVER);
		assert_int_equal(machine.frames_before - frames_available(), kept(bench.vm[0]));
		bench_delete();
	}
}

/* At each stage of making it. */
static void everything_of_one_that_could_not_be_made(void **state)
{
	static const struct bench_config refused[] = {
		{ .mmu = "ept", .description = "ept-levels 5\n" },
		{ .mmu = "ept", .tpr = "flexpriority", .description = "initrd missing\n" },
		{ .mmu = "shadow", .description = "initrd missing\ntestdev on\n" },
		{ .mmu = "ept", .description = "mitigations l1d\n" },
	};

	(void)state;
	start();
	for (unsigned n = 0; n < ARRAY_SIZE(refused); n++) {
		uint64_t before = frames_available();
		struct vm *vm = bench_create(&refused[n]);

		assert_true(vm->ended);
		assert_int_equal(before - frames_available(), kept(vm));
	}
	STEP(bench_exit_simple(EXIT_CPUID, 2));
	finish();
}

static void not_enough_memory(void **state)
{
	uint64_t before, taken;
	struct vm *vm;
	hfn_t f;

	(void)state;
	start();
	/* 4 MiB of RAM, and 2 MiB are left. */
	taken = frames_available() - 512;
	f = frames_alloc_run(taken, 1);
	assert_false(hfn_is_none(f));
	before = frames_available();
	vm = bench_create(&(struct bench_config){ .mmu = "ept", .description = "prealloc on\n" });
	assert_true(vm->ended);
	assert_non_null(strstr(vm->end_text, "of RAM at once"));
	assert_int_equal(before - frames_available(), kept(vm));
	frames_free(f, taken);
	STEP(bench_exit_simple(EXIT_CPUID, 2));
	finish();
}

/* What is missing in the end is said. */
static void a_frame_that_is_lost(void **state)
{
	hfn_t f;

	(void)state;
	start();
	assert_int_equal(bench_exit_simple(EXIT_TRIPLE_FAULT, 0), BENCH_OVER);
	f = frames_alloc();
	vm_release_all();
	assert_int_equal(machine.vm_count, 0);
	assert_non_null(strstr(bench_log(), "free frames only"));
	frames_free(f, 1);
	assert_int_equal(frames_available(), machine.frames_before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_of_one_that_ended),
		cmocka_unit_test(everything_of_one_that_could_not_be_made),
		cmocka_unit_test(not_enough_memory),
		cmocka_unit_test(a_frame_that_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
