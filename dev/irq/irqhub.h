/* dev/irq/irqhub.h - from a global system interrupt to the controllers' pins.
 *
 * GSI 0 (the PIT) reaches PIC pin 0 and I/O APIC pin 2, as the MADT's interrupt source override says; GSI n < 16
 * reaches pin n of both; GSI 16..23 only the I/O APIC. GSI 2 is the PICs' cascade: it reaches I/O APIC pin 2 alone.
 * Several devices may not share a GSI. */
#ifndef VELLUM_DEV_IRQHUB_H
#define VELLUM_DEV_IRQHUB_H

#include "dev/irq/ioapic.h"
#include "dev/irq/pic.h"

struct irqhub {
	struct pic *pic;
	struct ioapic *ioapic;
	uint32_t levels; /* by GSI */
};

/* pic and ioapic must outlive it. */
void irqhub_init(struct irqhub *h, struct pic *pic, struct ioapic *ioapic);
/* The line's level; GSIs that there are not are ignored. */
FOR_TESTS void irqhub_set(struct irqhub *h, unsigned gsi, bool level);
/* The end that a device holds. */
struct irq_line irqhub_line(struct irqhub *h, unsigned gsi);
/* dev/irq/irq_state.c */
void irqhub_state(struct fields *s, struct irqhub *h);

#endif
