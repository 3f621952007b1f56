/* The bus master (Programming Interface for Bus Master IDE Controller): tables good and bad, the states that its status
 * tells, starts and stops at any time. */
#include "test/unit/dev/ide/rig.h"

#include <string.h>

#define ACTIVE BM_ACTIVE
#define INTERRUPT BM_INTERRUPT
#define FAILED BM_FAILED

static uint8_t *ram(uint32_t gpa) { return rig->guest.ram + gpa; }

/* A whole transfer of n sectors from sector 40 on. */
static void transfer(uint8_t code, unsigned n)
{
	command(0, code, 40, (uint8_t)n);
	master_start(0, code == ATA_READ_DMA);
}

static void test_transfers(void **state)
{
	(void)state;
	region(0, DATA, 0x600, false);
	region(1, DATA + 0x8000, 0x1a00, true);
	transfer(ATA_READ_DMA, 16);
	assert_int_equal(master_in(0, BM_STATUS, 1), INTERRUPT);
	assert_true(rig->line[14]);
	STATUS(0, GOOD);
	assert_memory_equal(ram(DATA), rig->medium.data[0][40], 0x600);
	assert_memory_equal(ram(DATA + 0x8000), rig->medium.data[0][43], 0x1a00);
	assert_int_equal(*ram(DATA + 0x8000 + 0x1a00), 0);
	master_out(0, BM_COMMAND, 1, 0);
	/* The other way, more than a piece of the medium's. */
	for (unsigned i = 0; i < 200 * SECTOR_SIZE; i++)
		*ram(DATA + i) = (uint8_t)(i / 7);
	region(0, DATA, 0, false); /* 64 KiB */
	region(1, DATA + 0x10000, 0x9000, true);
	transfer(ATA_WRITE_DMA, 200);
	assert_int_equal(master_in(0, BM_STATUS, 1), INTERRUPT);
	STATUS(0, GOOD);
	assert_memory_equal(rig->medium.data[0][40], ram(DATA), 200 * SECTOR_SIZE);
	master_out(0, BM_COMMAND, 1, 0);
	/* Started before the command. */
	region(0, DATA + 0x50000, 0x200, true);
	master_start(0, true);
	assert_int_equal(master_in(0, BM_STATUS, 1), ACTIVE);
	command48(ATA_READ_DMA_EXT, 41, 1);
	assert_int_equal(master_in(0, BM_STATUS, 1), INTERRUPT);
	assert_memory_equal(ram(DATA + 0x50000), rig->medium.data[0][41], 0x200);
}

/* "Status register": the combinations of active and interrupt. */
static void test_sizes(void **state)
{
	(void)state;
	region(0, DATA, 0x800, true);
	transfer(ATA_READ_DMA, 2); /* the table tells of more */
	assert_int_equal(master_in(0, BM_STATUS, 1), ACTIVE | INTERRUPT);
	STATUS(0, GOOD);
	master_out(0, BM_COMMAND, 1, 0);
	assert_int_equal(master_in(0, BM_STATUS, 1), INTERRUPT);
	transfer(ATA_READ_DMA, 5); /* of less */
	assert_int_equal(master_in(0, BM_STATUS, 1), 0);
	assert_false(rig->line[14]);
	assert_int_equal(alternate(0), GOOD | ATA_DRQ);
	assert_memory_equal(ram(DATA), rig->medium.data[0][40], 0x800);
	/* A reset brings it back, and so does the next command. */
	control_out(0, ATA_SRST);
	control_out(0, 0);
	STATUS(0, GOOD);
	master_out(0, BM_COMMAND, 1, 0);
	transfer(ATA_READ_DMA, 5);
	command(0, ATA_READ, 3, 1);
	STATUS(0, GOOD | ATA_DRQ);
}

/* What is no memory, or ROM to be read into; what crosses 64 KiB; a table that does. */
static void test_bad_tables(void **state)
{
	static const struct { uint8_t code; uint32_t gpa, bytes; bool good; } cases[] = {
		{ ATA_READ_DMA, GUEST_RAM, 0x400, false }, { ATA_READ_DMA, 0xfec00000, 0x400, false },
		{ ATA_READ_DMA, 0xfffffc00, 0x400, false }, { ATA_READ_DMA, GUEST_ROM, 0x400, false },
		{ ATA_WRITE_DMA, GUEST_ROM, 0x400, true }, { ATA_WRITE_DMA, GUEST_RAM - 0x200, 0x400, false },
		{ ATA_READ_DMA, DATA + 0xfe00, 0x400, false }, { ATA_READ_DMA, DATA + 0xfc00, 0x400, true },
		{ ATA_READ_DMA, DATA + 2, 0, false }, { ATA_READ_DMA, DATA + 1, 0x401, true },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		region(0, cases[i].gpa, cases[i].bytes, true);
		transfer(cases[i].code, 2);
		assert_int_equal(master_in(0, BM_STATUS, 1) & ~ACTIVE, cases[i].good ? INTERRUPT : FAILED);
		assert_int_equal(rig->line[14], cases[i].good);
		assert_int_equal(alternate(0), GOOD | (cases[i].good ? 0 : ATA_DRQ));
		if (!cases[i].good)
			assert_int_equal(master_in(0, BM_STATUS, 1), FAILED);
		STATUS(0, GOOD | (cases[i].good ? 0 : ATA_DRQ));
		master_out(0, BM_COMMAND, 1, 0);
	}
	/* The table itself: nowhere, and over the end of its 64 KiB. */
	for (unsigned i = 0; i < 2; i++) {
		command(0, ATA_READ_DMA, 40, 2);
		region(0, DATA, 0x400, true);
		memcpy(ram(0x2fff8), ((uint32_t[]){ DATA, 0x200, DATA + 0x200, BM_TABLE_END | 0x200 }), 16);
		master_out(0, BM_STATUS, 1, FAILED | INTERRUPT);
		master_out(0, BM_TABLE, 4, i ? GUEST_RAM + 4 : 0x2fff8);
		master_out(0, BM_COMMAND, 1, BM_TO_MEMORY | BM_START);
		settle();
		assert_int_equal(master_in(0, BM_STATUS, 1), FAILED);
		master_out(0, BM_COMMAND, 1, 0);
	}
}

