#include "dev/virtio/balloon.h"

#include "dev/virtio/chain.h"
#include "lib/mutants/mutate.h"

#define PAGE BIT(VIRTIO_BALLOON_PAGE_SHIFT)
#define BLOCK_PAGES 512u /* that .give() takes at most */
#define PFNS 64u         /* that are read at once */

/* What the guest has done is forbidden (VQ3). */
static void spoil(struct virtio_balloon *b, unsigned queue) { b->queue[queue].broken = true; }

static void pay(unsigned *left, uint64_t n) { *left -= (unsigned)min_u64(*left, n); }

/* The chain at hand of a queue, or the next; false: there is none, or the queue is broken. It is paid for. */
static bool have_chain(struct virtio_balloon *b, unsigned queue, unsigned *left)
{
	struct virtq_chain *c = &b->chain[queue];

	if (!virtio_ready(&b->device, queue))
		return false;
	if (!b->has[queue]) {
		b->has[queue] = virtq_pop(&b->queue[queue], c);
		pay(left, b->has[queue] ? 1 + c->readable + c->writable : 0);
	}
	return b->has[queue];
}

static void done_with(struct virtio_balloon *b, unsigned queue)
{
	virtq_push(&b->queue[queue], b->chain[queue].head, 0);
	b->has[queue] = false;
}

/* ---- into the balloon, and out ---- */

/* Page numbers of the chain at hand, as many as may be; what is left over at its end is less than one. */
static bool take_some(struct virtio_balloon *b, unsigned *left)
{
	struct virtq_chain *c = &b->chain[VIRTIO_BALLOON_IN];
	uint32_t pfn[PFNS];
	unsigned n = (unsigned)min_u64(min_u64(virtq_readable(c) / sizeof(pfn[0]), PFNS), *left);

	if (!virtq_take(&b->device.memory, c, pfn, n * (uint32_t)sizeof(pfn[0]))) {
		spoil(b, VIRTIO_BALLOON_IN);
		return false;
	}
	for (unsigned i = 0; i < n; i++)
		b->account.freed += b->host.give(b->host.ctx, pfn[i], 1);
	b->account.inflated += n;
	VM_MUTANT(BALLOON_TURN, pay(left, n));
	return virtq_readable(c) >= sizeof(pfn[0]);
}

/* Returns whether all that is in has been looked at. */
static bool inflate(struct virtio_balloon *b, unsigned *left)
{
	while (*left && have_chain(b, VIRTIO_BALLOON_IN, left)) {
		/* "Device Operation": the queue is for what the device reads. */
		if (VM_KEPT(BALLOON_IN_WRITABLE, b->chain[VIRTIO_BALLOON_IN].writable)) {
			spoil(b, VIRTIO_BALLOON_IN);
			break;
		}
		while (*left && take_some(b, left))
			;
		if (b->queue[VIRTIO_BALLOON_IN].broken)
			break;
		if (virtq_readable(&b->chain[VIRTIO_BALLOON_IN]) < sizeof(uint32_t))
			done_with(b, VIRTIO_BALLOON_IN);
	}
	return *left;
}

/* What is taken out comes when it is touched: there is nothing to do but to say so (BN3). */
static void deflate(struct virtio_balloon *b, unsigned *left)
{
	while (*left && have_chain(b, VIRTIO_BALLOON_OUT, left)) {
		if (VM_KEPT(BALLOON_OUT_WRITABLE, b->chain[VIRTIO_BALLOON_OUT].writable)) {
			spoil(b, VIRTIO_BALLOON_OUT);
			return;
		}
		b->account.deflated += virtq_readable(&b->chain[VIRTIO_BALLOON_OUT]) / sizeof(uint32_t);
		done_with(b, VIRTIO_BALLOON_OUT);
	}
}

/* ---- free pages ---- */

static uint32_t poison(const struct virtio_balloon *b)
{
	uint32_t value;

	memcpy(&value, b->config + VIRTIO_BALLOON_CONFIG_POISON, sizeof(value));
	return virtio_has(&b->device, VIRTIO_BALLOON_F_PAGE_POISON) ? value : 0;
}

/* The whole pages of a segment, up to the end of a block, which are taken off it; what lies before the first of them
 * goes too. */
