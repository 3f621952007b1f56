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

/* How many exits the log tells of, those that are told together counted. */
static unsigned told(void)
{
	unsigned n = 0, times;
	const char *line = bench_log();

	for (; (line = strstr(line, "log test0: exit ")); line += strcspn(line, "\n")) {
		const char *more = strstr(line, ", ");

		n += more && more < line + strcspn(line, "\n") && sscanf(more, ", %u times", &times) == 1 ? times : 1;
	}
	return n;
}

/* Who is not looked at has its last exits too: all, or the last 64, the last of which is the end. */
static void last_exits(void **state)
{
	char line[80];

	(void)state;
	for (unsigned exits = 0; exits <= 600; exits += 60) {
		start();
		for (unsigned n = 0; n < exits; n++) {
			vmcs_put(VMCS_GUEST_RIP, BENCH_CODE + 0x10 * (n / 2));
			EXIT(.reason = EXIT_VMCALL, .length = 3);
		}
		vmcs_put(VMCS_GUEST_RIP, 0x4321);
		assert_int_equal(bench_exit_simple(EXIT_TRIPLE_FAULT, 0), BENCH_OVER);
		assert_true(said("log test0: virtual CPU 0, rip 0x4321"));
		assert_int_equal(told(), exits < 64 ? exits + 1 : 64);
		assert_true(said("log test0: exit triple_fault at rip 0x4321\n"));
		snprintf(line, sizeof(line), "log test0: exit vmcall at rip 0x%x, 2 times\n",
			 BENCH_CODE + 0x10 * (exits / 2 - 1));
		assert_int_equal(said(line), exits > 0);
		finish();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_and_last_exits), cmocka_unit_test(once), cmocka_unit_test(last_exits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
