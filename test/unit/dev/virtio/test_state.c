/* What a snapshot holds of virtio devices: a disk on the bus, and the others by their queues. */
#include "test/unit/dev/virtio/driver.h"

#include "dev/virtio/console.h"
#include "dev/virtio/net.h"
#include "dev/virtio/balloon.h"
#include "dev/virtio/rng.h"
#include "test/unit/dev/renewed.h"

#include <stdlib.h>
#include <string.h>

#define ROOM 0x4000u
#define ALL (rig->blk.device.offered)

static uint8_t bytes[ROOM];

static size_t save(void)
{
	struct fields s;

	state_save(&s, bytes, sizeof(bytes));
	pci_state(&s, &rig->bus);
	virtio_blk_state(&s, &rig->blk, &rig->pci);
	assert_false(s.bad);
	return s.at;
}

static bool load(size_t size, struct fields *s)
{
	state_load(s, bytes, size, 0);
	pci_state(s, &rig->bus);
	virtio_blk_state(s, &rig->blk, &rig->pci);
	state_done(s);
	return !s->bad;
}

/* As rig_renew(), and the driver goes on. */
static void fresh(void)
{
	uint16_t avail = rig->avail, seen = rig->seen;

	rig_renew();
	rig->avail = avail;
	rig->seen = seen;
}

/* Requests before and behind, an interrupt that is pending, by message and by the pin. */
static void a_disk_goes_on(void **state)
{
	struct fields s;
	size_t size;

	(void)state;
	driver_begin(ALL);
	request(3, VIRTIO_BLK_T_IN, 101, 0x20000, 512);
	assert_int_equal(rig->pci.isr, 1);
	size = save();
	fresh();
	assert_true(load(size, &s));
	assert_int_equal(bar_in(VIRTIO_ISR, 1), 1); /* BAR 4 decodes where it was */
	assert_int_equal(used(3), 513);
	request(6, VIRTIO_BLK_T_IN, 102, 0x30000, 512);
	assert_int_equal(used(6), 513);
	assert_int_equal(status_of(6), VIRTIO_BLK_S_OK);
	assert_memory_equal(rig->guest.ram + 0x30000, rig->medium.data[0][102], 512);
}

/* Its registers are where the guest has put them, and no more where they were. */
static void bars_decode(void **state)
{
	struct fields s;
	size_t size;

	(void)state;
	config_out(PCI_BAR + 4 * VIRTIO_BAR, 4, BAR_AT + 0x10000);
	size = save();
	fresh();
	assert_true(load(size, &s));
	assert_int_equal(mmio_read(&rig->mmio, BAR_AT + 0x10000 + VIRTIO_CONFIG, 4), MEDIUM_SECTORS);
	assert_int_equal(bar_in(VIRTIO_CONFIG, 4), 0xffffffff);
}

static void no_size(void) { rig->blk.queue.size = 24; }
static void too_large(void) { rig->blk.queue.size = 256; }
static void not_offered(void) { rig->blk.device.features |= BIT(60); }
static void no_vector(void) { rig->pci.msix.pending = BIT(9); }
static void entry_bits(void) { rig->pci.msix.entry[0][3] = 2; }
static void other_disk(void) { rig->guest.disk.sectors++; }
static void read_only(void) { rig->guest.disk.read_only = true; }

static void in_use(void) { driver_begin(ALL); }

static void refused(void **state)
{
	static void (*const bad[])(void) = {
		no_size, too_large, not_offered, no_vector, entry_bits, other_disk, read_only,
	};

	each_refused(state, bad, ARRAY_SIZE(bad), in_use, save, load);
}

/* A queue whose parts cannot be where they are said to be is broken, as if the guest had put them there. */
static void placed_nowhere(void **state)
{
	struct fields s;
	size_t size;

	(void)state;
	driver_begin(ALL);
	rig->blk.queue.used = ~0ull - 3;
	size = save();
	fresh();
	assert_true(load(size, &s));
	assert_true(rig->blk.queue.broken);
	rig->blk.queue.used = USED;
	kick();
	assert_true(none_used());
}

/* ---- the others ---- */

static bool no_room(void *ctx) { return (void)ctx, false; }
static void nothing(void *ctx) { (void)ctx; }
static void no_byte(void *ctx, uint8_t byte) { (void)ctx, (void)byte; }
static bool zero(uint64_t *value) { return *value = 0, true; }

static struct virtio_pci pci_of(struct virtio_device *d)
{
	struct virtio_pci p;

	virtio_pci_init(&p, d, 0, NULL, NULL);
	return p;
}

/* A chain that was at hand stays at hand. */
static void a_console(void **state)
{
	static const struct virtio_console_host host = { no_room, no_byte, nothing, nothing, NULL };
	static struct virtio_console a, b;
	struct virtio_pci p, q;
	struct fields s;

	(void)state;
	virtio_console_init(&a, &host, &rig->guest.disk.memory);
	virtio_console_init(&b, &host, &rig->guest.disk.memory);
	p = pci_of(&a.device);
	q = pci_of(&b.device);
	a.has_out = true;
	a.out = (struct virtq_chain){ .head = 5, .readable = 2, .segment = { { 0x1000, 7 }, { 0x2000, 9 } } };
	state_save(&s, bytes, sizeof(bytes));
	virtio_console_state(&s, &a, &p);
	state_load(&s, bytes, s.at, 0);
	virtio_console_state(&s, &b, &q);
	assert_false(s.bad);
	assert_true(b.has_out && !b.has_in);
	assert_int_equal(b.out.head, 5);
	assert_int_equal(b.out.segment[1].gpa, 0x2000);
	assert_int_equal(b.out.segment[1].bytes, 9);
	/* One that wraps, and one that is too long. */
	a.out.segment[1].gpa = ~0ull;
	state_save(&s, bytes, sizeof(bytes));
	virtio_console_state(&s, &a, &p);
	state_load(&s, bytes, s.at, 0);
	virtio_console_state(&s, &b, &q);
	assert_true(s.bad);
	a.out.segment[1].gpa = 0x2000;
	state_save(&s, bytes, sizeof(bytes));
	virtio_console_state(&s, &a, &p);
	memset(bytes + s.at - 2 * 12 - 8, 0xff, 1); /* readable */
	state_load(&s, bytes, sizeof(bytes), 0);
	virtio_console_state(&s, &b, &q);
	assert_true(s.bad);
	assert_string_equal(s.why, "a chain is too long");
}

