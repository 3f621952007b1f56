/* A virtual machine's flash memory (vm/device/flash.c): read of its disk, found below the ROM, written where it has
 * changed. */
#include "test/unit/vm/fixture.h"

#include "test/vm/disk.h"
#include "vm/device/disk.h"
#include "vm/device/flash.h"

#define FLASH (0xfffc0000u - BENCH_DISK_SECTORS * SECTOR_SIZE) /* below the bench's ROM */

static struct vm *vm;

static void make(const char *description)
{
	for (unsigned i = 0; i < BENCH_DISK_SECTORS; i++)
		memset(bench_disk.data[i], (int)(i % 251), SECTOR_SIZE);
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .firmware = true,
					  .description = description });
	vm = bench.vm[0];
}

static void start_with(const char *description)
{
	memset(&bench_disk, 0, sizeof(bench_disk));
	bench_disk.there = true;
	make(description);
	assert_null(bench.why_not);
	assert_int_equal(bench.at, BENCH_ENTRY);
}

/* A write of the guest's; at its next instruction the memory is as the device says. */
static void tell(uint32_t at, uint8_t value)
{
	poke(FLASH + at, value);
	out_sized(0x80, 1, 0);
}

/* A byte is stored, by the command for it, and can be read again. */
static void store(uint32_t at, uint8_t value)
{
	tell(at, 0x40);
	assert_int_equal(peek(FLASH + at), 0x80);
	tell(at, value);
	tell(at, 0xff);
}

static void erase(uint32_t at)
{
	tell(at, 0x20);
	tell(at, 0xd0);
	tell(at, 0xff);
}

static bool is_plain(void) { return slots_find(&vm->mmu.slots, gpa_gfn(GPA(FLASH))) != NULL; }

/* FH3, FL1. */
static void where_it_is(void **state)
{
	(void)state;
	start_with("disk ide1.0,if=pflash\n");
	for (uint32_t n = 0; n < BENCH_DISK_SECTORS; n += 501)
		assert_int_equal(peek(FLASH + n * SECTOR_SIZE), n % 251);
	assert_int_equal(peek(FLASH - 1), 0xff);
	assert_true(is_plain());
	tell(0, 0x70);
	assert_false(is_plain());
	assert_int_equal(peek(FLASH + 5000), 0x80);
	tell(0, 0xff);
	assert_true(is_plain());
	assert_int_equal(peek(FLASH + 5000), 5000 / SECTOR_SIZE);
	assert_false(bench_disk.busy);
	assert_null(vm->disks[0].block.queue);
	finish();
}

/* FH2: also what changes while the disk works, and each write is flushed. */
static void what_is_written(void **state)
{
	(void)state;
	start_with("disk ide1.0,if=pflash\n");
	store(7 * SECTOR_SIZE, 0x05);
	assert_true(bench_disk.busy);
	assert_int_equal(bench_disk.sector, 7);
	assert_int_equal(bench_disk.sectors, 1);
	store(7 * SECTOR_SIZE + 1, 0x04);
	erase(64 * SECTOR_SIZE);
	assert_int_equal(bench_disk.data[7][0], 7);
	bench_disk_finish();
	assert_int_equal(bench_disk.data[7][0], 0x05);
	assert_int_equal(bench_disk.data[7][1], 0x04);
	assert_int_equal(bench_disk.data[7][2], 7);
	for (unsigned n = 0; n < FLASH_BLOCK / SECTOR_SIZE; n++)
		assert_int_equal(bench_disk.data[64 + n][511], 0xff);
	assert_int_equal(bench_disk.data[72][0], 72);
	assert_int_equal(bench_disk.flushed, 3);
	finish();
}

static void never_written(void **state)
{
	(void)state;
	start_with("disk ide1.0,if=pflash,snapshot\n");
	store(SECTOR_SIZE, 0);
	assert_int_equal(peek(FLASH + SECTOR_SIZE), 0);
	assert_false(bench_disk.busy);
	finish();
	start_with("disk ide1.0,if=pflash,ro\n");
	store(SECTOR_SIZE, 0);
	assert_int_equal(peek(FLASH + SECTOR_SIZE), 1);
	assert_false(bench_disk.busy);
	finish();
}

static void a_bad_disk(void **state)
{
	(void)state;
	start_with("disk ide1.0,if=pflash\n");
	bench_disk.fail = true;
	store(SECTOR_SIZE, 0);
	bench_disk_finish();
	assert_true(said("its flash memory cannot be written to disk ide1.0"));
	assert_int_equal(peek(FLASH + SECTOR_SIZE), 0);
	store(2 * SECTOR_SIZE, 0);
	assert_false(bench_disk.busy);
	finish();
}

/* What is under way at the machine's end is waited for. */
static void the_end(void **state)
{
	(void)state;
	start_with("disk ide1.0,if=pflash\n");
	store(SECTOR_SIZE, 0);
	bench_disk.looks = true;
	vm_flash_end();
	assert_int_equal(bench_disk.data[1][0], 0);
	assert_false(bench_disk.busy);
	finish();
}

static void refused(const char *description, unsigned small, bool fail, const char *why)
{
	memset(&bench_disk, 0, sizeof(bench_disk));
	bench_disk.there = true;
	bench_disk.small = small;
	bench_disk.fail = fail;
	make(description);
	assert_non_null(bench.why_not);
	assert_non_null(strstr(bench.why_not, why));
	bench_disk.fail = false;
	finish();
}

static void what_is_refused(void **state)
{
	(void)state;
	refused("disk ide0.1,if=pflash\n", 0, false, "the machine has none there");
	refused("disk ide1.0,if=pflash\n", 1, false, "whole blocks of 4 KB, and at most 8 MB");
	refused("disk ide1.0,if=pflash\n", 0, true, "it cannot be read");
}

/* What a snapshot says that the chip is at. */
static void where_a_snapshot_has_it(void **state)
{
	(void)state;
	start_with("disk ide1.0,if=pflash\n");
	vm->firmware.chip.mode = FLASH_STATUS;
	firmware_place(vm);
	assert_false(is_plain());
	finish();
}

static void no_room(void **state)
{
	(void)state;
	start_with("disk ide1.0,if=pflash\n");
	vm->firmware.rom_bytes = FLASH_MAX - BENCH_DISK_SECTORS * SECTOR_SIZE + PAGE_SIZE;
	assert_false(vm_flash_add(vm, firmware_areas_changed));
	assert_non_null(strstr(vm->end_text, "its firmware and its flash memory have 8196 KB; a PC has room for 8192"));
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(where_it_is), cmocka_unit_test(what_is_written), cmocka_unit_test(never_written),
		cmocka_unit_test(a_bad_disk), cmocka_unit_test(the_end), cmocka_unit_test(what_is_refused),
		cmocka_unit_test(where_a_snapshot_has_it), cmocka_unit_test(no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