/* A table of as many entries as there can be, of two bytes each: it ends. */
static void test_small_regions(void **state)
{
	(void)state;
	for (unsigned n = 0; n < BM_PIECE / 8; n++)
		memcpy(ram(0x30000 + 8 * n), ((uint32_t[]){ DATA + 2 * n, 2 }), 8);
	command(0, ATA_READ_DMA, 40, 100);
	master_out(0, BM_TABLE, 4, 0x30000);
	master_out(0, BM_COMMAND, 1, BM_TO_MEMORY | BM_START);
	settle();
	assert_int_equal(master_in(0, BM_STATUS, 1), FAILED);
	assert_memory_equal(ram(DATA), rig->medium.data[0][40], 2 * BM_PIECE / 8);
}

static void test_refused(void **state)
{
	(void)state;
	region(0, DATA, 0x400, true);
	/* The other direction. */
	command(0, ATA_READ_DMA, 40, 2);
	master_start(0, false);
	assert_int_equal(master_in(0, BM_STATUS, 1), FAILED);
	master_out(0, BM_COMMAND, 1, 0);
	/* A function that may be no master. */
	config_out(PCI_COMMAND, 2, PCI_COMMAND_IO);
	transfer(ATA_READ_DMA, 2);
	assert_int_equal(master_in(0, BM_STATUS, 1), FAILED);
	assert_int_equal(rig->medium.started, 0);
	config_out(PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
	/* An error of the medium's is the drive's. */
	rig->medium.fail = true;
	master_out(0, BM_COMMAND, 1, 0);
	transfer(ATA_READ_DMA, 2);
	assert_true(master_in(0, BM_STATUS, 1) & INTERRUPT);
	STATUS(0, GOOD | ATA_ERR);
	assert_int_equal(reg_in(0, ATA_ERROR), ATA_UNC);
	assert_int_equal(reg_in(0, ATA_LBA_LOW), 40);
}

/* Stopped in the middle: what the medium has is taken back, and memory stays as it is. */
static void test_stop(void **state)
{
	(void)state;
	region(0, DATA, 0x400, true);
	command(0, ATA_READ_DMA, 40, 2);
	assert_int_equal(alternate(0), GOOD | ATA_DRQ);
	master_out(0, BM_TABLE, 4, TABLE);
	master_out(0, BM_COMMAND, 1, BM_TO_MEMORY | BM_START);
	assert_true(rig->medium.busy);
	assert_int_equal(master_in(0, BM_STATUS, 1), ACTIVE);
	/* What is written now is for the next. */
	master_out(0, BM_TABLE, 4, GUEST_RAM);
	master_out(0, BM_COMMAND, 1, BM_TO_MEMORY);
	assert_int_equal(master_in(0, BM_STATUS, 1), 0);
	settle();
	assert_int_equal(*ram(DATA), 0);
	assert_false(rig->line[14]);
	assert_int_equal(alternate(0), GOOD | ATA_DRQ);
	command(0, ATA_READ_DMA, 40, 2);
	master_out(0, BM_TABLE, 4, TABLE);
	master_out(0, BM_COMMAND, 1, BM_TO_MEMORY | BM_START);
	master_out(0, BM_TABLE, 4, GUEST_RAM);
	settle();
	assert_int_equal(master_in(0, BM_STATUS, 1), INTERRUPT);
	assert_int_equal(*ram(DATA), 40 * 3 + 1);
}

static void test_registers(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 2; c++) {
		master_out(c, BM_TABLE, 4, 0x12345677);
		assert_int_equal(master_in(c, BM_TABLE, 4), 0x12345674);
		master_out(c, BM_TABLE + 1, 1, 0xab);
		assert_int_equal(master_in(c, BM_TABLE, 4), 0x1234ab74);
		master_out(c, BM_STATUS, 1, 0xff);
		assert_int_equal(master_in(c, BM_STATUS, 1), 0x60);
		master_out(c, BM_COMMAND, 1, 0xfe);
		assert_int_equal(master_in(c, BM_COMMAND, 1), BM_TO_MEMORY);
		assert_int_equal(master_in(c, 1, 1), 0);
		assert_int_equal(master_in(c, 3, 1), 0);
	}
	assert_int_equal(master_in(0, BM_TABLE, 4), master_in(1, BM_TABLE, 4));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(test_transfers), T(test_sizes), T(test_bad_tables), T(test_small_regions), T(test_refused),
		T(test_stop), T(test_registers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
