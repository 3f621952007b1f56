/* What a snapshot holds of the IDE controller: in the middle of a command, another machine goes on with it. */
#include "test/unit/dev/ide/rig.h"

#include "test/unit/dev/renewed.h"

#define ROOM 0x90000u

static uint8_t bytes[ROOM], good[ROOM];

static size_t save(void)
{
	struct fields s;

	state_save(&s, bytes, sizeof(bytes));
	pci_state(&s, &rig->bus);
	ide_state(&s, &rig->ide);
	assert_false(s.bad);
	return s.at;
}

static bool load(size_t size, struct fields *s)
{
	state_load(s, bytes, size, 0);
	pci_state(s, &rig->bus);
	ide_state(s, &rig->ide);
	state_done(s);
	return !s->bad;
}

static void move(void)
{
	struct fields s;
	size_t size = save();

	rig_renew();
	assert_true(load(size, &s));
}

/* Four sectors, two of which are read on either side. */
static void a_read_by_the_port(void **state)
{
	uint8_t data[4 * SECTOR_SIZE];

	(void)state;
	command(0, ATA_READ, 50, 4);
	data_in(0, data, SECTOR_SIZE + 100);
	move();
	data_in(0, data + SECTOR_SIZE + 100, 3 * SECTOR_SIZE - 100);
	assert_memory_equal(data, rig->medium.data[0][50], sizeof(data));
	STATUS(0, GOOD);
}

static void a_write_by_the_port(void **state)
{
	uint8_t data[2 * SECTOR_SIZE];

	(void)state;
	memset(data, 0x3c, sizeof(data));
	command(0, ATA_WRITE, 60, 2);
	data_out(0, data, SECTOR_SIZE + 10);
	move();
	data_out(0, data + SECTOR_SIZE + 10, SECTOR_SIZE - 10);
	settle();
	assert_memory_equal(data, rig->medium.data[0][60], sizeof(data));
	STATUS(0, GOOD);
}

/* A command that waits for the bus master; and what was set. */
static void before_dma(void **state)
{
	(void)state;
	region(0, DATA, 2 * SECTOR_SIZE, true);
	command(0, ATA_READ_DMA, 70, 2);
	move();
	master_start(0, true);
	assert_int_equal(master_in(0, BM_STATUS, 1), BM_INTERRUPT);
	assert_memory_equal(rig->guest.ram + DATA, rig->medium.data[0][70], 2 * SECTOR_SIZE);
}

static void a_packet(void **state)
{
	uint8_t data[IDE_CD_SECTOR];

	(void)state;
	PACKET(0, IDE_CD_SECTOR, 0x00); /* that it was reset */
	PACKET(0, IDE_CD_SECTOR, 0x03, 0, 0, 0, 18);
	move();
	PACKET(0, IDE_CD_SECTOR, 0x28, 0, 0, 0, 0, 3, 0, 0, 1);
	data_in(1, data, 100);
	move();
	data_in(1, data + 100, sizeof(data) - 100);
	assert_memory_equal(data, rig->medium.data[1][12], sizeof(data));
}

static void at_behind(void) { rig->ide.channel[0].drive[0].at = 600; }
static void filled(void) { rig->ide.channel[0].drive[0].filled = IDE_BUFFER + 1; }
static void answer(void) { rig->ide.channel[1].drive[0].answer = IDE_BUFFER + 1; }
static void beyond(void) { rig->ide.channel[0].drive[0].sector = MEDIUM_SECTORS; }
static void no_heads(void) { rig->ide.channel[0].drive[0].heads = 0; }
static void phase(void) { rig->ide.channel[0].drive[0].phase = IDE_MEDIUM; }
static void no_phase(void) { rig->ide.channel[0].drive[0].phase = (enum ide_phase)9; }
static void table(void) { rig->ide.channel[0].dma.table = 2; }
static void no_drive(void) { rig->ide.channel[1].drive[0].cd = false; }
static void other_size(void) { rig->guest.disk.sectors--; }

static void in_a_read(void)
{
	command(0, ATA_READ, 50, 1);
	rig->ide.channel[0].drive[0].left = 1;
}

static void refused(void **state)
{
	static void (*const bad[])(void) = {
		at_behind, filled, answer, beyond, no_heads, phase, no_phase, table, no_drive, other_size,
	};

	each_refused(state, bad, ARRAY_SIZE(bad), in_a_read, save, load);
}

/* Any bytes are refused, or make a controller that works on. */
static void any_bytes(void **state)
{
	unsigned seed = 1;
	struct fields s;
	size_t size;

	(void)state;
	command(0, ATA_READ, 50, 1);
	size = save();
	memcpy(good, bytes, size);
	for (unsigned n = 0; n < 800; n++) {
		uint8_t data[SECTOR_SIZE];

		rig_renew();
		memcpy(bytes, good, size);
		for (unsigned i = 0; i <= n % 4; i++) {
			seed = seed * 1103515245 + 12345;
			bytes[seed / 65536 % size] = (uint8_t)(seed >> 12);
		}
		if (load(n % 7 ? size : seed % size, &s)) {
			data_in(0, data, sizeof(data));
			reg_in(0, ATA_STATUS);
			data_out(0, data, 100);
			settle();
			master_start(0, true);
			settle();
			command(0, ATA_READ, 1, 1);
			settle();
		}
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_read_by_the_port), T(a_write_by_the_port), T(before_dma), T(a_packet), T(refused), T(any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
