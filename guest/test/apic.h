/* guest/test/apic.h - the local APIC, at its usual place. */
#ifndef VELLUM_GUEST_TEST_APIC_H
#define VELLUM_GUEST_TEST_APIC_H

#include "rt.h"

#define APIC_ID 0x20u
#define APIC_TPR 0x80u
#define APIC_EOI 0xb0u
#define APIC_SVR 0xf0u
#define APIC_IRR 0x200u
#define APIC_ICR 0x300u
#define APIC_LVT_TIMER 0x320u
#define APIC_LINT0 0x350u
#define APIC_COUNT 0x380u
#define APIC_CURRENT 0x390u
#define APIC_DIVIDE 0x3e0u
#define LVT_PERIODIC (1u << 17)
#define LVT_DEADLINE (2u << 17)
#define LVT_MASKED (1u << 16)

static inline uint32_t apic_read(uint32_t reg) { return *(volatile uint32_t *)(0xfee00000ul + reg); }
static inline void apic_write(uint32_t reg, uint32_t v) { *(volatile uint32_t *)(0xfee00000ul + reg) = v; }

#endif
