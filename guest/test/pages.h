/* guest/test/pages.h - what the paging tests do with an address. No test data is touched: they run at level 3 too. */
#ifndef VELLUM_GUEST_TEST_PAGES_H
#define VELLUM_GUEST_TEST_PAGES_H

#include "rt.h"

#define PTE_P 0x1u
#define PTE_W 0x2u
#define PTE_U 0x4u
#define PTE_A 0x20u
#define PTE_D 0x40u
#define PTE_PS 0x80u
#define PTE_G 0x100u
#define PTE_NX (1ull << 63)

/* Page-fault error code (SDM, "Page-Fault Exceptions"). */
#define PF_P 0x1u
#define PF_W 0x2u
#define PF_U 0x4u
#define PF_RSVD 0x8u
#define PF_I 0x10u

void do_read(void *p);
void do_write(void *p);
/* The page holds a return instruction where p points. */
void do_execute(void *p);

/* Checks that fn(p), at level 3 when user, ends in the page fault with this error code, at p. */
void expect_fault(const char *what, void (*fn)(void *), word p, bool user, uint32_t error);
void expect_good(const char *what, void (*fn)(void *), word p, bool user);

#endif
