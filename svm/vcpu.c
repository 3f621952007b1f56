#include "svm/vcpu.h"

#include "host/memory/frames.h"
#include "host/cpu/percpu.h"
#include "host/cpu/x86.h"
#include "hvm/common.h"
#include "hvm/entry.h"
#include "lib/mutants/mutate.h"
#include "svm/cpu.h"
#include "svm/entry.h"
#include "svm/entry_check.h"
#include "svm/exits.h"
#include "svm/maps.h"

#define ENTRY_KNOWS(field, offset) _Static_assert(offsetof(struct svm_vcpu, field) == (offset), "svm/entry.h")
ENTRY_KNOWS(hvm.gpr, OFFSET_GPR);
ENTRY_KNOWS(hvm.guards, OFFSET_GUARDS);
ENTRY_KNOWS(vmcb_hpa, SVM_OFFSET_VMCB);
ENTRY_KNOWS(host, SVM_OFFSET_HOST);

#define INTERCEPTS_ALWAYS \
	(INTERCEPT_INTR | INTERCEPT_NMI | INTERCEPT_RDPMC | INTERCEPT_CPUID | INTERCEPT_INVD | INTERCEPT_HLT | \
	 INTERCEPT_INVLPGA | INTERCEPT_IOIO | INTERCEPT_MSR | INTERCEPT_TASK_SWITCH | INTERCEPT_SHUTDOWN)
#define INTERCEPTS2_ALWAYS \
	(INTERCEPT_VMRUN | INTERCEPT_VMMCALL | INTERCEPT_VMLOAD | INTERCEPT_VMSAVE | INTERCEPT_STGI | INTERCEPT_CLGI | \
	 INTERCEPT_SKINIT | INTERCEPT_ICEBP | INTERCEPT_WBINVD | INTERCEPT_MONITOR | INTERCEPT_MWAIT | \
	 INTERCEPT_MWAIT_ARMED | INTERCEPT_XSETBV | INTERCEPT_RDPRU)

/* PAUSEs that a loop makes before it exits; the count begins anew after so many ticks without one (APM, "Pause
 * Intercept Filtering"). */
#define PAUSE_COUNT 3000

/* ---- life ---- */

bool svm_vcpu_init(struct svm_vcpu *v, const struct svm_caps *caps)
{
	hfn_t vmcb = frames_alloc();

	if (hfn_is_none(vmcb))
		return false;
	*v = (struct svm_vcpu){ .caps = caps, .vmcb = frames_ptr(vmcb), .vmcb_hpa = hfn_hpa(vmcb) };
	memset(v->vmcb, 0, sizeof(*v->vmcb));
	return true;
}

void svm_vcpu_destroy(struct svm_vcpu *v)
{
	frames_free(hpa_hfn(v->vmcb_hpa), 1);
	v->vmcb = NULL;
	v->vmcb_hpa = HPA(0);
}

static void write_pause_filter(struct svm_vcpu *v, const struct hvm_start *start)
{
	struct vmcb *c = v->vmcb;

	c->intercepts[0] &= ~(uint32_t)INTERCEPT_PAUSE;
	if (!start->spins || !v->caps->pause_filter)
		return;
	c->intercepts[0] |= (uint32_t)INTERCEPT_PAUSE;
	c->pause_count = PAUSE_COUNT;
	c->pause_threshold = v->caps->pause_threshold ? HVM_PAUSE_GAP : 0;
}

static void write_controls(struct svm_vcpu *v, const struct hvm_start *start)
{
	struct vmcb *c = v->vmcb;

	/* CR8 is the local APIC's, which is Vellum's. */
	c->cr_intercepts = (uint32_t)(CR_READ(8) | CR_WRITE(8) | CR_WRITE(4));
	c->exceptions = (uint32_t)HVM_EXCEPTIONS_ALWAYS;
	c->intercepts[0] = (uint32_t)INTERCEPTS_ALWAYS;
	c->intercepts[1] = (uint32_t)(INTERCEPTS2_ALWAYS | (start->rdtscp ? 0 : INTERCEPT_RDTSCP));
	c->intercepts[2] = (uint32_t)INTERCEPT_INVPCID;
	c->io_map = (uintptr_t)svm_io_map;
	c->msr_map = (uintptr_t)svm_msr_map;
	/* The host's IF masks what is physical, not the guest's. */
	c->interrupt_control = (uint32_t)V_INTR_MASKING;
	c->clean = 0; /* nothing is kept: every field is read at each entry */
	write_pause_filter(v, start);
}

/* ---- start ---- */

