/* Virtqueues that hold what they must not, and who is told when (Virtual I/O Device specification 1.2, "Split
 * Virtqueues"). */
#include "test/unit/dev/virtio/driver.h"

#define ALL (rig->blk.device.offered)

static void header(uint32_t type)
{
	put(HEADERS, &(uint32_t[]){ type, 0, 0, 0 }, 16);
}

/* Begins anew, has the test make descriptors, offers the first; the device needs a reset then, and has done nothing. */
static void expect_broken(void (*make)(void), uint16_t head)
{
	driver_begin(ALL);
	header(VIRTIO_BLK_T_FLUSH);
	make();
	offer(head);
	assert_true(needs_reset());
	assert_true(none_used());
	/* And does nothing until it has got one. */
	descriptor(DESC, 0, HEADERS, 16, VIRTQ_DESC_F_NEXT, 1);
	descriptor(DESC, 1, HEADERS + 16, 1, VIRTQ_DESC_F_WRITE, 0);
	offer(0);
	assert_true(none_used());
}

static void nothing(void) {}
static void loop(void)
{
	descriptor(DESC, 0, HEADERS, 16, VIRTQ_DESC_F_NEXT, 1);
	descriptor(DESC, 1, HEADERS, 16, VIRTQ_DESC_F_NEXT, 0);
}
static void next_outside(void) { descriptor(DESC, 0, HEADERS, 16, VIRTQ_DESC_F_NEXT, RING_SIZE); }
static void readable_last(void)
{
	descriptor(DESC, 0, HEADERS + 16, 1, VIRTQ_DESC_F_WRITE | VIRTQ_DESC_F_NEXT, 1);
	descriptor(DESC, 1, HEADERS, 16, 0, 0);
}
static void wraps(void)
{
	descriptor(DESC, 0, HEADERS, 16, VIRTQ_DESC_F_NEXT, 1);
	descriptor(DESC, 1, ~0ull - 10, 4096, VIRTQ_DESC_F_WRITE, 0);
}
static void table_absent(void) { descriptor(DESC, 0, 0xfee00000, 64, VIRTQ_DESC_F_INDIRECT, 0); }
static void table_wraps(void) { descriptor(DESC, 0, ~0ull - 15, 64, VIRTQ_DESC_F_INDIRECT, 0); }
static void table_odd(void) { descriptor(DESC, 0, INDIRECT, 33, VIRTQ_DESC_F_INDIRECT, 0); }
static void table_empty(void) { descriptor(DESC, 0, INDIRECT, 0, VIRTQ_DESC_F_INDIRECT, 0); }
static void table_and_next(void)
{
	descriptor(DESC, 0, INDIRECT, 32, VIRTQ_DESC_F_INDIRECT | VIRTQ_DESC_F_NEXT, 1);
	descriptor(INDIRECT, 0, HEADERS, 16, VIRTQ_DESC_F_NEXT, 1);
	descriptor(INDIRECT, 1, HEADERS + 16, 1, VIRTQ_DESC_F_WRITE, 0);
}
static void table_in_table(void)
{
	descriptor(DESC, 0, INDIRECT, 32, VIRTQ_DESC_F_INDIRECT, 0);
	descriptor(INDIRECT, 0, INDIRECT, 32, VIRTQ_DESC_F_INDIRECT, 0);
}
static void table_huge(void)
{
	descriptor(DESC, 0, 0x20000, 0xfffffff0, VIRTQ_DESC_F_INDIRECT, 0);
	for (unsigned i = 0; i < 400; i++)
		descriptor(0x20000, i, HEADERS, 16, VIRTQ_DESC_F_NEXT, i + 1);
}

static void test_hostile(void **state)
{
	static void (*const all[])(void) = { loop, next_outside, readable_last, wraps, table_absent, table_wraps,
					     table_odd, table_empty, table_and_next, table_in_table, table_huge };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
		expect_broken(all[i], 0);
	expect_broken(nothing, RING_SIZE);
	expect_broken(nothing, 0xffff);
}

static void test_indexes(void **state)
{
	(void)state;
	driver_begin(ALL);
	put16(AVAIL + 2, RING_SIZE + 1); /* more than there are */
	port_out(VIRTIO_PORT_MODERN_NOTIFY, 2, 0);
	assert_true(needs_reset());
}

