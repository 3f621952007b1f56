/* dev/irq/apic_message.c - whom an interrupt message is for. SDM, "Determining IPI Destination", "Logical Destination
 * Mode", "Lowest Priority Delivery Mode", "Deriving Logical x2APIC ID from the Local x2APIC ID". */
#include "dev/irq/lapic.h"

/* xAPIC logical destination: flat model (DFR all ones) or clusters of four. */
static bool xapic_logical_match(const struct lapic *l, uint8_t dest)
{
	uint8_t id = __atomic_load_n(&l->logical_id, __ATOMIC_RELAXED);

	if (__atomic_load_n(&l->dfr, __ATOMIC_RELAXED) == 0xf)
		return id & dest;
	return id >> 4 == dest >> 4 && (id & dest & 0xf);
}

static bool destination_match(const struct apic_message *m, const struct lapic *l)
{
	bool x2apic = __atomic_load_n(&l->x2apic, __ATOMIC_RELAXED);

	if (m->dest == (m->wide ? 0xffffffff : 0xff))
		return true;
	if (!m->logical)
		return m->dest == (x2apic ? l->id : __atomic_load_n(&l->xapic_id, __ATOMIC_RELAXED));
	if (!x2apic)
		return m->dest <= 0xff && xapic_logical_match(l, (uint8_t)m->dest);
	uint32_t logical = lapic_x2apic_logical_id(l);
	return logical >> 16 == m->dest >> 16 && (logical & m->dest & 0xffff);
}

bool apic_message_matches(const struct apic_message *m, const struct lapic *l, const struct lapic *from)
{
	switch (m->shorthand) {
	case APIC_SELF:
		return l == from;
	case APIC_ALL:
		return true;
	case APIC_OTHERS:
		return l != from;
	default:
		return destination_match(m, l);
	}
}

/* The addressed local APIC of lowest processor priority takes it; among equals, in turn. Without a lock: others may
 * send at the same time, and whose turn it is then need not be exact; a priority may change behind the look at it, as
 * on any bus. */
static bool send_lowest(struct apic_bus *bus, const struct apic_message *m, const struct lapic *from)
{
	unsigned best_at = 0, turn = __atomic_load_n(&bus->turn, __ATOMIC_RELAXED);
	struct lapic *best = NULL;

	for (unsigned i = 0; i < bus->count; i++) {
		unsigned at = (turn + i) % bus->count;
		struct lapic *l = bus->cpu[at];

		if (!__atomic_load_n(&l->enabled, __ATOMIC_RELAXED) ||
		    !__atomic_load_n(&l->sw_enabled, __ATOMIC_RELAXED) || !apic_message_matches(m, l, from))
			continue;
		if (!best || lapic_ppr(l) >> 4 < lapic_ppr(best) >> 4) {
			best = l;
			best_at = at;
		}
	}
	if (!best)
		return false;
	__atomic_store_n(&bus->turn, (best_at + 1) % bus->count, __ATOMIC_RELAXED);
	return lapic_deliver(best, m);
}

bool apic_bus_send(struct apic_bus *bus, const struct apic_message *m, const struct lapic *from)
{
	if (m->delivery == APIC_LOWEST)
		return send_lowest(bus, m, from);
	bool accepted = false;
	for (unsigned i = 0; i < bus->count; i++)
		if (apic_message_matches(m, bus->cpu[i], from))
			accepted |= lapic_deliver(bus->cpu[i], m);
	return accepted;
}
