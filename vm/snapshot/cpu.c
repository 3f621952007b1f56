/* vm/snapshot/cpu.c - what a snapshot holds of a virtual CPU: every register that its guest has, what waits to be
 * injected, and whether it sleeps. */
#include "vm/snapshot/registers.h"

#include "lib/mutants/mutate.h"

static const uint32_t sysenter_msrs[3] = { MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP };

/* ---- to and from the vCPU, which is loaded ---- */

static void take_registers(struct vcpu *v, struct cpu_registers *r)
{
	struct hvm_vcpu *h = &v->hvm;

	resident_release(v);
	*r = (struct cpu_registers){ .paging = v->mmu.regs, .rip = hvm_rip(h), .rsp = hvm_rsp(h),
				     .rflags = hvm_rflags(h),
				     .dr7 = debug_dr7(v), .cr2 = v->saved_cr2, .xcr0 = v->xcr0, .gdtr = hvm_gdtr(h),
				     .idtr = hvm_idtr(h), .pat = hvm_pat(h), .spec = h->spec_guest,
				     .tsc_adjust = v->tsc_adjust, .tsc_offset = v->tsc_offset,
				     .misc_enable = v->misc_enable, .blocking = hvm_blocking(h),
				     .pending_debug = hvm_pending_debug(h), .event = v->event,
				     .signals = vcpu_signals(v), .halted = v->halted, .deaf = v->deaf,
				     .fpu_short = v->fpu_short };
	memcpy(r->gpr, h->gpr, sizeof(r->gpr));
	memcpy(r->dr, v->saved_dr, sizeof(r->dr));
	memcpy(r->resident, v->saved_msr, sizeof(r->resident));
	for (enum segment n = SEG_ES; n <= SEG_TR; n++)
		r->segment[n] = hvm_segment(h, n);
	for (unsigned n = 0; n < ARRAY_SIZE(sysenter_msrs); n++)
		hvm_own_msr(h, sysenter_msrs[n], &r->sysenter[n]);
}

/* What is not the CPU's own. */
static void give_registers(struct vcpu *v, const struct cpu_registers *r)
{
	v->saved_cr2 = r->cr2;
	v->xcr0 = r->xcr0;
	v->tsc_adjust = r->tsc_adjust;
	v->tsc_offset = r->tsc_offset;
	v->misc_enable = r->misc_enable;
	v->event = r->event;
	v->halted = r->halted;
	v->deaf = r->deaf;
	__atomic_store_n(&v->signals, r->signals, __ATOMIC_SEQ_CST);
	v->fpu_short = r->fpu_short;
	memcpy(v->saved_dr, r->dr, sizeof(r->dr));
	memcpy(v->saved_msr, r->resident, sizeof(r->resident));
	vcpu_note(v, REQUEST_EVENT | (r->signals & (SIGNAL_INIT | SIGNAL_SIPI) ? REQUEST_INIT : 0));
}

/* The vCPU lives on another CPU, perhaps, and leaves this one. */
static void put_registers(struct vcpu *v, const struct cpu_registers *r)
{
	struct vcpu *before = vcpu_visit(v);
	struct hvm_vcpu *h = &v->hvm;

	vcpu_begin(v);
	memcpy(h->gpr, r->gpr, sizeof(r->gpr));
	hvm_set_rip(h, r->rip);
	hvm_set_rsp(h, r->rsp);
	hvm_set_rflags(h, r->rflags);
	hvm_set_dr7(h, r->dr7);
	for (enum segment n = SEG_ES; n <= SEG_TR; n++)
		hvm_set_segment(h, n, &r->segment[n]);
	hvm_set_gdtr(h, r->gdtr);
	hvm_set_idtr(h, r->idtr);
	hvm_set_pat(h, r->pat);
	for (unsigned n = 0; n < ARRAY_SIZE(sysenter_msrs); n++)
		hvm_set_own_msr(h, sysenter_msrs[n], r->sysenter[n]);
	hvm_set_blocking(h, r->blocking);
	hvm_set_pending_debug(h, r->pending_debug);
	h->spec_guest = r->spec;
	hvm_sync_paging(h, &v->mmu);
	emulated_decide(v);
	vcpu_leave_cpu(v);
	vcpu_visited(before);
}

/* ---- the list ---- */

