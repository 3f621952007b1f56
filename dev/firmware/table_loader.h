/* dev/firmware/table_loader.h - ACPI tables for a firmware that puts them where it likes: the file etc/table-loader of
 * fw_cfg, whose commands have it allocate memory for the files etc/acpi/rsdp and etc/acpi/tables, make the pointers in
 * them addresses, and mend the checksums. QEMU, hw/acpi/bios-linker-loader.c: "BIOS Linker Loader".
 *
 * TL1  A checksum that a command makes is 0 before: one firmware subtracts the sum from it, another puts the sum's
 *      complement there. */
#ifndef VELLUM_DEV_TABLE_LOADER_H
#define VELLUM_DEV_TABLE_LOADER_H

#include "lib/base.h"

#define TABLE_LOADER_ENTRY 128u
#define TABLE_LOADER_FILE 56u
#define TABLE_LOADER_MAX 32u /* commands */
#define TABLE_LOADER_RSDP "etc/acpi/rsdp"
#define TABLE_LOADER_TABLES "etc/acpi/tables"

enum table_loader_command { TABLE_LOADER_ALLOCATE = 1, TABLE_LOADER_POINTER, TABLE_LOADER_CHECKSUM };
enum table_loader_zone { TABLE_LOADER_HIGH = 1, TABLE_LOADER_FSEG };

/* One command, little-endian. */
struct table_loader_entry {
	uint32_t command;
	union {
		struct {
			char file[TABLE_LOADER_FILE];
			uint32_t align;
			uint8_t zone;
		} __attribute__((packed)) allocate;
		struct { /* the value of size bytes at offset in file becomes an address in to */
			char file[TABLE_LOADER_FILE], to[TABLE_LOADER_FILE];
			uint32_t offset;
			uint8_t size;
		} __attribute__((packed)) pointer;
		struct { /* the byte at offset makes the sum of [start, start + length) 0 */
			char file[TABLE_LOADER_FILE];
			uint32_t offset, start, length;
		} __attribute__((packed)) checksum;
		uint8_t room[TABLE_LOADER_ENTRY - 4];
	};
} __attribute__((packed));

/* The commands for tables that acpi_tables_build() has built for address 0, whose checksums it takes out: the file of
 * the tables is all of that, the file of the RSDP its first 36 bytes. Returns their number, 0: these are no such
 * tables. */
unsigned table_loader_build(void *tables, size_t size, struct table_loader_entry out[TABLE_LOADER_MAX]);

#endif
