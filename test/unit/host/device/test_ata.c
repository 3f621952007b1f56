/* The driver of ATA disks over a model of a channel: which disks there are, commands in both ways, what fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "test/unit/host/device/controller.h"

static struct ata_channel channel;

static int setup(void **state)
{
	(void)state;
	memset(&ctl, 0, sizeof(ctl));
	for (unsigned n = 0; n < 2; n++) {
		ctl.disk[n] = (struct ctl_disk){ .present = true, .lba48 = true, .dma = true, .sectors = CTL_SECTORS };
		for (unsigned i = 0; i < CTL_SECTORS; i++)
			memset(ctl.disk[n].data[i], (int)(i * 7 + n), SECTOR_SIZE);
	}
	return 0;
}

/* Lets the disk go on, and the driver, until the command is over. */
static enum ata_result finish(void)
{
	enum ata_result r = ATA_BUSY;

	for (unsigned i = 0; r == ATA_BUSY && i < 2000; i++) {
		ctl_step();
		if (ctl.interrupt)
			r = ata_advance(&channel, ctl.now);
	}
	return r;
}

static void test_finding(void **state)
{
	(void)state;
	ctl.disk[0].packet = true;
	ctl.disk[1].sectors = 0x123456789;
	ctl_channel(&channel, true);
	assert_false(channel.disk[0].present); /* a CD drive */
	assert_true(channel.disk[1].present && channel.disk[1].lba48 && channel.disk[1].dma);
	assert_true(channel.disk[1].flush_ext);
	assert_int_equal(channel.disk[1].sectors, 0x123456789);
	assert_string_equal(channel.disk[1].model, "A disk of the tests");
	assert_string_equal(channel.disk[1].serial, "S-1");

	ctl.disk[0] = ctl.disk[1] = (struct ctl_disk){ .present = false };
	ctl_channel(&channel, true);
	assert_false(channel.disk[0].present || channel.disk[1].present);

	ctl.disk[0] = (struct ctl_disk){ .present = true, .sectors = 5000, .dma = true };
	ctl_channel(&channel, false);
	assert_true(channel.disk[0].present && !channel.disk[0].lba48 && !channel.disk[0].dma);
	assert_false(channel.disk[1].present);
	assert_int_equal(channel.disk[0].sectors, 5000);
	assert_int_equal(ata_most(&channel.disk[0]), 255);

	/* What IDENTIFY says that cannot be, or does not say. */
	ctl.disk[0].lba28 = UINT32_MAX;
	ctl_channel(&channel, false);
	assert_int_equal(channel.disk[0].sectors, ATA_LBA28_SECTORS);
	ctl.disk[0] = (struct ctl_disk){ .present = true, .sectors = 5000, .lba48 = true, .no_sets = true };
	ctl_channel(&channel, false);
	assert_true(channel.disk[0].present && !channel.disk[0].lba48 && !channel.disk[0].flush);
	assert_int_equal(channel.disk[0].sectors, 5000);
	ctl.disk[0].no_lba = true;
	ctl_channel(&channel, false);
	assert_false(channel.disk[0].present);
}

/* A read and a write of so many sectors; what is beside them stays. */
static void transfer(unsigned n, uint64_t sector, unsigned sectors)
{
	assert_true(ata_start(&channel, n, ATA_OP_READ, sector, sectors, ctl.now));
	assert_int_equal(ata_advance(&channel, ctl.now), ATA_BUSY);
	assert_int_equal(finish(), ATA_DONE);
	for (unsigned i = 0; i < sectors; i++)
		assert_memory_equal(channel.buffer + i * SECTOR_SIZE, ctl.disk[n].data[sector + i], SECTOR_SIZE);

	for (unsigned i = 0; i < sectors; i++)
		memset(channel.buffer + i * SECTOR_SIZE, (int)(i + 99), SECTOR_SIZE);
	assert_true(ata_start(&channel, n, ATA_OP_WRITE, sector, sectors, ctl.now));
	assert_int_equal(finish(), ATA_DONE);
	assert_int_equal(ctl.disk[n].written, sectors);
	for (unsigned i = 0; i < sectors; i++)
		assert_int_equal(ctl.disk[n].data[sector + i][511], (uint8_t)(i + 99));
	assert_int_equal(ctl.disk[n].data[sector + sectors][0], (uint8_t)((sector + sectors) * 7 + n));
	assert_int_equal(ctl.disk[n].data[sector - 1][0], (uint8_t)((sector - 1) * 7 + n));
}

static void test_dma(void **state)
{
	(void)state;
	ctl_channel(&channel, true);
	transfer(1, 1000, ATA_BUFFER / SECTOR_SIZE);
	setup(NULL);
	ctl_channel(&channel, true);
	transfer(0, 1, 1);
	setup(NULL);
	ctl.disk[0].lba48 = false;
	ctl_channel(&channel, true);
	transfer(0, 700, 129); /* into a second piece of the table */
}

