#include "vm/control/packed.h"

void json_packed(struct json *j, const char *key, const void *bytes, size_t n)
{
	static struct compressor compressor;
	static uint8_t packed[COMPRESS_ROOM(PACKED_MAX)];

	BUG_ON(n > PACKED_MAX);
	json_base64(j, key, packed, n ? compress(&compressor, packed, sizeof(packed), bytes, n) : 0);
}
