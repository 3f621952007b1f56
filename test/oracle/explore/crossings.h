/* test/oracle/explore/crossings.h - short sequences of two vCPUs, in every order. */
#ifndef VELLUM_TEST_ORACLE_EXPLORE_CROSSINGS_H
#define VELLUM_TEST_ORACLE_EXPLORE_CROSSINGS_H

#include "test/oracle/explore/explore.h"
#include "test/oracle/oracle.h"

/* Those whose names have only in them, or all. most: executions of each, but for those short enough to be tried in
 * every order anywhere; 0: as many as there are. each: tells of each how many it took. */
bool crossings(const struct mmu_ops *ops, const char *only, uint64_t most, bool each);

/* That crossing by the plain search with at most so many changes, and by the reduced one: each state in which the one
 * ends is found by the other. */
bool crossing_compare(const struct mmu_ops *ops, const char *name, unsigned changes, enum explore_fault fault);
/* toys.c: the explorer itself is right. */
bool toys(void);

#endif