static struct vmcb_segment table_of(const struct table_register *t)
{
	return (struct vmcb_segment){ .limit = t->limit, .base = t->base };
}

void svm_vcpu_reset(struct svm_vcpu *v, const struct hvm_start *start)
{
	struct hvm_first first = hvm_first(start);
	struct vmcb *c = v->vmcb;

	hvm_write_gpr(&v->hvm, start);
	for (enum segment n = SEG_ES; n <= SEG_TR; n++)
		svm_set_segment(v, n, &first.segment[n]);
	c->gdtr = table_of(&first.gdtr);
	c->idtr = table_of(&first.idtr);
	c->rip = start->rip;
	c->rsp = start->rsp;
	c->rflags = RFLAGS_FIXED;
	c->dr7 = DR7_RESET;
	c->debugctl = 0;
	c->interrupt_shadow = 0;
	c->event_injection = 0;
	v->pending_debug = 0;
	v->nmi_blocked = v->iret = false;
	c->intercepts[0] &= ~(uint32_t)INTERCEPT_IRET;
	v->check = true;
}

void svm_vcpu_start(struct svm_vcpu *v, const struct hvm_start *start, struct mmu_vcpu *mmu)
{
	struct vmcb *c = v->vmcb;

	v->cr4_offered = start->cr4_offered;
	v->mmu = mmu;
	v->host_pat = rdmsr(MSR_PAT);
	write_controls(v, start);
	svm_vcpu_reset(v, start);
	c->sysenter_cs = c->sysenter_esp = c->sysenter_eip = 0;
	c->star = c->lstar = c->cstar = c->fmask = c->kernel_gs_base = 0;
	svm_set_pat(v, PAT_AFTER_RESET);
	svm_apply_paging(v, mmu);
	svm_apply_root(v, mmu);
}

void svm_load(struct svm_vcpu *v)
{
	v->host = svm_this_cpu()->host;
	hvm_load_guards(&v->hvm);
}

/* ---- paging ---- */

static void set_bit32(uint32_t *field, uint64_t bit, bool on)
{
	*field = (uint32_t)(on ? *field | bit : *field & ~bit);
}

static void apply_controls(struct svm_vcpu *v, const struct mmu_vcpu *mmu)
{
	const struct mmu_intercepts *i = &mmu->intercepts;
	struct vmcb *c = v->vmcb;

	c->nested_control = i->ept ? NESTED_PAGING : 0;
	set_bit32(&c->cr_intercepts, CR_WRITE(3), i->cr3_load);
	set_bit32(&c->cr_intercepts, CR_READ(3), i->cr3_store);
	set_bit32(&c->intercepts[0], INTERCEPT_INVLPG, i->invlpg);
	/* All page faults, or none: error codes cannot be chosen among. */
	VM_MUTANT(SVM_EXCEPTIONS,
		  c->exceptions = (uint32_t)(HVM_EXCEPTIONS_ALWAYS | (i->page_fault ? BIT(VECTOR_PF) : 0) |
					     v->exceptions));
}

static void apply_cr0(struct svm_vcpu *v, const struct mmu_vcpu *mmu)
{
	const struct mmu_intercepts *i = &mmu->intercepts;
	uint64_t guest = mmu->regs.cr0, hardware = (guest & ~i->cr0_force_mask) | i->cr0_force_value;
	bool all = false;

	/* Caching is the host's: a guest's CD and NW are remembered, not obeyed. NW without CD would be refused (APM,
	 * "Canonicalization and Consistency Checks"). */
	VM_MUTANT(SVM_CR0_CACHING, hardware &= ~(CR0_CD | CR0_NW));
	v->cr0_mask = i->cr0_force_mask | CR0_CD | CR0_NW;
	v->cr0_shadow = guest;
	v->vmcb->cr0 = hardware;
	/* A selective write is compared with what is there, not with what the guest sees; and LMSW that sets PE is none
	 * to every emulator. */
	VM_MUTANT(SVM_CR0_WRITE, all = hardware != guest || (!i->ept && !(guest & CR0_PE)));
	set_bit32(&v->vmcb->cr_intercepts, CR_WRITE(0), all);
	set_bit32(&v->vmcb->intercepts[0], INTERCEPT_CR0_SELECTIVE, !all);
	VM_MUTANT(SVM_CR0_READ, set_bit32(&v->vmcb->cr_intercepts, CR_READ(0), hardware != guest));
}

