/* vm/control/lz4.h - packs what leaves by the control channel, as a block of LZ4 (LZ4 Block Format Description), which
 * the command unpacks by liblz4. */
#ifndef VELLUM_VM_LZ4_H
#define VELLUM_VM_LZ4_H

#include "lib/base.h"

#define LZ4_BYTES_MAX 0xffffu
/* Room for whatever n bytes become. */
#define LZ4_ROOM(n) ((n) + (n) / 255 + 16)

/* n bytes, at most LZ4_BYTES_MAX, to `to`, which has LZ4_ROOM(n). Returns how many they have become. Not to be called
 * by two at once. */
size_t lz4_pack(const uint8_t *from, size_t n, uint8_t *to);

#endif
