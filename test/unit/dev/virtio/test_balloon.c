/* A guest's balloon (Virtual I/O Device specification 1.2, "Traditional Memory Balloon Device"). */
#include "test/unit/dev/virtio/box.h"

#include "dev/virtio/balloon.h"

#define IN VIRTIO_BALLOON_IN
#define OUT VIRTIO_BALLOON_OUT
#define STATISTICS VIRTIO_BALLOON_STATISTICS
#define FREE VIRTIO_BALLOON_FREE
#define W VIRTQ_DESC_F_WRITE

static struct virtio_balloon balloon;
static unsigned asked, gifts;
static struct { uint64_t gfn; unsigned pages; } gift[2048];
static uint64_t pages_given;

static uint64_t give(void *ctx, uint64_t gfn, unsigned pages)
{
	(void)ctx;
	assert_true(pages && gfn % 512 + pages <= 512);
	gift[gifts % 2048].gfn = gfn;
	gift[gifts++ % 2048].pages = pages;
	pages_given += pages;
	return pages / 2;
}

static void ask(void *ctx) { (void)ctx, asked++; }

static void begin(bool oom)
{
	struct virtio_balloon_host host = { give, ask, NULL };
	struct guest_memory memory = box_memory();

	virtio_balloon_init(&balloon, &host, &memory, oom);
	box_begin(&balloon.device, balloon.device.offered);
	asked = gifts = 0;
	pages_given = 0;
	balloon.wants = false;
}

static int setup(void **state)
{
	(void)state;
	begin(false);
	return 0;
}

static void put_pfns(uint64_t gpa, uint32_t first, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint32_t pfn = first + i;

		memcpy(box.ram + gpa + 4 * i, &pfn, 4);
	}
}

/* A notification asks; the turn is served for as long as it is wanted. */
static unsigned tell(unsigned queue)
{
	unsigned turns = 0;

	virtio_notify(&balloon.device, queue);
	assert_true(balloon.wants && asked);
	for (; balloon.wants; turns++) {
		asked = 0;
		virtio_balloon_serve(&balloon);
		assert_int_equal(asked, balloon.wants);
	}
	return turns;
}

static void in_and_out(void **state)
{
	(void)state;
	put_pfns(BOX_DATA, 0x100, 3);
	put_pfns(BOX_DATA + 12, 0xffffff00, 2);
	box_descriptor(IN, 0, BOX_DATA, 9, VIRTQ_DESC_F_NEXT, 1);
	box_descriptor(IN, 1, BOX_DATA + 9, 13, 0, 0); /* and half a one */
	box_offer_head(IN, 0);
	virtio_notify(&balloon.device, IN);
	assert_int_equal(gifts, 0); /* BN1 */
	assert_int_equal(asked, 1);
	virtio_balloon_serve(&balloon);
	assert_int_equal(gifts, 5);
	assert_int_equal(gift[2].gfn, 0x102);
	assert_int_equal(gift[2].pages, 1);
	assert_int_equal(gift[4].gfn, 0xffffff01);
	assert_int_equal(balloon.account.inflated, 5);
	assert_int_equal(box_used(IN, 0), 0);
	assert_int_equal(box.interrupts[IN], 1);
	box_offer(OUT, 2, BOX_DATA, 8, 0);
	assert_int_equal(tell(OUT), 1);
	assert_int_equal(box_used(OUT, 2), 0);
	assert_int_equal(balloon.account.deflated, 2);
	assert_int_equal(gifts, 5);
	assert_false(box_broken());
}

/* BN2, BN3. */
static void by_turns(void **state)
{
	unsigned n = 3 * VIRTIO_BALLOON_TURN;

	(void)state;
	put_pfns(BOX_DATA, 0, n);
	box_offer(IN, 0, BOX_DATA, 4 * n, 0);
	box_offer(OUT, 0, BOX_DATA, 4, 0);
	virtio_notify(&balloon.device, IN);
	virtio_notify(&balloon.device, OUT);
	asked = 0;
	virtio_balloon_serve(&balloon);
	assert_true(gifts && gifts <= VIRTIO_BALLOON_TURN);
	assert_true(balloon.wants && asked == 1);
	assert_true(box_none_used(IN) && box_none_used(OUT));
	while (balloon.wants)
		virtio_balloon_serve(&balloon);
	assert_int_equal(gifts, n);
	assert_int_equal(gift[n - 1].gfn, n - 1);
	assert_int_equal(box_used(IN, 0), 0);
	assert_int_equal(box_used(OUT, 0), 0);
	/* Many that hold nothing are no less work. */
	for (unsigned i = 0; i < VIRTIO_BALLOON_QUEUE; i++)
		for (unsigned k = 0; i < 1 && k < VIRTIO_BALLOON_QUEUE; k++)
			box_descriptor(IN, k, BOX_DATA, 0, k + 1 < VIRTIO_BALLOON_QUEUE ? VIRTQ_DESC_F_NEXT : 0, k + 1);
	for (unsigned i = 0; i < 20; i++)
		box_offer_head(IN, 0);
	assert_true(tell(IN) >= 20 * VIRTIO_BALLOON_QUEUE / VIRTIO_BALLOON_TURN);
	assert_false(box_broken());
}

