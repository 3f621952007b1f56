/* A virtio disk as its driver sees it (Virtual I/O Device specification 1.2, "Block Device"). */
#include "test/unit/dev/virtio/driver.h"

#include <string.h>

#define ALL (rig->blk.device.offered)

static void test_identity(void **state)
{
	uint64_t capacity;

	(void)state;
	/* "Device configuration layout". */
	capacity = bar_in(VIRTIO_CONFIG, 4) | (uint64_t)bar_in(VIRTIO_CONFIG + 4, 4) << 32;
	assert_int_equal(capacity, MEDIUM_SECTORS);
	assert_int_equal(bar_in(VIRTIO_CONFIG + 12, 4), VIRTIO_BLK_SEGMENTS);
	assert_int_equal(bar_in(VIRTIO_CONFIG + 20, 4), 512);
	driver_begin(ALL);
	request(0, VIRTIO_BLK_T_GET_ID, 0, 0x20000, 20);
	assert_int_equal(used(0), 21);
	assert_int_equal(status_of(0), VIRTIO_BLK_S_OK);
	assert_string_equal((char *)rig->guest.ram + 0x20000, "a disk");
}

static void test_transfers(void **state)
{
	(void)state;
	driver_begin(ALL);
	request(0, VIRTIO_BLK_T_IN, 100, 0x20000, 200 * 512);
	assert_int_equal(used(0), 200 * 512 + 1);
	assert_int_equal(status_of(0), VIRTIO_BLK_S_OK);
	assert_memory_equal(rig->guest.ram + 0x20000, rig->medium.data[0][100], 200 * 512);
	memset(rig->guest.ram + 0x40000, 0x5e, 4 * 512);
	request(3, VIRTIO_BLK_T_OUT, 7, 0x40000, 3 * 512);
	assert_int_equal(used(3), 1);
	assert_int_equal(status_of(3), VIRTIO_BLK_S_OK);
	assert_int_equal(rig->medium.data[0][9][511], 0x5e);
	assert_int_equal(rig->medium.data[0][10][0], (uint8_t)(10 * 3 + 1));
	assert_int_equal(rig->medium.flushed, 0);
	request(6, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
	assert_int_equal(status_of(6), VIRTIO_BLK_S_OK);
	assert_int_equal(rig->medium.flushed, 1);
}

/* Who does not know of flushes has each write flushed. */
static void test_write_through(void **state)
{
	(void)state;
	driver_begin(ALL & ~BIT(VIRTIO_BLK_F_FLUSH));
	request(0, VIRTIO_BLK_T_OUT, 7, 0x40000, 512);
	assert_int_equal(status_of(0), VIRTIO_BLK_S_OK);
	assert_int_equal(rig->medium.flushed, 1);
}

static void test_refusals(void **state)
{
	static const struct { uint32_t type; uint64_t sector, gpa; uint32_t bytes; uint8_t status; } cases[] = {
		{ VIRTIO_BLK_T_IN, MEDIUM_SECTORS, 0x20000, 512, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_IN, MEDIUM_SECTORS - 1, 0x20000, 1024, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_OUT, ~0ull, 0x20000, 512, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_IN, 0, 0x20000, 511, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_IN, 0, GUEST_ROM, 512, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_OUT, 0, GUEST_RAM, 512, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_IN, 0, 0xfee00000, 512, VIRTIO_BLK_S_IOERR },
		{ 77, 0, 0x20000, 512, VIRTIO_BLK_S_UNSUPP },
	};

	(void)state;
	driver_begin(ALL);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		request(0, cases[i].type, cases[i].sector, cases[i].gpa, cases[i].bytes);
		assert_int_equal(used(0), 1);
		assert_int_equal(status_of(0), cases[i].status);
		assert_false(needs_reset());
	}
	rig->medium.fail = true;
	request(0, VIRTIO_BLK_T_IN, 0, 0x20000, 512);
	assert_int_equal(status_of(0), VIRTIO_BLK_S_IOERR);
}

static void range(uint64_t gpa, uint64_t sector, uint32_t count, uint32_t flags)
{
	put64(gpa, sector);
	put(gpa + 8, &count, 4);
	put(gpa + 12, &flags, 4);
}

static void test_ranges(void **state)
{
	(void)state;
	driver_begin(ALL);
	range(0x20000, 100, 300, 0);
	request(0, VIRTIO_BLK_T_WRITE_ZEROES, 0, 0x20000, 16);
	assert_int_equal(status_of(0), VIRTIO_BLK_S_OK);
	assert_int_equal(rig->medium.data[0][399][511], 0);
	assert_int_equal(rig->medium.data[0][400][0], (uint8_t)(400 * 3 + 1));
	request(0, VIRTIO_BLK_T_DISCARD, 0, 0x20000, 16);
	assert_int_equal(status_of(0), VIRTIO_BLK_S_OK);
	range(0x20000, 100, 300, 2);
	request(0, VIRTIO_BLK_T_WRITE_ZEROES, 0, 0x20000, 16);
	assert_int_equal(status_of(0), VIRTIO_BLK_S_UNSUPP);
	range(0x20000, 100, 300, 1);
	request(0, VIRTIO_BLK_T_DISCARD, 0, 0x20000, 16);
	assert_int_equal(status_of(0), VIRTIO_BLK_S_UNSUPP);
	range(0x20000, MEDIUM_SECTORS, 1, 0);
	request(0, VIRTIO_BLK_T_DISCARD, 0, 0x20000, 16);
	assert_int_equal(status_of(0), VIRTIO_BLK_S_IOERR);
	request(0, VIRTIO_BLK_T_DISCARD, 0, 0x20000, 15);
	assert_int_equal(status_of(0), VIRTIO_BLK_S_IOERR);
}

