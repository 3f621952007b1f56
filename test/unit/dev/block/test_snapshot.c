/* What was written over a medium, against an array of sectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "dev/block/snapshot.h"
#include "test/unit/dev/block/pages.h"

#define SECTORS 600u

/* The sectors lie where the numbers of three levels change. */
static void test_random(void **state)
{
	static uint8_t model[SECTORS], data[64 * 512];
	struct snapshot s = { .alloc = page, .free = page_free };
	const uint64_t base = 8ull * 512 * 512 - 300;
	unsigned seed = 1;

	(void)state;
	for (unsigned step = 0; step < 3000; step++) {
		unsigned at = (seed = seed * 1103515245 + 12345) >> 8, n = 1 + at / SECTORS % 64;
		bool all = true;

		at %= SECTORS - 64;
		if (step % 3 == 0) {
			for (unsigned i = 0; i < n; i++) {
				model[at + i] = (uint8_t)(1 + (step + i) % 255);
				memset(data + i * 512, model[at + i], 512);
			}
			assert_true(snapshot_write(&s, base + at, n, data));
			continue;
		}
		memset(data, 0, sizeof(data));
		snapshot_read(&s, base + at, n, data);
		for (unsigned i = 0; i < n; i++) {
			assert_int_equal(data[i * 512], model[at + i]);
			assert_int_equal(data[i * 512 + 511], model[at + i]);
			all &= model[at + i] != 0;
		}
		assert_int_equal(snapshot_has(&s, base + at, n), all);
	}
	assert_true(s.pages >= SECTORS / 8 - 8 && s.pages <= SECTORS / 8 + 2);
	snapshot_clear(&s);
	assert_int_equal(pages, 0);
	assert_false(snapshot_has(&s, base, 1));
}

static void test_far(void **state)
{
	struct snapshot s = { .alloc = page, .free = page_free };
	uint8_t data[512];

	(void)state;
	memset(data, 5, sizeof(data));
	assert_true(snapshot_write(&s, MASK(47, 0), 1, data));
	assert_true(snapshot_write(&s, 0, 1, data));
	assert_true(snapshot_has(&s, MASK(47, 0), 1));
	assert_false(snapshot_has(&s, MASK(46, 0), 1));
	snapshot_clear(&s);
	assert_int_equal(pages, 0);
}

static void test_scarce(void **state)
{
	struct snapshot s = { .alloc = page, .free = page_free };
	uint8_t data[2 * 512] = { 1 };

	(void)state;
	for (page_limit = 0; page_limit < SNAPSHOT_LEVELS + 2; page_limit++) {
		bool ok = snapshot_write(&s, 7, 2, data);

		assert_int_equal(ok, page_limit == SNAPSHOT_LEVELS + 2);
		assert_false(snapshot_has(&s, 8, 1));
		snapshot_clear(&s);
		assert_int_equal(pages, 0);
	}
	page_limit = ~0u;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random), cmocka_unit_test(test_far), cmocka_unit_test(test_scarce),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