/* Every write exits, so that a bit that the guest is not offered is #GP. */
static void apply_cr4(struct svm_vcpu *v, const struct mmu_vcpu *mmu)
{
	const struct mmu_intercepts *i = &mmu->intercepts;
	uint64_t guest = mmu->regs.cr4;
	uint64_t hardware = (guest & ~i->cr4_force_mask) | i->cr4_force_value | v->caps->cr4_host;

	v->cr4_mask = ~0ull;
	v->cr4_shadow = guest;
	v->vmcb->cr4 = hardware;
	VM_MUTANT(SVM_CR4_READ, set_bit32(&v->vmcb->cr_intercepts, CR_READ(4), hardware != guest));
}

void svm_apply_paging(struct svm_vcpu *v, struct mmu_vcpu *mmu)
{
	const struct mmu_intercepts *i = &mmu->intercepts;

	mmu_take_intercepts(mmu);
	apply_controls(v, mmu);
	apply_cr0(v, mmu);
	apply_cr4(v, mmu);
	v->vmcb->efer = (mmu->regs.efer & ~i->efer_force_mask) | i->efer_force_value | EFER_SVME;
	v->check = true;
}

void svm_apply_root(struct svm_vcpu *v, struct mmu_vcpu *mmu)
{
	const struct mmu_root *r = &mmu->root;

	VM_MUTANT(SVM_ROOT, v->vmcb->cr3 = r->cr3);
	if (mmu->intercepts.ept)
		v->vmcb->nested_cr3 = r->nested;
	/* ASID 0 is the host's and refused (APM, "Canonicalization and Consistency Checks"). Without a tag of its own a
	 * vCPU has one that is flushed at each entry. */
	v->untagged = !r->vpid;
	v->vmcb->asid = r->vpid ? r->vpid : v->caps->asids - 1;
	v->check = true;
	mmu->root_changed = false;
}

static uint64_t guest_cr0(const struct svm_vcpu *v)
{
	return (v->cr0_shadow & v->cr0_mask) | (v->vmcb->cr0 & ~v->cr0_mask);
}

void svm_sync_unowned(const struct svm_vcpu *v, struct mmu_vcpu *mmu)
{
	mmu->regs.cr0 = (mmu->regs.cr0 & v->cr0_mask) | (v->vmcb->cr0 & ~v->cr0_mask);
}

/* Under nested paging the CPU reads the PDPTEs as it reads other entries (APM, "Nested Paging"). */
static void sync_pdptes(struct mmu_vcpu *mmu)
{
	mmu_guest_read(mmu->vm, GPA(mmu->regs.cr3 & CR3_PDPT), mmu->regs.pdpte, sizeof(mmu->regs.pdpte));
}

void svm_sync_paging(struct svm_vcpu *v, struct mmu_vcpu *mmu)
{
	const struct vmcb *c = v->vmcb;
	uint64_t cr0 = guest_cr0(v), efer_mask = mmu->intercepts.efer_force_mask | EFER_SVME;

	mmu->regs.efer = (mmu->regs.efer & efer_mask) | (c->efer & ~efer_mask);
	mmu->regs.ac = c->rflags & RFLAGS_AC;
	mmu->regs.cpl = c->cpl;
	mmu->regs.cs_l = c->segment[SEG_CS].attributes & (SEGMENT_L >> 4);
	mmu_sync_control_regs(mmu, cr0, mmu->intercepts.cr3_load ? mmu->regs.cr3 : c->cr3, v->cr4_shadow);
	if (unlikely(v->cr4_shadow & CR4_PKE))
		VM_MUTANT(SVM_SYNC_PKRU, mmu->regs.pkru = rdpkru());
	if (unlikely(mmu->intercepts.ept && !(mmu->regs.efer & EFER_LMA) && (v->cr4_shadow & CR4_PAE) &&
		     (cr0 & CR0_PG)))
		sync_pdptes(mmu);
	v->synced.ss = svm_get_segment(v, SEG_SS).access;
	v->synced.cs_base = c->segment[SEG_CS].base;
	v->synced.number++;
}

/* ---- in and out ---- */

/* A trap that waits: as an injected #DB, for the VMCB has no place for it. What is injected otherwise discards it. */
static void give_pending_debug(struct svm_vcpu *v)
{
	uint64_t pending = v->pending_debug;

	v->pending_debug = 0;
	if (!(pending & (PENDING_DEBUG_BS | DR6_BREAKPOINTS)) || (v->vmcb->event_injection & EVENT_VALID))
		return;
	if (!(pending & (PENDING_DEBUG_BS | PENDING_DEBUG_ENABLED)))
		return;
	write_dr6((read_dr6() & ~DR6_BREAKPOINTS) | (pending & (PENDING_DEBUG_BS | DR6_BREAKPOINTS)));
	v->vmcb->dr7 &= ~DR7_GD;
	v->vmcb->event_injection = EVENT_VALID | EVENT_TYPE_HARDWARE_EXCEPTION | VECTOR_DB;
}

