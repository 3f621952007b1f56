#include "vmx/vcpu.h"

#include "host/cpu/asm.h"
#include "host/memory/frames.h"
#include "host/cpu/percpu.h"
#include "host/cpu/x86.h"
#include "hvm/common.h"
#include "vmx/bitmaps.h"
#include "vmx/msrs.h"
#include "lib/mutants/mutate.h"

extern const char vmx_exit_bare[], vmx_exit_entry[], vmx_exit_guarded[];

#define ENTRY_KNOWS(field, offset) _Static_assert(offsetof(struct vmx_vcpu, field) == (offset), "vmx/entry.h")
ENTRY_KNOWS(hvm.gpr, OFFSET_GPR);
ENTRY_KNOWS(enter, OFFSET_ENTER);
ENTRY_KNOWS(enter_again, OFFSET_ENTER_AGAIN);
ENTRY_KNOWS(host_rsp, OFFSET_HOST_RSP);
ENTRY_KNOWS(hvm.spec_guest, OFFSET_SPEC_GUEST);
ENTRY_KNOWS(hvm.spec_host, OFFSET_SPEC_HOST);
ENTRY_KNOWS(hvm.guards, OFFSET_GUARDS);
ENTRY_KNOWS(launched, OFFSET_LAUNCHED);

bool vmx_vcpu_init(struct vmx_vcpu *v, const struct vmx_caps *caps)
{
	hfn_t vmcs = frames_alloc();

	if (hfn_is_none(vmcs))
		return false;
	*v = (struct vmx_vcpu){ .caps = caps, .vmcs = hfn_hpa(vmcs) };
	/* SDM, "Initializing a VMCS". */
	*(uint32_t *)frames_ptr(vmcs) = caps->revision;
	BUG_ON(!vmclear(v->vmcs));
	return vmx_msrs_init(v);
}

void vmx_vcpu_destroy(struct vmx_vcpu *v)
{
	/* Until VMCLEAR the CPU may write to the region (SDM, "Software Use of Virtual-Machine Control Structures"). */
	BUG_ON(!vmclear(v->vmcs));
	vmx_msrs_destroy(v);
	frames_free(hpa_hfn(v->vmcs), 1);
}

/* What differs from CPU to CPU: at each load, since the last one may have been on another. */
static void write_host_cpu(void)
{
	struct percpu *cpu = this_cpu();

	vmwrite(VMCS_HOST_GS_BASE, (uintptr_t)cpu);
	vmwrite(VMCS_HOST_TR_BASE, (uintptr_t)&cpu->tss);
	vmwrite(VMCS_HOST_GDTR_BASE, (uintptr_t)cpu->gdt);
}

static void write_host(void)
{
	struct { uint16_t limit; uint64_t base; } __attribute__((packed)) idtr;

	__asm__("sidt %0" : "=m"(idtr));
	vmwrite(VMCS_HOST_CS_SELECTOR, SEL_CODE64);
	vmwrite(VMCS_HOST_SS_SELECTOR, SEL_DATA);
	vmwrite(VMCS_HOST_DS_SELECTOR, SEL_DATA);
	vmwrite(VMCS_HOST_ES_SELECTOR, SEL_DATA);
	vmwrite(VMCS_HOST_FS_SELECTOR, 0);
	vmwrite(VMCS_HOST_GS_SELECTOR, 0);
	vmwrite(VMCS_HOST_TR_SELECTOR, SEL_TSS);
	vmwrite(VMCS_HOST_FS_BASE, 0);
	vmwrite(VMCS_HOST_IDTR_BASE, idtr.base);
	vmwrite(VMCS_HOST_CR0, read_cr0());
	vmwrite(VMCS_HOST_CR3, read_cr3());
	vmwrite(VMCS_HOST_CR4, read_cr4());
	vmwrite(VMCS_HOST_SYSENTER_CS, 0);
	vmwrite(VMCS_HOST_SYSENTER_ESP, 0);
	vmwrite(VMCS_HOST_SYSENTER_EIP, 0);
}

