/* host/device/acpi.h - what the host reads in the machine's ACPI tables: the CPUs, the I/O APIC, and how to power off.
 * Implements ACPI, "ACPI Software Programming Model" (RSDP, RSDT, XSDT, FADT, MADT). */
#ifndef VELLUM_HOST_ACPI_H
#define VELLUM_HOST_ACPI_H

#include "host/cpu/percpu.h"

struct acpi_isa_irq {
	uint32_t gsi;
	bool active_low;
	bool level;
};

struct acpi_info {
	bool found;
	unsigned cpu_count;
	uint32_t cpu_apic_id[CPUS_MAX];
	uint64_t ioapic_address; /* 0: none */
	uint32_t ioapic_gsi_base;
	struct acpi_isa_irq isa_irq[16];
	uint16_t pm1a_control; /* port; 0: unknown */
	uint16_t pm1b_control;
	bool have_s5;
	uint8_t s5_type_a, s5_type_b;
};

/* rsdp: a copy that the boot loader gave, or NULL to search where a BIOS leaves it. Once, after paging_init(). What
 * cannot be a table is left out. */
void acpi_host_init(const void *rsdp);
const struct acpi_info *acpi_host_info(void);

#endif
