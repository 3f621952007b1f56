/* A network under libFuzzer: two guests' cards, each with memory and rings of its own, which hold anything; a bare port
 * beside them; frames from outside, and an uplink. Nothing may crash, a look at a queue does a bounded amount of work,
 * and who gets a frame is whom it is for, from whom it says (NS1, NS2 in dev/net/switch.h). */
#include "test/fuzz/rings.h"

#include "dev/virtio/net.h"

#define CARDS 2
#define ROM 0xf800u /* from there on nothing can be written */
#define DATA 0x2000u
#define STEPS_MAX 300
/* Of memory, for one step: a turn's frames (VN2), each of which is some words of two rings, and segments. */
#define ACCESSES_MAX (VIRTIO_NET_TURN * 40u)

struct card {
	struct virtio_net net;
	struct net_port port;
	uint8_t ram[RAM];
	uint16_t avail[VIRTIO_NET_QUEUES];
	bool asked;
};

static struct card cards[CARDS];
static struct net net;
static struct net_port watcher;
static unsigned accesses;
/* The last byte says whose: cards' 0 and 1, the watcher's, somebody's outside, nobody's. */
enum { WATCHER = CARDS, OUTSIDE, NOBODY, STATIONS };

static void address_of(unsigned who, uint8_t *address)
{
	const uint8_t bytes[NET_ADDRESS] = { 0x52, 0x54, 0, 0, 0, (uint8_t)who };

	memcpy(address, bytes, NET_ADDRESS);
}

static bool is_of(const uint8_t *address, unsigned who)
{
	uint8_t wanted[NET_ADDRESS];

	address_of(who, wanted);
	return !memcmp(address, wanted, NET_ADDRESS);
}

/* ---- a guest's memory ---- */

static bool in_reach(uint64_t gpa, size_t n, uint64_t end)
{
	if (++accesses > ACCESSES_MAX)
		fail_with("a step accesses memory without end");
	return gpa < end && n <= end - gpa;
}

static bool memory_read(void *ctx, uint64_t gpa, void *to, size_t n)
{
	const struct card *c = ctx;

	if (!in_reach(gpa, n, RAM))
		return false;
	memcpy(to, c->ram + gpa, n);
	return true;
}

static bool memory_write(void *ctx, uint64_t gpa, const void *from, size_t n)
{
	struct card *c = ctx;

	if (!in_reach(gpa, n, ROM))
		return false;
	memcpy(c->ram + gpa, from, n);
	return true;
}

/* ---- the world ---- */

static void check_length(uint32_t bytes)
{
	if (bytes < NET_FRAME_MIN || bytes > NET_FRAME_MAX)
		fail_with("a frame of no frame's length");
}

/* Where nobody has the address, or it is of several. */
static bool uplink(const uint8_t *frame, uint32_t bytes)
{
	check_length(bytes);
	if (!(frame[0] & NET_GROUP))
		for (unsigned n = 0; n <= WATCHER; n++)
			if (is_of(frame, n))
				fail_with("a frame for a port goes outside");
	if (!is_of(frame + NET_SOURCE, 0) && !is_of(frame + NET_SOURCE, 1) && !is_of(frame + NET_SOURCE, WATCHER))
		fail_with("a frame goes outside in another's name");
	return bytes & 1;
}

static void ask(void *ctx) { ((struct card *)ctx)->asked = true; }
static void notice(void *ctx) { (void)ctx; }
static void interrupt(void *ctx, unsigned cause) { (void)ctx, (void)cause; }

static void join(struct net_port *port, unsigned who)
{
	uint8_t address[NET_ADDRESS];

	address_of(who, address);
	port->notice = port->crowded = notice;
	if (!net_join(&net, port, address))
		fail_with("a port cannot join");
	net_open(port);
}

static void make(void)
{
	memset(&net, 0, sizeof(net));
	memset(&watcher, 0, sizeof(watcher));
	memset(cards, 0, sizeof(cards));
	net.uplink = uplink;
	for (unsigned n = 0; n < CARDS; n++) {
		struct guest_memory memory = { memory_read, memory_write, &cards[n] };

		join(&cards[n].port, n);
		virtio_net_init(&cards[n].net, &cards[n].port, &memory, ask, &cards[n]);
		cards[n].net.device.interrupt = interrupt;
	}
	join(&watcher, WATCHER);
}

/* Behind each step: what the watcher was sent is for it. */
static void watch(void)
{
	struct net_frame *f;

	if (net_waiting(&watcher) > NET_BACKLOG)
		fail_with("a backlog holds more than it can");
	while ((f = net_first(&watcher)) != NULL) {
		const uint8_t *frame = net_data(f);

		check_length(f->bytes);
		if (!(frame[0] & NET_GROUP) && !is_of(frame, WATCHER))
			fail_with("a frame for another is seen");
		if (is_of(frame + NET_SOURCE, WATCHER))
			fail_with("a frame comes back, or in one's own name");
		net_take(&watcher);
	}
	net_look(&watcher);
}

/* ---- what a guest does ---- */

static struct card *card_of(unsigned how) { return &cards[how & 1]; }

static void begin(struct input *in)
{
	struct card *c = card_of(in8(in));

	rings_begin(in, &c->net.device, VIRTIO_NET_QUEUES, c->ram, c->avail);
}

static void set_status(struct input *in) { virtio_set_status(&card_of(in8(in))->net.device, in8(in)); }

