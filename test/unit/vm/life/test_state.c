/* What the log has of a virtual machine that comes to a bad end (vm/life/state.c). */
#include "test/unit/vm/fixture.h"

static void registers_and_last_exits(void **state)
{
	(void)state;
	bench_new(&(struct bench_config){ .mmu = "ept", .description = "detail on\n" });
	EXIT(.reason = EXIT_IO_INSTRUCTION, .qualification = 0x61u << 16 | BIT(3), .length = 2);
	*bench_gpr(GPR_RAX) = 0xabcde;
	again();
	assert_int_equal(bench_exit_simple(EXIT_TRIPLE_FAULT, 0), BENCH_OVER);
	assert_true(said("log test0: virtual CPU 0, rip 0x"));
	assert_true(said("log test0: cr0 0x"));
	assert_true(said("\nlog test0: exit io_instruction 0x110061 at rip 0x"));
	assert_true(said("\nlog test0: exit triple_fault 0x0 at rip 0x"));
	finish();
}

/* Where somebody has ended it already, that is what is told of. */
static void once(void **state)
{
	(void)state;
	start();
	vm_end(bench.v->vm, VM_STATUS_OK, "enough");
	vm_tell_state(bench.v);
	assert_false(said("virtual CPU 0, rip 0x"));
	finish();
}

/* Who is not looked at has registers only. */
static void registers(void **state)
{
	(void)state;
	start();
	again();
	assert_int_equal(bench_exit_simple(EXIT_TRIPLE_FAULT, 0), BENCH_OVER);
	assert_true(said("log test0: virtual CPU 0, rip 0x"));
	assert_false(said("log test0: exit "));
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_and_last_exits), cmocka_unit_test(once), cmocka_unit_test(registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