/* Where the CPU has the timer, no guest runs longer than ticks without an exit. Unless exits save it (hvm_start.alarm),
 * each entry starts it anew. */
static void write_pin_controls(const struct vmx_caps *c, uint64_t ticks)
{
	uint32_t pin = vmx_control(c->pin, PIN_EXTERNAL_INTERRUPT | PIN_NMI | PIN_VIRTUAL_NMI | PIN_PREEMPTION_TIMER);

	vmwrite(VMCS_PIN_CONTROLS, pin);
	if (pin & PIN_PREEMPTION_TIMER)
		vmwrite(VMCS_PREEMPTION_TIMER, min_u64(ticks >> c->preemption_shift, UINT32_MAX));
}

/* Instructions of each way out (vmx/entry.S); of the last, without what is done where a guard asks for it. */
#define TICKS_BARE 18
#define TICKS_REGISTERS 30
#define TICKS_GUARDED 39

/* The ways in and out that do what v->hvm.guards asks for, and no more. */
static void choose_way(struct vmx_vcpu *v)
{
	const char *out = vmx_exit_bare;

	v->hvm.exit_ticks = TICKS_BARE;
	v->enter_again = vmx_enter_again;
	if (v->hvm.guards & GUARDS_LONG_WAY) {
		out = vmx_exit_guarded;
		v->hvm.exit_ticks = TICKS_GUARDED;
		v->enter_again = vmx_enter_guarded;
	} else if (v->hvm.guards & GUARD_REGISTERS) {
		out = vmx_exit_entry;
		v->hvm.exit_ticks = TICKS_REGISTERS;
	}
	vmwrite(VMCS_HOST_RIP, (uintptr_t)out);
	vmx_begin_turn(v);
}

#define EXIT_MSRS (EXIT_SAVE_EFER | EXIT_LOAD_EFER | EXIT_SAVE_PAT | EXIT_LOAD_PAT)
#define ENTRY_MSRS (ENTRY_LOAD_EFER | ENTRY_LOAD_PAT)

/* A loop with PAUSE of the kernel's that goes on for the window exits (SDM, "Instructions That Cause VM Exits
 * Conditionally"). In TSC ticks: longer than a lock is held by who runs. */
#define PAUSE_WINDOW 4096

static void write_pause_loop(const struct vmx_vcpu *v)
{
	if (!(v->proc & PROC_SECONDARY) || !(v->proc2 & PROC2_PAUSE_LOOP))
		return;
	vmwrite(VMCS_PAUSE_GAP, HVM_PAUSE_GAP);
	vmwrite(VMCS_PAUSE_WINDOW, PAUSE_WINDOW);
}

/* The controls for IA32_EFER and IA32_PAT: all of them, or none, where the areas switch these MSRs (vmx/msrs.c): their
 * fields are not written then, and would fail VM entry (SDM, "Checks on Host Control Registers, MSRs, and SSP"). */
