/* What of a picture has changed (tool/view/compare.c), and what --display may say (tool/view/start.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tool/view/view.h"

enum { WIDTH = 7, HEIGHT = 5 };

static void changes(void **state)
{
	uint32_t before[WIDTH * HEIGHT] = { 0 }, now[WIDTH * HEIGHT] = { 0 };
	struct view_change c;

	(void)state;
	assert_false(view_compare(before, now, WIDTH, HEIGHT, &c));
	for (unsigned a = 0; a < WIDTH * HEIGHT; a++)
		for (unsigned b = 0; b < WIDTH * HEIGHT; b++) {
			unsigned ax = a % WIDTH, ay = a / WIDTH, bx = b % WIDTH, by = b / WIDTH;

			memset(now, 0, sizeof now);
			now[a] = now[b] = 1;
			assert_true(view_compare(before, now, WIDTH, HEIGHT, &c));
			assert_int_equal(c.x1, ax < bx ? ax : bx);
			assert_int_equal(c.x2, (ax > bx ? ax : bx) + 1);
			assert_int_equal(c.y1, ay < by ? ay : by);
			assert_int_equal(c.y2, (ay > by ? ay : by) + 1);
		}
}

static void displays(void **state)
{
	static const char *const bad[] = { "", "no", "vnc:", "vnc:0", "vnc:65536", "vnc:x", "vnc:1x", "vnc5900" };
	uint64_t port;

	(void)state;
	assert_true(view_display("none", &port));
	assert_int_equal(port, 0);
	assert_true(view_display("vnc", &port));
	assert_int_equal(port, 5900);
	assert_true(view_display("vnc:65535", &port));
	assert_int_equal(port, 65535);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(view_display(bad[i], &port));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(changes), cmocka_unit_test(displays) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
