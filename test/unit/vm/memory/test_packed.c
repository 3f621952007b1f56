/* Pages of the swap area that are compressed and stay in memory (vm/memory/packed.c). */
#include "test/unit/vm/memory/far.h"

#include "host/cpu/unpack.h"
#include "host/memory/frames.h"
#include "test/unit/vm/memory/shortage.h"
#include "test/vm/cpu.h"
#include "test/vm/disk.h"
#include "vm/memory/compress.h"
#include "vm/memory/packed.h"
#include "vm/memory/reclaim.h"
#include "vm/memory/swap.h"

#define PLACES 256u
#define NOISE 1400 /* bytes of a page that do not become smaller: two such lie in a frame */
#define LEAST 384u

static struct vm *vm;
static struct ram *far;
static struct ram_going list[SWAP_MOST];
static unsigned going;

static void start_under(const char *mmu, const char *zpool)
{
	char text[80];

	memset(&bench_disk, 0, sizeof(bench_disk));
	bench_disk.there = true;
	bench_disk.small = BENCH_DISK_SECTORS - 8 * PLACES;
	taken_count = 0;
	snprintf(text, sizeof(text), "mem 8M\nswap ide1.0\nzpool %s\n", zpool);
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = mmu, .description = text });
	far_map();
	vm = bench.vm[0];
	far = ram_of(vm, GFN(FAR_GFN));
}

/* The same for a page each time; the first 7 bytes say which one it is. */
static void fill_noise(unsigned page, unsigned bytes)
{
	uint8_t noise[PAGE_SIZE];
	uint64_t x = page + 1;

	for (unsigned i = 0; i < bytes; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		noise[i] = (uint8_t)(x >> 56 | 1);
	}
	bench_poke(FAR + page * PAGE_SIZE, noise, bytes);
}

static bool has_noise(unsigned page, unsigned bytes)
{
	uint8_t noise[PAGE_SIZE];
	uint64_t x = page + 1;

	bench_peek(FAR + page * PAGE_SIZE, noise, bytes);
	for (unsigned i = 0; i < bytes; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		if (noise[i] != (uint8_t)(x >> 56 | 1))
			return false;
	}
	return true;
}

static void put_out(unsigned page, unsigned pages)
{
	going = 0;
	vm_freeze(vm);
	for (unsigned at = 0; at < 512;)
		at += ram_age(far, GFN(FAR_GFN + at), false);
	while (going < pages && page < 512)
		page += ram_take(far, GFN(FAR_GFN + page), false, list, &going, pages);
	vm_thaw(vm);
	assert_int_equal(put_out_wholly(far, list, going), pages);
}

static void in_memory(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		uint64_t free;

		start_under(mechanisms[n], "1M");
		for (unsigned page = 0; page < 40; page++)
			fill_noise(page, 7 + page % 9 * 100);
		put_out(40, 1); /* all zero; which opens the block */
		free = frames_available();
		put_out(0, 40);
		assert_int_equal(bench_disk.commands, 0);
		assert_int_equal(ram_swapped(vm), 40);
		assert_int_equal(packed_account().pages, 40);
		assert_int_equal(vm->packed, 40);
		assert_in_range(frames_available(), free + 39 - packed_account().frames,
				free + 40 - packed_account().frames); /* owners' words may go, or come */
		assert_in_range(packed_account().frames, 4, 14);
		audit_memory(vm);
		STEP(far_access(3, true));
		assert_false(hfn_is_none(ram_frame(far, GFN(FAR_GFN + 3))));
		for (unsigned page = 0; page < 40; page++)
			assert_true(has_noise(page, 7 + page % 9 * 100));
		assert_int_equal(bench_disk.commands, 0);
		assert_int_equal(packed_account().pages, 0);
		assert_int_equal(packed_account().frames, 0);
		assert_int_equal(vm->packed, 0);
		assert_in_range(frames_available(), free - 1, free);
		assert_int_equal(swap_room(), PLACES);
		audit_memory(vm);
		finish();
	}
}

/* What does not become small goes to the disk, beside what does. */
static void too_large(void **state)
{
	(void)state;
	start_under("ept", "1M");
	for (unsigned page = 0; page < 8; page++)
		fill_noise(page, page % 2 ? 3000 : 50);
	put_out(0, 8);
	assert_int_equal(packed_account().pages, 4);
	assert_int_equal(packed_account().refused, 4);
	assert_int_equal(bench_disk.commands, 1);
	for (unsigned page = 0; page < 8; page++)
		assert_true(has_noise(page, page % 2 ? 3000 : 50));
	assert_int_equal(swap_room(), PLACES);
	finish();
}

