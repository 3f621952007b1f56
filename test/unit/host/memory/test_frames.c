/* The host's frames (host/memory/frames.c), and where the map of them is put (host/boot/multiboot.c): on machines with
 * RAM of any size, beside what must stay as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/boot/multiboot.h"
#include "host/cpu/spinlock.h"
#include "host/memory/frames.h"
#include "lib/multiboot.h"

#define MIB (1ull << 20)
#define SEEN (192 * MIB) /* of the machine's memory, from 0 on */

/* What the linker script gives the hypervisor: the image lies from 4 MiB on, 3 MiB of it. */
__asm__(".globl image_start, image_end\n.set image_start, 0x400000\n.set image_end, 0x700000");

/* Nobody else takes the lock. */
void spin_wait(struct spinlock *l) { fail_msg("%p is held", (void *)l); }

static uint8_t *memory;

static void map_memory(void)
{
	memory = mmap(NULL, SEEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		abort();
	frames_base = (uintptr_t)memory;
}

/* ---- a Multiboot2 information ---- */

struct information {
	uint32_t total, reserved;
	uint8_t tags[1000];
};

static void add_tag(struct information *i, uint32_t type, const void *data, uint32_t n)
{
	uint32_t head[2] = { type, n + 8 };

	memcpy((uint8_t *)i + i->total, head, 8);
	if (n)
		memcpy((uint8_t *)i + i->total + 8, data, n);
	i->total += (n + 8 + 7) & ~7u;
}

static void add_module(struct information *i, uint32_t start, uint32_t end)
{
	struct { uint32_t start, end; char name[8]; } module = { start, end, "module" };

	add_tag(i, 3, &module, sizeof(module));
}

/* Reads it; NULL, or what is wrong. */
static const char *read_information(struct information *i)
{
	add_tag(i, 0, NULL, 0);
	return boot_info_read(MULTIBOOT2_BOOT_MAGIC, i);
}

#define ENTRY(base, bytes) { (base), (bytes), 1 }
struct map {
	uint32_t entry_size, version;
	struct { uint64_t base, length, type; } entry[4];
};

/* ---- the tests, each in a process of its own: what the loader left is read once ---- */

#define CHECK(what) \
	do { \
		if (!(what)) \
			return __LINE__; \
	} while (0)

static void in_child(int (*test)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		int line = test();

		if (line)
			fprintf(stderr, "line %d: not so\n", line);
		_exit(line != 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* A TiB of RAM: the map has 64 MiB, behind the image and a module that is in the way. */
static int large_machine(void)
{
	struct map map = { 24, 0, { ENTRY(0, 640 << 10), ENTRY(MIB, 3 * GIB - MIB), ENTRY(4 * GIB, 1020 * GIB) } };
	struct information i = { .total = 8 };
	uint64_t in_map = frames_map_bytes(1024 * GIB), before;
	hfn_t run, frame;

	map_memory();
	add_tag(&i, 6, &map, sizeof(map));
	add_module(&i, 0x900000, 0x3000000);
	CHECK(!read_information(&i));
	CHECK(in_map == 64 * MIB && frames_end() == 1024 * GIB);
	CHECK(frames_available() << PAGE_SHIFT ==
	      1023 * GIB - MIB - 3 * MIB - (0x3000000 - 0x900000) - in_map);
	before = frames_available();
	run = frames_alloc_run(GIB >> PAGE_SHIFT, GIB >> PAGE_SHIFT);
	CHECK(run.v == 1023 * GIB >> PAGE_SHIFT);
	frame = frames_alloc();
	CHECK(frame.v == MIB >> PAGE_SHIFT);
	frames_free(run, GIB >> PAGE_SHIFT);
	frames_free(frame, 1);
	CHECK(frames_available() == before);
	return 0;
}

/* No frame is handed out twice, and none that must stay as it is, until there is none. */
static int every_frame(void)
{
	struct map map = { 24, 0, { ENTRY(0, 640 << 10), ENTRY(MIB, SEEN - MIB) } };
	struct information i = { .total = 8 };
	static uint8_t seen[SEEN >> PAGE_SHIFT];
	uint64_t count = 0, all;

	map_memory();
	add_tag(&i, 6, &map, sizeof(map));
	add_module(&i, 0x800000, 0x810000);
	CHECK(!read_information(&i));
	all = frames_available();
	for (hfn_t f = frames_alloc(); !hfn_is_none(f); f = frames_alloc(), count++) {
		uint64_t at = f.v << PAGE_SHIFT;

		CHECK(at >= MIB && at < SEEN && !(at >= 0x400000 && at < 0x700000));
		CHECK(!(at >= 0x800000 && at < 0x810000) && seen[f.v]++ == 0);
		memset(memory + at, 0xff, PAGE_SIZE); /* whoever has it writes all of it */
	}
	CHECK(count == all && frames_available() == 0);
	return 0;
}

/* Blocks of 2 MiB are whole, aligned, zeroed, and nobody else's; cleared ahead, they stay clear until they are given.
 * FR2 */
static int blocks(void)
{
	struct map map = { 24, 0, { ENTRY(0, 640 << 10), ENTRY(MIB, SEEN - MIB) } };
	struct information i = { .total = 8 };
	static const char zeroes[2 * MIB];
	hfn_t first, f, single;
	uint64_t all, count = 0;

	map_memory();
	memset(memory, 0xa5, SEEN);
	add_tag(&i, 6, &map, sizeof(map));
	CHECK(!read_information(&i));
	all = frames_available();
	first = frames_alloc_block();
	CHECK(first.v == (SEEN >> PAGE_SHIFT) - FRAMES_BLOCK && frames_available() == all - FRAMES_BLOCK);
	CHECK(!memcmp(memory + SEEN - 2 * MIB, zeroes, 2 * MIB));
	memset(memory + SEEN - 2 * MIB, 0xa5, 2 * MIB);
	frames_free(first, FRAMES_BLOCK);
	frames_clear_ahead(3);
	CHECK(frames_available() == all);
	for (unsigned n = 1; n <= 4; n++)
		CHECK(!memcmp(memory + SEEN - n * 2 * MIB, zeroes, 2 * MIB) == (n <= 3));
	/* Written by whoever has it, and not clear when it comes back. */
	single = frames_alloc_run(1, 1);
	CHECK(single.v == (SEEN >> PAGE_SHIFT) - 1);
	memset(memory + SEEN - PAGE_SIZE, 0xa5, PAGE_SIZE);
	f = frames_alloc_clear_block();
	CHECK(f.v == (SEEN >> PAGE_SHIFT) - 2 * FRAMES_BLOCK);
	memset(memory + (f.v << PAGE_SHIFT), 0xa5, 2 * MIB);
	frames_free(f, FRAMES_BLOCK);
	CHECK(hfn_is_none(frames_alloc_clear_block()));
	CHECK(frames_alloc_block().v == f.v && !memcmp(memory + (f.v << PAGE_SHIFT), zeroes, 2 * MIB));
	frames_free(single, 1);
	f = frames_alloc_block();
	CHECK(f.v == first.v && !memcmp(memory + SEEN - 2 * MIB, zeroes, 2 * MIB));
	while (!hfn_is_none(f = frames_alloc_block()) && ++count)
		CHECK(f.v % FRAMES_BLOCK == 0 && !memcmp(memory + (f.v << PAGE_SHIFT), zeroes, 2 * MIB));
	CHECK(count > 80 && frames_available() == all - (count + 2) * FRAMES_BLOCK);
	frames_clear_ahead(1000);
	return 0;
}

static int no_room(void)
{
	struct map map = { 24, 0, { ENTRY(0, 640 << 10), ENTRY(MIB, MIB), ENTRY(4 * GIB, 1020 * GIB) } };
	struct information i = { .total = 8 };
	const char *why;

	map_memory();
	add_tag(&i, 6, &map, sizeof(map));
	why = read_information(&i);
	CHECK(why && strstr(why, "no room"));
	return 0;
}

static void all_of_a_large_machine(void **state) { (void)state; in_child(large_machine); }
static void every_frame_once(void **state) { (void)state; in_child(every_frame); }
static void blocks_that_are_clear(void **state) { (void)state; in_child(blocks); }
static void no_room_for_the_map(void **state) { (void)state; in_child(no_room); }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_a_large_machine),
		cmocka_unit_test(every_frame_once),
		cmocka_unit_test(blocks_that_are_clear),
		cmocka_unit_test(no_room_for_the_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
