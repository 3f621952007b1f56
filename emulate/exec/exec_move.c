/* emulate/exec/exec_move.c - data movement: MOV and its kin, exchanges, conversions, single flags. */
#include "emulate/internal.h"

/* The two that MMIO is mostly made of do without rm_read() and rm_write(), and are inlined to the last bit. */
enum emulate_result exec_mov_store(struct emulate *e, const struct insn *i)
{
	/* Above the operand's size v may be anything. */
	uint64_t v = e->gpr[i->reg], linear;

	if (unlikely(is_high_byte(i, i->reg, i->opsize)))
		v = e->gpr[i->reg - 4] >> 8;
	if (unlikely(!is_memory(i))) {
		write_reg(e, i, i->rm, i->opsize, v);
		return finish(e, i);
	}
	TRY(rm_linear(e, i, i->opsize, EMULATE_HOW_WRITE, &linear));
	TRY(write_value(e, linear, i->opsize, v));
	return finish(e, i);
}

enum emulate_result exec_mov_load(struct emulate *e, const struct insn *i)
{
	uint64_t linear, v;

	if (unlikely(!is_memory(i))) {
		v = read_reg(e, i, i->rm, i->opsize);
	} else {
		TRY(rm_linear(e, i, i->opsize, 0, &linear));
		TRY(read_value(e, linear, i->opsize, 0, &v));
	}
	write_reg(e, i, i->reg, i->opsize, v);
	return finish(e, i);
}

enum emulate_result exec_mov_rm_imm(struct emulate *e, const struct insn *i)
{
	TRY(rm_write(e, i, i->opsize, i->imm));
	return finish(e, i);
}

enum emulate_result exec_mov_r_imm(struct emulate *e, const struct insn *i)
{
	write_reg(e, i, i->reg, i->opsize, i->imm);
	return finish(e, i);
}

enum emulate_result exec_movzx(struct emulate *e, const struct insn *i)
{
	uint64_t linear, v;

	TRY(rm_read(e, i, i->sub, 0, &linear, &v));
	write_gpr(e, i->reg, i->opsize, v);
	return finish(e, i);
}

/* Also MOVSXD, whose source is no wider than its destination. */
enum emulate_result exec_movsx(struct emulate *e, const struct insn *i)
{
	unsigned size = i->sub < i->opsize ? i->sub : i->opsize;
	uint64_t linear, v;

	TRY(rm_read(e, i, size, 0, &linear, &v));
	write_gpr(e, i->reg, i->opsize, sign_extend(v, size));
	return finish(e, i);
}

/* MOVNTI: 4 or 8 bytes; the non-temporal hint is lost. */
enum emulate_result exec_movnti(struct emulate *e, const struct insn *i)
{
	TRY(rm_write(e, i, i->opsize == 8 ? 8 : 4, e->gpr[i->reg]));
	return finish(e, i);
}

/* SDM, "MOVBE": #UD where CPUID has it not. */
enum emulate_result exec_movbe_load(struct emulate *e, const struct insn *i)
{
	uint64_t linear, v;

	if (!(e->features & EMULATE_HAS_MOVBE))
		return raise(e, VECTOR_UD);
	TRY(rm_read(e, i, i->opsize, 0, &linear, &v));
	write_gpr(e, i->reg, i->opsize, byte_swap(v, i->opsize));
	return finish(e, i);
}

/* #UD where CPUID does not have it (SDM, MOVBE: "Protected Mode Exceptions"). */
enum emulate_result exec_movbe_store(struct emulate *e, const struct insn *i)
{
	if (!(e->features & EMULATE_HAS_MOVBE))
		return raise(e, VECTOR_UD);
	TRY(rm_write(e, i, i->opsize, byte_swap(e->gpr[i->reg], i->opsize)));
	return finish(e, i);
}

enum emulate_result exec_lea(struct emulate *e, const struct insn *i)
{
	write_gpr(e, i->reg, i->opsize, insn_offset(e, i));
	return finish(e, i);
}

/* With memory, locked with or without the prefix. */
enum emulate_result exec_xchg(struct emulate *e, const struct insn *i)
{
	uint64_t linear, v, reg = read_reg(e, i, i->reg, i->opsize);

