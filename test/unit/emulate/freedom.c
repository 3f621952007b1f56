/* test/unit/emulate/freedom.c - where CPUs that are all right differ from each other, and so from the emulator. */
#include "test/unit/emulate/freedom.h"

#include <string.h>

#include "emulate/decode/ops.h"

#define FSW_ES 0x80u /* an exception that is not masked waits */

/* Two faults at once, whose order the SDM leaves open or AMD's CPUs have otherwise: a CALL with a bad target and a bad
 * stack (the SDM looks at the target first), and a vector that is misaligned and beyond the stack segment's limit. */
static bool both_faults(const struct case_ *c, const struct state *native, const struct state *emulated)
{
	bool is_call = (c->form->flags & (F_CONTROL | F_STACK)) == (F_CONTROL | F_STACK);

	if (is_call && emulated->vector == VECTOR_GP)
		return native->vector == VECTOR_PF || native->vector == VECTOR_SS;
	return (c->form->flags & (F_ALIGN | F_AREA)) && native->vector == VECTOR_GP && emulated->vector == VECTOR_SS;
}

/* An encoding that the CPU does not have is #UD before the operand is looked at; the emulator, which lets the CPU
 * judge, may find a fault of the operand first. No such instruction gets to the emulator but by a change of its
 * bytes. */
static bool illegal(const struct case_ *c, const struct state *native, const struct state *emulated)
{
	return (c->form->flags & (F_ANY_VEX | F_VEX)) && native->vector == VECTOR_UD && emulated->vector != NO_VECTOR;
}

static bool is_operand_fault(const struct state *s)
{
	return s->vector == VECTOR_PF || s->vector == VECTOR_GP || s->vector == VECTOR_SS;
}

/* Many CPUs remember an opcode only of an instruction that ended in an unmasked exception (SDM, "Fopcode Compatibility
 * Sub-mode"); of others there is what was there. */
static bool forgets_opcode(const struct case_ *c, const struct state *native)
{
	return !(native->fx[2] & FSW_ES) && !memcmp(native->fx + 6, c->in.fx + 6, 2);
}

/* What the FPU remembers of its last instruction, where it is that of this case: CPUs differ in when they remember it,
 * save it and load it (those of AMD's make only while an exception is flagged), and outside 64-bit mode its selectors
 * do not survive a switch of tasks. */
static bool same_last_instruction(const struct case_ *c, const struct state *native, const struct state *emulated)
{
	unsigned width = c->layout == LAYOUT_LONG64 ? 8 : 4;

	if (native->vector != NO_VECTOR || memcmp(native->fx + 8, &c->in.rip, width))
		return true;
	if (memcmp(native->fx + 8, emulated->fx + 8, width))
		return false;
	if (memcmp(native->fx + 6, emulated->fx + 6, 2) && !forgets_opcode(c, native))
		return false;
	return !(c->insn.flags & INSN_F_MEM) || !memcmp(native->fx + 16, emulated->fx + 16, width);
}

static bool same_registers(const uint8_t *a, const uint8_t *b)
{
	return !memcmp(a, b, 5) && !memcmp(a + 24, b + 24, 4) && !memcmp(a + 32, b + 32, 128);
}

/* Of a store whose operand faults the emulator leaves nothing behind. CPUs may have gone over to MMX, or flagged what
 * is wrong with a number, before they find out. */
bool freedom_same_units(const struct case_ *c, const struct state *native, const struct state *emulated)
{
	if (is_operand_fault(native))
		return same_registers(native->fx, emulated->fx) || same_registers(c->in.fx, emulated->fx);
	return same_registers(native->fx, emulated->fx) && same_last_instruction(c, native, emulated);
}

/* CPUs of AMD's make do not want the operands of SHA instructions aligned. */
static bool unaligned_sha(const struct case_ *c, const struct state *native, const struct state *emulated)
{
	const struct form *f = c->form;
	bool sha = (f->map == 2 && f->opcode >= 0xc8 && f->opcode <= 0xcd) || (f->map == 3 && f->opcode == 0xcc);

	return sha && f->prefix == 0 && emulated->vector == VECTOR_GP && native->vector != VECTOR_GP;
}

/* CPUs of AMD's make look at more of an XSAVE area than they write. */
static bool untouched_fault(const struct case_ *c, const struct state *native, const struct state *emulated)
{
	return (c->form->flags & F_AREA) && emulated->vector == NO_VECTOR && is_operand_fault(native);
}

/* CMPS, of which both operands fault: which comes first the SDM does not say, and depends on the prefixes. */
static bool either_operand(const struct case_ *c, const struct state *native, const struct state *emulated)
{
	return c->insn.op == OP_cmps && is_operand_fault(native) && is_operand_fault(emulated);
}

/* BOUND with an index below the lower bound, and an upper one that cannot be read. */
static bool unread_bound(const struct state *native, const struct state *emulated)
{
	return native->vector == VECTOR_BR && is_operand_fault(emulated);
}

