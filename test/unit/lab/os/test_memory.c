/* What the guest OS does with memory, thing by thing: copy on write, large pages, flushes and address-space numbers,
 * the regions of a process, and what it refuses. Random sequences are in test_os.c. */
#include "test/unit/lab/os/guest.h"

static void test_copy_on_write(void **state)
{
	struct lab_os_counters c;

	(void)state;
	random_state = 1;
	start(4, true, false, 12, 0, false);
	call((struct lab_call){ .kind = LAB_MMAP, .addr = ARENA, .length = 4096 * 10, .prot = 3 });
	read_page(0); /* the page of zeros */
	c = lab_os_counters(os);
	assert_int_equal(c.os_zeroed_4k, 0);
	for (unsigned i = 0; i < 10; i++)
		write_page(i);
	c = lab_os_counters(os);
	assert_int_equal(c.os_zeroed_4k, 10);
	call((struct lab_call){ .kind = LAB_FORK, .process = 1 });
	memcpy(holds[1], holds[0], sizeof(holds[0]));
	for (unsigned i = 0; i < 10; i++)
		write_page(i);
	c = lab_os_counters(os);
	assert_int_equal(c.os_cow_copies, 10);
	call((struct lab_call){ .kind = LAB_SWITCH, .process = 1 });
	for (unsigned i = 0; i < 10; i++) {
		read_page(i);
		write_page(i);
	}
	c = lab_os_counters(os);
	assert_int_equal(c.os_cow_copies, 10);
	assert_int_equal(c.os_cow_reuses, 10);
	audit();
	lab_os_delete(os);
}

static void test_large_pages(void **state)
{
	struct lab_os_counters c;

	(void)state;
	random_state = 2;
	start(4, true, false, 21, 0, false);
	call((struct lab_call){ .kind = LAB_MMAP, .addr = ARENA + 4096, .length = 4096 * 1500, .prot = 3 });
	for (unsigned i = 1; i < 1501; i++)
		write_page(i);
	c = lab_os_counters(os);
	assert_int_equal(c.os_pages_2m, 1); /* 512 to 1023; the ends are no whole blocks */
	assert_int_equal(c.os_zeroed_2m, 1);
	assert_int_equal(c.os_pages_4k, 1500 - 512);
	call((struct lab_call){ .kind = LAB_MUNMAP, .addr = ARENA + 4096 * 600, .length = 4096 });
	c = lab_os_counters(os);
	assert_int_equal(c.os_huge_split, 1);
	assert_int_equal(c.os_pages_2m, 0);
	assert_int_equal(c.os_pages_4k, 1499);
	audit();
	lab_os_delete(os);

	start(4, true, false, 21, 1, false); /* nothing can be had whole */
	call((struct lab_call){ .kind = LAB_MMAP, .addr = ARENA, .length = 4096 * 1024, .prot = 3 });
	write_page(5);
	c = lab_os_counters(os);
	assert_int_equal(c.os_huge_refused, 1);
	assert_int_equal(c.os_pages_4k, 1);
	lab_os_delete(os);
}

/* Small pages that came one by one become a large one when khugepaged comes by, with what they held. */
static void test_collapse(void **state)
{
	struct lab_os_counters c;

	(void)state;
	random_state = 8;
	start(4, true, false, 21, 0, false);
	for (unsigned i = 0; i < 512; i++) { /* a region that grows: there is never room for a large page */
		call((struct lab_call){ .kind = LAB_MMAP, .addr = ARENA + 4096ull * i, .length = 4096, .prot = 3 });
		if (i % 3)
			write_page(i);
	}
	c = lab_os_counters(os);
	assert_int_equal(c.os_pages_2m, 0);
	assert_int_equal(c.os_pages_4k, 341);
	lab_os_khugepaged(os);
	cpu_check(cpu);
	c = lab_os_counters(os);
	assert_int_equal(c.os_collapsed, 1);
	assert_int_equal(c.os_pages_2m, 1);
	assert_int_equal(c.os_pages_4k, 0);
	for (unsigned i = 0; i < 512; i++)
		read_page(i);
	assert_int_equal(lab_os_counters(os).os_faults, c.os_faults);
	audit();
	lab_os_delete(os);
}

