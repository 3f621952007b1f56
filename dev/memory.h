/* dev/memory.h - guest memory as a device reads and writes it. */
#ifndef VELLUM_DEV_MEMORY_H
#define VELLUM_DEV_MEMORY_H

#include "lib/base.h"

/* Filled in by who owns the devices. false: some of [gpa, gpa + n) is no memory of the kind (a device's, nobody's; to
 * be written: ROM), or the range wraps; then some of it may have been transferred. Accesses of 2, 4 or 8 aligned bytes
 * are single, and are seen by others in the order in which they were made. Neither waits for a device. */
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

static inline bool guest_memory_read(const struct guest_memory *m, uint64_t gpa, void *to, size_t n)
{
	return m->read(m->ctx, gpa, to, n);
}

static inline bool guest_memory_write(const struct guest_memory *m, uint64_t gpa, const void *from, size_t n)
{
	return m->write(m->ctx, gpa, from, n);
}

#endif
