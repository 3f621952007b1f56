/* dev/firmware/smbios.h - the tables by which operating systems tell what machine they run on, as files of fw_cfg:
 * System Management BIOS (SMBIOS) Reference Specification, 2.8, "SMBIOS Structure Table Entry Point" and "Structure
 * definitions". The firmware adds its own structure (type 0) and decides where they are. */
#ifndef VELLUM_DEV_SMBIOS_H
#define VELLUM_DEV_SMBIOS_H

#include "lib/base.h"

#define SMBIOS_ANCHOR_FILE "etc/smbios/smbios-anchor"
#define SMBIOS_TABLES_FILE "etc/smbios/smbios-tables"
#define SMBIOS_ENTRY_POINT 31u /* bytes of the 32-bit entry point */
#define SMBIOS_TABLES_MAX 640u /* upper bound of what smbios_build() needs */

struct smbios_config {
	unsigned cpus;              /* 1 to 255, cores of one package */
	uint64_t low_ram, high_ram; /* bytes from 0, and from 4 GBytes, on */
	uint32_t cpu_signature;     /* CPUID leaf 1: EAX */
	uint32_t cpu_features;      /* EDX */
};

/* Builds the structures into tables, and into anchor the entry point, which has address 0. Returns the bytes of the
 * structures, 0 when size is too small (nothing is of use then). */
size_t smbios_build(void *tables, size_t size, uint8_t anchor[SMBIOS_ENTRY_POINT], const struct smbios_config *config);

#endif
