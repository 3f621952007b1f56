/* dev/virtio/rng.h - a source of random numbers as a virtio device (Virtual I/O Device specification 1.2, "Entropy
 * Device").
 *
 * VR1  What a guest gets is from the source, or it gets nothing. */
#ifndef VELLUM_DEV_VIRTIO_RNG_H
#define VELLUM_DEV_VIRTIO_RNG_H

#include "dev/virtio/device.h"

#define VIRTIO_RNG_QUEUE 8
#define VIRTIO_RNG_MOST 256 /* bytes for one request: the device may give less than was asked for */

struct virtio_rng {
	struct virtio_device device; /* .interrupt is the transport's */
	struct virtq queue;
	struct virtq_chain chain;
	bool (*random)(uint64_t *value);
};

/* random: 64 bits that nobody can guess; false: there are none. */
void virtio_rng_init(struct virtio_rng *r, bool (*random)(uint64_t *value), const struct guest_memory *memory);
/* dev/virtio/virtio_state.c. */
void virtio_rng_state(struct fields *s, struct virtio_rng *r, struct virtio_pci *p);

#endif
