/* Flash memory (dev/firmware/flash.c): what its commands do, as the data sheet has them, and what none of them may do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "dev/firmware/flash.h"
#include "dev/state.h"
#include "lib/xorshift.h"

#define BLOCKS 4u
#define BYTES (BLOCKS * FLASH_BLOCK)
#define GOOD 0x80u
#define BAD_SEQUENCE 0xb0u

static uint8_t array[BYTES + 64], wanted[BYTES];
static struct flash flash;
static unsigned modes;
static struct { uint32_t offset, n; unsigned count; } last;

static void mode_changed(void *ctx)
{
	assert_ptr_equal(ctx, &modes);
	modes++;
}

static void changed(void *ctx, uint32_t offset, uint32_t n)
{
	assert_ptr_equal(ctx, &modes);
	assert_true(n && offset < BYTES && n <= BYTES - offset);
	last.offset = offset;
	last.n = n;
	last.count++;
}

static int setup(void **state)
{
	(void)state;
	memset(array, 0xa5, sizeof(array));
	memset(wanted, 0xa5, sizeof(wanted));
	memset(&last, 0, sizeof(last));
	flash = (struct flash){ .array = array, .bytes = BYTES, .mode_changed = mode_changed, .changed = changed,
				.ctx = &modes };
	flash_reset(&flash);
	modes = 0;
	return 0;
}

static void out(uint32_t offset, uint8_t value) { flash_write(&flash, offset, 1, value); }
static uint8_t in(uint32_t offset) { return (uint8_t)flash_read(&flash, offset, 1); }

static void intact(void)
{
	assert_memory_equal(array, wanted, BYTES);
	for (unsigned i = BYTES; i < sizeof(array); i++)
		assert_int_equal(array[i], 0xa5);
}

/* As OVMF tells a flash from RAM and ROM: each answer is the one that only a flash gives. */
static void test_known_by(void **state)
{
	(void)state;
	assert_true(flash_is_plain(&flash));
	out(100, 0x50);
	assert_int_equal(in(100), 0xa5);
	out(100, 0x70);
	assert_false(flash_is_plain(&flash));
	assert_int_equal(modes, 1);
	assert_int_equal(in(100), 0);
	out(100, 0xff);
	assert_true(flash_is_plain(&flash));
	assert_int_equal(modes, 2);
	assert_int_equal(flash_read(&flash, 100, 4), 0xa5a5a5a5);
	intact();
}

static void test_program(void **state)
{
	static const uint8_t commands[] = { 0x10, 0x40 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		uint32_t at = 0x1003 + i;

		out(at, commands[i]);
		assert_int_equal(in(0), GOOD);
		out(at, 0x0f);
		assert_int_equal(in(at), GOOD);
		wanted[at] = 0x05; /* only bits that were there */
		assert_int_equal(last.offset, at);
		assert_int_equal(last.n, 1);
		assert_int_equal(last.count, i + 1);
		out(at, 0xff);
		assert_int_equal(in(at), 0x05);
		assert_int_equal(in(at + 1), 0xa5);
	}
	intact();
}

static void test_erase(void **state)
{
	(void)state;
	out(0x1fff, 0x20);
	intact();
	out(0, 0xd0);
	assert_int_equal(in(0), GOOD);
	memset(wanted + 0x1000, 0xff, FLASH_BLOCK);
	assert_int_equal(last.offset, 0x1000);
	assert_int_equal(last.n, FLASH_BLOCK);
	intact();
	out(0x2000, 0x20);
	out(0x2000, 0xff);
	assert_int_equal(in(0), BAD_SEQUENCE);
	assert_int_equal(last.count, 1);
	out(0, 0x50);
	assert_true(flash_is_plain(&flash));
	out(0, 0x70);
	assert_int_equal(in(0), 0);
	intact();
}

static void buffer(uint32_t at, unsigned n, uint8_t confirm)
{
	out(at, 0xe8);
	assert_int_equal(in(at), GOOD);
	out(at, (uint8_t)(n - 1));
	for (unsigned i = 0; i < n; i++)
		out(at + i, (uint8_t)i);
	out(at, confirm);
}

static void test_buffer(void **state)
{
	(void)state;
	buffer(0x2040, 32, 0xd0);
	for (unsigned i = 0; i < 32; i++)
		wanted[0x2040 + i] = i & 0xa5;
	assert_int_equal(in(0), GOOD);
	assert_int_equal(last.offset, 0x2040);
	assert_int_equal(last.n, 32);
	buffer(0x2081, 1, 0xd0);
	wanted[0x2081] = 0;
	intact();
	buffer(0x2040, 3, 0x70);
	assert_int_equal(in(0), BAD_SEQUENCE);
	assert_int_equal(last.count, 2);
	intact();
}

/* More bytes than a buffer has, or some that are not in it. */
static void test_bad_buffers(void **state)
{
	(void)state;
	out(0x40, 0xe8);
	out(0x40, 32);
	assert_int_equal(in(0), BAD_SEQUENCE);
	out(0, 0x50);
	out(0x5f, 0xe8);
	out(0x5f, 1);
	out(0x5f, 0);
	out(0x60, 0);
	assert_int_equal(in(0), BAD_SEQUENCE);
	out(0, 0x50);
	out(0x40, 0xe8);
	out(0x40, 3);
	out(0x40, 0);
	out(0x42, 0);
	assert_int_equal(in(0), BAD_SEQUENCE);
	assert_int_equal(last.count, 0);
	intact();
}