static void the_rest(void **state)
{
	static struct virtio_net a, b;
	static struct virtio_rng c, d;
	static struct net_port port;
	struct virtio_pci p, q;
	struct fields s;

	(void)state;
	virtio_net_init(&a, &port, &rig->guest.disk.memory, nothing, NULL);
	virtio_net_init(&b, &port, &rig->guest.disk.memory, nothing, NULL);
	virtio_rng_init(&c, zero, &rig->guest.disk.memory);
	virtio_rng_init(&d, zero, &rig->guest.disk.memory);
	p = pci_of(&a.device);
	q = pci_of(&b.device);
	a.queue[VIRTIO_NET_OUT].next_avail = 77;
	a.device.features = a.device.offered;
	p.queue_vector[1] = 2;
	state_save(&s, bytes, sizeof(bytes));
	virtio_net_state(&s, &a, &p);
	state_load(&s, bytes, s.at, 0);
	virtio_net_state(&s, &b, &q);
	assert_false(s.bad);
	assert_int_equal(b.queue[VIRTIO_NET_OUT].next_avail, 77);
	assert_int_equal(q.queue_vector[1], 2);
	p = pci_of(&c.device);
	q = pci_of(&d.device);
	c.device.status = VIRTIO_DRIVER;
	state_save(&s, bytes, sizeof(bytes));
	virtio_rng_state(&s, &c, &p);
	state_load(&s, bytes, s.at, 0);
	virtio_rng_state(&s, &d, &q);
	assert_false(s.bad);
	assert_int_equal(d.device.status, VIRTIO_DRIVER);
	/* Another device's section. */
	state_load(&s, bytes, sizeof(bytes), 0);
	virtio_net_state(&s, &b, &q);
	assert_true(s.bad);
}

static uint64_t gives(void *ctx, uint64_t gfn, unsigned pages) { return (void)ctx, (void)gfn, pages; }

/* Chains of which a part has been looked at; a fifth queue's vector. */
static void a_balloon(void **state)
{
	static const struct virtio_balloon_host host = { gives, nothing, NULL };
	static struct virtio_balloon a, b;
	struct virtio_pci p, q;
	struct fields s;

	(void)state;
	virtio_balloon_init(&a, &host, &rig->guest.disk.memory, false);
	virtio_balloon_init(&b, &host, &rig->guest.disk.memory, false);
	p = pci_of(&a.device);
	q = pci_of(&b.device);
	virtio_balloon_set(&a, 0x1234);
	virtio_config_write(&a.device, VIRTIO_BALLOON_CONFIG_ACTUAL, 4, 0x567);
	a.wants = true;
	a.has[VIRTIO_BALLOON_FREE] = true;
	a.chain[VIRTIO_BALLOON_FREE] =
		(struct virtq_chain){ .head = 3, .writable = 2, .segment = { { 0x1000, 0 }, { 0x2000, 0x3000 } } };
	p.queue_vector[VIRTIO_BALLOON_FREE] = 5;
	state_save(&s, bytes, sizeof(bytes));
	virtio_balloon_state(&s, &a, &p);
	state_load(&s, bytes, s.at, 0);
	virtio_balloon_state(&s, &b, &q);
	assert_false(s.bad);
	assert_int_equal(virtio_balloon_wanted(&b), 0x1234);
	assert_int_equal(virtio_balloon_actual(&b), 0x567);
	assert_true(b.wants && b.has[VIRTIO_BALLOON_FREE] && !b.has[VIRTIO_BALLOON_IN]);
	assert_int_equal(b.chain[VIRTIO_BALLOON_FREE].segment[1].bytes, 0x3000);
	assert_int_equal(q.queue_vector[VIRTIO_BALLOON_FREE], 5);
	/* One that offers what this one does not. */
	virtio_balloon_init(&b, &host, &rig->guest.disk.memory, true);
	state_load(&s, bytes, sizeof(bytes), 0);
	virtio_balloon_state(&s, &b, &q);
	assert_true(s.bad);
	assert_string_equal(s.why, "it offers other features");
}

/* Any bytes are refused, or make a disk that works on. */
static void any_bytes(void **state)
{
	static uint8_t good[ROOM];
	unsigned seed = 1;
	size_t size;
	struct fields s;

	(void)state;
	driver_begin(ALL);
	request(0, VIRTIO_BLK_T_IN, 100, 0x20000, 512);
	size = save();
	memcpy(good, bytes, size);
	for (unsigned n = 0; n < 1500; n++) {
		fresh();
		memcpy(bytes, good, size);
		for (unsigned i = 0; i <= n % 4; i++) {
			seed = seed * 1103515245 + 12345;
			bytes[seed / 65536 % size] = (uint8_t)(seed >> 12);
		}
		if (load(n % 7 ? size : seed % size, &s)) {
			request(3, VIRTIO_BLK_T_IN, 7, 0x20000, 512);
			medium_finish(&rig->medium);
		}
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_disk_goes_on), T(bars_decode), T(refused), T(placed_nowhere), T(a_console), T(a_balloon),
		T(the_rest), T(any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
