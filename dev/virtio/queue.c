#include "dev/virtio/queue.h"
#include "lib/mutants/mutate.h"

void virtq_reset(struct virtq *q, uint16_t size)
{
	*q = (struct virtq){ .memory = q->memory, .size = size };
}

/* ---- words of the rings ---- */

static bool read16(struct virtq *q, uint64_t gpa, uint16_t *value)
{
	if (guest_memory_read(q->memory, gpa, value, sizeof(*value)))
		return true;
	q->broken = true;
	return false;
}

static bool write_bytes(struct virtq *q, uint64_t gpa, const void *p, size_t n)
{
	if (guest_memory_write(q->memory, gpa, p, n))
		return true;
	q->broken = true;
	return false;
}

/* Behind the entries of a ring: the other side's wishes ("Virtqueue Interrupt Suppression" and "Virtqueue Notification
 * Suppression"). */
static uint64_t used_event(const struct virtq *q)
{
	return q->avail + VIRTQ_RING_ENTRIES + VIRTQ_AVAIL_BYTES * q->size;
}

static uint64_t avail_event(const struct virtq *q)
{
	return q->used + VIRTQ_RING_ENTRIES + VIRTQ_USED_BYTES * q->size;
}

/* ---- chains ---- */

struct descriptor {
	uint64_t gpa;
	uint32_t bytes;
	uint16_t flags;
	uint16_t next;
};
_Static_assert(sizeof(struct descriptor) == VIRTQ_DESC_BYTES, "The Virtqueue Descriptor Table");

/* Device-writable descriptors come behind all others ("Message Framing"); none wraps. */
static bool add_segment(struct virtq_chain *c, const struct descriptor *d)
{
	unsigned n = c->readable + c->writable;

	if (n == VIRTQ_SEGMENTS || guest_memory_wraps(d->gpa, d->bytes))
		return false;
	if (d->flags & VIRTQ_DESC_F_WRITE)
		c->writable++;
	else if (VM_KEPT(VIRTQ_ORDER, c->writable))
		return false;
	else
		c->readable++;
	c->segment[n] = (struct guest_segment){ d->gpa, d->bytes };
	return true;
}

/* A table of so many descriptors, from one of them on; first: the one that was read already, or NULL. */
static bool follow(struct virtq *q, struct virtq_chain *c, uint64_t table, unsigned count, unsigned at,
		   const struct descriptor *first)
{
	struct descriptor d;

	for (unsigned done = 0; done < count; done++) { /* VQ2 */
		if (VM_KEPT(VIRTQ_NEXT, at >= count))
			return false;
		if (VM_KEPT(VIRTQ_ONCE, first && !done)) /* VQ1 */
			d = *first;
		else if (!guest_memory_read(q->memory, table + VIRTQ_DESC_BYTES * at, &d, sizeof(d)))
			return false;
		/* "Indirect Descriptors": there are none within a table. */
		if (VM_KEPT(VIRTQ_NESTED, d.flags & VIRTQ_DESC_F_INDIRECT) || !add_segment(c, &d))
			return false;
		if (!(d.flags & VIRTQ_DESC_F_NEXT))
			return true;
		at = d.next;
	}
	return false;
}

/* Its first descriptor is within the table; a table of its own holds whole descriptors, and is the chain's only one
 * ("Indirect Descriptors"). */
static bool read_chain(struct virtq *q, struct virtq_chain *c)
{
	struct descriptor d;
	unsigned count;

	c->readable = c->writable = 0;
	if (VM_KEPT(VIRTQ_HEAD, c->head >= q->size) ||
	    !guest_memory_read(q->memory, q->desc + VIRTQ_DESC_BYTES * c->head, &d, sizeof(d)))
		return false;
	if (!(d.flags & VIRTQ_DESC_F_INDIRECT))
		return follow(q, c, q->desc, q->size, c->head, &d);
	count = d.bytes / VIRTQ_DESC_BYTES;
	if (VM_KEPT(VIRTQ_INDIRECT, !q->indirect) || VM_KEPT(VIRTQ_INDIRECT_NEXT, d.flags & VIRTQ_DESC_F_NEXT) ||
	    !count || VM_KEPT(VIRTQ_INDIRECT_BYTES, d.bytes % VIRTQ_DESC_BYTES) || guest_memory_wraps(d.gpa, d.bytes))
		return false;
	/* More than the queue's size are forbidden to the driver, and more than fit into a chain are of no use. */
	return follow(q, c, d.gpa, (unsigned)min_u64(count, VIRTQ_SEGMENTS), 0, NULL);
}

bool virtq_pop(struct virtq *q, struct virtq_chain *chain)
{
	uint16_t idx;

	if (!q->ready || VM_KEPT(VIRTQ_BROKEN, q->broken) || !read16(q, q->avail + VIRTQ_RING_IDX, &idx) ||
	    idx == q->next_avail)
		return false;
	/* VQ3: the guest cannot have more on its way than there are descriptors ("The Virtqueue Available Ring"). */
	if (VM_KEPT(VIRTQ_AHEAD, (uint16_t)(idx - q->next_avail) > q->size) ||
	    !read16(q, q->avail + VIRTQ_RING_ENTRIES + VIRTQ_AVAIL_BYTES * (q->next_avail & (q->size - 1u)),
		    &chain->head) ||
	    !read_chain(q, chain)) {
		q->broken = true;
		return false;
	}
	q->next_avail++;
	return true;
}

void virtq_put(struct virtq *q, unsigned n, uint16_t head, uint32_t written)
{
	uint32_t element[2] = { head, written };

	if (VM_LEFT_OUT_OR(VIRTQ_BROKEN_PUSH, !q->broken) && q->ready)
		write_bytes(q, q->used + VIRTQ_RING_ENTRIES +
			    VIRTQ_USED_BYTES * ((uint16_t)(q->next_used + n) & (q->size - 1u)),
			    element, sizeof(element));
}

void virtq_flush(struct virtq *q, unsigned count)
{
	uint16_t idx = (uint16_t)(q->next_used + count);

	if (VM_LEFT_OUT_OR(VIRTQ_BROKEN_PUSH, !q->broken) && q->ready &&
	    write_bytes(q, q->used + VIRTQ_RING_IDX, &idx, sizeof(idx)))
		q->next_used = idx;
}

void virtq_push(struct virtq *q, uint16_t head, uint32_t written)
{
	virtq_put(q, 0, head, written);
	virtq_flush(q, 1);
}

/* What was written is seen before what is read next. */
static void fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

bool virtq_wants_interrupt(struct virtq *q)
{
	uint16_t before = q->signalled, word;

	q->signalled = q->next_used;
	if (q->broken || !q->ready || before == q->next_used)
		return false;
	fence();
	if (!q->event_idx)
		return read16(q, q->avail + VIRTQ_RING_FLAGS, &word) && !(word & VIRTQ_AVAIL_F_NO_INTERRUPT);
	/* Has the index gone past the one that it waits for ("Used Buffer Notification Suppression")? */
	return read16(q, used_event(q), &word) &&
	       (uint16_t)(q->next_used - word - 1) < (uint16_t)(q->next_used - before);
}

bool virtq_ask_notice(struct virtq *q)
{
	uint16_t idx;

	if (q->broken || !q->ready)
		return false;
	if (q->event_idx && q->told != q->next_avail) {
		if (!write_bytes(q, avail_event(q), &q->next_avail, sizeof(q->next_avail)))
			return false;
		q->told = q->next_avail;
		fence();
	}
	return read16(q, q->avail + VIRTQ_RING_IDX, &idx) && idx != q->next_avail;
}
