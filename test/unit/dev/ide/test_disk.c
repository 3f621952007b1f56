/* A disk at the IDE controller as its driver sees it: commands by the data port (ATA/ATAPI-6). */
#include "test/unit/dev/ide/rig.h"

#include <string.h>

static uint8_t sectors[256 * SECTOR_SIZE];

static uint8_t content(unsigned sector) { return (uint8_t)(sector * 3 + 1); }

static void identify(uint16_t id[256])
{
	command(0, ATA_IDENTIFY, 0, 0);
	assert_true(rig->line[14]);
	STATUS(0, GOOD | ATA_DRQ);
	assert_false(rig->line[14]);
	data_in(0, id, 512);
	STATUS(0, GOOD);
}

/* "IDENTIFY DEVICE". */
static void test_identify(void **state)
{
	uint16_t id[256];

	(void)state;
	identify(id);
	assert_int_equal(id[0], 0x0040);
	assert_int_equal(id[1], MEDIUM_SECTORS / (16 * 63));
	assert_int_equal(id[3], 16);
	assert_int_equal(id[6], 63);
	assert_int_equal(id[10], 'a' << 8 | ' ');
	assert_int_equal(id[27], 'V' << 8 | 'E');
	assert_int_equal(id[46], ' ' << 8 | ' ');
	assert_int_equal(id[47], 0x8000 | IDE_MULTIPLE);
	assert_int_equal(id[49] & 0x300, 0x300); /* LBA, DMA */
	assert_int_equal(id[60] | (uint32_t)id[61] << 16, MEDIUM_SECTORS);
	assert_int_equal(id[63], 0x0407);
	assert_int_equal(id[80] & 0x40, 0x40);
	assert_int_equal(id[83], 0x7400);
	assert_int_equal(id[85], 0x0020);
	assert_int_equal(id[86], 0x3400);
	assert_int_equal(id[87] >> 14, 1);
	assert_int_equal(id[100], MEDIUM_SECTORS);
	/* What is set is told. */
	command(0, ATA_SET_MULTIPLE, 0, 8);
	STATUS(0, GOOD);
	reg_out(0, ATA_FEATURES, ATA_FEATURE_CACHE_OFF);
	command(0, ATA_SET_FEATURES, 0, 0);
	reg_out(0, ATA_FEATURES, ATA_FEATURE_TRANSFER_MODE);
	command(0, ATA_SET_FEATURES, 0, 0x21);
	STATUS(0, GOOD);
	identify(id);
	assert_int_equal(id[59], 0x0108);
	assert_int_equal(id[63], 0x0207);
	assert_int_equal(id[85], 0);
}

/* "PIO data-in command protocol": an interrupt for each block, none at the end. */
static void test_read(void **state)
{
	(void)state;
	command(0, ATA_READ, 100, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(rig->line[14]);
		STATUS(0, GOOD | ATA_DRQ);
		pio_out(&rig->pio, ATA_COMMAND_1, 2, 0x7777); /* nobody wants that */
		data_in(0, sectors + i * 512, 512);
	}
	assert_int_equal(rig->rises[14], 3);
	assert_false(rig->line[14]);
	STATUS(0, GOOD);
	for (unsigned i = 0; i < sizeof(sectors) && i < 3 * 512; i++)
		assert_int_equal(sectors[i], content(100 + i / 512));
	/* Nothing is left: ones. */
	assert_int_equal(pio_in(&rig->pio, ATA_COMMAND_1, 2), 0xffff);
	/* 0 is 256, which the buffer takes in two parts. */
	command(0, ATA_READ, 7, 0);
	data_in(0, sectors, 128 * 512);
	data_in(0, sectors + 128 * 512, 128 * 512);
	STATUS(0, GOOD);
	assert_memory_equal(sectors, rig->medium.data[0][7], 256 * 512);
	assert_int_equal(rig->rises[14], 3 + 1); /* nobody has noticed that one */
}

static void test_read48(void **state)
{
	(void)state;
	command48(ATA_READ_EXT, MEDIUM_SECTORS - 300, 300);
	for (unsigned i = 0; i < 300; i++) {
		data_in(0, sectors, 512);
		assert_int_equal(sectors[511], content(MEDIUM_SECTORS - 300 + i));
	}
	STATUS(0, GOOD);
	command48(ATA_READ_EXT, 1ull << 40, 1);
	STATUS(0, GOOD | ATA_ERR);
	assert_int_equal(reg_in(0, ATA_ERROR), ATA_IDNF);
}

