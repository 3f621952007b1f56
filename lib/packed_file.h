/* lib/packed_file.h - a file of the boot image that the command packed and the hypervisor unpacks (docs/protocol.md,
 * "The boot image"): this head, and one block of LZ4 (LZ4 Block Format Description) up to the file's end. */
#ifndef VELLUM_LIB_PACKED_FILE_H
#define VELLUM_LIB_PACKED_FILE_H

#include <stdint.h>

/* No text, and with bytes that a transfer which takes it for one would change. */
#define PACKED_MARK "\x89VLZ4\r\n\x1a"
#define PACKED_MARK_BYTES 8

struct packed_head {
	char mark[PACKED_MARK_BYTES];
	uint64_t bytes; /* of the file as it was; little-endian, as all else here */
};

_Static_assert(sizeof(PACKED_MARK) == PACKED_MARK_BYTES + 1, "a mark of 8 bytes");
_Static_assert(sizeof(struct packed_head) == 16, "the mark, and 64 bits");

#endif
