/* The library that compresses, as vm/memory/compress.c and host/cpu/unpack.c call it: what leaves it comes back, within
 * the room that was promised; what is no block is refused and does no harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/cpu/unpack.h"
#include "lib/xorshift.h"
#include "vm/control/packed.h"

static struct compressor compressor;
static uint8_t from[PACKED_MAX], packed[COMPRESS_ROOM(PACKED_MAX)], back[PACKED_MAX];

static size_t there_and_back(size_t n)
{
	size_t bytes = compress(&compressor, packed, COMPRESS_ROOM(n), from, n);

	assert_true(bytes);
	memset(back, 0, n);
	assert_true(unpack_block(back, n, packed, bytes));
	assert_memory_equal(back, from, n);
	assert_false(unpack_block(back, n - 1, packed, bytes));
	assert_false(unpack_block(back, n, packed, bytes - 1));
	assert_int_equal(compress(&compressor, packed, bytes - 1, from, n), 0);
	return bytes;
}

/* Every short length, of bytes that repeat and that do not. */
static void short_ones(void **state)
{
	(void)state;
	for (size_t n = 1; n < 300; n++) {
		memset(from, 0, n);
		there_and_back(n);
		for (size_t i = 0; i < n; i++)
			from[i] = (uint8_t)(i * 37 ^ i >> 3);
		there_and_back(n);
	}
}

static void long_ones(void **state)
{
	uint64_t seed = 5;

	(void)state;
	memset(from, 0x11, sizeof(from));
	assert_in_range(there_and_back(sizeof(from)), 1, 200);
	for (unsigned round = 0; round < 100; round++) {
		uint64_t kind = xorshift(&seed);
		size_t n = 1 + xorshift(&seed) % sizeof(from);

		for (size_t i = 0; i < n; i++) {
			uint64_t r = xorshift(&seed);

			from[i] = i > 300 && r % 16 < kind % 16 ? from[i - 1 - r % 300] : (uint8_t)(r >> 32);
		}
		there_and_back(n);
	}
}

static bool refused(const void *block, size_t bytes, size_t n)
{
	uint8_t *exact = malloc(bytes ? bytes : 1), *out = malloc(n ? n : 1);
	bool refused;

	memcpy(exact, block, bytes);
	refused = !unpack_block(out, n, exact, bytes);
	free(exact);
	free(out);
	return refused;
}

static void what_is_no_block(void **state)
{
	uint64_t seed = 3;
	size_t bytes;

	(void)state;
	assert_true(refused("", 0, 10));
	assert_true(refused("\x20" "a", 2, 2));              /* fewer literals than it says */
	assert_true(refused("\xf0", 1, 100));                /* no length */
	assert_true(refused("\x20" "ab", 3, 1));             /* no room */
	assert_true(refused("\x20" "ab", 3, 3));             /* or too much */
	assert_true(refused("\x10" "a\x02\x00\x00", 5, 5));  /* before the beginning */
	assert_true(refused("\x10" "a\x01\x00\x00", 5, 4));  /* a match without room */
	bytes = compress(&compressor, packed, sizeof(packed), from, sizeof(from));
	assert_false(unpack_block(back, sizeof(back), packed, bytes + ((size_t)1 << 32)));
	assert_false(unpack_block(back, sizeof(back) + ((size_t)1 << 32), packed, bytes));
	assert_true(unpack_block(back, sizeof(back), packed, bytes));
	for (unsigned round = 0; round < 20000; round++) {
		uint8_t block[40];

		for (unsigned i = 0; i < sizeof(block); i++)
			block[i] = (uint8_t)(xorshift(&seed) >> 24);
		refused(block, xorshift(&seed) % sizeof(block), xorshift(&seed) % 300);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_ones), cmocka_unit_test(long_ones), cmocka_unit_test(what_is_no_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
