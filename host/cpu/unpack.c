#include "host/cpu/unpack.h"

#include <lz4.h>

#include "host/cpu/vector.h"
#include "lib/mutants/mutate.h"

bool unpack_block(void *out, size_t n, const void *packed, size_t bytes)
{
	struct vector_saved saved;
	int made;

	/* The library's lengths are of that type. */
	if (VM_KEPT(UNPACK_LENGTH, bytes > INT32_MAX) || VM_KEPT(UNPACK_SIZE, n > INT32_MAX))
		return false;
	vector_begin(&saved);
	made = LZ4_decompress_safe(packed, out, (int)bytes, (int)n);
	VM_MUTANT(UNPACKED_VECTORS, vector_end(&saved));
	return made == (int)n;
}