static void write_controls(struct vmx_vcpu *v, const struct hvm_start *start)
{
	const struct vmx_caps *c = v->caps;

	v->proc = vmx_control(c->proc, PROC_TSC_OFFSETTING | PROC_HLT | PROC_MWAIT | PROC_MONITOR | PROC_RDPMC |
					       PROC_CR8_LOAD | PROC_CR8_STORE | PROC_IO_BITMAPS | PROC_MSR_BITMAPS |
					       PROC_SECONDARY);
	v->tpr_threshold = 0;
	v->proc2 = vmx_control(c->proc2, PROC2_WBINVD | (start->rdtscp ? PROC2_RDTSCP : 0) |
						 (start->invpcid ? PROC2_INVPCID : 0) |
						 (VM_KEPT(PAUSE_LOOP, start->spins) ? PROC2_PAUSE_LOOP : 0));
	vmwrite(VMCS_PROC_CONTROLS, v->proc);
	if (v->proc & PROC_SECONDARY)
		vmwrite(VMCS_PROC_CONTROLS2, v->proc2);
	write_pause_loop(v);
	vmwrite(VMCS_EXIT_CONTROLS,
		vmx_control(c->exit, EXIT_HOST_64 | EXIT_ACK_INTERRUPT | EXIT_SAVE_DEBUG |
					     (start->alarm ? EXIT_SAVE_TIMER : 0) |
					     (VM_LEFT_OUT_OR(SWITCHES_ALL_EXIT, c->switches_msrs) ? EXIT_MSRS : 0)));
	vmwrite(VMCS_ENTRY_CONTROLS,
		vmx_control(c->entry, ENTRY_LOAD_DEBUG |
					      (VM_LEFT_OUT_OR(SWITCHES_ALL_ENTRY, c->switches_msrs) ? ENTRY_MSRS : 0)));
	vmwrite(VMCS_IO_BITMAP_A, (uintptr_t)vmx_io_bitmaps);
	vmwrite(VMCS_IO_BITMAP_B, (uintptr_t)vmx_io_bitmaps + PAGE_SIZE);
	vmwrite(VMCS_CR3_TARGET_COUNT, 0); /* no value of CR3 may be loaded without an exit, where loads exit */
	vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, 0);
	vmwrite(VMCS_LINK_POINTER, ~0ull); /* none (SDM, "Checks on Guest Non-Register State") */
}

static void write_guest(const struct hvm_start *s)
{
	struct hvm_first first = hvm_first(s);

	for (enum segment n = SEG_ES; n <= SEG_TR; n++)
		vmx_set_segment(n, &first.segment[n]);
	vmwrite(VMCS_GUEST_GDTR_BASE, first.gdtr.base);
	vmwrite(VMCS_GUEST_GDTR_LIMIT, first.gdtr.limit);
	vmwrite(VMCS_GUEST_IDTR_BASE, first.idtr.base);
	vmwrite(VMCS_GUEST_IDTR_LIMIT, first.idtr.limit);
	vmwrite(VMCS_GUEST_RIP, s->rip);
	vmwrite(VMCS_GUEST_RSP, s->rsp);
	vmwrite(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	vmwrite(VMCS_GUEST_DR7, DR7_RESET);
	vmwrite(VMCS_GUEST_DEBUGCTL, 0);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, 0);
	vmwrite(VMCS_GUEST_ACTIVITY, 0);
	vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
}

void vmx_vcpu_reset(struct vmx_vcpu *v, const struct hvm_start *start)
{
	hvm_write_gpr(&v->hvm, start);
	write_guest(start);
}

void vmx_vcpu_start(struct vmx_vcpu *v, const struct hvm_start *start, struct mmu_vcpu *mmu)
{
	v->host_rsp = 0;
	v->cr4_offered = start->cr4_offered;
	write_host();
	write_pin_controls(v->caps, start->longest_run);
	choose_way(v);
	write_controls(v, start);
	vmx_vcpu_reset(v, start);
	vmwrite(VMCS_GUEST_SYSENTER_CS, 0);
	vmwrite(VMCS_GUEST_SYSENTER_ESP, 0);
	vmwrite(VMCS_GUEST_SYSENTER_EIP, 0);
	vmx_msrs_start(v);
	vmx_set_pat(v, PAT_AFTER_RESET);
	vmx_set_tpr(v, &start->tpr);
	vmx_apply_paging(v, mmu);
	vmx_apply_root(v, mmu);
}

void vmx_load(struct vmx_vcpu *v)
{
	BUG_ON(!vmptrld(v->vmcs));
	vmx_begin_turn(v);
	hvm_load_guards(&v->hvm);
	VM_MUTANT(LOAD_HOST, write_host_cpu());
}

