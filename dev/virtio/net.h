/* dev/virtio/net.h - a network card as a virtio device (Virtual I/O Device specification 1.2, "Network Device"), on a
 * port of a switch. Nothing is offloaded to it.
 *
 *   VN1  A frame that waits is in the port's backlog until the guest has all of it, or it is dropped.
 *   VN2  One look at a queue costs at most VIRTIO_NET_TURN frames and segments; then the device asks to be served
 *        again.
 *   VN3  A frame takes at most VIRTIO_NET_MERGED of the guest's buffers; one that would need more is dropped. */
#ifndef VELLUM_DEV_VIRTIO_NET_H
#define VELLUM_DEV_VIRTIO_NET_H

#include "dev/net/switch.h"
#include "dev/virtio/device.h"

#define VIRTIO_NET_QUEUE 256
#define VIRTIO_NET_TURN 512
#define VIRTIO_NET_MERGED 16
enum { VIRTIO_NET_IN, VIRTIO_NET_OUT, VIRTIO_NET_QUEUES };

/* "Feature bits", and what they mean for the configuration. */
#define VIRTIO_NET_F_MAC 5
#define VIRTIO_NET_F_MRG_RXBUF 15
#define VIRTIO_NET_F_STATUS 16
#define VIRTIO_NET_CONFIG_STATUS 6
#define VIRTIO_NET_CONFIG_BYTES 8
#define VIRTIO_NET_S_LINK_UP 1

/* "Device Operation": before each frame; without its last field for who knows of no merging, and no version 1. */
struct virtio_net_header {
	uint8_t flags, gso_type;
	uint16_t lengths[4]; /* of offloads */
	uint16_t buffers;    /* that the frame is in */
};

struct virtio_net {
	struct virtio_device device; /* .interrupt is the transport's */
	struct virtq queue[VIRTIO_NET_QUEUES];
	struct net_port *port;
	void (*ask)(void *ctx); /* VN2 */
	void *ctx;
	uint8_t config[VIRTIO_NET_CONFIG_BYTES];
	struct virtq_chain chain;
	uint8_t frame[NET_FRAME_MAX + 1]; /* that is sent */
};

void virtio_net_init(struct virtio_net *n, struct net_port *port, const struct guest_memory *memory,
		     void (*ask)(void *ctx), void *ctx);
/* There are frames in the backlog, or it was asked for; memory: may the device reach that? */
void virtio_net_serve(struct virtio_net *n, bool memory);
/* dev/virtio/virtio_state.c. */
void virtio_net_state(struct fields *s, struct virtio_net *n, struct virtio_pci *p);

#endif
