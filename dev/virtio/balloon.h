/* dev/virtio/balloon.h - a memory balloon as a virtio device (Virtual I/O Device specification 1.2, "Traditional Memory
 * Balloon Device"): a guest gives pages back that it does not need, takes them again, reports those that are free, and
 * says how much memory it has.
 *
 *   BN1  A page goes while no virtual CPU runs, in virtio_balloon_serve(): notifications only ask for that. So nothing
 *        of the guest's is taken under its hands, and after a reset nothing is taken for what was offered before (VO2).
 *   BN2  One turn gives back at most VIRTIO_BALLOON_TURN pages, however long chains are; the rest follows in others.
 *   BN3  A page that is taken out of the balloon is not given back by what was put in before: those are answered when
 *        all that is in has been looked at. A driver that has agreed on MUST_TELL_HOST waits for that.
 *   BN4  Reported pages that the guest wants filled with something are not given back: they would come again as zeroes
 *        ("Feature bits", PAGE_POISON). */
#ifndef VELLUM_DEV_VIRTIO_BALLOON_H
#define VELLUM_DEV_VIRTIO_BALLOON_H

#include "dev/virtio/device.h"

#define VIRTIO_BALLOON_QUEUE 128
#define VIRTIO_BALLOON_TURN 512u
#define VIRTIO_BALLOON_PAGE_SHIFT 12 /* whatever pages the guest has */
#define VIRTIO_BALLOON_STATS 16      /* tags that are known, from 0 on */
#define VIRTIO_BALLOON_STATS_MOST 64 /* of one report */

/* "Virtqueues". Free page hints are not offered, so that the queue before the last is nobody's; drivers that count the
 * queues that there are have reports there, as Linux had. */
enum {
	VIRTIO_BALLOON_IN,
	VIRTIO_BALLOON_OUT,
	VIRTIO_BALLOON_STATISTICS,
	VIRTIO_BALLOON_FREE_OLD,
	VIRTIO_BALLOON_FREE,
	VIRTIO_BALLOON_QUEUES
};

/* "Feature bits", and "Device configuration layout": offsets. */
#define VIRTIO_BALLOON_F_MUST_TELL_HOST 0
#define VIRTIO_BALLOON_F_STATS_VQ 1
#define VIRTIO_BALLOON_F_DEFLATE_ON_OOM 2
#define VIRTIO_BALLOON_F_PAGE_POISON 4
#define VIRTIO_BALLOON_F_PAGE_REPORTING 5
#define VIRTIO_BALLOON_CONFIG_PAGES 0
#define VIRTIO_BALLOON_CONFIG_ACTUAL 4
#define VIRTIO_BALLOON_CONFIG_POISON 12
#define VIRTIO_BALLOON_CONFIG_BYTES 16

/* What is behind it. */
struct virtio_balloon_host {
	/* The guest does without these pages from gfn on, which lie in one aligned block of 2 MBytes; it may be any
	 * number. Returns how many of them were in memory, and are free now. */
	uint64_t (*give)(void *ctx, uint64_t gfn, unsigned pages);
	void (*ask)(void *ctx); /* be so kind as to serve it soon: there is something to do */
	void *ctx;
};

/* Pages, but for the last. */
#define BALLOON_ACCOUNT(A) \
	A(inflated) /* the guest has put in */ \
	A(deflated) /* it has taken out */ \
	A(reported) /* it has said to be free */ \
	A(freed)    /* of those put in and reported, they were in memory and are free now */ \
	A(statistics) /* reports of its memory */

struct balloon_account {
#define A(name) uint64_t name;
	BALLOON_ACCOUNT(A)
#undef A
};

struct virtio_balloon {
	struct virtio_device device; /* .interrupt is the transport's */
	struct virtq queue[VIRTIO_BALLOON_QUEUES];
	struct virtio_balloon_host host;
	uint8_t config[VIRTIO_BALLOON_CONFIG_BYTES];
	bool wants; /* it is to be served */
	/* Chains that are at hand, by queue; the one of statistics is kept until they are wanted again. */
	bool has[VIRTIO_BALLOON_QUEUES];
	struct virtq_chain chain[VIRTIO_BALLOON_QUEUES];
	uint64_t value[VIRTIO_BALLOON_STATS]; /* the last statistics, by tag ("Memory Statistics Tags") */
	uint32_t known;                       /* which of them there are: a set of bits */
	struct balloon_account account;
};

/* oom: the guest may take pages out again where it is short of memory. */
void virtio_balloon_init(struct virtio_balloon *b, const struct virtio_balloon_host *host,
			 const struct guest_memory *memory, bool oom);
/* Has it a driver? */
bool virtio_balloon_driven(const struct virtio_balloon *b);
/* So many pages are to be in the balloon from now on; how many are, as its driver says; both of 4 KBytes. */
void virtio_balloon_set(struct virtio_balloon *b, uint32_t pages);
uint32_t virtio_balloon_wanted(const struct virtio_balloon *b);
uint32_t virtio_balloon_actual(const struct virtio_balloon *b);
/* Asks for new statistics, which come later, if ever. */
void virtio_balloon_ask(struct virtio_balloon *b);
/* One turn (BN1, BN2), where .wants is set: no virtual CPU runs. */
void virtio_balloon_serve(struct virtio_balloon *b);
/* dev/virtio/virtio_state.c. */
void virtio_balloon_state(struct fields *s, struct virtio_balloon *b, struct virtio_pci *p);

#endif
