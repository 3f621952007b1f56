/* guest/test/base/firmware.h - what a firmware leaves in the first megabyte, byte by byte; for the kernels of 32 bits
 * that look for it. */
#ifndef VELLUM_GUEST_TEST_FIRMWARE_H
#define VELLUM_GUEST_TEST_FIRMWARE_H

#include "guest/test/base/rt.h"

#define KB 1024u

/* Not at an address that the compiler could take for none at all. */
static inline const volatile uint8_t *byte_at(word at)
{
	__asm__("" : "+r"(at));
	return (const volatile uint8_t *)at;
}
static inline unsigned word_at(word at) { return byte_at(at)[0] | byte_at(at)[1] << 8; }
static inline uint32_t long_at(word at) { return word_at(at) | (uint32_t)word_at(at + 2) << 16; }

/* The BIOS data area's word for the extended one. */
static inline word ebda(void) { return word_at(0x40e) << 4; }

static inline bool sums_to_0(word at, unsigned bytes)
{
	uint8_t sum = 0;

	for (; bytes--; at++)
		sum = (uint8_t)(sum + *byte_at(at));
	return !sum;
}

/* Of structures on paragraphs the first that begins with these four letters and whose size bytes sum to 0, or 0. */
static inline word signed_in(word at, unsigned bytes, uint32_t letters, unsigned size)
{
	for (word end = at + bytes; at < end; at += 16)
		if (long_at(at) == letters && sums_to_0(at, size))
			return at;
	return 0;
}

#endif
