/* emulate/exec/exec_stack.c - the stack: PUSH, POP, PUSHA, POPA, PUSHF, POPF, ENTER, LEAVE. SDM: "Stacks", "Stack
 * Manipulation Instructions". */
#include "emulate/internal.h"

unsigned stack_size(struct emulate *e)
{
	if (is_long64(e))
		return 8;
	return (segment(e, EMULATE_SS)->access & SEGMENT_DB) ? 4 : 2;
}

/* Where size bytes go that are pushed at *sp, which moves down. *sp is a whole register: only the part that is the
 * stack pointer changes. */
static enum emulate_result push_place(struct emulate *e, uint64_t *sp, unsigned size, uint64_t *linear)
{
	uint64_t mask = size_mask(stack_size(e)), offset = (*sp - size) & mask;

	TRY(linear_address(e, EMULATE_SS, offset, size, EMULATE_HOW_WRITE, linear));
	*sp = (*sp & ~mask) | offset;
	return EMULATE_OK;
}

enum emulate_result push_at(struct emulate *e, uint64_t *sp, unsigned size, uint64_t v)
{
	uint64_t linear;

	TRY(push_place(e, sp, size, &linear));
	return write_value(e, linear, size, v);
}

/* Would push_at() succeed? Moves *sp like it. */
enum emulate_result push_probe(struct emulate *e, uint64_t *sp, unsigned size)
{
	uint64_t linear;

	TRY(push_place(e, sp, size, &linear));
	return mem_probe(e, linear, size, EMULATE_HOW_WRITE);
}

enum emulate_result pop_at(struct emulate *e, uint64_t *sp, unsigned size, uint64_t *v)
{
	uint64_t mask = size_mask(stack_size(e)), offset = *sp & mask, linear;

	TRY(linear_address(e, EMULATE_SS, offset, size, 0, &linear));
	TRY(read_value(e, linear, size, 0, v));
	*sp = (*sp & ~mask) | ((offset + size) & mask);
	return EMULATE_OK;
}

static enum emulate_result push(struct emulate *e, const struct insn *i, uint64_t v)
{
	uint64_t sp = e->gpr[EMULATE_RSP];

	TRY(push_at(e, &sp, i->opsize, v));
	e->gpr[EMULATE_RSP] = sp;
	return finish(e, i);
}

enum emulate_result exec_push_r(struct emulate *e, const struct insn *i)
{
	return push(e, i, e->gpr[i->reg]);
}

enum emulate_result exec_push_rm(struct emulate *e, const struct insn *i)
{
	uint64_t linear, v;

	TRY(rm_read(e, i, i->opsize, 0, &linear, &v));
	return push(e, i, v);
}

enum emulate_result exec_push_imm(struct emulate *e, const struct insn *i)
{
	return push(e, i, i->imm);
}

/* A 32-bit push of a segment register writes 16 bits only, on the CPUs that Vellum runs on. SDM: "PUSH". */
enum emulate_result exec_push_seg(struct emulate *e, const struct insn *i)
{
	uint64_t sp = e->gpr[EMULATE_RSP], linear;
	uint16_t selector = segment(e, i->sub)->selector;

	TRY(push_place(e, &sp, i->opsize, &linear));
	TRY(write_value(e, linear, i->opsize == 4 ? 2 : i->opsize, selector));
	e->gpr[EMULATE_RSP] = sp;
	return finish(e, i);
}

enum emulate_result exec_pop_r(struct emulate *e, const struct insn *i)
{
	uint64_t sp = e->gpr[EMULATE_RSP], v;

	TRY(pop_at(e, &sp, i->opsize, &v));
	e->gpr[EMULATE_RSP] = sp;
	write_gpr(e, i->reg, i->opsize, v); /* after rSP: POP rSP keeps what was popped */
	return finish(e, i);
}

/* An address based on rSP uses rSP after the increment. */
enum emulate_result exec_pop_rm(struct emulate *e, const struct insn *i)
{
	uint64_t sp = e->gpr[EMULATE_RSP], v;
	struct insn after = *i;

	TRY(pop_at(e, &sp, i->opsize, &v));
	if (!is_memory(i)) {
		e->gpr[EMULATE_RSP] = sp;
		write_gpr(e, i->rm, i->opsize, v);
		return finish(e, i);
	}
	if (i->base == EMULATE_RSP)
		after.disp += sp - e->gpr[EMULATE_RSP];
	TRY(rm_write(e, &after, i->opsize, v));
	e->gpr[EMULATE_RSP] = sp;
	return finish(e, i);
}

enum emulate_result exec_pop_seg(struct emulate *e, const struct insn *i)
{
	uint64_t sp = e->gpr[EMULATE_RSP], v, mask = size_mask(stack_size(e)), linear;
	struct emulate_segment s;

	/* Only 16 bits are read. */
	TRY(linear_address(e, EMULATE_SS, sp & mask, 2, 0, &linear));
	TRY(read_value(e, linear, 2, 0, &v));
	sp = (sp & ~mask) | ((sp + i->opsize) & mask);
	TRY(prepare_segment(e, i->sub, v, &s));
	commit_segment(e, i->sub, &s);
	e->gpr[EMULATE_RSP] = sp;
	finish(e, i);
	if (i->sub == EMULATE_SS)
		e->shadow = SHADOW_MOV_SS;
	return EMULATE_OK;
}

enum emulate_result exec_pusha(struct emulate *e, const struct insn *i)
{
	uint64_t sp = e->gpr[EMULATE_RSP];

