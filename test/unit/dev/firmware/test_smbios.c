/* SMBIOS: the entry point, its two checksums and its counts; the structures walked by their lengths and strings; what
 * each says of a machine small and large. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "dev/firmware/smbios.h"
#include "test/unit/dev/firmware/sum.h"

#define TYPES 128u

static uint8_t tables[SMBIOS_TABLES_MAX], anchor[SMBIOS_ENTRY_POINT];
static size_t used;
static unsigned of_type[TYPES], all;
static const uint8_t *last[TYPES]; /* structure of each type */

static uint64_t u64(const uint8_t *p) { return u32(p) | (uint64_t)u32(p + 4) << 32; }

/* The n-th string of a structure, from 1 on. */
static const char *text(const uint8_t *structure, unsigned n)
{
	const char *s = (const char *)structure + structure[1];

	while (--n)
		s += strlen(s) + 1;
	return s;
}

/* Behind a structure's strings, of which each number that it has is one. */
static const uint8_t *next(const uint8_t *p)
{
	const uint8_t *s = p + p[1];

	while (s[0] || s[1])
		assert_true(++s < tables + used);
	return s + 2;
}

static void walk(void)
{
	const uint8_t *p = tables;
	size_t largest = 0;

	memset(of_type, 0, sizeof(of_type));
	for (all = 0; p < tables + used; all++) {
		const uint8_t *end = next(p);

		assert_true(p[0] < TYPES && p[1] >= 4);
		for (unsigned type = 0; type < TYPES; type++) /* a handle is one structure's */
			assert_true(!of_type[type] || u16(last[type] + 2) != u16(p + 2));
		of_type[p[0]]++;
		last[p[0]] = p;
		if ((size_t)(end - p) > largest)
			largest = (size_t)(end - p);
		p = end;
	}
	assert_ptr_equal(p, tables + used);
	assert_int_equal(u16(anchor + 8), largest);
}

static void build(unsigned cpus, uint64_t low, uint64_t high)
{
	struct smbios_config config = { .cpus = cpus, .low_ram = low, .high_ram = high, .cpu_signature = 0x306c3,
					.cpu_features = 0x178bfbff };

	memset(tables, 0xaa, sizeof(tables));
	used = smbios_build(tables, sizeof(tables), anchor, &config);
	assert_true(used > 0 && used <= SMBIOS_TABLES_MAX);
	walk();
}

static void the_entry_point(void **state)
{
	(void)state;
	build(1, 64ull << 20, 0);
	assert_memory_equal(anchor, "_SM_", 4);
	assert_int_equal(anchor[5], sizeof(anchor));
	assert_int_equal(anchor[6], 2);
	assert_int_equal(anchor[7], 8);
	assert_memory_equal(anchor + 16, "_DMI_", 5);
	assert_int_equal(u16(anchor + 22), used);
	assert_int_equal(u32(anchor + 24), 0); /* the firmware's to say */
	assert_int_equal(u16(anchor + 28), all);
	assert_int_equal(anchor[30], 0x28);
	assert_true(sums_to_zero(anchor, sizeof(anchor)));
	assert_true(sums_to_zero(anchor + 16, sizeof(anchor) - 16));
}

/* Those that the specification requires ("Required structures and data"), but type 0, which is the firmware's; the last
 * is the end. */
static void what_there_is(void **state)
{
	static const struct { uint8_t type, length; } required[] = {
		{ 1, 27 }, { 3, 22 }, { 4, 42 }, { 16, 23 }, { 17, 40 }, { 19, 31 }, { 32, 11 }, { 127, 4 },
	};

	(void)state;
	build(4, 64ull << 20, 0);
	for (unsigned n = 0; n < ARRAY_SIZE(required); n++) {
		assert_int_equal(of_type[required[n].type], 1);
		assert_int_equal(last[required[n].type][1], required[n].length);
	}
	assert_int_equal(all, ARRAY_SIZE(required));
	assert_ptr_equal(last[127] + 4 + 2, tables + used);
	assert_string_equal(text(last[1], last[1][4]), "Vellum");
	assert_string_equal(text(last[1], last[1][5]), "Virtual PC");
	assert_string_equal(text(last[3], last[3][4]), "Vellum");
	assert_string_equal(text(last[4], last[4][4]), "CPU 0");
	assert_string_equal(text(last[17], last[17][0x10]), "DIMM 0");
}

static void processors(void **state)
{
	(void)state;
	build(32, 64ull << 20, 0);
	assert_int_equal(u32(last[4] + 8), 0x306c3);
	assert_int_equal(u32(last[4] + 12), 0x178bfbff);
	assert_int_equal(last[4][0x18], 0x41);
	for (unsigned at = 0x1a; at <= 0x1e; at += 2)
		assert_int_equal(u16(last[4] + at), 0xffff);
	assert_int_equal(last[4][0x23], 32);
	assert_int_equal(last[4][0x24], 32);
	assert_int_equal(last[4][0x25], 32);
}

static void little_memory(void **state)
{
	(void)state;
	build(1, 64ull << 20, 0);
	assert_int_equal(u32(last[16] + 7), 64 << 10);
	assert_int_equal(u16(last[16] + 13), 1);
	assert_int_equal(u16(last[17] + 4), u16(last[16] + 2)); /* of that array */
	assert_int_equal(u16(last[17] + 12), 64);
	assert_int_equal(u32(last[17] + 0x1c), 0);
	assert_int_equal(u32(last[19] + 4), 0);
	assert_int_equal(u32(last[19] + 8), (64 << 10) - 1);
	assert_int_equal(u16(last[19] + 12), u16(last[16] + 2));
}

/* Where sizes are wider than their fields, the extended ones have them. */
static void much_memory(void **state)
{
	(void)state;
	build(1, 3ull << 30, 1ull << 30);
	assert_int_equal(of_type[19], 2);
	assert_int_equal(u32(last[19] + 4), 4u << 20);
	assert_int_equal(u32(last[19] + 8), (5u << 20) - 1);
	assert_int_equal(u16(last[17] + 12), 4096);
	build(1, 3ull << 30, (5ull << 40) - (3ull << 30));
	assert_int_equal(u16(last[17] + 12), 0x7fff);
	assert_int_equal(u32(last[17] + 0x1c), 5u << 20);
	assert_int_equal(u32(last[16] + 7), 0x80000000);
	assert_int_equal(u64(last[16] + 15), 5ull << 40);
	assert_int_equal(u32(last[19] + 4), 0xffffffff);
	assert_int_equal(u32(last[19] + 8), 0xffffffff);
	assert_int_equal(u64(last[19] + 15), 4ull << 30);
	assert_int_equal(u64(last[19] + 23), (5ull << 40) + (1ull << 30) - 1);
}

static void without_room(void **state)
{
	struct smbios_config config = { .cpus = 1, .low_ram = 64ull << 20 };

	(void)state;
	build(1, 64ull << 20, 0);
	for (size_t size = 0; size < used; size++)
		assert_int_equal(smbios_build(tables, size, anchor, &config), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_entry_point), cmocka_unit_test(what_there_is), cmocka_unit_test(processors),
		cmocka_unit_test(little_memory), cmocka_unit_test(much_memory), cmocka_unit_test(without_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
