/* The ACPI tables: found, linked, checksummed; AML whose lengths nest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "test/unit/dev/firmware/sum.h"
#include "dev/firmware/acpi_tables.h"
#include "dev/firmware/acpi_writer.h"
#include "lib/apic.h"

#define GPA 0xe0000u

static uint8_t *image;
static size_t used;


static void build(unsigned cpus)
{
	struct acpi_config config = { .cpus = cpus, .pci_mem_base = 0x10000000, .pci_mem_end = IOAPIC_BASE };
	size_t size = ACPI_TABLES_SIZE(cpus);
	free(image);
	image = malloc(size);
	used = acpi_tables_build(image, size, GPA, &config);
	assert_true(used > 0 && used <= size);
	for (size_t small = 0; small < used; small += small < 200 ? 1 : 97) { /* never past the end of a small buffer */
		uint8_t *buf = malloc(small ? small : 1);
		assert_int_equal(acpi_tables_build(buf, small, GPA, &config), 0);
		free(buf);
	}
}

static const uint8_t *at(uint32_t gpa)
{
	assert_true(gpa >= GPA && gpa - GPA + 8 <= used);
	return image + (gpa - GPA);
}

static const uint8_t *table(uint32_t gpa, const char *signature)
{
	const uint8_t *t = at(gpa);
	assert_memory_equal(t, signature, 4);
	assert_true(gpa - GPA + u32(t + 4) <= used);
	assert_true(sums_to_zero(t, u32(t + 4)));
	assert_memory_equal(t + 10, "VELLUM", 6);
	return t;
}

static const uint8_t *xsdt_entry(unsigned n, const char *signature)
{
	const uint8_t *xsdt = table(u32(image + 24), "XSDT"), *rsdt = table(u32(image + 16), "RSDT");
	assert_int_equal(u32(xsdt + 4), 36 + 2 * 8);
	assert_int_equal(u32(rsdt + 4), 36 + 2 * 4);
	assert_int_equal(u32(xsdt + 36 + 8 * n + 4), 0);
	assert_int_equal(u32(xsdt + 36 + 8 * n), u32(rsdt + 36 + 4 * n));
	return table(u32(xsdt + 36 + 8 * n), signature);
}

static void test_rsdp(void **state)
{
	(void)state;
	build(1);
	assert_memory_equal(image, "RSD PTR ", 8);
	assert_true(sums_to_zero(image, 20));
	assert_true(sums_to_zero(image, 36));
	assert_int_equal(image[15], 2);
	assert_int_equal(u32(image + 20), 36);
}

static void test_fadt(void **state)
{
	(void)state;
	build(2);
	const uint8_t *fadt = xsdt_entry(0, "FACP");
	assert_int_equal(u32(fadt + 4), 268);
	assert_int_equal(fadt[8], 5);
	const uint8_t *facs = at(u32(fadt + 36));
	assert_memory_equal(facs, "FACS", 4);
	assert_int_equal(u32(facs + 4), 64);
	assert_int_equal(u32(fadt + 36) % 64, 0);
	assert_int_equal(u32(fadt + 40), u32(fadt + 140)); /* DSDT and X_DSDT */
	table(u32(fadt + 40), "DSDT");
	assert_int_equal(u16(fadt + 46), 9);
	assert_int_equal(u32(fadt + 48), 0); /* no SMI command port */
	assert_int_equal(u32(fadt + 56), 0x600);
	assert_int_equal(u32(fadt + 64), 0x604);
	assert_int_equal(u32(fadt + 76), 0x608);
	assert_int_equal(u32(fadt + 80), 0x620);
	assert_int_equal(fadt[88], 4);
	assert_int_equal(fadt[89], 2);
	assert_int_equal(fadt[91], 4);
	assert_int_equal(fadt[92], 4);
	assert_int_equal(fadt[108], 0x32);
	assert_int_equal(u16(fadt + 109), 0x5);
	assert_int_equal(u32(fadt + 112) & (1 << 10 | 1 << 8 | 1), 1 << 10 | 1 << 8 | 1);
	assert_int_equal(fadt[116], 1);
	assert_int_equal(u32(fadt + 120), 0xcf9);
	assert_int_equal(fadt[128], 6);
	static const struct {
		unsigned at, port, bits;
	} blocks[] = { { 148, 0x600, 32 }, { 172, 0x604, 16 }, { 208, 0x608, 32 }, { 220, 0x620, 32 } };
	for (unsigned i = 0; i < ARRAY_SIZE(blocks); i++) {
		const uint8_t *gas = fadt + blocks[i].at;
		assert_int_equal(gas[0], 1);
		assert_int_equal(gas[1], blocks[i].bits);
		assert_int_equal(u32(gas + 4), blocks[i].port);
	}
}