static void test_read_only(void **state)
{
	(void)state;
	assert_true(ALL & BIT(VIRTIO_BLK_F_RO));
	assert_false(ALL & BIT(VIRTIO_BLK_F_DISCARD));
	driver_begin(ALL);
	request(0, VIRTIO_BLK_T_OUT, 7, 0x40000, 512);
	assert_int_equal(status_of(0), VIRTIO_BLK_S_IOERR);
	range(0x20000, 7, 1, 0);
	request(0, VIRTIO_BLK_T_WRITE_ZEROES, 0, 0x20000, 16);
	assert_int_equal(status_of(0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(rig->medium.data[0][7][0], 22);
	request(0, VIRTIO_BLK_T_IN, 7, 0x40000, 512);
	assert_int_equal(status_of(0), VIRTIO_BLK_S_OK);
}

/* "Message Framing": the device makes no assumptions on where descriptors begin. */
static void test_layout(void **state)
{
	(void)state;
	driver_begin(ALL);
	put(HEADERS, &(uint32_t[]){ VIRTIO_BLK_T_IN, 0, 9, 0 }, 16);
	descriptor(DESC, 0, HEADERS, 3, VIRTQ_DESC_F_NEXT, 1);
	descriptor(DESC, 1, HEADERS + 3, 13, VIRTQ_DESC_F_NEXT, 2);
	descriptor(DESC, 2, 0x20000, 100, VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE, 3);
	descriptor(DESC, 3, 0x30000, 413, VIRTQ_DESC_F_WRITE, 0); /* and the status */
	offer(0);
	assert_int_equal(used(0), 513);
	assert_int_equal(rig->guest.ram[0x20000 + 99], 9 * 3 + 1);
	assert_int_equal(rig->guest.ram[0x30000 + 411], 9 * 3 + 1);
	assert_int_equal(rig->guest.ram[0x30000 + 412], VIRTIO_BLK_S_OK);
}

/* What cannot be answered: no status, no header; memory of the status that is none. */
static void test_unanswerable(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		driver_begin(ALL);
		put(HEADERS, &(uint32_t[]){ VIRTIO_BLK_T_FLUSH, 0, 0, 0 }, 16);
		descriptor(DESC, 0, HEADERS, i == 1 ? 15 : 16, VIRTQ_DESC_F_NEXT, 1);
		descriptor(DESC, 1, i == 2 ? GUEST_ROM : HEADERS + 16, 1, i ? VIRTQ_DESC_F_WRITE : 0, 0);
		offer(0);
		assert_true(needs_reset());
		assert_true(none_used());
		assert_int_equal(rig->blk.busy, 0);
	}
	driver_begin(ALL);
	assert_false(needs_reset());
	request(0, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
	assert_int_equal(used(0), 1);
}

/* VB1: more than there are slots; each is answered. */
static void test_many(void **state)
{
	(void)state;
	driver_begin(ALL & ~BIT(VIRTIO_F_EVENT_IDX));
	for (unsigned i = 0; i < 3 * VIRTIO_BLK_SLOTS; i++) {
		descriptor(DESC, i % 4 * 3, HEADERS + 32 * (i % 4), 16, VIRTQ_DESC_F_NEXT, i % 4 * 3 + 1);
		descriptor(DESC, i % 4 * 3 + 1, 0x20000 + 512 * i, 512, VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE,
			   i % 4 * 3 + 2);
		descriptor(DESC, i % 4 * 3 + 2, HEADERS + 32 * (i % 4) + 16, 1, VIRTQ_DESC_F_WRITE, 0);
		put(HEADERS + 32 * (i % 4), &(uint32_t[]){ VIRTIO_BLK_T_IN, 0, i, 0 }, 16);
		offer_quietly((uint16_t)(i % 4 * 3));
		if (i % 4 == 3) {
			kick();
			assert_int_equal(get16(USED + 2), i + 1);
		}
	}
	for (unsigned i = 0; i < 3 * VIRTIO_BLK_SLOTS; i++)
		assert_int_equal(rig->guest.ram[0x20000 + 512 * i], (uint8_t)(i * 3 + 1));
	assert_int_equal(rig->blk.busy, 0);
}

/* VO2: a reset while the medium works. */
static void test_reset_at_any_time(void **state)
{
	(void)state;
	driver_begin(ALL);
	put(HEADERS, &(uint32_t[]){ VIRTIO_BLK_T_IN, 0, 9, 0 }, 16);
	descriptor(DESC, 0, HEADERS, 16, VIRTQ_DESC_F_NEXT, 1);
	descriptor(DESC, 1, 0x20000, 512, VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE, 2);
	descriptor(DESC, 2, HEADERS + 16, 1, VIRTQ_DESC_F_WRITE, 0);
	offer_quietly(0);
	port_out(VIRTIO_PORT_MODERN_NOTIFY, 2, 0);
	assert_true(rig->medium.busy);
	bar_out(VIRTIO_COMMON_STATUS, 1, 0);
	rig->guest.inside = false;
	medium_finish(&rig->medium);
	rig->guest.inside = true;
	assert_int_equal(rig->guest.ram[0x20000], 0);
	assert_true(none_used());
	driver_begin(ALL);
	request(0, VIRTIO_BLK_T_IN, 9, 0x20000, 512);
	assert_int_equal(used(0), 513);
	assert_int_equal(rig->guest.ram[0x20000], 9 * 3 + 1);
}

#define RIG(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG(test_identity), RIG(test_transfers), RIG(test_write_through), RIG(test_refusals), RIG(test_ranges),
		cmocka_unit_test_setup_teardown(test_read_only, rig_setup_read_only, rig_teardown),
		RIG(test_layout), RIG(test_unanswerable), RIG(test_many), RIG(test_reset_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
