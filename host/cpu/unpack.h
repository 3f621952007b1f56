/* host/cpu/unpack.h - blocks of LZ4 (LZ4 Block Format Description) back to what they were, by the library of the
 * system's package, whose code has vector registers (VX1 in host/cpu/vector.h). This and vm/memory/compress.h alone
 * include or call that library. */
#ifndef VELLUM_HOST_UNPACK_H
#define VELLUM_HOST_UNPACK_H

#include "lib/base.h"

/* What n bytes were packed to, back to them at out; any CPU whose CR4.OSFXSR is set. `packed` may be hostile: false: it
 * is no block, or one of another length; no byte beyond either is touched, and out then holds anything. */
bool unpack_block(void *out, size_t n, const void *packed, size_t bytes);

#endif
