/* The mouse (dev/input/mouse.c). */
#include "dev/input/mouse.h"
#include "test/unit/dev/fixture.h"

static struct mouse m;

static int setup_mouse(void **state)
{
	(void)state;
	mouse_reset(&m);
	return 0;
}

static int nothing_left(void **state)
{
	(void)state;
	return 0;
}

static void says(const uint8_t *bytes, unsigned n)
{
	assert_int_equal(m.count, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(mouse_take(&m), bytes[i]);
}
#define SAYS(...) says((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void commands(void **state)
{
	(void)state;
	mouse_write(&m, 0xff);
	SAYS(0xfa, 0xaa, 0x00);
	mouse_write(&m, 0xf2);
	SAYS(0xfa, 0x00);
	mouse_write(&m, 0xe8);
	SAYS(0xfa);
	mouse_write(&m, 0x03);
	SAYS(0xfa);
	mouse_write(&m, 0xf3);
	SAYS(0xfa);
	mouse_write(&m, 40);
	SAYS(0xfa);
	mouse_write(&m, 0xf2);
	SAYS(0xfa, 0x00);
	mouse_write(&m, 0xe7);
	SAYS(0xfa);
	mouse_write(&m, 0xf4);
	SAYS(0xfa);
	mouse_write(&m, 0xe9);
	SAYS(0xfa, 0x30, 3, 40);
	mouse_write(&m, 0xf6);
	SAYS(0xfa);
	mouse_write(&m, 0xe9);
	SAYS(0xfa, 0x00, 2, 100);
	mouse_write(&m, 0xe1); /* not known */
	SAYS(0xfe);
	mouse_write(&m, 0xee);
	SAYS(0xfa);
	mouse_write(&m, 0x55);
	SAYS(0x55);
	mouse_write(&m, 0xec);
	SAYS(0xfa);
	mouse_write(&m, 0x55);
	SAYS(0xfe);
}

static void enable(void)
{
	mouse_write(&m, 0xf4);
	SAYS(0xfa);
}

static void packets(void **state)
{
	(void)state;
	assert_true(mouse_move(&m, 0, 5, 5, 0)); /* nobody listens */
	SAYS();
	m.x = m.y = 0;
	enable();
	mouse_move(&m, 0, 0, 0, 0);
	SAYS();
	mouse_move(&m, MOUSE_LEFT, 3, -2, 0);
	SAYS(0x29, 3, 0xfe);
	mouse_move(&m, MOUSE_LEFT, 0, 0, 0); /* nothing new */
	SAYS();
	mouse_move(&m, MOUSE_RIGHT | MOUSE_MIDDLE, -1, 0, 1); /* it has no wheel */
	SAYS(0x1e, 0xff, 0);
	mouse_move(&m, MOUSE_RIGHT | MOUSE_MIDDLE, 0, 0, 1);
	SAYS();
	mouse_move(&m, 0, 300, -256, 0);
	SAYS(0x28, 0xff, 0x01, 0x28, 45, 0xff);
	mouse_write(&m, 0xf5);
	SAYS(0xfa);
	mouse_move(&m, 0, 1, 1, 0);
	SAYS();
}

/* PM1: whole packets, and nothing is lost meanwhile. */
static void full(void **state)
{
	int x = 0;

	(void)state;
	enable();
	for (unsigned n = 0; n < 30; n++)
		mouse_move(&m, 0, 10, 0, 0);
	x += 300;
	assert_false(mouse_move(&m, 0, 0, 0, 0));
	assert_int_equal(m.count % 3, 0);
	for (unsigned n = 0; n < 50; n++)
		mouse_move(&m, 0, 1, 0, 0);
	x += 50;
	while (m.count) {
		uint8_t flags = mouse_take(&m);

		assert_int_equal(flags & 0xf8, 0x08);
		x -= mouse_take(&m);
		assert_int_equal(mouse_take(&m), 0);
	}
	assert_int_equal(x, 0);
}

static void wheel(void **state)
{
	static const uint8_t rates[] = { 200, 100, 80 };

	(void)state;
	for (unsigned n = 0; n < sizeof(rates); n++) {
		mouse_write(&m, 0xf3);
		SAYS(0xfa);
		mouse_write(&m, rates[n]);
		SAYS(0xfa);
	}
	mouse_write(&m, 0xf2);
	SAYS(0xfa, 0x03);
	enable();
	mouse_move(&m, 0, 0, 0, -1);
	SAYS(0x08, 0, 0, 0xff);
	mouse_write(&m, 0xff);
	SAYS(0xfa, 0xaa, 0x00);
	mouse_write(&m, 0xf2);
	SAYS(0xfa, 0x00);
}

/* PM2. */
static void remote(void **state)
{
	(void)state;
	enable();
	mouse_write(&m, 0xf0);
	SAYS(0xfa);
	mouse_move(&m, MOUSE_LEFT, 7, 0, 0);
	SAYS();
	mouse_write(&m, 0xeb);
	SAYS(0xfa, 0x09, 7, 0);
	mouse_write(&m, 0xeb);
	SAYS(0xfa, 0x09, 0, 0);
	mouse_write(&m, 0xea);
	SAYS(0xfa);
	mouse_move(&m, 0, 0, 1, 0);
	SAYS(0x08, 0, 1);
}

static void anything(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (unsigned n = 0; n < 1000000; n++) {
		uint32_t r = pc_random(&seed);

		if (r % 4 == 0)
			mouse_write(&m, (uint8_t)(r & 0x100 ? r >> 16 : 0xe6 + (r >> 16) % 26));
		else if (r % 4 == 1)
			mouse_move(&m, (uint8_t)(r >> 8), (int)pc_random(&seed), (int)pc_random(&seed), (int)r);
		else if (m.count)
			mouse_take(&m);
		assert_true(m.count <= MOUSE_QUEUE && m.first < MOUSE_QUEUE);
	}
}

#define MOUSE_TEST(f) cmocka_unit_test_setup_teardown(f, setup_mouse, nothing_left)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MOUSE_TEST(commands), MOUSE_TEST(packets), MOUSE_TEST(full), MOUSE_TEST(wheel), MOUSE_TEST(remote),
		MOUSE_TEST(anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
