#include "host/device/acpi.h"

#include "host/memory/paging.h"

static struct acpi_info info;

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} __attribute__((packed));

struct sdt {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem[6];
	char oem_table[8];
	uint32_t oem_revision;
	uint32_t creator;
	uint32_t creator_revision;
} __attribute__((packed));

static bool sums_to_zero(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint8_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += b[i];
	return sum == 0;
}

static uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static uint32_t get32(const uint8_t *p) { return get16(p) | (uint32_t)get16(p + 2) << 16; }

/* Looks where a BIOS leaves it, at multiples of 16 bytes of a range of memory ("Finding the RSDP on IA-PC Systems").
 * The first 20 bytes have a checksum of their own, of ACPI 1.0. */
static const struct rsdp *scan_rsdp(uint64_t from, size_t n)
{
	const char *p = paging_window(from, n, PAGING_READ);

	for (size_t at = 0; p && at + 20 <= n; at += 16)
		if (!memcmp(p + at, "RSD PTR ", 8) && sums_to_zero(p + at, 20))
			return (const struct rsdp *)(p + at);
	return NULL;
}

/* The segment of the extended BIOS data area stands at 0x40e. */
static const struct rsdp *find_rsdp(void)
{
	const uint8_t *segment = paging_window(0x40e, 2, PAGING_READ);
	uint64_t ebda = segment ? (uint64_t)get16(segment) << 4 : 0;
	const struct rsdp *r = NULL;

	if (ebda >= 0x400 && ebda < 0xa0000)
		r = scan_rsdp(ebda, 1024);
	return r ? r : scan_rsdp(0xe0000, 0x20000);
}

/* The table at a physical address; NULL: it cannot be one. */
static const struct sdt *table_at(uint64_t address)
{
	const struct sdt *head =
		address && address < FOUR_GIB ? paging_window(address, sizeof(*head), PAGING_READ) : NULL;

	if (!head || head->length < sizeof(*head))
		return NULL;
	return paging_window(address, head->length, PAGING_READ);
}

#define MADT_ENABLED BIT(0) /* of a local APIC's flags (ACPI, "Local APIC Flags") */

static void madt_local_apic(uint32_t id, uint32_t flags)
{
	if ((flags & MADT_ENABLED) && info.cpu_count < CPUS_MAX)
		info.cpu_apic_id[info.cpu_count++] = id;
}

/* ACPI, "MPS INTI Flags": 0 is as the bus, which is ISA. */
#define INTI_POLARITY MASK(1, 0)
#define INTI_ACTIVE_LOW 0x3u
#define INTI_TRIGGER MASK(3, 2)
#define INTI_LEVEL 0xcu

static void madt_override(const uint8_t *e)
{
	uint16_t flags = get16(e + 8);
	uint8_t irq = e[3];

	if (irq >= ARRAY_SIZE(info.isa_irq))
		return;
	info.isa_irq[irq] = (struct acpi_isa_irq){ get32(e + 4), (flags & INTI_POLARITY) == INTI_ACTIVE_LOW,
						   (flags & INTI_TRIGGER) == INTI_LEVEL };
}

/* Types 0 and 9: a local APIC, and one of more than 8 bits; 1: an I/O APIC; 2: an interrupt source override. */
static void parse_madt(const struct sdt *t)
{
	const uint8_t *p = (const uint8_t *)t + sizeof(*t) + 8, *end = (const uint8_t *)t + t->length;

	for (; p + 2 <= end && p[1] >= 2 && p + p[1] <= end; p += p[1]) {
		if (p[0] == 0 && p[1] >= 8)
			madt_local_apic(p[3], get32(p + 4));
		else if (p[0] == 9 && p[1] >= 16)
			madt_local_apic(get32(p + 4), get32(p + 8));
		else if (p[0] == 1 && p[1] >= 12 && !info.ioapic_address) {
			info.ioapic_address = get32(p + 4);
			info.ioapic_gsi_base = get32(p + 8);
		} else if (p[0] == 2 && p[1] >= 10)
			madt_override(p);
	}
}

/* The value of a small AML integer, and past it. */
static const uint8_t *aml_integer(const uint8_t *p, uint8_t *v)
{
	if (*p == 0x0a) {
		*v = p[1];
		return p + 2;
	}
	*v = *p == 0x01 ? 1 : 0; /* OneOp, ZeroOp */
	return p + 1;
}

/* \_S5 is a package of small integers, which can be found without an interpreter: NameOp, "_S5_", PackageOp, length,
 * count. */
static void parse_dsdt(const struct sdt *t)
{
	const uint8_t *p = (const uint8_t *)t + sizeof(*t), *end = (const uint8_t *)t + t->length;

	for (; p + 12 < end; p++) {
		const uint8_t *q = p + 4;

		if (memcmp(p, "_S5_", 4) || *q != 0x12)
			continue;
		q += 1 + 1 + (q[1] >> 6) + 1;
		q = aml_integer(q, &info.s5_type_a);
		aml_integer(q, &info.s5_type_b);
		info.have_s5 = true;
		return;
	}
}

/* DSDT at byte 40, PM1a_CNT_BLK at 64, PM1b_CNT_BLK at 68. */
static void parse_fadt(const struct sdt *t)
{
	const uint8_t *p = (const uint8_t *)t;
	const struct sdt *dsdt;

	if (t->length < 76)
		return;
	info.pm1a_control = (uint16_t)get32(p + 64);
	info.pm1b_control = (uint16_t)get32(p + 68);
	dsdt = table_at(get32(p + 40));
	if (dsdt && !memcmp(dsdt->signature, "DSDT", 4))
		parse_dsdt(dsdt);
}

static void parse_table(uint64_t address)
{
	const struct sdt *t = table_at(address);

	if (!t || !sums_to_zero(t, t->length))
		return;
	if (!memcmp(t->signature, "APIC", 4))
		parse_madt(t);
	else if (!memcmp(t->signature, "FACP", 4))
		parse_fadt(t);
}

void acpi_host_init(const void *given)
{
	const struct rsdp *r = given ? given : find_rsdp();
	const struct sdt *root;
	bool wide;

	for (unsigned i = 0; i < ARRAY_SIZE(info.isa_irq); i++)
		info.isa_irq[i].gsi = i;
	if (!r)
		return;
	wide = r->revision >= 2 && r->xsdt && r->xsdt < FOUR_GIB;
	root = table_at(wide ? r->xsdt : r->rsdt);
	if (!root)
		return;
	info.found = true;
	for (uint32_t off = sizeof(*root); off + (wide ? 8 : 4) <= root->length; off += wide ? 8 : 4) {
		const uint8_t *e = (const uint8_t *)root + off;

		parse_table(wide ? get32(e) | (uint64_t)get32(e + 4) << 32 : get32(e));
	}
}

const struct acpi_info *acpi_host_info(void) { return &info; }
