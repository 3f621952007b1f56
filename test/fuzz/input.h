/* test/fuzz/input.h - a fuzzer's bytes as numbers. After the last byte everything is 0. */
#ifndef VELLUM_TEST_FUZZ_INPUT_H
#define VELLUM_TEST_FUZZ_INPUT_H

#include <stdio.h>
#include <stdlib.h>

#include "lib/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the fuzzer has found. */
static inline _Noreturn void fail_with(const char *what)
{
	fprintf(stderr, "%s\n", what);
	abort();
}

struct input {
	const uint8_t *data;
	size_t left;
};

static inline uint8_t in8(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->data++;
}

static inline uint64_t in_bytes(struct input *in, unsigned n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | in8(in);
	return v;
}

static inline uint16_t in16(struct input *in) { return (uint16_t)in_bytes(in, 2); }
static inline uint32_t in32(struct input *in) { return (uint32_t)in_bytes(in, 4); }

/* 0 .. n - 1. */
static inline unsigned in_below(struct input *in, unsigned n) { return (n > 256 ? in16(in) : in8(in)) % n; }
static inline bool in_bool(struct input *in) { return in8(in) & 1; }

#endif