/* SV5: the first exit behind the IRET. */
static void look_at_nmi(struct svm_vcpu *v)
{
	struct vmcb *c = v->vmcb;

	if (v->exit == SVM_EXIT_IRET) {
		v->iret = true;
		v->iret_rip = c->rip;
		set_bit32(&c->intercepts[0], INTERCEPT_IRET, false);
		svm_set_nmi_window(v, v->nmi_window);
	} else if (v->iret && c->rip != v->iret_rip) {
		v->iret = v->nmi_blocked = false;
		svm_set_nmi_window(v, v->nmi_window);
	}
}

/* SV4: RIP stood behind the instruction, for that is what was to be pushed. */
static void go_back(struct svm_vcpu *v)
{
	v->back_length = v->vmcb->exit_interrupt & EVENT_VALID ? v->soft_length : 0;
	VM_MUTANT(SVM_SOFT_BACK, v->vmcb->rip -= v->back_length);
	v->soft_length = 0;
}

/* DR6 is the guest's in the CPU and in the VMCB (APM, "#DB (Debug)" of "Exception Intercepts": it is updated before the
 * exit). BS and BD are never cleared by the CPU; the guest may have done so since the entry. */
static void take_debug(struct svm_vcpu *v, uint64_t before)
{
	uint64_t dr6 = v->vmcb->dr6, causes;

	if ((uint32_t)v->vmcb->exit_code != EXITCODE_EXCEPTION + VECTOR_DB) {
		write_dr6(dr6);
		return;
	}
	causes = (dr6 & DR6_BREAKPOINTS) | (dr6 & ~before & (DR6_BD | DR6_BS));
	VM_MUTANT(SVM_DR6_SINCE, before = (before & DR6_BREAKPOINTS) | (dr6 & ~DR6_BREAKPOINTS & ~causes));
	if (!causes)
		causes = dr6 & (DR6_BD | DR6_BS);
	v->debug_causes = causes;
	write_dr6(before);
}

static void before_run(struct svm_vcpu *v)
{
	struct vmcb *c = v->vmcb;

	if (unlikely(v->pending_debug))
		give_pending_debug(v);
	c->rax = v->hvm.gpr[GPR_RAX];
	c->cr2 = read_cr2();
	c->dr6 = read_dr6();
	c->tlb_control = svm_take_flush(c->asid);
	if (unlikely(v->untagged) && c->tlb_control != TLB_FLUSH_ALL)
		c->tlb_control = v->caps->flush_by_asid ? TLB_FLUSH_ASID : TLB_FLUSH_ALL;
	if (unlikely(!c->nested_control && v->pat != v->host_pat))
		wrmsr(MSR_PAT, v->pat);
	if ((v->hvm.guards & GUARD_SPEC_CTRL) && v->hvm.spec_guest != v->hvm.spec_host)
		wrmsr(MSR_SPEC_CTRL, v->hvm.spec_guest);
}

static void after_run(struct svm_vcpu *v, uint64_t dr6)
{
	struct vmcb *c = v->vmcb;

	if ((v->hvm.guards & GUARD_SPEC_CTRL_EACH) ||
	    ((v->hvm.guards & GUARD_SPEC_CTRL) && v->hvm.spec_guest != v->hvm.spec_host))
		wrmsr(MSR_SPEC_CTRL, v->hvm.spec_host);
	if (unlikely(!c->nested_control && v->pat != v->host_pat))
		wrmsr(MSR_PAT, v->host_pat);
	v->hvm.gpr[GPR_RAX] = c->rax;
	write_cr2(c->cr2);
	v->exit = svm_exit_number(c);
	take_debug(v, dr6);
	c->event_injection = 0;
	go_back(v);
	if (unlikely(v->nmi_blocked))
		look_at_nmi(v);
}

void svm_enter(struct svm_vcpu *v)
{
	uint64_t dr6;

	before_run(v);
	if (unlikely(v->check)) {
		v->check = false;
		if (VM_KEPT(SVM_CHECKED, svm_entry_check(v))) {
			v->vmcb->exit_code = EXITCODE_INVALID;
			v->vmcb->exit_interrupt = v->vmcb->event_injection = 0;
			v->exit = SVM_EXIT_INVALID;
			v->check = true;
			return;
		}
	}
	dr6 = v->vmcb->dr6;
	svm_run(v);
	after_run(v, dr6);
}
