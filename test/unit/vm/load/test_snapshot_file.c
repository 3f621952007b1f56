/* The file that a snapshot is: what is damaged, cut off, newer or another's is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/unit/vm/load/snapshot_chunk.h"

static uint8_t file[4096];
static size_t size;
static char error[200];
static struct snapshot_file f;

static void add(enum snapshot_kind kind, const void *data, size_t n)
{
	size += snapshot_put_chunk(file + size, kind, data, n);
}

static void make(unsigned cpus)
{
	memset(file, 0, sizeof(file));
	size = SNAPSHOT_HEADER_BYTES;
	add(SNAPSHOT_DESCRIPTION, "vm a\nrestore it\n", 16);
	add(SNAPSHOT_MACHINE, "machine", 7);
	for (unsigned n = 0; n < cpus; n++)
		add(SNAPSHOT_CPU, "a cpu", 5);
	add(SNAPSHOT_MEMORY, "memory", 6);
	snapshot_header(file, size, 50000000, cpus);
}

static bool opens(void)
{
	uint8_t *exact = malloc(size ? size : 1);
	bool ok;

	/* What is read beyond it is found by the sanitizer. */
	memcpy(exact, file, size);
	ok = snapshot_open(&f, exact, size, error, sizeof(error));
	free(exact);
	return ok;
}

static int setup(void **state)
{
	(void)state;
	make(2);
	return 0;
}

static void a_good_one(void **state)
{
	struct snapshot_chunk c;

	(void)state;
	assert_true(snapshot_open(&f, file, size, error, sizeof(error)));
	assert_int_equal(f.tsc_hz, 50000000);
	assert_int_equal(f.cpus, 2);
	assert_true(snapshot_find(&f, SNAPSHOT_CPU, 1, &c));
	assert_int_equal(c.bytes, 5);
	assert_memory_equal(c.data, "a cpu", 5);
	assert_false(snapshot_find(&f, SNAPSHOT_CPU, 2, &c));
	assert_true(snapshot_find(&f, SNAPSHOT_MEMORY, 0, &c));
	assert_false(snapshot_next(&f, &c));
	/* As zlib has it. */
	assert_int_equal(snapshot_crc(0, (const uint8_t *)"123456789", 9), 0xcbf43926);
	assert_int_equal(snapshot_crc(snapshot_crc(0, (const uint8_t *)"1234", 4), (const uint8_t *)"56789", 5),
			 0xcbf43926);
}

/* Byte by byte, as it is defined. */
static uint32_t crc_by_bits(const uint8_t *p, size_t n)
{
	uint32_t crc = ~0u;

	while (n--) {
		crc ^= *p++;
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

/* Of every length, wherever they begin. */
static void checksums(void **state)
{
	uint8_t bytes[80];

	(void)state;
	for (unsigned n = 0; n < sizeof(bytes); n++)
		bytes[n] = (uint8_t)(n * n * 7 + 3);
	for (unsigned at = 0; at < 9; at++)
		for (unsigned n = 0; at + n <= sizeof(bytes); n++) {
			uint32_t crc = crc_by_bits(bytes + at, n);

			assert_int_equal(snapshot_crc(0, bytes + at, n), crc);
			assert_int_equal(
				snapshot_crc(snapshot_crc(0, bytes + at, n / 3), bytes + at + n / 3, n - n / 3), crc);
		}
}

/* Every length but its own, and every bit that is another, is noticed. */
static void cut_and_altered(void **state)
{
	size_t whole = size;

	(void)state;
	for (size = 0; size < whole; size++)
		assert_false(opens());
	size = 20;
	assert_false(opens());
	assert_string_equal(error, "it is cut off within its header");
	size = whole - 8;
	assert_false(opens());
	assert_non_null(strstr(error, "it is cut off, or something was added"));
	size = whole + 8;
	assert_false(opens());
	size = whole;
	for (unsigned bit = 0; bit < size * 8; bit++) {
		size_t at = bit / 8;
		bool padding = at >= size - 2 || (at >= SNAPSHOT_HEADER_BYTES && file[at] == 0);

		file[at] ^= (uint8_t)(1u << bit % 8);
		if (opens() && !padding)
			fail_msg("bit %u was not noticed", bit);
		file[at] ^= (uint8_t)(1u << bit % 8);
	}
	assert_true(opens());
}

static void foreign_and_newer(void **state)
{
	(void)state;
	file[0] = 'v';
	assert_false(opens());
	assert_string_equal(error, "it is no snapshot of Vellum's");
	make(1);
	snapshot_put32(file + 16, 7);
	assert_false(opens());
	assert_string_equal(error, "it is a snapshot of version 7, and this Vellum knows version 1 only");
	make(1);
	file[33] ^= 1;
	assert_false(opens());
	assert_string_equal(error, "its header is damaged");
}

/* Chunks that lie about themselves, with a header that is right. */
static void chunks_that_lie(void **state)
{
	size_t first = SNAPSHOT_HEADER_BYTES, last;

	(void)state;
	make(1);
	snapshot_put64(file + first + 8, size);
	assert_false(opens());
	make(1);
	snapshot_put64(file + first + 8, ~0ull);
	assert_false(opens());
	make(1);
	snapshot_put32(file + first, SNAPSHOT_KINDS);
	assert_false(opens());
	assert_string_equal(error, "it is damaged: its chunks do not follow each other");
	make(1);
	last = size;
	size += 8; /* half a chunk's head */
	snapshot_header(file, size, 1, 1);
	assert_false(opens());
	/* What is behind it would be the rest of one. */
	snapshot_put32(file + last, SNAPSHOT_MEMORY);
	assert_false(snapshot_open(&f, file, size, error, sizeof(error)));
	size = last;
	make(1);
	file[first + SNAPSHOT_CHUNK_BYTES] ^= 1;
	assert_false(opens());
	assert_non_null(strstr(error, "the checksum of the 16 bytes from byte 64 on is wrong"));
}

static void not_whole(void **state)
{
	(void)state;
	make(1);
	snapshot_header(file, size, 1, 2);
	assert_false(opens());
	assert_non_null(strstr(error, "it is not whole"));
	make(0);
	assert_false(opens());
	make(1);
	add(SNAPSHOT_MACHINE, "again", 5);
	snapshot_header(file, size, 1, 1);
	assert_false(opens());
}

#define T(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_good_one), T(checksums), T(cut_and_altered), T(foreign_and_newer), T(chunks_that_lie), T(not_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
