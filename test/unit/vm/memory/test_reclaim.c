/* Who gives memory back, and which pages (vm/memory/reclaim.c, vm/memory/share.c). */
#include "test/unit/vm/fixture.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "host/memory/frames.h"
#include "test/unit/vm/memory/shortage.h"
#include "test/vm/disk.h"
#include "vm/memory/ram_inside.h"
#include "vm/memory/reclaim.h"
#include "vm/memory/share.h"
#include "vm/memory/swap.h"

/* Of the bench's 8,192 frames; what reclaim_init() makes of them. */
#define LEAST 384u
#define LOW 512u
#define HIGH 640u
#define PLACES 128u
#define BLOCK (2ull << 20)

static void for_ever(int signal)
{
	(void)signal;
	bug(__FILE__, __LINE__, "nobody looks for memory for ever");
}

static void start_with(const char *description, unsigned vms)
{
	signal(SIGALRM, for_ever);
	alarm(15);
	memset(&bench_disk, 0, sizeof(bench_disk));
	bench_disk.there = true;
	bench_disk.small = BENCH_DISK_SECTORS - 8 * PLACES;
	taken_count = 0;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .description = description, .vms = vms });
}

static void give_back(void)
{
	give_taken_back();
	finish();
}

static void write_to(struct vm *vm, uint64_t gpa, const char *text)
{
	assert_int_equal(mmu_guest_write(&vm->mmu, GPA(gpa), text, strlen(text) + 1), strlen(text) + 1);
}

/* Pages from one on of which each holds something. */
static void fill(struct vm *vm, uint64_t first, uint64_t pages)
{
	for (uint64_t n = first; n < first + pages; n++)
		write_to(vm, n << PAGE_SHIFT, "text");
}

static bool in_memory(struct vm *vm, uint64_t page) { return !hfn_is_none(ram_frame(&vm->ram[0], GFN(page))); }

/* 8 MB, of which the pages from 512 on have been written. */
static struct vm *start_full(void)
{
	start_with("mem 8M\nswap ide1.0\n", 1);
	fill(bench.vm[0], 512, 1024);
	return bench.vm[0];
}

/* The guest goes on, and serves what it was asked to. */
static void go_on(void) { STEP(violation(READ_KNOWN, 0x1000)); }

/* The disk works, and what waits for that goes on, until nobody wants anything of it. */
static void settle_down(void)
{
	while (bench_disk_interrupt())
		go_on();
}

/* ---- the marks (RC1) ---- */

/* Above the low mark nothing goes; below, until the high one, and what is zero goes as well. */
static void between_the_marks(void **state)
{
	struct vm *vm = start_full();

	(void)state;
	take_all_but(LOW + 600);
	go_on();
	assert_int_equal(ram_swapped(vm), 0);
	assert_true(reclaim_spares(0));
	take_all_but(LOW - 1);
	assert_false(reclaim_spares(0));
	STEP(violation(WRITE_KNOWN, 3 * BLOCK));
	for (unsigned i = 0; i < 40 && frames_available() < LOW; i++)
		STEP(violation(WRITE_KNOWN, 3 * BLOCK + (uint64_t)i * PAGE_SIZE));
	settle_down();
	assert_in_range(frames_available(), HIGH - 1, HIGH + SWAP_MOST);
	assert_false(vm->ended);
	give_back();
}

/* Below the least mark there is no time to see what is used. */
static void in_need(void **state)
{
	struct vm *vm = start_full();

	(void)state;
	take_all_but(LEAST - 20);
	STEP(violation(WRITE_KNOWN, 3 * BLOCK));
	assert_in_range(frames_available(), LEAST, HIGH + SWAP_MOST);
	assert_false(vm->ended);
	give_back();
}

/* A fault for which there is no frame at all comes again. */
static void a_fault_waits(void **state)
{
	struct vm *vm = start_full();

	(void)state;
	take_all_but(RAM_KEPT);
	STEP(violation(WRITE_KNOWN, 3 * BLOCK));
	assert_false(in_memory(vm, 3 * BLOCK >> PAGE_SHIFT));
	assert_in_range(frames_available(), LEAST, HIGH + SWAP_MOST);
	STEP(violation(WRITE_KNOWN, 3 * BLOCK));
	assert_true(in_memory(vm, 3 * BLOCK >> PAGE_SHIFT));
	give_back();
}

