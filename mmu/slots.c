/* mmu/slots.c - the guest-physical memory map: an array of at most SLOTS_MAX slots, sorted, searched by halves after a
 * look at where the previous search ended.
 *
 * SL1  Slots are sorted by base, non-empty, and do not overlap.
 * SL2  Every change raises the generation (S14). */
#include "mmu/slots.h"

/* The number of slots whose base is at or below gfn. */
static unsigned slots_at_or_below(const struct slots *s, gfn_t gfn)
{
	unsigned low = 0, high = s->count;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (s->slot[middle].base.v <= gfn.v)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool slots_add(struct slots *s, const struct slot *slot)
{
	unsigned at = slots_at_or_below(s, slot->base);

	_Static_assert(SLOT_RAM < SLOT_MMIO && SLOT_ROM < SLOT_MMIO && SLOT_APIC > SLOT_MMIO, "last_mmio");
	if (s->count == SLOTS_MAX || slot->pages == 0 || slot->base.v + slot->pages < slot->base.v)
		return false;
	if (at > 0 && slot->base.v - s->slot[at - 1].base.v < s->slot[at - 1].pages)
		return false;
	if (at < s->count && s->slot[at].base.v - slot->base.v < slot->pages)
		return false;
	memmove(&s->slot[at + 1], &s->slot[at], (s->count - at) * sizeof(s->slot[0]));
	s->slot[at] = *slot;
	s->count++;
	s->generation++;
	return true;
}

bool slots_remove(struct slots *s, gfn_t base)
{
	unsigned at = slots_at_or_below(s, base);

	if (at == 0 || s->slot[at - 1].base.v != base.v)
		return false;
	memmove(&s->slot[at - 1], &s->slot[at], (s->count - at) * sizeof(s->slot[0]));
	s->count--;
	memset(&s->slot[s->count], 0, sizeof(s->slot[0])); /* slots_linear looks without asking for the count */
	s->last = 0;
	s->generation++;
	return true;
}

struct slot *slots_find(struct slots *s, gfn_t gfn)
{
	unsigned last = __atomic_load_n(&s->last, __ATOMIC_RELAXED);
	unsigned at;

	if (likely(last < s->count && gfn.v - s->slot[last].base.v < s->slot[last].pages))
		return &s->slot[last];
	last = __atomic_load_n(&s->last_mmio, __ATOMIC_RELAXED);
	if (last < s->count && gfn.v - s->slot[last].base.v < s->slot[last].pages)
		return &s->slot[last];
	at = slots_at_or_below(s, gfn);
	if (at == 0 || gfn.v - s->slot[at - 1].base.v >= s->slot[at - 1].pages)
		return NULL;
	/* Memory is what is looked for again and again, in walks; a device's page in between does not change that. */
	__atomic_store_n(s->slot[at - 1].kind >= SLOT_MMIO ? &s->last_mmio : &s->last, at - 1, __ATOMIC_RELAXED);
	return &s->slot[at - 1];
}
