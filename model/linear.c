/* Translation of linear addresses: TLB look-up, the walk in one or two dimensions, faults. */
#include "model/inside.h"

#define RESTARTS_MAX 64

enum how { DONE, FAULT, NESTED, ABORT, RESTART, APIC };

struct walk {
	struct m_cpu *cpu;
	uint64_t va;
	struct x_access access;
	bool speculative;
	enum x_mode mode;
	unsigned level, top;
	uint64_t table;      /* guest-physical with EPT, else physical */
	uint64_t direct;     /* with EPT: the table's page as a cache knows it; 0: to be translated */
	uint16_t eflags;     /* EPT's rights to the table's page */
	uint64_t root;
	struct x_rights rights;
	uint64_t at_gpa, at; /* the entry being looked at */
	struct x_entry e;
	/* out */
	uint32_t error;
	struct m_nested nested;
	uint64_t nested_gpa;
};

static struct x_rights rights_of(uint16_t flags, uint8_t pkey)
{
	return (struct x_rights){ .w = flags & MF_W, .u = flags & MF_U, .xd = flags & MF_XD, .pkey = pkey };
}

static uint16_t flags_of(struct x_rights r)
{
	return (r.w ? MF_W : 0) | (r.u ? MF_U : 0) | (r.xd ? MF_XD : 0);
}

static struct m_entry new_entry(const struct walk *w, unsigned shift)
{
	return (struct m_entry){ .page = w->va >> shift,
				 .shift = shift,
				 .gshift = shift,
				 .vpid = w->cpu->vmcs->vpid,
				 .pcid = x_pcid(&w->cpu->regs),
				 .ep4ta = m_ep4ta(w->cpu),
				 .root = w->root,
				 .top = w->top,
				 .ept_top = m_ept_top(w->cpu),
				 .mode = w->mode,
				 .kind = m_ept(w->cpu) ? M_COMBINED : M_LINEAR };
}

static struct m_need need_data(const struct walk *w)
{
	return (struct m_need){ .r = !w->access.write && !w->access.fetch,
				.w = w->access.write,
				.x = w->access.fetch,
				.gla_valid = true,
				.speculative = w->speculative };
}

static bool start_from_root(struct walk *w)
{
	const struct x_regs *r = &w->cpu->regs;

	w->rights = (struct x_rights){ .w = true, .u = true };
	w->level = w->top;
	w->direct = 0;
	w->table = w->root;
	if (w->mode == X_PAE && !(r->pdpte[w->va >> 30 & 3] & X_P)) {
		w->error = x_error_absent(r, w->access, false);
		return false;
	}
	return true;
}

/* Begins at the lowest level that a paging-structure cache knows; an adversarial CPU at any such level. */
static void start_from_cache(struct walk *w)
{
	struct m_cpu *cpu = w->cpu;

	for (unsigned level = 2; level <= w->top; level++) {
		enum m_class class = M_PSC_2 + level - 2;

		if (!cpu->cache[class].live)
			continue;

		struct m_entry key = new_entry(w, x_shift(w->mode, level));
		const struct m_entry *e = m_find(cpu, class, &key);

		if (!e)
			continue;
		w->level = level - 1;
		w->table = m_ept(cpu) ? e->gaddr : e->addr;
		w->direct = m_ept(cpu) ? e->addr : 0;
		w->eflags = e->flags & (MF_ER | MF_EW | MF_EX | MF_ED);
		w->rights = rights_of(e->flags, 0);
		return;
	}
}

static void cache_table(struct walk *w)
{
	struct m_entry e = new_entry(w, x_shift(w->mode, w->level + 1));
	bool ept = m_ept(w->cpu);

	e.addr = align_down(ept ? w->at : w->table, PAGE_SIZE);
	e.gaddr = ept ? w->table : 0;
	e.flags = flags_of(w->rights) | (ept ? w->eflags : 0);
	m_cache(w->cpu, M_PSC_2 + w->level - 1, &e);
}

/* Finds where the entry is. */
static enum how locate(struct walk *w)
{
	struct m_cpu *cpu = w->cpu;

