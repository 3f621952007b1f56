/* emulate/flags.h - private to emulate/: the status flags of arithmetic. SDM: "Status Flags".
 *
 * Operands may have garbage above their size; only the bits of the size count. */
#ifndef VELLUM_EMULATE_FLAGS_H
#define VELLUM_EMULATE_FLAGS_H

#include "emulate/internal.h"

/* ZF, SF and PF of a result. */
static inline uint64_t flags_result(uint64_t r, unsigned size)
{
	uint64_t f = 0;
	unsigned nibble = (r ^ (r >> 4)) & 15;

	r &= size_mask(size);
	if (!r)
		f |= RFLAGS_ZF;
	if (r & size_sign(size))
		f |= RFLAGS_SF;
	if ((0x9669u >> nibble) & 1) /* bit k: k has an even number of ones */
		f |= RFLAGS_PF;
	return f;
}

/* The host's, as LAHF and SETO have put them into AX; but: those that the SDM leaves undefined. */
static inline void take_flags(struct emulate *e, uint32_t f, uint64_t but)
{
	set_flags(e, RFLAGS_STATUS, ((f >> 8 & 0xff) | (f & 1) * RFLAGS_OF) & ~but);
}

/* r = a + b, with or without carry in. */
static inline uint64_t flags_add(uint64_t a, uint64_t b, uint64_t r, unsigned size)
{
	uint64_t carry = (a & b) | ((a | b) & ~r), overflow = (a ^ r) & (b ^ r);
	uint64_t f = flags_result(r, size) | ((a ^ b ^ r) & RFLAGS_AF);

	if (carry & size_sign(size))
		f |= RFLAGS_CF;
	if (overflow & size_sign(size))
		f |= RFLAGS_OF;
	return f;
}

/* r = a - b, with or without borrow in. */
static inline uint64_t flags_sub(uint64_t a, uint64_t b, uint64_t r, unsigned size)
{
	uint64_t borrow = (~a & b) | (~(a ^ b) & r), overflow = (a ^ b) & (a ^ r);
	uint64_t f = flags_result(r, size) | ((a ^ b ^ r) & RFLAGS_AF);

	if (borrow & size_sign(size))
		f |= RFLAGS_CF;
	if (overflow & size_sign(size))
		f |= RFLAGS_OF;
	return f;
}

#endif
