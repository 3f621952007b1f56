#include "vm/memory/compress.h"

#include <lz4.h>

#include "host/cpu/vector.h"
#include "lib/mutants/mutate.h"

#define SPEED 1 /* LZ4's "acceleration": none */

_Static_assert(sizeof(((struct compressor *)NULL)->state) >= LZ4_STREAM_MINSIZE, "LZ4_compress_fast_extState()");
_Static_assert(COMPRESS_ROOM(1000) == LZ4_COMPRESSBOUND(1000), "the same");

size_t compress(struct compressor *c, void *out, size_t most, const void *from, size_t n)
{
	struct vector_saved saved;
	int bytes;

	BUG_ON((size_t)LZ4_sizeofState() > sizeof(c->state));
	vector_begin(&saved);
	bytes = LZ4_compress_fast_extState(c->state, from, out, (int)n, (int)most, SPEED);
	VM_MUTANT(PACKED_VECTORS, vector_end(&saved));
	return bytes > 0 ? (size_t)bytes : 0;
}
