/* The script of ACPI tables (dev/firmware/table_loader.c): carried out as a firmware does, it makes of tables that were
 * built for address 0 those that are built for where they come to lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "dev/firmware/acpi_tables.h"
#include "dev/firmware/table_loader.h"

#define SIZE 0x4000
#define TABLES_AT 0x0ffe0000u

static uint8_t tables[SIZE], rsdp[ACPI_RSDP_SIZE], wanted[SIZE];

static uint8_t *file(const char *name, size_t *size)
{
	bool first = strcmp(name, TABLE_LOADER_RSDP) == 0;

	assert_true(first || strcmp(name, TABLE_LOADER_TABLES) == 0);
	*size = first ? sizeof(rsdp) : sizeof(tables);
	return first ? rsdp : tables;
}

static uint8_t sum(const uint8_t *p, size_t n)
{
	uint8_t s = 0;

	while (n--)
		s = (uint8_t)(s + *p++);
	return s;
}

static void carry_out(const struct table_loader_entry *e)
{
	uint64_t value = 0;
	uint8_t *p;
	size_t size;

	switch (e->command) {
	case TABLE_LOADER_ALLOCATE:
		file(e->allocate.file, &size);
		assert_int_equal(e->allocate.align & (e->allocate.align - 1), 0);
		break;
	case TABLE_LOADER_POINTER:
		p = file(e->pointer.file, &size);
		assert_string_equal(e->pointer.to, TABLE_LOADER_TABLES);
		assert_true(e->pointer.offset + e->pointer.size <= size);
		memcpy(&value, p + e->pointer.offset, e->pointer.size);
		value += TABLES_AT;
		memcpy(p + e->pointer.offset, &value, e->pointer.size);
		break;
	case TABLE_LOADER_CHECKSUM:
		p = file(e->checksum.file, &size);
		assert_true(e->checksum.start + e->checksum.length <= size);
		assert_int_equal(p[e->checksum.offset], 0); /* TL1 */
		p[e->checksum.offset] =
			(uint8_t)(p[e->checksum.offset] - sum(p + e->checksum.start, e->checksum.length));
		break;
	default: fail();
	}
}

static void test_as_built_there(void **state)
{
	static struct table_loader_entry script[TABLE_LOADER_MAX];

	(void)state;
	for (unsigned cpus = 1; cpus <= 32; cpus *= 2) {
		struct acpi_config config = { .cpus = cpus, .pci_mem_base = 0xc0000000, .pci_mem_end = 0xfec00000,
					      .ps2 = true, .pci_irqs = true };
		size_t n = acpi_tables_build(tables, sizeof(tables), 0, &config);
		unsigned count;

		assert_int_not_equal(n, 0);
		assert_int_equal(acpi_tables_build(wanted, sizeof(wanted), TABLES_AT, &config), n);
		count = table_loader_build(tables, n, script);
		memcpy(rsdp, tables, sizeof(rsdp));
		assert_true(count > 10 && count <= TABLE_LOADER_MAX);
		for (unsigned i = 0; i < count; i++)
			carry_out(&script[i]);
		assert_memory_equal(tables + ACPI_RSDP_SIZE, wanted + ACPI_RSDP_SIZE, n - ACPI_RSDP_SIZE);
		assert_memory_equal(rsdp, wanted, sizeof(rsdp));
	}
}

static void test_what_is_no_table(void **state)
{
	static struct table_loader_entry script[TABLE_LOADER_MAX];
	struct acpi_config config = { .cpus = 1 };
	size_t n = acpi_tables_build(tables, sizeof(tables), 0, &config);

	(void)state;
	memcpy(rsdp, "RSD PTR ", 8);
	assert_int_equal(table_loader_build(rsdp, 8, script), 0);
	for (size_t cut = 0; cut < n; cut += 7) {
		uint8_t *copy = malloc(cut ? cut : 1);

		memcpy(copy, tables, cut);
		if (table_loader_build(copy, cut, script)) /* all that it looks at is there */
			assert_true(cut > n / 2);
		free(copy);
	}
	tables[0] = 'r';
	assert_int_equal(table_loader_build(tables, n, script), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_as_built_there),
					    cmocka_unit_test(test_what_is_no_table) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
