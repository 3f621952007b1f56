/* test/unit/mmu/fake_below.h - what lies below mmu/, made of host memory: frames with a number, a log of the flushes, a
 * CPU that runs nothing. */
#ifndef VELLUM_TEST_MMU_FAKE_BELOW_H
#define VELLUM_TEST_MMU_FAKE_BELOW_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mmu/backing.h"
#include "mmu/mmu.h"
#include "test/caps.h"

#define FAKE_FRAMES 65536

struct fake {
	struct mmu_below below;
	void *frame[FAKE_FRAMES]; /* by hfn; NULL: free */
	unsigned next, in_use, limit;
	unsigned invvpids, invepts, kicks;
	unsigned refuse_invvpid, refuse_invept; /* types, by bit, that fail */
	enum tag_flush last_tag_flush;
	uint16_t last_vpid;
	uint64_t last_gva, last_nested;
};

static inline hfn_t fake_alloc(void *ctx)
{
	struct fake *f = ctx;

	if (f->in_use == f->limit)
		return HFN_NONE;
	while (f->frame[f->next])
		f->next = (f->next + 1) % FAKE_FRAMES;
	f->frame[f->next] = aligned_alloc(4096, 4096);
	memset(f->frame[f->next], 0, 4096);
	f->in_use++;
	return HFN(f->next);
}

static inline void fake_free(void *ctx, hfn_t h)
{
	struct fake *f = ctx;

	assert(h.v < FAKE_FRAMES && f->frame[h.v]);
	free(f->frame[h.v]);
	f->frame[h.v] = NULL;
	f->in_use--;
}

static inline void *fake_ptr(void *ctx, hfn_t h)
{
	struct fake *f = ctx;

	assert(h.v < FAKE_FRAMES && f->frame[h.v]);
	return f->frame[h.v];
}

static inline void fake_kick(void *ctx, struct mmu_vcpu *v)
{
	(void)v;
	((struct fake *)ctx)->kicks++;
}

static inline bool fake_flush_tag(void *ctx, enum tag_flush type, uint16_t vpid, gva_t gva)
{
	struct fake *f = ctx;

	f->invvpids++;
	f->last_tag_flush = type;
	f->last_vpid = vpid;
	f->last_gva = gva.v;
	return !(f->refuse_invvpid & 1u << type);
}

static inline bool fake_flush_nested(void *ctx, enum nested_flush type, uint64_t eptp)
{
	struct fake *f = ctx;

	f->invepts++;
	f->last_nested = eptp;
	return !(f->refuse_invept & 1u << type);
}

static inline struct fake *fake_new(void)
{
	struct fake *f = calloc(1, sizeof(*f));

	f->next = 1;
	f->limit = FAKE_FRAMES - 1;
	f->below = (struct mmu_below){ .frame_alloc = fake_alloc,
				       .frame_free = fake_free,
				       .frame_ptr = fake_ptr,
				       .kick = fake_kick,
				       .flush_tag = fake_flush_tag,
				       .flush_nested = fake_flush_nested,
				       .ctx = f };
	return f;
}

/* Frees the fake and the frames that are left. */
static inline void fake_delete(struct fake *f)
{
	for (unsigned i = 0; i < FAKE_FRAMES; i++)
		free(f->frame[i]);
	free(f);
}

/* Frames [hfn, hfn + pages) come into being, for guest memory. */
static inline void fake_ram(struct fake *f, uint64_t hfn, uint64_t pages)
{
	for (uint64_t i = hfn; i < hfn + pages; i++) {
		assert(!f->frame[i]);
		f->frame[i] = aligned_alloc(4096, 4096);
		memset(f->frame[i], 0, 4096);
		f->in_use++;
	}
}

static inline struct mmu_caps fake_caps(void)
{
	struct mmu_caps caps = caps_all();

	caps.pku = caps.pcid = caps.la57 = caps.ept_execute_only = false;
	return caps;
}

#endif
