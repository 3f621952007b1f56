/* The keyboard controller (dev/input/i8042.c), with its keyboard. */
#include "test/unit/dev/fixture.h"
#include "dev/input/i8042.h"

static struct i8042 k;

static void event(void *ctx, enum machine_event kind, uint32_t value)
{
	(void)value;
	((unsigned *)ctx)[kind]++;
}

static unsigned events[8];

static int setup_k(void **state)
{
	(void)state;
	memset(events, 0, sizeof(events));
	pc = pc_new(1000000000);
	pio_remove(&pc->pio, PORT_KBC_DATA);
	pio_remove(&pc->pio, PORT_KBC_COMMAND);
	assert_true(i8042_init(&k, &pc->pio, irqhub_line(&pc->hub, 1), irqhub_line(&pc->hub, 12),
			       (struct machine_sink){ event, events }));
	return 0;
}

static void command(uint8_t value) { outb(pc, PORT_KBC_COMMAND, value); }
static void data(uint8_t value) { outb(pc, PORT_KBC_DATA, value); }
static uint8_t status(void) { return inb(pc, PORT_KBC_COMMAND); }

/* The next byte that there is. */
static uint8_t get(void)
{
	assert_true(status() & I8042_OUTPUT_FULL);
	return inb(pc, PORT_KBC_DATA);
}

static void nothing(void) { assert_false(status() & I8042_OUTPUT_FULL); }

static bool irq(unsigned n) { return pc->hub.levels & 1u << n; }

/* As SeaBIOS and Linux do. */
static void test_self_tests(void **state)
{
	(void)state;
	assert_int_equal(status(), I8042_UNLOCKED);
	command(0xaa);
	assert_int_equal(status(), I8042_UNLOCKED | I8042_OUTPUT_FULL | I8042_SYSTEM | I8042_COMMAND);
	assert_int_equal(get(), 0x55);
	nothing();
	command(0xab);
	assert_int_equal(get(), 0x00);
	command(0xa9); /* no auxiliary device answers */
	assert_int_not_equal(get(), 0x00);
	command(0x20);
	assert_int_equal(get(), 0x34);
	command(0x60);
	data(0x61);
	assert_int_equal(status() & I8042_COMMAND, 0);
	command(0x20);
	assert_int_equal(get(), 0x61);
	command(0xad);
	command(0xa8);
	command(0x20);
	assert_int_equal(get(), 0x51);
	command(0xae);
	command(0xa7);
	command(0x20);
	assert_int_equal(get(), 0x61);
	command(0xc0);
	assert_int_equal(get(), 0x80);
}

static void test_keyboard(void **state)
{
	(void)state;
	data(0xff);
	assert_int_equal(get(), 0xfa);
	assert_int_equal(get(), 0xaa);
	data(0xf2);
	assert_int_equal(get(), 0xfa);
	assert_int_equal(get(), 0xab);
	assert_int_equal(get(), 0x83);
	data(0xed);
	assert_int_equal(get(), 0xfa);
	data(0x07);
	assert_int_equal(get(), 0xfa);
	data(0xee);
	assert_int_equal(get(), 0xee);
	data(0xf0);
	data(0x01);
	data(0xf0);
	data(0x00);
	for (unsigned n = 0; n < 4; n++)
		assert_int_equal(get(), 0xfa);
	assert_int_equal(get(), 0x01);
	data(0xf0); /* another command in place of the parameter */
	data(0xf5);
	assert_int_equal(get(), 0xfa);
	assert_int_equal(get(), 0xfa);
	data(0x12); /* none */
	assert_int_equal(get(), 0xfe);
	nothing();
	assert_int_equal(inb(pc, PORT_KBC_DATA), 0xfe); /* what was there last */
}

static void test_interrupts(void **state)
{
	(void)state;
	command(0x60);
	data(I8042_IRQ1 | I8042_IRQ12);
	assert_false(irq(1));
	data(0xff);
	assert_true(irq(1));
	get();
	assert_true(irq(1)); /* the next */
	command(0xad);
	assert_false(irq(1)); /* it may not send */
	nothing();
	command(0xae);
	assert_true(irq(1));
	get();
	assert_false(irq(1));
	command(0xd3); /* as from the auxiliary device */
	data(0x5a);
	assert_true(irq(12));
	assert_true(status() & I8042_AUX_FULL);
	assert_int_equal(get(), 0x5a);
	assert_false(irq(12));
	command(0xd2);
	data(0xa5);
	assert_true(irq(1));
	assert_int_equal(get(), 0xa5);
	command(0xd4);
	data(0xff);
	nothing();
}

static void test_resets(void **state)
{
	(void)state;
	command(0xff);
	assert_int_equal(events[MACHINE_RESET], 0);
	command(0xfe);
	assert_int_equal(events[MACHINE_RESET], 1);
	command(0xd1);
	data(0x03);
	assert_int_equal(events[MACHINE_RESET], 1);
	command(0xd0);
	assert_int_equal(get(), 0x03);
	command(0xd1);
	data(0x00);
	assert_int_equal(events[MACHINE_RESET], 2);
	command(0xd0);
	assert_int_equal(get(), 0x02); /* A20 stays open */
}

/* What does not fit is lost, and nothing else. */
static void test_full(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 1000; n++)
		data(0xee);
	for (unsigned n = 0; n < I8042_QUEUE; n++)
		assert_int_equal(get(), 0xee);
	nothing();
	i8042_reset(&k);
	assert_int_equal(status(), I8042_UNLOCKED);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup_k, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_self_tests), T(test_keyboard), T(test_interrupts), T(test_resets),
					    T(test_full) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
