/* The guest's instructions on registers: what must come of them (SDM, the instructions' pages; "Paging"), what came,
 * and what they let the guest's caches keep. */
#include <string.h>

#include "test/oracle/weave.h"

enum load { LOAD_CR0, LOAD_CR3, LOAD_CR4, LOAD_EFER };

static const char *const load_names[] = { "MOV to CR0", "MOV to CR3", "MOV to CR4", "WRMSR of EFER" };

/* ---- what must come of it ---- */

static bool load_pdptes(struct vcpu *v, struct x_regs *r)
{
	for (unsigned i = 0; i < 4; i++) {
		r->pdpte[i] = gm_read(v->vm, x_pdpt(r->cr3) + 8 * i, 8);
		if (!x_pdpte_ok(r, r->pdpte[i]))
			return false;
	}
	return true;
}

static bool must_cr0(struct vcpu *v, uint64_t value, struct x_regs *r)
{
	uint64_t changed = value ^ r->cr0;

	value |= X_CR0_ET;
	if ((value & X_CR0_PG && !(value & X_CR0_PE)) || (value & X_CR0_NW && !(value & X_CR0_CD)))
		return false;
	if (!(value & X_CR0_PG) && r->cr4 & X_CR4_PCIDE)
		return false;
	if (changed & value & X_CR0_PG && r->efer & X_EFER_LME && !(r->cr4 & X_CR4_PAE))
		return false;
	r->cr0 = value;
	r->efer &= ~X_EFER_LMA;
	if (value & X_CR0_PG && r->efer & X_EFER_LME)
		r->efer |= X_EFER_LMA;
	return x_mode(r) != X_PAE || !(changed & (X_CR0_PG | X_CR0_CD | X_CR0_NW)) || load_pdptes(v, r);
}

static bool must_cr3(struct vcpu *v, uint64_t value, struct x_regs *r)
{
	if (r->cr4 & X_CR4_PCIDE)
		value &= ~X_CR3_KEEP;
	if (r->efer & X_EFER_LMA && value & MASK(63, r->maxphyaddr))
		return false;
	r->cr3 = value;
	return x_mode(r) != X_PAE || load_pdptes(v, r);
}

static bool must_cr4(struct vcpu *v, uint64_t value, struct x_regs *r)
{
	uint64_t changed = value ^ r->cr4;

	if (r->efer & X_EFER_LMA && (!(value & X_CR4_PAE) || changed & X_CR4_LA57))
		return false;
	if (changed & value & X_CR4_PCIDE && (!(r->efer & X_EFER_LMA) || r->cr3 & 0xfff))
		return false;
	r->cr4 = value;
	return x_mode(r) != X_PAE || !(changed & (X_CR4_PSE | X_CR4_PAE | X_CR4_PGE | X_CR4_SMEP)) || load_pdptes(v, r);
}

static bool must_efer(uint64_t value, struct x_regs *r)
{
	if (r->cr0 & X_CR0_PG && (value ^ r->efer) & X_EFER_LME)
		return false;
	r->efer = (value & ~X_EFER_LMA) | (r->efer & X_EFER_LMA);
	return true;
}

static bool must(struct vcpu *v, enum load which, uint64_t value, struct x_regs *r)
{
	return which == LOAD_CR0   ? must_cr0(v, value, r)
	       : which == LOAD_CR3 ? must_cr3(v, value, r)
	       : which == LOAD_CR4 ? must_cr4(v, value, r)
				   : must_efer(value, r);
}

/* ---- what it lets the guest's caches keep ---- */

