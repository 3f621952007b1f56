/* A network card for a guest (Virtual I/O Device specification 1.2, "Network Device"), and the port behind it. */
#include "test/unit/dev/virtio/box.h"

#include "dev/virtio/net.h"

#define IN VIRTIO_NET_IN
#define OUT VIRTIO_NET_OUT
#define HEADER 12u

static struct virtio_net card;
static struct net net;
static struct net_port port, other;
static unsigned asked, noticed;

static void ask(void *ctx) { (void)ctx, asked++; }
static void notice(void *ctx) { noticed += ctx == &port; }
static void crowded(void *ctx) { (void)ctx; }

static const uint8_t own[NET_ADDRESS] = { 0x52, 0x54, 0, 0, 0, 1 }, theirs[NET_ADDRESS] = { 0x52, 0x54, 0, 0, 1, 1 };

static void begin(uint64_t without)
{
	box_begin(&card.device, card.device.offered & ~without);
}

static int setup(void **state)
{
	struct guest_memory memory = box_memory();

	(void)state;
	memset(&net, 0, sizeof(net));
	memset(&port, 0, sizeof(port));
	memset(&other, 0, sizeof(other));
	asked = noticed = 0;
	port.notice = other.notice = notice;
	port.crowded = other.crowded = crowded;
	port.ctx = &port;
	assert_true(net_join(&net, &port, own) && net_join(&net, &other, theirs));
	net_open(&port);
	net_open(&other);
	virtio_net_init(&card, &port, &memory, ask, NULL);
	begin(0);
	return 0;
}

/* A frame of the guest's at gpa, behind a header of zeroes. */
static void write_frame(uint64_t gpa, uint32_t before, uint8_t byte)
{
	memset(box.ram + gpa, 0, before);
	memcpy(box.ram + gpa + before, theirs, NET_ADDRESS);
	memcpy(box.ram + gpa + before + NET_SOURCE, own, NET_ADDRESS);
	memset(box.ram + gpa + before + NET_FRAME_MIN, byte, 2000);
}

static void send(unsigned n, uint32_t bytes)
{
	box_offer(OUT, n, BOX_DATA, bytes, 0);
	virtio_notify(&card.device, OUT);
}

/* A frame for the guest. */
static void arrive(uint32_t bytes, uint8_t byte)
{
	uint8_t frame[NET_FRAME_MAX];

	memcpy(frame, own, NET_ADDRESS);
	memcpy(frame + NET_SOURCE, theirs, NET_ADDRESS);
	memset(frame + NET_FRAME_MIN, byte, sizeof(frame) - NET_FRAME_MIN);
	net_send(&other, frame, bytes);
}

static void room(unsigned n, uint32_t bytes) { box_offer(IN, n, BOX_DATA + 0x1000 * n, bytes, VIRTQ_DESC_F_WRITE); }

static void serve(void) { virtio_net_serve(&card, true); }

static void identity(void **state)
{
	(void)state;
	for (unsigned n = 0; n < NET_ADDRESS; n++)
		assert_int_equal(virtio_config_byte(&card.device, n), own[n]);
	assert_int_equal(virtio_config_byte(&card.device, 6), 1); /* the link is up */
}

static void to_the_switch(void **state)
{
	(void)state;
	write_frame(BOX_DATA, HEADER, 5);
	send(0, HEADER + 60);
	assert_int_equal(box_used(OUT, 0), 0);
	assert_int_equal(net_first(&other)->bytes, 60);
	assert_memory_equal(net_data(net_first(&other)), box.ram + BOX_DATA + HEADER, 60);
	/* In pieces, the header's too. */
	box_descriptor(OUT, 1, BOX_DATA, 5, VIRTQ_DESC_F_NEXT, 2);
	box_descriptor(OUT, 2, BOX_DATA + 5, 20, VIRTQ_DESC_F_NEXT, 3);
	box_descriptor(OUT, 3, BOX_DATA + 25, 87, 0, 0);
	box_offer_head(OUT, 1);
	virtio_notify(&card.device, OUT);
	box_used(OUT, 1);
	net_take(&other);
	assert_int_equal(net_first(&other)->bytes, 100);
	assert_memory_equal(net_data(net_first(&other)), box.ram + BOX_DATA + HEADER, 100);
	/* Drivers of before the specification, without merging: a shorter header. */
	begin(BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_NET_F_MRG_RXBUF));
	net_discard(&other);
	write_frame(BOX_DATA, 10, 6);
	send(0, 10 + 60);
	assert_memory_equal(net_data(net_first(&other)), box.ram + BOX_DATA + 10, 60);
	assert_int_equal(port.account.sent, 3);
}

