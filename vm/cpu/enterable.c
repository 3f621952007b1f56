/* vm/cpu/enterable.c - can a CPU enter the guest as its registers are? Without "unrestricted guest" it cannot in real
 * mode, nor between setting CR0.PE and loading the segment registers anew. SDM, "Checks on Guest Segment Registers";
 * the rules about control registers and RFLAGS are kept by whoever sets those.
 *
 * EN1 What is called enterable here passes the manual's checks (model/vmentry_segments.c, of which this is
 *     independent).
 * EN2 What is called fit for virtual-8086 mode passes them too, with the registers that hvm_v86_begin() makes of it,
 *     and does there what it would do in real mode, or faults. */
#include "vm/vm.h"

#include "lib/mutants/mutate.h"
#include "vm/cpu/segments.h"

static unsigned rpl_of(const struct segment_state *s) { return s->selector & SELECTOR_RPL; }
static unsigned linear_of(const struct vcpu *v) { return linear_bits(v->mmu.regs.cr4); }

/* Of the segments that code and data are accessed by. CS counts as usable. */
static bool common_fits(const struct vcpu *v, enum segment n, const struct segment_state *s)
{
	if (!segment_long_base_fits(n, s, linear_of(v)))
		return false;
	return (n != SEG_CS && !segment_usable(s)) || segment_common_fits(n, s);
}

/* SDM, "Checks on Guest Segment Registers", here and below: CS is code that has been accessed. */
static bool code_fits(const struct vcpu *v, const struct segment_state *cs, const struct segment_state *ss)
{
	unsigned want = TYPE_CODE | TYPE_ACCESSED;

	if (VM_KEPT(SEGMENTS_CODE, (cs->access & want) != want))
		return false;
	return segment_code_level_fits(cs, access_dpl(ss->access)) && segment_l_and_d_fit(cs, v->mmu.regs.efer);
}

/* RPL of SS is that of CS, and its DPL. */
static bool stack_fits(const struct segment_state *cs, const struct segment_state *ss)
{
	if (VM_KEPT(SEGMENTS_RPL, rpl_of(cs) != rpl_of(ss)) ||
	    VM_KEPT(SEGMENTS_SS, access_dpl(ss->access) != rpl_of(ss)))
		return false;
	return !segment_usable(ss) || segment_stack_type_fits(ss);
}

static bool data_fits(const struct segment_state *s)
{
	if (VM_LEFT_OUT_OR(SEGMENTS_UNUSABLE, !segment_usable(s)))
		return true;
	if (!segment_data_type_fits(s))
		return false;
	/* The DPL is no less than the RPL; conforming code may be of any level. */
	if (VM_LEFT_OUT_OR(SEGMENTS_CONFORMING, access_conforming_code(s->access)))
		return true;
	return VM_LEFT_OUT_OR(SEGMENTS_DATA, access_dpl(s->access) >= rpl_of(s));
}

static bool protected_fits(const struct vcpu *v)
{
	struct segment_state cs = hvm_segment(&v->hvm, SEG_CS), ss = hvm_segment(&v->hvm, SEG_SS);

	if (!code_fits(v, &cs, &ss) || !stack_fits(&cs, &ss))
		return false;
	for (enum segment n = SEG_ES; n <= SEG_GS; n++) {
		struct segment_state s = hvm_segment(&v->hvm, n);

		if (!common_fits(v, n, &s) || (n != SEG_CS && n != SEG_SS && !data_fits(&s)))
			return false;
	}
	return true;
}

static bool v86_fits(const struct vcpu *v)
{
	for (enum segment n = SEG_ES; n <= SEG_GS; n++) {
		struct segment_state s = hvm_segment(&v->hvm, n);

		if (!segment_v86_fits(&s))
			return false;
	}
	return true;
}

static bool tables_fit(const struct vcpu *v)
{
	struct segment_state tr = hvm_segment(&v->hvm, SEG_TR), ldtr = hvm_segment(&v->hvm, SEG_LDTR);

	return VM_LEFT_OUT_OR(ENTER_TR, segment_tr_fits(&tr, v->mmu.regs.efer, linear_of(v))) &&
	       VM_LEFT_OUT_OR(ENTER_LDTR, segment_ldtr_fits(&ldtr, linear_of(v)));
}

/* A limit of 64 KiB; or a larger one, of a page's granularity, which virtual-8086 mode does not have: what lies beyond
 * faults there, and the emulator does it ("unreal" mode: a load in real mode leaves the limit as it is). */
static bool real_limit_fits(const struct segment_state *s)
{
	return s->limit == 0xffff || ((s->access & SEGMENT_G) && s->limit > 0xffff);
}

/* Segments as real mode loads them, with the attributes that a reset gives them. D/B means something in code and in
 * stacks only ("Segment Descriptors"). */
static bool real_segments_fit(const struct vcpu *v)
{
	for (enum segment n = SEG_ES; n <= SEG_GS; n++) {
		struct segment_state s = hvm_segment(&v->hvm, n);
		uint32_t any = TYPE_CODE | SEGMENT_G | (n == SEG_CS || n == SEG_SS ? 0 : SEGMENT_DB);

		if (VM_KEPT(V86_BASE, s.base != (uint64_t)s.selector << 4) ||
		    VM_KEPT(V86_LIMIT, !real_limit_fits(&s)) ||
		    VM_KEPT(V86_ACCESS, (s.access & ~any) != SEGMENT_DATA16))
			return false;
	}
	return true;
}

/* What would be another's there: traps, which the emulator gives in order; #AC, and INT n by a bit map, which real mode
 * does not have; an NMI that waits for the end of blocking. */
static bool v86_is_the_same(const struct vcpu *v)
{
	uint64_t rflags = hvm_rflags(&v->hvm);

	return VM_LEFT_OUT_OR(V86_TRAPS, !(rflags & RFLAGS_TF) && !(hvm_dr7(&v->hvm) & DR7_ENABLED)) &&
	       !hvm_pending_debug(&v->hvm) && VM_LEFT_OUT_OR(V86_ALIGNMENT, !(v->mmu.regs.cr0 & CR0_AM)) &&
	       VM_LEFT_OUT_OR(V86_VME, !(v->mmu.regs.cr4 & CR4_VME)) && !vcpu_nmi_pending(v) &&
	       !(v->event.info & EVENT_VALID) && !(hvm_rip(&v->hvm) >> 16);
}

bool vcpu_v86_fits(const struct vcpu *v)
{
	struct segment_state ldtr;

	if (v->vm->config->vm86 == CONFIG_OFF || (v->mmu.regs.cr0 & CR0_PE) || v->mmu.stuck)
		return false;
	ldtr = hvm_segment(&v->hvm, SEG_LDTR);
	return v86_is_the_same(v) && real_segments_fit(v) && segment_ldtr_fits(&ldtr, linear_of(v));
}

bool vcpu_enterable(const struct vcpu *v)
{
	if (hvm_enters_any_state() || v->mmu.intercepts.unrestricted)
		return true;
	if (VM_KEPT(ENTER_REAL, !(v->mmu.regs.cr0 & CR0_PE)))
		return false;
	if (VM_KEPT(SEGMENTS_V86, hvm_rflags(&v->hvm) & RFLAGS_VM) ? !v86_fits(v) : !protected_fits(v))
		return false;
	return tables_fit(v);
}
