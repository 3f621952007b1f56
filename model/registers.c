/* The guest's instructions that load control registers or invalidate translations. */
#include "model/inside.h"

static struct m_result done(void) { return (struct m_result){ .event = M_OK }; }
static struct m_result gp(void) { return (struct m_result){ .event = M_GP }; }

static struct m_result leave(struct m_cpu *cpu, enum m_exit why, uint64_t va)
{
	m_exit(cpu);
	return (struct m_result){ .event = M_EXIT, .exit = why, .gla = va };
}

/* This VPID's linear mappings even under EPT, and its combined ones even without; all EP4TAs. */
static struct m_cover own(const struct m_cpu *cpu)
{
	return (struct m_cover){
		.linear = true, .combined = true, .all_ep4ta = true, .vpid = cpu->vmcs->vpid, .pcid = x_pcid(&cpu->regs)
	};
}

static void drop_all(struct m_cpu *cpu)
{
	struct m_cover c = own(cpu);

	c.all_pcids = true;
	m_invalidate(cpu, &c, NULL);
}

static bool is_pae(const struct x_regs *r) { return x_mode(r) == X_PAE; }

struct m_result m_load_pdptes(struct m_cpu *cpu, const struct x_regs *r, uint64_t pdpte[4])
{
	uint64_t at = x_pdpt(r->cr3);

	for (unsigned i = 0; i < 4; i++) {
		uint64_t addr = at + 8 * i;

		if (m_ept(cpu)) {
			struct m_need need = { .r = true, .table = true };
			struct m_nested n = m_nested(cpu, addr, need);

			if (n.how != MT_OK)
				return (struct m_result){ .event = M_EXIT,
							  .gpa = addr,
							  .qualification = n.qualification,
							  .exit = m_nested_exit(n.how) };
			addr = n.hpa;
			if (m_apic_access(cpu, addr))
				return (struct m_result){ .event = M_EXIT, .exit = M_EXIT_APIC_ACCESS,
							  .gpa = at + 8 * i, .qualification = 15u << 12 };
		}
		pdpte[i] = phys_read(cpu->phys, addr, 8);
		if (!x_pdpte_ok(r, pdpte[i]))
			return gp();
	}
	return done();
}

/* Loads PDPTEs for the registers as they will be, and raises what that raises. true: go on. */
static bool pdptes_loaded(struct m_cpu *cpu, struct x_regs *to, struct m_result *out)
{
	uint64_t pdpte[4];

	*out = m_load_pdptes(cpu, to, pdpte);
	if (out->event == M_OK) {
		memcpy(to->pdpte, pdpte, sizeof(pdpte));
		return true;
	}
	if (out->event == M_EXIT) {
		if (out->exit == M_EXIT_EPT_VIOLATION)
			m_violation_drops(cpu, out->gpa, false, 0);
		m_exit(cpu);
	}
	return false;
}

struct m_result m_mov_cr3(struct m_cpu *cpu, uint64_t value)
{
	bool pcide = cpu->regs.cr4 & X_CR4_PCIDE, keep = pcide && value & X_CR3_KEEP;
	struct x_regs to = cpu->regs;
	struct m_result out;

	if (cpu->vmcs->cr3_load_exiting)
		return leave(cpu, M_EXIT_CR3, 0);
	if (pcide)
		value &= ~X_CR3_KEEP;
	if (to.efer & X_EFER_LMA && value & MASK(63, to.maxphyaddr))
		return gp();
	to.cr3 = value;
	if (is_pae(&to) && !pdptes_loaded(cpu, &to, &out))
		return out;
	cpu->regs = to;
	if (!keep) {
		struct m_cover c = own(cpu);

		c.keep_globals = true;
		m_invalidate(cpu, &c, NULL);
	}
	return done();
}

static bool cr0_legal(const struct x_regs *r, uint64_t value)
{
	if (value & X_CR0_PG && !(value & X_CR0_PE))
		return false;
	if (value & X_CR0_NW && !(value & X_CR0_CD))
		return false;
	if (r->cr4 & X_CR4_PCIDE && !(value & X_CR0_PG))
		return false;
	if (value & X_CR0_PG && !(r->cr0 & X_CR0_PG) && r->efer & X_EFER_LME && !(r->cr4 & X_CR4_PAE))
		return false;
	return true;
}

