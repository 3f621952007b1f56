/* dev/firmware/acpi_tables.h - the ACPI tables of the guest's PC: RSDP, RSDT, XSDT, FADT, FACS, MADT, DSDT. ACPI 5.0,
 * FADT revision 5. */
#ifndef VELLUM_DEV_ACPI_TABLES_H
#define VELLUM_DEV_ACPI_TABLES_H

#include "lib/base.h"

struct acpi_config {
	unsigned cpus;            /* APIC id of CPU n is n */
	/* window for PCI memory below 4 GiB: [base, end), page-aligned, above RAM; base == end: none */
	uint32_t pci_mem_base;
	uint32_t pci_mem_end;
	bool ps2;                 /* false: say that there is no 8042 */
	bool pci_irqs;            /* false: no PCI device has an interrupt pin */
};

#define ACPI_RSDP_SIZE 36u
#define ACPI_RSDP_V1_SIZE 20u /* of it, what ACPI 1.0 knows, and its first checksum covers */

/* Upper bound of what acpi_tables_build() needs for this many CPUs. */
#define ACPI_TABLES_SIZE(cpus) (8192u + 96u * (cpus))

/* Builds all tables, for life at guest-physical address gpa (a multiple of 64, below 4 GiB), into buf. The RSDP comes
 * first, so gpa must lie in 0xe0000-0xfffff for operating systems that search for it; 0: they are placed later
 * (dev/firmware/table_loader.h). config->cpus is at most 4096.
 * Returns the bytes used, or 0 when size is too small (buf then holds nothing of use). */
size_t acpi_tables_build(void *buf, size_t size, uint32_t gpa, const struct acpi_config *config);

#endif
