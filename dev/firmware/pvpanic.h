/* dev/firmware/pvpanic.h - QEMU's pvpanic on the ISA bus (QEMU, "PVPANIC device"): a port by which a guest's operating
 * system says that it has panicked. It finds the port by ACPI (QEMU0001, dev/firmware/acpi_dsdt.c), or by probing.
 *
 * Reading tells which events exist; a byte with one of their bits says that it has happened. */
#ifndef VELLUM_DEV_PVPANIC_H
#define VELLUM_DEV_PVPANIC_H

#include "dev/dev.h"
#include "dev/machine.h"
#include "lib/ports.h"

#define PVPANIC_PANICKED 0x01u
#define PVPANIC_CRASH_LOADED 0x02u /* ... and a crash kernel takes over, which will end as it likes */

struct pvpanic {
	struct machine_sink machine;
};

bool pvpanic_init(struct pvpanic *p, struct pio_space *pio, struct machine_sink machine);

#endif
