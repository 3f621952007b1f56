/* guest/test/hostile/hostile64.h - what the parts of the 64-bit world share. */
#ifndef VELLUM_GUEST_TEST_HOSTILE64_H
#define VELLUM_GUEST_TEST_HOSTILE64_H

#include "guest/test/base/pages.h"
#include "guest/test/hostile/hostile.h"

static inline void put(uint64_t *at, uint64_t v)
{
	if (*at != v)
		*at = v;
}

/* ---- hostile64-tables.c ---- */
void tables_init(void);
void tables_make(struct experiment *x);
/* Loads CR3. */
void tables_flush(const struct kind *k);
/* What MAY_UPPER adds: pointers and entries, and what a start changed in the entries that are used, which it undoes. */
word upper_pointer(struct experiment *x);
word upper_entry(struct experiment *x);
uint64_t upper_settle(uint64_t h);

#endif
