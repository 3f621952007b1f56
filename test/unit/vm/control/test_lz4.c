/* What vm/control/lz4.c packs, liblz4 unpacks into the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <lz4.h>

#include "lib/xorshift.h"
#include "vm/control/lz4.h"

static uint8_t from[LZ4_BYTES_MAX], packed[LZ4_ROOM(LZ4_BYTES_MAX) + 1], back[LZ4_BYTES_MAX];

static size_t there_and_back(size_t n)
{
	size_t m;

	memset(packed, 0xa7, sizeof(packed));
	m = lz4_pack(from, n, packed);
	assert_true(m <= LZ4_ROOM(n));
	for (size_t i = LZ4_ROOM(n); i < sizeof(packed); i++)
		assert_int_equal(packed[i], 0xa7);
	memset(back, 0, sizeof(back));
	assert_int_equal(LZ4_decompress_safe((const char *)packed, (char *)back, (int)m, (int)n), n);
	assert_memory_equal(from, back, n);
	return m;
}

/* Every length near the ends' rules, of bytes that repeat and that do not. */
static void short_ones(void **state)
{
	(void)state;
	for (size_t n = 0; n < 600; n++) {
		memset(from, 0, n);
		there_and_back(n);
		for (size_t i = 0; i < n; i++)
			from[i] = (uint8_t)(i * 37 ^ i >> 3);
		there_and_back(n);
		for (size_t i = 0; i < n; i++)
			from[i] = (uint8_t)(i % 5);
		there_and_back(n);
	}
}

static void it_packs(void **state)
{
	(void)state;
	memset(from, 0x11, sizeof(from));
	assert_true(there_and_back(sizeof(from)) < 300);
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = "a screen of text, "[i % 18];
	assert_true(there_and_back(16384) < 120);
}

static void anything(void **state)
{
	uint64_t seed = 5;

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		uint64_t kind = xorshift(&seed);
		size_t n = xorshift(&seed) % sizeof(from);

		for (size_t i = 0; i < n; i++) {
			uint64_t r = xorshift(&seed);

			from[i] = kind % 3 == 0 ? (uint8_t)r : r % 16 < kind % 15 && i > 300 ? from[i - 1 - r % 300]
											     : (uint8_t)(r >> 32);
		}
		there_and_back(n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_ones), cmocka_unit_test(it_packs), cmocka_unit_test(anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