/* There is room for so many; what was packed first goes on to the disk first. */
static void makes_room(void **state)
{
	(void)state;
	for (unsigned failed = 0; failed < 2; failed++) {
		start_under("ept", "64K");
		for (unsigned page = 0; page < 48; page++)
			fill_noise(page, NOISE);
		put_out(0, 20);
		swap_make_room(4);
		assert_false(swap_is_busy());
		put_out(20, 20);
		assert_int_equal(packed_account().frames, 16);
		assert_int_equal(packed_account().pages, 32);
		assert_int_equal(bench_disk.commands, 1);
		assert_true(packed_is_full(4));
		bench_disk.slow = true;
		bench_disk.fail = failed;
		swap_make_room(4);
		assert_true(swap_is_busy());
		swap_make_room(4); /* somebody else, meanwhile */
		assert_int_equal(packed_account().pages, 32);
		/* One that is asked for meanwhile is here still. */
		assert_true(has_noise(1, NOISE));
		assert_true(swap_is_busy());
		bench_disk_finish();
		assert_int_equal(packed_account().written, failed ? 0 : 31);
		assert_int_equal(packed_account().pages, failed ? 31 : 0);
		bench_disk.fail = false;
		audit_memory(vm);
		for (unsigned page = 0; page < 48; page++)
			assert_true(has_noise(page, NOISE));
		assert_int_equal(ram_swapped(vm), 0);
		finish();
	}
}

/* Whoever looks for memory sees to that. */
static void reclaim_makes_room(void **state)
{
	(void)state;
	start_under("ept", "64K");
	for (unsigned page = 0; page < 400; page++)
		fill_noise(page, NOISE);
	for (unsigned i = 0; i < 20 && ram_swapped(vm) < PLACES - 100; i++) {
		take_all_but(LEAST - 20);
		reclaim_look();
	}
	assert_true(packed_account().written > 16);
	assert_in_range(packed_account().frames, 1, 16);
	assert_false(vm->ended);
	give_taken_back();
	for (unsigned page = 0; page < 400; page++)
		assert_true(has_noise(page, NOISE));
	audit_memory(vm);
	finish();
}

/* The hypervisor's own frames are not for that. */
static void keeps_the_rest(void **state)
{
	(void)state;
	start_under("ept", "1M");
	for (unsigned page = 0; page < 4; page++)
		fill_noise(page, 50);
	put_out(8, 1);
	take_all_but(RAM_KEPT);
	put_out(0, 4);
	assert_int_equal(packed_account().frames, 0);
	assert_int_equal(bench_disk.commands, 1);
	give_taken_back();
	for (unsigned page = 0; page < 4; page++)
		assert_true(has_noise(page, 50));
	finish();
}

static uint8_t registers[2][16][16]; /* before and after */

static void load_registers(void)
{
	for (unsigned n = 0; n < 256; n++)
		registers[0][n / 16][n % 16] = (uint8_t)(n ^ 0x5a);
	memset(registers[1], 0, sizeof(registers[1]));
}

/* Around a call that does nothing else: also the C library's functions have vector registers. */
#define WITH_REGISTERS(call) do { \
	__asm__ volatile("movups 0(%0), %%xmm0; movups 16(%0), %%xmm1; movups 80(%0), %%xmm5; movups 240(%0), %%xmm15" \
			 : : "r"(registers[0]) : "memory"); \
	(call); \
	__asm__ volatile("movups %%xmm0, 0(%0); movups %%xmm1, 16(%0); movups %%xmm5, 80(%0); movups %%xmm15, 240(%0)" \
			 : : "r"(registers[1]) : "memory"); \
} while (0)

static void same_registers(void)
{
	static const unsigned some[] = { 0, 1, 5, 15 };

	for (unsigned n = 0; n < ARRAY_SIZE(some); n++)
		assert_memory_equal(registers[1][some[n]], registers[0][some[n]], 16);
	assert_int_equal(soft.fs_base, 0);
}

/* VX1: the guest's registers are there still. */
static void leaves_the_registers(void **state)
{
	static uint8_t page[PAGE_SIZE], back[PAGE_SIZE], small[PAGE_SIZE];
	static struct compressor compressor;
	size_t bytes;
	bool good;

	(void)state;
	start_under("ept", "1M");
	for (unsigned n = 0; n < 1000; n++)
		page[n] = (uint8_t)(n * n >> 7);
	load_registers();
	WITH_REGISTERS(bytes = compress(&compressor, small, 3000, page, PAGE_SIZE));
	same_registers();
	assert_in_range(bytes, 100, 3000);
	load_registers();
	WITH_REGISTERS(good = unpack_block(back, PAGE_SIZE, small, bytes));
	same_registers();
	assert_true(good);
	assert_memory_equal(back, page, PAGE_SIZE);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_memory), cmocka_unit_test(too_large), cmocka_unit_test(makes_room),
		cmocka_unit_test(reclaim_makes_room), cmocka_unit_test(keeps_the_rest),
		cmocka_unit_test(leaves_the_registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
