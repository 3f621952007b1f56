/* lab/trace/inside.h - what the files of the trace reader share among themselves. */
#ifndef VELLUM_LAB_TRACE_INSIDE_H
#define VELLUM_LAB_TRACE_INSIDE_H

#include <zstd.h>

#include "lab/trace/trace.h"
#include "lab/trace/format.h"

struct reader {
	struct lab_source source; /* first */
	FILE *in;
	char *path, *notes;
	ZSTD_DCtx *zstd;
	struct lab_error error;
	uint64_t at, frame_at;    /* bytes read; where the current frame began */
	uint64_t totals_accesses; /* in the frames before the current one, and then in it */
	uint64_t skip;
	bool ended, loaded;
	/* The current frame: its planes, what is left of them, and the state of decoding. */
	struct trace_frame frame;
	const uint8_t *op, *slot, *low, *high, *misc, *misc_end;
	uint32_t left, extra, calls;
	uint64_t mode;            /* the bits of an event's second half that supervisor mode sets */
	uint64_t filled, frame_accesses;
	uint64_t page[TRACE_SLOTS];
	/* what a byte of the first and of the last plane says of an event's second half */
	uint64_t of_op[256], of_high[256];
	uint8_t raw[TRACE_RAW_MAX], stored[TRACE_STORED_MAX];
};

/* Says what is wrong, after the file's name; false. */
bool trace_wrong(struct reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Once, before the first frame. */
void trace_decode_init(struct reader *r);
/* A frame has been read into raw. */
void trace_decode_begin(struct reader *r, const struct trace_frame *f);
/* Adds events to the batch until it is full or the frame has no codes left. false: error. */
bool trace_decode(struct reader *r, struct lab_batch *b);
/* After the last code. false: the frame does not hold what its header says. */
bool trace_decode_end(struct reader *r);
/* Leaves only the calls in the batch. */
void trace_keep_calls(struct lab_batch *b);

#endif
