/* dev/block/block.h - requests of virtual disks to the media below: queues, transfers in pieces, memory of guests.
 *
 * A *queue* stands for what does one thing at a time, a channel of a disk controller; several disks of several virtual
 * machines may wait at it. A request is cut into pieces of at most the queue's buffer; guest memory is read and written
 * by copies, while the queue's lock is not held. What enter() of the disk takes is held while block_submit() copies,
 * and not while block_event() or block_go_on() does.
 *
 * BK1  A queue has one owner at a time: who runs it, or the medium, or whoever will call
 *      block_go_on(). `state` says which, and is changed with the queue's lock held.
 * BK2  Disks have their turns one piece at a time, in a ring: none waits for more than a piece of each other.
 * BK3  Requests of a disk are served one after the other; a flush so comes after all that were submitted before it.
 * BK4  A request is answered once, by done(), or taken back by block_cancel(), after which neither its memory nor the
 *      guest's is touched for it.
 * BK5  A call does at most BLOCK_PIECES pieces; what remains is done by block_go_on(), which is asked for.
 * BK6  Where zeroes are asked for and the medium has zeroes, nothing is written: what a sparse file has not stays
 *      so. */
#ifndef VELLUM_DEV_BLOCK_H
#define VELLUM_DEV_BLOCK_H

#include "dev/block/snapshot.h"
#include "dev/memory.h"

#define BLOCK_PIECES 4     /* BK5 */

enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_ZEROES, BLOCK_FLUSH };

enum block_result {
	BLOCK_OK,
	BLOCK_FAILED,     /* the medium, or no memory for what a snapshot writes */
	BLOCK_BAD_MEMORY, /* a segment is no memory that can be read (or written) */
};

struct block_disk;

struct block_request {
	/* The caller's; not changed until done(). */
	enum block_op op;
	bool through; /* a write: flushed before it is answered */
	uint64_t sector, count;
	const struct guest_segment *segment; /* of reads and writes: count sectors in all */
	unsigned segments;
	/* With the disk's enter() called; it may submit. */
	void (*done)(struct block_request *r, enum block_result result);

	/* The queue's. */
	struct block_request *next;
	uint64_t at;       /* sectors done */
	unsigned seg;      /* the segment that is next, */
	uint32_t seg_done; /* and how much of it was transferred */
	bool holds;        /* of zeroes: the next piece has something else (BK6) */
};

enum block_state {
	BLOCK_IDLE,
	BLOCK_RUNNING, /* a CPU copies, or looks what is next */
	BLOCK_ANSWERS, /* a CPU answers a request, or is about to: it waits for enter() of .visited */
	BLOCK_MEDIUM,  /* the medium works */
	BLOCK_LATER,   /* block_go_on() will be called */
};

/* What is below a queue. */
struct block_medium {
	void (*lock)(void *ctx);
	void (*unlock)(void *ctx);
	/* Between two looks at a state that another CPU will change soon. */
	void (*relax)(void);
	/* Begins to transfer between the buffer and sectors of a unit, or (sectors 0) to flush it; block_event() is
	 * called when that is over. false: nothing was begun. */
	bool (*start)(void *ctx, unsigned unit, enum block_op op, uint64_t sector, unsigned sectors);
	/* Asks for a block_go_on() soon; the lock is held. */
	void (*later)(void *ctx);
	void *ctx;
};

struct block_queue {
	struct block_medium medium;
	uint8_t *buffer;
	unsigned buffer_sectors;
	enum block_state state;
	struct block_disk *ring;      /* those with requests; the first has the next turn */
	struct block_disk *current;   /* whose piece is being transferred; NULL: it was taken back */
	struct block_disk *visited;   /* with BLOCK_ANSWERS */
	unsigned piece;               /* sectors of it */
	bool flushing;                /* the flush behind a write, or one that was asked for */
	bool looking;                 /* a piece is read that is to be zeroes (BK6) */
};

/* What has been asked of a disk and answered, from the time that it was made on. */
struct block_account {
	uint64_t reads, writes, flushes, failures; /* requests; writes also of zeroes */
	uint64_t bytes_read, bytes_written;
};
/* A(its name in the account of the virtual machine) */
#define BLOCK_ACCOUNT(A) A(reads) A(writes) A(flushes) A(failures) A(bytes_read) A(bytes_written)

struct block_disk {
	struct block_queue *queue;
	unsigned unit;
	uint64_t sectors;
	unsigned most; /* sectors of a piece for this unit */
	bool read_only;
	struct snapshot *snapshot; /* what is written goes there; NULL: to the medium */
	struct guest_memory memory;
	/* Around done(), where it is not called within block_submit() for this disk. */
	void (*enter)(void *ctx);
	void (*leave)(void *ctx);
	/* A request has failed, but for bad memory; between enter() and leave(). May be NULL. */
	void (*failed)(void *ctx, const struct block_request *r);
	void *ctx;

	struct block_request *first, **last;
	struct block_disk *next; /* in the ring */
	struct block_account account;
};

/* The medium's buffer has sectors of SECTOR_SIZE bytes. */
void block_queue_init(struct block_queue *q, const struct block_medium *medium, uint8_t *buffer, unsigned sectors);
void block_disk_init(struct block_disk *d);
/* Within the disk, and (a write) on one that can be written? */
bool block_in_range(const struct block_disk *d, uint64_t sector, uint64_t count);
/* The request, which must be in range, is the queue's until done(), which may be called before this returns. Called as
 * if enter() of the disk had been. */
void block_submit(struct block_disk *d, struct block_request *r);
/* The medium has ended what start() began, well or not. With no lock held. */
void block_event(struct block_queue *q, bool good);
/* It is later. With no lock held. */
void block_go_on(struct block_queue *q);
/* Takes back all requests of the disk. entered: between enter() and leave(); else it also waits for a CPU that wants to
 * enter, so that the disk may be freed. */
void block_cancel(struct block_disk *d, bool entered);

#endif
