/* host/device/ioapic.h - the host's I/O APIC, as far as the two serial ports need it. */
#ifndef VELLUM_HOST_IOAPIC_H
#define VELLUM_HOST_IOAPIC_H

#include "lib/base.h"

/* Masks the 8259s for good. */
void pic_host_disable(void);
/* Delivers ISA interrupt irq to the calling CPU as vector. false: ACPI named no I/O APIC that has its pin. */
bool ioapic_host_route(uint8_t irq, uint8_t vector);

#endif
