/* lab/trace/trace.h - recorded traces: files that hold a stream of events (lab/machine/event.h). The format:
 * docs/trace.md.
 *
 * R1: what the reader gives is what was written, event by event, but for what lab_writer_access() and
 *     lab_writer_fetch() normalise.
 * R2: whatever the bytes of the file are, the reader gives events with valid kinds, calls and canonical addresses, or
 *     says in one sentence what is wrong with the file and at which byte; it never reads beyond its buffers, and its
 *     memory is bounded.
 * R3: a file without its end mark, or whose end mark counts something else than was read, is an error: nothing is lost
 *     unnoticed. */
#ifndef VELLUM_LAB_TRACE_H
#define VELLUM_LAB_TRACE_H

#include <stdio.h>

#include "lab/machine/event.h"
#include "lib/for_tests.h"

enum { LAB_TRACE_MAJOR = 1, LAB_TRACE_MINOR = 0 };

/* What is in a trace (or in a part of it). */
struct lab_trace_totals {
	uint64_t accesses; /* reads + writes + fetches */
	uint64_t reads, writes, fetches;
	uint64_t code_pages;  /* LAB_FETCH events */
	uint64_t kernel;      /* reads and writes in supervisor mode */
	uint64_t calls[LAB_CALLS];
};

/* ---- writing ---- */

struct lab_writer;

/* --level, as it was given; 0: it is no number. */
int lab_level(const char *text);
/* Writes to the stream, which the caller closes after lab_writer_close(). notes: lines "key: value" about where the
 * trace comes from. level: of zstd, 1 to 19. NULL: no memory. */
struct lab_writer *lab_writer_open(FILE *out, const char *notes, int level);
/* An access of size bytes anywhere: it is cut at page boundaries. */
void lab_writer_access(struct lab_writer *w, enum lab_kind kind, uint64_t addr, unsigned size, bool kernel);
/* `count` instructions are fetched one after the other, all from the page of addr, the first at addr. */
void lab_writer_fetch(struct lab_writer *w, uint64_t addr, unsigned count);
void lab_writer_call(struct lab_writer *w, const struct lab_call *call);
/* One event as a source gives it; keeps a change of the code page even to the page that it is already. */
FOR_TESTS void lab_writer_event(struct lab_writer *w, const struct lab_event *e, const struct lab_call *calls);
const struct lab_trace_totals *lab_writer_totals(const struct lab_writer *w);
/* Bytes written so far. */
uint64_t lab_writer_bytes(const struct lab_writer *w);
/* Writes what is left and the end mark, and frees the writer. false: the stream failed (errno says why), now or
 * before. */
bool lab_writer_close(struct lab_writer *w);

/* ---- reading ---- */

/* Opens a trace, "-" being the standard input. NULL: error says why. */
struct lab_source *lab_trace_open(const char *path, struct lab_error *error);
/* For sources from lab_trace_open(): the notes, and the bytes of the file read so far. */
const char *lab_trace_notes(const struct lab_source *s);
uint64_t lab_trace_bytes(const struct lab_source *s);
/* Before the first lab_source_next(): the events of the first frames, `accesses` accesses, are left out, but for calls:
 * the stream begins in the frame that holds access number `accesses`. */
void lab_trace_skip(struct lab_source *s, uint64_t accesses);

void lab_totals_add(struct lab_trace_totals *t, const struct lab_event *e, const struct lab_call *calls);

/* The names of calls, as the commands print them. */
extern const char *const lab_call_name[LAB_CALLS];

/* For a command that makes a trace: would it take the place of a file with something in it? Then error says so. */
bool lab_trace_taken(const char *path, struct lab_error *error);

#endif
