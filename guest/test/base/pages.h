/* guest/test/base/pages.h - what the paging tests do with an address. No test data is touched: they run at level 3
 * too. */
#ifndef VELLUM_GUEST_TEST_PAGES_H
#define VELLUM_GUEST_TEST_PAGES_H

#include "guest/test/base/rt.h"

void do_read(void *p);
void do_write(void *p);
/* The page holds a return instruction where p points. */
void do_execute(void *p);

/* Checks that fn(p), at level 3 when user, ends in the page fault with this error code, at p. */
void expect_fault(const char *what, void (*fn)(void *), word p, bool user, uint32_t error);
void expect_good(const char *what, void (*fn)(void *), word p, bool user);

#endif
