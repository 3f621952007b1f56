/* dev/firmware/mp_table.c - MultiProcessor Specification 1.4, "MP Configuration Table". It says what the MADT says
 * (dev/firmware/acpi_tables.c). */
#include "dev/firmware/mp_table.h"

#include "dev/firmware/acpi_pm.h"
#include "dev/firmware/acpi_writer.h"
#include "dev/irq/ioapic.h"
#include "dev/irq/lapic.h"

#define POINTER_SIZE 16u
#define POINTER_CHECKSUM 10u
#define HEADER_LENGTH 4u
#define HEADER_CHECKSUM 7u
#define HEADER_COUNT 34u
#define CPUS_MAX 240u

#define SPECIFICATION 4u /* 1.4 */
#define LAPIC_VERSION 0x14u
#define IOAPIC_VERSION 0x20u
#define CPU_ENABLED 1u
#define CPU_BOOT 2u
#define PCI_BUS 0u
#define ISA_BUS 1u
#define ISA_IRQS 16u
#define CASCADE_IRQ 2u

enum entry { ENTRY_CPU, ENTRY_BUS, ENTRY_IOAPIC, ENTRY_INTERRUPT, ENTRY_LOCAL_INTERRUPT };
enum interrupt { INTERRUPT_INT, INTERRUPT_NMI, INTERRUPT_SMI, INTERRUPT_EXTINT };
enum { AS_THE_BUS = 0, ACTIVE_HIGH_LEVEL = 0x0d };

static void cpu(struct acpi_writer *w, unsigned n, const struct mp_config *config)
{
	put8(w, ENTRY_CPU);
	put8(w, (uint8_t)n);
	put8(w, LAPIC_VERSION);
	put8(w, n ? CPU_ENABLED : CPU_ENABLED | CPU_BOOT);
	put32(w, config->cpu_signature);
	put32(w, config->cpu_features);
	put_zeros(w, 8);
}

static void bus(struct acpi_writer *w, uint8_t id, const char type[6])
{
	put8(w, ENTRY_BUS);
	put8(w, id);
	put_bytes(w, type, 6);
}

static void ioapic(struct acpi_writer *w)
{
	put8(w, ENTRY_IOAPIC);
	put8(w, IOAPIC_ID);
	put8(w, IOAPIC_VERSION);
	put8(w, 1);
	put32(w, IOAPIC_BASE);
}

/* From an ISA interrupt to a pin of the I/O APIC, or of the local APICs. */
static void interrupt(struct acpi_writer *w, enum entry entry, enum interrupt type, uint16_t flags, uint8_t irq,
		      uint8_t to, uint8_t pin)
{
	put8(w, (uint8_t)entry);
	put8(w, (uint8_t)type);
	put16(w, flags);
	put8(w, ISA_BUS);
	put8(w, irq);
	put8(w, to);
	put8(w, pin);
}

/* IRQ 0 is pin 2; the PIC's cascade has no pin. */
static unsigned interrupts(struct acpi_writer *w)
{
	unsigned count = 0;

	for (uint8_t irq = 0; irq < ISA_IRQS; irq++) {
		if (irq == CASCADE_IRQ)
			continue;
		interrupt(w, ENTRY_INTERRUPT, INTERRUPT_INT, irq == ACPI_SCI_IRQ ? ACTIVE_HIGH_LEVEL : AS_THE_BUS, irq,
			  IOAPIC_ID, irq ? irq : 2);
		count++;
	}
	interrupt(w, ENTRY_LOCAL_INTERRUPT, INTERRUPT_EXTINT, AS_THE_BUS, 0, 0, 0);
	interrupt(w, ENTRY_LOCAL_INTERRUPT, INTERRUPT_NMI, AS_THE_BUS, 0, ACPI_ALL_CPUS, 1);
	return count + 2;
}

static void pointer(struct acpi_writer *w)
{
	put_bytes(w, "_MP_", 4);
	put32(w, w->gpa + POINTER_SIZE);
	put8(w, POINTER_SIZE / 16);
	put8(w, SPECIFICATION);
	put_zeros(w, 6); /* checksum; there is a table; virtual wire mode, no IMCR */
	patch_checksum(w, 0, POINTER_SIZE, POINTER_CHECKSUM);
}

/* Length, checksum and number of entries come last. */
static void header(struct acpi_writer *w)
{
	put_bytes(w, "PCMP", 4);
	put16(w, 0);
	put8(w, SPECIFICATION);
	put8(w, 0);
	put_bytes(w, "VELLUM  ", 8);
	put_bytes(w, "VELLUM PC   ", 12);
	put32(w, 0); /* no OEM table */
	put16(w, 0);
	put16(w, 0);
	put32(w, LAPIC_DEFAULT_BASE);
	put32(w, 0); /* no extended table */
}

static void patch16(struct acpi_writer *w, size_t offset, size_t v)
{
	struct acpi_writer at = { .buf = w->buf + offset, .size = 2 };

	put16(&at, (uint16_t)v);
}

size_t mp_table_build(void *buf, size_t size, uint32_t gpa, const struct mp_config *config)
{
	struct acpi_writer w = { .buf = buf, .size = size, .gpa = gpa };
	unsigned count = config->cpus + 3; /* with two buses and the I/O APIC */

	if (config->cpus == 0 || config->cpus > CPUS_MAX || size < MP_TABLE_SIZE(config->cpus))
		return 0;
	pointer(&w);
	header(&w);
	for (unsigned n = 0; n < config->cpus; n++)
		cpu(&w, n, config);
	bus(&w, PCI_BUS, "PCI   ");
	bus(&w, ISA_BUS, "ISA   ");
	ioapic(&w);
	count += interrupts(&w);
	patch16(&w, POINTER_SIZE + HEADER_LENGTH, w.used - POINTER_SIZE);
	patch16(&w, POINTER_SIZE + HEADER_COUNT, count);
	patch_checksum(&w, POINTER_SIZE, w.used - POINTER_SIZE, POINTER_SIZE + HEADER_CHECKSUM);
	return w.full ? 0 : w.used;
}
