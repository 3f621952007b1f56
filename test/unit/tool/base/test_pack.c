/* Files of the boot image, packed: which are, and that they are then as lib/packed_file.h says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <lz4.h>

#include "lib/packed_file.h"
#include "lib/xorshift.h"
#include "tool/base/pack.h"

enum { LONG = 200000 };

static char content[LONG];

/* Of 16 bytes so many repeat. */
static struct bytes file(size_t length, unsigned repeats)
{
	uint64_t seed = 9;

	for (size_t i = 0; i < length; i++) {
		uint64_t r = xorshift(&seed);

		content[i] = i > 300 && r % 16 < repeats ? content[i - 1] : (char)(r >> 32);
	}
	return (struct bytes){ .data = content, .length = length };
}

/* What was packed is the file again. Returns how many bytes it is packed. */
static size_t packed_whole(const struct bytes *whole)
{
	struct bytes out = { 0 };
	struct packed_head head;
	char *back = malloc(whole->length + 1);
	size_t length;

	assert_non_null(back);
	assert_true(pack_file("a file", whole, &out));
	assert_true(out.length > sizeof head);
	memcpy(&head, out.data, sizeof head);
	assert_memory_equal(head.mark, PACKED_MARK, PACKED_MARK_BYTES);
	assert_int_equal(head.bytes, whole->length);
	assert_int_equal(LZ4_decompress_safe(out.data + sizeof head, back, (int)(out.length - sizeof head),
					     (int)whole->length), (int)whole->length);
	assert_memory_equal(back, whole->data, whole->length);
	length = out.length;
	bytes_free(&out);
	free(back);
	return length;
}

static void not_packed(const struct bytes *whole)
{
	struct bytes out = { 0 };

	assert_false(pack_file("a file", whole, &out));
	assert_null(out.data);
	assert_int_equal(out.length, 0);
}

static void what_saves_a_quarter(void **state)
{
	struct bytes whole;
	unsigned packed = 0, as_they_are = 0;

	(void)state;
	for (unsigned repeats = 0; repeats <= 16; repeats++) {
		whole = file(LONG, repeats);
		if (repeats < 8) {
			not_packed(&whole);
			as_they_are++;
		} else if (repeats > 13) {
			assert_in_range(packed_whole(&whole), 100, pack_most(LONG));
			packed++;
		}
	}
	assert_int_equal(packed, 3);
	assert_int_equal(as_they_are, 8);
	assert_int_equal(pack_most(LONG), LONG / 4 * 3);
}

/* Such as would be longer packed, none at all among them. */
static void short_ones_stay(void **state)
{
	struct bytes whole;

	(void)state;
	for (size_t length = 0; length < 24; length++) {
		whole = file(length, 0);
		not_packed(&whole);
	}
}

/* Also where that makes them longer; but not for a part of the mark. */
static void what_has_the_mark_is_packed(void **state)
{
	struct bytes whole;

	(void)state;
	for (size_t length = PACKED_MARK_BYTES; length < 3000; length += length < 40 ? 1 : 977) {
		whole = file(length, 0);
		memcpy(content, PACKED_MARK, PACKED_MARK_BYTES);
		assert_true(packed_whole(&whole) > length);
		content[PACKED_MARK_BYTES - 1] ^= 1;
		not_packed(&whole);
	}
	whole = file(PACKED_MARK_BYTES - 1, 0);
	memcpy(content, PACKED_MARK, PACKED_MARK_BYTES - 1);
	not_packed(&whole);
	whole = file(LONG, 16);
	memcpy(content, PACKED_MARK, PACKED_MARK_BYTES);
	assert_true(packed_whole(&whole) < pack_most(LONG));
}

/* The library's lengths end before 2 GiB: a longer file stays, unless the hypervisor would take it for a packed one. */
static void what_is_too_long(void **state)
{
	struct bytes whole = { .data = content, .length = (size_t)LZ4_MAX_INPUT_SIZE + 1 };
	int status;
	pid_t child;

	(void)state;
	file(LONG, 0);
	not_packed(&whole);
	memcpy(content, PACKED_MARK, PACKED_MARK_BYTES);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct bytes out = { 0 };

		close(STDERR_FILENO);
		pack_file("a file", &whole, &out);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), STATUS_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_saves_a_quarter),        cmocka_unit_test(short_ones_stay),
		cmocka_unit_test(what_has_the_mark_is_packed), cmocka_unit_test(what_is_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
