/* test/fuzz/exits.h - what the files of the fuzzer of exits share (test/fuzz/exits.c). */
#ifndef VELLUM_TEST_FUZZ_EXITS_H
#define VELLUM_TEST_FUZZ_EXITS_H

#include "test/fuzz/input.h"
#include "test/vm/bench.h"
#include "test/vm/cpu.h"

/* A number that is worth trying: an address of the guest's, an edge, or any. */
uint64_t fuzz_value(struct input *in);
/* The guest does something that does not exit: memory, registers, flags, segments. What it leaves is a state that a CPU
 * can be in. */
void fuzz_guest(struct input *in);
/* An exit as a CPU can make it in this state and with these controls (below). false: none of that kind now. */
bool fuzz_consistent_exit(struct input *in, struct bench_exit *x);
/* Any exit at all. */
void fuzz_any_exit(struct input *in, struct bench_exit *x);

#endif
