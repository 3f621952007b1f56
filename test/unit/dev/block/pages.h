/* Pages for snapshots, as many as the test wants there to be. */
#ifndef VELLUM_TEST_PAGES_H
#define VELLUM_TEST_PAGES_H

#include <stdlib.h>
#include <string.h>

#include "lib/base.h"

static unsigned pages, page_limit = ~0u;

static inline void *page(void *ctx)
{
	(void)ctx;
	if (pages >= page_limit)
		return NULL;
	pages++;
	return memset(aligned_alloc(PAGE_SIZE, PAGE_SIZE), 0, PAGE_SIZE);
}

static inline void page_free(void *ctx, void *p)
{
	(void)ctx;
	pages--;
	free(p);
}

#endif
