/* svm/vcpu.h - one virtual CPU as AMD-V sees it: its VMCB, the registers that are not in it, and moving state in and
 * out.
 *
 * SV1  The guest sees its own CR0 and CR4 in the bits of cr0_mask and cr4_mask, by shadow; the other bits are those of
 *      the VMCB. There are no masks in the VMCB: who may read other bits than those that are there exits, and every
 *      write exits but one of CR0 that changes only TS and MP.
 * SV2  An illegal VMCB is never entered (svm/entry_check.h): what changes what the checks look at sets check.
 * SV3  An exit leaves no event to be injected, and no flush asked for.
 * SV4  Of a software interrupt or exception that an exit has interrupted nothing is injected again: RIP is at the
 *      instruction, which the guest carries out anew.
 * SV5  NMIs are blocked by Vellum, which lets IRET exit meanwhile; what ends the blocking is the first exit behind
 *      that instruction. */
#ifndef VELLUM_SVM_VCPU_H
#define VELLUM_SVM_VCPU_H

#include "mmu/mmu.h"
#include "svm/caps.h"
#include "svm/vmcb.h"

struct svm_vcpu {
	/* What entry.S knows (svm/entry.h). */
	struct hvm_vcpu hvm;
	hpa_t vmcb_hpa;
	hpa_t host; /* of the CPU that it is loaded on (svm/cpu.h) */
	/* What it does not. */
	struct vmcb *vmcb;
	const struct svm_caps *caps;
	const struct mmu_vcpu *mmu;
	uint64_t cr0_mask, cr0_shadow, cr4_mask, cr4_shadow; /* SV1 */
	uint64_t pending_debug; /* PENDING_DEBUG_*, and breakpoints */
	uint64_t debug_causes;  /* of the last exit */
	uint64_t pat;           /* the guest's, also where the VMCB has it */
	uint64_t host_pat;
	uint64_t iret_rip;      /* with iret: where the IRET is */
	uint32_t soft_length;   /* of the instruction whose event is injected; 0: none, or it is no such event */
	uint32_t back_length;   /* the same, where the last exit has interrupted that event, and RIP went back */
	unsigned exit;          /* the number of the last one (svm/exits.h) */
	bool nmi_blocked, iret;
	bool interrupt_window, nmi_window;
	bool untagged, check;
	uint32_t exceptions;    /* that exit for a debugger, or are looked at: a bit each */
	/* What was there when mmu->regs were synchronised last; a number for each time, from 1 on. */
	struct {
		uint64_t ss, cs_base, number;
	} synced;
	uint64_t cr4_offered;   /* CR4 bits that the guest's CPUID offers */
};

/* entry.S; svm_enter() is around it. */
void svm_run(struct svm_vcpu *v);

/* Allocates the VMCB; caps must outlive it. false: no memory. */
bool svm_vcpu_init(struct svm_vcpu *v, const struct svm_caps *caps);
void svm_vcpu_destroy(struct svm_vcpu *v);
/* Writes every field of a new VMCB that counts. mmu->regs, ->intercepts and ->root are set. */
void svm_vcpu_start(struct svm_vcpu *v, const struct hvm_start *start, struct mmu_vcpu *mmu);
/* What INIT changes of a started one, but paging registers. */
void svm_vcpu_reset(struct svm_vcpu *v, const struct hvm_start *start);

/* With this CPU's host state, and against speculation what belongs to a change of guests. */
void svm_load(struct svm_vcpu *v);

/* Enters the guest; interrupts are off. Where there was no entry, the exit is SVM_EXIT_INVALID. */
void svm_enter(struct svm_vcpu *v);

/* As vm/ asks for them (hvm/hvm.h). */
void svm_apply_paging(struct svm_vcpu *v, struct mmu_vcpu *mmu);
void svm_apply_root(struct svm_vcpu *v, struct mmu_vcpu *mmu);
void svm_sync_paging(struct svm_vcpu *v, struct mmu_vcpu *mmu);
void svm_sync_unowned(const struct svm_vcpu *v, struct mmu_vcpu *mmu);
void svm_set_interrupt_window(struct svm_vcpu *v, bool on);
void svm_set_nmi_window(struct svm_vcpu *v, bool on);
void svm_set_debug(struct svm_vcpu *v, const struct hvm_debug *d);
void svm_inject(struct svm_vcpu *v, const struct event *e);
struct segment_state svm_get_segment(const struct svm_vcpu *v, enum segment n);
void svm_set_segment(struct svm_vcpu *v, enum segment n, const struct segment_state *s);
void svm_set_blocking(struct svm_vcpu *v, uint64_t blocking);
void svm_set_rflags(struct svm_vcpu *v, uint64_t rflags);
void svm_set_pat(struct svm_vcpu *v, uint64_t pat);
bool svm_own_msr(const struct svm_vcpu *v, uint32_t msr, uint64_t *value);
void svm_set_own_msr(struct svm_vcpu *v, uint32_t msr, uint64_t value);
uint64_t svm_exit_delivery(const struct svm_vcpu *v);
bool svm_exit_delivery_anew(const struct svm_vcpu *v);
uint64_t svm_exit_event(const struct svm_vcpu *v);
struct hvm_nested_fault svm_exit_nested_fault(const struct svm_vcpu *v);
struct hvm_task_switch svm_exit_task_switch(const struct svm_vcpu *v);
uint64_t svm_exit_length(const struct svm_vcpu *v);
bool svm_exit_lacks_length(const struct svm_vcpu *v);
void svm_set_exit_length(struct svm_vcpu *v, unsigned length);
const char *svm_control_shown(const struct svm_vcpu *v, unsigned n, uint64_t *value);


#endif