static void drops(struct vcpu *v, enum load which, uint64_t value, const struct x_regs *old)
{
	uint64_t changed = old->cr4 ^ v->regs.cr4;
	uint16_t pcid = x_pcid(&v->regs);

	if (which == LOAD_CR3 && !(old->cr4 & X_CR4_PCIDE && value & X_CR3_KEEP))
		spec_drop(v, DROP_NONGLOBAL, 0, pcid);
	if (which == LOAD_CR0 && old->cr0 & ~v->regs.cr0 & X_CR0_PG)
		spec_drop(v, DROP_ALL, 0, 0);
	if (changed & X_CR4_PGE || changed & old->cr4 & X_CR4_PCIDE)
		spec_drop(v, DROP_ALL, 0, 0);
	else if (changed & X_CR4_PAE || changed & v->regs.cr4 & X_CR4_SMEP)
		spec_drop(v, DROP_PCID, 0, x_pcid(old));
}

/* ---- what came of it ---- */

static struct mmu_result ask(struct vcpu *v, enum load which, uint64_t value)
{
	struct mmu_result r;

	tell_registers(v);
	switch (which) {
	case LOAD_CR0:
		r = mmu_set_cr0(&v->mmu, value);
		break;
	case LOAD_CR3:
		r = mmu_set_cr3(&v->mmu, value);
		break;
	case LOAD_CR4:
		r = mmu_set_cr4(&v->mmu, value);
		break;
	default:
		r = mmu_set_efer(&v->mmu, value);
	}
	if (r.outcome == MMU_STOP)
		fail(v->vm->world, "%s stops the VM: %s", load_names[which], r.why);
	v->view.cr0 = v->mmu.regs.cr0;
	v->view.cr3 = v->mmu.regs.cr3;
	v->view.cr4 = v->mmu.regs.cr4;
	v->view.efer = v->mmu.regs.efer;
	memcpy(v->view.pdpte, v->mmu.regs.pdpte, sizeof(v->view.pdpte));
	return r;
}

/* true: done; false: #GP, or a failure has been noted. */
static bool carry_out(struct vcpu *v, enum load which, uint64_t value)
{
	struct world *w = v->vm->world;

	for (unsigned attempts = 0; attempts < 40 && !w->failed; attempts++) {
		struct m_result r = { .event = M_EXIT, .exit = M_EXIT_CR0 };

		if (which == LOAD_EFER)
			leave(v);
		else if (!enter(v))
			return false;
		else
			r = which == LOAD_CR0	? m_mov_cr0(v->in, value)
			    : which == LOAD_CR3 ? m_mov_cr3(v->in, value)
						: m_mov_cr4(v->in, value);
		if (r.event != M_EXIT)
			return r.event == M_OK;
		if (r.exit == M_EXIT_LOG_FULL || r.exit == M_EXIT_EPT_VIOLATION || r.exit == M_EXIT_EPT_MISCONFIG) {
			struct mmu_result f = exit_fault(v, &r, false);

			if (f.outcome == MMU_INJECT && f.exception.vector == VECTOR_GP)
				return false;
			if (f.outcome != MMU_FIXED && f.outcome != MMU_RETRY && f.outcome != MMU_SPURIOUS)
				fail(w, "%s: its load of PDPTEs ends in outcome %d", load_names[which], (int)f.outcome);
			continue;
		}
		if (which != LOAD_EFER)
			left(v);
		w->account.exits++;

		struct mmu_result a = ask(v, which, value);

		if (a.outcome == MMU_FIXED)
			return true;
		if (a.outcome == MMU_INJECT && a.exception.vector == VECTOR_GP)
			return false;
		if (a.outcome != MMU_RETRY)
			fail(w, "%s: outcome %d", load_names[which], (int)a.outcome);
	}
	if (!w->failed)
		fail(w, "%s never ends", load_names[which]);
	return false;
}

