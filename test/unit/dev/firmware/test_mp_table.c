/* The MP table: found, checksummed, its entries counted and walked by their types' sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "test/unit/dev/firmware/sum.h"
#include "dev/firmware/acpi_pm.h"
#include "dev/irq/ioapic.h"
#include "dev/firmware/mp_table.h"

#define GPA 0xf0000u

static uint8_t image[MP_TABLE_SIZE(240)];
static size_t used;


static void build(unsigned cpus)
{
	struct mp_config config = { .cpus = cpus, .cpu_signature = 0x306c3, .cpu_features = 0x178bfbff };

	used = mp_table_build(image, sizeof(image), GPA, &config);
	assert_true(used > 0 && used <= MP_TABLE_SIZE(cpus));
}

static void test_headers(void **state)
{
	(void)state;
	build(1);
	assert_memory_equal(image, "_MP_", 4);
	assert_true(sums_to_zero(image, 16));
	assert_int_equal(u32(image + 4), GPA + 16);
	assert_int_equal(image[8], 1);
	assert_int_equal(image[9], 4);
	assert_int_equal(image[11], 0); /* no default configuration: there is a table */
	assert_memory_equal(image + 16, "PCMP", 4);
	assert_int_equal(u16(image + 20), used - 16);
	assert_true(sums_to_zero(image + 16, used - 16));
	assert_int_equal(u32(image + 16 + 36), LAPIC_DEFAULT_BASE);
}

/* Returns the number of entries of a type; last: the last of them. */
static unsigned entries(unsigned type, const uint8_t **last)
{
	static const unsigned size[] = { 20, 8, 8, 8, 8 };
	const uint8_t *p = image + 16 + 44, *end = image + used;
	unsigned found = 0, all = 0;

	for (; p < end; p += size[p[0]], all++) {
		assert_true(p[0] < 5);
		if (p[0] == type) {
			found++;
			*last = p;
		}
	}
	assert_ptr_equal(p, end);
	assert_int_equal(all, u16(image + 16 + 34));
	return found;
}

static void test_entries(void **state)
{
	const uint8_t *e = NULL;

	(void)state;
	for (unsigned cpus = 1; cpus <= 240; cpus += 239) {
		build(cpus);
		assert_int_equal(entries(0, &e), cpus);
		assert_int_equal(e[1], cpus - 1);
		assert_int_equal(e[3], cpus == 1 ? 3 : 1);
		assert_int_equal(u32(e + 4), 0x306c3);
		assert_int_equal(u32(e + 8), 0x178bfbff);
		assert_int_equal(entries(1, &e), 2);
		assert_memory_equal(e + 2, "ISA   ", 6);
		assert_int_equal(entries(2, &e), 1);
		assert_int_equal(u32(e + 4), IOAPIC_BASE);
		assert_int_equal(entries(3, &e), 15);
		assert_int_equal(entries(4, &e), 2);
		assert_int_equal(e[1], 1); /* NMI */
		assert_int_equal(e[7], 1); /* at LINT1 */
	}
}

/* IRQ 0 at pin 2, the SCI by level, all others at their own pins. */
static void test_routing(void **state)
{
	unsigned pins = 0;

	(void)state;
	build(1);
	for (const uint8_t *p = image + 16 + 44 + 20 + 8 + 8 + 8; p < image + used && p[0] == 3; p += 8) {
		assert_int_equal(p[7], p[5] ? p[5] : 2);
		assert_int_equal(u16(p + 2), p[5] == ACPI_SCI_IRQ ? 0x0d : 0);
		assert_false(pins & 1u << p[7]);
		pins |= 1u << p[7];
	}
	assert_int_equal(pins, 0xfffe);
}

static void test_limits(void **state)
{
	struct mp_config config = { .cpus = 1 };
	uint8_t *small = malloc(MP_TABLE_SIZE(1) - 1);

	(void)state;
	assert_int_equal(mp_table_build(small, MP_TABLE_SIZE(1) - 1, GPA, &config), 0);
	config.cpus = 0;
	assert_int_equal(mp_table_build(image, sizeof(image), GPA, &config), 0);
	config.cpus = 241;
	assert_int_equal(mp_table_build(image, sizeof(image), GPA, &config), 0);
	free(small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_routing),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
