/* The keyboard controller (dev/input/i8042.c), with its keyboard, and the mouse behind it. */
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
	command(0xa9);
	assert_int_equal(get(), 0x00);
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
}

static void says(const uint8_t *bytes, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(get(), bytes[i]);
	nothing();
}
#define SAYS(...) says((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

#define UP I8042_KEY_RELEASED
#define EXT I8042_KEY_EXTENDED

/* In set 2, in set 1, and translated. */
static void test_keys(void **state)
{
	(void)state;
	command(0x60);
	data(I8042_IRQ1);
	assert_true(i8042_key(&k, 0, 0x1c));
	assert_true(irq(1));
	SAYS(0x1c);
	i8042_key(&k, UP, 0x1c);
	SAYS(0xf0, 0x1c);
	i8042_key(&k, EXT, 0x75);
	i8042_key(&k, EXT | UP, 0x75);
	SAYS(0xe0, 0x75, 0xe0, 0xf0, 0x75);
	i8042_key(&k, I8042_KEY_PAUSE, 0);
	i8042_key(&k, I8042_KEY_PAUSE | UP, 0);
	SAYS(0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77);
	data(0xf0);
	data(0x03); /* a set that it does not have */
	data(0xf0);
	data(0x00);
	SAYS(0xfa, 0xfa, 0xfa, 0xfa, 0x02);
	command(0x60);
	data(I8042_IRQ1 | I8042_TRANSLATE);
	for (unsigned n = 0; n < 2; n++) {
		i8042_key(&k, 0, 0x1c);
		i8042_key(&k, UP, 0x1c);
		i8042_key(&k, EXT, 0x75);
		i8042_key(&k, EXT | UP, 0x75);
		i8042_key(&k, 0, 0x83); /* F7 */
		SAYS(0x1e, 0x9e, 0xe0, 0x48, 0xe0, 0xc8, 0x41);
		i8042_key(&k, I8042_KEY_PAUSE, 0);
		SAYS(0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5);
		command(0x60);
		data(I8042_IRQ1);
		data(0xf0);
		data(0x01);
		SAYS(0xfa, 0xfa);
	}
	data(0xf5);
	SAYS(0xfa);
	assert_true(i8042_key(&k, 0, 0x1c)); /* nobody listens */
	nothing();
}

/* KB2. */
static void test_keys_without_room(void **state)
{
	(void)state;
	command(0x60);
	data(0);
	for (unsigned n = 0; n < 5; n++)
		assert_true(i8042_key(&k, EXT | UP, 0x75));
	assert_false(i8042_key(&k, UP, 0x1c));
	assert_true(i8042_key(&k, 0, 0x1c));
	assert_false(i8042_key(&k, 0, 0x1c));
	for (unsigned n = 0; n < 15; n++)
		assert_int_equal(get(), n % 3 == 0 ? 0xe0 : n % 3 == 1 ? 0xf0 : 0x75);
	SAYS(0x1c);
}

/* Each code of set 1 that a keyboard has comes from one of set 2. */
static void test_translation(void **state)
{
	bool seen[0x80] = { false };

	(void)state;
	command(0x60);
	data(I8042_TRANSLATE);
	for (unsigned code = 1; code < 0x80; code++) {
		uint8_t byte;

		i8042_key(&k, 0, (uint8_t)code);
		byte = get();
		assert_true(byte < 0x80);
		assert_false(seen[byte] && byte != 0x41);
		seen[byte] = true;
	}
	for (unsigned code = 1; code <= 0x53; code++)
		assert_true(seen[code]);
}

static void test_mouse(void **state)
{
	(void)state;
	command(0x60);
	data(I8042_IRQ1 | I8042_IRQ12);
	command(0xd4);
	data(0xf4);
	assert_true(irq(12));
	assert_false(irq(1));
	assert_true(status() & I8042_AUX_FULL);
	SAYS(0xfa);
	assert_false(irq(12));
	i8042_mouse(&k, MOUSE_LEFT, 1, 2, 0);
	assert_true(irq(12));
	/* KB1: a key does not come before what is there, but before what follows. */
	i8042_key(&k, 0, 0x1c);
	assert_true(status() & I8042_AUX_FULL);
	assert_false(irq(1));
	assert_int_equal(get(), 0x09);
	assert_false(status() & I8042_AUX_FULL);
	assert_true(irq(1));
	assert_int_equal(get(), 0x1c);
	SAYS(1, 2);
	command(0xa7);
	i8042_mouse(&k, 0, 0, 0, 0);
	nothing();
	command(0xa8);
	SAYS(0x08, 0, 0);
	i8042_mouse(&k, 0, 1, 0, 0);
	i8042_reset(&k);
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
					    T(test_full), T(test_keys), T(test_keys_without_room),
					    T(test_translation), T(test_mouse) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