static void test_madt(void **state)
{
	static const unsigned counts[] = { 1, 4, 64, 255, 256, 300 };
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		unsigned seen[10] = { 0 }, cpus = counts[i];
		build(cpus);
		const uint8_t *madt = xsdt_entry(1, "APIC"), *end = madt + u32(madt + 4);
		assert_int_equal(u32(madt + 36), LAPIC_DEFAULT_BASE);
		for (const uint8_t *e = madt + 44; e < end; e += e[1]) {
			assert_in_range(e[0], 0, 9);
			assert_true(e[1] >= 6 && e + e[1] <= end);
			if (e[0] == 0) {
				assert_int_equal(e[3], seen[0]);
				assert_int_equal(u32(e + 4), 1);
			} else if (e[0] == 9) {
				assert_int_equal(u32(e + 4), seen[0] + seen[9]);
				assert_int_equal(u32(e + 12), seen[0] + seen[9]);
			} else if (e[0] == 1) {
				assert_int_equal(u32(e + 4), IOAPIC_BASE);
				assert_int_equal(u32(e + 8), 0);
			} else if (e[0] == 2) {
				assert_int_equal(e[3], seen[2] ? 9 : 0);
				assert_int_equal(u32(e + 4), seen[2] ? 9 : 2);
				assert_int_equal(u16(e + 8), seen[2] ? 0xd : 0);
			}
			seen[e[0]]++;
		}
		assert_int_equal(seen[0] + seen[9], cpus);
		assert_int_equal(seen[9], cpus > 255 ? cpus - 255 : 0);
		assert_int_equal(seen[1], 1);
		assert_int_equal(seen[2], 2);
		assert_int_equal(seen[4], 1);
	}
}

/* ---- a reader of the AML that the encoder can write ---- */

static unsigned devices, names;

static size_t pkg_length(const uint8_t *p, size_t *prefix)
{
	unsigned more = p[0] >> 6;
	size_t length = more ? p[0] & 15 : p[0] & 63;
	for (unsigned i = 0; i < more; i++)
		length |= (size_t)p[1 + i] << (4 + 8 * i);
	*prefix = 1 + more;
	return length;
}

/* Resource descriptors up to the end tag fill [p, end) exactly. */
static void check_resources(const uint8_t *p, const uint8_t *end)
{
	while (p < end && p[0] != 0x79)
		p += p[0] & 0x80 ? 3 + u16(p + 1) : 1 + (p[0] & 7);
	assert_ptr_equal(p + 2, end);
}

static const uint8_t *object(const uint8_t *p, const uint8_t *end);

static void check_list(const uint8_t *p, const uint8_t *end)
{
	while (p < end)
		p = object(p, end);
	assert_ptr_equal(p, end);
}

static const uint8_t *package_like(const uint8_t *p, const uint8_t *end, unsigned op)
{
	size_t prefix, length = pkg_length(p, &prefix);
	const uint8_t *stop = p + length;
	assert_true(stop <= end);
	p += prefix;
	if (op == 0x12) {
		unsigned elements = *p++, n = 0;
		while (p < stop) {
			p = object(p, stop);
			n++;
		}
		assert_int_equal(n, elements);
	} else if (op == 0x11) {
		assert_int_equal(p[0], 0x0b);
		assert_int_equal(u16(p + 1), stop - (p + 3));
		check_resources(p + 3, stop);
	} else {
		p += op == 0x10 ? 5 : 4;
		devices += op == 0x82;
		check_list(p, stop);
	}
	return stop;
}