/* Of half a region that a fork shares a page is made, of one page more not; nor of what nobody may write. */
static void test_collapse_refused(void **state)
{
	(void)state;
	random_state = 10;
	start(4, true, false, 21, 0, false);
	call((struct lab_call){ .kind = LAB_MMAP, .addr = ARENA, .length = 4096 * 512, .prot = 3 });
	call((struct lab_call){ .kind = LAB_MADVISE, .addr = ARENA, .length = 4096 * 512, .prot = 15 });
	for (unsigned i = 0; i < 400; i++)
		write_page(i);
	lab_os_khugepaged(os);
	assert_int_equal(lab_os_counters(os).os_collapsed, 0);
	assert_int_equal(lab_os_counters(os).os_small_advice, 400);
	call((struct lab_call){ .kind = LAB_MADVISE, .addr = ARENA, .length = 4096 * 512, .prot = 14 });
	assert_int_equal(lab_os_counters(os).os_small_waiting, 400);
	call((struct lab_call){ .kind = LAB_FORK, .process = 1 });
	memcpy(holds[1], holds[0], sizeof(holds[0]));
	for (unsigned i = 0; i < 143; i++)
		write_page(i);
	lab_os_khugepaged(os);
	assert_int_equal(lab_os_counters(os).os_collapsed, 0);
	assert_int_equal(lab_os_counters(os).os_small_shared, 800); /* of both */
	write_page(143);
	lab_os_khugepaged(os);
	assert_int_equal(lab_os_counters(os).os_collapsed, 1);
	assert_int_equal(lab_os_counters(os).os_held_2m, 1);
	for (unsigned i = 0; i < 400; i++)
		read_page(i);
	audit();
	call((struct lab_call){ .kind = LAB_SWITCH, .process = 1 });
	for (unsigned i = 0; i < 400; i++)
		read_page(i);
	audit();
	lab_os_delete(os);
}

/* Why pages are small, of the living and of those that have ended. */
static void test_sizes(void **state)
{
	struct lab_os_counters c;

	(void)state;
	random_state = 11;
	start(4, true, false, 21, 0, false);
	call((struct lab_call){ .kind = LAB_MMAP, .addr = ARENA + 4096, .length = 4096 * 1023, .prot = 3 });
	call((struct lab_call){
		.kind = LAB_MMAP, .addr = ARENA + 4096 * 2048, .length = 4096 * 32, .prot = 1, .file = 1 });
	call((struct lab_call){ .kind = LAB_MMAP, .addr = ARENA - (4 << 20), .length = 2 << 20, .prot = 3,
				.flags = LAB_MAP_STACK });
	write_page(1);
	write_page(511);
	write_page(512);
	frame_of(ARENA + 4096 * 2048, false);
	frame_of(ARENA - (4 << 20), true);
	for (unsigned ended = 0; ended < 2; ended++) {
		c = lab_os_counters(os);
		assert_int_equal(c.os_held_2m, 1);
		assert_int_equal(c.os_held_4k, 2 + 16 + 1);
		assert_int_equal(c.os_small_edge, 2);
		assert_int_equal(c.os_small_file, 16);
		assert_int_equal(c.os_small_stack, 1);
		call((struct lab_call){ .kind = LAB_EXEC });
	}
	lab_os_delete(os);

	start(4, true, false, 21, 1, false);
	call((struct lab_call){ .kind = LAB_MMAP, .addr = ARENA, .length = 4096 * 512, .prot = 3 });
	write_page(1);
	assert_int_equal(lab_os_counters(os).os_small_refused, 1);
	lab_os_delete(os);

	start(4, true, false, 12, 0, false);
	call((struct lab_call){ .kind = LAB_MMAP, .addr = ARENA, .length = 4096 * 512, .prot = 3 });
	write_page(1);
	assert_int_equal(lab_os_counters(os).os_small_off, 1);
	lab_os_delete(os);
}

