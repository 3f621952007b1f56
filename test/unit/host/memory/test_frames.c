/* The host's frames (host/memory/frames.c), and where the map of them is put (host/boot/multiboot.c): on machines with
 * RAM of any size, beside what must stay as it is. */
#include "test/unit/host/boot/information.h"

#include <stdio.h>
#include <sys/mman.h>

#include "host/memory/frames.h"

/* A TiB of RAM: the map has 64 MiB, behind the image and a module that is in the way; a page before them has what the
 * loader says. */
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
	      1023 * GIB - MIB - 3 * MIB - (0x3000000 - 0x900000) - in_map - PAGE_SIZE);
	before = frames_available();
	run = frames_alloc_run(GIB >> PAGE_SHIFT, GIB >> PAGE_SHIFT);
	CHECK(run.v == 1023 * GIB >> PAGE_SHIFT);
	frame = frames_alloc();
	CHECK(frame.v == (MIB >> PAGE_SHIFT) + 1);
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

/* ---- as much as a loader has to say ---- */

#define MODULES 1000
#define RANGES 200

static uint64_t module_start(unsigned n) { return 0x800000 + n * 2 * PAGE_SIZE; }

/* A thousand modules, RAM in two hundred pieces, a command line and an RSDP; the information itself lies in RAM. */
static struct information *much(void)
{
	static struct { uint32_t size, version; struct { uint64_t base, length, type; } entry[RANGES + 2]; } map;
	struct information *i = (void *)(memory + 24 * MIB);
	char name[32];

	map.size = 24;
	map.entry[0].length = 640 << 10;
	map.entry[0].type = 1;
	map.entry[1].base = MIB;
	map.entry[1].length = 31 * MIB;
	map.entry[1].type = 1;
	for (unsigned n = 0; n < RANGES; n++) {
		map.entry[n + 2].base = 32 * MIB + n * 4 * PAGE_SIZE;
		map.entry[n + 2].length = 2 * PAGE_SIZE;
		map.entry[n + 2].type = 1;
	}
	i->total = 8;
	add_tag(i, 1, "stay hide=ept", 14);
	for (unsigned n = 0; n < MODULES; n++) {
		snprintf(name, sizeof(name), "v%u.kernel and more", n);
		add_named_module(i, (uint32_t)module_start(n), (uint32_t)module_start(n) + 1000 + n, name);
		memset(memory + module_start(n), (int)(n % 251), 1000 + n);
	}
	add_tag(i, 6, &map, sizeof(map));
	add_tag(i, 14, "RSD PTR of 20 bytes", 20);
	return i;
}

/* true: module n is found, and holds what it held. */
static bool module_whole(unsigned n)
{
	const struct boot_module *m;
	char name[32];

	snprintf(name, sizeof(name), "v%u.kernel", n);
	m = boot_module_find(name);
	return m && m->size == 1000 + n && m->data == memory + module_start(n) && m->data[0] == n % 251 &&
	       m->data[999 + n] == n % 251;
}