static unsigned cut(struct guest_segment *s, uint64_t *gfn)
{
	uint64_t first = align_up(s->gpa, PAGE), end = s->gpa + s->bytes;
	unsigned pages = 0;

	/* The last page there can be has none behind it (GM1). */
	if (VM_LEFT_OUT_OR(BALLOON_WRAPS, first >= s->gpa) && first < end) {
		*gfn = first >> VIRTIO_BALLOON_PAGE_SHIFT;
		pages = (unsigned)min_u64((end - first) >> VIRTIO_BALLOON_PAGE_SHIFT, BLOCK_PAGES - *gfn % BLOCK_PAGES);
	}
	if (pages) {
		s->gpa = first + ((uint64_t)pages << VIRTIO_BALLOON_PAGE_SHIFT);
		s->bytes = (uint32_t)(end - s->gpa);
	} else {
		s->bytes = 0;
	}
	return pages;
}

static void free_some(struct virtio_balloon *b, struct guest_segment *s, unsigned *left)
{
	uint64_t gfn = 0;
	unsigned pages = cut(s, &gfn);

	if (pages && VM_LEFT_OUT_OR(BALLOON_POISON, !poison(b))) /* BN4 */
		b->account.freed += b->host.give(b->host.ctx, gfn, pages);
	b->account.reported += pages;
	pay(left, pages);
}

static void free_reported(struct virtio_balloon *b, unsigned queue, unsigned *left)
{
	while (*left && have_chain(b, queue, left)) {
		struct virtq_chain *c = &b->chain[queue];
		unsigned n = 0;

		/* "Free Page Reporting": buffers that the device may write. */
		if (VM_KEPT(BALLOON_FREE_READABLE, c->readable)) {
			spoil(b, queue);
			return;
		}
		while (n < c->writable && *left)
			if (c->segment[n].bytes)
				free_some(b, &c->segment[n], left);
			else
				n++;
		if (n == c->writable)
			done_with(b, queue);
	}
}

void virtio_balloon_serve(struct virtio_balloon *b)
{
	unsigned left = VIRTIO_BALLOON_TURN, out = VIRTIO_BALLOON_TURN;

	b->wants = false;
	if (VM_LEFT_OUT_OR(BALLOON_ORDER, inflate(b, &left)))
		deflate(b, &out);
	free_reported(b, VIRTIO_BALLOON_FREE_OLD, &left);
	free_reported(b, VIRTIO_BALLOON_FREE, &left);
	if (!left || !out) {
		b->wants = true;
		VM_MUTANT(BALLOON_AGAIN, b->host.ask(b->host.ctx)); /* BN2 */
	}
	for (unsigned n = 0; n < VIRTIO_BALLOON_QUEUES; n++)
		if (n != VIRTIO_BALLOON_STATISTICS)
			virtio_tell(&b->device, n);
}

/* ---- statistics ---- */

struct statistic {
	uint16_t tag;
	uint64_t value;
} __attribute__((packed));

/* "Memory Statistics": the chain stays the device's until it wants others. Tags that are not known are left out. */
static void hear(struct virtio_balloon *b)
{
	struct virtq_chain *c = &b->chain[VIRTIO_BALLOON_STATISTICS];
	struct virtq *q = &b->queue[VIRTIO_BALLOON_STATISTICS];
	struct statistic s;

	if (b->has[VIRTIO_BALLOON_STATISTICS] || !virtq_pop(q, c))
		return;
	if (VM_KEPT(BALLOON_STATS_WRITABLE, c->writable)) {
		spoil(b, VIRTIO_BALLOON_STATISTICS);
		return;
	}
	b->has[VIRTIO_BALLOON_STATISTICS] = true;
	b->known = 0;
	for (unsigned n = 0; n < VIRTIO_BALLOON_STATS_MOST && virtq_readable(c) >= sizeof(s); n++) {
		if (!virtq_take(&b->device.memory, c, &s, sizeof(s))) {
			spoil(b, VIRTIO_BALLOON_STATISTICS);
			return;
		}
		if (VM_KEPT(BALLOON_TAG, s.tag >= VIRTIO_BALLOON_STATS))
			continue;
		b->value[s.tag % VIRTIO_BALLOON_STATS] = s.value;
		b->known |= (uint32_t)BIT(s.tag % VIRTIO_BALLOON_STATS);
	}
	b->account.statistics++;
}