static void test_protected(void **state)
{
	(void)state;
	flash.read_only = true;
	out(5, 0x40);
	out(5, 0);
	assert_int_equal(in(0), 0x92);
	out(0, 0x50);
	out(0x1000, 0x20);
	out(0x1000, 0xd0);
	assert_int_equal(in(0), 0xa2);
	out(0, 0x50);
	buffer(0x40, 4, 0xd0);
	assert_int_equal(in(0), 0x92);
	assert_int_equal(last.count, 0);
	intact();
}

/* JESD68.01: what a driver asks for. */
static void test_query(void **state)
{
	(void)state;
	out(0x55, 0x98);
	assert_int_equal(in(0x10), 'Q');
	assert_int_equal(in(0x11), 'R');
	assert_int_equal(in(0x12), 'Y');
	assert_int_equal(in(0x13) | in(0x14) << 8, 1);                 /* Intel's extended command set */
	assert_int_equal(in(in(0x15) | in(0x16) << 8), 'P');
	assert_int_equal(1u << in(0x27), BYTES);
	assert_int_equal(in(0x28) | in(0x29) << 8, 0);                 /* 8 bits */
	assert_int_equal(1u << (in(0x2a) | in(0x2b) << 8), FLASH_BUFFER);
	assert_int_equal(in(0x2c), 1);
	assert_int_equal(in(0x2d) | in(0x2e) << 8, BLOCKS - 1);
	assert_int_equal((in(0x2f) | in(0x30) << 8) * 256u, FLASH_BLOCK);
	out(0, 0x90);
	assert_int_equal(in(0), 0x89);
	assert_int_equal(in(2), 0);
	out(0, 0x60);
	out(0, 0xd0);
	assert_int_equal(in(0), GOOD);
	intact();
}

static bool taken(const struct flash *from)
{
	uint8_t bytes[200];
	struct fields s;
	struct flash as = *from;

	state_save(&s, bytes, sizeof(bytes));
	flash_state(&s, &as);
	assert_false(s.bad);
	state_load(&s, bytes, s.at, 0);
	flash_state(&s, &flash);
	state_done(&s);
	return !s.bad;
}

/* In the middle of a command; and what is in no such place. */
static void test_state(void **state)
{
	struct flash f;

	(void)state;
	out(0x1020, 0xe8);
	out(0x1020, 1);
	out(0x1020, 0);
	f = flash;
	out(0x1021, 0);
	out(0x1021, 0);
	assert_int_equal(flash.mode, FLASH_STATUS);
	assert_true(taken(&f));
	assert_int_equal(flash.mode, FLASH_FILL);
	out(0x1021, 0);
	out(0x1021, 0xd0);
	assert_int_equal(last.n, 2);
	modes = 0;
	f.mode = FLASH_ARRAY;
	assert_true(taken(&f));
	assert_int_equal(modes, 1);
	f.mode = FLASH_MODES;
	assert_false(taken(&f));
	f.mode = FLASH_FILL;
	f.left = FLASH_BUFFER;
	assert_false(taken(&f));
	f.left = 0;
	assert_false(taken(&f));
	f.left = 1;
	f.at = BYTES;
	assert_false(taken(&f));
	f.at = FLASH_BUFFER - 1;
	f.filled = 2;
	assert_false(taken(&f));
	f = flash;
	f.mode = FLASH_ERASE;
	f.at = 1;
	assert_false(taken(&f));
}

/* Nothing to confirm; and of another size. */
static void test_state_of_none(void **state)
{
	struct flash f = flash;

	(void)state;
	f.mode = FLASH_CONFIRM;
	f.left = f.filled = 0;
	f.at = 0;
	assert_false(taken(&f));
	f.filled = 1;
	assert_true(taken(&f));
	f.bytes -= FLASH_BLOCK;
	assert_false(taken(&f));
}

/* A guest that writes anything anywhere: the array stays within its bounds, each change is told, bits only come by
 * erasing, and plain reads are those of the array. */
static void test_anything(void **state)
{
	static const uint8_t commands[] = { 0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0x90, 0x98, 0xd0, 0xe8, 0xff, 0x00 };
	uint64_t r = 88172645463325252ull;

	(void)state;
	for (unsigned i = 0; i < 400000; i++) {
		uint32_t offset;
		unsigned size = 1u << (xorshift(&r) & 3), count = last.count;

		offset = (uint32_t)(xorshift(&r) % (BYTES - size + 1));
		if (xorshift(&r) & 1)
			offset = offset & 0xff ? flash.at : offset & ~31u;
		offset = offset > BYTES - size ? BYTES - size : offset;
		if (xorshift(&r) & 1)
			flash_write(&flash, offset, size, xorshift(&r));
		else
			flash_write(&flash, offset, 1, commands[xorshift(&r) % sizeof(commands)]);
		if (last.count == count)
			assert_memory_equal(array, wanted, 256);
		memcpy(wanted, array, BYTES);
		if (flash_is_plain(&flash))
			assert_int_equal(in(offset), array[offset]);
		else
			flash_read(&flash, offset, size);
	}
	intact();
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(test_known_by), T(test_program), T(test_erase), T(test_buffer), T(test_bad_buffers),
		T(test_protected), T(test_query), T(test_state), T(test_state_of_none), T(test_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