static void compare(struct vcpu *v, enum load which, uint64_t value)
{
	struct world *w = v->vm->world;
	struct x_regs is = v->view;

	if (v->in) {
		const struct m_vmcs *m = &v->vmcs;
		const struct x_regs *hw = &v->in->regs;

		is.cr0 = (hw->cr0 & ~m->cr0_mask) | (m->cr0_shadow & m->cr0_mask);
		is.cr4 = (hw->cr4 & ~m->cr4_mask) | (m->cr4_shadow & m->cr4_mask);
		if (m->ept && !m->cr3_load_exiting)
			is.cr3 = hw->cr3;
		if (m->ept && x_mode(&v->regs) == X_PAE)
			memcpy(is.pdpte, hw->pdpte, sizeof(is.pdpte));
	}
	if (is.cr0 != v->regs.cr0 || is.cr3 != v->regs.cr3 || is.cr4 != v->regs.cr4)
		fail(w, "after %s of %llx: CR0 %llx CR3 %llx CR4 %llx, must be %llx %llx %llx", load_names[which],
		     (unsigned long long)value, (unsigned long long)is.cr0, (unsigned long long)is.cr3,
		     (unsigned long long)is.cr4, (unsigned long long)v->regs.cr0, (unsigned long long)v->regs.cr3,
		     (unsigned long long)v->regs.cr4);
	if (!v->in && is.efer != v->regs.efer)
		fail(w, "after %s of %llx: EFER %llx, must be %llx", load_names[which], (unsigned long long)value,
		     (unsigned long long)is.efer, (unsigned long long)v->regs.efer);
	if (x_mode(&v->regs) == X_PAE && memcmp(is.pdpte, v->regs.pdpte, sizeof(is.pdpte)) != 0)
		fail(w, "after %s of %llx: wrong PDPTEs", load_names[which], (unsigned long long)value);
}

static bool load_alone(struct vcpu *v, enum load which, uint64_t value)
{
	struct world *w = v->vm->world;
	struct x_regs old = v->regs, next = old;
	bool ok = must(v, which, value, &next);
	bool did;

	if (w->failed)
		return false;
	/* First, so that what others write meanwhile comes after: the guest cannot tell which was first. */
	if (ok) {
		v->regs = next;
		cover_registers(v, &old);
		if (which == LOAD_CR3)
			cover(w, next.cr3 == old.cr3 ? COVER_CR3_SAME : COVER_CR3_OTHER);
		spec_context(v);
		drops(v, which, value, &old);
	}
	if (!ok)
		cover(w, COVER_GP);
	did = carry_out(v, which, value);
	if (w->failed)
		return false;
	if (did != ok) {
		fail(w, "%s of %llx %s, and must %s", load_names[which], (unsigned long long)value,
		     did ? "succeeds" : "raises #GP", ok ? "succeed" : "raise #GP");
		return false;
	}
	TRACE("  %s of %llx: %s\n", load_names[which], (unsigned long long)value, ok ? "done" : "#GP");
	compare(v, which, value);
	if (v->vm->mmu.overlays && !w->race &&
	    (((old.cr0 ^ v->regs.cr0) & X_CR0_PG) || ((old.cr4 ^ v->regs.cr4) & X_CR4_PAE)))
		fail(w, "there are overlays after paging or PAE was turned on or off (OV3)");
	return ok;
}

/* Of PDPTEs nobody could say which of others' writes came before: they wait. */
static bool load(struct vcpu *v, enum load which, uint64_t value)
{
	bool pdptes = x_mode(&v->regs) == X_PAE || v->vm->world->c.mode == X_PAE, ok;

	if (pdptes)
		weave_alone(v->vm->world);
	ok = load_alone(v, which, value);
	if (pdptes)
		weave_together(v->vm->world);
	return ok;
}

bool guest_cr0(struct vcpu *v, uint64_t value) { return load(v, LOAD_CR0, value); }
bool guest_cr3(struct vcpu *v, uint64_t value) { return load(v, LOAD_CR3, value); }
bool guest_cr4(struct vcpu *v, uint64_t value) { return load(v, LOAD_CR4, value); }

