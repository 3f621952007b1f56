/* test/on_model.h - a mechanism on the model's CPU: what it asks for, put into a VMCS; what the CPU says at an exit,
 * told to it. On hardware vmx/ does this. */
#ifndef VELLUM_TEST_ON_MODEL_H
#define VELLUM_TEST_ON_MODEL_H

#include "mmu/mmu.h"
#include "model/cpu.h"

static inline void on_model_intercept(struct m_vmcs *m, const struct mmu_intercepts *i, uint16_t log_index)
{
	m->ept = i->ept;
	if (i->log.v && i->log.v != m->pml_kept) {
		m->pml_kept = i->log.v;
		m->pml_index = log_index;
	}
	m->pml = i->log.v;
	m->pf_intercept = i->page_fault;
	m->pf_mask = i->pf_mask;
	m->pf_match = i->pf_match;
	m->cr3_load_exiting = i->cr3_load;
	m->cr3_store_exiting = i->cr3_store;
	m->invlpg_exiting = __atomic_load_n(&i->invlpg, __ATOMIC_RELAXED); /* others change it */
	m->cr0_mask = i->cr0_owned | i->cr0_force_mask;
	m->cr4_mask = i->cr4_owned | i->cr4_force_mask;
}

/* The guest's registers as the guest sees them, and as the CPU has them while it runs. */
static inline void on_model_registers(struct m_vmcs *m, const struct mmu_intercepts *i, uint64_t cr0, uint64_t cr4,
				      uint64_t efer)
{
	m->guest.cr0 = (cr0 & ~i->cr0_force_mask) | i->cr0_force_value;
	m->guest.cr4 = (cr4 & ~i->cr4_force_mask) | i->cr4_force_value;
	m->guest.efer = (efer & ~i->efer_force_mask) | i->efer_force_value;
	m->cr0_shadow = cr0;
	m->cr4_shadow = cr4;
}

/* "Exit Qualification for EPT Violations". */
static inline uint8_t on_model_access(uint64_t qualification)
{
	return (uint8_t)((qualification & X_QUAL_READ ? MMU_READ : 0) | (qualification & X_QUAL_WRITE ? MMU_WRITE : 0) |
			 (qualification & X_QUAL_FETCH ? MMU_FETCH : 0) |
			 (qualification & X_QUAL_GLA_VALID ? MMU_LINEAR : 0) |
			 (qualification & X_QUAL_TRANSLATION ? 0 : MMU_TABLE));
}

/* An exit for a page fault, an EPT violation or an EPT misconfiguration, of a guest with that EFER. */
static inline struct mmu_fault on_model_fault(const struct m_result *r, uint64_t efer)
{
	struct mmu_fault f = { .kind = MMU_FAULT_PAGE, .gva = GVA(r->gla), .gpa = GPA(r->gpa), .error = r->error };

	if (r->exit == M_EXIT_EPT_VIOLATION) {
		f.kind = MMU_FAULT_EPT_VIOLATION;
		f.access = on_model_access(r->qualification);
	} else if (r->exit == M_EXIT_EPT_MISCONFIG) {
		f.kind = MMU_FAULT_EPT_MISCONFIG;
		f.gva = GVA(0); /* the CPU does not say */
	}
	f.pdptes = !(efer & X_EFER_LMA);
	return f;
}

#endif