/* Rings that lie in no memory, or in memory that cannot be written; addresses that are not aligned. */
static void test_rings(void **state)
{
	static const struct { unsigned reg; uint64_t value; } cases[] = {
		{ 32, 0xfee00000 }, { 40, 0xfee00000 }, { 40, ~0ull - 1 }, { 48, GUEST_ROM }, { 48, ~0ull - 3 },
		{ 32, DESC + 8 }, { 40, AVAIL + 1 }, { 48, USED + 2 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		bar_out(20, 1, 0);
		bar_out(20, 1, 3);
		bar_out(8, 4, 1);
		bar_out(12, 4, 1);
		bar_out(20, 1, 11);
		bar_out(24, 2, RING_SIZE);
		bar_out(32, 8, DESC);
		bar_out(40, 8, AVAIL);
		bar_out(48, 8, USED);
		bar_out(cases[i].reg, 8, cases[i].value);
		bar_out(28, 2, 1);
		rig->avail = 0;
		header(VIRTIO_BLK_T_FLUSH);
		descriptor(DESC, 0, HEADERS, 16, VIRTQ_DESC_F_NEXT, 1);
		descriptor(DESC, 1, HEADERS + 16, 1, VIRTQ_DESC_F_WRITE, 0);
		offer_quietly(0);
		bar_out(20, 1, 15);
		kick();
		assert_true(needs_reset());
	}
}

static void test_indirect(void **state)
{
	(void)state;
	driver_begin(ALL);
	put(HEADERS, &(uint32_t[]){ VIRTIO_BLK_T_IN, 0, 5, 0 }, 16);
	descriptor(DESC, 3, INDIRECT, 16 * 40, VIRTQ_DESC_F_INDIRECT, 0);
	descriptor(INDIRECT, 0, HEADERS, 16, VIRTQ_DESC_F_NEXT, 1);
	for (unsigned i = 1; i < 39; i++)
		descriptor(INDIRECT, i, 0x20000 + 0x1000 * i, 512, VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE, i + 1);
	descriptor(INDIRECT, 39, HEADERS + 16, 1, VIRTQ_DESC_F_WRITE, 0);
	offer(3);
	assert_int_equal(used(3), 38 * 512 + 1);
	assert_int_equal(rig->guest.ram[0x20000 + 0x1000 * 38], (uint8_t)(42 * 3 + 1));
	/* Who has not agreed on them has none. */
	driver_begin(ALL & ~BIT(VIRTIO_F_INDIRECT_DESC));
	descriptor(DESC, 3, INDIRECT, 16 * 40, VIRTQ_DESC_F_INDIRECT, 0);
	offer(3);
	assert_true(needs_reset());
}

/* The message that a used buffer makes; 0: none. */
static unsigned messages(void)
{
	unsigned n = rig->messages;

	rig->messages = 0;
	return n;
}

static void use_msix(void)
{
	config_out(VIRTIO_CAP_MSIX + 2, 2, MSIX_ENABLE);
	mmio_write(&rig->mmio, MSIX_AT + 16, 8, 0xfee00000);
	mmio_write(&rig->mmio, MSIX_AT + 24, 8, 0x41);
}

/* "Used Buffer Notification Suppression". */
static void test_interrupts(void **state)
{
	(void)state;
	use_msix();
	driver_begin(ALL & ~BIT(VIRTIO_F_EVENT_IDX));
	bar_out(26, 2, 1);
	request(0, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
	assert_int_equal(messages(), 1);
	put16(AVAIL, VIRTQ_AVAIL_F_NO_INTERRUPT);
	request(0, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
	assert_int_equal(messages(), 0);

	driver_begin(ALL);
	bar_out(26, 2, 1);
	put16(AVAIL + 4 + 2 * RING_SIZE, 2); /* when the third is used */
	for (unsigned i = 0; i < 5; i++) {
		request(0, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
		assert_int_equal(messages(), i == 2);
	}
}

/* "Available Buffer Notification Suppression": the driver is asked for one when nothing is under way. */
static void test_notices(void **state)
{
	(void)state;
	driver_begin(ALL);
	request(0, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
	assert_int_equal(get16(USED + 4 + 8 * RING_SIZE), 1);
	header(VIRTIO_BLK_T_FLUSH);
	for (unsigned i = 0; i < 3; i++)
		offer_quietly(0);
	port_out(VIRTIO_PORT_MODERN_NOTIFY, 2, 0);
	assert_true(rig->medium.busy);
	assert_int_equal(get16(USED + 4 + 8 * RING_SIZE), 1);
	/* One that comes meanwhile is found without a notification. */
	offer_quietly(0);
	rig->guest.inside = false;
	medium_finish(&rig->medium);
	rig->guest.inside = true;
	assert_int_equal(get16(USED + 2), 5);
	assert_int_equal(get16(USED + 4 + 8 * RING_SIZE), 5);
}

/* The counts go round. */
static void test_wrap(void **state)
{
	(void)state;
	driver_begin(ALL);
	for (unsigned i = 0; i < 70000; i++) {
		header(VIRTIO_BLK_T_FLUSH);
		request(i % 4 * 3, VIRTIO_BLK_T_GET_ID, 0, 0x20000, 20);
		assert_int_equal(used((uint16_t)(i % 4 * 3)), 21);
	}
	assert_false(needs_reset());
}

#define RIG(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG(test_hostile), RIG(test_indexes), RIG(test_rings), RIG(test_indirect), RIG(test_interrupts),
		RIG(test_notices), RIG(test_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