void guest_flush_all(struct vcpu *v)
{
	uint64_t cr4 = v->regs.cr4;

	/* With PAE paging the toggles load PDPTEs, which may be bad by now. */
	if (guest_cr4(v, cr4 ^ X_CR4_PGE) && guest_cr4(v, cr4))
		return;
	if (!v->vm->world->failed)
		guest_cr0(v, v->regs.cr0 & ~X_CR0_PG);
}

/* What was cached before a change of NXE may be used either way; so the guest flushes, as it must. */
bool guest_efer(struct vcpu *v, uint64_t value)
{
	uint64_t changed = value ^ v->regs.efer;
	bool ok = load(v, LOAD_EFER, value);

	if (ok && changed & X_EFER_NXE)
		guest_flush_all(v);
	return ok;
}

/* Of what is no address it does nothing (SDM, INVLPG). */
static void invlpg_by_hypervisor(struct vcpu *v, uint64_t va)
{
	const struct mmu_counters *c = &v->vm->mmu.counters;
	uint64_t requests = c->flush_requests, removed = c->leaves_removed;

	tell_registers(v);
	mmu_invlpg(&v->mmu, GVA(va));
	if (!v->vm->world->weave && !x_canonical(x_mode(&v->regs), va) &&
	    (c->flush_requests != requests || c->leaves_removed != removed))
		fail(v->vm->world, "INVLPG of %llx, which is no address, does something", (unsigned long long)va);
}

void guest_invlpg(struct vcpu *v, uint64_t va)
{
	struct m_result r;

	if (!enter(v))
		return;
	TRACE("  INVLPG %llx\n", (unsigned long long)va);
	cover(v->vm->world, COVER_INVLPG);
	if (x_canonical(x_mode(&v->regs), va))
		spec_drop(v, DROP_ADDRESS, x_va(x_mode(&v->regs), va), x_pcid(&v->regs));
	else
		cover(v->vm->world, COVER_INVLPG_NOP);
	if (!weave_exact(v->vm->world) && mix(va ^ v->vm->world->now) % 8 == 0) {
		/* The hypervisor carries it out, having come across it after another exit. */
		leave(v);
		invlpg_by_hypervisor(v, va);
		return;
	}
	r = m_invlpg(v->in, va);
	if (r.event == M_EXIT) {
		left(v);
		v->vm->world->account.exits++;
		invlpg_by_hypervisor(v, r.gla);
	}
}

/* Only where the guest executes it itself. */
void guest_invpcid(struct vcpu *v, unsigned type, uint16_t pcid, uint64_t va)
{
	static const enum drop drop[] = { DROP_ADDRESS_NONGLOBAL, DROP_NONGLOBAL, DROP_ALL, DROP_NONGLOBAL_ALL };

	if (!enter(v) || v->vmcs.invlpg_exiting)
		return;
	va = x_va(x_mode(&v->regs), va);
	cover(v->vm->world, COVER_INVPCID);
	if (m_invpcid(v->in, type & 3, pcid, va).event == M_OK)
		spec_drop(v, drop[type & 3], va, pcid);
}

void guest_mode(struct vcpu *v, enum x_mode mode, unsigned which)
{
	uint64_t cr4 = v->regs.cr4 & ~(X_CR4_PAE | X_CR4_LA57 | X_CR4_PCIDE);

	if (v->regs.cr4 & X_CR4_PCIDE)
		guest_cr4(v, v->regs.cr4 & ~X_CR4_PCIDE);
	guest_cr0(v, v->regs.cr0 & ~X_CR0_PG);
	if (mode == X_NONE || v->regs.cr0 & X_CR0_PG)
		return;
	guest_cr4(v, cr4 | (mode == X_32BIT ? 0 : X_CR4_PAE) | (mode == X_5LEVEL ? X_CR4_LA57 : 0));
	guest_efer(v, mode >= X_4LEVEL ? v->regs.efer | X_EFER_LME : v->regs.efer & ~X_EFER_LME);
	guest_cr3(v, layout_root(mode, which));
	guest_cr0(v, v->regs.cr0 | X_CR0_PG);
}
