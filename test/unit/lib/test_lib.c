#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "lib/fmt.h"

#define check(expected, ...) \
	do { \
		char buf[64]; \
		assert_int_equal(fmt(buf, sizeof(buf), __VA_ARGS__), strlen(expected)); \
		assert_string_equal(buf, expected); \
	} while (0)

static void test_conversions(void **state)
{
	(void)state;
	check("x 42 -7 ff", "%c %u %d %x", 'x', 42u, -7, 255u);
	check("   42|42   |00042", "%5u|%-5u|%05u", 42u, 42u, 42u);
	check("18446744073709551615", "%lu", ~0ul);
	check("-9223372036854775808", "%ld", INT64_MIN);
	check("abc|ab|   abc|abc   ", "%s|%.2s|%6s|%-6s", "abc", "abc", "abc", "abc");
	check("ab", "%.*s", 2, "abc");
	check("100%", "100%%");
}

static void test_cut(void **state)
{
	char buf[5];

	(void)state;
	assert_int_equal(fmt(buf, sizeof(buf), "%s", "abcdefgh"), 8);
	assert_string_equal(buf, "abcd");
	assert_int_equal(fmt(NULL, 0, "%u", 12345u), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conversions),
		cmocka_unit_test(test_cut),
	};
	return cmocka_run_group_tests_name("lib", tests, NULL, NULL);
}