/* VMCLEAR writes back what this CPU caches of the VMCS, without which another must not load it, and makes its launch
 * state clear: the next entry is by VMLAUNCH (SDM, "Software Use of Virtual-Machine Control Structures"). */
void vmx_unload(struct vmx_vcpu *v)
{
	BUG_ON(!vmclear(v->vmcs));
	v->launched = false;
}

static void write_proc(struct vmx_vcpu *v, uint32_t proc)
{
	if (proc != v->proc)
		vmwrite(VMCS_PROC_CONTROLS, v->proc = proc);
}

/* VC3. Without secondary controls both are 0, so that the field, which does not exist then, is left alone. */
static void write_proc2(struct vmx_vcpu *v, uint32_t proc2)
{
	if (proc2 != v->proc2)
		vmwrite(VMCS_PROC_CONTROLS2, v->proc2 = proc2);
}

static void apply_controls(struct vmx_vcpu *v, const struct mmu_vcpu *mmu)
{
	const struct mmu_intercepts *i = &mmu->intercepts;
	uint32_t proc = v->proc & ~(uint32_t)(PROC_CR3_LOAD | PROC_CR3_STORE | PROC_INVLPG);
	uint32_t proc2 = v->proc2 & ~(uint32_t)(PROC2_EPT | PROC2_UNRESTRICTED | PROC2_PML);

	proc |= (uint32_t)((i->cr3_load ? PROC_CR3_LOAD : 0) | (i->cr3_store ? PROC_CR3_STORE : 0) |
			   (i->invlpg ? PROC_INVLPG : 0));
	proc2 |= (uint32_t)((i->ept ? PROC2_EPT : 0) | (i->unrestricted ? PROC2_UNRESTRICTED : 0) |
			    (VM_KEPT(PML_ON, i->log.v) ? PROC2_PML : 0));
	vmx_apply_log(v, mmu);
	VM_MUTANT(CONTROLS, write_proc(v, proc));
	write_proc2(v, proc2);
	vmwrite(VMCS_EXCEPTION_BITMAP, (VM_LEFT_OUT_OR(INTERCEPT, false) ? 0 : HVM_EXCEPTIONS_ALWAYS) |
					       (i->page_fault ? BIT(VECTOR_PF) : 0) |
					       v->exceptions);
	vmwrite(VMCS_PF_ERROR_MASK, v->exceptions & BIT(VECTOR_PF) ? 0 : i->pf_mask);
	vmwrite(VMCS_PF_ERROR_MATCH, v->exceptions & BIT(VECTOR_PF) ? 0 : i->pf_match);
}

static void apply_cr0(const struct vmx_vcpu *v, const struct mmu_vcpu *mmu)
{
	const struct mmu_intercepts *i = &mmu->intercepts;
	uint64_t fixed = VM_LEFT_OUT_OR(CR0_FIXED, false) ? 0 : v->caps->cr0_fixed0;
	/* SDM, "Unrestricted Guests": for them PE and PG are not fixed. */
	uint64_t must = fixed & ~(i->unrestricted ? CR0_PE | CR0_PG : 0);
	uint64_t guest = mmu->regs.cr0;
	uint64_t hardware = ((guest & ~i->cr0_force_mask) | i->cr0_force_value | must) & v->caps->cr0_fixed1;

	/* Caching is the host's: a guest's CD and NW are remembered, not obeyed. NW without CD would be #GP. */
	VM_MUTANT(CR0_CACHING, hardware &= ~(CR0_CD | CR0_NW));
	VM_MUTANT(CR0_MASK, vmwrite(VMCS_CR0_MASK,
				    must | ~v->caps->cr0_fixed1 | CR0_CD | CR0_NW | i->cr0_owned | i->cr0_force_mask));
	vmwrite(VMCS_CR0_SHADOW, guest);
	vmwrite(VMCS_GUEST_CR0, hardware);
}