static const uint8_t *object(const uint8_t *p, const uint8_t *end)
{
	assert_true(p < end);
	switch (*p) {
	case 0x00:
	case 0x01: return p + 1;
	case 0x08: names++; return object(p + 5, end);
	case 0x0a: return p + 2;
	case 0x0b: return p + 3;
	case 0x0c: return p + 5;
	case 0x0d: return p + 1 + strlen((const char *)p + 1) + 1;
	case 0x10:
	case 0x11:
	case 0x12: return package_like(p + 1, end, *p);
	case 0x5b: assert_int_equal(p[1], 0x82); return package_like(p + 2, end, 0x82);
	default: fail_msg("unknown AML byte %02x", *p); return end;
	}
}

static bool contains(const uint8_t *p, size_t n, const void *what, size_t m)
{
	for (size_t i = 0; i + m <= n; i++)
		if (!memcmp(p + i, what, m))
			return true;
	return false;
}

static void test_dsdt(void **state)
{
	static const uint8_t s5[] = { 0x08, '_', 'S', '5', '_', 0x12, 0x88, 0x00, 0x00, 4, 0x0a, 5, 0x0a, 5, 0, 0 };
	static const uint8_t pci[] = { 0x0c, 0x41, 0xd0, 0x0a, 0x03 }, com[] = { 0x0c, 0x41, 0xd0, 0x05, 0x01 },
		rtc[] = { 0x0c, 0x41, 0xd0, 0x0b, 0x00 };
	static const uint8_t com_crs[] = { 0x47, 1, 0xf8, 3, 0xf8, 3, 1, 8, 0x22, 0x10, 0x00, 0x79, 0 };
	/* Name (_HID, "QEMU0001"), and its port. */
	static const uint8_t panic[] = { 0x0d, 'Q', 'E', 'M', 'U', '0', '0', '0', '1', 0 },
		panic_crs[] = { 0x47, 1, 5, 5, 5, 5, 1, 1, 0x79, 0 };
	static const unsigned counts[] = { 1, 16, 300 };
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		build(counts[i]);
		const uint8_t *dsdt = table(u32(xsdt_entry(0, "FACP") + 40), "DSDT");
		size_t n = u32(dsdt + 4);
		devices = names = 0;
		check_list(dsdt + 36, dsdt + n);
		assert_int_equal(devices, 4 + counts[i]);
		assert_int_equal(names, 1 + 4 + 3 + 3 + 2 + 2 * counts[i]);
		assert_int_equal(pkg_length(s5 + 6, &(size_t){ 0 }), 8);
		assert_true(contains(dsdt, n, s5 + 9, 7));
		assert_true(contains(dsdt, n, pci, sizeof(pci)));
		assert_true(contains(dsdt, n, com, sizeof(com)));
		assert_true(contains(dsdt, n, rtc, sizeof(rtc)));
		assert_true(contains(dsdt, n, com_crs, sizeof(com_crs)));
		assert_true(contains(dsdt, n, panic, sizeof(panic)));
		assert_true(contains(dsdt, n, panic_crs, sizeof(panic_crs)));
	}
	struct acpi_config no_window = { .cpus = 1, .pci_mem_base = 0x1000, .pci_mem_end = 0x1000 };
	size_t with = used;
	build(1);
	with = used;
	size_t without = acpi_tables_build(image, ACPI_TABLES_SIZE(1), GPA, &no_window);
	assert_true(without > 0 && without < with);
}

static int cleanup(void **state)
{
	(void)state;
	free(image);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rsdp),
		cmocka_unit_test(test_fadt),
		cmocka_unit_test(test_madt),
		cmocka_unit_test(test_dsdt),
	};
	return cmocka_run_group_tests(tests, NULL, cleanup);
}
