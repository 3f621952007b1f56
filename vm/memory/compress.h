/* vm/memory/compress.h - bytes made fewer: blocks of LZ4 (LZ4 Block Format Description), by the library of the system's
 * package, whose code has vector registers (VX1 in host/cpu/vector.h). host/cpu/unpack.h makes them what they were;
 * nothing else in the hypervisor includes or calls that library. */
#ifndef VELLUM_VM_MEMORY_COMPRESS_H
#define VELLUM_VM_MEMORY_COMPRESS_H

#include "lib/base.h"

/* What the library works in. One CPU at a time. */
struct compressor {
	uint64_t state[2053];
};

/* What n bytes become at the most. */
#define COMPRESS_ROOM(n) ((n) + (n) / 255 + 16)

/* n bytes, to up to `most` bytes at out. Returns how many; 0: they do not become as few. */
size_t compress(struct compressor *c, void *out, size_t most, const void *from, size_t n);
#endif