static void apply_cr4(const struct vmx_vcpu *v, const struct mmu_vcpu *mmu)
{
	const struct mmu_intercepts *i = &mmu->intercepts;
	uint64_t must = VM_LEFT_OUT_OR(CR4_FIXED, false) ? 0 : v->caps->cr4_fixed0 | v->caps->cr4_host;
	uint64_t guest = mmu->regs.cr4;

	/* A bit that the guest is not offered exits, for its #GP. */
	VM_MUTANT(CR4_MASK, vmwrite(VMCS_CR4_MASK, must | ~v->cr4_offered | i->cr4_owned | i->cr4_force_mask));
	vmwrite(VMCS_CR4_SHADOW, guest);
	vmwrite(VMCS_GUEST_CR4, ((guest & ~i->cr4_force_mask) | i->cr4_force_value | must) & v->caps->cr4_fixed1);
}

static void apply_efer(struct vmx_vcpu *v, const struct mmu_vcpu *mmu)
{
	const struct mmu_intercepts *i = &mmu->intercepts;
	uint64_t efer = (mmu->regs.efer & ~i->efer_force_mask) | i->efer_force_value;
	uint64_t entry = vmread(VMCS_ENTRY_CONTROLS) & ~ENTRY_IA32E;

	vmx_set_efer(v, efer);
	/* The control must equal EFER.LMA (SDM, "Checks on Guest Control Registers, Debug Registers, and MSRs"). */
	VM_MUTANT(IA32E, vmwrite(VMCS_ENTRY_CONTROLS, entry | (efer & EFER_LMA ? ENTRY_IA32E : 0)));
}

void vmx_apply_paging(struct vmx_vcpu *v, struct mmu_vcpu *mmu)
{
	VM_MUTANT(SYNCED_APPLIED, v->synced.cs = SYNCED_NOT);
	mmu_take_intercepts(mmu);
	apply_controls(v, mmu);
	apply_cr0(v, mmu);
	apply_cr4(v, mmu);
	apply_efer(v, mmu);
}

void vmx_apply_root(struct vmx_vcpu *v, struct mmu_vcpu *mmu)
{
	const struct mmu_root *r = &mmu->root;

	VM_MUTANT(ROOT, vmwrite(VMCS_GUEST_CR3, r->cr3));
	if (mmu->intercepts.ept)
		vmwrite(VMCS_EPTP, r->nested);
	/* With EPT, a VM entry takes the PDPTEs from here, and not from memory (SDM, "Loading
	 * Page-Directory-Pointer-Table Entries"). */
	if (VM_KEPT(PDPTES, r->load_pdptes && mmu->intercepts.ept))
		for (unsigned n = 0; n < 4; n++)
			vmwrite(VMCS_GUEST_PDPTE0 + 2 * n, r->pdpte[n]);
	/* VPID 0 is the host's: with the control it fails VM entry (SDM, "Checks on VMX Controls"). */
	write_proc2(v, r->vpid ? v->proc2 | PROC2_VPID : v->proc2 & ~(uint32_t)PROC2_VPID);
	if (r->vpid)
		vmwrite(VMCS_VPID, r->vpid);
	mmu->root_changed = false;
}

void vmx_sync_unowned(struct mmu_vcpu *mmu)
{
	uint64_t cr0_mask = vmread(VMCS_CR0_MASK), cr4_mask = vmread(VMCS_CR4_MASK);

	mmu->regs.cr0 = (mmu->regs.cr0 & cr0_mask) | (vmread(VMCS_GUEST_CR0) & ~cr0_mask);
	mmu->regs.cr4 = (mmu->regs.cr4 & cr4_mask) | (vmread(VMCS_GUEST_CR4) & ~cr4_mask);
}

/* PKRU changes without an exit, and no field has it. So with keys CR4 is noted with a bit that it never has, and nobody
 * takes the state for known without the look at PKRU here. */
