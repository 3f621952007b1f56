/* Modules that the command packed, as the boot finds them (host/boot/multiboot.c): unpacked where they are in nobody's
 * way, or refused by one sentence. */
#include "test/unit/host/boot/information.h"

#include <lz4.h>
#include <stdio.h>
#include <sys/mman.h>

#include "host/cpu/x86.h"
#include "host/memory/frames.h"
#include "lib/packed_file.h"
#include "lib/xorshift.h"

#define FIRST 0x800000u
#define SECOND 0x1000000u
#define LONG 3000000u

/* RAM of 64 MiB, and so much of it that is no module's. */
static const struct map small_map = { 24, 0, { ENTRY(0, 640 << 10), ENTRY(MIB, 63 * MIB) } };

/* Bytes that pack, others by each seed. */
static void fill(uint8_t *to, size_t n, uint64_t seed)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t r = xorshift(&seed);

		to[i] = i > 300 && r % 16 < 14 ? to[i - 1 - r % 300] : (uint8_t)(r >> 32);
	}
}

/* At this address, n bytes packed. Returns how many they are then. */
static uint32_t put_packed(uint32_t at, const uint8_t *bytes, size_t n)
{
	struct packed_head head = { .bytes = n };
	int length = LZ4_compress_default((const char *)bytes, (char *)memory + at + sizeof(head), (int)n,
					  LZ4_compressBound((int)n));

	if (length <= 0)
		abort();
	memcpy(head.mark, PACKED_MARK, sizeof(head.mark));
	memcpy(memory + at, &head, sizeof(head));
	return (uint32_t)sizeof(head) + (uint32_t)length;
}

static void set_size(uint32_t at, uint64_t bytes)
{
	memcpy(memory + at + offsetof(struct packed_head, bytes), &bytes, sizeof(bytes));
}

static bool holds(const char *name, const void *bytes, size_t n)
{
	const struct boot_module *m = boot_module_find(name);

	return m && m->size == n && !memcmp(m->data, bytes, n);
}

/* Whoever is given memory writes all of it. */
static uint64_t take_all(void)
{
	uint64_t count = 0;

	for (hfn_t f = frames_alloc(); !hfn_is_none(f); f = frames_alloc(), count++)
		memset(frames_ptr(f), 0xff, PAGE_SIZE);
	return count;
}

static struct information information = { .total = 8 };

static void begin(const struct map *map)
{
	map_memory();
	add_tag(&information, 6, map, sizeof(*map));
}

/* Two that were packed, one that was not, and one that begins almost as they do: each is what it was, whatever happens
 * to the rest of RAM, and what they were packed to is part of that. */
static int both_and_others(void)
{
	static uint8_t first[LONG], second[LONG / 2 + 1];
	uint32_t bytes[2];

	begin(&small_map);
	fill(first, sizeof(first), 3);
	fill(second, sizeof(second), 4);
	bytes[0] = put_packed(FIRST, first, sizeof(first));
	bytes[1] = put_packed(SECOND, second, sizeof(second));
	memcpy(memory + 0x700000, "\x89VLZ4\r\n\x1b and more", 17);
	memcpy(memory + 0x701000, "\x89VLZ4\r\n\x1a", 7);
	add_named_module(&information, FIRST, FIRST + bytes[0], "v0.kernel");
	add_named_module(&information, 0x700000, 0x700000 + 17, "v0.initrd");
	add_named_module(&information, SECOND, SECOND + bytes[1], "v1.kernel");
	add_named_module(&information, 0x701000, 0x701000 + 7, "v1.initrd");
	CHECK(!read_information(&information));
	CHECK(cr4 == CR4_OF_THE_LOADER);
	/* Of whole pages are: the image, two files, two more unpacked, the loader's words, the map of the frames. */
	CHECK(take_all() == ((60 * MIB) >> PAGE_SHIFT) - 2 - pages_for(sizeof(first)) - pages_for(sizeof(second)) - 1 -
				    pages_for(frames_map_bytes(64 * MIB)));
	CHECK(holds("v0.kernel", first, sizeof(first)) && holds("v1.kernel", second, sizeof(second)));
	CHECK(holds("v0.initrd", "\x89VLZ4\r\n\x1b and more", 17) && holds("v1.initrd", PACKED_MARK, 7));
	return 0;
}

