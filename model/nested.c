/* EPT: guest-physical to host-physical (SDM, "The Extended Page Table Mechanism (EPT)"), with its own TLB and
 * paging-structure caches. */
#include "model/inside.h"

static unsigned ept_shift(unsigned level) { return 12 + 9 * (level - 1); }

static uint16_t rights_of(uint64_t entry)
{
	return (entry & X_EPT_R ? MF_ER : 0) | (entry & X_EPT_W ? MF_EW : 0) | (entry & X_EPT_X ? MF_EX : 0);
}

static bool enough(struct m_need need, uint16_t flags)
{
	return (!need.r || flags & MF_ER) && (!need.w || flags & MF_EW) && (!need.x || flags & MF_EX);
}

static bool is_leaf(unsigned level, uint64_t e)
{
	return level == 1 || (level <= 3 && e & X_EPT_LARGE);
}

static bool type_reserved(uint64_t e)
{
	unsigned t = e >> X_EPT_TYPE_SHIFT & 7;

	return t == 2 || t == 3 || t == 7;
}

/* APM, "Nested Paging" and "Page-Translation-Table Entry Fields": as a user's access finds it. A reserved bit is told
 * as a misconfiguration is. The type is by the host's PAT: entry 0 is write-back, 1 write-through, what has PCD is not
 * cached. */
uint64_t m_npt_as_ept(const struct m_cpu *cpu, unsigned level, uint64_t e)
{
	bool large = level > 1 && e & X_PS;
	uint64_t ept = e & X_ADDRESS_MASK & ~(large ? X_PATLARGE : 0);

	if (!(e & X_P))
		return 0;
	if (e & MASK(51, cpu->caps->maxphyaddr) || (large && level > 3) ||
	    (large && e & MASK(12 + 9 * (level - 1) - 1, 13)) || (large && level == 3 && !cpu->caps->page_1g))
		return X_EPT_W;
	if (!(e & X_U))
		return 0;
	ept |= X_EPT_R | (e & X_W ? X_EPT_W : 0) | (e & X_XD ? 0 : X_EPT_X) | (large ? X_EPT_LARGE : 0);
	if (large || level == 1)
		ept |= (e & X_PCD ? 0ull : e & X_PWT ? 4ull : 6ull) << X_EPT_TYPE_SHIFT | (e & X_D ? X_EPT_D : 0);
	return ept | (e & X_A ? X_EPT_A : 0);
}

/* SDM, "EPT Misconfigurations". The entry is present: one of its rights is set. */
static bool misconfigured(const struct m_cpu *cpu, unsigned level, uint64_t e)
{
	unsigned rwx = e & X_EPT_RWX;

	if (rwx == X_EPT_W || rwx == (X_EPT_W | X_EPT_X) || (rwx == X_EPT_X && !cpu->caps->ept_execute_only))
		return true;
	if (e & MASK(51, cpu->caps->maxphyaddr))
		return true;
	if (!is_leaf(level, e))
		return e & (level >= 4 ? MASK(7, 3) : MASK(6, 3));
	if (type_reserved(e))
		return true;
	if (level == 3)
		return !cpu->caps->ept_1g || e & MASK(29, 12);
	return level == 2 && (!cpu->caps->ept_2m || e & MASK(20, 12));
}

uint64_t m_qualification(const struct m_cpu *cpu, struct m_need need, uint16_t flags)
{
	uint64_t q = 0;

	if (need.r)
		q |= X_QUAL_READ;
	if (need.w)
		q |= X_QUAL_WRITE;
	if (need.x)
		q |= X_QUAL_FETCH;
	q |= (uint64_t)((flags & MF_ER ? 1 : 0) | (flags & MF_EW ? 2 : 0) | (flags & MF_EX ? 4 : 0))
	     << X_QUAL_RIGHTS_SHIFT;
	if (need.gla_valid)
		q |= X_QUAL_GLA_VALID | (need.table ? 0 : X_QUAL_TRANSLATION);
	(void)cpu;
	return q;
}

static struct m_nested from_entry(const struct m_entry *e, uint64_t gpa)
{
	return (struct m_nested){ .how = MT_OK,
				  .hpa = e->addr | (gpa & (BIT(e->shift) - 1)),
				  .shift = e->shift,
				  .flags = e->flags,
				  .ept_type = e->ept_type };
}