/* "PIO data-out command protocol": the first block is asked for without an interrupt. */
static void test_write(void **state)
{
	(void)state;
	memset(sectors, 0x5e, sizeof(sectors));
	command(0, ATA_WRITE, 9, 2);
	assert_int_equal(pio_in(&rig->pio, ATA_COMMAND_1, 2), 0xffff);
	assert_false(rig->line[14]);
	STATUS(0, GOOD | ATA_DRQ);
	data_out(0, sectors, 512);
	assert_true(rig->line[14]);
	STATUS(0, GOOD | ATA_DRQ);
	data_out(0, sectors, 512);
	assert_true(rig->line[14]);
	STATUS(0, GOOD);
	assert_int_equal(rig->medium.data[0][10][511], 0x5e);
	assert_int_equal(rig->medium.data[0][11][0], content(11));
	assert_int_equal(rig->medium.flushed, 0);
	command48(ATA_WRITE_EXT, 300, 200);
	for (unsigned i = 0; i < 200; i++)
		data_out(0, sectors, 512);
	STATUS(0, GOOD);
	assert_int_equal(rig->medium.data[0][499][0], 0x5e);
	assert_int_equal(rig->medium.data[0][500][0], content(500));
	command(0, ATA_FLUSH, 0, 0);
	STATUS(0, GOOD);
	command(0, ATA_FLUSH_EXT, 0, 0);
	assert_int_equal(rig->medium.flushed, 2);
}

/* Without its cache each write is on the medium when it is answered. */
static void test_write_through(void **state)
{
	(void)state;
	for (unsigned on = 0; on < 2; on++) {
		reg_out(0, ATA_FEATURES, on ? ATA_FEATURE_CACHE_ON : ATA_FEATURE_CACHE_OFF);
		command(0, ATA_SET_FEATURES, 0, 0);
		command(0, ATA_WRITE, 9, 1);
		data_out(0, sectors, 512);
		STATUS(0, GOOD);
		assert_int_equal(rig->medium.flushed, 1);
	}
}

static void test_multiple(void **state)
{
	(void)state;
	command(0, ATA_READ_MULTIPLE, 0, 5);
	STATUS(0, GOOD | ATA_ERR);
	assert_int_equal(reg_in(0, ATA_ERROR), ATA_ABRT);
	for (unsigned n = 0; n < 40; n++) {
		bool good = n == 0 || n == 1 || n == 2 || n == 4 || n == 8 || n == 16;

		command(0, ATA_SET_MULTIPLE, 0, (uint8_t)n);
		STATUS(0, GOOD | (good ? 0 : ATA_ERR));
	}
	command(0, ATA_SET_MULTIPLE, 0, 4);
	rig->rises[14] = 0;
	command(0, ATA_READ_MULTIPLE, 30, 10);
	STATUS(0, GOOD | ATA_DRQ);
	data_in(0, sectors, 10 * 512);
	assert_int_equal(rig->rises[14], 2); /* of the second block it was not noticed */
	assert_int_equal(sectors[9 * 512], content(39));
	STATUS(0, GOOD);
	command(0, ATA_WRITE_MULTIPLE, 50, 6);
	for (unsigned i = 0; i < 6; i++)
		data_out(0, sectors + i * 512, 512);
	STATUS(0, GOOD);
	assert_memory_equal(rig->medium.data[0][50], sectors, 6 * 512);
	command48(ATA_WRITE_MULTIPLE_EXT, 60, 1);
	data_out(0, sectors, 512);
	command48(ATA_READ_MULTIPLE_EXT, 60, 1);
	data_in(0, sectors + 512, 512);
	assert_memory_equal(sectors, sectors + 512, 512);
}

/* "CHS addresses": sectors count from 1. */
static void chs(unsigned cylinder, unsigned head, unsigned sector)
{
	reg_out(0, ATA_DEVICE, (uint8_t)(ATA_DEVICE_OBSOLETE | head));
	reg_out(0, ATA_COUNT, 1);
	reg_out(0, ATA_LBA_LOW, (uint8_t)sector);
	reg_out(0, ATA_LBA_MID, (uint8_t)cylinder);
	reg_out(0, ATA_LBA_HIGH, (uint8_t)(cylinder >> 8));
	reg_out(0, ATA_COMMAND, ATA_READ);
	settle();
}

