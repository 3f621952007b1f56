/* dev/irq/irqhub.c - fans an interrupt line out to the PICs and the I/O APIC. */
#include "dev/irq/irqhub.h"

#define PIT_GSI 0u
#define CASCADE_GSI 2u

void irqhub_set(struct irqhub *h, unsigned gsi, bool level)
{
	if (gsi >= IOAPIC_PINS)
		return;
	if (level)
		h->levels |= 1u << gsi;
	else
		h->levels &= ~(1u << gsi);
	if (gsi < 16 && gsi != CASCADE_GSI)
		pic_set_pin(h->pic, gsi, level);
	if (gsi == PIT_GSI || gsi == CASCADE_GSI)
		ioapic_set_pin(h->ioapic, 2, h->levels & (1u << PIT_GSI | 1u << CASCADE_GSI));
	else
		ioapic_set_pin(h->ioapic, gsi, level);
}

static void line_set(void *ctx, unsigned gsi, bool level)
{
	irqhub_set(ctx, gsi, level);
}

struct irq_line irqhub_line(struct irqhub *h, unsigned gsi)
{
	return (struct irq_line){ line_set, h, gsi };
}

void irqhub_init(struct irqhub *h, struct pic *pic, struct ioapic *ioapic)
{
	*h = (struct irqhub){ .pic = pic, .ioapic = ioapic };
}