	w->at_gpa = w->table + (uint64_t)x_index(w->mode, w->level, w->va) * x_entry_size(w->mode);
	if (!m_ept(cpu)) {
		w->at = w->at_gpa;
	} else if (w->direct) {
		w->at = w->direct + (w->at_gpa - w->table);
		w->direct = 0;
		return DONE;
	} else {
		struct m_need need = {
			.r = true, .w = m_ept_ad(cpu), .table = true, .gla_valid = true, .speculative = w->speculative
		};

		w->nested = m_nested(cpu, w->at_gpa, need);
		w->nested_gpa = w->at_gpa;
		if (w->nested.how == MT_ABORT)
			return ABORT;
		if (w->nested.how != MT_OK)
			return NESTED;
		w->at = w->nested.hpa;
		w->eflags = w->nested.flags;
	}
	if (w->level < w->top)
		cache_table(w);
	return DONE;
}

/* Sets accessed or dirty in the entry just read. */
static enum how set_flags(struct walk *w, uint64_t value, uint64_t bits)
{
	struct m_cpu *cpu = w->cpu;

	if ((value & bits) == bits)
		return DONE;
	if (w->speculative)
		return ABORT;
	if (m_ept(cpu) && (!(w->eflags & MF_EW) || !(w->eflags & MF_ED))) {
		struct m_need need = { .w = true, .r = m_ept_ad(cpu), .table = true, .gla_valid = true };

		w->nested = m_nested(cpu, w->at_gpa, need);
		w->nested_gpa = w->at_gpa;
		if (w->nested.how != MT_OK)
			return NESTED;
		if (w->nested.hpa != w->at)
			return RESTART;
		w->eflags = w->nested.flags;
	}
	/* Another CPU may have written to it meanwhile. */
	if (!phys_exchange(cpu->phys, w->at, x_entry_size(w->mode), value, value | bits))
		return RESTART;
	cpu->stats.references++;
	cpu->stats.flags_set++;
	return DONE;
}

static enum how leaf(struct walk *w, uint64_t value, struct m_result *out)
{
	struct m_cpu *cpu = w->cpu;
	struct m_entry t = new_entry(w, w->e.shift);
	bool dirty = w->e.d || w->access.write;
	enum how how;

	w->rights.pkey = w->e.pkey;
	if (!x_permitted(&cpu->regs, w->access, w->rights)) {
		w->error = x_error_rights(&cpu->regs, w->access, w->rights);
		return FAULT;
	}
	how = set_flags(w, value, X_A | (w->access.write ? X_D : 0));
	if (how != DONE)
		return how;
	t.flags = flags_of(w->rights) | (dirty ? MF_D : 0) | (w->e.g && cpu->regs.cr4 & X_CR4_PGE ? MF_G : 0);
	t.pkey = w->e.pkey;
	t.pat = w->e.pat;
	t.addr = w->e.addr;

	uint64_t gpa = w->e.addr | (w->va & (BIT(w->e.shift) - 1));

	if (m_ept(cpu)) {
		w->nested = m_nested(cpu, gpa, need_data(w));
		w->nested_gpa = gpa;
		if (w->nested.how == MT_ABORT)
			return ABORT;
		if (w->nested.how != MT_OK)
			return NESTED;
		t.flags |= w->nested.flags;
		t.ept_type = w->nested.ept_type;
		t.shift = w->nested.shift < t.shift ? w->nested.shift : t.shift;
		t.page = w->va >> t.shift;
		t.gaddr = align_down(gpa, BIT(t.shift));
		t.addr = align_down(w->nested.hpa, BIT(t.shift));
	}
	m_cache(cpu, m_tlb_class(t.shift), &t);
	*out = (struct m_result){ .event = M_OK, .hpa = t.addr | (w->va & (BIT(t.shift) - 1)), .gpa = gpa,
				  .gla = w->va, .pat = t.pat,
				  .ept_type = t.ept_type };
	return DONE;
}

/* One walk, from wherever it begins to its end. */
static enum how walk_once(struct walk *w, struct m_result *out)
{
	struct m_cpu *cpu = w->cpu;
	enum how how;

