/* emulate/exec/exec_return.c - far returns and IRET: in real and virtual-8086 mode, and in protected and IA-32e mode to
 * the same or an outer level, and IRET to virtual-8086 mode. Returns to another task are EMULATE_UNKNOWN. SDM: "RET",
 * "IRET/IRETD". */
#include "emulate/descriptor.h"

/* What is popped, and what it becomes. `stack`: SS and rSP are a part of it. */
struct frame {
	uint64_t offset, cs, flags, sp, ss;
	unsigned cpl;
	bool stack;
	struct emulate_segment code, stack_segment;
};

/* The checks of a segment are those of the level that it is for (SDM, RET, IRET: "Protected Mode Exceptions" and
 * "64-Bit Mode Exceptions"). */
static enum emulate_result prepare_at_level(struct emulate *e, struct frame *f)
{
	unsigned cpl = e->cpl;
	enum emulate_result result;
	bool to_long64;

	e->cpl = f->cpl;
	result = prepare_code_segment(e, f->cs, true, &f->code);
	to_long64 = is_ia32e(e) && (f->code.access & SEGMENT_L);
	if (result == EMULATE_OK && f->stack) {
		/* Null is for 64-bit code of the levels 0 to 2 alone, with the level as its RPL. */
		if (!(f->ss & (SELECTOR_INDEX | SELECTOR_TI)) &&
		    (!to_long64 || f->cpl == 3 || (f->ss & SELECTOR_RPL) != f->cpl))
			result = raise_error(e, VECTOR_GP, 0);
		else
			result = prepare_segment(e, EMULATE_SS, f->ss, &f->stack_segment);
	}
	e->cpl = cpl;
	return result;
}

/* The level that the popped CS names: none that is more privileged, else #GP(selector) (SDM, RET, IRET: "Protected Mode
 * Exceptions"). */
static enum emulate_result find_level(struct emulate *e, struct frame *f)
{
	f->cpl = is_real_like(e) ? e->cpl : f->cs & SELECTOR_RPL;
	return f->cpl < e->cpl ? raise_error(e, VECTOR_GP, f->cs & (SELECTOR_INDEX | SELECTOR_TI)) : EMULATE_OK;
}

/* An outer level must not find segments of an inner one in the data segment registers. */
static void drop_segments(struct emulate *e)
{
	static const uint8_t registers[] = { EMULATE_ES, EMULATE_DS, EMULATE_FS, EMULATE_GS };

	for (unsigned n = 0; n < ARRAY_SIZE(registers); n++) {
		struct emulate_segment s = *segment(e, registers[n]);

		if ((s.access & SEGMENT_UNUSABLE) || access_conforming_code(s.access) || access_dpl(s.access) >= e->cpl)
			continue;
		s.selector = 0;
		s.access = SEGMENT_UNUSABLE;
		commit_segment(e, registers[n], &s);
	}
}

/* sp: the stack pointer where the stack stays. */
static void commit(struct emulate *e, const struct frame *f, uint64_t sp)
{
	bool outer = f->cpl > e->cpl;
	uint64_t mask;

	e->cpl = f->cpl;
	commit_segment(e, EMULATE_CS, &f->code);
	if (f->stack) {
		commit_segment(e, EMULATE_SS, &f->stack_segment);
		mask = size_mask(stack_size(e));
		sp = (e->gpr[EMULATE_RSP] & ~mask) | (f->sp & mask);
	}
	e->gpr[EMULATE_RSP] = sp;
	if (outer)
		drop_segments(e);
	arrive(e, f->offset);
}

enum emulate_result exec_ret_far(struct emulate *e, const struct insn *i)
{
	uint64_t sp = e->gpr[EMULATE_RSP];
	struct frame f = { 0 };

	TRY(pop_at(e, &sp, i->opsize, &f.offset));
	TRY(pop_at(e, &sp, i->opsize, &f.cs));
	TRY(find_level(e, &f));
	sp = release(e, sp, i->imm);
	f.stack = f.cpl > e->cpl;
	if (f.stack) {
		TRY(pop_at(e, &sp, i->opsize, &f.sp));
		TRY(pop_at(e, &sp, i->opsize, &f.ss));
		f.sp += i->imm;
	}
	TRY(prepare_at_level(e, &f));
	TRY(check_far(e, &f.code, f.offset));
	commit(e, &f, sp);
	return EMULATE_OK;
}

