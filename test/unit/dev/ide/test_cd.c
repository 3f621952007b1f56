/* A CD drive at the IDE controller: the packet protocol (ATA/ATAPI-6, "PACKET command protocol"), and what packets ask
 * for (MMC-5, SPC-3). */
#include "test/unit/dev/ide/rig.h"

#include <string.h>

#define LIMIT 0xfffe

static uint8_t data[0x20000];

/* The packet has ended well. */
#define PACKET_GOOD \
	do { \
		assert_true(rig->line[15]); \
		assert_int_equal(reg_in(1, ATA_COUNT), 3); \
		STATUS(1, ATA_DRDY); \
	} while (0)

/* It was refused, with this sense. */
static void refused(uint8_t key, uint8_t code, uint8_t qualifier)
{
	assert_true(rig->line[15]);
	assert_int_equal(reg_in(1, ATA_COUNT), 3);
	assert_int_equal(reg_in(1, ATA_ERROR), key << 4 | ATA_ABRT);
	STATUS(1, ATA_DRDY | ATA_ERR);
	PACKET(0, LIMIT, 0x03, 0, 0, 0, 18);
	STATUS(1, ATA_DRDY | ATA_DRQ);
	assert_int_equal(reg_in(1, ATA_LBA_MID), 18);
	data_in(1, data, 18);
	assert_int_equal(data[0], 0x70);
	assert_int_equal(data[2], key);
	assert_int_equal(data[12], code);
	assert_int_equal(data[13], qualifier);
	PACKET_GOOD;
}

/* What a packet answers, in one block. Returns how many bytes. */
static unsigned answer(void)
{
	unsigned n = reg_in(1, ATA_LBA_MID) | (unsigned)reg_in(1, ATA_LBA_HIGH) << 8;

	assert_int_equal(reg_in(1, ATA_COUNT), 2);
	STATUS(1, ATA_DRDY | ATA_DRQ);
	memset(data, 0xee, sizeof(data));
	data_in(1, data, (n + 1) & ~1u);
	PACKET_GOOD;
	return n;
}

static int setup(void **state)
{
	rig_setup(state);
	PACKET(0, LIMIT, 0x00); /* it has been reset, which it says first */
	refused(6, 0x29, 0);
	return 0;
}

static void test_identify(void **state)
{
	uint16_t id[256];

	(void)state;
	reg_out(1, ATA_COMMAND, ATA_IDENTIFY_PACKET);
	assert_true(rig->line[15]);
	STATUS(1, ATA_DRDY | ATA_DRQ);
	data_in(1, id, 512);
	STATUS(1, ATA_DRDY);
	assert_int_equal(id[0], 0x85c0);
	assert_int_equal(id[27], 'V' << 8 | 'E');
	assert_int_equal(id[49] & 0x300, 0x300);
	assert_int_equal(id[82] & 0x10, 0x10);
	/* It is no disk, and says so. */
	for (unsigned i = 0; i < 2; i++) {
		command(1, i ? ATA_READ : ATA_IDENTIFY, 5, 9);
		STATUS(1, ATA_DRDY | ATA_ERR);
		assert_int_equal(reg_in(1, ATA_ERROR), ATA_ABRT);
		assert_int_equal(reg_in(1, ATA_COUNT), 1);
		assert_int_equal(reg_in(1, ATA_LBA_LOW), 1);
		assert_int_equal(reg_in(1, ATA_LBA_MID), 0x14);
		assert_int_equal(reg_in(1, ATA_LBA_HIGH), 0xeb);
	}
	command(1, ATA_WRITE_DMA, 5, 9);
	STATUS(1, ATA_DRDY | ATA_ERR);
	command(1, ATA_CHECK_POWER, 0, 0);
	assert_int_equal(reg_in(1, ATA_COUNT), 0xff);
	STATUS(1, ATA_DRDY);
	reg_out(1, ATA_FEATURES, ATA_FEATURE_TRANSFER_MODE);
	command(1, ATA_SET_FEATURES, 0, 0x22);
	STATUS(1, ATA_DRDY);
	reg_out(1, ATA_COMMAND, ATA_DEVICE_RESET);
	assert_int_equal(alternate(1), 0);
}