/* A cached guest-physical translation. One that is too weak serves too, on an adversarial CPU: as a violation. */
static bool cached(struct m_cpu *cpu, uint64_t gpa, struct m_need need, struct m_nested *out)
{
	static const uint8_t shifts[] = { 12, 21, 30 };

	for (unsigned i = 0; i < ARRAY_SIZE(shifts); i++) {
		enum m_class class = m_ntlb_class(shifts[i]);

		if (!cpu->cache[class].live)
			continue;

		struct m_entry key = {
			.page = gpa >> shifts[i], .shift = shifts[i], .kind = M_GUEST_PHYSICAL, .ep4ta = m_ep4ta(cpu)
		};
		const struct m_entry *e = m_find(cpu, class, &key);

		if (!e)
			continue;
		*out = from_entry(e, gpa);
		if (!enough(need, e->flags)) {
			if (!cpu->adversarial || need.speculative || m_random(cpu) & 1)
				continue;
			out->how = MT_VIOLATION;
			out->qualification = m_qualification(cpu, need, e->flags);
			return true;
		}
		if (need.w && !(e->flags & MF_ED))
			continue; /* the dirty flag must be set in memory */
		return true;
	}
	return false;
}

struct ept_walk {
	unsigned level;
	uint64_t table;
	uint16_t flags;
};

/* Where to begin: the lowest paging-structure cache that has something, or, on an adversarial CPU, any. */
static struct ept_walk begin(struct m_cpu *cpu, uint64_t gpa)
{
	struct ept_walk w = { .level = m_ept_top(cpu), .table = m_ep4ta(cpu), .flags = MF_ER | MF_EW | MF_EX };

	for (unsigned level = 2; level <= m_ept_top(cpu); level++) {
		enum m_class class = M_NPSC_2 + level - 2;

		if (!cpu->cache[class].live)
			continue;

		struct m_entry key = { .page = gpa >> ept_shift(level),
				       .shift = ept_shift(level),
				       .kind = M_GUEST_PHYSICAL,
				       .ep4ta = m_ep4ta(cpu) };
		const struct m_entry *e = m_find(cpu, class, &key);

		if (e)
			return (struct ept_walk){ .level = level - 1, .table = e->addr, .flags = e->flags };
	}
	return w;
}

/* Sets flags in an EPT entry, which is reached by its host-physical address. false: another has written to the entry
 * since it was read, and the walk begins anew. Nothing else stops it. */
static bool ept_set(struct m_cpu *cpu, uint64_t at, uint64_t *e, uint64_t raw, uint64_t bits)
{
	uint64_t as_it_is = m_npt(cpu) ? (bits & X_EPT_A ? X_A : 0) | (bits & X_EPT_D ? X_D : 0) : bits;

	if ((*e & bits) == bits)
		return true;
	if (!phys_exchange(cpu->phys, at, 8, raw, raw | as_it_is))
		return false;
	cpu->stats.references++;
	*e |= bits;
	return true;
}

#define PML_ENTRIES 512

/* SDM, "Page-Modification Logging": with an index out of range no flag is set. */
static bool log_full(const struct m_cpu *cpu) { return cpu->vmcs->pml && cpu->vmcs->pml_index >= PML_ENTRIES; }

/* The dirty flag of gpa's leaf was set. */
static void log_page(struct m_cpu *cpu, uint64_t gpa)
{
	struct m_vmcs *v = cpu->vmcs;

	if (!v->pml)
		return;
	phys_write(cpu->phys, v->pml + 8ull * v->pml_index, 8, align_down(gpa, PAGE_SIZE));
	v->pml_index--;
	cpu->stats.references++;
}

