/* dev/virtio/virtio_state.c - what a snapshot holds of the virtio devices. What is on the rings is in the guest's
 * memory; requests that a disk has taken are answered before (virtio_blk.busy). */
#include "dev/virtio/balloon.h"
#include "dev/virtio/blk.h"
#include "dev/virtio/console.h"
#include "dev/virtio/net.h"
#include "dev/virtio/pci.h"
#include "dev/virtio/rng.h"
#include "lib/mutants/mutate.h"

/* ---- queues ---- */

static void queue_state(struct fields *s, struct virtq *q, uint16_t most)
{
	state_u16(s, &q->size);
	state_bool(s, &q->ready);
	state_bool(s, &q->broken);
	state_u64(s, &q->desc);
	state_u64(s, &q->avail);
	state_u64(s, &q->used);
	state_u16(s, &q->next_avail);
	state_u16(s, &q->next_used);
	state_u16(s, &q->signalled);
	state_u16(s, &q->told);
	state_check(s, VM_LEFT_OUT_OR(STATE_QUEUE_SIZE, q->size && q->size <= most && !(q->size & (q->size - 1))),
		    "a queue has a size that none can have");
}

/* A chain that is at hand. */
static void chain_state(struct fields *s, struct virtq_chain *c)
{
	state_u16(s, &c->head);
	state_unsigned(s, &c->readable);
	state_unsigned(s, &c->writable);
	state_check(s, VM_LEFT_OUT_OR(STATE_CHAIN, c->readable <= VIRTQ_SEGMENTS && c->writable <= VIRTQ_SEGMENTS &&
				      c->readable + c->writable <= VIRTQ_SEGMENTS), "a chain is too long");
	for (unsigned n = 0; !s->bad && n < c->readable + c->writable; n++) {
		state_u64(s, &c->segment[n].gpa);
		state_u32(s, &c->segment[n].bytes);
		state_check(s, !guest_memory_wraps(c->segment[n].gpa, c->segment[n].bytes), "a chain wraps");
	}
}

/* ---- what all have ---- */

/* The queues' places are looked at as when the driver has set them: what is wrong there is the guest's doing. */
static void settle(struct virtio_device *d)
{
	for (unsigned n = 0; n < d->queues; n++) {
		struct virtq *q = &d->queue[n];
		bool broken = q->broken;

		if (q->ready)
			VM_MUTANT(STATE_QUEUE_PLACED, virtio_place_queue(d, n));
		q->broken |= broken;
	}
}

static void device_state(struct fields *s, struct virtio_device *d)
{
	state_same(s, d->type, "it is of another kind");
	state_same(s, d->offered, "it offers other features");
	state_u64(s, &d->features);
	state_u8(s, &d->status);
	state_check(s, VM_LEFT_OUT_OR(STATE_FEATURES, !(d->status & VIRTIO_FEATURES_OK) ||
				      !(d->features & ~d->offered)),
		    "features were agreed on that it does not offer");
	for (unsigned n = 0; n < d->queues; n++)
		queue_state(s, &d->queue[n], d->queue_size);
	if (s->load && !s->bad)
		settle(d);
}

static void pci_part(struct fields *s, struct virtio_pci *p)
{
	state_u32(s, &p->device_half);
	state_u32(s, &p->driver_half);
	state_u16(s, &p->selected);
	state_u16(s, &p->config_vector);
	/* Of who has more queues than others, so many; of the others as many as before there was one. */
	for (unsigned n = 0; n < max_u64(4, p->device->queues); n++)
		state_u16(s, &p->queue_vector[n]);
	state_u8(s, &p->isr);
	state_u8(s, &p->generation);
	msix_state(s, &p->msix);
}

/* ---- each ---- */

void virtio_blk_state(struct fields *s, struct virtio_blk *b, struct virtio_pci *p)
{
	BUG_ON(b->busy);
	state_begin(s, "virtio-blk", 1);
	state_same(s, b->disk->sectors, "the disk has another size");
	state_same(s, b->disk->read_only, "the disk could be written, and cannot, or the other way round");
	device_state(s, &b->device);
	pci_part(s, p);
	state_end(s);
}

/* What is on its way in the switch is lost, as on a network. */
void virtio_net_state(struct fields *s, struct virtio_net *n, struct virtio_pci *p)
{
	state_begin(s, "virtio-net", 1);
	device_state(s, &n->device);
	pci_part(s, p);
	state_end(s);
}

void virtio_rng_state(struct fields *s, struct virtio_rng *r, struct virtio_pci *p)
{
	state_begin(s, "virtio-rng", 1);
	device_state(s, &r->device);
	pci_part(s, p);
	state_end(s);
}

void virtio_console_state(struct fields *s, struct virtio_console *c, struct virtio_pci *p)
{
	state_begin(s, "virtio-console", 1);
	device_state(s, &c->device);
	pci_part(s, p);
	state_bool(s, &c->has_in);
	state_bool(s, &c->has_out);
	if (c->has_in)
		chain_state(s, &c->in);
	if (c->has_out)
		chain_state(s, &c->out);
	state_end(s);
}

/* Its pages are nothing, as memory has it. What is wanted is known again; what has been counted is not. */
void virtio_balloon_state(struct fields *s, struct virtio_balloon *b, struct virtio_pci *p)
{
	state_begin(s, "virtio-balloon", 1);
	device_state(s, &b->device);
	pci_part(s, p);
	state_bytes(s, b->config, sizeof(b->config));
	state_bool(s, &b->wants);
	for (unsigned n = 0; n < VIRTIO_BALLOON_QUEUES; n++) {
		state_bool(s, &b->has[n]);
		if (b->has[n])
			chain_state(s, &b->chain[n]);
	}
	state_end(s);
}