	for (unsigned n = 0; n < 8; n++)
		TRY(push_probe(e, &sp, i->opsize));
	sp = e->gpr[EMULATE_RSP];
	for (unsigned n = 0; n < 8; n++)
		TRY(push_at(e, &sp, i->opsize, e->gpr[n]));
	e->gpr[EMULATE_RSP] = sp;
	return finish(e, i);
}

/* The stored rSP is skipped. */
enum emulate_result exec_popa(struct emulate *e, const struct insn *i)
{
	uint64_t sp = e->gpr[EMULATE_RSP], v[8];

	for (unsigned n = 8; n-- > 0;)
		TRY(pop_at(e, &sp, i->opsize, &v[n]));
	for (unsigned n = 0; n < 8; n++) {
		if (n != EMULATE_RSP)
			write_gpr(e, n, i->opsize, v[n]);
	}
	e->gpr[EMULATE_RSP] = sp;
	return finish(e, i);
}

/* PUSHF and POPF in virtual-8086 mode: allowed by IOPL 3 only, else #GP(0) (SDM, PUSHF, POPF:
 * "Virtual-8086 Mode Exceptions"); the virtual interrupt flag is not known here. */
static enum emulate_result check_flags_access(struct emulate *e)
{
	if (e->mode != EMULATE_V86 || (e->rflags & RFLAGS_IOPL) == RFLAGS_IOPL)
		return EMULATE_OK;
	return (e->cr4 & CR4_VME) ? EMULATE_UNKNOWN : raise_error(e, VECTOR_GP, 0);
}

enum emulate_result exec_pushf(struct emulate *e, const struct insn *i)
{
	TRY(check_flags_access(e));
	/* SDM: "PUSHF". */
	return push(e, i, e->rflags & ~(uint64_t)(RFLAGS_VM | RFLAGS_RF));
}

/* SDM: "POPF", table of effects. */
void take_popped_flags(struct emulate *e, const struct insn *i, uint64_t v)
{
	uint64_t which = RFLAGS_STATUS | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC | RFLAGS_ID;

	if (e->cpl == 0)
		which |= RFLAGS_IOPL;
	if (e->cpl <= (e->rflags & RFLAGS_IOPL) >> RFLAGS_IOPL_SHIFT)
		which |= RFLAGS_IF;
	if (i->opsize == 2)
		which &= 0xffff;
	set_flags(e, which, v);
}

enum emulate_result exec_popf(struct emulate *e, const struct insn *i)
{
	uint64_t sp = e->gpr[EMULATE_RSP], v;

	TRY(check_flags_access(e));
	TRY(pop_at(e, &sp, i->opsize, &v));
	take_popped_flags(e, i, v);
	e->gpr[EMULATE_RSP] = sp;
	return finish(e, i);
}

/* The frame pointers that ENTER copies: `level` - 1 from the old frame, then the new frame's own. Without `write`, the
 * pushes are only tried. */
static enum emulate_result enter_frames(struct emulate *e, const struct insn *i, uint64_t *sp, uint64_t frame,
					unsigned level, bool write)
{
	uint64_t bp = e->gpr[EMULATE_RBP], mask = size_mask(stack_size(e)), linear, v;

	for (unsigned n = 1; n < level; n++) {
		bp -= i->opsize;
		TRY(linear_address(e, EMULATE_SS, bp & mask, i->opsize, 0, &linear));
		TRY(read_value(e, linear, i->opsize, 0, &v));
		TRY(write ? push_at(e, sp, i->opsize, v) : push_probe(e, sp, i->opsize));
	}
	if (level)
		TRY(write ? push_at(e, sp, i->opsize, frame) : push_probe(e, sp, i->opsize));
	return EMULATE_OK;
}

/* The last word of the new frame must be writable too. SDM: "ENTER". */
enum emulate_result exec_enter(struct emulate *e, const struct insn *i)
{
	unsigned level = (i->imm >> 16) & 31; /* modulo 32, as the CPU takes it */
	uint64_t sp = e->gpr[EMULATE_RSP], mask = size_mask(stack_size(e)), frame, linear;

	TRY(push_probe(e, &sp, i->opsize));
	frame = sp;
	TRY(enter_frames(e, i, &sp, frame, level, false));
	sp = (sp & ~mask) | ((sp - (i->imm & 0xffff)) & mask);
	TRY(linear_address(e, EMULATE_SS, sp & mask, i->opsize, EMULATE_HOW_WRITE, &linear));
	TRY(mem_probe(e, linear, i->opsize, EMULATE_HOW_WRITE));

	sp = e->gpr[EMULATE_RSP];
	TRY(push_at(e, &sp, i->opsize, e->gpr[EMULATE_RBP]));
	TRY(enter_frames(e, i, &sp, frame, level, true));
	write_gpr(e, EMULATE_RBP, i->opsize, frame);
	e->gpr[EMULATE_RSP] = (sp & ~mask) | ((sp - (i->imm & 0xffff)) & mask);
	return finish(e, i);
}

enum emulate_result exec_leave(struct emulate *e, const struct insn *i)
{
	uint64_t mask = size_mask(stack_size(e)), v;
	uint64_t sp = (e->gpr[EMULATE_RSP] & ~mask) | (e->gpr[EMULATE_RBP] & mask);

	TRY(pop_at(e, &sp, i->opsize, &v));
	e->gpr[EMULATE_RSP] = sp;
	write_gpr(e, EMULATE_RBP, i->opsize, v);
	return finish(e, i);
}