#define CR4_WITH_KEYS BIT(63)
static bool is_synced_with_keys(struct vmx_vcpu *v, const struct mmu_vcpu *mmu)
{
	bool same;

	if (likely(!(mmu->regs.cr4 & CR4_PKE)))
		return false;
	v->synced.cr4 ^= CR4_WITH_KEYS;
	same = vmx_is_synced(v, mmu, vmx_rflags()) && VM_LEFT_OUT_OR(SYNCED_PKRU, rdpkru() == mmu->regs.pkru);
	v->synced.cr4 ^= CR4_WITH_KEYS;
	return same;
}

static void note_synced(struct vmx_vcpu *v, const struct mmu_vcpu *mmu)
{
	struct vmx_synced *s = &v->synced;
	uint64_t keys = VM_KEPT(SYNCED_KEYS, mmu->regs.cr4 & CR4_PKE) ? CR4_WITH_KEYS : 0;

	_Static_assert(offsetof(struct walk_regs, cpl) == offsetof(struct walk_regs, ac) + 1, "compared together");
	*s = (struct vmx_synced){ .cr0 = vmread(VMCS_GUEST_CR0), .cr3 = mmu->regs.cr3,
				  .cr4 = vmread(VMCS_GUEST_CR4) | keys,
				  .rflags = vmread(VMCS_GUEST_RFLAGS), .cs = vmread(VMCS_GUEST_CS_ACCESS),
				  .ss = vmread(VMCS_GUEST_SS_ACCESS),
				  .cs_base = vmread(VMCS_GUEST_ES_BASE + 2 * SEG_CS), .number = s->number + 1,
				  .rights = { mmu->regs.ac, mmu->regs.cpl } };
}

/* What the guest changed of paging registers without an exit. */
static void take_registers(struct vmx_vcpu *v, struct mmu_vcpu *mmu)
{
	uint64_t cr0_mask = vmread(VMCS_CR0_MASK), cr4_mask = vmread(VMCS_CR4_MASK);
	uint64_t cr0 = (vmread(VM_LEFT_OUT_OR(SYNC_SHADOW, false) ? VMCS_GUEST_CR0 : VMCS_CR0_SHADOW) & cr0_mask) |
		       (vmread(VMCS_GUEST_CR0) & ~cr0_mask);
	uint64_t cr4 = (vmread(VMCS_CR4_SHADOW) & cr4_mask) | (vmread(VMCS_GUEST_CR4) & ~cr4_mask);
	uint64_t efer_mask = mmu->intercepts.efer_force_mask;
	mmu->regs.efer = (mmu->regs.efer & efer_mask) | (vmx_get_efer(v) & ~efer_mask);
	mmu->regs.ac = vmread(VMCS_GUEST_RFLAGS) & RFLAGS_AC;
	mmu->regs.cpl = (uint8_t)vmx_cpl();
	mmu->regs.cs_l = vmread(VMCS_GUEST_CS_ACCESS) & SEGMENT_L;
	mmu_sync_control_regs(mmu, cr0, mmu->intercepts.cr3_load ? mmu->regs.cr3 : vmread(VMCS_GUEST_CR3), cr4);
	if (unlikely(mmu->regs.cr4 & CR4_PKE))
		VM_MUTANT(SYNC_PKRU, mmu->regs.pkru = rdpkru());
	if (unlikely(vmx_has_pdptes(mmu)))
		vmx_sync_pdptes(mmu);
}

void vmx_sync_anew(struct vmx_vcpu *v, struct mmu_vcpu *mmu)
{
	if (is_synced_with_keys(v, mmu))
		return;
	take_registers(v, mmu);
	note_synced(v, mmu);
}

void vmx_sync_paging(struct vmx_vcpu *v, struct mmu_vcpu *mmu) { vmx_sync_known(v, mmu, vmx_rflags()); }

#define DELIVERY (PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTERRUPTS)

