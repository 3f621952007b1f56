/* What the hypervisor packs for the channel: LZ4 in base64 (RFC 4648). */
#include <lz4.h>

#include "tool/ctl/screen.h"

enum { PACKED_MAX = 24576 };

bool ctl_unpack(const char *text, uint8_t *to, size_t length)
{
	uint8_t packed[PACKED_MAX];
	long n = base64_decode(text, packed, sizeof packed);

	return n >= 0 && LZ4_decompress_safe((const char *)packed, (char *)to, (int)n, (int)length) == (int)length;
}