static void test_attention(void **state)
{
	rig_setup(state);
	PACKET(0, LIMIT, 0x12, 0, 0, 0, 36); /* answered all the same */
	assert_int_equal(answer(), 36);
	assert_int_equal(data[0], 5);
	assert_int_equal(data[1], 0x80);
	assert_memory_equal(data + 8, "VELLUM  CD-ROM          1   ", 28);
	PACKET(0, LIMIT, 0x25);
	refused(6, 0x29, 0);
	PACKET(0, LIMIT, 0x00);
	PACKET_GOOD;
	/* What it has told is forgotten. */
	PACKET(0, LIMIT, 0x03, 0, 0, 0, 255);
	assert_int_equal(answer(), 18);
	assert_int_equal(data[2] | data[12], 0);
	PACKET(0, LIMIT, 0x12, 1, 0x80, 0, 36);
	refused(5, 0x24, 0);
	PACKET(0, LIMIT, 0x12, 0, 0, 0, 5); /* no more than was asked for */
	assert_int_equal(answer(), 5);
	PACKET(0, LIMIT, 0x12);
	PACKET_GOOD;
	PACKET(0, LIMIT, 0xff);
	refused(5, 0x20, 0);
}

static void test_capacity(void **state)
{
	(void)state;
	PACKET(0, LIMIT, 0x25);
	assert_int_equal(answer(), 8);
	assert_memory_equal(data, ((uint8_t[]){ 0, 0, (CD_SECTORS - 1) >> 8, (CD_SECTORS - 1) & 255, 0, 0, 8, 0 }), 8);
}

/* By the data port: blocks of at most the limit, an interrupt each and one at the end. */
static void test_read(void **state)
{
	(void)state;
	rig->rises[15] = 0;
	PACKET(0, 0x800, 0x28, 0, 0, 0, 0, 10, 0, 0, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(rig->line[15]);
		assert_int_equal(reg_in(1, ATA_LBA_HIGH), 8);
		STATUS(1, ATA_DRDY | ATA_DRQ);
		data_in(1, data + i * 2048, 2048);
	}
	PACKET_GOOD;
	assert_int_equal(rig->rises[15], 4);
	assert_memory_equal(data, rig->medium.data[1][40], 3 * 2048);
	/* An odd limit, more than the buffer. */
	PACKET(0, 0x3001, 0xa8, 0, 0, 0, 0, 20, 0, 0, 0, 40);
	for (unsigned done = 0, n; done < 40 * 2048; done += n) {
		n = reg_in(1, ATA_LBA_MID) | (unsigned)reg_in(1, ATA_LBA_HIGH) << 8;
		assert_true(n && n <= 0x3000);
		STATUS(1, ATA_DRDY | ATA_DRQ);
		data_in(1, data + done, n);
	}
	PACKET_GOOD;
	assert_memory_equal(data, rig->medium.data[1][80], 40 * 2048);
	PACKET(0, LIMIT, 0x28); /* nothing */
	PACKET_GOOD;
	PACKET(0, 0, 0x28, 0, 0, 0, 0, 10, 0, 0, 3); /* no limit */
	STATUS(1, ATA_DRDY | ATA_ERR);
	PACKET(0, 0, 0x25);
	STATUS(1, ATA_DRDY | ATA_ERR);
}

