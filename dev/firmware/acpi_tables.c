/* dev/firmware/acpi_tables.c - ACPI specification 5.0, "ACPI Software Programming Model". */
#include "dev/bus/ports.h"
#include "dev/firmware/acpi_tables.h"
#include "dev/firmware/acpi_pm.h"
#include "dev/firmware/acpi_writer.h"
#include "dev/irq/ioapic.h"
#include "dev/irq/lapic.h"
#include "lib/cmos.h"

#define FACS_SIZE 64u

#define FADT_REVISION 5u
#define FADT_SIZE 268u
#define PROFILE_DESKTOP 1u
#define NO_C_STATE 0xfffu /* a latency above 100 (C2) and 1000 (C3) microseconds: there is none */
#define BOOT_LEGACY_DEVICES 0x01u
#define BOOT_8042 0x02u
#define BOOT_NO_VGA 0x04u
#define FADT_WBINVD BIT(0)
#define FADT_PROC_C1 BIT(2)
#define FADT_SLP_BUTTON_ABSENT BIT(5)
#define FADT_RTC_NOT_FIXED BIT(6)
#define FADT_TMR_32_BIT BIT(8)
#define FADT_RESET_REGISTER BIT(10)

#define MADT_REVISION 3u
#define MADT_PCAT_COMPAT 1u
#define MADT_ENABLED 1u
#define ISO_BUS_DEFAULT 0u
#define ISO_ACTIVE_HIGH_LEVEL 0x0du

/* Generic address structure: system I/O space. */
static void gas_io(struct acpi_writer *w, uint16_t port, uint8_t bits)
{
	put8(w, 1);
	put8(w, bits);
	put8(w, 0);
	put8(w, 0); /* access size: by the register's width */
	put64(w, port);
}

static void gas_none(struct acpi_writer *w)
{
	put_zeros(w, 12);
}

static uint32_t facs(struct acpi_writer *w)
{
	put_align(w, 64);
	uint32_t gpa = w->gpa + (uint32_t)w->used;
	put_bytes(w, "FACS", 4);
	put32(w, FACS_SIZE);
	put_zeros(w, 24); /* hardware signature, waking vector, global lock, flags, extended waking vector */
	put8(w, 2);       /* version */
	put_zeros(w, FACS_SIZE - 33);
	return gpa;
}

static uint32_t dsdt(struct acpi_writer *w, const struct acpi_config *config)
{
	size_t table = table_begin(w, "DSDT", 2);
	acpi_dsdt(w, config);
	table_end(w, table);
	return w->gpa + (uint32_t)table;
}

/* The fixed hardware's 32-bit port numbers and lengths: FADT bytes 56..95. */
static void fadt_blocks(struct acpi_writer *w)
{
	put32(w, ACPI_PM1A_EVT);
	put32(w, 0); /* PM1b event */
	put32(w, ACPI_PM1A_CNT);
	put32(w, 0); /* PM1b control */
	put32(w, 0); /* PM2 control */
	put32(w, ACPI_PM_TMR);
	put32(w, ACPI_GPE0);
	put32(w, 0); /* GPE1 */
	put8(w, 4);  /* lengths: PM1 event, PM1 control, PM2 control, timer, GPE0, GPE1 */
	put8(w, 2);
	put8(w, 0);
	put8(w, 4);
	put8(w, 4);
	put8(w, 0);
	put8(w, 0); /* GPE1 base */
	put8(w, 0); /* _CST support */
}

static void fadt_extended_blocks(struct acpi_writer *w)
{
	gas_io(w, ACPI_PM1A_EVT, 32);
	gas_none(w);
	gas_io(w, ACPI_PM1A_CNT, 16);
	gas_none(w);
	gas_none(w);
	gas_io(w, ACPI_PM_TMR, 32);
	gas_io(w, ACPI_GPE0, 32);
	gas_none(w);
	gas_none(w); /* sleep control and status: hardware-reduced ACPI only */
	gas_none(w);
}

