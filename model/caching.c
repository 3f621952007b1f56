/* What is found in the caches, and what leaves them (SDM, "Operations that Invalidate Cached Mappings" and
 * "Invalidation of TLBs and Paging-Structure Caches"). */
#include "model/inside.h"

uint64_t m_random(struct m_cpu *cpu)
{
	cpu->chance ^= cpu->chance >> 12;
	cpu->chance ^= cpu->chance << 25;
	cpu->chance ^= cpu->chance >> 27;
	return cpu->chance * 0x2545f4914f6cdd1dull;
}

const struct m_entry *m_find(struct m_cpu *cpu, enum m_class class, const struct m_entry *key)
{
	struct m_cache *c = &cpu->cache[class];
	unsigned first = m_cache_set(c, key->page), matches = 0;
	struct m_entry *found = NULL;

	for (uint64_t left = m_cache_used(c, first); left; left &= left - 1) {
		struct m_entry *e = &c->e[first + (unsigned)__builtin_ctzll(left)];

		if (e->page != key->page || e->shift != key->shift || e->kind != key->kind ||
		    e->ep4ta != key->ep4ta || e->vpid != key->vpid || (e->pcid != key->pcid && !(e->flags & MF_G)))
			continue;
		matches++;
		if (!found || (cpu->adversarial ? (m_random(cpu) >> 16) % matches == 0 : e->stamp > found->stamp))
			found = e;
	}
	if (!found || (cpu->adversarial && (m_random(cpu) >> 20 & 7) == 0))
		return NULL;
	found->stamp = ++cpu->clock;
	return found;
}

static bool tags_covered(const struct m_cover *c, const struct m_entry *e)
{
	if (e->kind == M_GUEST_PHYSICAL)
		return c->guest_physical && (c->all_ep4ta || e->ep4ta == c->ep4ta);
	if (e->kind == M_LINEAR ? !c->linear : !c->combined)
		return false;
	if (e->kind == M_COMBINED && !c->all_ep4ta && e->ep4ta != c->ep4ta)
		return false;
	return c->all_vpids || (c->all_vpids_but_0 ? e->vpid != 0 : e->vpid == c->vpid);
}

static bool pcid_covered(const struct m_cover *c, const struct m_entry *e)
{
	return c->all_pcids || e->pcid == c->pcid || (c->globals_any_pcid && e->flags & MF_G);
}

static bool covered(const struct m_cover *c, enum m_class class, const struct m_entry *e)
{
	if (!tags_covered(c, e))
		return false;
	if (e->kind == M_GUEST_PHYSICAL)
		return !c->one_address || c->va >> e->shift == e->page;
	if (!pcid_covered(c, e) || (c->keep_globals && e->flags & MF_G))
		return false;
	if (!c->one_address || (c->psc_all && m_is_psc(class)))
		return true;
	/* A large page may be cached in pieces: all of them go. */
	return c->va >> e->gshift == (e->page << e->shift) >> e->gshift;
}

unsigned m_invalidate(struct m_cpu *cpu, const struct m_cover *cover, unsigned *wrong)
{
	unsigned gone = 0;

	for (unsigned class = 0; class < M_CLASSES; class++) {
		struct m_cache *c = &cpu->cache[class];

		for (unsigned word = 0; c->live && word < c->words; word++)
			for (uint64_t left = c->used[word]; left; left &= left - 1) {
				struct m_entry *e = &c->e[word * 64 + (unsigned)__builtin_ctzll(left)];

				if (!covered(cover, class, e))
					continue;
				if (wrong && m_entry_wrong(cpu, class, e))
					++*wrong;
				m_cache_drop(c, e);
				gone++;
			}
	}
	return gone;
}

static bool current(const struct m_cpu *cpu, const struct m_entry *e)
{
	if (!m_ept(cpu))
		return e->kind == M_LINEAR && e->vpid == cpu->vmcs->vpid;
	return e->ep4ta == m_ep4ta(cpu) &&
	       (e->kind == M_GUEST_PHYSICAL || (e->kind == M_COMBINED && e->vpid == cpu->vmcs->vpid));
}

static bool reached_by(const struct m_cpu *cpu, enum m_class class, uint64_t frame)
{
	const struct m_cache *c = &cpu->cache[class];

	for (unsigned word = 0; c->live && word < c->words; word++)
		for (uint64_t left = c->used[word]; left; left &= left - 1) {
			const struct m_entry *e = &c->e[word * 64 + (unsigned)__builtin_ctzll(left)];
			uint64_t frames = m_is_psc(class) ? 1 : BIT(e->shift - PAGE_SHIFT);

			if (frame - (e->addr >> PAGE_SHIFT) < frames && current(cpu, e))
				return true;
		}
	return false;
}

bool m_reaches(const struct m_cpu *cpu, uint64_t frame)
{
	if (!cpu->vmcs)
		return false;
	if ((m_ept(cpu) ? m_ep4ta(cpu) : cpu->regs.cr3 & X_ADDRESS_MASK) >> PAGE_SHIFT == frame)
		return true;
	for (unsigned i = 0; i < 4 && !m_ept(cpu) && x_mode(&cpu->regs) == X_PAE; i++)
		if (cpu->regs.pdpte[i] & X_P && (cpu->regs.pdpte[i] & X_ADDRESS_MASK) >> PAGE_SHIFT == frame)
			return true;
	for (unsigned class = 0; class < M_CLASSES; class++)
		if (reached_by(cpu, class, frame))
			return true;
	return false;
}

/* Current address, one page: what a #PF or an EPT violation invalidates by itself. */
static struct m_cover this_address(const struct m_cpu *cpu, uint64_t va)
{
	return (struct m_cover){ .linear = true,
				 .combined = true,
				 .all_ep4ta = true,
				 .one_address = true,
				 .globals_any_pcid = true,
				 .va = va,
				 .vpid = cpu->vmcs->vpid,
				 .pcid = x_pcid(&cpu->regs) };
}

void m_fault_drops(struct m_cpu *cpu, uint64_t va)
{
	struct m_cover c = this_address(cpu, va);

	m_invalidate(cpu, &c, NULL);
}

void m_violation_drops(struct m_cpu *cpu, uint64_t gpa, bool gla_valid, uint64_t gla)
{
	struct m_cover c = { .guest_physical = true, .one_address = true, .va = gpa, .ep4ta = m_ep4ta(cpu) };

	m_invalidate(cpu, &c, NULL);
	if (!gla_valid)
		return;
	c = this_address(cpu, gla);
	c.linear = false;
	c.all_ep4ta = false;
	c.ep4ta = m_ep4ta(cpu);
	m_invalidate(cpu, &c, NULL);
}