/* A reset in the middle of a chain. */
static void reset_between(void **state)
{
	(void)state;
	put_pfns(BOX_DATA, 0, 2 * VIRTIO_BALLOON_TURN);
	box_offer(IN, 0, BOX_DATA, 8 * VIRTIO_BALLOON_TURN, 0);
	virtio_notify(&balloon.device, IN);
	virtio_balloon_serve(&balloon);
	virtio_balloon_set(&balloon, 77);
	virtio_config_write(&balloon.device, VIRTIO_BALLOON_CONFIG_ACTUAL, 4, 5);
	box_begin(&balloon.device, balloon.device.offered);
	gifts = 0;
	virtio_balloon_serve(&balloon);
	assert_int_equal(gifts, 0);
	assert_true(box_none_used(IN));
	assert_int_equal(virtio_balloon_wanted(&balloon), 77);
	assert_int_equal(virtio_balloon_actual(&balloon), 0);
}

static void reports(unsigned queue)
{
	box_descriptor(queue, 0, 5 << 20, 4 << 20, W | VIRTQ_DESC_F_NEXT, 1);
	box_descriptor(queue, 1, 0x12345, 0x2000, W | VIRTQ_DESC_F_NEXT, 2); /* one whole page */
	box_descriptor(queue, 2, 0x7001, 0xffe, W | VIRTQ_DESC_F_NEXT, 3);   /* none */
	box_descriptor(queue, 3, ~0ull - 0x8ff, 0x800, W, 0);                /* behind all */
	box_offer_head(queue, 0);
	assert_true(tell(queue) >= 2);
	assert_int_equal(gifts, 4);
	assert_int_equal(gift[0].gfn, 5 << 8);
	assert_int_equal(gift[0].pages, 256);
	assert_int_equal(gift[1].gfn, 6 << 8);
	assert_int_equal(gift[1].pages, 512);
	assert_int_equal(gift[2].pages, 256);
	assert_int_equal(gift[3].gfn, 0x13);
	assert_int_equal(gift[3].pages, 1);
	assert_int_equal(balloon.account.reported, 1025);
	assert_int_equal(balloon.account.freed, 512);
	assert_int_equal(box_used(queue, 0), 0);
	assert_false(box_broken());
}

static void free_pages(void **state)
{
	(void)state;
	reports(FREE);
	begin(false);
	reports(VIRTIO_BALLOON_FREE_OLD);
	/* However much that is, one turn is no longer. */
	begin(false);
	box_offer(FREE, 0, 0, 0xfffff000, W);
	virtio_notify(&balloon.device, FREE);
	virtio_balloon_serve(&balloon);
	assert_true(balloon.wants && pages_given <= VIRTIO_BALLOON_TURN);
}

/* BN4. */
static void poisoned(void **state)
{
	struct virtio_device *d = &balloon.device;

	(void)state;
	virtio_config_write(d, VIRTIO_BALLOON_CONFIG_POISON, 4, 0xaaaaaaaa);
	box_offer(FREE, 0, 0, 1 << 20, W);
	tell(FREE);
	assert_int_equal(gifts, 0);
	assert_int_equal(box_used(FREE, 0), 0);
	virtio_config_write(d, VIRTIO_BALLOON_CONFIG_POISON, 4, 0);
	box_offer(FREE, 0, 0, 1 << 20, W);
	tell(FREE);
	assert_int_equal(gifts, 1);
	/* Who has not agreed on it cannot say. */
	box_begin(d, d->offered & ~BIT(VIRTIO_BALLOON_F_PAGE_POISON));
	virtio_config_write(d, VIRTIO_BALLOON_CONFIG_POISON, 4, 0xaaaaaaaa);
	assert_int_equal(virtio_config_byte(d, VIRTIO_BALLOON_CONFIG_POISON), 0);
}

