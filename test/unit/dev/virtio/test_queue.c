/* Virtqueues that hold what they must not, and who is told when (Virtual I/O Device specification 1.2, "Split
 * Virtqueues"). */
#include "test/unit/dev/virtio/driver.h"

#include "lib/apic.h"

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
/* A request that is good as it stands, in descriptors a and b of a table. */
static void good(uint64_t table, unsigned a, unsigned b)
{
	descriptor(table, a, HEADERS, 16, VIRTQ_DESC_F_NEXT, b);
	descriptor(table, b, HEADERS + 16, 1, VIRTQ_DESC_F_WRITE, 0);
}
static void next_outside(void) { good(DESC, 0, RING_SIZE); }
static void head_outside(void)
{
	descriptor(DESC, RING_SIZE, INDIRECT, 32, VIRTQ_DESC_F_INDIRECT, 0);
	good(INDIRECT, 0, 1);
}
/* Header and status would be found, were the order none. */
static void readable_last(void)
{
	descriptor(DESC, 0, HEADERS, 16, VIRTQ_DESC_F_WRITE | VIRTQ_DESC_F_NEXT, 1);
	descriptor(DESC, 1, HEADERS + 16, 1, 0, 0);
}
static void wraps(void)
{
	descriptor(DESC, 0, HEADERS, 16, VIRTQ_DESC_F_NEXT, 1);
	descriptor(DESC, 1, ~0ull - 10, 4096, VIRTQ_DESC_F_WRITE, 0);
}
static void table_absent(void) { descriptor(DESC, 0, 0xfee00000, 64, VIRTQ_DESC_F_INDIRECT, 0); }
static void table_wraps(void) { descriptor(DESC, 0, ~0ull - 15, 64, VIRTQ_DESC_F_INDIRECT, 0); }
static void table_odd(void)
{
	descriptor(DESC, 0, INDIRECT, 33, VIRTQ_DESC_F_INDIRECT, 0);
	good(INDIRECT, 0, 1);
}
static void table_empty(void) { descriptor(DESC, 0, INDIRECT, 0, VIRTQ_DESC_F_INDIRECT, 0); }
static void table_and_next(void)
{
	descriptor(DESC, 0, INDIRECT, 32, VIRTQ_DESC_F_INDIRECT | VIRTQ_DESC_F_NEXT, 1);
	good(INDIRECT, 0, 1);
}
static void table_in_table(void)
{
	descriptor(DESC, 0, INDIRECT, 32, VIRTQ_DESC_F_INDIRECT, 0);
	good(INDIRECT, 0, 1);
	descriptor(INDIRECT, 0, HEADERS, 16, VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_INDIRECT, 1);
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
	expect_broken(head_outside, RING_SIZE);
	expect_broken(nothing, 0xffff);
}

/* VQ1. */
static void test_once(void **state)
{
	static const uint64_t words[] = { DESC, DESC + 16, AVAIL + 4 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		driver_begin(ALL);
		header(VIRTIO_BLK_T_FLUSH);
		good(DESC, 0, 1);
		rig->guest.watched = words[i];
		rig->guest.watched_reads = 0;
		offer(0);
		assert_int_equal(used(0), 1);
		assert_int_equal(rig->guest.watched_reads, 1);
	}
}

/* VQ3, of a queue with a request on its way: neither is that answered, nor is what follows taken, though the ring is as
 * it should be by then. */
static void test_broken_meanwhile(void **state)
{
	(void)state;
	driver_begin(ALL);
	header(VIRTIO_BLK_T_FLUSH);
	good(DESC, 0, 1);
	offer_quietly(0);
	port_out(VIRTIO_PORT_MODERN_NOTIFY, 2, 0);
	assert_true(rig->medium.busy);
	offer_quietly(0xffff);
	port_out(VIRTIO_PORT_MODERN_NOTIFY, 2, 0);
	assert_true(needs_reset());
	rig->avail--;
	offer_quietly(0);
	rig->guest.watched = AVAIL + VIRTQ_RING_IDX;
	rig->guest.watched_reads = 0;
	kick();
	assert_true(none_used());
	assert_int_equal(rig->guest.watched_reads, 0);
}

static void test_indexes(void **state)
{
	(void)state;
	driver_begin(ALL);
	header(VIRTIO_BLK_T_FLUSH);
	good(DESC, 0, 1);
	put16(AVAIL + 2, RING_SIZE + 1); /* more than there are */
	port_out(VIRTIO_PORT_MODERN_NOTIFY, 2, 0);
	assert_true(needs_reset());
	assert_true(none_used());
}

/* Rings that lie in no memory, or in memory that cannot be written; addresses that are not aligned. */
static void test_rings(void **state)
{
	static const struct { unsigned reg; uint64_t value; } cases[] = {
		{ VIRTIO_COMMON_DESC, LAPIC_DEFAULT_BASE },  { VIRTIO_COMMON_DESC, DESC + 8 },
		{ VIRTIO_COMMON_AVAIL, LAPIC_DEFAULT_BASE }, { VIRTIO_COMMON_AVAIL, ~0ull - 1 },
		{ VIRTIO_COMMON_AVAIL, AVAIL + 1 },	     { VIRTIO_COMMON_USED, GUEST_ROM },
		{ VIRTIO_COMMON_USED, ~0ull - 3 },	     { VIRTIO_COMMON_USED, USED + 2 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		step_agree(bar_out, BIT(VIRTIO_F_VERSION_1));
		step_place(bar_out, RING_SIZE, DESC, AVAIL, USED);
		bar_out(cases[i].reg, 8, cases[i].value);
		bar_out(VIRTIO_COMMON_ENABLE, 2, 1);
		rig->avail = 0;
		header(VIRTIO_BLK_T_FLUSH);
		descriptor(DESC, 0, HEADERS, 16, VIRTQ_DESC_F_NEXT, 1);
		descriptor(DESC, 1, HEADERS + 16, 1, VIRTQ_DESC_F_WRITE, 0);
		offer_quietly(0);
		bar_out(VIRTIO_COMMON_STATUS, 1, STATUS_READY);
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
	good(INDIRECT, 0, 1);
	offer(3);
	assert_true(needs_reset());
	assert_true(none_used());
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
	bar_out(VIRTIO_COMMON_VECTOR, 2, 1);
	request(0, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
	assert_int_equal(messages(), 1);
	put16(AVAIL, VIRTQ_AVAIL_F_NO_INTERRUPT);
	request(0, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
	assert_int_equal(messages(), 0);

	driver_begin(ALL);
	bar_out(VIRTIO_COMMON_VECTOR, 2, 1);
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
		RIG(test_hostile), RIG(test_indexes), RIG(test_once), RIG(test_broken_meanwhile),
		RIG(test_rings), RIG(test_indirect), RIG(test_interrupts), RIG(test_notices), RIG(test_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
