/* lib/bits.h - BIT() and MASK(), for C and for assembly. */
#ifndef VELLUM_LIB_BITS_H
#define VELLUM_LIB_BITS_H

/* MASK(): bits hi..lo set, inclusive. */
#ifdef __ASSEMBLER__
#define BIT(n) (1 << (n))
#define MASK(hi, lo) (((1 << ((hi) - (lo) + 1)) - 1) << (lo))
#else
#define BIT(n) (1ull << (n))
#define MASK(hi, lo) ((~0ull >> (63 - (hi))) & (~0ull << (lo)))
#endif

#endif