static void paging_fields(struct fields *s, struct walk_regs *p)
{
	state_u64(s, &p->cr0);
	state_u64(s, &p->cr3);
	state_u64(s, &p->cr4);
	state_u64(s, &p->efer);
	for (unsigned n = 0; n < ARRAY_SIZE(p->pdpte); n++)
		state_u64(s, &p->pdpte[n]);
}

static void segment_fields(struct fields *s, struct cpu_registers *r)
{
	for (unsigned n = 0; n < ARRAY_SIZE(r->segment); n++) {
		state_u16(s, &r->segment[n].selector);
		state_u32(s, &r->segment[n].limit);
		state_u32(s, &r->segment[n].access);
		state_u64(s, &r->segment[n].base);
	}
	state_u64(s, &r->gdtr.base);
	state_u32(s, &r->gdtr.limit);
	state_u64(s, &r->idtr.base);
	state_u32(s, &r->idtr.limit);
}

static void msr_fields(struct fields *s, struct cpu_registers *r)
{
	state_u64(s, &r->pat);
	for (unsigned n = 0; n < ARRAY_SIZE(r->sysenter); n++)
		state_u64(s, &r->sysenter[n]);
	for (unsigned n = 0; n < ARRAY_SIZE(r->resident); n++)
		state_u64(s, &r->resident[n]);
	state_u64(s, &r->spec);
	state_u64(s, &r->tsc_adjust);
	state_u64(s, &r->tsc_offset); /* the guest's TSC goes on from where it was */
	if (s->load && !s->bad)
		VM_MUTANT(RESTORE_TSC, r->tsc_offset -= s->shift);
	state_u64(s, &r->misc_enable);
}

static void event_fields(struct fields *s, struct cpu_registers *r)
{
	state_u64(s, &r->blocking);
	state_u64(s, &r->pending_debug);
	state_u32(s, &r->event.info);
	state_u32(s, &r->event.error);
	state_u32(s, &r->event.length);
	state_u32(s, &r->signals);
	state_bool(s, &r->halted);
	state_bool(s, &r->deaf);
}

/* As many bytes as what the guest's CPU offers needs. */
static void fpu_fields(struct fields *s, struct vcpu *v, struct cpu_registers *r)
{
	uint32_t bytes = v->vm->cpuid.has_xsave ? v->vm->cpuid.xsave[0].ecx : FXSAVE_BYTES;

	state_u64(s, &r->xcr0);
	state_bool(s, &r->fpu_short);
	state_same(s, bytes, "its registers of x87 and vectors have another size");
	state_bytes(s, v->fpu, bytes);
}

static void all_fields(struct fields *s, struct vcpu *v, struct cpu_registers *r)
{
	state_begin(s, "cpu", 1);
	state_same(s, v->id, "it is another CPU's");
	paging_fields(s, &r->paging);
	for (unsigned n = 0; n < GPR_COUNT; n++)
		state_u64(s, &r->gpr[n]);
	state_u64(s, &r->rip);
	state_u64(s, &r->rsp);
	state_u64(s, &r->rflags);
	state_u64(s, &r->dr7);
	for (unsigned n = 0; n < ARRAY_SIZE(r->dr); n++)
		state_u64(s, &r->dr[n]);
	state_u64(s, &r->cr2);
	segment_fields(s, r);
	msr_fields(s, r);
	event_fields(s, r);
	fpu_fields(s, v, r);
	state_end(s);
}

size_t save_cpu(struct vcpu *v, uint8_t *bytes, size_t size)
{
	struct cpu_registers r;
	struct fields s;

	take_registers(v, &r);
	state_save(&s, bytes, size);
	all_fields(&s, v, &r);
	return s.bad ? 0 : s.at;
}

bool cpu_state(struct fields *s, struct vcpu *v)
{
	struct cpu_registers r = { .paging = v->mmu.regs };
	const char *impossible;

	all_fields(s, v, &r);
	impossible = s->bad ? NULL : registers_impossible(v, &r);
	state_check(s, !impossible, impossible);
	state_check(s, !r.spec || VM_LEFT_OUT_OR(RESTORE_SPEC, mitigations_write(v, MSR_SPEC_CTRL, r.spec)),
		    "its CPU has other controls of speculation");
	if (s->bad)
		return false;
	give_registers(v, &r);
	if (!mmu_vcpu_init(&v->mmu, &v->vm->mmu, &r.paging))
		return false;
	put_registers(v, &r);
	return true;
}
