/* dev/state.h - what a snapshot holds of a device or a CPU: a list of its fields, one list for both ways, so that what
 * is read cannot differ from what was written (docs/snapshot.md).
 *
 *   SA1  Nothing that is read is believed: a field that does not fit into its section, is out of its range, or is left
 *        over makes the whole bad, with one clause that says where. From then on nothing is read any more.
 *   SA2  Numbers are little-endian and of fixed width, whatever the machine; there are no pointers.
 *   SA3  A section has a name and a version. Of a newer version than is known it is bad. */
#ifndef VELLUM_DEV_STATE_H
#define VELLUM_DEV_STATE_H

#include "lib/base.h"

#define STATE_NAME_MAX 15

struct fields {
	uint8_t *bytes;
	size_t size;     /* of all */
	size_t at;       /* of the next byte */
	size_t section;  /* where the section begins */
	size_t end;      /* reading: where it ends */
	const char *name; /* of it; NULL: in none */
	uint16_t version; /* of the section that is read; writing: the present one */
	bool load;
	bool bad;
	uint64_t shift;  /* reading: what a time of the virtual machine's clock is added, to be one of now */
	const char *why, *where; /* bad: one clause, and in which section; NULL: in none */
};

/* Writing, into size bytes; and reading them, of which none is changed. */
void state_save(struct fields *s, uint8_t *bytes, size_t size);
void state_load(struct fields *s, const uint8_t *bytes, size_t size, uint64_t shift);
/* A section, which is not within another. Reading, it must be the next. name outlives it. */
void state_begin(struct fields *s, const char *name, uint16_t version);
void state_end(struct fields *s);
/* Reading: nothing may be left behind the last section. */
void state_done(struct fields *s);

void state_bytes(struct fields *s, void *p, size_t n);
void state_u8(struct fields *s, uint8_t *v);
void state_u16(struct fields *s, uint16_t *v);
void state_u32(struct fields *s, uint32_t *v);
void state_u64(struct fields *s, uint64_t *v);
void state_unsigned(struct fields *s, unsigned *v);
void state_int(struct fields *s, int *v);
void state_bool(struct fields *s, bool *v);
/* Of the virtual machine's clock, ticks. */
void state_time(struct fields *s, uint64_t *v);
/* Something that both sides must have alike: reading, it is compared, and stays. */
void state_same(struct fields *s, uint64_t v, const char *what);
/* What must hold of what was read, else it is bad. true: it holds, or this is no reading. */
bool state_check(struct fields *s, bool holds, const char *what);

#endif
