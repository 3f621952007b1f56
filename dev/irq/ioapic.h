/* dev/irq/ioapic.h - a 24-pin I/O APIC (82093AA with the EOI register of version 0x20) at 0xfec00000.
 *
 * Lines carry assertion, not voltage (dev.h): the polarity bit is stored and read back, and does not invert.
 *
 * IO1 a level-triggered pin whose remote IRR is set sends nothing until the EOI of its vector.
 * IO2 an edge on a masked pin is lost, as on the 82093AA; a level that is still asserted at unmasking or EOI is sent
 *     again.
 * IO3 an EOI comes on any CPU, and without a lock; all else with the device lock. Who sends for a level-triggered pin
 *     has set its remote IRR first, by a compare and exchange, so that one message is under way at most. Who asserts a
 *     pin looks at remote IRR behind that, and an EOI clears it and then looks at the pin: so one of them sends. */
#ifndef VELLUM_DEV_IOAPIC_H
#define VELLUM_DEV_IOAPIC_H

#include "dev/irq/apic_message.h"
#include "dev/dev.h"

#define IOAPIC_PINS 24u
#define IOAPIC_ID 1u /* what the MADT says; the owner gives it to ioapic_init() */

struct ioapic {
	uint64_t redirection[IOAPIC_PINS];
	uint32_t pins; /* levels */
	uint8_t select, id;
	/* false: nobody accepted the message. Usually apic_bus_send(bus, m, NULL). */
	bool (*send)(void *ctx, const struct apic_message *m);
	void *ctx;
};

/* base: gpa. id: 4 bits. false: the region is taken. */
bool ioapic_init(struct ioapic *io, struct mmio_space *mmio, uint64_t base, uint8_t id,
	bool (*send)(void *ctx, const struct apic_message *m), void *ctx);
FOR_TESTS void ioapic_reset(struct ioapic *io);
void ioapic_set_pin(struct ioapic *io, unsigned pin, bool level);
/* Can a pin bring an NMI or an INIT? */
bool ioapic_unmaskable(const struct ioapic *io);
/* EOI broadcast: the level-triggered pins with this vector. */
void ioapic_eoi(struct ioapic *io, uint8_t vector);
/* dev/irq/irq_state.c */
void ioapic_state(struct fields *s, struct ioapic *io);

#endif
