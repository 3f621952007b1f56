/* Traces made byte by byte: headers whose checksums are right, around a content that may be anything. */
#ifndef VELLUM_TEST_LAB_TRACE_FRAME_H
#define VELLUM_TEST_LAB_TRACE_FRAME_H

#include <string.h>

#include <zstd.h>

#include "lab/trace/trace.h"
#include "lab/trace/format.h"

/* A file's beginning. Returns its bytes. */
static inline size_t put_file_header(uint8_t *at)
{
	memset(at, 0, 64);
	memcpy(at, TRACE_MAGIC, 8);
	trace_put(at + 8, LAB_TRACE_MAJOR, 2);
	trace_put(at + 12, 64, 4);
	trace_put(at + 60, trace_header_sum(at), 4);
	return 64;
}

/* A frame of f.raw bytes, into room bytes. Returns how many it has. */
static inline size_t put_frame(uint8_t *at, size_t room, struct trace_frame f, const uint8_t *raw)
{
	size_t stored = ZSTD_compress(at + 64, room - 64, raw, f.raw, 1);

	memset(at, 0, 64);
	memcpy(at, TRACE_FRAME_MAGIC, 4);
	trace_put(at + 4, f.type, 4);
	trace_put(at + 8, stored, 4);
	trace_put(at + 12, f.raw, 4);
	trace_put(at + 16, f.codes, 4);
	trace_put(at + 20, f.calls, 4);
	trace_put(at + 24, f.first, 8);
	trace_put(at + 32, f.accesses, 8);
	trace_put(at + 60, trace_header_sum(at), 4);
	return 64 + stored;
}

#endif
