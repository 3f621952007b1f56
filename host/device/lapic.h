/* host/device/lapic.h - the host CPU's own local APIC: its timer, interrupts between CPUs, end of interrupt. */
#ifndef VELLUM_HOST_LAPIC_H
#define VELLUM_HOST_LAPIC_H

#include "lib/base.h"

/* Enables the calling CPU's local APIC; in x2APIC mode if the firmware left it so, else in xAPIC mode. */
void lapic_host_init(void);
uint32_t lapic_host_id(void);
void lapic_host_eoi(void);
/* Fires VECTOR_TIMER on this CPU at TSC value deadline, or at once if that is past; UINT64_MAX: not at all. */
void lapic_host_timer(uint64_t deadline);
/* Sends VECTOR_KICK, INIT or a start-up IPI to the CPU with this APIC ID. */
void lapic_host_kick(uint32_t apic_id);
/* ... or another vector. */
void lapic_host_send(uint32_t apic_id, uint8_t vector);
void lapic_host_init_ipi(uint32_t apic_id);
void lapic_host_startup_ipi(uint32_t apic_id, uint8_t page);
/* Measures the APIC timer against the TSC where the CPU has no TSC-deadline mode; the boot CPU does it for all. */
void lapic_host_calibrate(uint64_t tsc_hz);

#endif
