/* guest/test/realmode.h - what guest/test/realmode.c and its 16-bit code agree on. */
#ifndef VELLUM_GUEST_TEST_REALMODE_H
#define VELLUM_GUEST_TEST_REALMODE_H

#include "lib/x86.h"
#include "lib/x86_msr.h"

/* Selectors in the GDT of boot32.S. */
#define REAL_CODE16 0x48
#define REAL_DATA16 0x50
#define REAL_FLAT16 0x58

#define LOW_SEGMENT 0x800
#define REAL_SP 0x5000
#define TS 8 /* of CR0 */

/* A copy beyond 1 MiB. */
#define REAL_FROM 0x600000
#define REAL_TO 0x640000
#define REAL_BYTES 0x20000

/* Where the tables show the start of memory once more. */
#define REAL_MAPPED 0x40808000

#endif
