#include "vmx/guards.h"

#include "lib/mutants/mutate.h"
#include "vmx/entry.h"

uint32_t vmx_guards(const struct speculation *s, uint32_t measures)
{
	uint32_t guards = 0;

	guards |= measures & BIT(MEASURE_REGISTERS) ? GUARD_REGISTERS : 0;
	guards |= measures & BIT(MEASURE_L1D) ? GUARD_L1D : 0;
	guards |= measures & BIT(MEASURE_VERW) ? GUARD_VERW : 0;
	guards |= measures & BIT(MEASURE_IBPB) ? GUARD_IBPB : 0;
	if (measures & BIT(MEASURE_RSB))
		guards |= VM_LEFT_OUT_OR(RSB_ONE, s->enhanced_ibrs) ? GUARD_RSB_ONE : GUARD_RSB;
	/* The guest's own value must not stay for the host, also where the host asks for none of its own. */
	if (VM_KEPT(SPEC_CTRL_GUEST, (measures & BIT(MEASURE_GUEST)) && s->guest_spec_ctrl) ||
	    (measures & BIT(MEASURE_IBRS)))
		guards |= GUARD_SPEC_CTRL;
	if (VM_KEPT(SPEC_CTRL_EACH, measures & BIT(MEASURE_IBRS)) && !s->enhanced_ibrs)
		guards |= GUARD_SPEC_CTRL_EACH;
	return guards;
}