static void test_range(void **state)
{
	static const struct { uint32_t at, n; bool good; } cases[] = {
		{ CD_SECTORS - 1, 1, true }, { CD_SECTORS - 1, 2, false }, { CD_SECTORS, 0, true },
		{ CD_SECTORS + 1, 0, false }, { 0xffffffff, 1, false }, { 1, 0xffffffff, false },
		{ 0, 0xffffff, false },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t at = cases[i].at, n = cases[i].n;

		PACKET(0, LIMIT, 0xa8, 0, (uint8_t)(at >> 24), (uint8_t)(at >> 16), (uint8_t)(at >> 8), (uint8_t)at,
		       (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n);
		if (!cases[i].good)
			refused(5, 0x21, 0);
		else if (n)
			assert_int_equal(answer(), 2048 * n);
		else
			PACKET_GOOD;
	}
	PACKET(0, LIMIT, 0x2b, 0, 0, 0, CD_SECTORS >> 8, CD_SECTORS & 255);
	refused(5, 0x21, 0);
	PACKET(0, LIMIT, 0x2b, 0, 0, 0, 0, 9);
	PACKET_GOOD;
	rig->medium.fail = true;
	PACKET(0, LIMIT, 0x28, 0, 0, 0, 0, 10, 0, 0, 3);
	refused(3, 0x11, 0);
	/* More bytes than a request has. */
	rig->cd.disk.sectors = 1ull << 40;
	PACKET(0, LIMIT, 0xa8, 0, 0, 0, 0, 0, 0, 0x20);
	refused(5, 0x24, 0);
}

static void test_dma(void **state)
{
	(void)state;
	region(0, DATA, 0x2000, true);
	PACKET(1, 0, 0x28, 0, 0, 0, 0, 10, 0, 0, 4);
	assert_int_equal(alternate(1), ATA_DRDY | ATA_DRQ);
	master_start(1, true);
	assert_int_equal(master_in(1, BM_STATUS, 1), BM_INTERRUPT);
	PACKET_GOOD;
	assert_memory_equal(rig->guest.ram + DATA, rig->medium.data[1][40], 4 * 2048);
	master_out(1, BM_COMMAND, 1, 0);
	/* What is not of the medium, too. */
	region(0, DATA, 8, true);
	PACKET(1, 0, 0x25);
	master_start(1, true);
	PACKET_GOOD;
	assert_int_equal(rig->guest.ram[DATA + 6], 8);
	master_out(1, BM_COMMAND, 1, 0);
	region(0, GUEST_RAM, 8, true);
	PACKET(1, 0, 0x25);
	master_start(1, true);
	assert_int_equal(master_in(1, BM_STATUS, 1), BM_FAILED);
	assert_false(rig->line[15]);
	PACKET(0, LIMIT, 0x00);
	PACKET_GOOD;
	/* Overlapped commands there are none. */
	reg_out(1, ATA_FEATURES, 2);
	reg_out(1, ATA_COMMAND, ATA_PACKET);
	STATUS(1, ATA_DRDY | ATA_ERR);
}

static void test_tray(void **state)
{
	(void)state;
	PACKET(0, LIMIT, 0x1e, 0, 0, 0, 1);
	PACKET_GOOD;
	PACKET(0, LIMIT, 0x1b, 0, 0, 0, 2);
	refused(5, 0x53, 2);
	PACKET(0, LIMIT, 0x1e);
	PACKET_GOOD;
	PACKET(0, LIMIT, 0x1b, 0, 0, 0, 1); /* it turns */
	PACKET_GOOD;
	PACKET(0, LIMIT, 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8);
	assert_int_equal(answer(), 8);
	assert_memory_equal(data, ((uint8_t[]){ 0, 6, 4, 0x10, 0, 2, 0, 0 }), 8);
	PACKET(0, LIMIT, 0x1b, 0, 0, 0, 2);
	PACKET_GOOD;
	for (unsigned i = 0; i < 2; i++) {
		PACKET(0, LIMIT, 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8);
		answer();
		assert_int_equal(data[4], i ? 0 : 3); /* told once */
		assert_int_equal(data[5], 1);
	}
	PACKET(0, LIMIT, 0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8);
	answer();
	assert_int_equal(data[1], 0x10);
	PACKET(0, LIMIT, 0x25);
	refused(2, 0x3a, 0);
	PACKET(0, LIMIT, 0x00);
	refused(2, 0x3a, 0);
	PACKET(0, LIMIT, 0x1b, 0, 0, 0, 3);
	PACKET_GOOD;
	PACKET(0, LIMIT, 0x00);
	PACKET_GOOD;
	PACKET(0, LIMIT, 0x4a, 0, 0, 0, 0x10, 0, 0, 0, 8);
	refused(5, 0x24, 0);
	PACKET(0, LIMIT, 0x4a, 1, 0, 0, 2, 0, 0, 0, 8);
	assert_int_equal(answer(), 4);
	assert_int_equal(data[2], 0x80);
}

/* "READ TOC/PMA/ATIP", "READ DISC INFORMATION". */
static void test_toc(void **state)
{
	(void)state;
	PACKET(0, LIMIT, 0x43, 0, 0, 0, 0, 0, 0, 0, 255);
	assert_int_equal(answer(), 20);
	assert_memory_equal(data, ((uint8_t[]){ 0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x14, 0xaa, 0, 0, 0,
						CD_SECTORS >> 8, CD_SECTORS & 255 }), 20);
	PACKET(0, LIMIT, 0x43, 2, 0, 0, 0, 0, 0xaa, 0, 255);
	assert_int_equal(answer(), 12);
	assert_int_equal(data[9], 0);
	assert_int_equal(data[10], (CD_SECTORS + 150) / 75);
	assert_int_equal(data[11], (CD_SECTORS + 150) % 75);
	PACKET(0, LIMIT, 0x43, 0, 1, 0, 0, 0, 0, 0, 255);
	assert_int_equal(answer(), 12);
	PACKET(0, LIMIT, 0x43, 0, 0, 0, 0, 0, 2, 0, 255);
	refused(5, 0x24, 0);
	PACKET(0, LIMIT, 0x43, 0, 5, 0, 0, 0, 0, 0, 255);
	refused(5, 0x24, 0);
	PACKET(0, LIMIT, 0x51, 0, 0, 0, 0, 0, 0, 0, 255);
	assert_int_equal(answer(), 34);
	PACKET(0, LIMIT, 0x51, 1, 0, 0, 0, 0, 0, 0, 255);
	refused(5, 0x24, 0);
}

static void test_modes(void **state)
{
	(void)state;
	PACKET(0, LIMIT, 0x5a, 0, 0x2a, 0, 0, 0, 0, 1, 0);
	assert_int_equal(answer(), 28);
	assert_int_equal(data[1], 26);
	assert_int_equal(data[8], 0x2a);
	assert_int_equal(data[9], 18);
	PACKET(0, LIMIT, 0x1a, 0, 0x3f, 0, 255);
	assert_int_equal(answer(), 32);
	assert_int_equal(data[0], 31);
	assert_int_equal(data[4], 1);
	assert_int_equal(data[12], 0x2a);
	PACKET(0, LIMIT, 0x1a, 0, 0x05, 0, 255);
	refused(5, 0x24, 0);
	PACKET(0, LIMIT, 0x1a, 0, 0xea, 0, 255);
	refused(5, 0x24, 0);
}

static void test_configuration(void **state)
{
	(void)state;
	PACKET(0, LIMIT, 0x46, 0, 0, 0, 0, 0, 0, 1, 0);
	assert_int_equal(answer(), 8 + 8 + 12 + 8 + 12 + 8);
	assert_int_equal(data[3], 52);
	assert_int_equal(data[7], 8);
	PACKET(0, LIMIT, 0x46, 2, 0, 0x10, 0, 0, 0, 1, 0);
	assert_int_equal(answer(), 20);
	assert_int_equal(data[9], 0x10);
	PACKET(0, LIMIT, 0x46, 0, 0, 0x1e, 0, 0, 0, 1, 0);
	assert_int_equal(answer(), 16);
	PACKET(0, LIMIT, 0x46, 3, 0, 0, 0, 0, 0, 1, 0);
	refused(5, 0x24, 0);
}

/* "DEVICE RESET" is heard in the middle of a command. */
static void test_reset(void **state)
{
	(void)state;
	reg_out(1, ATA_FEATURES, 0);
	reg_out(1, ATA_LBA_HIGH, 8);
	reg_out(1, ATA_COMMAND, ATA_PACKET);
	for (unsigned i = 0; i < 6; i++)
		pio_out(&rig->pio, ATA_COMMAND_2, 2, i ? i == 4 : 0x28);
	assert_true(rig->medium.busy);
	assert_int_equal(alternate(1), ATA_BSY);
	reg_out(1, ATA_COMMAND, ATA_PACKET);
	assert_int_equal(alternate(1), ATA_BSY);
	reg_out(1, ATA_COMMAND, ATA_DEVICE_RESET);
	assert_int_equal(alternate(1), 0);
	settle();
	assert_int_equal(alternate(1), 0);
	assert_false(rig->line[15]);
	PACKET(0, LIMIT, 0x00);
	PACKET_GOOD;
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(test_identify), T(test_capacity), T(test_read), T(test_range), T(test_dma), T(test_tray), T(test_toc),
		T(test_modes), T(test_configuration), T(test_reset),
		cmocka_unit_test_setup_teardown(test_attention, NULL, rig_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