/* All of it is kept, also when the loader's memory is somebody else's, and RAM is seen elsewhere. */
static int all_is_kept(void)
{
	struct boot_range r;
	struct information *i;
	uint8_t *elsewhere = mmap(NULL, SEEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	map_memory();
	i = much();
	CHECK(i->total > 16384 && !read_information(i));
	for (hfn_t f = frames_alloc(); !hfn_is_none(f); f = frames_alloc())
		memset(frames_ptr(f), 0xff, PAGE_SIZE);
	CHECK(i->total == UINT32_MAX);
	CHECK(mremap(memory, SEEN, SEEN, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere) == elsewhere);
	memory = elsewhere;
	frames_base = (uintptr_t)memory;
	for (unsigned n = 0; n < MODULES; n++)
		CHECK(module_whole(n));
	CHECK(boot_module_find("v1.kernel") == boot_module_find("v1.kernel"));
	CHECK(boot_module_find("v1.kernel") != boot_module_find("v2.kernel"));
	CHECK(!boot_module_find("v1000.kernel") && !boot_module_find("v1") && !boot_module_find("v1.kernel and"));
	CHECK(boot_ram(RANGES + 1, &r) && r.base == 32 * MIB + (RANGES - 1) * 4 * PAGE_SIZE);
	CHECK(r.end == r.base + 2 * PAGE_SIZE && !boot_ram(RANGES + 2, &r));
	CHECK(boot_info()->stay && !strcmp(boot_info()->hide, "ept"));
	CHECK(!memcmp(boot_info()->rsdp, "RSD PTR of 20 bytes", 20));
	return 0;
}

/* The last pieces of RAM are used, too. */
static int all_pieces(void)
{
	uint64_t last = 32 * MIB + (RANGES - 1) * 4 * PAGE_SIZE, kept, in_map;
	struct information *i;

	map_memory();
	i = much();
	CHECK(!read_information(i));
	kept = align_up(i->total + MODULES * sizeof(struct boot_module), PAGE_SIZE);
	in_map = align_up(frames_map_bytes(last + 2 * PAGE_SIZE), PAGE_SIZE);
	CHECK(frames_available() == ((31 * MIB - 3 * MIB - kept - in_map) >> PAGE_SHIFT) - MODULES + 2 * RANGES);
	CHECK(frames_alloc_run(1, 1).v == (last >> PAGE_SHIFT) + 1 && frames_alloc_run(1, 1).v == last >> PAGE_SHIFT);
	return 0;
}

/* Where the loader's words lie first in RAM, the copy is not put over them. */
static int beside_what_is_copied(void)
{
	struct map map = { 24, 0, { ENTRY(0, 640 << 10), ENTRY(MIB, SEEN - MIB) } };
	struct information *i;

	if (mmap((void *)MIB, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) !=
	    (void *)MIB)
		return __LINE__;
	map_memory();
	i = (void *)MIB; /* seen at its physical address, as at boot */
	i->total = 8;
	add_tag(i, 6, &map, sizeof(map));
	add_module(i, 0x800000, 0x810000);
	CHECK(!read_information(i));
	CHECK(memcmp(memory + MIB, i, 8) && boot_module_find("module"));
	return 0;
}

static int no_room_for_words(void)
{
	struct map map = { 24, 0, { ENTRY(0, 640 << 10), ENTRY(MIB, 8 * PAGE_SIZE) } };
	struct information *i;
	const char *why;

	map_memory();
	i = (void *)(memory + 24 * MIB);
	i->total = 8;
	add_tag(i, 6, &map, sizeof(map));
	for (unsigned n = 0; n < MODULES; n++)
		add_module(i, (uint32_t)module_start(n), (uint32_t)module_start(n) + 1);
	why = read_information(i);
	CHECK(why && strstr(why, "no room") && strstr(why, "what the boot loader says"));
	return 0;
}

static int long_line(void)
{
	struct map map = { 24, 0, { ENTRY(0, 640 << 10), ENTRY(MIB, SEEN - MIB) } };
	struct information i = { .total = 8 };
	static char words[4097];
	const char *why;

	memset(words, 'a', sizeof(words) - 1);
	map_memory();
	add_tag(&i, 6, &map, sizeof(map));
	add_tag(&i, 1, words, sizeof(words));
	why = read_information(&i);
	CHECK(why && strstr(why, "command line is longer"));
	return 0;
}

static void a_thousand_modules(void **state) { (void)state; in_child(all_is_kept); }
static void ram_in_many_pieces(void **state) { (void)state; in_child(all_pieces); }
static void the_loaders_words_stay(void **state) { (void)state; in_child(beside_what_is_copied); }
static void no_room_for_the_words(void **state) { (void)state; in_child(no_room_for_words); }
static void a_line_too_long(void **state) { (void)state; in_child(long_line); }
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
		cmocka_unit_test(a_thousand_modules),
		cmocka_unit_test(ram_in_many_pieces),
		cmocka_unit_test(the_loaders_words_stay),
		cmocka_unit_test(no_room_for_the_words),
		cmocka_unit_test(a_line_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
