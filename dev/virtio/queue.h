/* dev/virtio/queue.h - the device's side of a split virtqueue (Virtual I/O Device specification 1.2, "Split
 * Virtqueues").
 *
 * Rings and descriptors lie in guest memory, and may hold anything, and change at any time:
 *
 * VQ1  Each word of them is read once, checked, and used as it was read.
 * VQ2  A chain has at most as many descriptors as its table, whatever they link to, and at most VIRTQ_SEGMENTS
 *      segments.
 * VQ3  What the specification forbids, and what lies in no memory, makes the queue broken: it then does nothing more
 *      until it is reset, and its device says that it needs that. */
#ifndef VELLUM_DEV_VIRTIO_QUEUE_H
#define VELLUM_DEV_VIRTIO_QUEUE_H

#include "dev/memory.h"
#include "dev/virtio/virtio.h"

#define VIRTQ_SEGMENTS 130 /* of a chain: the driver is told of less */

struct virtq {
	const struct guest_memory *memory;
	uint16_t size; /* a power of two, as far as the guest has set it */
	bool ready;
	bool broken;
	bool event_idx; /* negotiated, as are: */
	bool indirect;
	uint64_t desc, avail, used; /* guest-physical */
	uint16_t next_avail, next_used;
	uint16_t signalled; /* next_used at the last look whether to interrupt */
	uint16_t told;      /* next_avail that the guest was told of, for its notifications */
};

/* Descriptors of a request: first those that the device reads, then those that it writes. */
struct virtq_chain {
	uint16_t head;
	unsigned readable, writable; /* segments */
	struct guest_segment segment[VIRTQ_SEGMENTS];
};

/* What the guest has set is forgotten. */
void virtq_reset(struct virtq *q, uint16_t size);
/* The next request; false: there is none, or the queue is broken. */
bool virtq_pop(struct virtq *q, struct virtq_chain *chain);
/* The request with this head is done; `written` bytes of its writable part. */
void virtq_push(struct virtq *q, uint16_t head, uint32_t written);
/* The same of several at once: first each by itself, n from 0 on; the guest sees them when all are flushed. */
void virtq_put(struct virtq *q, unsigned n, uint16_t head, uint32_t written);
void virtq_flush(struct virtq *q, unsigned count);
/* What was popped since .next_avail was so comes again. For who has not put any of it. */
static inline void virtq_go_back(struct virtq *q, uint16_t next_avail) { q->next_avail = next_avail; }
/* Does the guest want an interrupt for what was pushed since this was last asked? */
bool virtq_wants_interrupt(struct virtq *q);
/* Asks for a notification of the next request. true: there is one already. */
bool virtq_ask_notice(struct virtq *q);

#endif
