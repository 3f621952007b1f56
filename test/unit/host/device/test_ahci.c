/* The driver of disks at an AHCI controller over a model of one: which disks there are, commands in both ways, what
 * fails, and how a port comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "test/unit/host/device/hba.h"

static struct ahci_port port;

static void fresh(void)
{
	memset(&hba, 0, sizeof(hba));
	hba.lba48 = true;
	hba.sectors = HBA_SECTORS;
	for (unsigned i = 0; i < HBA_SECTORS; i++)
		memset(hba.data[i], (int)(i * 7), SECTOR_SIZE);
}

static int setup(void **state)
{
	(void)state;
	fresh();
	assert_true(ahci_begin(&hba_face));
	return 0;
}

static enum ata_result finish(void)
{
	hba_step();
	return ahci_advance(&port, hba.now);
}

static void test_controller(void **state)
{
	(void)state;
	assert_int_equal(hba.resets, 1);
	assert_int_equal(hba.ghc, AHCI_GHC_ENABLE);
	assert_true(ahci_has_port(&hba_face, HBA_DISK) && !ahci_has_port(&hba_face, 3));
	ahci_interrupts(&hba_face);
	assert_int_equal(hba.ghc, AHCI_GHC_ENABLE | AHCI_GHC_INTERRUPTS);
	/* The firmware has it, and lets go. */
	fresh();
	hba.handoff = true;
	hba.bohc = AHCI_BOHC_BIOS;
	assert_true(ahci_begin(&hba_face));
	fresh();
	hba.stuck = true;
	assert_false(ahci_begin(&hba_face));
}

static void test_finding(void **state)
{
	(void)state;
	hba.sectors = 0x123456789;
	hba_port(&port, HBA_DISK);
	assert_true(port.disk.present && port.disk.lba48 && port.disk.flush_ext);
	assert_int_equal(port.disk.sectors, 0x123456789);
	assert_string_equal(port.disk.model, "AB");
	assert_int_equal(port.state, AHCI_IDLE);
	assert_true(hba.port[HBA_DISK].ie & (uint32_t)AHCI_IS_FAILED);
	hba_port(&port, HBA_CD);
	assert_false(port.disk.present);
	assert_false(ahci_start(&port, ATA_OP_FLUSH, 0, 0, hba.now));
	hba_port(&port, 0); /* nothing is there */
	assert_false(port.disk.present);
	setup(NULL);
	hba.no_dma = true;
	hba_port(&port, HBA_DISK);
	assert_false(port.disk.present);
	setup(NULL);
	hba.fail = true;
	hba_port(&port, HBA_DISK);
	assert_false(port.disk.present);
	setup(NULL);
	hba.port[HBA_DISK].tfd = ATA_BSY; /* it never gets ready */
	hba_port(&port, HBA_DISK);
	assert_false(port.disk.present);
}

/* A read and a write of so many sectors; what is beside them stays. */
static void transfer(uint64_t sector, unsigned sectors)
{
	hba_port(&port, HBA_DISK);
	assert_true(ahci_start(&port, ATA_OP_READ, sector, sectors, hba.now));
	assert_int_equal(ahci_advance(&port, hba.now), ATA_BUSY);
	assert_int_equal(finish(), ATA_DONE);
	assert_int_equal(hba.is, 0);
	for (unsigned i = 0; i < sectors; i++)
		assert_memory_equal(port.buffer + i * SECTOR_SIZE, hba.data[sector + i], SECTOR_SIZE);
	for (unsigned i = 0; i < sectors; i++)
		memset(port.buffer + i * SECTOR_SIZE, (int)(i + 99), SECTOR_SIZE);
	assert_true(ahci_start(&port, ATA_OP_WRITE, sector, sectors, hba.now));
	assert_int_equal(finish(), ATA_DONE);
	assert_int_equal(hba.written, sectors);
	assert_int_equal(hba.data[sector + sectors - 1][511], (uint8_t)(sectors - 1 + 99));
	assert_int_equal(hba.data[sector + sectors][0], (uint8_t)((sector + sectors) * 7));
	assert_int_equal(hba.data[sector - 1][0], (uint8_t)((sector - 1) * 7));
}

static void test_transfers(void **state)
{
	(void)state;
	transfer(1000, ATA_BUFFER / SECTOR_SIZE);
	assert_int_equal(hba.command, ATA_WRITE_DMA_EXT);
	setup(NULL);
	transfer(1, 1);
	setup(NULL);
	hba.lba48 = false;
	transfer(700, 255);
	assert_int_equal(hba.command, ATA_WRITE_DMA);
	/* All bits of an address. */
	setup(NULL);
	hba.sectors = (1ull << 48) - 1;
	hba_port(&port, HBA_DISK);
	assert_true(ahci_start(&port, ATA_OP_READ, 0x123456789abc, 1, hba.now));
	assert_int_equal(finish(), ATA_DONE);
	assert_int_equal(hba.sector, 0x123456789abc);
	setup(NULL);
	hba.lba48 = false;
	hba.sectors = 0xfffffff;
	hba_port(&port, HBA_DISK);
	assert_true(ahci_start(&port, ATA_OP_READ, 0x9abcdef, 1, hba.now));
	assert_int_equal(finish(), ATA_DONE);
	assert_int_equal(hba.sector, 0x9abcdef);
}

