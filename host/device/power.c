#include "host/device/power.h"

#include "host/cpu/x86.h"
#include "host/device/acpi.h"
#include "lib/ports.h"


_Noreturn void power_off(void)
{
	const struct acpi_info *acpi = acpi_host_info();

	for (const char *s = "Shutdown"; *s; s++)
		outb(PORT_SHUTDOWN, (uint8_t)*s);
	if (acpi->have_s5 && acpi->pm1a_control) {
		outw(acpi->pm1a_control, (uint16_t)(PM1_SLP_EN | acpi->s5_type_a << PM1_SLP_TYP_SHIFT));
		if (acpi->pm1b_control)
			outw(acpi->pm1b_control, (uint16_t)(PM1_SLP_EN | acpi->s5_type_b << PM1_SLP_TYP_SHIFT));
	}
	for (;;)
		__asm__ volatile("cli; hlt");
}
