/* test/oracle/footprint.h - what a step reads and writes, told by the compiler: objects that are compiled with
 * -fsanitize=thread, and linked without its runtime, call footprint.c at each access to memory.
 *
 * FP1: a footprint holds each byte that the step read or wrote, but for stacks, what is left out by name, and what is
 *      read while quiet.
 * FP2: what is written between undo_begin() and undo_all() is as it was before, but for stacks and what is kept. */
#ifndef VELLUM_TEST_ORACLE_FOOTPRINT_H
#define VELLUM_TEST_ORACLE_FOOTPRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Eight bytes, and which of them. */
struct touch { uint64_t word; uint8_t read, written; };

struct footprint {
	struct touch *touch;
	uint32_t *slot;       /* by a hash of the word: its number + 1 */
	uint32_t touches, room, slots;
	uint64_t any, writes; /* a bit for each hash that occurs */
};

/* Nobody else's: neither noted nor undone. */
void footprint_private(const void *at, size_t size);
/* Not noted: nothing depends on it. kept: nor undone. */
void footprint_leave_out(const void *at, size_t size, bool kept);
void footprint_forget_ranges(void);
void footprint_record(bool on);
void footprint_touch(const void *at, size_t size, bool write);
/* Until it is ended nothing is noted, unless by footprint_touch. Returns what was so before. */
bool footprint_quiet(bool quiet);
/* What was touched since the last time. */
void footprint_take(struct footprint *to);
void footprint_free(struct footprint *);
/* One writes what the other reads or writes; writes_only: or writes. */
bool footprint_conflict(const struct footprint *a, const struct footprint *b, bool writes_only);
/* Does it hold a read, or a write, of all these bytes? */
bool footprint_holds(const struct footprint *f, const void *at, size_t size, bool write);

void undo_begin(void);
void undo_all(void);

#endif
