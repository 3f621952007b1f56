/* vm/snapshot/cpu.c - what a snapshot holds of a virtual CPU: every register that its guest has, what waits to be
 * injected, and whether it sleeps. */
#include "vm/snapshot/snapshot.h"

#include "lib/canonical.h"
#include "lib/mutants/mutate.h"
#include "vm/vm.h"

/* What is read is kept here until all of it has been looked at. */
struct registers {
	struct walk_regs paging;
	uint64_t gpr[GPR_COUNT];
	uint64_t rip, rsp, rflags, dr7, dr[5], cr2, xcr0;
	struct segment_state segment[SEG_TR + 1];
	struct table_register gdtr, idtr;
	uint64_t pat, sysenter[3], resident[6], spec, tsc_adjust, tsc_offset, misc_enable;
	uint64_t blocking, pending_debug;
	struct event event;
	uint32_t signals;
	bool halted, deaf, fpu_short;
};

static const uint32_t sysenter_msrs[3] = { MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP };

/* ---- to and from the vCPU, which is loaded ---- */

static void take(struct vcpu *v, struct registers *r)
{
	struct hvm_vcpu *h = &v->hvm;

	resident_release(v);
	*r = (struct registers){ .paging = v->mmu.regs, .rip = hvm_rip(h), .rsp = hvm_rsp(h), .rflags = hvm_rflags(h),
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
static void give(struct vcpu *v, const struct registers *r)
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
static void put(struct vcpu *v, const struct registers *r)
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

static void segment_fields(struct fields *s, struct registers *r)
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

static void msr_fields(struct fields *s, struct registers *r)
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

static void event_fields(struct fields *s, struct registers *r)
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

#define LEGACY_BYTES 512u /* the image of FXSAVE */

/* As many bytes as what the guest's CPU offers needs. */
static void fpu_fields(struct fields *s, struct vcpu *v, struct registers *r)
{
	uint32_t bytes = v->vm->cpuid.has_xsave ? v->vm->cpuid.xsave[0].ecx : LEGACY_BYTES;

	state_u64(s, &r->xcr0);
	state_bool(s, &r->fpu_short);
	state_same(s, bytes, "its registers of x87 and vectors have another size");
	state_bytes(s, v->fpu, bytes);
}

static void all_fields(struct fields *s, struct vcpu *v, struct registers *r)
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
	struct registers r;
	struct fields s;

	take(v, &r);
	state_save(&s, bytes, size);
	all_fields(&s, v, &r);
	return s.bad ? 0 : s.at;
}

/* ---- what is not believed (SN4) ---- */

/* SDM, "Checks on Guest Control Registers, Debug Registers, and MSRs", and what MOV to them would refuse. */
static bool paging_possible(const struct vm *vm, const struct walk_regs *p)
{
	bool pg = p->cr0 & CR0_PG, lma = p->efer & EFER_LMA;

	if ((p->cr0 >> 32) || (p->cr4 & ~vm->cpuid.cr4_offered) || (p->efer & ~vm->cpuid.efer_offered) ||
	    !(p->cr0 & CR0_ET))
		return false;
	if ((pg && !(p->cr0 & CR0_PE)) || ((p->cr0 & CR0_NW) && !(p->cr0 & CR0_CD)))
		return false;
	if (lma != (pg && (p->efer & EFER_LME)) || (lma && !(p->cr4 & CR4_PAE)) || ((p->cr4 & CR4_PCIDE) && !lma))
		return false;
	return !(p->cr3 >> vm->cpuid.maxphyaddr);
}

/* SDM, "Extended Control Registers (Including XCR0)"; XRSTOR faults where a reserved bit of MXCSR is set, or of the
 * header. */
#define AT_MXCSR 24
#define AT_XSTATE_BV 512
#define XSTATE_HEADER_BYTES 64
#define MXCSR_RESERVED 0xffff0000u

static bool fpu_possible(const struct vcpu *v, const struct registers *r)
{
	const uint8_t *image = v->fpu;
	uint64_t offered = v->vm->cpuid.xcr0_offered, header[XSTATE_HEADER_BYTES / 8];
	uint32_t mxcsr;

	memcpy(&mxcsr, image + AT_MXCSR, sizeof(mxcsr));
	if (mxcsr & MXCSR_RESERVED)
		return false;
	if (!v->vm->cpuid.has_xsave)
		return r->xcr0 == XCR0_X87;
	memcpy(header, image + AT_XSTATE_BV, sizeof(header));
	for (unsigned n = 1; n < ARRAY_SIZE(header); n++)
		if (header[n])
			return false;
	return !(header[0] & ~offered) && !(r->xcr0 & ~offered) && (r->xcr0 & XCR0_X87) &&
	       (!(r->xcr0 & XCR0_AVX) || (r->xcr0 & XCR0_SSE)) &&
	       (!(r->xcr0 & XCR0_AVX512) || ((r->xcr0 & XCR0_AVX512) == XCR0_AVX512 && (r->xcr0 & XCR0_AVX)));
}

#define DR7_UPPER MASK(63, 32)
#define PAT_ENTRIES 8

static bool pat_possible(uint64_t pat)
{
	for (unsigned n = 0; n < PAT_ENTRIES; n++) {
		uint8_t type = (uint8_t)(pat >> 8 * n);

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

/* What vm/cpu/vcpu.c lets come to be. */
static bool signals_possible(const struct vcpu *v, uint32_t signals)
{
	uint32_t vector = 0xffu << SIGNAL_VECTOR_SHIFT, ever = SIGNAL_NMI;

	if (v->id)
		ever |= SIGNAL_INIT | SIGNAL_WAITS;
	if (v->id && (signals & SIGNAL_SIPI) && (signals & (SIGNAL_INIT | SIGNAL_WAITS)))
		ever |= SIGNAL_SIPI | vector;
	else if (VM_KEPT(RESTORE_NMI, signals & (SIGNAL_INIT | SIGNAL_WAITS)))
		ever &= ~SIGNAL_NMI; /* lost on one that waits, but behind a start-up IPI */
	return !(signals & ~ever);
}

/* In the order of vm/cpu/resident.c. What a WRMSR, or MOV to a debug register, would refuse. */
enum { STAR, LSTAR, CSTAR, FMASK, KERNEL_GS, TSC_AUX };

static bool registers_possible(const struct vcpu *v, const struct registers *r)
{
	unsigned bits = linear_bits(r->paging.cr4);

	return is_canonical_in(r->resident[LSTAR], bits) && is_canonical_in(r->resident[CSTAR], bits) &&
	       is_canonical_in(r->resident[KERNEL_GS], bits) && !(r->resident[FMASK] >> 32) &&
	       !(r->resident[TSC_AUX] >> 32) && pat_possible(r->pat) && !(r->dr7 & DR7_UPPER) && !(r->dr[4] >> 32) &&
	       is_canonical_in(r->sysenter[1], bits) && is_canonical_in(r->sysenter[2], bits) &&
	       VM_LEFT_OUT_OR(RESTORE_SIGNALS, signals_possible(v, r->signals));
}

bool cpu_state(struct fields *s, struct vcpu *v)
{
	struct registers r = { .paging = v->mmu.regs };

	all_fields(s, v, &r);
	state_check(s, VM_LEFT_OUT_OR(RESTORE_PAGING, paging_possible(v->vm, &r.paging)),
		    "its control registers are as no CPU has them");
	state_check(s, VM_LEFT_OUT_OR(RESTORE_FPU, fpu_possible(v, &r)), "its vector registers are as no CPU has them");
	state_check(s, !r.spec || VM_LEFT_OUT_OR(RESTORE_SPEC, mitigations_write(v, MSR_SPEC_CTRL, r.spec)),
		    "its CPU has other controls of speculation");
	state_check(s, VM_LEFT_OUT_OR(RESTORE_REGISTERS, registers_possible(v, &r)),
		    "its registers are as no CPU has them");
	if (s->bad)
		return false;
	give(v, &r);
	if (!mmu_vcpu_init(&v->mmu, &v->vm->mmu, &r.paging))
		return false;
	put(v, &r);
	return true;
}