static void test_geometry(void **state)
{
	static const struct { unsigned cylinder, head, sector; bool good; } cases[] = {
		{ 1, 2, 3, true }, { 0, 0, 0, false }, { 0, 0, 64, false }, { 0, 15, 63, true }, { 3, 0, 1, false },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned at = (cases[i].cylinder * 16 + cases[i].head) * 63 + cases[i].sector - 1;

		chs(cases[i].cylinder, cases[i].head, cases[i].sector);
		if (cases[i].good) {
			data_in(0, sectors, 512);
			assert_int_equal(sectors[0], content(at));
		}
		STATUS(0, GOOD | (cases[i].good ? 0 : ATA_ERR));
	}
	/* "INITIALIZE DEVICE PARAMETERS". */
	reg_out(0, ATA_DEVICE, 3);
	reg_out(0, ATA_COUNT, 17);
	reg_out(0, ATA_COMMAND, ATA_INIT_PARAMETERS);
	STATUS(0, GOOD);
	chs(2, 3, 17);
	data_in(0, sectors, 512);
	assert_int_equal(sectors[0], content((2 * 4 + 3) * 17 + 16));
	chs(0, 4, 1);
	STATUS(0, GOOD | ATA_ERR);
	/* An error is told in these terms. */
	rig->medium.fail = true;
	chs(2, 3, 17);
	assert_int_equal(reg_in(0, ATA_LBA_LOW), 17);
	assert_int_equal(reg_in(0, ATA_LBA_MID), 2);
	assert_int_equal(reg_in(0, ATA_DEVICE) & 15, 3);
	reg_out(0, ATA_COUNT, 0);
	reg_out(0, ATA_COMMAND, ATA_INIT_PARAMETERS);
	STATUS(0, GOOD | ATA_ERR);
}

/* What the medium says fails, says where. */
static void test_errors(void **state)
{
	(void)state;
	command(0, ATA_READ, MEDIUM_SECTORS - 1, 2);
	STATUS(0, GOOD | ATA_ERR);
	assert_int_equal(reg_in(0, ATA_ERROR), ATA_IDNF);
	assert_int_equal(rig->medium.started, 0);
	rig->medium.fail = true;
	command(0, ATA_READ, 0x123, 2);
	assert_true(rig->line[14]);
	STATUS(0, GOOD | ATA_ERR);
	assert_int_equal(reg_in(0, ATA_ERROR), ATA_UNC);
	assert_int_equal(reg_in(0, ATA_LBA_LOW), 0x23);
	assert_int_equal(reg_in(0, ATA_LBA_MID), 1);
	command(0, ATA_WRITE, 5, 1);
	data_out(0, sectors, 512);
	STATUS(0, GOOD | ATA_ERR | ATA_DF);
	assert_int_equal(reg_in(0, ATA_ERROR), ATA_ABRT);
	command(0, ATA_FLUSH, 0, 0);
	STATUS(0, GOOD | ATA_ERR | ATA_DF);
	command(0, ATA_VERIFY, 5, 1);
	STATUS(0, GOOD | ATA_ERR);
	assert_int_equal(reg_in(0, ATA_ERROR), ATA_UNC);
	/* The address of 48 bits. */
	command48(ATA_READ_EXT, 0x234, 1);
	assert_int_equal(reg_in(0, ATA_LBA_LOW), 0x34);
	control_out(0, ATA_HOB);
	assert_int_equal(reg_in(0, ATA_LBA_LOW), 0);
	control_out(0, 0);
	rig->medium.fail = false;
	command(0, ATA_READ, 5, 1);
	STATUS(0, GOOD | ATA_DRQ);
}

static void test_read_only(void **state)
{
	(void)state;
	command(0, ATA_WRITE, 5, 1);
	STATUS(0, GOOD | ATA_ERR);
	assert_int_equal(reg_in(0, ATA_ERROR), ATA_ABRT);
	data_out(0, sectors, 512);
	assert_int_equal(rig->medium.started, 0);
	command(0, ATA_READ, 5, 1);
	STATUS(0, GOOD | ATA_DRQ);
}

static void test_others(void **state)
{
	static const struct { uint8_t code; bool good; } cases[] = {
		{ ATA_VERIFY, true }, { ATA_VERIFY_EXT, true }, { ATA_SEEK, true }, { 0x10, true }, { 0x1f, true },
		{ ATA_STANDBY_NOW, true }, { ATA_IDLE_NOW, true }, { ATA_SLEEP, true }, { ATA_CHECK_POWER, true },
		{ 0x00, false }, { ATA_PACKET, false }, { ATA_IDENTIFY_PACKET, false }, { 0xb0, false },
		{ ATA_DEVICE_RESET, false }, { 0xff, false },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		command48(cases[i].code, 3, 200);
		assert_true(rig->line[14]);
		STATUS(0, GOOD | (cases[i].good ? 0 : ATA_ERR));
		assert_int_equal(reg_in(0, ATA_ERROR), cases[i].good ? 0 : ATA_ABRT);
	}
	command(0, ATA_CHECK_POWER, 0, 0);
	assert_int_equal(reg_in(0, ATA_COUNT), 0xff);
	command(0, ATA_NATIVE_MAX, 0, 0);
	assert_int_equal(reg_in(0, ATA_LBA_LOW) | reg_in(0, ATA_LBA_MID) << 8, MEDIUM_SECTORS - 1);
	command48(ATA_NATIVE_MAX_EXT, 0, 0);
	assert_int_equal(reg_in(0, ATA_LBA_LOW) | reg_in(0, ATA_LBA_MID) << 8, MEDIUM_SECTORS - 1);
	command(0, ATA_SEEK, MEDIUM_SECTORS, 0);
	STATUS(0, GOOD | ATA_ERR);
	reg_out(0, ATA_FEATURES, 0x99);
	command(0, ATA_SET_FEATURES, 0, 0);
	STATUS(0, GOOD | ATA_ERR);
	reg_out(0, ATA_FEATURES, ATA_FEATURE_TRANSFER_MODE);
	command(0, ATA_SET_FEATURES, 0, 0x45); /* Ultra DMA, which is not offered */
	STATUS(0, GOOD | ATA_ERR);
	reg_out(0, ATA_FEATURES, ATA_FEATURE_TRANSFER_MODE);
	command(0, ATA_SET_FEATURES, 0, 0x0c);
	STATUS(0, GOOD);
}