static const uint8_t *msr_bitmap(const struct hvm_tpr *tpr)
{
	if (!tpr->x2apic)
		return vmx_msr_bitmap;
	return VM_KEPT(BITMAP_ALL, tpr->delivery) ? vmx_msr_bitmap_x2apic_all : vmx_msr_bitmap_x2apic;
}

void vmx_set_tpr(struct vmx_vcpu *v, const struct hvm_tpr *tpr)
{
	const uint32_t exits = PROC_CR8_LOAD | PROC_CR8_STORE;
	bool shadow = tpr->registers.v, access = tpr->access.v;

	/* SDM, "Checks on VMX Controls": the page's address counts, and the threshold, with the shadow only; of APIC
	 * accesses and x2APIC mode one may be virtualized. */
	if (shadow) {
		vmwrite(VMCS_VIRTUAL_APIC_ADDRESS, tpr->registers.v);
		vmwrite(VMCS_TPR_THRESHOLD, v->tpr_threshold = 0);
	}
	if (access)
		vmwrite(VMCS_APIC_ACCESS_ADDRESS, tpr->access.v);
	vmwrite(VMCS_MSR_BITMAP, (uintptr_t)msr_bitmap(tpr));
	write_proc(v, shadow ? (v->proc & ~exits) | PROC_TPR_SHADOW : (v->proc & ~(uint32_t)PROC_TPR_SHADOW) | exits);
	write_proc2(v, (v->proc2 & ~(uint32_t)(PROC2_APIC_ACCESS | PROC2_X2APIC | DELIVERY)) |
			       (uint32_t)((access ? PROC2_APIC_ACCESS : 0) | (tpr->x2apic ? PROC2_X2APIC : 0) |
					  (tpr->delivery ? DELIVERY : 0)));
}

void vmx_set_tpr_threshold(struct vmx_vcpu *v, unsigned class)
{
	if (class != v->tpr_threshold)
		vmwrite(VMCS_TPR_THRESHOLD, v->tpr_threshold = class);
}

void vmx_write_interrupt_window(struct vmx_vcpu *v, bool on)
{
	write_proc(v, on ? v->proc | PROC_INTERRUPT_WINDOW : v->proc & ~(uint32_t)PROC_INTERRUPT_WINDOW);
}

void vmx_set_nmi_window(struct vmx_vcpu *v, bool on)
{
	write_proc(v, on ? v->proc | PROC_NMI_WINDOW : v->proc & ~(uint32_t)PROC_NMI_WINDOW);
}

void vmx_set_debug(struct vmx_vcpu *v, const struct hvm_debug *d)
{
	uint32_t proc = v->proc & ~(uint32_t)(PROC_MONITOR_TRAP | PROC_MOV_DR);

	write_proc(v, proc | (uint32_t)((d->step ? PROC_MONITOR_TRAP : 0) | (d->debug_registers ? PROC_MOV_DR : 0)));
	if (d->exceptions) {
		v->exceptions = ~0u;
		vmwrite(VMCS_EXCEPTION_BITMAP, ~0u);
		vmwrite(VMCS_PF_ERROR_MASK, 0);
		vmwrite(VMCS_PF_ERROR_MATCH, 0);
	} else if (d->int3 != !!v->exceptions) {
		v->exceptions = d->int3 ? (uint32_t)BIT(VECTOR_BP) : 0;
		vmwrite(VMCS_EXCEPTION_BITMAP, vmread(VMCS_EXCEPTION_BITMAP) ^ BIT(VECTOR_BP));
	}
}

void vmx_set_segment(enum segment n, const struct segment_state *s)
{
	vmwrite(VMCS_GUEST_ES_SELECTOR + 2 * n, s->selector);
	vmwrite(VMCS_GUEST_ES_LIMIT + 2 * n, s->limit);
	vmwrite(VMCS_GUEST_ES_ACCESS + 2 * n, s->access);
	vmwrite(VMCS_GUEST_ES_BASE + 2 * n, s->base);
}
