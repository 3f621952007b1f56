/* vmx/bitmaps.h - the I/O and MSR bitmaps, alike for all virtual CPUs: every port exits (nothing is passed
 * through); of the MSRs only those that the CPU or the vCPU switch keeps apart do not. SDM, "I/O-Bitmap Addresses" and
 * "MSR-Bitmap Address". */
#ifndef VELLUM_VMX_BITMAPS_H
#define VELLUM_VMX_BITMAPS_H

#include "vmx/caps.h"

extern uint8_t vmx_io_bitmaps[2 * PAGE_SIZE];
extern uint8_t vmx_msr_bitmap[PAGE_SIZE];
/* The same, but that the TPR's MSR of x2APIC mode does not exit: for a vCPU for which the CPU serves it, and for no
 * other, for it would be the host's. */
extern uint8_t vmx_msr_bitmap_x2apic[PAGE_SIZE];
/* The same for the other registers of it too, as far as the CPU serves them (hvm_tpr.delivery). */
extern uint8_t vmx_msr_bitmap_x2apic_all[PAGE_SIZE];

/* Fills them; once, before the first entry. */
void vmx_bitmaps_init(const struct vmx_caps *caps);

#endif