/* A drive at work hears of nothing but resets. */
static void test_busy(void **state)
{
	(void)state;
	reg_out(0, ATA_DEVICE, ATA_DEVICE_LBA);
	reg_out(0, ATA_COUNT, 1);
	reg_out(0, ATA_LBA_LOW, 9);
	reg_out(0, ATA_COMMAND, ATA_READ);
	assert_int_equal(alternate(0), ATA_BSY);
	reg_out(0, ATA_LBA_LOW, 77);
	assert_int_equal(reg_in(0, ATA_LBA_LOW), 9);
	reg_out(0, ATA_COMMAND, ATA_IDENTIFY);
	reg_out(0, ATA_COMMAND, ATA_DIAGNOSTIC);
	assert_int_equal(alternate(0), ATA_BSY);
	assert_int_equal(pio_in(&rig->pio, ATA_COMMAND_1, 2), 0xffff);
	settle();
	STATUS(0, GOOD | ATA_DRQ);
	data_in(0, sectors, 512);
	assert_int_equal(sectors[0], content(9));
	/* And that takes back what it was at. */
	reg_out(0, ATA_COMMAND, ATA_READ);
	assert_true(rig->medium.busy);
	control_out(0, ATA_SRST);
	assert_int_equal(alternate(0), ATA_BSY);
	settle();
	reg_out(0, ATA_COMMAND, ATA_IDENTIFY);
	assert_int_equal(alternate(0), ATA_BSY);
	control_out(0, 0);
	assert_int_equal(alternate(0), GOOD);
	assert_int_equal(reg_in(0, ATA_COUNT), 1);
	assert_int_equal(reg_in(0, ATA_LBA_LOW), 1);
	assert_int_equal(reg_in(0, ATA_LBA_MID), 0);
	assert_int_equal(reg_in(0, ATA_ERROR), 1);
	assert_false(rig->line[14]);
}

/* Doublewords, and elements of a string, up to the end of a block. */
static void test_strings(void **state)
{
	(void)state;
	command(0, ATA_READ, 100, 2);
	assert_int_equal(pio_in(&rig->pio, ATA_COMMAND_1, 4), content(100) * 0x01010101u);
	assert_int_equal(pio_in_string(&rig->pio, ATA_COMMAND_1, 2, sectors, 253), 253);
	assert_int_equal(pio_in(&rig->pio, ATA_COMMAND_1, 4), 0xffff0000 | content(100) * 0x0101u);
	assert_int_equal(pio_in_string(&rig->pio, ATA_COMMAND_1, 2, sectors, 4), 4);
	assert_int_equal(sectors[7], content(101));
	assert_int_equal(pio_in_string(&rig->pio, ATA_COMMAND_1, 1, sectors, 4), 0);
	assert_int_equal(pio_in_string(&rig->pio, ATA_COMMAND_1 + ATA_COUNT, 2, sectors, 4), 0);
	assert_int_equal(pio_out_string(&rig->pio, ATA_COMMAND_1, 2, sectors, 4), 0);
	command(0, ATA_WRITE, 100, 1);
	memset(sectors, 0x77, 512);
	assert_int_equal(pio_in_string(&rig->pio, ATA_COMMAND_1, 2, sectors, 4), 0);
	assert_int_equal(pio_out_string(&rig->pio, ATA_COMMAND_1, 2, sectors, 300), 256);
	settle();
	STATUS(0, GOOD);
	assert_int_equal(rig->medium.data[0][100][511], 0x77);
	assert_int_equal(pio_in_string(&rig->pio, 0x80, 2, sectors, 4), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(test_identify), T(test_read), T(test_read48), T(test_write), T(test_write_through), T(test_multiple),
		T(test_geometry), T(test_errors), T(test_others), T(test_busy), T(test_strings),
		cmocka_unit_test_setup_teardown(test_read_only, rig_setup_read_only, rig_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
