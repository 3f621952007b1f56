/* test/unit/vm/memory/shortage.h - a machine that is short of memory: a test takes all frames but a few. */
#ifndef VELLUM_TEST_VM_SHORTAGE_H
#define VELLUM_TEST_VM_SHORTAGE_H

#include "host/memory/frames.h"

static hfn_t taken[16384];
static uint64_t taken_count;

static inline void take_all_but(uint64_t left)
{
	while (frames_available() > left && !hfn_is_none(taken[taken_count] = frames_alloc()))
		taken_count++;
}

static inline void give_taken_back(void)
{
	while (taken_count)
		frames_free(taken[--taken_count], 1);
}

#endif
