/* vm/exit/push.c - PUSH of what was read for it from a device's register (vm/exit/apic.c): the store to the stack. */
#include "vm/exit/decoded.h"
#include "vm/exit/skip.h"

#include "lib/mutants/mutate.h"

/* What a store to the stack needs, no more. */
static void fill_push(struct vcpu *v)
{
	struct emulate *e = &v->emulate;

	v->hvm.gpr[GPR_RSP] = hvm_rsp(&v->hvm);
	e->ops = &emulation_ops;
	e->gpr = v->hvm.gpr;
	e->cr0 = v->mmu.regs.cr0;
	e->cr4 = v->mmu.regs.cr4;
	e->seg_dirty = e->shadow = 0;
	v->breakpoints = 0;
	v->breakpoint_hits = 0;
}

static __attribute__((noinline)) void push_anywhere(struct vcpu *v, const struct insn_cache *c, uint64_t value)
{
	struct emulate *e = &v->emulate;
	enum emulate_result result;

	fill_push(v);
	result = emulate_push_value(e, &c->insn, value);
	if (likely(result == EMULATE_OK)) {
		hvm_set_rsp(&v->hvm, v->hvm.gpr[GPR_RSP]);
		exit_skip_access(v, c->insn.length);
		return;
	}
	e->length = c->insn.length;
	memcpy(e->bytes, c->bytes, sizeof(e->bytes));
	emulation_act_on(v, result);
}

/* A stack of all 4 GBytes, of the kernel's, in 32-bit code: nothing but paging can be in the way. SDM, "Basic Flat
 * Model", "Alignment Checking" (of programs alone), "Stack Behavior in 64-Bit Mode" and "Limit Checking". */
static inline bool is_flat_stack(const struct vcpu *v)
{
	const uint64_t looked_at = SEGMENT_UNUSABLE | SEGMENT_DB | (SEGMENT_TYPE & ~(uint32_t)TYPE_ACCESSED);

	return !v->emulate.cpl &&
	       VM_LEFT_OUT_OR(PUSH_FLAT, !hvm_segment_base(&v->hvm, SEG_SS) && hvm_ss_limit(&v->hvm) == 0xffffffff &&
			      (hvm_synced_ss(&v->hvm) & looked_at) == (SEGMENT_DB | TYPE_READ_WRITE));
}

/* An aligned one in plain memory. false: it takes more than that. */
static inline bool push_quickly(struct vcpu *v, const struct insn_cache *c, uint32_t value)
{
	uint32_t linear = (uint32_t)hvm_rsp(&v->hvm) - 4;
	uint64_t gpa;

	if (c->size != 4 || VM_KEPT(PUSH_ALIGNED, linear & 3) || !is_flat_stack(v) || v->vm->tpr.over_memory)
		return false;
	gpa = decoded_translated(v, linear, true);
	if (gpa == MEMO_NONE || mmu_guest_write(&v->vm->mmu, GPA(gpa), &value, 4) != 4)
		return false;
	hvm_set_rsp(&v->hvm, linear);
	exit_skip_access_to(v, v->emulate.rip + c->insn.length, v->emulate.rflags);
	return true;
}

void emulation_push(struct vcpu *v, const struct insn_cache *c, uint64_t value)
{
	if (!push_quickly(v, c, (uint32_t)value))
		push_anywhere(v, c, value);
}
