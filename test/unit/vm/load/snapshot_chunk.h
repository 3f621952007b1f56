/* test/unit/vm/load/snapshot_chunk.h - a snapshot's file, written by tests. */
#ifndef VELLUM_TEST_SNAPSHOT_CHUNK_H
#define VELLUM_TEST_SNAPSHOT_CHUNK_H

#include <string.h>

#include "vm/load/snapshot_file.h"

/* A chunk of n bytes at `to`; where the next begins, behind that. */
static inline size_t snapshot_put_chunk(uint8_t *to, enum snapshot_kind kind, const void *data, size_t n)
{
	snapshot_chunk_head(to, kind, data, n);
	memcpy(to + SNAPSHOT_CHUNK_BYTES, data, n);
	return SNAPSHOT_CHUNK_BYTES + (n + 7) / 8 * 8;
}

#endif