/* ---- while the disk works (WA4) ---- */

/* No more are taken meanwhile; below the least mark the guest has no turn, and nobody ends. */
static void some_are_on_their_way(void **state)
{
	struct vm *vm;

	(void)state;
	for (unsigned pressing = 0; pressing < 2; pressing++) {
		start_with("mem 8M\nswap ide1.0\n", 1);
		vm = bench.vm[0];
		fill(vm, 0, 1536);
		for (unsigned i = 0; i < 20; i++) { /* they are aged */
			take_all_but(LOW + 200);
			STEP(violation(WRITE_KNOWN, 3 * BLOCK + (uint64_t)i * PAGE_SIZE));
		}
		bench_disk.slow = true;
		take_all_but(pressing ? LEAST - 20 : LOW - 1);
		for (unsigned i = 20; i < 40 && !swap_is_busy(); i++)
			violation(WRITE_KNOWN, 3 * BLOCK + (uint64_t)i * PAGE_SIZE);
		assert_true(swap_is_busy());
		assert_int_equal(bench.at, pressing ? BENCH_IDLE : BENCH_ENTRY);
		if (!pressing) {
			take_all_but(LOW - 1);
			STEP(violation(WRITE_KNOWN, 3 * BLOCK + 50 * PAGE_SIZE));
			take_all_but(LEAST - 1);
			assert_int_equal(violation(WRITE_KNOWN, 3 * BLOCK + 51 * PAGE_SIZE), BENCH_IDLE);
		}
		assert_int_equal(bench_disk.commands, 1);
		assert_false(vm->ended);
		bench_disk.slow = false;
		assert_int_equal(bench_interrupt(VECTOR_KICK), BENCH_ENTRY);
		assert_in_range(frames_available(), LEAST, HIGH + SWAP_MOST);
		give_back();
	}
}

/* ---- which pages (RC2) ---- */

/* The guest uses half of its pages all the time: of what goes, less than a twentieth is of these. */
static void cold_ones_go(void **state)
{
	uint64_t hot = 0, cold = 0;
	struct vm *vm = start_full();

	(void)state;
	take_all_but(LOW - 1);
	for (unsigned i = 0; i < 600 && ram_swapped(vm) < PLACES; i++) {
		if (frames_available() >= LOW)
			take_all_but(LOW - 1);
		for (uint64_t page = 512; page < 1024; page++)
			if (vm->ram[0].part[page / 512] || i % 4 == 0)
				STEP(violation(READ_KNOWN, page << PAGE_SHIFT));
		STEP(violation(WRITE_KNOWN, 3 * BLOCK + (uint64_t)(i % 512) * PAGE_SIZE));
	}
	for (uint64_t page = 512; page < 1536; page++)
		*(page < 1024 ? &hot : &cold) += !in_memory(vm, page);
	assert_in_range(cold, PLACES / 2, 512);
	assert_true(hot * 20 <= cold + hot);
	give_back();
}

/* Pages are aged before memory is short, once, and none goes. */
static void aged_ahead(void **state)
{
	struct ram *r;

	(void)state;
	start_with("mem 8M\nswap ide1.0\n", 1);
	r = &bench.vm[0]->ram[0];
	fill(bench.vm[0], 512, 1024);
	take_all_but(HIGH + 32);
	for (unsigned i = 0; i < 20 && r->lead < r->pages; i++)
		STEP(violation(WRITE_KNOWN, 3 * BLOCK + (uint64_t)i * PAGE_SIZE));
	assert_int_equal(r->lead, r->pages);
	assert_true(block_is_aged(r, 1) && block_is_aged(r, 2));
	STEP(violation(READ_KNOWN, BLOCK));
	STEP(violation(WRITE_KNOWN, 3 * BLOCK + 20 * PAGE_SIZE));
	assert_true(!block_is_aged(r, 1) && block_is_aged(r, 2));
	assert_int_equal(ram_swapped(bench.vm[0]), 0);
	assert_in_range(frames_available(), LOW, HIGH + 32);
	/* What was used since is passed over. */
	for (unsigned i = 21; i < 40 && ram_in_one_piece(r, GFN(1024)); i++) {
		take_all_but(LOW - 1);
		STEP(violation(WRITE_KNOWN, 3 * BLOCK + i * PAGE_SIZE));
		settle_down();
	}
	assert_true(ram_in_one_piece(r, GFN(512)) && !ram_in_one_piece(r, GFN(1024)));
	give_back();
}

