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

void emulation_push(struct vcpu *v, const struct insn_cache *c, uint64_t value)
{
	if (!push_quickly(v, c, value))
		emulation_push_anywhere(v, c, value);
}
