/* vmx/vcpu.h - one virtual CPU as VT-x sees it: its VMCS, the registers that are not in it, and moving state in and
 * out.
 *
 * VC1  Every function but vmx_vcpu_init and vmx_vcpu_destroy wants the VMCS to be current on the calling CPU
 *      (vmx_load).
 * VC2  Fixed bits: CR0 and CR4 in the VMCS always satisfy the FIXED0/FIXED1 MSRs; the guest sees its own value by mask
 *      and shadow.
 * VC3  The cached control fields, and the TPR threshold, equal the VMCS's.
 * VC4  The index of the log of page modifications is set where the log becomes another, or was full; switched off and
 *      on again, it goes on where it was (LG3 in mmu/log.c). */
#ifndef VELLUM_VMX_VCPU_H
#define VELLUM_VMX_VCPU_H

#include "mmu/mmu.h"
#include "vmx/caps.h"
#include "vmx/entry.h"
#include "vmx/guest.h"
#include "vmx/ops.h"

/* entry.S; not to be called by C. */
void vmx_enter_first(void);
void vmx_enter_again(void);
void vmx_enter_guarded(void);

struct vmx_vcpu {
	/* What entry.S knows (vmx/entry.h). */
	struct hvm_vcpu hvm;
	void (*enter)(void);       /* the way in that the next entry takes */
	void (*enter_again)(void); /* and those after it, in the same turn */
	uint64_t host_rsp;         /* what the VMCS has */
	bool launched;
	/* What it does not. */
	const struct vmx_caps *caps;
	hpa_t vmcs;
	uint32_t proc, proc2;
	uint32_t tpr_threshold;
	hpa_t log;               /* of page modifications: what the index in the VMCS is for; 0: none was yet */
	uint32_t exceptions;     /* that exit for a debugger: a bit each */
	struct vmx_msr_areas *msr_areas; /* vmx/msrs.c; NULL where the VMCS has fields for the MSRs */
	uint64_t cr4_offered;    /* CR4 bits that the guest's CPUID offers: it may set them without an exit */
	/* What mmu->regs were made from when they were synchronised last, as the VMCS had it; and how often that was
	 * something else, from 1 on. */
	struct vmx_synced {
		uint64_t cr0, cr3, cr4, rflags;
		uint64_t cs, ss; /* access rights; cs: SYNCED_NOT, nothing of it holds */
		uint64_t cs_base;
		uint64_t number;
		uint8_t rights[2]; /* AC and CPL, as in struct walk_regs */
	} synced;
};
#define SYNCED_NOT (~0ull)

/* Allocates the VMCS; caps must outlive it. false: no memory; vmx_vcpu_destroy() is still due where v->vmcs is set. */
bool vmx_vcpu_init(struct vmx_vcpu *v, const struct vmx_caps *caps);
/* Gives its frames back. The VMCS is current on no CPU but this one. */
void vmx_vcpu_destroy(struct vmx_vcpu *v);
/* Writes every field of a new VMCS. mmu->regs, ->intercepts and ->root are set. */
void vmx_vcpu_start(struct vmx_vcpu *v, const struct hvm_start *start, struct mmu_vcpu *mmu);
/* What INIT changes of a started one, but paging registers. */
void vmx_vcpu_reset(struct vmx_vcpu *v, const struct hvm_start *start);

/* Makes the VMCS current on this CPU, with this CPU's host state; unload makes it current nowhere. */
void vmx_load(struct vmx_vcpu *v);
void vmx_unload(struct vmx_vcpu *v);
/* Before the first of a series of vmx_enter() calls that are made with the same stack pointer. */
static inline void vmx_begin_turn(struct vmx_vcpu *v) { v->enter = vmx_enter_first; }

/* Brings the VMCS up to date with mmu->intercepts and mmu->regs (controls, CR0, CR4, EFER, their masks and shadows),
 * and with mmu->root. */
