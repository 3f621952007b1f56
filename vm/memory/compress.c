#include "vm/memory/compress.h"

#include <lz4.h>

#include "host/cpu/vector.h"
#include "lib/mutants/mutate.h"
#include "mmu/addr.h"

#define SPEED 1 /* LZ4's "acceleration": none */

static uint64_t state[LZ4_STREAM_MINSIZE / sizeof(uint64_t) + 1];

unsigned compress_page(void *out, unsigned most, const void *page)
{
	struct vector_saved saved;
	int bytes;

	BUG_ON((size_t)LZ4_sizeofState() > sizeof(state));
	vector_begin(&saved);
	bytes = LZ4_compress_fast_extState(state, page, out, PAGE_SIZE, (int)most, SPEED);
	VM_MUTANT(PACKED_VECTORS, vector_end(&saved));
	return bytes > 0 ? (unsigned)bytes : 0;
}

bool compress_undo(void *page, const void *small, unsigned bytes)
{
	struct vector_saved saved;
	int made;

	vector_begin(&saved);
	made = LZ4_decompress_safe(small, page, (int)bytes, PAGE_SIZE);
	VM_MUTANT(UNPACKED_VECTORS, vector_end(&saved));
	return made == (int)PAGE_SIZE;
}
