/* dev/virtio/console.h - a console as a virtio device (Virtual I/O Device specification 1.2, "Console Device"): one
 * port, a queue for each direction.
 *
 * VO3  Output that there is no room for stays where it is, in the guest's memory, until there is. None is lost.
 * VO4  One look at the queue takes at most VIRTIO_CONSOLE_TURN bytes; the rest is left for when the device is served
 *      again. */
#ifndef VELLUM_DEV_VIRTIO_CONSOLE_H
#define VELLUM_DEV_VIRTIO_CONSOLE_H

#include "dev/virtio/device.h"

#define VIRTIO_CONSOLE_QUEUE 64
#define VIRTIO_CONSOLE_TURN 8192
enum { VIRTIO_CONSOLE_IN, VIRTIO_CONSOLE_OUT, VIRTIO_CONSOLE_QUEUES };

/* What is behind it. */
struct virtio_console_host {
	bool (*room)(void *ctx);            /* for one more byte */
	void (*out)(void *ctx, uint8_t byte);
	void (*ask)(void *ctx);             /* be so kind as to serve it soon: there is more to do */
	void (*hungry)(void *ctx);          /* there are buffers for input */
	void *ctx;
};

struct virtio_console {
	struct virtio_device device; /* .interrupt is the transport's */
	struct virtq queue[VIRTIO_CONSOLE_QUEUES];
	struct virtio_console_host host;
	struct virtq_chain in, out; /* that are at hand */
	bool has_in, has_out;
};

void virtio_console_init(struct virtio_console *c, const struct virtio_console_host *host,
			 const struct guest_memory *memory);
/* There may be room for output again, or it was asked for. */
void virtio_console_serve(struct virtio_console *c);
/* Has it a driver that reads? Then input is its; and is there a buffer for some? */
bool virtio_console_listens(const struct virtio_console *c);
bool virtio_console_hungry(struct virtio_console *c);
/* n bytes of input, of which as many as fit in a buffer are taken; returns how many. */
uint32_t virtio_console_input(struct virtio_console *c, const uint8_t *bytes, uint32_t n);
/* dev/virtio/virtio_state.c. */
void virtio_console_state(struct fields *s, struct virtio_console *c, struct virtio_pci *p);

#endif