/* What is freed before the end counts as it lay when it was there, however it goes; what is less, later, does not. */
static void test_sizes_at_most(void **state)
{
	static const struct lab_call goes[] = {
		{ .kind = LAB_MUNMAP, .addr = ARENA, .length = 4 << 21 },
		{ .kind = LAB_MADVISE, .addr = ARENA, .length = 4 << 21, .prot = LAB_ADVICE_DONTNEED },
		{ .kind = LAB_MMAP, .addr = ARENA, .length = 4 << 21, .prot = 3, .flags = LAB_MAP_STACK },
		{ .kind = LAB_MREMAP, .addr = ARENA, .length = 4 << 21, .to = ARENA, .to_length = 4096 },
		{ .kind = LAB_EXEC },
	};

	(void)state;
	random_state = 12;
	for (unsigned i = 0; i < sizeof(goes) / sizeof(goes[0]); i++) {
		start(4, true, false, 21, 0, false);
		call((struct lab_call){
			.kind = LAB_MMAP, .addr = ARENA - 4096, .length = 4096 + (4 << 21), .prot = 3 });
		for (uint64_t va = ARENA - 4096; va < ARENA + (4 << 21); va += 4096)
			frame_of(va, true);
		call(goes[i]);
		call((struct lab_call){ .kind = LAB_MMAP, .addr = ARENA + (8 << 21), .length = 4096, .prot = 3 });
		frame_of(ARENA + (8 << 21), true);
		assert_int_equal(lab_os_counters(os).os_held_2m, 4);
		assert_int_equal(lab_os_counters(os).os_held_4k, 1);
		assert_int_equal(lab_os_counters(os).os_small_edge, 1);
		/* After LAB_MEASURE, only what is mapped from then on. */
		lab_os_reset_counters(os);
		assert_int_equal(lab_os_counters(os).os_held_2m, 0);
		assert_in_range(lab_os_counters(os).os_held_4k, 1, 3);
		lab_os_delete(os);
	}
}

/* Where as much is mapped again, and much of it is new, it counts as it lies then. */
static void test_sizes_again(void **state)
{
	(void)state;
	random_state = 14;
	start(4, true, false, 12, 0, false);
	call((struct lab_call){ .kind = LAB_MMAP, .addr = ARENA + (8 << 21), .length = 4096 * 8, .prot = 3 });
	for (unsigned again = 0; again < 2; again++) {
		call((struct lab_call){ .kind = LAB_MMAP, .addr = ARENA, .length = 4096 * 4, .prot = 3,
					.flags = again ? 0 : LAB_MAP_STACK });
		for (unsigned i = 0; i < 4; i++) {
			frame_of(ARENA + 4096 * i, true);
			frame_of(ARENA + (8 << 21) + 4096 * i, true);
		}
		call((struct lab_call){ .kind = LAB_MUNMAP, .addr = ARENA, .length = 4096 * 4 });
		assert_int_equal(lab_os_counters(os).os_small_stack, again ? 0 : 4);
		assert_int_equal(lab_os_counters(os).os_held_4k, 8);
	}
	lab_os_delete(os);
}

