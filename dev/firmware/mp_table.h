/* dev/firmware/mp_table.h - the tables by which operating systems without ACPI find processors and interrupts:
 * MultiProcessor Specification, version 1.4. Systems with ACPI look for them, too; Linux makes some 70,000 INVLPGs of
 * the search where there are none. */
#ifndef VELLUM_DEV_MP_TABLE_H
#define VELLUM_DEV_MP_TABLE_H

#include "lib/base.h"

struct mp_config {
	unsigned cpus;            /* 1 to 240; APIC id of CPU n is n */
	uint32_t cpu_signature;   /* CPUID leaf 1: EAX */
	uint32_t cpu_features;    /* EDX */
};

/* Upper bound of what mp_table_build() needs for this many CPUs. */
#define MP_TABLE_SIZE(cpus) (320u + 20u * (cpus))

/* Builds the floating pointer structure and, behind it, the configuration table, for life at guest-physical address gpa
 * (a multiple of 16 in 0xf0000-0xfffff, where it is searched for) into buf. Returns the bytes used, or 0 when size is
 * too small (buf then holds nothing of use). */
size_t mp_table_build(void *buf, size_t size, uint32_t gpa, const struct mp_config *config);

#endif
