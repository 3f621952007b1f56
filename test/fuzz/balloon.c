/* A memory balloon under libFuzzer: a guest's memory and rings, which hold anything, and what is wanted of it. Nothing
 * may crash; a turn gives back a bounded number of pages, after a bounded amount of work, and pages go in turns only
 * (BN1, BN2 in dev/virtio/balloon.h). */
#include "test/fuzz/rings.h"

#include "dev/virtio/balloon.h"

#define ROM 0xf800u /* from there on nothing can be written */
#define DATA 0x6000u
#define STEPS_MAX 300
/* Of memory, for one step: page numbers by a few bytes each at worst, and each chain's descriptors and rings. */
#define ACCESSES_MAX (VIRTIO_BALLOON_TURN * 12u)

static struct virtio_balloon balloon;
static uint8_t ram[RAM];
static uint16_t avail[VIRTIO_BALLOON_QUEUES];
static unsigned accesses;
static uint64_t given;
static bool in_turn, asked;

static bool in_reach(uint64_t gpa, size_t n, uint64_t end)
{
	if (++accesses > ACCESSES_MAX)
		fail_with("a step accesses memory without end");
	return gpa < end && n <= end - gpa;
}

static bool memory_read(void *ctx, uint64_t gpa, void *to, size_t n)
{
	(void)ctx;
	if (!in_reach(gpa, n, RAM))
		return false;
	memcpy(to, ram + gpa, n);
	return true;
}

static bool memory_write(void *ctx, uint64_t gpa, const void *from, size_t n)
{
	(void)ctx;
	if (!in_reach(gpa, n, ROM))
		return false;
	memcpy(ram + gpa, from, n);
	return true;
}

static uint64_t give(void *ctx, uint64_t gfn, unsigned pages)
{
	(void)ctx;
	if (!in_turn)
		fail_with("a page goes while the guest may run");
	if (!pages || gfn % 512 + pages > 512 || gfn > UINT64_MAX >> VIRTIO_BALLOON_PAGE_SHIFT)
		fail_with("pages of no block");
	/* What one step looks at may be a block more than is left of the turn. */
	if ((given += pages) > 2 * VIRTIO_BALLOON_TURN)
		fail_with("a turn gives back pages without end");
	return pages;
}

static void ask(void *ctx) { (void)ctx, asked = true; }
static void interrupt(void *ctx, unsigned cause) { (void)ctx, (void)cause; }

/* ---- what a guest does ---- */

static void begin(struct input *in)
{
	rings_begin(in, &balloon.device, VIRTIO_BALLOON_QUEUES, ram, avail);
}

static void set_status(struct input *in) { virtio_set_status(&balloon.device, in8(in)); }

static void place_a_queue(struct input *in)
{
	unsigned how = in8(in), n = how % VIRTIO_BALLOON_QUEUES;
	struct virtq *q = &balloon.queue[n];

	if (q->ready)
		return;
	q->size = (uint16_t)(1u << in8(in) % 8);
	q->desc = how & 32 ? in_bytes(in, 8) & ~15ull : DESC(n);
	q->avail = how & 64 ? in_bytes(in, 8) & ~1ull : AVAIL(n);
	q->used = how & 128 ? in_bytes(in, 8) & ~3ull : USED(n);
	virtio_enable_queue(&balloon.device, n);
}

static void write_memory(struct input *in)
{
	uint32_t at = in16(in);

	ring_put16(ram, at, in16(in));
}

static void offer(unsigned q, unsigned head)
{
	ring_put16(ram, AVAIL(q) + 4 + 2 * (avail[q]++ % RING), (uint16_t)(head % RING));
	ring_put16(ram, AVAIL(q) + 2, avail[q]);
}

static void write_descriptor(struct input *in)
{
	static const uint64_t odd[] = { 0, ROM - 20, ROM, RAM - 17, RAM, 0xfee00000, ~0ull - 99, 1ull << 63 };
	unsigned how = in8(in), q = in8(in) % VIRTIO_BALLOON_QUEUES, n = in8(in) % RING, flags = in8(in);
	uint64_t gpa = how & 4 ? odd[in8(in) % ARRAY_SIZE(odd)] : DATA + in8(in);
	uint32_t bytes = how & 8 ? in32(in) : in16(in);
	const uint16_t rest[2] = { (uint16_t)flags, (uint16_t)(how & 32 ? in8(in) : (n + 1) % RING) };

	memcpy(ram + DESC(q) + 16 * n, &gpa, 8);
	memcpy(ram + DESC(q) + 16 * n + 8, &bytes, 4);
	memcpy(ram + DESC(q) + 16 * n + 12, rest, 4);
	if (how & 16)
		offer(q, n);
}

static void notify(struct input *in) { virtio_notify(&balloon.device, in8(in) % VIRTIO_BALLOON_QUEUES); }

static void configure(struct input *in)
{
	uint64_t at = in8(in);

	virtio_config_write(&balloon.device, at, 1u << in8(in) % 4, in32(in));
}

/* ---- and its owner ---- */

static void serve(struct input *in)
{
	(void)in;
	given = 0;
	in_turn = true;
	asked = false;
	virtio_balloon_serve(&balloon);
	in_turn = false;
	if (balloon.wants != asked)
		fail_with("there is more to do, and nobody knows");
}

static void want(struct input *in) { virtio_balloon_set(&balloon, in32(in)); }

static void statistics(struct input *in)
{
	(void)in;
	virtio_balloon_ask(&balloon);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const what[])(struct input *) = {
		begin, set_status, place_a_queue, write_memory, write_descriptor, write_descriptor, write_descriptor,
		notify, configure, serve, serve, want, statistics,
	};
	const struct guest_memory memory = { memory_read, memory_write, NULL };
	const struct virtio_balloon_host host = { give, ask, NULL };
	struct input in = { data, size };

	memset(ram, 0, sizeof(ram));
	memset(avail, 0, sizeof(avail));
	virtio_balloon_init(&balloon, &host, &memory, size & 1);
	balloon.device.interrupt = interrupt;
	for (unsigned n = 0; n < STEPS_MAX && in.left; n++) {
		accesses = 0;
		what[in8(&in) % ARRAY_SIZE(what)](&in);
	}
	return 0;
}