/* Of many leaves not each that came is a reason to count all again; but 1/64 is not missed. */
static void test_sizes_of_many(void **state)
{
	enum { LEAVES = 8192, MORE = LEAVES / 64 + 2 };
	struct lab_os_counters c;

	(void)state;
	random_state = 13;
	start(4, true, false, 12, 0, false);
	call((struct lab_call){ .kind = LAB_MMAP, .addr = ARENA, .length = 4096ull * (LEAVES + MORE), .prot = 3 });
	call((struct lab_call){ .kind = LAB_MMAP, .addr = ARENA - 8192, .length = 4096, .prot = 3 });
	frame_of(ARENA - 8192, true);
	for (uint64_t i = 0; i < LEAVES; i++)
		frame_of(ARENA + 4096 * i, true);
	call((struct lab_call){ .kind = LAB_MUNMAP, .addr = ARENA - 8192, .length = 4096 });
	frame_of(ARENA + 4096 * LEAVES, true);
	frame_of(ARENA + 4096 * (LEAVES + 1), true);
	call((struct lab_call){ .kind = LAB_MUNMAP, .addr = ARENA, .length = 4096 });
	assert_int_equal(lab_os_counters(os).os_held_4k, LEAVES + 1);
	call((struct lab_call){ .kind = LAB_MMAP, .addr = ARENA, .length = 4096, .prot = 3 });
	frame_of(ARENA, true);
	for (uint64_t i = LEAVES; i < LEAVES + MORE; i++)
		frame_of(ARENA + 4096 * i, true);
	call((struct lab_call){ .kind = LAB_EXEC });
	c = lab_os_counters(os);
	assert_int_equal(c.os_held_4k, LEAVES + MORE);
	lab_os_delete(os);
}

/* A read of one page of a file maps the 15 others of its window, accessed: a shadow table can have them at once. */
static void test_fault_around(void **state)
{
	uint64_t faults;

	(void)state;
	random_state = 9;
	start(4, true, false, 12, 0, false);
	call((struct lab_call){ .kind = LAB_MMAP, .addr = ARENA, .length = 4096 * 40, .prot = 1, .file = 1 });
	frame_of(ARENA + 4096 * 5, false);
	faults = lab_os_counters(os).os_faults;
	for (unsigned i = 0; i < 16; i++) {
		struct spot s;

		assert_true(os_descend(os, os_mm(os), ARENA + 4096 * i, 1, false, &s));
		assert_int_equal(s.level, 1);
		assert_int_equal(s.value & (PTE_P | PTE_A | PTE_W), PTE_P | PTE_A);
		frame_of(ARENA + 4096 * i, false);
	}
	assert_int_equal(lab_os_counters(os).os_faults, faults);
	frame_of(ARENA + 4096 * 16, false);
	assert_int_equal(lab_os_counters(os).os_faults, faults + 1);
	audit();
	lab_os_delete(os);
}

static void test_flushes(void **state)
{
	struct lab_os_counters before, after;

	(void)state;
	random_state = 3;
	start(4, true, false, 12, 0, false);
	for (unsigned pages = 33; pages <= 34; pages++) {
		call((struct lab_call){ .kind = LAB_MMAP, .addr = ARENA, .length = 4096 * 100, .prot = 3 });
		for (unsigned i = 0; i < 100; i++)
			write_page(i);
		before = lab_os_counters(os);
		call((struct lab_call){ .kind = LAB_MUNMAP, .addr = ARENA, .length = 4096ull * pages });
		after = lab_os_counters(os);
		assert_int_equal(after.os_flush_pages - before.os_flush_pages, pages == 33 ? 33 : 0);
		assert_int_equal(after.os_flush_full - before.os_flush_full, pages == 33 ? 0 : 1);
		set_range(0, 100, 0);
	}
	lab_os_delete(os);
}

/* Six processes go round without a flush; a seventh takes a number away. */
static void test_address_space_numbers(void **state)
{
	uint64_t loads, kept;

	(void)state;
	random_state = 4;
	start(4, true, false, 12, 0, false);
	for (unsigned p = 1; p < 8; p++)
		call((struct lab_call){ .kind = LAB_FORK, .process = p });
	for (unsigned count = 6; count <= 7; count++) {
		for (unsigned round = 0; round < 3; round++) {
			loads = cpu->loads;
			kept = cpu->kept;
			for (unsigned p = 1; p <= count; p++)
				call((struct lab_call){ .kind = LAB_SWITCH, .process = p });
		}
		assert_int_equal(cpu->loads - loads, count);
		assert_int_equal(cpu->kept - kept, count == 6 ? 6 : 0);
	}
	lab_os_delete(os);
}

