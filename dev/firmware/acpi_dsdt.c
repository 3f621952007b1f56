/* dev/firmware/acpi_dsdt.c - the DSDT's body: what an operating system cannot find by itself. In ASL:
 *
 *   Name (\_S5, Package () { 5, 5, 0, 0 })
 *   Scope (\_SB)
 *   {
 *       Device (PCI0) { _HID PNP0A03, _CRS: the buses, the ports and the memory of PCI;
 *                       _PRT: pin n of slot s is GSI 10 or 11, by (s + n) mod 4; or empty: no device has a pin }
 *       Device (COM1) { _HID PNP0501, _UID 1, _CRS: IO (0x3f8, 8), IRQ 4 }
 *       Device (KBD_) { _HID PNP0303, _CRS: IO (0x60, 1), IO (0x64, 1), IRQ 1 } where there is one
 *       Device (MOU_) { _HID PNP0F13, _CRS: IRQ 12 } likewise
 *       Device (RTC_) { _HID PNP0B00, _CRS: IO (0x70, 4), IRQ 8 }
 *       Device (PEVT) { _HID "QEMU0001", _CRS: IO (0x505, 1) }
 *       Device (C000) { _HID "ACPI0007", _UID 0 } ... one per processor
 *   }
 */
#include "dev/firmware/acpi_pm.h"
#include "dev/firmware/acpi_tables.h"
#include "dev/firmware/acpi_writer.h"
#include "dev/firmware/pvpanic.h"
#include "lib/cmos.h"
#include "lib/uart.h"

static void hid(struct acpi_writer *w, const char id[7])
{
	aml_name(w, "_HID");
	aml_eisa_id(w, id);
}

static void integer(struct acpi_writer *w, const char name[4], uint32_t v)
{
	aml_name(w, name);
	aml_integer(w, v);
}

static void sleep_states(struct acpi_writer *w)
{
	aml_name(w, "_S5_");
	size_t package = aml_package_begin(w, 4);
	aml_integer(w, ACPI_SLP_TYP_S5);
	aml_integer(w, ACPI_SLP_TYP_S5);
	aml_integer(w, 0);
	aml_integer(w, 0);
	aml_end(w, package);
}

#define PCI_SLOTS 32u
#define PCI_PINS 4u

static void pci_pin(struct acpi_writer *w, unsigned slot, unsigned pin)
{
	size_t package = aml_package_begin(w, 4);

	aml_integer(w, slot << 16 | 0xffff); /* any function */
	aml_integer(w, pin);
	aml_integer(w, 0); /* wired to a GSI, which is: */
	aml_integer(w, (slot + pin) % PCI_PINS < 2 ? 10 : 11);
	aml_end(w, package);
}

/* As dev/bus/pci.c routes them after a reset, and firmwares do. */
static void pci_routing(struct acpi_writer *w, bool irqs)
{
	size_t package;

	aml_name(w, "_PRT");
	package = aml_package_begin(w, irqs ? PCI_SLOTS * PCI_PINS : 0);
	for (unsigned n = 0; irqs && n < PCI_SLOTS * PCI_PINS; n++)
		pci_pin(w, n / PCI_PINS, n % PCI_PINS);
	aml_end(w, package);
}

static void pci_root(struct acpi_writer *w, const struct acpi_config *config)
{
	size_t device = aml_device_begin(w, "PCI0");
	hid(w, "PNP0A03");
	integer(w, "_UID", 0);
	aml_name(w, "_CRS");
	size_t crs = aml_resources_begin(w);
	aml_bus_window(w, 0, 0xff);
	aml_io(w, 0xcf8, 8);
	aml_io_window(w, 0, 0xcf7);
	aml_io_window(w, 0xd00, 0xffff);
	if (config->pci_mem_end > config->pci_mem_base)
		aml_memory_window(w, config->pci_mem_base, config->pci_mem_end - 1);
	aml_resources_end(w, crs);
	pci_routing(w, config->pci_irqs);
	aml_end(w, device);
}

static void isa_device(struct acpi_writer *w, const char name[4], const char id[7], uint32_t uid, uint16_t port,
		       uint8_t ports, unsigned irq)
{
	size_t device = aml_device_begin(w, name);
	hid(w, id);
	integer(w, "_UID", uid);
	aml_name(w, "_CRS");
	size_t crs = aml_resources_begin(w);
	aml_io(w, port, ports);
	aml_irq(w, irq);
	aml_resources_end(w, crs);
	aml_end(w, device);
}

static void panic_device(struct acpi_writer *w)
{
	size_t device = aml_device_begin(w, "PEVT");
	aml_name(w, "_HID");
	aml_string(w, "QEMU0001");
	aml_name(w, "_CRS");
	size_t crs = aml_resources_begin(w);
	aml_io(w, PVPANIC_PORT, 1);
	aml_resources_end(w, crs);
	aml_end(w, device);
}

static void keyboard_and_mouse(struct acpi_writer *w)
{
	size_t device = aml_device_begin(w, "KBD_"), crs;

	hid(w, "PNP0303");
	aml_name(w, "_CRS");
	crs = aml_resources_begin(w);
	aml_io(w, PORT_KBC_DATA, 1);
	aml_io(w, PORT_KBC_COMMAND, 1);
	aml_irq(w, 1);
	aml_resources_end(w, crs);
	aml_end(w, device);
	device = aml_device_begin(w, "MOU_");
	hid(w, "PNP0F13");
	aml_name(w, "_CRS");
	crs = aml_resources_begin(w);
	aml_irq(w, 12);
	aml_resources_end(w, crs);
	aml_end(w, device);
}

static void processor(struct acpi_writer *w, unsigned n)
{
	static const char digits[] = "0123456789ABCDEF";
	const char name[4] = { 'C', digits[n >> 8 & 15], digits[n >> 4 & 15], digits[n & 15] };
	size_t device = aml_device_begin(w, name);
	aml_name(w, "_HID");
	aml_string(w, "ACPI0007");
	integer(w, "_UID", n);
	aml_end(w, device);
}

void acpi_dsdt(struct acpi_writer *w, const struct acpi_config *config)
{
	sleep_states(w);
	size_t scope = aml_scope_begin(w, "_SB_");
	pci_root(w, config);
	isa_device(w, "COM1", "PNP0501", 1, COM1_PORT, 8, COM1_IRQ);
	if (config->ps2)
		keyboard_and_mouse(w);
	isa_device(w, "RTC_", "PNP0B00", 0, CMOS_INDEX, 4, 8);
	panic_device(w);
	for (unsigned n = 0; n < config->cpus; n++)
		processor(w, n);
	aml_end(w, scope);
}
