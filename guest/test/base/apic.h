/* guest/test/base/apic.h - the local APIC, at its usual place, and the I/O APIC. */
#ifndef VELLUM_GUEST_TEST_APIC_H
#define VELLUM_GUEST_TEST_APIC_H

#include "guest/test/base/rt.h"
#include "lib/apic.h"

static inline volatile uint32_t *apic_at(uint32_t reg) { return (volatile uint32_t *)((word)LAPIC_DEFAULT_BASE + reg); }
static inline volatile uint32_t *ioapic_at(uint32_t reg) { return (volatile uint32_t *)((word)IOAPIC_BASE + reg); }

static inline uint32_t apic_read(uint32_t reg) { return *apic_at(reg); }
static inline void apic_write(uint32_t reg, uint32_t v) { *apic_at(reg) = v; }

static inline uint32_t ioapic_read(uint32_t index)
{
	*ioapic_at(IOAPIC_SELECT) = index;
	return *ioapic_at(IOAPIC_WINDOW);
}

static inline void ioapic_write(uint32_t index, uint32_t v)
{
	*ioapic_at(IOAPIC_SELECT) = index;
	*ioapic_at(IOAPIC_WINDOW) = v;
}

#endif
