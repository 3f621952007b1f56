/* In place of mmu/table/seam.h where steps are interleaved: who runs others meanwhile is told of each store. */
#ifndef VELLUM_MMU_TABLE_SEAM_H
#define VELLUM_MMU_TABLE_SEAM_H

#include "lib/base.h"

#define SEAM_WOVEN true
extern void (*weave_stored)(void *ctx, bool to_guest);
extern void *weave_stored_ctx;

static inline void seam_stored(void)
{
	if (weave_stored)
		weave_stored(weave_stored_ctx, false);
}

extern void (*weave_beside)(void *ctx);

static inline void seam_beside(void)
{
	if (weave_beside)
		weave_beside(weave_stored_ctx);
}

static inline void seam_written(void)
{
	if (weave_stored)
		weave_stored(weave_stored_ctx, true);
}

#endif