/* A file that begins with the mark is packed for that (tool/base/pack.c), and is itself again; so is an empty one. */
static int marked(void)
{
	static const uint8_t mark[] = PACKED_MARK PACKED_MARK " is how it begins";
	uint32_t bytes, none;

	begin(&small_map);
	bytes = put_packed(FIRST, mark, sizeof(mark));
	none = put_packed(SECOND, mark, 0);
	add_named_module(&information, FIRST, FIRST + bytes, "marked");
	add_named_module(&information, SECOND, SECOND + none, "empty");
	CHECK(!read_information(&information));
	CHECK(holds("marked", mark, sizeof(mark)) && holds("empty", "", 0));
	return 0;
}

/* What is wrong with a module of these bytes, all of that if it is the second of two. */
static const char *refused(uint32_t bytes)
{
	add_named_module(&information, SECOND, SECOND + put_packed(SECOND, (const uint8_t *)"sound", 5), "v0.kernel");
	add_named_module(&information, FIRST, FIRST + bytes, "v0.initrd and its text");
	return read_information(&information);
}

static bool says(const char *why, const char *what)
{
	return why && strstr(why, "file v0.initrd is ") && !strstr(why, "text") && strstr(why, what) &&
	       cr4 == CR4_OF_THE_LOADER;
}

static uint8_t some[40000];

static uint32_t packed_some(void)
{
	begin(&small_map);
	fill(some, sizeof(some), 7);
	return put_packed(FIRST, some, sizeof(some));
}

static const char damaged[] = "damaged: it is packed, and does not unpack", unseen[] = "how large it was";

static int of_size_none(void)
{
	uint32_t bytes = packed_some();

	set_size(FIRST, 0);
	CHECK(says(refused(bytes), damaged));
	return 0;
}

static int of_size_less(void)
{
	uint32_t bytes = packed_some();

	set_size(FIRST, sizeof(some) - 1);
	CHECK(says(refused(bytes), damaged));
	return 0;
}

static int of_size_more(void)
{
	uint32_t bytes = packed_some();

	set_size(FIRST, sizeof(some) + 1);
	CHECK(says(refused(bytes), damaged));
	return 0;
}

static int of_size_beyond_room(void)
{
	uint32_t bytes = packed_some();

	set_size(FIRST, 64 * MIB);
	CHECK(says(refused(bytes), "no room in RAM"));
	return 0;
}

static int of_size_beyond_lengths(void)
{
	uint32_t bytes = packed_some();

	set_size(FIRST, 1ull << 31);
	CHECK(says(refused(bytes), unseen));
	return 0;
}

/* Rounded up to pages, it would be none. */
static int of_size_all(void)
{
	uint32_t bytes = packed_some();

	set_size(FIRST, UINT64_MAX);
	CHECK(says(refused(bytes), unseen));
	return 0;
}

static int cut_in_the_head(void)
{
	packed_some();
	CHECK(says(refused(sizeof(struct packed_head) - 1), unseen));
	return 0;
}

static int cut_behind_the_head(void)
{
	packed_some();
	CHECK(says(refused(sizeof(struct packed_head)), damaged));
	return 0;
}

static int cut(void)
{
	uint32_t bytes = packed_some();

	CHECK(says(refused(bytes - 1), damaged));
	return 0;
}

