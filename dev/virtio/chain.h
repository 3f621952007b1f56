/* dev/virtio/chain.h - the bytes of a chain, however they are cut into segments ("Message Framing"). */
#ifndef VELLUM_DEV_VIRTIO_CHAIN_H
#define VELLUM_DEV_VIRTIO_CHAIN_H

#include "dev/virtio/queue.h"

/* How many there are of a kind; what was taken is gone. */
uint64_t virtq_readable(const struct virtq_chain *c);
uint64_t virtq_writable(const struct virtq_chain *c);
/* Takes the next n bytes of the part that the device reads, or that it writes. false: there are fewer, or some lie in
 * no memory; then some may have been transferred. */
bool virtq_take(const struct guest_memory *m, struct virtq_chain *c, void *to, uint32_t n);
bool virtq_fill(const struct guest_memory *m, struct virtq_chain *c, const void *from, uint32_t n);

#endif
