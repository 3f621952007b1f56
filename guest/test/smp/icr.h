/* guest/test/smp/icr.h - what icr.c and its processors' entry have in common. */
#ifndef VELLUM_GUEST_TEST_ICR_H
#define VELLUM_GUEST_TEST_ICR_H

#define ICR_AT 0x8000u /* where the start-up IPI has them begin */
#define ICR_STACK 2048
#define ICR_CPUS 32

#endif
