/* dev/virtio/blk.h - a disk as a virtio device (Virtual I/O Device specification 1.2, "Block Device").
 *
 * VB1  A request holds one of the device's slots from virtq_pop() to virtq_push(); without a free one the ring is not
 *      looked at.
 * VB2  Each request that was popped is answered with a status byte, once, in whatever order they are done. */
#ifndef VELLUM_DEV_VIRTIO_BLK_H
#define VELLUM_DEV_VIRTIO_BLK_H

#include "dev/block/block.h"
#include "dev/virtio/device.h"

#define VIRTIO_BLK_TYPE VIRTIO_ID_BLOCK
#define VIRTIO_BLK_QUEUE 128
#define VIRTIO_BLK_SLOTS 32    /* VB1 */
#define VIRTIO_BLK_SEGMENTS 126 /* as many as the driver is told of */
#define VIRTIO_BLK_ID_BYTES 20

/* "Feature bits". */
#define VIRTIO_BLK_F_SEG_MAX 2
#define VIRTIO_BLK_F_RO 5
#define VIRTIO_BLK_F_BLK_SIZE 6
#define VIRTIO_BLK_F_FLUSH 9
#define VIRTIO_BLK_F_DISCARD 13
#define VIRTIO_BLK_F_WRITE_ZEROES 14

/* "Device Operation": types of requests, and what comes of them. */
#define VIRTIO_BLK_T_IN 0u
#define VIRTIO_BLK_T_OUT 1u
#define VIRTIO_BLK_T_FLUSH 4u
#define VIRTIO_BLK_T_GET_ID 8u
#define VIRTIO_BLK_T_DISCARD 11u
#define VIRTIO_BLK_T_WRITE_ZEROES 13u
#define VIRTIO_BLK_S_OK 0
#define VIRTIO_BLK_S_IOERR 1
#define VIRTIO_BLK_S_UNSUPP 2

struct virtio_blk_slot {
	struct block_request io;
	struct virtio_blk *blk;
	struct virtio_blk_slot *next; /* free */
	uint64_t status;              /* where the status byte goes */
	uint32_t written;             /* with it, if all goes well */
	struct virtq_chain chain;
};

struct virtio_blk {
	struct virtio_device device; /* .interrupt is the transport's */
	struct virtq queue;
	struct block_disk *disk;
	uint8_t config[60];
	char id[VIRTIO_BLK_ID_BYTES];
	struct virtio_blk_slot slot[VIRTIO_BLK_SLOTS];
	struct virtio_blk_slot *free;
	unsigned busy; /* slots */
};

/* For a disk that block_disk_init() has made and that outlives it; id: what GET_ID answers. */
void virtio_blk_init(struct virtio_blk *b, struct block_disk *disk, const char *id);
/* dev/virtio/virtio_state.c, none of whose requests is under way. */
void virtio_blk_state(struct fields *s, struct virtio_blk *b, struct virtio_pci *p);

#endif
