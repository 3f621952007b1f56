/* The port by which a guest says that it has panicked (dev/firmware/pvpanic.c). */
#include "test/unit/dev/fixture.h"
#include "lib/ports.h"

static void test_pvpanic(void **state)
{
	(void)state;
	assert_int_equal(inb(pc, PVPANIC_PORT), 3);
	assert_int_equal(inw(pc, PVPANIC_PORT), 0xff03);
	assert_int_equal(inb(pc, PVPANIC_PORT - 1), 0xff);
	outb(pc, PVPANIC_PORT, 0);
	outb(pc, PVPANIC_PORT, 0xfc);
	assert_int_equal(pc->events[MACHINE_PANICKED] + pc->events[MACHINE_CRASH_LOADED], 0);
	outb(pc, PVPANIC_PORT, 1);
	assert_int_equal(pc->events[MACHINE_PANICKED], 1);
	assert_int_equal(pc->event_value[MACHINE_PANICKED], 0x505);
	outb(pc, PVPANIC_PORT, 2);
	assert_int_equal(pc->events[MACHINE_PANICKED], 1);
	assert_int_equal(pc->events[MACHINE_CRASH_LOADED], 1);
	outl(pc, PVPANIC_PORT, 0xffffff03); /* both: it is over */
	assert_int_equal(pc->events[MACHINE_PANICKED], 2);
	assert_int_equal(pc->events[MACHINE_CRASH_LOADED], 1);
}

#define T(f) PC_TEST(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_pvpanic) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
