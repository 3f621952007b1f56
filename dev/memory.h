/* dev/memory.h - guest memory as a device reads and writes it.
 *
 *   GM1  A range that goes on behind the last address there can be is no memory: nothing of it is transferred. */
#ifndef VELLUM_DEV_MEMORY_H
#define VELLUM_DEV_MEMORY_H

#include "lib/base.h"
#include "lib/mutants/mutate.h"

/* Filled in by who owns the devices, for the functions below, which call them. false: some of [gpa, gpa + n) is no
 * memory of the kind (a device's, nobody's; to be written: ROM); then some of it may have been transferred. Accesses of
 * 2, 4 or 8 aligned bytes are single, and are seen by others in the order in which they were made. Neither waits for a
 * device. */
struct guest_memory {
	bool (*read)(void *ctx, uint64_t gpa, void *to, size_t n);
	bool (*write)(void *ctx, uint64_t gpa, const void *from, size_t n);
	void *ctx;
};

/* A piece of it. */
struct guest_segment {
	uint64_t gpa;
	uint32_t bytes;
};

static inline bool guest_memory_wraps(uint64_t gpa, uint64_t n) { return VM_KEPT(MEMORY_WRAPS, gpa + n < gpa); }

/* false: as above, or for GM1. */
static inline bool guest_memory_read(const struct guest_memory *m, uint64_t gpa, void *to, size_t n)
{
	return !guest_memory_wraps(gpa, n) && m->read(m->ctx, gpa, to, n);
}

static inline bool guest_memory_write(const struct guest_memory *m, uint64_t gpa, const void *from, size_t n)
{
	return !guest_memory_wraps(gpa, n) && m->write(m->ctx, gpa, from, n);
}

#endif
