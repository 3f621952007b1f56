/* The PC's odd ports (dev/bus/ports.c): reset, POST, debug exit, "Shutdown". */
#include "test/unit/dev/fixture.h"

static unsigned resets(void) { return pc->events[MACHINE_RESET]; }

static void test_resets(void **state)
{
	(void)state;
	outb(pc, 0xcf9, 0x02);
	assert_int_equal(resets(), 0);
	assert_int_equal(inb(pc, 0xcf9), 0x02);
	outb(pc, 0xcf9, 0x06);
	assert_int_equal(resets(), 1);
	assert_int_equal(pc->event_value[MACHINE_RESET], 0xcf9);
	outb(pc, 0xcf9, 0x0e); /* still set: not again */
	assert_int_equal(resets(), 1);
	assert_int_equal(inb(pc, 0x64), 0xff);
	assert_int_equal(inb(pc, 0x60), 0xff);
	outb(pc, 0x64, 0xd1);
	outb(pc, 0x64, 0xff); /* pulses nothing */
	assert_int_equal(resets(), 1);
	outb(pc, 0x64, 0xfe);
	assert_int_equal(resets(), 2);
	outb(pc, 0x60, 0xfe);
	assert_int_equal(resets(), 2);
	assert_int_equal(inb(pc, 0x92), 2); /* A20 is open */
	outb(pc, 0x92, 0);
	assert_int_equal(inb(pc, 0x92), 2);
	outb(pc, 0x92, 3);
	assert_int_equal(resets(), 3);
	outb(pc, 0x92, 3);
	assert_int_equal(resets(), 3);
	ports_reset(&pc->ports);
	outb(pc, 0xcf9, 0x06);
	assert_int_equal(resets(), 4);
}

static void say(const char *s)
{
	while (*s)
		outb(pc, 0x8900, (uint8_t)*s++);
}

static void test_exits(void **state)
{
	(void)state;
	outl(pc, 0xf4, 0x11223344);
	assert_int_equal(pc->events[MACHINE_DEBUG_EXIT], 1);
	assert_int_equal(pc->event_value[MACHINE_DEBUG_EXIT], 0x11223344);
	outb(pc, 0xf4, 0x21);
	assert_int_equal(pc->event_value[MACHINE_DEBUG_EXIT], 0x21);
	assert_int_equal(inl(pc, 0xf4), 0xffffffff);
	say("Shut");
	say("down");
	assert_int_equal(pc->events[MACHINE_POWER_OFF], 1);
	say("ShutdowShutdow");
	assert_int_equal(pc->events[MACHINE_POWER_OFF], 1);
	say("n");
	assert_int_equal(pc->events[MACHINE_POWER_OFF], 2);
	say("SShutdown");
	assert_int_equal(pc->events[MACHINE_POWER_OFF], 3);
	say("shutdown");
	assert_int_equal(pc->events[MACHINE_POWER_OFF], 3);
	outb(pc, 0x80, 0x55);
	outb(pc, 0x84, 0x66);
	assert_int_equal(inb(pc, 0x80), 0x55);
	assert_int_equal(inl(pc, 0x84) & 0xff, 0x66);
	assert_int_equal(inb(pc, 0x8900), 0xff);
}

#define T(f) PC_TEST(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_resets), T(test_exits) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