/* The first time, too, there is time between the two hands. */
static void a_chance_at_first(void **state)
{
	struct vm *vm = start_full();

	(void)state;
	take_all_but(LOW - 1);
	STEP(violation(WRITE_KNOWN, 3 * BLOCK));
	assert_true(vm->ram[0].lead > 0);
	assert_null(vm->ram[0].part[0]);
	assert_int_equal(ram_resident(vm), 3 * 512 + 1);
	give_back();
}

/* ---- whose ---- */

static void limited(void **state)
{
	struct vm *vm;

	(void)state;
	start_with("mem 8M\nlimit 5M\nswap ide1.0\n", 1);
	vm = bench.vm[0];
	fill(vm, 512, 600);
	assert_in_range(ram_resident(vm), 1112, 1280);
	for (unsigned n = 600; n < 800; n++)
		STEP(violation(WRITE_KNOWN, (uint64_t)(512 + n) << PAGE_SHIFT));
	assert_in_range(ram_resident(vm), 1000, 1280);
	assert_true(ram_swapped(vm) || frames_available() > HIGH);
	give_back();
}

/* One of two gives back: the one that is more above its share, by weight, and not what is reserved for it. */
static void the_other_one(void **state)
{
	(void)state;
	for (unsigned reserved = 0; reserved < 2; reserved++) {
		struct vm *small, *large;

		start_with(reserved ? "mem 8M\nreservation 8M\nswap ide1.0\n" : "mem 8M\nswap ide1.0\n", 2);
		small = bench.vm[0];
		large = bench.vm[1];
		fill(large, 512, 1024);
		take_all_but(LEAST - 20);
		assert_true(vm_boot_vcpu(small) == bench.v || bench.vm[0] == small);
		reclaim_look();
		if (reserved) {
			assert_int_equal(ram_resident(large), 2 * 512 + 512);
			assert_int_equal(ram_swapped(large) + ram_swapped(small), 0);
			assert_true(large->ended);
			assert_non_null(strstr(large->end_text, "which has room, but nothing else may leave"));
			assert_false(small->ended);
		} else {
			assert_true(ram_resident(large) < 2 * 512 + 512);
			assert_true(ram_resident(small) == 512);
			assert_false(large->ended || small->ended);
		}
		give_back();
	}
}

/* Half of all is two others' reservation. What remains is for two that are alike, though one may not have much more. */
static void around_reservations(void **state)
{
	static struct vm_config of[4];

	(void)state;
	start_with("mem 8M\nswap ide1.0\n", 4);
	for (unsigned n = 0; n < 4; n++) {
		of[n] = *bench.vm[n]->config;
		of[n].reservation = n % 2 ? 0 : 8ull << 20;
		of[n].limit = n == 1 ? 5ull << 20 : 0;
		bench.vm[n]->config = &of[n];
		fill(bench.vm[n], 0, n % 2 ? 1024 : 2048);
	}
	for (unsigned n = 0; n < 2; n++) { /* 64 pages each time */
		take_all_but(LEAST - 20);
		reclaim_look();
	}
	assert_int_equal(ram_resident(bench.vm[0]) + ram_resident(bench.vm[2]), 2 * 2048);
	assert_int_equal(ram_resident(bench.vm[1]), 1024 - 64);
	assert_int_equal(ram_resident(bench.vm[3]), 1024 - 64);
	give_back();
}

static void protect_all(struct vm *vm, uint64_t pages)
{
	vm_freeze(vm);
	for (uint64_t n = 0; n < pages; n++) {
		assert_true(ram_split(&vm->ram[0], GFN(n)));
		ram_protect_run(&vm->ram[0], GFN(n), 1);
	}
	vm_thaw(vm);
}

