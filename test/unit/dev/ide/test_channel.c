/* The controller and its channels: configuration space, which drive answers, interrupts, resets (ATA/ATAPI-6, "Device 0
 * only configurations", "Software reset"; PIIX3's function 1). */
#include "test/unit/dev/ide/rig.h"

static void test_configuration(void **state)
{
	(void)state;
	assert_int_equal(config_in(PCI_VENDOR), 0x70108086);
	assert_int_equal(config_in(PCI_REVISION) >> 8, 0x010180);
	assert_int_equal(config_in(0x20), MASTER_AT | PCI_BAR_IO);
	assert_int_equal(config_in(0x40), 0x80008000);
	assert_int_equal(config_in(PCI_SUBSYSTEM), 0x11001af4);
	/* No channel, or none at all. */
	assert_int_equal(alternate(0), GOOD);
	config_out(0x40, 2, 0);
	assert_int_equal(alternate(0), 0xff);
	assert_int_equal(reg_in(0, ATA_STATUS), 0xff);
	assert_int_equal(pio_in(&rig->pio, ATA_COMMAND_1, 2), 0xffff);
	reg_out(0, ATA_COMMAND, ATA_IDENTIFY);
	control_out(0, ATA_SRST);
	config_out(0x40, 2, 0x8000);
	assert_int_equal(alternate(0), GOOD);
	config_out(PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	assert_int_equal(alternate(0), 0xff);
	assert_int_equal(master_in(0, BM_STATUS, 1), 0xff);
}

/* Nobody answers for the second drive, but to its device register ("Device 0 only configurations" has the first one do
 * so). */
static void test_one_drive(void **state)
{
	(void)state;
	reg_out(0, ATA_DEVICE, ATA_DEVICE_SECOND);
	assert_int_equal(reg_in(0, ATA_DEVICE), ATA_DEVICE_SECOND);
	assert_int_equal(alternate(0), 0);
	STATUS(0, 0);
	reg_out(0, ATA_COUNT, 0x55);
	reg_out(0, ATA_LBA_LOW, 0xaa);
	for (uint16_t reg = ATA_ERROR; reg <= ATA_LBA_HIGH; reg++)
		assert_int_equal(reg_in(0, reg), 0);
	reg_out(0, ATA_COMMAND, ATA_IDENTIFY);
	assert_int_equal(alternate(0), 0);
	assert_int_equal(pio_in(&rig->pio, ATA_COMMAND_1, 2), 0xffff);
	reg_out(0, ATA_DEVICE, 0);
	assert_int_equal(reg_in(0, ATA_COUNT), 0x55);
	assert_int_equal(reg_in(0, ATA_LBA_LOW), 0xaa);
	assert_int_equal(alternate(0), GOOD);
	assert_false(rig->line[14]);
}

/* Of a channel without drives the bus is read, whose DD7 is pulled down. */
static void test_empty(void **state)
{
	(void)state;
	rig->ide.channel[1].drive[0].disk = NULL;
	for (uint8_t device = 0; device <= ATA_DEVICE_SECOND; device += ATA_DEVICE_SECOND) {
		reg_out(1, ATA_DEVICE, device);
		reg_out(1, ATA_COMMAND, ATA_DIAGNOSTIC);
		reg_out(1, ATA_COMMAND, ATA_IDENTIFY);
		settle();
		assert_int_equal(alternate(1), 0x7f);
		for (unsigned reg = ATA_ERROR; reg <= ATA_STATUS; reg++)
			assert_int_equal(reg_in(1, reg), 0x7f);
	}
	control_out(1, ATA_SRST);
	control_out(1, 0);
	settle();
	assert_int_equal(alternate(1), 0x7f);
	assert_false(rig->line[15]);
}

/* ID7, and nIEN. */
static void test_interrupts(void **state)
{
	(void)state;
	control_out(0, ATA_NIEN);
	command(0, ATA_READ, 5, 1);
	assert_false(rig->line[14]);
	assert_int_equal(master_in(0, BM_STATUS, 1), 0);
	control_out(0, 0);
	assert_true(rig->line[14]);
	assert_int_equal(master_in(0, BM_STATUS, 1), BM_INTERRUPT);
	assert_int_equal(alternate(0), GOOD | ATA_DRQ);
	assert_true(rig->line[14]);
	reg_out(0, ATA_DEVICE, ATA_DEVICE_SECOND);
	assert_false(rig->line[14]);
	STATUS(0, 0);
	reg_out(0, ATA_DEVICE, 0);
	assert_true(rig->line[14]);
	/* The next command takes it away as well. */
	reg_out(0, ATA_COMMAND, ATA_READ);
	assert_false(rig->line[14]);
	settle();
	assert_true(rig->line[14]);
	control_out(0, ATA_SRST);
	assert_false(rig->line[14]);
	assert_false(rig->line[15]);
}

static void test_resets(void **state)
{
	(void)state;
	reg_out(0, ATA_DEVICE, ATA_DEVICE_SECOND);
	control_out(0, ATA_SRST);
	control_out(0, 0);
	assert_int_equal(reg_in(0, ATA_DEVICE), 0);
	control_out(1, ATA_SRST);
	control_out(1, 0);
	assert_int_equal(alternate(1), 0);
	assert_int_equal(reg_in(1, ATA_LBA_MID), 0x14);
	assert_int_equal(reg_in(1, ATA_LBA_HIGH), 0xeb);
	/* "EXECUTE DEVICE DIAGNOSTIC", which the second, too, hears. */
	reg_out(0, ATA_DEVICE, ATA_DEVICE_SECOND);
	reg_out(0, ATA_COUNT, 0x77);
	reg_out(0, ATA_COMMAND, ATA_DIAGNOSTIC);
	assert_true(rig->line[14]);
	assert_int_equal(reg_in(0, ATA_ERROR), 1);
	assert_int_equal(reg_in(0, ATA_COUNT), 1);
	STATUS(0, GOOD);
	/* What the host has set survives one by software. */
	command(0, ATA_SET_MULTIPLE, 0, 4);
	control_out(0, ATA_SRST);
	control_out(0, 0);
	command(0, ATA_READ_MULTIPLE, 0, 4);
	STATUS(0, GOOD | ATA_DRQ);
}

/* What was written before the last. */
static void test_high_order(void **state)
{
	(void)state;
	for (unsigned reg = ATA_COUNT; reg <= ATA_LBA_HIGH; reg++) {
		reg_out(0, reg, (uint8_t)(0x10 + reg));
		reg_out(0, reg, (uint8_t)(0x20 + reg));
	}
	for (unsigned reg = ATA_COUNT; reg <= ATA_LBA_HIGH; reg++) {
		control_out(0, ATA_HOB);
		assert_int_equal(reg_in(0, reg), 0x10 + reg);
		reg_out(0, ATA_DEVICE, 0); /* any write ends this */
		assert_int_equal(reg_in(0, reg), 0x20 + reg);
	}
	/* A channel that nobody is at: floats. */
	assert_int_equal(pio_in(&rig->pio, 0x3f7, 1), 0xff);
	assert_int_equal(pio_in(&rig->pio, ATA_COMMAND_1 + ATA_COUNT, 2), 0x2322);
}

/* Two drives of a channel have one bus master. */
static void test_one_master(void **state)
{
	static struct guest second;

	(void)state;
	guest_make(&second, &rig->medium, 1);
	assert_true(ide_attach(&rig->ide, &rig->pio, 0, 1, &second.disk, false, "second"));
	region(0, DATA, 0x400, true);
	command(0, ATA_READ_DMA, 40, 2);
	master_out(0, BM_TABLE, 4, TABLE);
	master_out(0, BM_COMMAND, 1, BM_TO_MEMORY | BM_START);
	reg_out(0, ATA_DEVICE, ATA_DEVICE_LBA | ATA_DEVICE_SECOND);
	reg_out(0, ATA_COUNT, 1);
	reg_out(0, ATA_LBA_LOW, 7);
	reg_out(0, ATA_COMMAND, ATA_READ_DMA);
	assert_int_equal(alternate(0), GOOD | ATA_DRQ);
	assert_int_equal(rig->medium.started, 1);
	settle();
	assert_int_equal(rig->guest.ram[DATA], 40 * 3 + 1);
	assert_int_equal(alternate(0), GOOD | ATA_DRQ);
	second.inside = true;
	master_out(0, BM_COMMAND, 1, BM_TO_MEMORY);
	master_out(0, BM_COMMAND, 1, BM_TO_MEMORY | BM_START);
	second.inside = false;
	settle();
	assert_int_equal(rig->guest.ram[DATA], 7 * 3 + 2);
	STATUS(0, GOOD);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(test_configuration), T(test_one_drive), T(test_empty), T(test_interrupts), T(test_resets),
		T(test_high_order), T(test_one_master),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