static void test_refusals(void **state)
{
	(void)state;
	random_state = 5;
	start(4, true, false, 12, 0, false);
	assert_false(lab_os_page_fault(os, ARENA, 6, &error));
	assert_non_null(strstr(error.text, "nothing is mapped"));
	error.text[0] = 0;
	assert_false(lab_os_call(os, &(struct lab_call){ .kind = LAB_SWITCH, .process = 9 }, &error));
	error.text[0] = 0;
	assert_false(
		lab_os_call(os, &(struct lab_call){ .kind = LAB_MMAP, .addr = 1ull << 47, .length = 4096 }, &error));
	error.text[0] = 0;
	assert_false(lab_os_call(os, &(struct lab_call){ .kind = LAB_MUNMAP, .addr = ARENA, .length = ~0ull }, &error));
	error.text[0] = 0;
	assert_false(lab_os_call(os, &(struct lab_call){ .kind = LAB_FORK, .process = 0 }, &error));
	error.text[0] = 0;
	call((struct lab_call){ .kind = LAB_MMAP, .addr = ARENA, .length = 1ull << 40, .prot = 3 });
	for (uint64_t va = ARENA;; va += 4096) { /* more than there is */
		uint64_t frame;
		uint32_t code;

		assert_true(va < ARENA + (512ull << 20));
		if (!cpu_access(cpu, va, true, &frame, &code) && !lab_os_page_fault(os, va, code, &error))
			break;
	}
	assert_non_null(strstr(error.text, "exhausted"));
	lab_os_delete(os);
}

/* A stream without mappings; a gigabyte page; the heap and the stack. */
static void test_regions(void **state)
{
	(void)state;
	random_state = 6;
	start(4, true, false, 12, 0, true);
	frame_of(0x400123, false);
	frame_of(0x7fff12345678, true);
	frame_of(0x7fff12345678 - 0x1000, true);
	assert_int_equal(lab_os_counters(os).os_implicit, 2);
	assert_int_equal(lab_os_counters(os).os_faults, 3);
	frame_of(0x400123, true); /* it was read first, and is written without another fault */
	assert_int_equal(lab_os_counters(os).os_faults, 3);
	audit();
	lab_os_delete(os);

	start(4, true, false, 12, 0, false);
	call((struct lab_call){ .kind = LAB_BRK, .addr = 0x601234 });
	call((struct lab_call){ .kind = LAB_BRK, .addr = 0x605001 });
	frame_of(0x602000, true);
	frame_of(0x605fff, true);
	call((struct lab_call){ .kind = LAB_BRK, .addr = 0x602000 });
	assert_int_equal(lab_os_counters(os).os_pages_4k, 0);
	call((struct lab_call){
		.kind = LAB_MMAP, .addr = 0x7ffffff00000, .length = 4096, .prot = 3, .flags = LAB_MAP_STACK });
	frame_of(0x7ffffff00000 - 100 * 4096, true);
	assert_int_equal(os_mm(os)->vma[0].start, 0x7ffffff00000 - 100 * 4096);
	audit();
	lab_os_delete(os);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy_on_write), cmocka_unit_test(test_large_pages),
		cmocka_unit_test(test_collapse), cmocka_unit_test(test_fault_around),
		cmocka_unit_test(test_collapse_refused), cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_sizes_at_most), cmocka_unit_test(test_sizes_again),
		cmocka_unit_test(test_sizes_of_many),
		cmocka_unit_test(test_flushes),
		cmocka_unit_test(test_address_space_numbers), cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_regions),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
