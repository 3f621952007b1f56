/* dev/irq/apic_message.h - what travels between I/O APIC and local APICs: interrupt messages, whom they are for, and
 * their delivery. SDM, "Handling Local Interrupts", "Issuing Interprocessor Interrupts", "Determining IPI
 * Destination". */
#ifndef VELLUM_DEV_APIC_MESSAGE_H
#define VELLUM_DEV_APIC_MESSAGE_H

#include "lib/apic.h"
#include "lib/base.h"

struct apic_message {
	uint32_t dest; /* an 8-bit destination (wide false), or a 32-bit one */
	uint8_t vector;
	uint8_t delivery;  /* enum apic_delivery */
	uint8_t shorthand; /* enum apic_shorthand */
	bool logical;
	bool level; /* trigger mode; with INIT and assert false it is the INIT level de-assert, which is ignored */
	bool assert;
	bool wide; /* dest is an x2APIC destination: broadcast is 0xffffffff, not 0xff */
};

/* enum apic_delivery of an LVT entry, ICR, a redirection entry, or the data of a message. */
static inline uint8_t apic_delivery_of(uint64_t bits) { return (bits & LVT_DELIVERY) >> 8; }

struct lapic;

/* The local APICs of one VM. The owner fills cpu[] (at most APIC_BUS_MAX) before anything is sent. */
#define APIC_BUS_MAX 64

struct apic_bus {
	struct lapic *cpu[APIC_BUS_MAX];
	unsigned count;
	unsigned turn; /* where the search for the lowest priority begins: ties go round */
};

/* Is l addressed by m? from: the sender (shorthands), NULL for the I/O APIC. */
FOR_TESTS bool apic_message_matches(const struct apic_message *m, const struct lapic *l, const struct lapic *from);
/* Delivers m to every local APIC that it addresses (lowest priority: to one of them). false: nobody accepted it. */
bool apic_bus_send(struct apic_bus *bus, const struct apic_message *m, const struct lapic *from);

#endif
