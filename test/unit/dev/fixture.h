/* What a test of a device starts with: a PC of its own, made before it and freed after it. */
#ifndef VELLUM_TEST_DEV_FIXTURE_H
#define VELLUM_TEST_DEV_FIXTURE_H

#include "test/unit/dev/pc.h"

#define PC_HZ 10000000u /* of its clock, where a test does not care */

static struct pc *pc;

static inline int setup(void **state)
{
	(void)state;
	pc = pc_new(PC_HZ);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	pc_delete(pc);
	return 0;
}

static inline void enable_lapics(void)
{
	for (unsigned n = 0; n < PC_CPUS; n++)
		lapic_mmio_write(&pc->lapic[n], APIC_SVR, 4, SVR_ENABLED | 0xff);
}

/* A test that starts with what make leaves. */
#define PC_TEST(f, make) cmocka_unit_test_setup_teardown(f, make, teardown)

/* A doubleword of a function's configuration space. */
static inline void config_write(unsigned devfn, unsigned reg, uint32_t value)
{
	outl(pc, PCI_ADDRESS, PCI_ADDRESS_ENABLE | devfn << 8 | reg);
	outl(pc, PCI_DATA, value);
}

#endif