/* MASKMOVQ and MASKMOVDQU: whether bytes that the mask leaves out can fault is each CPU's own. */
static bool unselected_fault(const struct case_ *c, const struct state *native, const struct state *emulated)
{
	return (c->form->flags & F_RDI) && native->vector != NO_VECTOR && emulated->vector == NO_VECTOR;
}

/* A store that an unmasked exception of the FPU's or of SSE's keeps from storing: whether its operand is looked at
 * before is each CPU's own. */
static bool unstored_fault(const struct case_ *c, const struct state *native, const struct state *emulated)
{
	bool x87 = c->insn.op == OP_x87 && native->vector == NO_VECTOR && (native->fx[2] & FSW_ES);

	return (x87 || native->vector == VECTOR_XM) && is_operand_fault(emulated);
}

/* VPEXTRQ and VPINSRQ outside 64-bit mode: #UD, or VEX.W does not count there and they are VPEXTRD and VPINSRD. */
static bool is_quadword_of_32_bits(const struct case_ *c, const struct state *emulated)
{
	const struct form *f = c->form;

	return c->layout != LAYOUT_LONG64 && f->map == 3 && (f->opcode == 0x16 || f->opcode == 0x22) &&
	       (c->insn.rex & 8) && emulated->vector == VECTOR_UD;
}

bool freedom_allows(const struct case_ *c, const struct state *native, const struct state *emulated)
{
	if (both_faults(c, native, emulated) || illegal(c, native, emulated) || unselected_fault(c, native, emulated))
		return true;
	if (unaligned_sha(c, native, emulated) || untouched_fault(c, native, emulated) ||
	    either_operand(c, native, emulated))
		return true;
	if (unread_bound(native, emulated))
		return true;
	if (unstored_fault(c, native, emulated) || is_quadword_of_32_bits(c, emulated))
		return true;
	/* Which part of a long area is looked at first, and for what, is each CPU's own. */
	return (c->form->flags & (F_AREA | F_WRITES | F_LONG)) && is_operand_fault(native) &&
	       is_operand_fault(emulated);
}

/* A gather that faults: of what is left of the mask only the sign of each element counts; the SDM has it all ones, CPUs
 * of AMD's make leave it as it was. Above a short vector, some clear both registers at once, and some at the end. */
static void normalise_gather(const struct case_ *c, struct state *s)
{
	unsigned size = (c->insn.rex & 8) ? 8 : 4;
	uint8_t *mask = s->vec[c->insn.vvvv];

	if (!(c->insn.flags & INSN_F_VEXL)) {
		memset(mask + 16, 0, 16);
		memset(s->vec[c->insn.reg] + 16, 0, 16);
	}
	for (unsigned n = 0; n < 32; n += size)
		memset(mask + n, mask[n + size - 1] & 0x80 ? 0xff : 0, size);
}

/* A repeated string with 32-bit addresses in 64-bit mode, before its first element is done: CPUs of Intel's make clear
 * the upper half of the registers that they count with, those of AMD's leave them. */
static void forget_upper_halves(const struct case_ *c, const struct state *native, struct state *emulated)
{
	static const unsigned counted[] = { EMULATE_RCX, EMULATE_RSI, EMULATE_RDI };

	if (c->layout != LAYOUT_LONG64 || !(c->form->flags & F_STRING) || c->insn.adsize != 4)
		return;
	for (unsigned n = 0; n < ARRAY_SIZE(counted); n++)
		if (native->gpr[counted[n]] == (uint32_t)c->in.gpr[counted[n]] &&
		    emulated->gpr[counted[n]] == c->in.gpr[counted[n]])
			emulated->gpr[counted[n]] = native->gpr[counted[n]];
}

/* A CALL to where nothing can be: some CPUs have put the return address below the stack before they see that. */
static void forget_pushed(const struct case_ *c, const struct state *native, const struct state *emulated)
{
	static const uint8_t nothing[8];

	if ((c->form->flags & (F_CONTROL | F_STACK)) == (F_CONTROL | F_STACK) && native->vector == VECTOR_GP &&
	    emulated->vector == VECTOR_GP)
		machine_poke(machine_segment_base(c->layout, EMULATE_SS) + c->in.gpr[EMULATE_RSP] - 8, nothing, 8);
}

/* A fault in a repeated CMPS or SCAS: Intel's CPUs give back the flags from before, AMD's have the last element's. */
static void forget_flags(const struct case_ *c, const struct state *native, struct state *emulated)
{
	bool compares = c->insn.op == OP_cmps || c->insn.op == OP_scas;

	if (compares && native->vector != NO_VECTOR && native->vector == emulated->vector)
		emulated->rflags = (emulated->rflags & ~RFLAGS_STATUS) | (native->rflags & RFLAGS_STATUS);
}

void freedom_forget(const struct case_ *c, struct state *native, struct state *emulated)
{
	if ((c->form->flags & F_VSIB) && native->vector != NO_VECTOR && native->vector != VECTOR_UD) {
		normalise_gather(c, native);
		normalise_gather(c, emulated);
	}
	forget_upper_halves(c, native, emulated);
	forget_pushed(c, native, emulated);
	forget_flags(c, native, emulated);
}
