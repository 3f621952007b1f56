/* model/phys.h - the modelled machine's physical memory, sparse: a frame exists when it was added, and takes host
 * memory when it is first touched.
 *
 * M1: whatever the modelled CPU reads or writes outside existing frames is noted as wild; the oracle calls that a
 *     failure. */
#ifndef VELLUM_MODEL_PHYS_H
#define VELLUM_MODEL_PHYS_H

#include "lib/base.h"

#define PHYS_TOP_BITS 14
#define PHYS_MID_BITS 13
#define PHYS_LOW_BITS 13

struct phys {
	/* [frame number's high bits] -> [mid] -> [low] -> the frame's bytes, or UNTOUCHED (phys.c), or NULL */
	uint8_t ****top;
	uint64_t wild;        /* accesses outside existing frames */
	uint64_t wild_at;     /* the address of the last of them */
	uint64_t frames;      /* existing */
	struct { uint8_t *bytes; size_t size; } block[4]; /* frames that lie in one piece */
	unsigned blocks;
	void *spare;          /* released frames, chained through their first word */
	/* called before the CPU reads an entry: others may come in the middle of a walk. NULL: nobody asks */
	void (*watch)(void *ctx);
	void *watch_ctx;
};

bool phys_init(struct phys *p);
void phys_fini(struct phys *p);
/* Makes count frames from first exist, filled with zeroes. They do not exist yet. */
void phys_add(struct phys *p, uint64_t first, uint64_t count);
/* The same, all in one piece of memory, which is returned; for good. */
uint8_t *phys_add_block(struct phys *p, uint64_t first, uint64_t count);
/* The frame ceases to exist. */
void phys_remove(struct phys *p, uint64_t frame);
/* The same of one of such a block, and it exists again, filled with zeroes, where it was: at bytes. */
void phys_hide(struct phys *p, uint64_t frame);
void phys_show(struct phys *p, uint64_t frame, uint8_t *bytes);
bool phys_exists(const struct phys *p, uint64_t frame);
/* Where the frame's bytes are; NULL where it does not exist. */
uint8_t *phys_ptr(struct phys *p, uint64_t frame);

/* What the CPU does: size is 4 or 8, addr is aligned to it. Reads of nothing give all ones; writes to it are lost. */
uint64_t phys_read(struct phys *p, uint64_t addr, unsigned size);
void phys_write(struct phys *p, uint64_t addr, unsigned size, uint64_t value);
/* As a locked compare-and-exchange: false, and nothing written, where it is not old any more. */
bool phys_exchange(struct phys *p, uint64_t addr, unsigned size, uint64_t old, uint64_t value);

#endif
