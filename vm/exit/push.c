/* vm/exit/push.c - PUSH of what was read for it from a device's register, and POP to one (vm/exit/apic.c): what they do
 * to the stack. */
#include "vm/exit/stack.h"

#include "lib/mutants/mutate.h"

/* What a store to the stack needs, no more. */
static void fill_push(struct vcpu *v)
{
	struct emulate *e = &v->emulate;

	emulation_fill_access(v);
	e->shadow = 0;
	v->breakpoints = 0;
	v->breakpoint_hits = 0;
}

void emulation_push_anywhere(struct vcpu *v, const struct insn_cache *c, uint64_t value)
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
	emulation_act_on_known(v, c, result);
}

bool push_small(struct vcpu *v, const struct insn_cache *c, uint64_t value)
{
	uint64_t rsp = hvm_rsp(&v->hvm), sp = (rsp - c->size) & 0xffff, linear, gpa;

	if (!is_small_place(v, sp, c->size, &linear))
		return false;
	gpa = decoded_translated(v, linear, true);
	if (gpa == MEMO_NONE || mmu_guest_write(&v->vm->mmu, GPA(gpa), &value, c->size) != c->size)
		return false;
	hvm_set_rsp(&v->hvm, (rsp & ~0xffffull) | sp);
	exit_skip_access_to(v, v->emulate.rip + c->insn.length, v->emulate.rflags);
	return true;
}

void emulation_push(struct vcpu *v, const struct insn_cache *c, uint64_t value)
{
	if (is_small_stack(v) ? !push_small(v, c, value) : !push_quickly(v, c, value))
		emulation_push_anywhere(v, c, value);
}
