/* A guest that says that it has panicked (vm/platform.c, dev/firmware/pvpanic.c): stopped, paused, or let be. */
#include "test/unit/vm/fixture.h"
#include "lib/ports.h"

static void start_on_panic(const char *description)
{
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "", .description = description });
}

/* OUT of a byte in AL to a port. */
static enum bench_at byte_out(uint16_t port, uint8_t value)
{
	*bench_gpr(GPR_RAX) = value;
	return bench_exit(&(struct bench_exit){ .reason = EXIT_IO_INSTRUCTION, .length = 2,
						.qualification = (uint64_t)port << 16 });
}

static void a_panic_is_the_end(void **state)
{
	(void)state;
	start();
	STEP(byte_out(PVPANIC_PORT, 0));
	EXPECT_END(byte_out(PVPANIC_PORT, 1), "the guest panicked");
	assert_int_equal(bench.vm[0]->status, VM_STATUS_PANICKED);
	assert_int_equal(occurrences(bench_log(), "log test0: virtual CPU 0, rip 0x"), 1);
	bench_delete();
}

static void a_panic_that_pauses(void **state)
{
	(void)state;
	start_on_panic("on-panic pause\n");
	assert_int_equal(byte_out(PVPANIC_PORT, 1), BENCH_IDLE);
	assert_true(bench.v->vm->paused);
	assert_false(bench.vm[0]->ended);
	assert_non_null(strstr(bench_log(), ": the guest panicked; it is paused\n"));
	finish();
}

/* The guest goes on, and however often it says so, it is said once. */
static void a_panic_that_is_nothing(void **state)
{
	(void)state;
	start_on_panic("on-panic none\n");
	for (unsigned n = 0; n < 3; n++)
		STEP(byte_out(PVPANIC_PORT, 1));
	assert_int_equal(occurrences(bench_log(), ": the guest panicked; it goes on\n"), 1);
	assert_int_equal(occurrences(bench_log(), "log test0: virtual CPU 0, rip 0x"), 1);
	finish();
}

static void a_crash_kernel(void **state)
{
	(void)state;
	start();
	STEP(byte_out(PVPANIC_PORT, 2));
	STEP(byte_out(PVPANIC_PORT, 2));
	assert_int_equal(occurrences(bench_log(), ": the guest crashed; its crash kernel takes over\n"), 1);
	EXPECT_END(byte_out(PVPANIC_PORT, 1), "the guest panicked");
	bench_delete();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_panic_is_the_end),
		cmocka_unit_test(a_panic_that_pauses),
		cmocka_unit_test(a_panic_that_is_nothing),
		cmocka_unit_test(a_crash_kernel),
	};

	return cmocka_run_group_tests_name("vm_panic", tests, NULL, NULL);
}
