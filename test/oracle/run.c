/* A vCPU in and out of the guest: what vmx/ does on hardware. */
#include <string.h>

#include "mmu/mutate.h"
#include "test/on_model.h"
#include "test/oracle/weave.h"

/* Like the code that writes a VMCS, this looks at root and intercepts only when they are said to have changed. */
void load_controls(struct vcpu *v)
{
	struct m_vmcs *m = &v->vmcs;
	const struct mmu_intercepts *i = &v->mmu.intercepts;
	const struct mmu_root *r = &v->mmu.root;

	if (v->mmu.intercepts_changed) {
		MUTANT(INTERCEPTS_FIRST, mmu_take_intercepts(&v->mmu));
		on_model_intercept(m, i, mmu_log_index(v->mmu.vm));
		v->efer_forced = i->efer_force_mask;
		weave_point(v->vm->world, POINT_ENTRY);
		MUTANT_INSTEAD(INTERCEPTS_FIRST, mmu_take_intercepts(&v->mmu));
	}
	if (v->mmu.root_changed) {
		m->eptp = r->nested;
		m->vpid = r->vpid;
		m->guest.cr3 = r->cr3;
		if (r->load_pdptes)
			memcpy(m->guest.pdpte, r->pdpte, sizeof(m->guest.pdpte));
		v->mmu.root_changed = false;
	}
}

static void load_guest(struct vcpu *v)
{
	struct m_vmcs *m = &v->vmcs;

	on_model_registers(m, &v->mmu.intercepts, v->view.cr0, v->view.cr4, v->view.efer);
	m->guest.pkru = v->regs.pkru;
	m->guest.ac = v->regs.ac;
	m->apic_access = v->vm->apic->home << PAGE_SHIFT;
}

static struct vcpu *occupant(struct world *w, const struct m_cpu *cpu)
{
	bool was = weave_quiet(w, true);
	struct vcpu *found = NULL;

	for (unsigned i = 0; i < VMS * VCPUS && !found; i++)
		if (w->vm[i / VCPUS].vcpu[i % VCPUS].in == cpu)
			found = &w->vm[i / VCPUS].vcpu[i % VCPUS];
	weave_quiet(w, was);
	weave_occupies(w, cpu, false);
	return found;
}

bool enter_now(struct vcpu *v)
{
	struct world *w = v->vm->world;
	struct m_cpu *cpu = &w->cpu[v->cpu];
	struct vcpu *other = occupant(w, cpu);
	const char *why;

	if (other)
		leave(other);
	load_guest(v);
	why = m_entry(cpu, &v->vmcs);
	if (why) {
		fail(w, "VM entry refused: %s", why);
		return false;
	}
	v->in = cpu;
	weave_occupies(w, cpu, true);
	v->stage = STAGE_INSIDE;
	return true;
}

bool enter(struct vcpu *v)
{
	struct world *w = v->vm->world;
	struct vcpu *other;

	if (w->weave)
		return weave_enter(v);
	if (v->in)
		return true;
	other = occupant(w, &w->cpu[v->cpu]);
	if (other)
		leave(other);
	v->entering = true;
	mmu_enter(&v->mmu, v->cpu);
	v->entering = false;
	load_controls(v);
	return enter_now(v);
}

/* The CPU is out of the guest: what can be learned of the guest's registers. */
void left(struct vcpu *v)
{
	const struct m_vmcs *m = &v->vmcs;
	uint64_t kept = v->efer_forced;

	weave_occupies(v->vm->world, v->in, true);
	v->in = NULL;
	v->stage = STAGE_OUT;
	v->view.cr0 = (m->guest.cr0 & ~m->cr0_mask) | (m->cr0_shadow & m->cr0_mask);
	v->view.cr4 = (m->guest.cr4 & ~m->cr4_mask) | (m->cr4_shadow & m->cr4_mask);
	v->view.efer = (m->guest.efer & ~kept) | (v->view.efer & kept);
	if (!m->ept)
		return;
	if (!m->cr3_load_exiting)
		v->view.cr3 = m->guest.cr3;
	if (x_mode(&v->view) == X_PAE && !m->cr3_load_exiting)
		memcpy(v->view.pdpte, m->guest.pdpte, sizeof(v->view.pdpte));
	v->unsynced = true;
}

/* mmu/ is told what the guest changed without an exit, before it is asked anything. */
void tell_registers(struct vcpu *v)
{
	if (!v->unsynced)
		return;
	v->unsynced = false;
	mmu_sync_regs(&v->mmu, v->view.cr0, v->view.cr3, v->view.cr4, v->view.pdpte);
}

void leave(struct vcpu *v)
{
	if (!v->in)
		return;
	m_exit(v->in);
	left(v);
}

/* As vm/exit/apic.c: the emulator makes the access. No fetch may reach the page, and nothing once it is unmapped (TP1
 * in vm/tpr/tpr.c). */
static struct mmu_result apic_access(struct vcpu *v, const struct m_result *r)
{
	uint64_t offset = r->qualification & (PAGE_SIZE - 1);

	cover(v->vm->world, COVER_APIC_ACCESS);
	if (r->qualification >> 12 == 2)
		fail(v->vm->world, "a fetch from the APIC-access page");
	if (!v->vm->apic->present)
		fail(v->vm->world, "TP1: the APIC-access page is reached, and is not mapped any more");
	return (struct mmu_result){ .outcome = MMU_EMULATE, .gpa = GPA(APIC_GFN << PAGE_SHIFT | offset) };
}

static struct mmu_result log_full(struct vcpu *v)
{
	cover(v->vm->world, COVER_LOG_FULL);
	if (mmu_log_full(&v->mmu))
		v->vmcs.pml_index = mmu_log_index(v->mmu.vm);
	return (struct mmu_result){ .outcome = MMU_RETRY };
}

struct mmu_result exit_fault(struct vcpu *v, const struct m_result *r, bool delivery)
{
	struct world *w = v->vm->world;
	uint64_t race = w->race;
	struct mmu_fault f;
	struct mmu_result out;

	/* Under nested paging the CPU has decided on a page fault: what others write now comes after it. */
	if (r->exit == M_EXIT_PF && v->vm->mmu.ops->nested)
		w->race = 0;
	left(v);
	tell_registers(v);
	w->account.exits++;
	if (r->exit == M_EXIT_APIC_ACCESS)
		return apic_access(v, r);
	if (r->exit == M_EXIT_LOG_FULL)
		return log_full(v);
	f = on_model_fault(r, v->view.efer);
	f.delivery = delivery;
	v->mmu.regs.ac = v->regs.ac;
	v->mmu.regs.pkru = v->regs.pkru;
	v->mmu.regs.cpl = v->cpl;
	out = mmu_fault(&v->mmu, &f);
	if (r->exit == M_EXIT_PF && v->vm->mmu.ops->nested)
		w->race = race;
	if (out.outcome == MMU_SPURIOUS)
		w->account.spurious++;
	if (out.outcome == MMU_STOP)
		fail(w, "the VM is stopped: %s", out.why);
	return out;
}