/* Its RAM ends where addresses of 32 bits do: the last page there is left alone, or the end would be 0. */
static int at_the_end(void)
{
	static const struct map map = { 24, 0, { ENTRY(0, 640 << 10), ENTRY(MIB, 16 * MIB),
						 ENTRY(FOUR_GIB - 48 * MIB, 48 * MIB) } };
	static uint8_t zeroes[48 * MIB];
	uint32_t bytes;
	const char *why;

	map_memory();
	if (mmap(memory + (FOUR_GIB - 48 * MIB), 48 * MIB, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		return __LINE__;
	add_tag(&information, 6, &map, sizeof(map));
	bytes = put_packed(FIRST, zeroes, sizeof(zeroes));
	add_named_module(&information, FIRST, FIRST + bytes, "v0.initrd");
	why = read_information(&information);
	CHECK(says(why, "no room in RAM"));
	return 0;
}

/* Behind the first one's place there is no room for the second, but before it. */
static int before_the_last(void)
{
	static const struct map map = { 24, 0, { ENTRY(0, 640 << 10), ENTRY(MIB, 17 * MIB) } };
	static uint8_t first[6 * MIB], second[5 * MIB / 2];
	uint32_t bytes[2];

	begin(&map);
	memset(first, 1, sizeof(first));
	memset(second, 2, sizeof(second));
	bytes[0] = put_packed(FIRST, first, sizeof(first));
	bytes[1] = put_packed(SECOND, second, sizeof(second));
	add_named_module(&information, FIRST, FIRST + bytes[0], "first");
	add_named_module(&information, SECOND, SECOND + bytes[1], "second");
	CHECK(!read_information(&information));
	take_all();
	CHECK(holds("first", first, sizeof(first)) && holds("second", second, sizeof(second)));
	CHECK(boot_module_find("second")->data < boot_module_find("first")->data);
	return 0;
}

/* A byte or some of a packed module are others: it is refused, or is whole in its length; nothing beside it changes. */
static uint64_t seed;

static int mutated(void)
{
	uint32_t bytes = packed_some();
	static uint8_t guard[4096];
	const char *why;

	memset(guard, 0x5a, sizeof(guard));
	memset(memory + MIB, 0x5a, 3 * MIB);
	for (uint64_t n = 1 + xorshift(&seed) % 4; n; n--)
		memory[FIRST + sizeof(struct packed_head) + xorshift(&seed) % (bytes - sizeof(struct packed_head))] ^=
			(uint8_t)(1 + xorshift(&seed) % 255);
	add_named_module(&information, FIRST, FIRST + bytes, "v0.initrd");
	why = read_information(&information);
	CHECK(!why || says(why, damaged));
	CHECK(why || boot_module_find("v0.initrd")->size == sizeof(some));
	/* The loader's words, and what is unpacked, are in the first pages; behind them nobody has written. */
	CHECK(!memcmp(memory + MIB + PAGE_SIZE + align_up(sizeof(some), PAGE_SIZE) +
			      (why ? 0 : frames_map_bytes(64 * MIB)), guard, sizeof(guard)));
	return 0;
}

static void packed_ones_and_others(void **state) { (void)state; in_child(both_and_others); }
static void a_file_with_the_mark(void **state) { (void)state; in_child(marked); }
static void room_before_the_last_one(void **state) { (void)state; in_child(before_the_last); }
static void no_end_at_4_gib(void **state) { (void)state; in_child(at_the_end); }

static void a_size_that_is_not_so(void **state)
{
	(void)state;
	in_child(of_size_none);
	in_child(of_size_less);
	in_child(of_size_more);
	in_child(of_size_beyond_room);
	in_child(of_size_beyond_lengths);
	in_child(of_size_all);
}

static void cut_short(void **state)
{
	(void)state;
	in_child(cut_in_the_head);
	in_child(cut_behind_the_head);
	in_child(cut);
}

static void any_changed_bytes(void **state)
{
	(void)state;
	for (seed = 1; seed <= 300; seed++)
		in_child(mutated);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packed_ones_and_others),   cmocka_unit_test(a_file_with_the_mark),
		cmocka_unit_test(room_before_the_last_one), cmocka_unit_test(no_end_at_4_gib),
		cmocka_unit_test(a_size_that_is_not_so),    cmocka_unit_test(cut_short),
		cmocka_unit_test(any_changed_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
