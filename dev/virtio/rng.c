#include "dev/virtio/rng.h"

#include "dev/virtio/chain.h"
#include "lib/mutants/mutate.h"

/* "Device Operation": at least one byte. What the guest has no memory for, or reads by itself, is forbidden. */
static void answer(struct virtio_rng *r)
{
	struct virtq_chain *c = &r->chain;
	uint32_t bytes = (uint32_t)min_u64(virtq_writable(c), VIRTIO_RNG_MOST), done = 0;
	uint64_t value;

	if (VM_KEPT(RNG_READABLE, c->readable) || VM_KEPT(RNG_EMPTY, !bytes)) {
		r->queue.broken = true;
		return;
	}
	while (done < bytes) {
		uint32_t n = (uint32_t)min_u64(sizeof(value), bytes - done);

		/* VR1: the driver is told that the device has failed. */
		if (VM_KEPT(RNG_NONE, !r->random(&value)) || !virtq_fill(&r->device.memory, c, &value, n)) {
			r->queue.broken = true;
			return;
		}
		done += n;
	}
	virtq_push(&r->queue, c->head, done);
}

/* As many as the queue can hold: who adds more meanwhile notifies again. */
static void notify(struct virtio_device *d, unsigned queue)
{
	struct virtio_rng *r = container_of(d, struct virtio_rng, device);

	for (unsigned n = 0; n < VIRTIO_RNG_QUEUE && virtq_pop(&r->queue, &r->chain); n++)
		answer(r);
	virtio_tell(d, queue);
}

static void reset(struct virtio_device *d) { (void)d; }

void virtio_rng_init(struct virtio_rng *r, bool (*random)(uint64_t *value), const struct guest_memory *memory)
{
	static const struct virtio_ops ops = { notify, reset, NULL };

	r->random = random;
	r->device = (struct virtio_device){
		.type = VIRTIO_ID_RNG,
		.offered = BIT(VIRTIO_F_ANY_LAYOUT) | BIT(VIRTIO_F_INDIRECT_DESC) | BIT(VIRTIO_F_VERSION_1),
		.queue = &r->queue,
		.queues = 1,
		.queue_size = VIRTIO_RNG_QUEUE,
		.ops = &ops,
		.memory = *memory,
	};
	virtio_init(&r->device);
}