void vmx_apply_paging(struct vmx_vcpu *v, struct mmu_vcpu *mmu);
void vmx_apply_root(struct vmx_vcpu *v, struct mmu_vcpu *mmu);
/* VC4. */
static inline void vmx_apply_log(struct vmx_vcpu *v, const struct mmu_vcpu *mmu)
{
	hpa_t log = mmu->intercepts.log;

	if (!log.v || !VM_LEFT_OUT_OR(PML_INDEX_STAYS, log.v != v->log.v))
		return;
	v->log = log;
	VM_MUTANT(PML_ADDRESS, vmwrite(VMCS_PML_ADDRESS, log.v));
	VM_MUTANT(PML_INDEX, vmwrite(VMCS_PML_INDEX, mmu_log_index(mmu->vm)));
}
/* The log of page modifications begins anew at this index. */
static inline void vmx_restart_log(uint16_t index) { vmwrite(VMCS_PML_INDEX, index); }
/* The reverse: what the guest changed without an exit, into mmu->regs. Where nothing has, and neither has the
 * hypervisor, that is seen by a few fields: the masks and shadows of CR0 and CR4, and EFER's LME, change with
 * vmx_apply_paging() only, which forgets .synced. */
void vmx_sync_anew(struct vmx_vcpu *v, struct mmu_vcpu *mmu);
/* Exits save them under EPT and PAE paging; else the fields are undefined (SDM, "Saving Non-Register State"). */
static ALWAYS_INLINE void vmx_sync_pdptes(struct mmu_vcpu *mmu)
{
	mmu->regs.pdpte[0] = vmread(VMCS_GUEST_PDPTE0);
	mmu->regs.pdpte[1] = vmread(VMCS_GUEST_PDPTE0 + 2);
	mmu->regs.pdpte[2] = vmread(VMCS_GUEST_PDPTE0 + 4);
	mmu->regs.pdpte[3] = vmread(VMCS_GUEST_PDPTE0 + 6);
}
/* Are they the CPU's, which the guest may have loaded without an exit? */
static inline bool vmx_has_pdptes(const struct mmu_vcpu *mmu)
{
	const struct walk_regs *r = &mmu->regs;

	return mmu->intercepts.ept && !(r->efer & EFER_LMA) && (r->cr4 & CR4_PAE) && (r->cr0 & CR0_PG);
}
static ALWAYS_INLINE bool vmx_is_synced(const struct vmx_vcpu *v, const struct mmu_vcpu *mmu, uint64_t rflags)
{
	const struct vmx_synced *s = &v->synced;

	return VM_LEFT_OUT_OR(SYNCED_CS, vmread(VMCS_GUEST_CS_ACCESS) == s->cs) &&
	       VM_LEFT_OUT_OR(SYNCED_SS, vmread(VMCS_GUEST_SS_ACCESS) == s->ss) &&
	       VM_LEFT_OUT_OR(SYNCED_CS_BASE, vmread(VMCS_GUEST_ES_BASE + 2 * SEG_CS) == s->cs_base) &&
	       VM_LEFT_OUT_OR(SYNCED_FLAGS, !((rflags ^ s->rflags) & (RFLAGS_AC | RFLAGS_VM))) &&
	       VM_LEFT_OUT_OR(SYNCED_CR0, vmread(VMCS_GUEST_CR0) == s->cr0) &&
	       VM_LEFT_OUT_OR(SYNCED_CR4, vmread(VMCS_GUEST_CR4) == s->cr4) &&
	       VM_LEFT_OUT_OR(SYNCED_CR3, mmu->regs.cr3 == s->cr3) &&
	       (mmu->intercepts.cr3_load || VM_LEFT_OUT_OR(SYNCED_CR3, vmread(VMCS_GUEST_CR3) == s->cr3)) &&
	       VM_LEFT_OUT_OR(SYNCED_RIGHTS, !memcmp(&mmu->regs.ac, s->rights, sizeof(s->rights)));
}
/* For those of whom each instruction counts; rflags: the guest's. */
static ALWAYS_INLINE void vmx_sync_known(struct vmx_vcpu *v, struct mmu_vcpu *mmu, uint64_t rflags)
{
	if (unlikely(!vmx_is_synced(v, mmu, rflags)))
		vmx_sync_anew(v, mmu);
	else if (VM_KEPT(SYNCED_PDPTES, unlikely(vmx_has_pdptes(mmu))))
		vmx_sync_pdptes(mmu);
}
/* The same for all others. */
void vmx_sync_paging(struct vmx_vcpu *v, struct mmu_vcpu *mmu);
/* Of CR0 and CR4 only the bits that the guest changes without an exit, by the masks that are in force: before
 * vmx_apply_paging() where nobody has synchronised since the last entry, for what is applied must not undo them. */