static uint32_t fadt(struct acpi_writer *w, const struct acpi_config *config, uint32_t facs_gpa, uint32_t dsdt_gpa)
{
	size_t table = table_begin(w, "FACP", FADT_REVISION);
	put32(w, facs_gpa);
	put32(w, dsdt_gpa);
	put8(w, 0);
	put8(w, PROFILE_DESKTOP);
	put16(w, ACPI_SCI_IRQ);
	put32(w, 0);      /* SMI command port: none, ACPI mode is always on */
	put_zeros(w, 4);  /* ACPI_ENABLE, ACPI_DISABLE, S4BIOS_REQ, PSTATE_CNT */
	fadt_blocks(w);
	put16(w, NO_C_STATE); /* C2 */
	put16(w, NO_C_STATE); /* C3 */
	put_zeros(w, 8);      /* flush size and stride, duty offset and width, day and month alarm */
	put8(w, RTC_CENTURY);
	put16(w, (uint16_t)(BOOT_LEGACY_DEVICES | BOOT_NO_VGA | (config->ps2 ? BOOT_8042 : 0)));
	put8(w, 0);
	put32(w, FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON_ABSENT | FADT_RTC_NOT_FIXED | FADT_TMR_32_BIT |
			 FADT_RESET_REGISTER);
	gas_io(w, PORT_RESET_CONTROL, 8);
	put8(w, RESET_SYSTEM | RESET_CPU);
	put_zeros(w, 3);
	put64(w, 0); /* X_FIRMWARE_CTRL: FIRMWARE_CTRL says it */
	put64(w, dsdt_gpa);
	fadt_extended_blocks(w);
	BUG_ON(!w->full && w->used - table != FADT_SIZE);
	table_end(w, table);
	return w->gpa + (uint32_t)table;
}

static void madt_cpu(struct acpi_writer *w, unsigned n)
{
	if (n < 255) {
		put8(w, 0); /* processor local APIC */
		put8(w, 8);
		put8(w, (uint8_t)n); /* processor UID */
		put8(w, (uint8_t)n);
		put32(w, MADT_ENABLED);
		return;
	}
	put8(w, 9); /* processor local x2APIC */
	put8(w, 16);
	put16(w, 0);
	put32(w, n);
	put32(w, MADT_ENABLED);
	put32(w, n); /* processor UID */
}

static void madt_override(struct acpi_writer *w, uint8_t isa_irq, uint32_t gsi, uint16_t flags)
{
	put8(w, 2);
	put8(w, 10);
	put8(w, ISO_BUS_DEFAULT);
	put8(w, isa_irq);
	put32(w, gsi);
	put16(w, flags);
}

static uint32_t madt(struct acpi_writer *w, const struct acpi_config *config)
{
	size_t table = table_begin(w, "APIC", MADT_REVISION);
	put32(w, LAPIC_DEFAULT_BASE);
	put32(w, MADT_PCAT_COMPAT);
	for (unsigned n = 0; n < config->cpus; n++)
		madt_cpu(w, n);
	put8(w, 1); /* I/O APIC */
	put8(w, 12);
	put8(w, IOAPIC_ID);
	put8(w, 0);
	put32(w, IOAPIC_BASE);
	put32(w, 0); /* first GSI */
	madt_override(w, 0, 2, 0);
	madt_override(w, (uint8_t)ACPI_SCI_IRQ, ACPI_SCI_IRQ, ISO_ACTIVE_HIGH_LEVEL);
	put8(w, 4); /* local APIC NMI: LINT1 of every processor */
	put8(w, 6);
	put8(w, ACPI_ALL_CPUS);
	put16(w, 0);
	put8(w, 1);
	table_end(w, table);
	return w->gpa + (uint32_t)table;
}

static void rsdp(struct acpi_writer *w, size_t at, uint32_t rsdt_gpa, uint32_t xsdt_gpa)
{
	struct acpi_writer r = { .buf = w->buf + at, .size = ACPI_RSDP_SIZE };
	put_bytes(&r, "RSD PTR ", 8);
	put8(&r, 0);
	put_bytes(&r, "VELLUM", 6);
	put8(&r, 2);
	put32(&r, rsdt_gpa);
	put32(&r, ACPI_RSDP_SIZE);
	put64(&r, xsdt_gpa);
	put32(&r, 0);
	patch_checksum(&r, 0, ACPI_RSDP_V1_SIZE, 8);
	patch_checksum(&r, 0, ACPI_RSDP_SIZE, 32);
}

size_t acpi_tables_build(void *buf, size_t size, uint32_t gpa, const struct acpi_config *config)
{
	struct acpi_writer w = { .buf = buf, .size = size, .gpa = gpa };
	put_zeros(&w, ACPI_RSDP_SIZE); /* filled in at the end */
	uint32_t facs_gpa = facs(&w), dsdt_gpa = dsdt(&w, config);
	uint32_t fadt_gpa = fadt(&w, config, facs_gpa, dsdt_gpa), madt_gpa = madt(&w, config);

	size_t rsdt = table_begin(&w, "RSDT", 1);
	put32(&w, fadt_gpa);
	put32(&w, madt_gpa);
	table_end(&w, rsdt);

	size_t xsdt = table_begin(&w, "XSDT", 1);
	put64(&w, fadt_gpa);
	put64(&w, madt_gpa);
	table_end(&w, xsdt);

	if (w.full)
		return 0;
	rsdp(&w, 0, gpa + (uint32_t)rsdt, gpa + (uint32_t)xsdt);
	return w.used;
}
