/* dev/irq/lapic_icr.c - interrupts that are sent by the command register (ICR), but for the short ways of most of them
 * (dev/irq/lapic_regs.c). SDM, "Issuing Interprocessor Interrupts". */
#include "dev/irq/lapic_internal.h"
#include "lib/mutants/mutate.h"

static struct apic_message icr_message(const struct lapic *l, uint64_t icr)
{
	return (struct apic_message){
		.dest = l->x2apic ? (uint32_t)(icr >> 32) : (uint32_t)(icr >> 56),
		.vector = (uint8_t)icr,
		.delivery = apic_delivery_of(icr),
		.shorthand = icr >> 18 & 3,
		.logical = icr & ICR_LOGICAL,
		.level = icr & ICR_LEVEL,
		.assert = icr & ICR_ASSERT,
		.wide = l->x2apic,
	};
}

/* Sends what l->icr says; a vector below 16 is an error instead (SDM, "Error Handling": Send Illegal Vector). */
void lapic_icr_send(struct lapic *l)
{
	struct apic_message m = icr_message(l, l->icr);
	bool vectored = m.delivery == APIC_FIXED || m.delivery == APIC_LOWEST;
	if (vectored && m.vector < APIC_VECTOR_LEAST) {
		lapic_error(l, ESR_SEND_ILLEGAL_VECTOR);
		return;
	}
	if (m.delivery == APIC_EXTINT || m.delivery == 3)
		return; /* not defined for ICR: sent, and nobody listens */
	if (m.delivery != APIC_INIT)
		m.level = false; /* IPIs are edge-triggered */
	l->host->ipi(l->ctx, l, &m);
}

/* SDM, "SELF IPI Register"; a vector below 16 is an error, as for the ICR ("Error Handling"). */
void lapic_self_ipi(struct lapic *l, uint8_t vector)
{
	struct apic_message m = { .vector = vector, .delivery = APIC_FIXED, .shorthand = APIC_SELF, .assert = true };
	if (vector < APIC_VECTOR_LEAST)
		lapic_error(l, ESR_SEND_ILLEGAL_VECTOR);
	else
		lapic_deliver(l, &m);
}

/* An NMI, INIT or start-up IPI; or what is an error, or nothing. */
bool lapic_icr_signal(struct lapic *l, uint64_t icr)
{
	if (icr & ~(uint64_t)ICR_LEGAL_X2APIC)
		return false;
	l->icr = icr;
	if ((icr & ICR_DELIVERY(7 & ~APIC_LOWEST)) || (uint8_t)icr >= 16)
		lapic_icr_send(l);
	else
		lapic_error(l, ESR_SEND_ILLEGAL_VECTOR);
	if (l->page)
		lapic_show_icr(l);
	return true;
}

void lapic_icr_to_some(struct lapic *l, uint64_t icr)
{
	struct apic_message m = icr_message(l, icr);

	l->host->ipi(l->ctx, l, &m);
}

void lapic_icr_to_others(struct lapic *l, uint64_t icr)
{
	for (unsigned n = 0; n < l->bus->count; n++)
		if (l->bus->cpu[n] != l)
			lapic_icr_to(l->bus->cpu[n], icr);
}
