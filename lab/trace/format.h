/* lab/trace/format.h - the layout of a trace file, shared by writer and reader only. docs/trace.md says it in words. */
#ifndef VELLUM_LAB_TRACE_FORMAT_H
#define VELLUM_LAB_TRACE_FORMAT_H

#include <stdint.h>
#include <string.h>

#include "lib/canonical.h"

#define TRACE_MAGIC "VLMTRACE"
#define TRACE_FRAME_MAGIC "VLTF"

enum {
	TRACE_HEADER_BYTES = 64, /* of the file, and of each frame */
	TRACE_FRAME_CODES = 65536,
	TRACE_SLOTS = 256,
	TRACE_MISC_BYTES = 1 << 20,  /* a frame ends when so many are in use */
	TRACE_CALL_BYTES = 128,      /* one code adds at most so many */
	TRACE_RAW_MAX = 4 * TRACE_FRAME_CODES + TRACE_MISC_BYTES + TRACE_CALL_BYTES,
	TRACE_STORED_MAX = TRACE_RAW_MAX + TRACE_RAW_MAX / 128 + 512, /* more than ZSTD_compressBound */
};

enum trace_frame_type { TRACE_NOTES = 1, TRACE_EVENTS = 2, TRACE_END = 3 };

/* A code is four bytes, in four planes. The first one: kind << 6 | fetches, and for kind 3 one of these instead of
 * fetches. */
enum trace_special {
	TRACE_FILL,   /* the slot now means the page: zigzag varint, minus the page of the fill before */
	TRACE_EXTRA,  /* varint: so many more fetches belong to the next event */
	TRACE_CALL,   /* the call's fields, varints */
	TRACE_USER,   /* accesses are by user mode (as at the beginning of each frame) */
	TRACE_KERNEL, /* accesses are by supervisor mode */
	TRACE_SPECIALS
};
enum { TRACE_FETCHES_MAX = 63 };

/* The sizes that the fourth plane's upper half can say. */
static const uint8_t trace_sizes[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 28, 32, 64, 128 };

/* An address that a program can have, on whatever CPU it was recorded. */
static inline bool trace_canonical(uint64_t address) { return is_canonical_in(address, LINEAR_BITS_LA57); }

struct trace_frame {
	uint32_t type, stored, raw, codes, calls;
	uint64_t first, accesses; /* accesses before the frame, and in it */
	uint32_t process, thread; /* that run at its beginning */
	uint64_t code;            /* the address of the latest LAB_FETCH before */
	uint32_t flags;           /* none yet */
};

static inline void trace_put(uint8_t *at, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static inline uint64_t trace_get(const uint8_t *at, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)at[i] << 8 * i;
	return value;
}

/* FNV-1a of a header without its last four bytes, which hold it. */
static inline uint32_t trace_header_sum(const uint8_t *header)
{
	uint32_t sum = 2166136261u;

	for (unsigned i = 0; i < TRACE_HEADER_BYTES - 4; i++)
		sum = (sum ^ header[i]) * 16777619u;
	return sum;
}

#endif