static void what_is_dropped(void **state)
{
	(void)state;
	write_frame(BOX_DATA, HEADER, 5);
	for (unsigned n = 0; n < 2; n++) { /* flags, gso_type */
		box.ram[BOX_DATA + n] = 1;
		send(n, HEADER + 60);
		box.ram[BOX_DATA + n] = 0;
		box_used(OUT, n);
	}
	send(2, HEADER + NET_FRAME_MAX + 1);
	box_used(OUT, 2);
	send(3, HEADER + 13);
	box_used(OUT, 3);
	assert_int_equal(port.account.dropped_malformed, 4);
	box.ram[BOX_DATA + HEADER + NET_SOURCE]++;
	send(4, HEADER + 60);
	box_used(OUT, 4);
	assert_int_equal(port.account.dropped_source, 1);
	assert_null(net_first(&other));
	assert_false(box_broken());
}

static void broken(void)
{
	assert_true(box_broken());
	assert_null(net_first(&other));
	setup(NULL);
	write_frame(BOX_DATA, HEADER, 5);
}

static void what_is_refused(void **state)
{
	(void)state;
	write_frame(BOX_DATA, HEADER, 5);
	send(0, HEADER - 1);
	broken();
	box_descriptor(OUT, 0, BOX_DATA, HEADER + 60, VIRTQ_DESC_F_NEXT, 1);
	box_descriptor(OUT, 1, BOX_DATA, 60, VIRTQ_DESC_F_WRITE, 0);
	box_offer_head(OUT, 0);
	virtio_notify(&card.device, OUT);
	broken();
	box_offer(OUT, 0, BOX_RAM - HEADER - 30, HEADER + 60, 0);
	virtio_notify(&card.device, OUT);
	broken();
	box_descriptor(IN, 0, BOX_DATA, 100, VIRTQ_DESC_F_NEXT, 1);
	box_descriptor(IN, 1, BOX_DATA, 2000, VIRTQ_DESC_F_WRITE, 0);
	box_offer_head(IN, 0);
	arrive(60, 1);
	serve();
	assert_true(box_none_used(IN));
	broken();
	box_offer(IN, 0, BOX_ROM - 20, 2000, VIRTQ_DESC_F_WRITE);
	arrive(60, 1);
	serve();
	assert_true(box_none_used(IN));
	broken();
	/* Without merging a buffer has room for a whole frame. */
	begin(BIT(VIRTIO_NET_F_MRG_RXBUF));
	room(0, 60);
	room(1, 2000);
	arrive(60, 1);
	serve();
	assert_true(box_none_used(IN));
	broken();
}

static void to_the_guest(void **state)
{
	uint16_t buffers;

	(void)state;
	room(0, 2000);
	arrive(60, 7);
	assert_int_equal(noticed, 1);
	serve();
	assert_int_equal(box_used(IN, 0), HEADER + 60);
	assert_memory_equal(box.ram + BOX_DATA + HEADER, own, NET_ADDRESS);
	assert_int_equal(box.ram[BOX_DATA + HEADER + 59], 7);
	assert_int_equal(box.ram[BOX_DATA + HEADER + 60], 0);
	memcpy(&buffers, box.ram + BOX_DATA + 10, 2);
	assert_int_equal(buffers, 1);
	assert_int_equal(box.interrupts[IN], 1);
	assert_int_equal(port.account.received, 1);
	assert_int_equal(port.account.bytes_received, 60);
	arrive(60, 7);
	assert_int_equal(noticed, 2);
}