static struct m_nested reached_leaf(struct m_cpu *cpu, uint64_t gpa, struct m_need need, const struct ept_walk *w,
				    uint64_t at, uint64_t raw, uint64_t e)
{
	struct m_nested n = { .how = MT_OK, .shift = ept_shift(w->level), .flags = w->flags };

	if (!enough(need, w->flags)) {
		n.how = need.speculative ? MT_ABORT : MT_VIOLATION;
		n.qualification = m_qualification(cpu, need, w->flags);
		return n;
	}
	if (m_ept_ad(cpu)) {
		uint64_t bits = X_EPT_A | (need.w ? X_EPT_D : 0);

		bool clean = need.w && !(e & X_EPT_D);

		if (need.speculative && (e & bits) != bits)
			return (struct m_nested){ .how = MT_ABORT };
		if ((e & bits) != bits && log_full(cpu))
			return (struct m_nested){ .how = MT_LOG_FULL };
		if (!ept_set(cpu, at, &e, raw, bits))
			return (struct m_nested){ .how = MT_RESTART };
		if (clean)
			log_page(cpu, gpa);
	}
	if (!m_ept_ad(cpu) || e & X_EPT_D)
		n.flags |= MF_ED;
	n.ept_type = (e >> X_EPT_TYPE_SHIFT & 7) | (e & X_EPT_IPAT ? 8 : 0);

	uint64_t base = align_down(e & X_ADDRESS_MASK, BIT(n.shift));
	struct m_entry entry = { .page = gpa >> n.shift,
				 .shift = n.shift,
				 .gshift = n.shift,
				 .addr = base,
				 .kind = M_GUEST_PHYSICAL,
				 .ep4ta = m_ep4ta(cpu),
				 .root = m_ep4ta(cpu),
				 .ept_top = m_ept_top(cpu),
				 .flags = n.flags,
				 .ept_type = n.ept_type };

	m_cache(cpu, m_ntlb_class(n.shift), &entry);
	n.hpa = base | (gpa & (BIT(n.shift) - 1));
	return n;
}

/* The table of the next lower level that the walk has come to. */
static void cache_table(struct m_cpu *cpu, uint64_t gpa, const struct ept_walk *w)
{
	struct m_entry entry = { .page = gpa >> ept_shift(w->level),
				 .shift = ept_shift(w->level),
				 .gshift = ept_shift(w->level),
				 .addr = w->table,
				 .kind = M_GUEST_PHYSICAL,
				 .ep4ta = m_ep4ta(cpu),
				 .root = m_ep4ta(cpu),
				 .ept_top = m_ept_top(cpu),
				 .flags = w->flags };

	m_cache(cpu, M_NPSC_2 + w->level - 2, &entry);
}

static struct m_nested walk_once(struct m_cpu *cpu, uint64_t gpa, struct m_need need)
{
	struct m_nested n;

	if (gpa >> ept_shift(m_ept_top(cpu) + 1)) {
		n = (struct m_nested){ .how = need.speculative ? MT_ABORT : MT_VIOLATION };
		n.qualification = m_qualification(cpu, need, 0);
		return n;
	}
	if (cached(cpu, gpa, need, &n))
		return n;
	for (struct ept_walk w = begin(cpu, gpa);; w.level--) {
		uint64_t at = w.table + 8 * (gpa >> ept_shift(w.level) & 511);
		uint64_t raw = phys_read(cpu->phys, at, 8), e = m_nested_entry(cpu, w.level, raw);

		cpu->stats.references++;
		if (!(e & X_EPT_RWX)) {
			n = (struct m_nested){ .how = need.speculative ? MT_ABORT : MT_VIOLATION };
			n.qualification = m_qualification(cpu, need, 0);
			return n;
		}
		if (misconfigured(cpu, w.level, e))
			return (struct m_nested){ .how = need.speculative ? MT_ABORT : MT_MISCONFIG };
		w.flags &= rights_of(e);
		if (is_leaf(w.level, e))
			return reached_leaf(cpu, gpa, need, &w, at, raw, e);
		if (m_ept_ad(cpu)) {
			if (need.speculative && !(e & X_EPT_A))
				return (struct m_nested){ .how = MT_ABORT };
			if (!(e & X_EPT_A) && log_full(cpu))
				return (struct m_nested){ .how = MT_LOG_FULL };
			if (!ept_set(cpu, at, &e, raw, X_EPT_A))
				return (struct m_nested){ .how = MT_RESTART };
		}
		w.table = e & X_ADDRESS_MASK;
		cache_table(cpu, gpa, &w);
	}
}

struct m_nested m_nested(struct m_cpu *cpu, uint64_t gpa, struct m_need need)
{
	struct m_nested n;

	do
		n = walk_once(cpu, gpa, need);
	while (n.how == MT_RESTART);
	return n;
}
