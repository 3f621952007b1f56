/* dev/firmware/acpi_writer.c - bytes, table headers, AML. */
#include "dev/firmware/acpi_writer.h"

#define HEADER_LENGTH_AT 4
#define HEADER_CHECKSUM_AT 9

#define AML_NAME 0x08u
#define AML_BYTE 0x0au
#define AML_WORD 0x0bu
#define AML_DWORD 0x0cu
#define AML_STRING 0x0du
#define AML_SCOPE 0x10u
#define AML_BUFFER 0x11u
#define AML_PACKAGE 0x12u
#define AML_EXT 0x5bu
#define AML_EXT_DEVICE 0x82u
#define AML_ROOT '\\'

/* Resource descriptors. */
#define RES_IRQ 0x22u    /* small, two bytes */
#define RES_IO 0x47u     /* small, seven bytes */
#define RES_END 0x79u    /* small, one byte: a checksum, 0 for "do not check" */
#define RES_DWORD 0x87u  /* large: address space, 32-bit */
#define RES_WORD 0x88u   /* large: address space, 16-bit */
#define SPACE_MEMORY 0u
#define SPACE_IO 1u
#define SPACE_BUS 2u
#define SPACE_FIXED 0x0cu      /* minimum and maximum are fixed; positive decode; producer */
#define SPACE_IO_ENTIRE 0x03u  /* ISA and non-ISA addresses */
#define SPACE_MEMORY_RW 0x01u  /* writable, not cacheable */

/* ---- bytes ---- */

void put_bytes(struct acpi_writer *w, const void *bytes, size_t n)
{
	if (w->full || w->size - w->used < n) {
		w->full = true;
		return;
	}
	memcpy(w->buf + w->used, bytes, n);
	w->used += n;
}

void put8(struct acpi_writer *w, uint8_t v)
{
	put_bytes(w, &v, 1);
}

void put_zeros(struct acpi_writer *w, size_t n)
{
	for (; n && !w->full; n--)
		put8(w, 0);
}

void put16(struct acpi_writer *w, uint16_t v)
{
	put8(w, (uint8_t)v);
	put8(w, (uint8_t)(v >> 8));
}

void put32(struct acpi_writer *w, uint32_t v)
{
	put16(w, (uint16_t)v);
	put16(w, (uint16_t)(v >> 16));
}

void put64(struct acpi_writer *w, uint64_t v)
{
	put32(w, (uint32_t)v);
	put32(w, (uint32_t)(v >> 32));
}

void put_align(struct acpi_writer *w, size_t align)
{
	put_zeros(w, align_up(w->used, align) - w->used);
}

static void overwrite32(struct acpi_writer *w, size_t offset, uint32_t v)
{
	if (w->full)
		return;
	for (unsigned i = 0; i < 4; i++)
		w->buf[offset + i] = (uint8_t)(v >> 8 * i);
}

void patch_checksum(struct acpi_writer *w, size_t offset, size_t n, size_t checksum_at)
{
	uint8_t sum = 0;
	if (w->full)
		return;
	w->buf[checksum_at] = 0;
	for (size_t i = 0; i < n; i++)
		sum = (uint8_t)(sum + w->buf[offset + i]);
	w->buf[checksum_at] = (uint8_t)-sum;
}

/* ---- tables ---- */

size_t table_begin(struct acpi_writer *w, const char signature[4], uint8_t revision)
{
	put_align(w, 16);
	size_t table = w->used;
	put_bytes(w, signature, 4);
	put32(w, 0); /* length */
	put8(w, revision);
	put8(w, 0); /* checksum */
	put_bytes(w, "VELLUM", 6);
	put_bytes(w, "VELLUMPC", 8);
	put32(w, 1);
	put_bytes(w, "VLLM", 4);
	put32(w, 1);
	return table;
}

void table_end(struct acpi_writer *w, size_t table)
{
	overwrite32(w, table + HEADER_LENGTH_AT, (uint32_t)(w->used - table));
	patch_checksum(w, table, w->used - table, table + HEADER_CHECKSUM_AT);
}

/* ---- AML ---- */

/* PkgLength is written in its three-byte form always: bits 3..0 and "two bytes follow", then bits 11..4 and 19..12. It
 * counts itself and everything up to the end. */
static size_t length_begin(struct acpi_writer *w)
{
	size_t begin = w->used;
	put_zeros(w, 3);
	return begin;
}

void aml_end(struct acpi_writer *w, size_t begin)
{
	size_t length = w->used - begin;
	if (w->full)
		return;
	w->buf[begin] = (uint8_t)(0x80 | (length & 15));
	w->buf[begin + 1] = (uint8_t)(length >> 4);
	w->buf[begin + 2] = (uint8_t)(length >> 12);
}

