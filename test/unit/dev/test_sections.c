/* The sections of a snapshot: by name, version and length; none is read beyond its end, nor left half read. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "dev/state.h"

static uint8_t bytes[100];

static size_t section_of_two(void)
{
	uint8_t n = 7;
	bool yes = true;
	struct fields s;

	state_save(&s, bytes, sizeof(bytes));
	state_begin(&s, "one", 3);
	state_u8(&s, &n);
	state_bool(&s, &yes);
	state_end(&s);
	return s.at;
}

static void sections(void **state)
{
	uint8_t m = 9;
	struct fields s;
	size_t size = section_of_two();

	(void)state;
	/* A newer one is not read, an older one is, and says so. */
	state_load(&s, bytes, size, 0);
	state_begin(&s, "one", 2);
	assert_true(s.bad);
	state_u8(&s, &m);
	assert_int_equal(m, 9);
	state_load(&s, bytes, size, 0);
	state_begin(&s, "one", 4);
	assert_int_equal(s.version, 3);
	state_u8(&s, &m);
	assert_int_equal(m, 7);
	state_end(&s); /* something is left */
	assert_true(s.bad);
}

static void sections_cut(void **state)
{
	uint8_t m = 9;
	bool yes = true;
	struct fields s;
	size_t size = section_of_two();

	(void)state;
	/* Of one that is shorter than it has to be nothing more is taken; one that is longer than the whole is none. */
	memset(bytes + size - 6, 0, 4);
	state_load(&s, bytes, size, 0);
	state_begin(&s, "one", 3);
	assert_false(s.bad);
	state_u8(&s, &m);
	assert_true(s.bad);
	assert_int_equal(m, 9);
	bytes[size - 6] = 3;
	state_load(&s, bytes, size, 0);
	state_begin(&s, "one", 3);
	assert_true(s.bad);
	bytes[size - 6] = 2;
	/* What is neither yes nor no. */
	bytes[size - 1] = 2;
	state_load(&s, bytes, size, 0);
	state_begin(&s, "one", 3);
	state_u8(&s, &m);
	state_bool(&s, &yes);
	assert_true(s.bad);
	state_load(&s, bytes, size, 0);
	state_begin(&s, "two", 3);
	assert_true(s.bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections), cmocka_unit_test(sections_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