	if (is_memory(i)) {
		TRY(rm_linear(e, i, i->opsize, EMULATE_HOW_WRITE, &linear));
		TRY(read_value(e, linear, i->opsize, EMULATE_HOW_WRITE | EMULATE_HOW_LOCKED, &v));
		TRY(write_locked(e, linear, &v, &reg, i->opsize));
	} else {
		v = read_reg(e, i, i->rm, i->opsize);
		write_reg(e, i, i->rm, i->opsize, reg);
	}
	write_reg(e, i, i->reg, i->opsize, v);
	return finish(e, i);
}

/* BSWAP of 16 bits is undefined; CPUs clear the register's low word. */
enum emulate_result exec_bswap(struct emulate *e, const struct insn *i)
{
	write_gpr(e, i->reg, i->opsize, i->opsize == 2 ? 0 : byte_swap(e->gpr[i->reg], i->opsize));
	return finish(e, i);
}

/* The source is read, and may fault, even if the condition does not hold; a 32-bit destination is zero-extended too. */
enum emulate_result exec_cmov(struct emulate *e, const struct insn *i)
{
	uint64_t linear, v;

	TRY(rm_read(e, i, i->opsize, 0, &linear, &v));
	if (!condition(e->rflags, i->sub))
		v = e->gpr[i->reg];
	write_gpr(e, i->reg, i->opsize, v);
	return finish(e, i);
}

enum emulate_result exec_setcc(struct emulate *e, const struct insn *i)
{
	TRY(rm_write(e, i, 1, condition(e->rflags, i->sub)));
	return finish(e, i);
}

/* CBW, CWDE, CDQE */
enum emulate_result exec_cbw(struct emulate *e, const struct insn *i)
{
	write_gpr(e, EMULATE_RAX, i->opsize, sign_extend(e->gpr[EMULATE_RAX], i->opsize / 2));
	return finish(e, i);
}

/* CWD, CDQ, CQO */
enum emulate_result exec_cwd(struct emulate *e, const struct insn *i)
{
	write_gpr(e, EMULATE_RDX, i->opsize, (e->gpr[EMULATE_RAX] & size_sign(i->opsize)) ? ~0ull : 0);
	return finish(e, i);
}

enum emulate_result exec_xlat(struct emulate *e, const struct insn *i)
{
	uint64_t offset = (e->gpr[EMULATE_RBX] + (e->gpr[EMULATE_RAX] & 0xff)) & size_mask(i->adsize), linear, v;

	TRY(linear_address(e, i->seg, offset, 1, 0, &linear));
	TRY(read_value(e, linear, 1, 0, &v));
	write_gpr(e, EMULATE_RAX, 1, v);
	return finish(e, i);
}

#define FLAGS_AH (RFLAGS_SF | RFLAGS_ZF | RFLAGS_AF | RFLAGS_PF | RFLAGS_CF)

enum emulate_result exec_lahf(struct emulate *e, const struct insn *i)
{
	uint64_t ah = (e->rflags & FLAGS_AH) | RFLAGS_FIXED;

	e->gpr[EMULATE_RAX] = (e->gpr[EMULATE_RAX] & ~0xff00ull) | (ah << 8);
	return finish(e, i);
}

enum emulate_result exec_sahf(struct emulate *e, const struct insn *i)
{
	set_flags(e, FLAGS_AH, e->gpr[EMULATE_RAX] >> 8);
	return finish(e, i);
}

/* CMC, CLC, STC, CLD, STD */
enum emulate_result exec_flag(struct emulate *e, const struct insn *i)
{
	switch (i->sub) {
	case 0xf5:
		e->rflags ^= RFLAGS_CF;
		break;
	case 0xf8:
	case 0xf9:
		set_flags(e, RFLAGS_CF, (i->sub & 1) ? RFLAGS_CF : 0);
		break;
	default:
		set_flags(e, RFLAGS_DF, (i->sub & 1) ? RFLAGS_DF : 0);
		break;
	}
	return finish(e, i);
}

/* SALC: AL = CF ? FF : 0. */
enum emulate_result exec_salc(struct emulate *e, const struct insn *i)
{
	write_gpr(e, EMULATE_RAX, 1, (e->rflags & RFLAGS_CF) ? 0xff : 0);
	return finish(e, i);
}

enum emulate_result exec_nop(struct emulate *e, const struct insn *i)
{
	return finish(e, i);
}