void vmx_sync_unowned(struct mmu_vcpu *mmu);
/* Only what an access depends on beside control registers: enough without EPT, where each change of a bit of those that
 * paging looks at has exited. */
static inline void vmx_sync_access(struct mmu_vcpu *mmu)
{
	mmu->regs.ac = vmread(VMCS_GUEST_RFLAGS) & RFLAGS_AC;
	mmu->regs.cpl = (uint8_t)vmx_cpl();
}

/* SDM, "Interrupt-Window Exiting and Virtual-Interrupt Delivery" and "NMI-Window Exiting". */
void vmx_write_interrupt_window(struct vmx_vcpu *v, bool on);
static inline void vmx_set_interrupt_window(struct vmx_vcpu *v, bool on)
{
	if (on != !!(v->proc & PROC_INTERRUPT_WINDOW))
		vmx_write_interrupt_window(v, on);
}
void vmx_set_nmi_window(struct vmx_vcpu *v, bool on);

/* SDM, "Monitor Trap Flag", "MOV-DR exiting" of "Processor-Based VM-Execution Controls", "Exception Bitmap". */
void vmx_set_debug(struct vmx_vcpu *v, const struct hvm_debug *d);
/* SDM, "VMX-Preemption Timer": it has 32 bits, as ticks has (a slice is less than a second), and counts once in 1 <<
 * preemption_shift ticks. */
static inline void vmx_set_alarm(struct vmx_vcpu *v, uint32_t ticks)
{
	vmwrite(VMCS_PREEMPTION_TIMER, ((ticks - 1) >> v->caps->preemption_shift) + 1);
}

/* SDM, "Guest Register State". What is set must pass "Checks on Guest Segment Registers". */
static inline struct segment_state vmx_get_segment(enum segment n)
{
	return (struct segment_state){
		.selector = (uint16_t)vmread(VMCS_GUEST_ES_SELECTOR + 2 * n),
		.limit = (uint32_t)vmread(VMCS_GUEST_ES_LIMIT + 2 * n),
		.access = (uint32_t)vmread(VMCS_GUEST_ES_ACCESS + 2 * n),
		.base = vmread(VMCS_GUEST_ES_BASE + 2 * n),
	};
}
void vmx_set_segment(enum segment n, const struct segment_state *s);

/* From the next entry on. The threshold is 0 until the next vmx_set_tpr_threshold(). */
void vmx_set_tpr(struct vmx_vcpu *v, const struct hvm_tpr *tpr);
/* SDM, "VM-Execution Control Fields": class is 0 to 15, and not above that of the TPR (VM entry would fail). */
void vmx_set_tpr_threshold(struct vmx_vcpu *v, unsigned class);

/* For hvm_control() (hvm/hvm.h). */
const char *vmx_control_shown(const struct vmx_vcpu *v, unsigned n, uint64_t *value);

/* Enters the guest; interrupts are off. Returns v again, so that the caller need not keep it: the guest takes every
 * register. *failed: the entry itself failed (VMCS_INSTRUCTION_ERROR says why), there was no VM exit. That is the way
 * out by the label, so that the other one costs no test. */
static ALWAYS_INLINE struct vmx_vcpu *vmx_enter(struct vmx_vcpu *v, uint32_t *failed)
{
	__asm__ goto volatile("call *%c[enter](%%rdi)\n"
			      "1:\n\t"
			      ".pushsection .vmx_failed, \"a\"\n\t"
			      ".quad 1b, %l[failure]\n\t"
			      ".popsection"
			      : "+D"(v)
			      : [enter] "i"(OFFSET_ENTER)
			      : "rax", "rbx", "rcx", "rdx", "rbp", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
				"r15", "memory", "cc"
			      : failure);
	*failed = 0;
	return v;
failure:
	*failed = 1;
	return v;
}

#endif