size_t aml_device_begin(struct acpi_writer *w, const char name[4])
{
	put8(w, AML_EXT);
	put8(w, AML_EXT_DEVICE);
	size_t begin = length_begin(w);
	put_bytes(w, name, 4);
	return begin;
}

size_t aml_scope_begin(struct acpi_writer *w, const char name[4])
{
	put8(w, AML_SCOPE);
	size_t begin = length_begin(w);
	put8(w, AML_ROOT);
	put_bytes(w, name, 4);
	return begin;
}

size_t aml_package_begin(struct acpi_writer *w, uint8_t elements)
{
	put8(w, AML_PACKAGE);
	size_t begin = length_begin(w);
	put8(w, elements);
	return begin;
}

void aml_name(struct acpi_writer *w, const char name[4])
{
	put8(w, AML_NAME);
	put_bytes(w, name, 4);
}

void aml_integer(struct acpi_writer *w, uint32_t v)
{
	if (v <= 1) { /* ZeroOp, OneOp */
		put8(w, (uint8_t)v);
	} else if (v <= 0xff) {
		put8(w, AML_BYTE);
		put8(w, (uint8_t)v);
	} else if (v <= 0xffff) {
		put8(w, AML_WORD);
		put16(w, (uint16_t)v);
	} else {
		put8(w, AML_DWORD);
		put32(w, v);
	}
}

void aml_string(struct acpi_writer *w, const char *s)
{
	put8(w, AML_STRING);
	put_bytes(w, s, strlen(s) + 1);
}

static unsigned hex_digit(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'A' + 10);
}

/* Three letters of five bits, four hexadecimal digits; the most significant byte first. */
void aml_eisa_id(struct acpi_writer *w, const char id[7])
{
	uint32_t v = 0;
	for (unsigned i = 0; i < 3; i++)
		v = v << 5 | ((uint32_t)(id[i] - '@') & 31);
	for (unsigned i = 3; i < 7; i++)
		v = v << 4 | hex_digit(id[i]);
	put8(w, AML_DWORD);
	for (unsigned i = 4; i--;)
		put8(w, (uint8_t)(v >> 8 * i));
}

/* BufferOp PkgLength BufferSize ByteList; the size is a word constant that is filled in at the end. */
size_t aml_resources_begin(struct acpi_writer *w)
{
	put8(w, AML_BUFFER);
	size_t begin = length_begin(w);
	put8(w, AML_WORD);
	put16(w, 0);
	return begin;
}

void aml_resources_end(struct acpi_writer *w, size_t begin)
{
	put8(w, RES_END);
	put8(w, 0);
	size_t first = begin + 6, size = w->used - first;
	if (!w->full) {
		w->buf[first - 2] = (uint8_t)size;
		w->buf[first - 1] = (uint8_t)(size >> 8);
	}
	aml_end(w, begin);
}

void aml_io(struct acpi_writer *w, uint16_t base, uint8_t count)
{
	put8(w, RES_IO);
	put8(w, 1); /* decodes 16 bits */
	put16(w, base);
	put16(w, base);
	put8(w, 1);
	put8(w, count);
}

void aml_irq(struct acpi_writer *w, unsigned irq)
{
	put8(w, RES_IRQ);
	put16(w, (uint16_t)(1u << irq));
}

static void word_window(struct acpi_writer *w, uint8_t space, uint8_t flags, uint16_t first, uint16_t last)
{
	put8(w, RES_WORD);
	put16(w, 13);
	put8(w, space);
	put8(w, SPACE_FIXED);
	put8(w, flags);
	put16(w, 0); /* granularity */
	put16(w, first);
	put16(w, last);
	put16(w, 0); /* translation */
	put16(w, (uint16_t)(last - first + 1));
}

void aml_bus_window(struct acpi_writer *w, uint16_t first, uint16_t last)
{
	word_window(w, SPACE_BUS, 0, first, last);
}

void aml_io_window(struct acpi_writer *w, uint16_t first, uint16_t last)
{
	word_window(w, SPACE_IO, SPACE_IO_ENTIRE, first, last);
}

void aml_memory_window(struct acpi_writer *w, uint32_t first, uint32_t last)
{
	put8(w, RES_DWORD);
	put16(w, 23);
	put8(w, SPACE_MEMORY);
	put8(w, SPACE_FIXED);
	put8(w, SPACE_MEMORY_RW);
	put32(w, 0);
	put32(w, first);
	put32(w, last);
	put32(w, 0);
	put32(w, last - first + 1);
}
