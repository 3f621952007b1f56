/* dev/firmware/acpi_writer.h - writes little-endian bytes into a buffer of fixed size, and remembers when it did not
 * suffice; and the encoding of AML's few objects that a description of hardware needs. ACPI specification, "AML Byte
 * Stream Byte Values". */
#ifndef VELLUM_DEV_ACPI_WRITER_H
#define VELLUM_DEV_ACPI_WRITER_H

#include "lib/base.h"

/* For whose local APIC an entry of the MADT, and one of the MP table, is. */
#define ACPI_ALL_CPUS 0xffu

struct acpi_writer {
	uint8_t *buf;
	size_t size, used;
	uint32_t gpa; /* of buf[0] */
	bool full;    /* something did not fit; what is in buf is of no use */
};

/* Each writes behind what is there, or sets full and writes nothing. */
void put_bytes(struct acpi_writer *w, const void *bytes, size_t n);
void put_zeros(struct acpi_writer *w, size_t n);
void put8(struct acpi_writer *w, uint8_t v);
void put16(struct acpi_writer *w, uint16_t v);
void put32(struct acpi_writer *w, uint32_t v);
void put64(struct acpi_writer *w, uint64_t v);
void put_align(struct acpi_writer *w, size_t align);
/* Makes the bytes from offset, n of them, sum to 0 by the one at checksum_at. */
void patch_checksum(struct acpi_writer *w, size_t offset, size_t n, size_t checksum_at);

/* ---- system description tables ---- */

/* The 36-byte header. Returns the table's offset, for table_end(), which fills in length and checksum. */
size_t table_begin(struct acpi_writer *w, const char signature[4], uint8_t revision);
void table_end(struct acpi_writer *w, size_t table);

/* ---- AML; names have exactly four characters ---- */

/* A construct that carries its length: begin writes the opcode and leaves room, end fills it in. */
size_t aml_device_begin(struct acpi_writer *w, const char name[4]);
size_t aml_scope_begin(struct acpi_writer *w, const char name[4]); /* of the root */
size_t aml_package_begin(struct acpi_writer *w, uint8_t elements);
void aml_end(struct acpi_writer *w, size_t begin);

/* Name (name, ...): the object follows. */
void aml_name(struct acpi_writer *w, const char name[4]);
void aml_integer(struct acpi_writer *w, uint32_t v);
void aml_string(struct acpi_writer *w, const char *s);
/* An EISA id such as "PNP0A03", compressed. */
void aml_eisa_id(struct acpi_writer *w, const char id[7]);

/* Buffer () { resource descriptors }, as an object. */
size_t aml_resources_begin(struct acpi_writer *w);
void aml_resources_end(struct acpi_writer *w, size_t begin);
void aml_io(struct acpi_writer *w, uint16_t base, uint8_t count);
void aml_irq(struct acpi_writer *w, unsigned irq); /* edge-triggered, active high, exclusive */
/* Windows that a bridge passes on: bus numbers, ports, memory; first and last inclusive. */
void aml_bus_window(struct acpi_writer *w, uint16_t first, uint16_t last);
void aml_io_window(struct acpi_writer *w, uint16_t first, uint16_t last);
void aml_memory_window(struct acpi_writer *w, uint32_t first, uint32_t last);

/* The body of the DSDT (dev/firmware/acpi_dsdt.c). */
struct acpi_config;
void acpi_dsdt(struct acpi_writer *w, const struct acpi_config *config);

#endif
