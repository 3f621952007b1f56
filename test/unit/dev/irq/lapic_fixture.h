/* What a test of the local APIC has at hand: the one of CPU 0, and its registers in both modes. */
#ifndef VELLUM_TEST_DEV_IRQ_LAPIC_FIXTURE_H
#define VELLUM_TEST_DEV_IRQ_LAPIC_FIXTURE_H

#include "test/unit/dev/fixture.h"

/* IA32_APIC_BASE, where the local APIC is, and its two modes. */
#define APIC_OFF LAPIC_DEFAULT_BASE
#define XAPIC_ON (LAPIC_DEFAULT_BASE | APIC_BASE_EN)
#define X2APIC_ON (LAPIC_DEFAULT_BASE | APIC_BASE_EN | APIC_BASE_EXTD)

static struct lapic *l;

static inline int setup_lapic(void **state)
{
	setup(state);
	l = &pc->lapic[0];
	return 0;
}

static inline uint32_t rd(unsigned offset) { return (uint32_t)lapic_mmio_read(l, offset, 4); }
static inline void wr(unsigned offset, uint32_t v) { lapic_mmio_write(l, offset, 4, v); }

static inline uint64_t rdmsr(uint32_t msr)
{
	uint64_t v = 0;
	assert_true(lapic_msr_read(l, msr, &v));
	return v;
}

static inline bool rdmsr_fails(uint32_t msr)
{
	uint64_t v;
	return !lapic_msr_read(l, msr, &v);
}

static inline void wrmsr(uint32_t msr, uint64_t v) { assert_true(lapic_msr_write(l, msr, v)); }
static inline bool wrmsr_fails(uint32_t msr, uint64_t v) { return !lapic_msr_write(l, msr, v); }

static inline void x2apic_all(void)
{
	enable_lapics();
	for (unsigned n = 0; n < PC_CPUS; n++)
		assert_true(lapic_msr_write(&pc->lapic[n], MSR_APIC_BASE, X2APIC_ON | (n ? 0 : APIC_BASE_BSP)));
}

static inline bool deliver(uint8_t vector, bool level)
{
	struct apic_message m = { .vector = vector, .level = level, .assert = true };
	return lapic_deliver(l, &m);
}

#endif
