/* vm/memory/compress.h - one page made smaller, and back: LZ4, by the library of the system's package, whose code has
 * vector registers (VX1 in host/cpu/vector.h). Nothing else here includes or calls that library. */
#ifndef VELLUM_VM_MEMORY_COMPRESS_H
#define VELLUM_VM_MEMORY_COMPRESS_H

#include "lib/base.h"

/* A page, to up to most bytes at out. Returns how many; 0: it does not become as small. One CPU at a time. */
unsigned compress_page(void *out, unsigned most, const void *page);
/* What compress_page() has made of a page, back to it; any CPU. false: it is none; the page then holds anything. */
bool compress_undo(void *page, const void *small, unsigned bytes);

#endif