/* Who is most above its share has no page that could go: the other one gives. */
static void stuck(void **state)
{
	(void)state;
	start_with("mem 8M\nswap ide1.0\n", 2);
	fill(bench.vm[1], 512, 1024);
	protect_all(bench.vm[1], 1536);
	take_all_but(LEAST - 20);
	reclaim_look();
	assert_int_equal(ram_resident(bench.vm[1]), 1536);
	assert_true(ram_resident(bench.vm[0]) < 512);
	assert_false(bench.vm[0]->ended || bench.vm[1]->ended);
	give_back();
}

/* ---- nothing can go (RC4) ---- */

static void nothing_can_go(void **state)
{
	(void)state;
	for (unsigned failed = 0; failed < 2; failed++) {
		struct vm *small, *large;

		start_with("mem 8M\nswap ide1.0\n", 2);
		small = bench.vm[0];
		large = bench.vm[1];
		fill(large, 0, 2048);
		fill(small, 0, 512);
		bench_disk.fail = failed;
		take_all_but(RAM_KEPT + 2);
		reclaim_look();
		take_all_but(RAM_KEPT + 2);
		reclaim_look();
		assert_true(large->ended);
		assert_int_equal(large->status, VM_STATUS_STOPPED);
		assert_non_null(strstr(large->end_text, failed ? "which has failed" : "which is full"));
		assert_false(small->ended);
		/* One is enough: what it had comes back first. */
		reclaim_look();
		assert_false(small->ended);
		give_back();
	}
}

/* Who takes more than its share leaves the others room in the area, where it could go itself. */
static void room_for_shares(void **state)
{
	struct vm *vm;

	(void)state;
	start_with("mem 8M\nswap ide1.0\n", 2);
	vm = bench.vm[0];
	fill(vm, 512, 512);
	take_all_but(RAM_KEPT + 450);
	assert_true(share_allows(vm, 1));
	give_back();
	start_with("mem 8M\n", 2);
	vm = bench.vm[0];
	fill(vm, 512, 512);
	take_all_but(RAM_KEPT + 450);
	assert_false(share_allows(vm, 1));
	give_back();
}

/* RC3: RAM is not given back while somebody takes pages. */
static bool let_go;

static void *takes_pages(void *ctx)
{
	usleep(200000);
	__atomic_store_n(&let_go, true, __ATOMIC_SEQ_CST);
	reclaim_let_go();
	return ctx;
}

static void held(void **state)
{
	pthread_t thread;

	(void)state;
	start_with("mem 8M\nswap ide1.0\n", 1);
	fill(bench.vm[0], 512, 512);
	reclaim_hold();
	let_go = false;
	assert_int_equal(pthread_create(&thread, NULL, takes_pages, NULL), 0);
	give_back();
	assert_true(__atomic_load_n(&let_go, __ATOMIC_SEQ_CST));
	pthread_join(thread, NULL);
}

static void without_an_area(void **state)
{
	struct vm *vm;

	(void)state;
	start_with("mem 8M\n", 1);
	vm = bench.vm[0];
	fill(vm, 512, 1024);
	take_all_but(RAM_KEPT + 8);
	assert_true(reclaim_spares(1000000));
	STEP(violation(WRITE_KNOWN, 3 * BLOCK));
	reclaim_look();
	assert_false(vm->ended);
	assert_in_range(frames_available(), RAM_KEPT, RAM_KEPT + 8);
	give_back();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(between_the_marks),
		cmocka_unit_test(in_need),
		cmocka_unit_test(a_fault_waits),
		cmocka_unit_test(some_are_on_their_way),
		cmocka_unit_test(cold_ones_go),
		cmocka_unit_test(aged_ahead),
		cmocka_unit_test(a_chance_at_first),
		cmocka_unit_test(limited),
		cmocka_unit_test(the_other_one), cmocka_unit_test(around_reservations),
		cmocka_unit_test(stuck),
		cmocka_unit_test(nothing_can_go),
		cmocka_unit_test(room_for_shares),
		cmocka_unit_test(held),
		cmocka_unit_test(without_an_area),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
