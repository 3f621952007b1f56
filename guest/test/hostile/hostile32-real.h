/* guest/test/hostile/hostile32-real.h - where real mode's part of the supervisor lies; for C and for assembly. */
#ifndef VELLUM_GUEST_TEST_HOSTILE32_REAL_H
#define VELLUM_GUEST_TEST_HOSTILE32_REAL_H

#define REAL_LOW 0x9e000 /* gpa, below 1 MiB and above all that experiments have there */
#define REGION_LOW 0x10000 /* the region: where real mode and virtual-8086 mode reach it as well */
/* Of the GDT: a segment of 64 KiB there, and one at 0. */
#define SELECTOR_REAL_CODE 0x70
#define SELECTOR_REAL_DATA 0x78

#endif