void virtio_balloon_ask(struct virtio_balloon *b)
{
	if (!VM_LEFT_OUT_OR(BALLOON_ASK_READY, virtio_ready(&b->device, VIRTIO_BALLOON_STATISTICS)) ||
	    !b->has[VIRTIO_BALLOON_STATISTICS])
		return;
	done_with(b, VIRTIO_BALLOON_STATISTICS);
	virtio_tell(&b->device, VIRTIO_BALLOON_STATISTICS);
	hear(b); /* one that is waiting */
}

/* ---- the configuration ---- */

static uint32_t config32(const struct virtio_balloon *b, unsigned offset)
{
	uint32_t value;

	memcpy(&value, b->config + offset, sizeof(value));
	return value;
}

bool virtio_balloon_driven(const struct virtio_balloon *b)
{
	return virtio_ready(&b->device, VIRTIO_BALLOON_IN);
}

uint32_t virtio_balloon_wanted(const struct virtio_balloon *b) { return config32(b, VIRTIO_BALLOON_CONFIG_PAGES); }
uint32_t virtio_balloon_actual(const struct virtio_balloon *b) { return config32(b, VIRTIO_BALLOON_CONFIG_ACTUAL); }

void virtio_balloon_set(struct virtio_balloon *b, uint32_t pages)
{
	memcpy(b->config + VIRTIO_BALLOON_CONFIG_PAGES, &pages, sizeof(pages));
	if (b->device.status & VIRTIO_DRIVER_OK)
		VM_MUTANT(BALLOON_TELLS, b->device.interrupt(b->device.ctx, VIRTIO_CONFIG_CHANGED));
}

/* How many pages are in the balloon, and what free ones are to hold, are the driver's to say. */
static void configure(struct virtio_device *d, uint64_t offset, uint8_t value)
{
	struct virtio_balloon *b = container_of(d, struct virtio_balloon, device);
	bool actual = offset / 4 == VIRTIO_BALLOON_CONFIG_ACTUAL / 4;
	bool held = offset / 4 == VIRTIO_BALLOON_CONFIG_POISON / 4;

	if (VM_LEFT_OUT_OR(BALLOON_CONFIGURE, actual || (held && virtio_has(d, VIRTIO_BALLOON_F_PAGE_POISON))))
		b->config[offset] = value;
}

/* ---- the device ---- */

static void notify(struct virtio_device *d, unsigned queue)
{
	struct virtio_balloon *b = container_of(d, struct virtio_balloon, device);

	if (queue == VIRTIO_BALLOON_STATISTICS) {
		hear(b);
		virtio_tell(d, queue);
		return;
	}
	b->wants = true;
	b->host.ask(b->host.ctx);
}

/* VO2. What is wanted of the next driver is the same. */
static void reset(struct virtio_device *d)
{
	struct virtio_balloon *b = container_of(d, struct virtio_balloon, device);

	VM_MUTANT(BALLOON_RESET, memset(b->has, 0, sizeof(b->has)));
	memset(b->config + VIRTIO_BALLOON_CONFIG_ACTUAL, 0, sizeof(b->config) - VIRTIO_BALLOON_CONFIG_ACTUAL);
	b->wants = false;
	b->known = 0;
}

void virtio_balloon_init(struct virtio_balloon *b, const struct virtio_balloon_host *host,
			 const struct guest_memory *memory, bool oom)
{
	static const struct virtio_ops ops = { notify, reset, configure };

	memset(b, 0, sizeof(*b));
	b->host = *host;
	b->device = (struct virtio_device){
		.type = VIRTIO_ID_BALLOON,
		.offered = BIT(VIRTIO_BALLOON_F_MUST_TELL_HOST) | BIT(VIRTIO_BALLOON_F_STATS_VQ) |
			   (oom ? BIT(VIRTIO_BALLOON_F_DEFLATE_ON_OOM) : 0) | BIT(VIRTIO_BALLOON_F_PAGE_POISON) |
			   BIT(VIRTIO_BALLOON_F_PAGE_REPORTING) | BIT(VIRTIO_F_ANY_LAYOUT) |
			   BIT(VIRTIO_F_INDIRECT_DESC) | BIT(VIRTIO_F_VERSION_1),
		.queue = b->queue,
		.queues = VIRTIO_BALLOON_QUEUES,
		.queue_size = VIRTIO_BALLOON_QUEUE,
		.config = b->config,
		.config_bytes = sizeof(b->config),
		.ops = &ops,
		.memory = *memory,
	};
	virtio_init(&b->device);
}
