/* host/cpu/smp.h - the other CPUs. SDM, "Multiple-Processor (MP) Initialization". */
#ifndef VELLUM_HOST_SMP_H
#define VELLUM_HOST_SMP_H

#include "lib/base.h"

/* Makes the calling CPU number 0 of the per-CPU structures, with stacks, GDT, IDT and local APIC. false: no memory. */
bool smp_init_boot_cpu(void);
/* Starts every other CPU that ACPI names; each runs entry() with its structures installed and interrupts off, and must
 * not return. A CPU that does not come is logged and left out. */
void smp_start_others(void (*entry)(void), uint64_t tsc_hz);

#endif