static void test_flush(void **state)
{
	(void)state;
	hba_port(&port, HBA_DISK);
	assert_true(ahci_start(&port, ATA_OP_FLUSH, 0, 0, hba.now));
	assert_false(ahci_start(&port, ATA_OP_READ, 1, 1, hba.now)); /* AH1 */
	assert_int_equal(finish(), ATA_DONE);
	assert_int_equal(hba.flushed, 1);
	assert_int_equal(hba.command, ATA_FLUSH_EXT);
}

/* After each the port takes commands again. */
static void test_errors(void **state)
{
	static const enum ata_op ops[] = { ATA_OP_READ, ATA_OP_WRITE, ATA_OP_FLUSH };

	(void)state;
	hba_port(&port, HBA_DISK);
	for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
		hba.fail = true;
		assert_true(ahci_start(&port, ops[i], 5, 2, hba.now));
		assert_int_equal(finish(), ATA_FAILED);
		assert_int_equal(port.state, AHCI_IDLE);
		hba.fail = false;
		hba.fault = true;
		assert_true(ahci_start(&port, ops[i], 5, 2, hba.now));
		assert_int_equal(finish(), ATA_FAILED);
		hba.fault = false;
		assert_true(ahci_start(&port, ops[i], 5, 2, hba.now));
		assert_int_equal(finish(), ATA_DONE);
	}
	hba.half = true;
	assert_true(ahci_start(&port, ATA_OP_READ, 5, 2, hba.now));
	assert_int_equal(finish(), ATA_FAILED);
	assert_int_equal(hba.link_resets, 0);
}

/* AH2: a disk that hangs has its link reset, and takes commands again. */
static void test_patience(void **state)
{
	uint64_t late;

	(void)state;
	hba_port(&port, HBA_DISK);
	hba.hang = true;
	assert_true(ahci_start(&port, ATA_OP_READ, 5, 2, hba.now));
	late = port.deadline;
	assert_int_equal(late, hba.now + hba_face.patience);
	assert_int_equal(ahci_advance(&port, late - 1), ATA_BUSY);
	assert_int_equal(ahci_advance(&port, late), ATA_FAILED);
	assert_int_equal(port.state, AHCI_RESETTING);
	assert_false(ahci_start(&port, ATA_OP_READ, 5, 2, late));
	ahci_advance(&port, late + 1);
	assert_int_equal(hba.link_resets, 0); /* not so soon */
	ahci_advance(&port, port.held);
	assert_int_equal(hba.link_resets, 1);
	assert_int_equal(ahci_advance(&port, port.held + 1), ATA_BUSY);
	assert_int_equal(port.state, AHCI_IDLE);
	assert_true(ahci_start(&port, ATA_OP_READ, 5, 2, late));
	assert_int_equal(finish(), ATA_DONE);
}

/* One that does not come back is given up; so is one that does not stop. */
static void test_death(void **state)
{
	(void)state;
	hba_port(&port, HBA_DISK);
	hba.hang = hba.dead = true;
	assert_true(ahci_start(&port, ATA_OP_WRITE, 5, 2, hba.now));
	assert_int_equal(ahci_advance(&port, port.deadline), ATA_FAILED);
	ahci_advance(&port, port.held);
	assert_int_equal(ahci_advance(&port, port.deadline - 1), ATA_BUSY);
	assert_int_equal(port.state, AHCI_LINKING);
	ahci_advance(&port, port.deadline);
	assert_int_equal(ahci_advance(&port, port.deadline), ATA_GONE);
	assert_false(ahci_start(&port, ATA_OP_READ, 5, 2, port.deadline));
	setup(NULL);
	hba_port(&port, HBA_DISK);
	hba.fail = hba.runs_on = true;
	assert_true(ahci_start(&port, ATA_OP_WRITE, 5, 2, hba.now));
	assert_int_equal(finish(), ATA_FAILED);
	assert_int_equal(port.state, AHCI_STOPPING);
	ahci_advance(&port, port.deadline);
	assert_int_equal(port.state, AHCI_DEAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_controller, setup), cmocka_unit_test_setup(test_finding, setup),
		cmocka_unit_test_setup(test_transfers, setup), cmocka_unit_test_setup(test_flush, setup),
		cmocka_unit_test_setup(test_errors, setup), cmocka_unit_test_setup(test_patience, setup),
		cmocka_unit_test_setup(test_death, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
