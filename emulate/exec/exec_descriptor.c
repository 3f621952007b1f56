/* emulate/exec/exec_descriptor.c - instructions that look at descriptors, or load LDTR and TR: ARPL, LAR, LSL, VERR,
 * VERW, SLDT, STR, LLDT, LTR. The decoder has turned them away in real and virtual-8086 mode. */
#include "emulate/descriptor.h"

/* SDM: "LAR", table "Segment and Gate Types". In IA-32e mode the 16-bit types mean nothing. */
static bool lar_knows(const struct emulate *e, unsigned type)
{
	switch (type) {
	case 0: /* code or data */
	case TYPE_LDT:
	case TYPE_TSS32:
	case TYPE_TSS32_BUSY:
	case TYPE_CALL_GATE32:
		return true;
	case TYPE_TSS16:
	case TYPE_TSS16_BUSY:
	case TYPE_CALL_GATE16:
	case TYPE_TASK_GATE:
		return !is_ia32e(e);
	}
	return false;
}

static bool lsl_knows(const struct emulate *e, unsigned type)
{
	return lar_knows(e, type) && type != TYPE_CALL_GATE16 && type != TYPE_CALL_GATE32 && type != TYPE_TASK_GATE;
}

static bool is_privileged_enough(const struct emulate *e, uint16_t selector, uint32_t access)
{
	return access_conforming_code(access) || access_dpl(access) >= max_u64(e->cpl, selector & SELECTOR_RPL);
}

/* The descriptor of the selector in r/m. *visible: there is one. A type of 0 is no system segment's, and
 * read_descriptor() has it only where S is set or the descriptor is empty. */
static enum emulate_result look_up(struct emulate *e, const struct insn *i, uint16_t *selector, struct descriptor *d,
				   bool *visible)
{
	uint64_t linear, v;

	TRY(rm_read(e, i, 2, 0, &linear, &v));
	*selector = v;
	*visible = false;
	if (!(v & (SELECTOR_INDEX | SELECTOR_TI)))
		return EMULATE_OK;
	TRY(read_descriptor(e, *selector, d, visible));
	if (*visible && !(d->access & SEGMENT_S) && !access_system_type(d->access))
		*visible = false;
	return EMULATE_OK;
}

enum emulate_result exec_lar(struct emulate *e, const struct insn *i)
{
	struct descriptor d;
	uint16_t selector;
	bool visible;

	TRY(look_up(e, i, &selector, &d, &visible));
	visible = visible && lar_knows(e, access_system_type(d.access)) && is_privileged_enough(e, selector, d.access);
	if (visible)
		write_gpr(e, i->reg, i->opsize, (d.low >> 32) & 0xffff00);
	set_flags(e, RFLAGS_ZF, visible ? RFLAGS_ZF : 0);
	return finish(e, i);
}

enum emulate_result exec_lsl(struct emulate *e, const struct insn *i)
{
	struct emulate_segment s;
	struct descriptor d;
	uint16_t selector;
	bool visible;

	TRY(look_up(e, i, &selector, &d, &visible));
	visible = visible && lsl_knows(e, access_system_type(d.access)) && is_privileged_enough(e, selector, d.access);
	if (visible) {
		unpack_descriptor(e, &d, selector, &s);
		write_gpr(e, i->reg, i->opsize, s.limit);
	}
	set_flags(e, RFLAGS_ZF, visible ? RFLAGS_ZF : 0);
	return finish(e, i);
}

/* sub: 0 VERR, 1 VERW */
enum emulate_result exec_verify(struct emulate *e, const struct insn *i)
{
	struct descriptor d;
	uint16_t selector;
	bool allowed;

	TRY(look_up(e, i, &selector, &d, &allowed));
	allowed = allowed && (d.access & SEGMENT_S) && is_privileged_enough(e, selector, d.access);
	if (allowed && (d.access & TYPE_CODE))
		allowed = !i->sub && (d.access & TYPE_READ_WRITE);
	else if (allowed && i->sub)
		allowed = d.access & TYPE_READ_WRITE;
	set_flags(e, RFLAGS_ZF, allowed ? RFLAGS_ZF : 0);
	return finish(e, i);
}

