/* host/device/power.h - the end of the machine. */
#ifndef VELLUM_HOST_POWER_H
#define VELLUM_HOST_POWER_H

/* Powers off: "Shutdown" to port 0x8900 (Bochs), then ACPI S5, else halts for ever. The consoles were flushed. */
_Noreturn void power_off(void);

#endif
