/* guest/test/paging/tables.h - ways to write and to read a page-table entry, one instruction each. */
#ifndef VELLUM_GUEST_TEST_TABLES_H
#define VELLUM_GUEST_TEST_TABLES_H

#include "guest/test/base/pages.h"

/* Puts value into *e, which is aligned to 16 bytes, by one instruction or a few of a kind; the entries beside it
 * stay. */
struct writer {
	const char *name;
	void (*write)(uint64_t *e, uint64_t value);
	bool (*usable)(void);
};

struct reader {
	const char *name;
	uint64_t (*read)(const uint64_t *e);
	bool (*usable)(void);
};

/* The last has no name. */
extern const struct writer writers[];
extern const struct reader readers[];

/* Turns the units on that they use. */
void tables_init(void);

#endif