static void place_a_queue(struct input *in)
{
	unsigned how = in8(in);
	struct virtio_device *d = &card_of(how)->net.device;
	struct virtq *q = &d->queue[how >> 1 & 1];

	if (q->ready)
		return;
	q->size = (uint16_t)(1u << in8(in) % 9);
	q->desc = how & 4 ? in_bytes(in, 8) & ~15ull : DESC(how >> 1 & 1);
	q->avail = how & 8 ? in_bytes(in, 8) & ~1ull : AVAIL(how >> 1 & 1);
	q->used = how & 16 ? in_bytes(in, 8) & ~3ull : USED(how >> 1 & 1);
	virtio_enable_queue(d, how >> 1 & 1);
}

static void write_memory(struct input *in)
{
	struct card *c = card_of(in8(in));

	ring_put16(c->ram, in16(in), in16(in));
}

static void descriptor(struct card *c, unsigned q, unsigned n, uint64_t gpa, uint32_t bytes, unsigned flags)
{
	const uint16_t rest[2] = { (uint16_t)flags, (uint16_t)((n + 1) % RING) };
	uint8_t *d = c->ram + DESC(q) + 16 * (n % RING);

	memcpy(d, &gpa, 8);
	memcpy(d + 8, &bytes, 4);
	memcpy(d + 12, rest, 4);
}

static void offer(struct card *c, unsigned q, unsigned head)
{
	ring_put16(c->ram, AVAIL(q) + 4 + 2 * (c->avail[q]++ % RING), (uint16_t)(head % RING));
	ring_put16(c->ram, AVAIL(q) + 2, c->avail[q]);
}

static void write_descriptor(struct input *in)
{
	static const uint64_t odd[] = { 0, ROM - 20, ROM, RAM - 17, RAM, 0xfee00000, ~0ull - 99, 1ull << 63 };
	unsigned how = in8(in), n = in8(in);
	uint64_t gpa = how & 4 ? odd[in8(in) % ARRAY_SIZE(odd)] : DATA + 16u * in8(in);

	descriptor(card_of(how), how >> 1 & 1, n, gpa, how & 8 ? in32(in) : in16(in) % 2100, in8(in));
	if (how & 16)
		offer(card_of(how), how >> 1 & 1, n);
}

/* Buffers for frames, several small ones or one. */
static void make_room(struct input *in)
{
	unsigned how = in8(in), n = in8(in), bytes = how & 2 ? 100u + in8(in) : 2000;
	struct card *c = card_of(how);

	for (unsigned i = 0; i < (how & 4 ? 6u : 1u); i++) {
		descriptor(c, VIRTIO_NET_IN, n + i, DATA + 0x800u * ((n + i) % 16), bytes, VIRTQ_DESC_F_WRITE);
		offer(c, VIRTIO_NET_IN, n + i);
	}
}

static void addresses(struct input *in, uint8_t *frame)
{
	unsigned how = in8(in);

	memset(frame, 0xff, NET_ADDRESS);
	if (how % 8 < STATIONS)
		address_of(how % 8, frame);
	address_of(how / 8 % STATIONS, frame + NET_SOURCE);
}

static void send(struct input *in)
{
	unsigned how = in8(in), n = in8(in), bytes = in16(in) % 1600, first = how & 2 ? in8(in) % (bytes + 1) : 0;
	struct card *c = card_of(how);
	uint32_t at = DATA + 0x400u * (n % 16);

	memset(c->ram + at, 0, 12);
	addresses(in, c->ram + at + 12);
	if (!(how & 4))
		memcpy(c->ram + at + 12 + NET_SOURCE, c->port.address, NET_ADDRESS);
	if (first)
		descriptor(c, VIRTIO_NET_OUT, n, at, first, VIRTQ_DESC_F_NEXT);
	descriptor(c, VIRTIO_NET_OUT, n + !!first, at + first, bytes - first, 0);
	offer(c, VIRTIO_NET_OUT, n);
	if (how & 8)
		virtio_notify(&c->net.device, VIRTIO_NET_OUT);
}

static void notify(struct input *in)
{
	unsigned how = in8(in);

	virtio_notify(&card_of(how)->net.device, how >> 1 & 1);
}

/* ---- what its owner and others do ---- */

static void serve(struct input *in)
{
	unsigned how = in8(in);
	struct card *c = card_of(how);

	c->asked = false;
	virtio_net_serve(&c->net, !(how & 0x80));
}

static void from_outside(struct input *in)
{
	uint8_t frame[NET_FRAME_MAX + 8] = { 0 };

	addresses(in, frame);
	net_from_outside(&net, frame, in16(in) % (sizeof(frame) + 1));
}

static void from_the_watcher(struct input *in)
{
	uint8_t frame[NET_FRAME_MAX] = { 0 };

	addresses(in, frame);
	address_of(WATCHER, frame + NET_SOURCE);
	for (unsigned n = in8(in) % 140; n; n--)
		net_send(&watcher, frame, NET_FRAME_MIN + in8(in));
}

static void close_and_open(struct input *in)
{
	struct net_port *port = &card_of(in8(in))->port;

	net_close(port);
	net_open(port);
}

/* All that waits for a card comes to an end, turn by turn. */
static void drain(void)
{
	for (unsigned n = 0; n < CARDS; n++) {
		unsigned turns = 0;

		do {
			accesses = 0;
			cards[n].asked = false;
			virtio_net_serve(&cards[n].net, true);
			watch();
		} while (cards[n].asked && ++turns < 1000);
		if (cards[n].asked)
			fail_with("a card asks without end");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const what[])(struct input *) = {
		begin, set_status, place_a_queue, write_memory, write_descriptor, make_room, make_room, send, send,
		send, notify, serve, serve, from_outside, from_the_watcher, close_and_open,
	};
	struct input in = { data, size };

	make();
	for (unsigned n = 0; n < STEPS_MAX && in.left; n++) {
		accesses = 0;
		what[in8(&in) % ARRAY_SIZE(what)](&in);
		watch();
	}
	drain();
	return 0;
}
