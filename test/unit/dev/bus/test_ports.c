/* The PC's odd ports (dev/bus/ports.c): reset, POST, debug exit, "Shutdown". */
#include "test/unit/dev/fixture.h"
#include "lib/ports.h"

static unsigned resets(void) { return pc->events[MACHINE_RESET]; }

static void test_resets(void **state)
{
	(void)state;
	outb(pc, PORT_RESET_CONTROL, 0x02);
	assert_int_equal(resets(), 0);
	assert_int_equal(inb(pc, PORT_RESET_CONTROL), 0x02);
	outb(pc, PORT_RESET_CONTROL, 0x06);
	assert_int_equal(resets(), 1);
	assert_int_equal(pc->event_value[MACHINE_RESET], 0xcf9);
	outb(pc, PORT_RESET_CONTROL, 0x0e); /* still set: not again */
	assert_int_equal(resets(), 1);
	assert_int_equal(inb(pc, PORT_KBC_COMMAND), 0xff);
	assert_int_equal(inb(pc, PORT_KBC_DATA), 0xff);
	outb(pc, PORT_KBC_COMMAND, 0xd1);
	outb(pc, PORT_KBC_COMMAND, 0xff); /* pulses nothing */
	assert_int_equal(resets(), 1);
	outb(pc, PORT_KBC_COMMAND, 0xfe);
	assert_int_equal(resets(), 2);
	outb(pc, PORT_KBC_DATA, 0xfe);
	assert_int_equal(resets(), 2);
	assert_int_equal(inb(pc, PORT_FAST_A20), 2); /* A20 is open */
	outb(pc, PORT_FAST_A20, 0);
	assert_int_equal(inb(pc, PORT_FAST_A20), 2);
	outb(pc, PORT_FAST_A20, 3);
	assert_int_equal(resets(), 3);
	outb(pc, PORT_FAST_A20, 3);
	assert_int_equal(resets(), 3);
	ports_reset(&pc->ports);
	outb(pc, PORT_RESET_CONTROL, 0x06);
	assert_int_equal(resets(), 4);
}

static void say(const char *s)
{
	while (*s)
		outb(pc, PORT_SHUTDOWN, (uint8_t)*s++);
}

static void test_exits(void **state)
{
	(void)state;
	outl(pc, PORT_DEBUG_EXIT, 0x11223344);
	assert_int_equal(pc->events[MACHINE_DEBUG_EXIT], 1);
	assert_int_equal(pc->event_value[MACHINE_DEBUG_EXIT], 0x11223344);
	outb(pc, PORT_DEBUG_EXIT, 0x21);
	assert_int_equal(pc->event_value[MACHINE_DEBUG_EXIT], 0x21);
	assert_int_equal(inl(pc, PORT_DEBUG_EXIT), 0xffffffff);
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
	outb(pc, PORT_POST, 0x55);
	outb(pc, PORT_POST + 4, 0x66);
	assert_int_equal(inb(pc, PORT_POST), 0x55);
	assert_int_equal(inl(pc, PORT_POST + 4) & 0xff, 0x66);
	assert_int_equal(inb(pc, PORT_SHUTDOWN), 0xff);
}

#define T(f) PC_TEST(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_resets), T(test_exits) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