/* VN1. */
static void merged(void **state)
{
	uint16_t buffers;

	(void)state;
	arrive(1000, 8);
	room(0, 300);
	room(1, 400);
	serve();
	assert_true(box_none_used(IN));
	assert_non_null(net_first(&port));
	arrive(60, 9);
	assert_int_equal(noticed, 1); /* there is no buffer: why tell */
	room(2, 400);
	room(3, 100);
	virtio_notify(&card.device, IN);
	assert_int_equal(box_used(IN, 0), 300);
	assert_int_equal(box_used(IN, 1), 400);
	assert_int_equal(box_used(IN, 2), HEADER + 1000 - 700);
	memcpy(&buffers, box.ram + BOX_DATA + 10, 2);
	assert_int_equal(buffers, 3);
	assert_int_equal(box.ram[BOX_DATA + 0x2000 + 311], 8);
	assert_int_equal(box_used(IN, 3), HEADER + 60);
	assert_int_equal(box.ram[BOX_DATA + 0x3000 + HEADER + 59], 9);
	assert_int_equal(port.account.received, 2);
	/* VN3: too small ones are left for smaller frames. */
	arrive(1400, 1);
	arrive(200, 2);
	for (unsigned n = 0; n < VIRTIO_NET_MERGED + 1; n++)
		room(n, 80);
	serve();
	assert_int_equal(port.account.dropped_malformed, 1);
	for (unsigned n = 0; n < 3; n++)
		assert_int_equal(box_used(IN, n), n < 2 ? 80 : HEADER + 200 - 160);
	assert_true(box_none_used(IN));
}

/* VN2. */
static void turns(void **state)
{
	(void)state;
	write_frame(BOX_DATA, HEADER, 5);
	/* Of 100 segments each. */
	for (unsigned n = 0; n < 100; n++)
		box_descriptor(OUT, n, BOX_DATA + n, 1, n < 99 ? VIRTQ_DESC_F_NEXT : 0, n + 1);
	for (unsigned n = 0; n < 10; n++)
		box_offer_head(OUT, 0);
	virtio_notify(&card.device, OUT);
	assert_int_equal(asked, 1);
	assert_int_equal(port.account.sent, 6);
	serve();
	assert_int_equal(asked, 1);
	assert_int_equal(port.account.sent, 10);
	for (unsigned n = 0; n < 100; n++)
		box_descriptor(IN, n, BOX_DATA + n, 1, VIRTQ_DESC_F_WRITE | (n < 99 ? VIRTQ_DESC_F_NEXT : 0), n + 1);
	for (unsigned n = 0; n < 10; n++) {
		box_offer_head(IN, 0);
		arrive(60, 1);
	}
	serve();
	assert_int_equal(asked, 2);
	assert_int_equal(port.account.received, 6);
	serve();
	assert_int_equal(port.account.received, 10);
}

/* Frames for who has no driver are nobody's. */
static void without_driver(void **state)
{
	(void)state;
	room(0, 2000);
	arrive(60, 1);
	virtio_net_serve(&card, false);
	assert_true(box_none_used(IN));
	assert_null(net_first(&port));
	arrive(60, 2);
	virtio_set_status(&card.device, 0);
	assert_null(net_first(&port));
	arrive(60, 3);
	serve();
	assert_null(net_first(&port));
	card.device.status = STATUS_AGREED;
	arrive(60, 3);
	serve();
	assert_null(net_first(&port));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(identity, setup), cmocka_unit_test_setup(to_the_switch, setup),
		cmocka_unit_test_setup(what_is_dropped, setup), cmocka_unit_test_setup(what_is_refused, setup),
		cmocka_unit_test_setup(to_the_guest, setup), cmocka_unit_test_setup(merged, setup),
		cmocka_unit_test_setup(turns, setup), cmocka_unit_test_setup(without_driver, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
