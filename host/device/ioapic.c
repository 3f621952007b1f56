#include "host/device/ioapic.h"

#include "host/cpu/x86.h"
#include "host/device/acpi.h"
#include "host/device/lapic.h"
#include "host/memory/paging.h"
#include "lib/apic.h"
#include "lib/pic.h"

#define IOAPIC_BYTES 32

void pic_host_disable(void)
{
	outb(PIC1_DATA, PIC_ALL);
	outb(PIC2_DATA, PIC_ALL);
}

static uint32_t reg_read(volatile uint32_t *io, unsigned reg)
{
	io[IOAPIC_SELECT / 4] = reg;
	return io[IOAPIC_WINDOW / 4];
}

static void reg_write(volatile uint32_t *io, unsigned reg, uint32_t v)
{
	io[IOAPIC_SELECT / 4] = reg;
	io[IOAPIC_WINDOW / 4] = v;
}

/* Seen once for all; NULL: there is no I/O APIC. */
static volatile uint32_t *registers(uint64_t address)
{
	static volatile uint32_t *seen;

	if (!seen && address)
		seen = paging_window(address, IOAPIC_BYTES, PAGING_DEVICE);
	return seen;
}

bool ioapic_host_route(uint8_t irq, uint8_t vector)
{
	const struct acpi_info *acpi = acpi_host_info();
	struct acpi_isa_irq line = acpi->isa_irq[irq];
	volatile uint32_t *io = registers(acpi->ioapic_address);
	uint32_t pin, pins;

	if (!io || line.gsi < acpi->ioapic_gsi_base)
		return false;
	pin = line.gsi - acpi->ioapic_gsi_base;
	pins = (reg_read(io, IOAPIC_INDEX_VERSION) >> 16 & 0xff) + 1;
	if (pin >= pins)
		return false;
	reg_write(io, IOAPIC_INDEX_TABLE + 2 * pin + 1, lapic_host_id() << 24);
	reg_write(io, IOAPIC_INDEX_TABLE + 2 * pin, (uint32_t)(vector | (line.active_low ? REDIRECTION_LOW_ACTIVE : 0) |
							       (line.level ? REDIRECTION_LEVEL : 0)));
	return true;
}