static void configuration(void **state)
{
	struct virtio_device *d = &balloon.device;

	(void)state;
	assert_false(virtio_has(d, VIRTIO_BALLOON_F_DEFLATE_ON_OOM));
	virtio_balloon_set(&balloon, 0x12345);
	assert_int_equal(box.changes, 1);
	assert_int_equal(virtio_config_byte(d, 1), 0x23);
	virtio_config_write(d, VIRTIO_BALLOON_CONFIG_ACTUAL, 4, 0x11223344);
	virtio_config_write(d, VIRTIO_BALLOON_CONFIG_ACTUAL + 1, 1, 0x55);
	assert_int_equal(virtio_balloon_actual(&balloon), 0x11225544);
	/* The rest is not the driver's, nor is what lies behind it. */
	virtio_config_write(d, VIRTIO_BALLOON_CONFIG_PAGES, 4, 1);
	virtio_config_write(d, 8, 4, 1);
	virtio_config_write(d, VIRTIO_BALLOON_CONFIG_BYTES, 8, ~0ull);
	virtio_config_write(d, ~0ull - 3, 8, ~0ull);
	assert_int_equal(virtio_balloon_wanted(&balloon), 0x12345);
	assert_int_equal(virtio_config_byte(d, 8), 0);
	assert_true(virtio_balloon_driven(&balloon));
	virtio_set_status(d, 0);
	assert_false(virtio_balloon_driven(&balloon));
	virtio_balloon_set(&balloon, 1);
	assert_int_equal(box.changes, 1); /* there is nobody to tell */
	begin(true);
	assert_true(virtio_has(d, VIRTIO_BALLOON_F_DEFLATE_ON_OOM));
}

static void put_statistic(unsigned n, uint16_t tag, uint64_t value)
{
	memcpy(box.ram + BOX_DATA + 10 * n, &tag, 2);
	memcpy(box.ram + BOX_DATA + 10 * n + 2, &value, 8);
}

static void statistics(void **state)
{
	(void)state;
	virtio_balloon_ask(&balloon); /* nothing is at hand */
	put_statistic(0, 4, 111);
	put_statistic(1, 5, 1ull << 40);
	put_statistic(2, 0x1004, 7); /* unknown */
	box_offer(STATISTICS, 0, BOX_DATA, 35, 0);
	virtio_notify(&balloon.device, STATISTICS);
	assert_int_equal(balloon.known, 0x30);
	assert_int_equal(balloon.value[4], 111);
	assert_int_equal(balloon.value[5], 1ull << 40);
	assert_int_equal(balloon.account.statistics, 1);
	/* It is kept until it is wanted again; a second one waits. */
	assert_true(box_none_used(STATISTICS));
	box_offer(STATISTICS, 1, BOX_DATA, 10, 0);
	virtio_notify(&balloon.device, STATISTICS);
	assert_int_equal(balloon.account.statistics, 1);
	virtio_balloon_ask(&balloon);
	assert_int_equal(box_used(STATISTICS, 0), 0);
	assert_int_equal(box.interrupts[STATISTICS], 1);
	assert_int_equal(balloon.account.statistics, 2);
	assert_int_equal(balloon.known, 0x10);
	/* As many as there is room for, whatever it holds. */
	box_offer(STATISTICS, 2, BOX_DATA, 0xa0000, 0);
	virtio_balloon_ask(&balloon);
	assert_int_equal(box_used(STATISTICS, 1), 0);
	assert_int_equal(balloon.account.statistics, 3);
	assert_false(box_broken());
	/* Whose driver is gone has nothing to be asked. */
	balloon.device.status = 0;
	virtio_balloon_ask(&balloon);
	assert_true(box_none_used(STATISTICS));
}

static void refused(unsigned queue)
{
	box_offer_head(queue, 0);
	virtio_notify(&balloon.device, queue);
	virtio_balloon_serve(&balloon);
	assert_true(box_broken());
	assert_true(box_none_used(queue));
	assert_int_equal(gifts, 0);
	assert_int_equal(balloon.account.statistics, 0);
	begin(false);
}

static void what_is_refused(void **state)
{
	static const unsigned read[] = { IN, OUT, STATISTICS };

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(read); n++) {
		box_descriptor(read[n], 0, BOX_DATA, 16, W, 0);
		refused(read[n]);
	}
	box_descriptor(FREE, 0, 0, 0x1000, 0, 0);
	refused(FREE);
	/* What lies in no memory. */
	box_descriptor(IN, 0, BOX_RAM - 4, 16, 0, 0);
	refused(IN);
	box_descriptor(STATISTICS, 0, BOX_RAM - 4, 16, 0, 0);
	refused(STATISTICS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(in_and_out, setup), cmocka_unit_test_setup(by_turns, setup),
		cmocka_unit_test_setup(reset_between, setup), cmocka_unit_test_setup(free_pages, setup),
		cmocka_unit_test_setup(poisoned, setup), cmocka_unit_test_setup(configuration, setup),
		cmocka_unit_test_setup(statistics, setup), cmocka_unit_test_setup(what_is_refused, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