	if (!start_from_root(w))
		return FAULT;
	start_from_cache(w);
	for (;; w->level--) {
		how = locate(w);
		if (how != DONE)
			return how;
		if (m_apic_access(cpu, w->at))
			return APIC;

		uint64_t value = phys_read(cpu->phys, w->at, x_entry_size(w->mode));

		cpu->stats.references++;
		w->e = x_decode(&cpu->regs, w->mode, w->level, value);
		if (w->e.kind == X_ABSENT || w->e.kind == X_RESERVED) {
			w->error = x_error_absent(&cpu->regs, w->access, w->e.kind == X_RESERVED);
			return FAULT;
		}
		w->rights.w &= w->e.w;
		w->rights.u &= w->e.u;
		w->rights.xd |= w->e.xd;
		if (w->e.kind == X_LEAF)
			return leaf(w, value, out);
		how = set_flags(w, value, X_A);
		if (how != DONE)
			return how;
		w->table = w->e.addr;
	}
}

static struct m_result raise_fault(struct m_cpu *cpu, uint64_t va, uint32_t error)
{
	struct m_vmcs *v = cpu->vmcs;
	struct m_result r = { .event = M_PF, .gla = va, .error = error };
	bool exits = v->pf_intercept && (error & v->pf_mask) == v->pf_match;

	/* A page fault invalidates what is cached for its address; whether one that causes a VM exit instead does so as
	 * well, the manual does not say, so nobody may rely on it either way. */
	if (!exits || !cpu->adversarial || m_random(cpu) >> 24 & 1)
		m_fault_drops(cpu, va);
	if (exits) {
		r.event = M_EXIT;
		r.exit = M_EXIT_PF;
		m_exit(cpu);
	}
	return r;
}

static struct m_result raise_nested(struct m_cpu *cpu, uint64_t va, const struct m_nested *n, uint64_t gpa)
{
	struct m_result r = { .event = M_EXIT, .gla = va, .gpa = gpa, .qualification = n->qualification };

	r.exit = m_nested_exit(n->how);
	if (r.exit == M_EXIT_EPT_VIOLATION)
		m_violation_drops(cpu, gpa, true, va);
	m_exit(cpu);
	return r;
}

static struct m_result raise_apic_access(struct m_cpu *cpu, uint64_t va, unsigned type, uint64_t gpa)
{
	m_exit(cpu);
	return (struct m_result){ .event = M_EXIT, .exit = M_EXIT_APIC_ACCESS, .gla = va, .gpa = gpa,
				  .qualification = (uint64_t)type << 12 | (gpa & (PAGE_SIZE - 1)) };
}

static struct m_result walk(struct m_cpu *cpu, uint64_t va, struct x_access access, bool speculative)
{
	struct walk w = {
		.cpu = cpu, .va = va, .access = access, .speculative = speculative, .mode = x_mode(&cpu->regs)
	};
	struct m_result out = { .event = M_OK };

	cpu->stats.walks++;
	w.top = x_top(w.mode);
	w.root = w.mode == X_PAE ? cpu->regs.pdpte[va >> 30 & 3] & X_ADDRESS_MASK : x_root(&cpu->regs, w.mode);
	for (unsigned tries = 0; tries < RESTARTS_MAX; tries++) {
		enum how how = walk_once(&w, &out);

		if (how == RESTART)
			continue;
		if (how == FAULT && !speculative)
			return raise_fault(cpu, va, w.error);
		if (how == NESTED && !speculative)
			return raise_nested(cpu, va, &w.nested, w.nested_gpa);
		if (how == APIC && !speculative)
			return raise_apic_access(cpu, va, 15, w.at_gpa);
		return out;
	}
	bug(__FILE__, __LINE__, "a walk that never ends");
}