/* The requested privilege level of r/m becomes at least that of the register. Always 16 bits; memory need be writable
 * only if there is something to write. */
enum emulate_result exec_arpl(struct emulate *e, const struct insn *i)
{
	uint64_t linear, v, rpl = e->gpr[i->reg] & SELECTOR_RPL;
	bool adjusted;

	TRY(rm_read(e, i, 2, 0, &linear, &v));
	adjusted = (v & SELECTOR_RPL) < rpl;
	if (adjusted)
		TRY(rm_write(e, i, 2, (v & ~SELECTOR_RPL) | rpl));
	set_flags(e, RFLAGS_ZF, adjusted ? RFLAGS_ZF : 0);
	return finish(e, i);
}

/* SLDT, STR: to memory 16 bits, to a register the operand size, zero-extended. */
enum emulate_result exec_store_selector(struct emulate *e, const struct insn *i)
{
	struct emulate_segment s = { 0 };

	TRY(check_umip(e));
	TRY_OPTIONAL(e, read_dtr, e, i->sub, &s);
	TRY(rm_write(e, i, is_memory(i) ? 2 : i->opsize, s.selector));
	return finish(e, i);
}

static bool loadable(const struct emulate *e, unsigned which, unsigned type)
{
	if (which == EMULATE_LDTR)
		return type == TYPE_LDT;
	return type == TYPE_TSS32 || (type == TYPE_TSS16 && !is_ia32e(e));
}

/* The selector must be one of the GDT, the descriptor of the right type, else #GP(selector), and present, else
 * #NP(selector) (SDM, LLDT, LTR: "Protected Mode Exceptions", and "64-Bit Mode Exceptions" of the base). LTR makes the
 * TSS busy, in memory too. */
static enum emulate_result prepare_system(struct emulate *e, unsigned which, uint16_t selector,
					  struct emulate_segment *s)
{
	struct descriptor d;
	uint8_t byte;

	if (selector & SELECTOR_TI)
		return raise_error(e, VECTOR_GP, selector & ~SELECTOR_RPL);
	TRY(read_descriptor(e, selector, &d, NULL));
	if (!loadable(e, which, access_system_type(d.access)))
		return raise_error(e, VECTOR_GP, selector & ~SELECTOR_RPL);
	if (!(d.access & SEGMENT_P))
		return raise_error(e, VECTOR_NP, selector & ~SELECTOR_RPL);
	unpack_descriptor(e, &d, selector, s);
	if (is_ia32e(e) && !is_canonical(e, s->base))
		return raise_error(e, VECTOR_GP, selector & ~SELECTOR_RPL);
	if (which == EMULATE_LDTR)
		return EMULATE_OK;
	s->access |= TYPE_BUSY;
	byte = s->access; /* bits 47:40 of the descriptor */
	return mem_write(e, d.address + 5, &byte, 1, EMULATE_HOW_SYSTEM);
}

/* LLDT, LTR; a null selector makes LDTR unusable. */
enum emulate_result exec_load_selector(struct emulate *e, const struct insn *i)
{
	struct emulate_segment s = { .access = SEGMENT_UNUSABLE };
	uint64_t linear, selector;

	TRY(check_cpl0(e));
	TRY(rm_read(e, i, 2, 0, &linear, &selector));
	s.selector = selector;
	if (selector & (SELECTOR_INDEX | SELECTOR_TI))
		TRY(prepare_system(e, i->sub, selector, &s));
	else if (i->sub == EMULATE_TR) /* SDM, "LTR": no null selector; "LLDT" takes one */
		return raise_error(e, VECTOR_GP, 0);
	TRY_OPTIONAL(e, write_dtr, e, i->sub, &s);
	return finish(e, i);
}