/* SDM: "IRET", what may change at which level. */
static uint64_t flags_that_change(const struct emulate *e, unsigned opsize)
{
	uint64_t which = RFLAGS_STATUS | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_RF | RFLAGS_AC | RFLAGS_ID;

	if (e->cpl == 0)
		which |= RFLAGS_IOPL | (is_real(e) ? 0 : RFLAGS_VIF | RFLAGS_VIP);
	if (e->cpl <= (e->rflags & RFLAGS_IOPL) >> RFLAGS_IOPL_SHIFT)
		which |= RFLAGS_IF;
	return opsize == 2 ? which & 0xffff : which;
}

/* SDM: "IRET", RETURN-TO-VIRTUAL-8086-MODE. The rest of the stack: ESP, SS, ES, DS, FS, GS. */
static enum emulate_result return_to_v86(struct emulate *e, uint64_t sp, const struct frame *f)
{
	static const uint8_t order[] = { EMULATE_SS, EMULATE_ES, EMULATE_DS, EMULATE_FS, EMULATE_GS };
	const uint64_t which = flags_that_change(e, 4) | RFLAGS_VM;
	uint64_t esp, selector[ARRAY_SIZE(order)];

	TRY(pop_at(e, &sp, 4, &esp));
	for (unsigned n = 0; n < ARRAY_SIZE(order); n++)
		TRY(pop_at(e, &sp, 4, &selector[n]));
	if (f->offset > 0xffff)
		return raise_error(e, VECTOR_GP, 0);
	e->mode = EMULATE_V86;
	e->cpl = 3;
	commit_v86_segment(e, EMULATE_CS, (uint16_t)f->cs);
	for (unsigned n = 0; n < ARRAY_SIZE(order); n++)
		commit_v86_segment(e, order[n], (uint16_t)selector[n]);
	e->gpr[EMULATE_RSP] = (uint32_t)esp;
	arrive(e, f->offset);
	set_flags(e, which, f->flags);
	return EMULATE_OK;
}

static bool goes_to_v86(const struct emulate *e, const struct insn *i, const struct frame *f)
{
	return !is_real_like(e) && !is_ia32e(e) && (f->flags & RFLAGS_VM) && i->opsize == 4 && e->cpl == 0;
}

static enum emulate_result pop_frame(struct emulate *e, const struct insn *i, uint64_t *sp, struct frame *f)
{
	TRY(pop_at(e, sp, i->opsize, &f->offset));
	TRY(pop_at(e, sp, i->opsize, &f->cs));
	TRY(pop_at(e, sp, i->opsize, &f->flags));
	f->cs &= 0xffff;
	if (goes_to_v86(e, i, f))
		return EMULATE_OK;
	TRY(find_level(e, f));
	f->stack = is_long64(e) || f->cpl > e->cpl;
	if (!f->stack)
		return EMULATE_OK;
	TRY(pop_at(e, sp, i->opsize, &f->sp));
	return pop_at(e, sp, i->opsize, &f->ss);
}

/* In virtual-8086 mode for IOPL 3 only, else #GP(0), if VME does not help (SDM, IRET: "Virtual-8086 Mode
 * Exceptions"). */
enum emulate_result exec_iret(struct emulate *e, const struct insn *i)
{
	uint64_t sp = e->gpr[EMULATE_RSP], which = flags_that_change(e, i->opsize);
	struct frame f = { 0 };

	if (e->mode == EMULATE_V86 && (e->rflags & RFLAGS_IOPL) != RFLAGS_IOPL)
		return (e->cr4 & CR4_VME) ? EMULATE_UNKNOWN : raise_error(e, VECTOR_GP, 0);
	/* NT: back to the task that the TSS links to, which IA-32e mode has not (SDM, "Task Management in 64-bit
	 * Mode"). */
	if (!is_real_like(e) && (e->rflags & RFLAGS_NT))
		return is_ia32e(e) ? raise_error(e, VECTOR_GP, 0) : EMULATE_UNKNOWN;
	TRY(pop_frame(e, i, &sp, &f));
	if (goes_to_v86(e, i, &f)) {
		TRY(return_to_v86(e, sp, &f));
		e->unblocks_nmi = true;
		return EMULATE_OK;
	}
	TRY(prepare_at_level(e, &f));
	TRY(check_far(e, &f.code, f.offset));
	commit(e, &f, sp);
	set_flags(e, which, f.flags);
	e->unblocks_nmi = true;
	return EMULATE_OK;
}
