/* dev/firmware/acpi_pm.h - ACPI's fixed hardware: PM1a event and control blocks, PM timer, GPE0 block, in PIIX4's
 * manner. ACPI specification, "ACPI Hardware Specification". ACPI mode is always on (no SMI command port). */
#ifndef VELLUM_DEV_ACPI_PM_H
#define VELLUM_DEV_ACPI_PM_H

#include "dev/dev.h"
#include "dev/machine.h"
#include "lib/ports.h"

#define ACPI_PM_TMR_HZ 3579545u
#define ACPI_SLP_TYP_S5 5u /* the value in \_S5 */

struct acpi_pm {
	uint16_t pm1_sts, pm1_en, pm1_cnt;
	uint16_t gpe_sts, gpe_en;
	uint64_t epoch;        /* ticks when the PM timer was 0 */
	uint64_t tmr_seen;     /* changes of the timer's top bit that TMR_STS has been told of */
	struct ratio to_clocks, to_ticks;
	struct timers *timers;
	struct timer overflow;
	struct irq_line sci;
	struct machine_sink machine;
};

/* false: a port range is taken. */
bool acpi_pm_init(struct acpi_pm *pm, struct pio_space *pio, struct timers *timers, struct irq_line sci,
	struct machine_sink machine);
FOR_TESTS void acpi_pm_reset(struct acpi_pm *pm);
/* dev/firmware/firmware_state.c */
void acpi_pm_state(struct fields *s, struct acpi_pm *pm);
/* The power button was pressed: PWRBTN_STS and, if enabled, an SCI. */
void acpi_pm_power_button(struct acpi_pm *pm);

#endif