/* What a cached translation makes of the access. false: it does not serve, walk. */
static bool use(struct m_cpu *cpu, const struct m_entry *cached, uint64_t va, struct x_access a, struct m_result *out)
{
	struct m_entry e = *cached; /* faults drop the original */
	struct x_rights rights = rights_of(e.flags, e.pkey);
	uint64_t offset = va & (BIT(e.shift) - 1);
	struct m_need need = { .r = !a.write && !a.fetch, .w = a.write, .x = a.fetch, .gla_valid = true };

	if (!x_permitted(&cpu->regs, a, rights)) {
		*out = raise_fault(cpu, va, x_error_rights(&cpu->regs, a, rights));
		return true;
	}
	if (a.write && !(e.flags & MF_D))
		return false;
	if (e.kind == M_COMBINED) {
		if ((need.r && !(e.flags & MF_ER)) || (need.w && !(e.flags & MF_EW)) ||
		    (need.x && !(e.flags & MF_EX))) {
			struct m_nested n = { .how = MT_VIOLATION,
					      .qualification = m_qualification(cpu, need, e.flags) };

			if (!cpu->adversarial || m_random(cpu) & 1)
				return false;
			*out = raise_nested(cpu, va, &n, e.gaddr | offset);
			return true;
		}
		if (a.write && !(e.flags & MF_ED))
			return false;
	}
	*out = (struct m_result){ .event = M_OK, .hpa = e.addr | offset,
				  .gpa = e.kind == M_COMBINED ? e.gaddr | offset : 0, .gla = va,
				  .pat = e.pat, .ept_type = e.ept_type, .cached = true };
	return true;
}

static bool look_up(struct m_cpu *cpu, uint64_t va, struct x_access a, struct m_result *out)
{
	static const uint8_t shifts[] = { 12, 21, 22, 30 };

	for (unsigned i = 0; i < ARRAY_SIZE(shifts); i++) {
		enum m_class class = m_tlb_class(shifts[i]);

		if (!cpu->cache[class].live)
			continue;

		struct m_entry key = { .page = va >> shifts[i],
				       .shift = shifts[i],
				       .kind = m_ept(cpu) ? M_COMBINED : M_LINEAR,
				       .vpid = cpu->vmcs->vpid,
				       .pcid = x_pcid(&cpu->regs),
				       .ep4ta = m_ep4ta(cpu) };
		const struct m_entry *e = m_find(cpu, class, &key);

		if (e && use(cpu, e, va, a, out))
			return true;
	}
	return false;
}

static struct m_result access_unpaged(struct m_cpu *cpu, uint64_t va, struct x_access a)
{
	struct m_result out = { .event = M_OK, .hpa = va, .gpa = va, .gla = va };
	struct m_need need = { .r = !a.write && !a.fetch, .w = a.write, .x = a.fetch, .gla_valid = true };

	if (!m_ept(cpu))
		return out;

	struct m_nested n = m_nested(cpu, va, need);

	if (n.how != MT_OK)
		return raise_nested(cpu, va, &n, va);
	out.hpa = n.hpa;
	out.ept_type = n.ept_type;
	return out;
}

static struct m_result translate(struct m_cpu *cpu, uint64_t va, struct x_access a)
{
	enum x_mode mode = x_mode(&cpu->regs);
	struct m_result out;

	if (mode == X_NONE)
		return access_unpaged(cpu, va, a);
	if (look_up(cpu, va, a, &out)) {
		cpu->stats.tlb_hits++;
		return out;
	}
	return walk(cpu, va, a, false);
}

struct m_result m_access(struct m_cpu *cpu, uint64_t va, struct x_access a)
{
	struct m_result out;

	cpu->stats.accesses++;
	va = x_va(x_mode(&cpu->regs), va);
	out = translate(cpu, va, a);
	if (out.event == M_OK && m_apic_access(cpu, out.hpa))
		return raise_apic_access(cpu, va, a.fetch ? 2 : a.write, va);
	return out;
}

void m_speculate(struct m_cpu *cpu, uint64_t va)
{
	enum x_mode mode = x_mode(&cpu->regs);
	struct x_access as = { .user = m_random(cpu) >> 7 & 1, .fetch = m_random(cpu) >> 9 & 1 };
	struct x_regs saved = cpu->regs;

	if (mode == X_NONE)
		return;
	cpu->stats.speculations++;
	/* Rights do not keep a translation from being cached. */
	cpu->regs.cr4 &= ~(X_CR4_SMEP | X_CR4_SMAP);
	walk(cpu, x_va(mode, va), as, true);
	cpu->regs = saved;
}
