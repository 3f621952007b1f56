/* guest/test/base/bench.h - what test kernels that measure have in common. */
#ifndef VELLUM_GUEST_TEST_BENCH_H
#define VELLUM_GUEST_TEST_BENCH_H

#include "guest/test/base/rt.h"

static inline void do_nothing(void) { __asm__ volatile("" : : : "memory"); }
void bench_sort(uint32_t *v, unsigned n);
/* BENCH NAME MIN MEDIAN, of n samples, which it sorts; less is taken from both. */
void bench_line(const char *name, uint32_t *v, unsigned n, uint32_t less);

#endif
