/* dev/firmware/table_loader.c - the script that a firmware places ACPI tables by. ACPI specification, "Root System
 * Description Pointer (RSDP)", "Fixed ACPI Description Table (FADT)". */
#include "dev/firmware/table_loader.h"

#include "dev/firmware/acpi_tables.h"
#include "lib/mutants/mutate.h"

#define RSDP_RSDT 16u
#define RSDP_XSDT 24u
#define HEADER_SIZE 36u
#define HEADER_CHECKSUM 9u
#define FADT_FACS 36u
#define FADT_DSDT 40u
#define FADT_X_DSDT 140u

struct script {
	uint8_t *tables;
	size_t size;
	struct table_loader_entry *out;
	unsigned count;
	bool failed;
	struct table_loader_entry spare; /* what does not fit */
};

static struct table_loader_entry *next(struct script *s, enum table_loader_command command)
{
	struct table_loader_entry *e = &s->spare;

	if (s->count == TABLE_LOADER_MAX)
		s->failed = true;
	else
		e = &s->out[s->count++];
	memset(e, 0, sizeof(*e));
	e->command = command;
	return e;
}

static void allocate(struct script *s, const char *file, uint32_t align, enum table_loader_zone zone)
{
	struct table_loader_entry *e = next(s, TABLE_LOADER_ALLOCATE);

	memcpy(e->allocate.file, file, strlen(file));
	e->allocate.align = align;
	e->allocate.zone = (uint8_t)zone;
}

static void pointer(struct script *s, const char *file, uint32_t offset, uint8_t size)
{
	struct table_loader_entry *e = next(s, TABLE_LOADER_POINTER);

	memcpy(e->pointer.file, file, strlen(file));
	memcpy(e->pointer.to, TABLE_LOADER_TABLES, strlen(TABLE_LOADER_TABLES));
	e->pointer.offset = offset;
	e->pointer.size = size;
}

/* TL1: the first bytes of the tables are the file of the RSDP. */
static void checksum(struct script *s, const char *file, uint32_t offset, uint32_t start, uint32_t length)
{
	struct table_loader_entry *e = next(s, TABLE_LOADER_CHECKSUM);

	memcpy(e->checksum.file, file, strlen(file));
	e->checksum.offset = offset;
	e->checksum.start = start;
	e->checksum.length = length;
	if (offset < s->size)
		VM_MUTANT(LOADER_CHECKSUM, s->tables[offset] = 0);
}

static uint32_t word(struct script *s, size_t at)
{
	uint32_t v = 0;

	if (at + sizeof(v) > s->size)
		s->failed = true;
	else
		memcpy(&v, s->tables + at, sizeof(v));
	return v;
}

static void fadt(struct script *s, uint32_t at)
{
	uint32_t length = word(s, at + 4);

	pointer(s, TABLE_LOADER_TABLES, at + FADT_FACS, 4);
	pointer(s, TABLE_LOADER_TABLES, at + FADT_DSDT, 4);
	pointer(s, TABLE_LOADER_TABLES, at + FADT_X_DSDT, 8);
	checksum(s, TABLE_LOADER_TABLES, at + HEADER_CHECKSUM, at, length);
}

/* RSDT and XSDT: pointers behind the header. */
static void root(struct script *s, uint32_t at, uint8_t size)
{
	uint32_t length = word(s, at + 4);

	for (uint32_t n = HEADER_SIZE; n + size <= length && !s->failed; n += size) {
		uint32_t table = word(s, at + n);

		if (size == 4 && table + 4 <= s->size && memcmp(s->tables + table, "FACP", 4) == 0)
			fadt(s, table);
		pointer(s, TABLE_LOADER_TABLES, at + n, size);
	}
	checksum(s, TABLE_LOADER_TABLES, at + HEADER_CHECKSUM, at, length);
}

unsigned table_loader_build(void *tables, size_t size, struct table_loader_entry out[TABLE_LOADER_MAX])
{
	struct script s = { .tables = tables, .size = size, .out = out };

	_Static_assert(sizeof(struct table_loader_entry) == TABLE_LOADER_ENTRY, "as a firmware reads it");
	if (size < ACPI_RSDP_SIZE || memcmp(tables, "RSD PTR ", 8) != 0)
		return 0;
	allocate(&s, TABLE_LOADER_RSDP, 16, TABLE_LOADER_FSEG);
	allocate(&s, TABLE_LOADER_TABLES, 64, TABLE_LOADER_HIGH);
	root(&s, word(&s, RSDP_RSDT), 4);
	root(&s, word(&s, RSDP_XSDT), 8);
	pointer(&s, TABLE_LOADER_RSDP, RSDP_RSDT, 4);
	pointer(&s, TABLE_LOADER_RSDP, RSDP_XSDT, 8);
	checksum(&s, TABLE_LOADER_RSDP, 8, 0, ACPI_RSDP_V1_SIZE);
	checksum(&s, TABLE_LOADER_RSDP, 32, 0, ACPI_RSDP_SIZE);
	return s.failed ? 0 : s.count;
}
