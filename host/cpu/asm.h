/* host/cpu/asm.h - numbers that C and assembly share. */
#ifndef VELLUM_HOST_ASM_H
#define VELLUM_HOST_ASM_H

/* Segment selectors of every GDT of the hypervisor. */
#define SEL_CODE64 0x08
#define SEL_DATA 0x10
#define SEL_CODE32 0x18
#define SEL_TSS 0x20

#endif