static void test_words(void **state)
{
	(void)state;
	ctl_channel(&channel, false);
	transfer(1, 1000, 300);
	setup(NULL);
	ctl.disk[0].lba48 = false;
	ctl_channel(&channel, false);
	transfer(0, 17, 3);
}

static void test_flush(void **state)
{
	(void)state;
	ctl.disk[0].lba48 = false;
	ctl_channel(&channel, true);
	for (unsigned n = 0; n < 2; n++) {
		assert_true(ata_start(&channel, n, ATA_OP_FLUSH, 0, 0, ctl.now));
		assert_int_equal(finish(), ATA_DONE);
		assert_int_equal(ctl.disk[n].flushed, 1);
	}
}

static void test_errors(void **state)
{
	static const enum ata_op ops[] = { ATA_OP_READ, ATA_OP_WRITE, ATA_OP_FLUSH };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
		ctl_channel(&channel, true);
		ctl.fail = true;
		assert_true(ata_start(&channel, 0, ops[i], 5, 2, ctl.now));
		assert_int_equal(finish(), ATA_FAILED);
		ctl.fail = false;
		ctl.fault = true;
		assert_true(ata_start(&channel, 0, ops[i], 5, 2, ctl.now));
		assert_int_equal(finish(), ATA_FAILED);
		ctl.fault = false;
		assert_true(ata_start(&channel, 0, ops[i], 5, 2, ctl.now));
		assert_int_equal(finish(), ATA_DONE);
	}
	/* Less came than was asked for. */
	ctl.short_table = true;
	assert_true(ata_start(&channel, 0, ATA_OP_READ, 5, 2, ctl.now));
	assert_int_equal(finish(), ATA_FAILED);
	ctl.short_table = false;

	ctl_channel(&channel, false);
	ctl.fail = true;
	assert_true(ata_start(&channel, 0, ATA_OP_READ, 5, 2, ctl.now));
	assert_int_equal(finish(), ATA_FAILED);
	/* A disk that does not ask for what is to be written. */
	assert_false(ata_start(&channel, 0, ATA_OP_WRITE, 5, 2, ctl.now));
	assert_int_equal(ctl.resets, 1);
}

/* AT2. */
static void test_patience(void **state)
{
	uint64_t late;

	(void)state;
	ctl_channel(&channel, true);
	assert_true(ata_start(&channel, 0, ATA_OP_READ, 5, 2, ctl.now));
	late = channel.deadline;
	assert_int_equal(late, ctl.now + channel.patience);
	assert_int_equal(ata_advance(&channel, late - 1), ATA_BUSY);
	assert_int_equal(ata_advance(&channel, late), ATA_FAILED);
	assert_int_equal(ctl.resets, 1);
	assert_int_equal(channel.state, ATA_RESETTING);
	assert_int_equal(ata_advance(&channel, late + 1), ATA_BUSY);
	assert_int_equal(channel.state, ATA_IDLE);
	assert_true(ata_start(&channel, 0, ATA_OP_READ, 5, 2, late + 2));
	assert_int_equal(finish(), ATA_DONE);

	/* One that does not come back is given up. */
	ctl.hang = true;
	assert_true(ata_start(&channel, 0, ATA_OP_WRITE, 5, 2, ctl.now));
	late = channel.deadline;
	assert_int_equal(ata_advance(&channel, late), ATA_FAILED);
	assert_false(ata_start(&channel, 0, ATA_OP_READ, 5, 2, late));
	assert_int_equal(ata_advance(&channel, channel.deadline - 1), ATA_BUSY);
	ata_advance(&channel, channel.deadline);
	assert_int_equal(ata_advance(&channel, channel.deadline), ATA_GONE);
	assert_false(ata_start(&channel, 0, ATA_OP_READ, 5, 2, channel.deadline));
	assert_int_equal(ata_advance(&channel, channel.deadline), ATA_GONE);
}

/* The other disk of the channel is busy by itself: no command is given over it. */
static void test_busy(void **state)
{
	(void)state;
	ctl_channel(&channel, true);
	ctl.status = ATA_BSY;
	assert_false(ata_start(&channel, 0, ATA_OP_READ, 5, 2, ctl.now));
	assert_int_equal(ctl.resets, 1);
	assert_int_equal(ctl.command, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_finding, setup), cmocka_unit_test_setup(test_dma, setup),
		cmocka_unit_test_setup(test_words, setup), cmocka_unit_test_setup(test_flush, setup),
		cmocka_unit_test_setup(test_errors, setup), cmocka_unit_test_setup(test_patience, setup),
		cmocka_unit_test_setup(test_busy, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