struct m_result m_mov_cr0(struct m_cpu *cpu, uint64_t value)
{
	struct m_vmcs *v = cpu->vmcs;
	struct x_regs to = cpu->regs;
	struct m_result out;

	value |= X_CR0_ET;
	if ((value ^ v->cr0_shadow) & v->cr0_mask)
		return leave(cpu, M_EXIT_CR0, 0);
	value = (value & ~v->cr0_mask) | (to.cr0 & v->cr0_mask);
	if (!cr0_legal(&to, value))
		return gp();

	uint64_t changed = value ^ to.cr0;

	to.cr0 = value;
	to.efer &= ~X_EFER_LMA;
	if (value & X_CR0_PG && to.efer & X_EFER_LME)
		to.efer |= X_EFER_LMA;
	if (is_pae(&to) && changed & (X_CR0_PG | X_CR0_CD | X_CR0_NW) && !pdptes_loaded(cpu, &to, &out))
		return out;
	cpu->regs = to;
	if (changed & X_CR0_PG && !(value & X_CR0_PG))
		drop_all(cpu);
	return done();
}

static bool cr4_legal(const struct x_regs *r, uint64_t value)
{
	uint64_t changed = value ^ r->cr4;

	if (r->efer & X_EFER_LMA && (!(value & X_CR4_PAE) || changed & X_CR4_LA57))
		return false;
	if (changed & value & X_CR4_PCIDE && (!(r->efer & X_EFER_LMA) || r->cr3 & 0xfff))
		return false;
	return true;
}

struct m_result m_mov_cr4(struct m_cpu *cpu, uint64_t value)
{
	struct m_vmcs *v = cpu->vmcs;
	struct x_regs to = cpu->regs;
	struct m_result out;

	if ((value ^ v->cr4_shadow) & v->cr4_mask)
		return leave(cpu, M_EXIT_CR4, 0);
	value = (value & ~v->cr4_mask) | (to.cr4 & v->cr4_mask);
	if (!cr4_legal(&to, value))
		return gp();

	uint64_t changed = value ^ to.cr4;

	to.cr4 = value;
	if (is_pae(&to) && changed & (X_CR4_PSE | X_CR4_PAE | X_CR4_PGE | X_CR4_SMEP) && !pdptes_loaded(cpu, &to, &out))
		return out;

	struct m_cover current = own(cpu); /* by the PCID that was current */

	cpu->regs = to;
	if (changed & X_CR4_PGE || changed & ~value & X_CR4_PCIDE) {
		drop_all(cpu);
	} else if (changed & X_CR4_PAE || changed & value & X_CR4_SMEP) {
		current.globals_any_pcid = true;
		m_invalidate(cpu, &current, NULL);
	}
	return done();
}

struct m_result m_invlpg(struct m_cpu *cpu, uint64_t va)
{
	struct m_cover c = own(cpu);

	if (cpu->vmcs->invlpg_exiting)
		return leave(cpu, M_EXIT_INVLPG, x_mode(&cpu->regs) < X_4LEVEL ? (uint32_t)va : va);
	if (!x_canonical(x_mode(&cpu->regs), va))
		return done();
	c.va = x_va(x_mode(&cpu->regs), va);
	c.one_address = true;
	c.psc_all = true;
	c.globals_any_pcid = true;
	m_invalidate(cpu, &c, NULL);
	return done();
}

struct m_result m_invpcid(struct m_cpu *cpu, unsigned type, uint16_t pcid, uint64_t va)
{
	struct m_cover c = own(cpu);

	if (cpu->vmcs->invlpg_exiting)
		return leave(cpu, M_EXIT_INVPCID, va);
	if (type > 3 || pcid > 0xfff || (type < 2 && pcid && !(cpu->regs.cr4 & X_CR4_PCIDE)))
		return gp();
	if (type == 0 && !x_canonical(x_mode(&cpu->regs), va))
		return gp();
	c.pcid = pcid;
	c.all_pcids = type >= 2;
	c.keep_globals = type != 2;
	c.one_address = type == 0;
	c.va = x_va(x_mode(&cpu->regs), va);
	m_invalidate(cpu, &c, NULL);
	return done();
}
