/* emulate/exec/exec_native.c - what surrounds an instruction that the host's CPU carries out: checks, the memory
 * operand, general registers. The accesses are made before it (loads), or tried before and made after it (stores), so
 * that a fault leaves every register as it was (EM2, EM3). */
#include "emulate/native.h"

/* CR0.EM and CR0.TS are checked here, for the host runs with neither (CVE-2016-7777): #NM (SDM, "Interrupt 7 - Device
 * Not Available Exception (#NM)"). */
enum emulate_result check_x87(struct emulate *e)
{
	return (e->cr0 & (CR0_EM | CR0_TS)) ? raise(e, VECTOR_NM) : EMULATE_OK;
}

enum emulate_result check_x87_pending(struct emulate *e)
{
	return NATIVE_BYTES(e, NULL, 0x9b);
}

/* SDM, "Intel AVX and Intel SSE Instruction Exception Classification": with VEX #UD without CR4.OSXSAVE, or without SSE
 * and AVX in XCR0; else #UD with CR0.EM, or without CR4.OSFXSR, which MMX does not need ("Exception Conditions of
 * Legacy SIMD Instructions Operating on MMX Registers"). #NM with CR0.TS. */
enum emulate_result check_vector_unit(struct emulate *e, const struct insn *i)
{
	if (native_bits(i) & INSN_N_GENERAL)
		return EMULATE_OK;
	if (i->flags & INSN_F_VEX) {
		if (!(e->cr4 & CR4_OSXSAVE) || (e->xcr0 & (XCR0_SSE | XCR0_AVX)) != (XCR0_SSE | XCR0_AVX))
			return raise(e, VECTOR_UD);
	} else if ((e->cr0 & CR0_EM) || (!(native_bits(i) & INSN_N_MMX) && !(e->cr4 & CR4_OSFXSR))) {
		return raise(e, VECTOR_UD);
	}
	return (e->cr0 & CR0_TS) ? raise(e, VECTOR_NM) : EMULATE_OK;
}

static unsigned operand_size(const struct insn *i)
{
	unsigned vl = (i->flags & INSN_F_VEXL) ? 32 : 16;

	switch (i->sub) {
	case NATIVE_VL:
		return vl;
	case NATIVE_VL_2:
		return vl / 2;
	case NATIVE_VL_4:
		return vl / 4;
	case NATIVE_VL_8:
		return vl / 8;
	case NATIVE_OP:
		return i->opsize;
	case NATIVE_W:
		return (i->rex & REX_W) ? 8 : 4;
	case NATIVE_DUP:
		return vl == 32 ? 32 : 8;
	default:
		return i->sub;
	}
}

/* SDM, "Intel AVX and Intel SSE Instruction Exception Classification": types 1 and 4 are for memory that must be
 * aligned. */
static enum emulate_result check_operand_alignment(struct emulate *e, const struct insn *i, uint64_t linear,
						   unsigned size)
{
	unsigned bits = native_bits(i);
	bool demanded = (bits & INSN_N_ALIGN_VEX) || ((bits & INSN_N_ALIGN) && !(i->flags & INSN_F_VEX));

	return demanded && (linear & (size - 1)) ? raise_error(e, VECTOR_GP, 0) : EMULATE_OK;
}

/* Does it use the x87 registers, so that a kept exception comes first? MMX, and conversions to MMX registers. */
static bool uses_mmx(const struct insn *i)
{
	unsigned opcode = native_opcode(i);
	bool scalar = i->flags & (INSN_F_REP | INSN_F_REPNE), converts = opcode == 0x2c || opcode == 0x2d;

	return (native_bits(i) & INSN_N_MMX) || (native_map(i) == 1 && converts && !scalar);
}

/* The memory operand: where it is, and for a load what it holds. */
static enum emulate_result before(struct emulate *e, const struct insn *i, unsigned size, uint64_t *linear,
				  uint8_t *buf)
{
	unsigned how = (native_bits(i) & INSN_N_STORE) ? EMULATE_HOW_WRITE : 0;

	if (!size)
		return EMULATE_OK; /* the CPU knows no such instruction */
	if (uses_mmx(i))
		TRY(check_x87_pending(e));
	TRY(rm_linear(e, i, size, how, linear));
	TRY(check_operand_alignment(e, i, *linear, size));
	return how ? mem_probe(e, *linear, size, how) : mem_read(e, *linear, buf, size, 0);
}

/* VPEXTRQ and VPINSRQ exist in 64-bit mode only; of others VEX.W does not count elsewhere. */
static bool is_64bit_only(const struct insn *i)
{
	return native_map(i) == 3 && (native_opcode(i) == 0x16 || native_opcode(i) == 0x22) && (i->rex & REX_W);
}

static void load_registers(const struct emulate *e, const struct insn *i, struct emulate_native *n)
{
	unsigned bits = native_bits(i);

	if (bits & INSN_N_IMPLICIT) {
		n->rax = e->gpr[EMULATE_RAX];
		n->rcx = e->gpr[EMULATE_RCX];
		n->rdx = e->gpr[EMULATE_RDX];
	}
	if (bits & INSN_N_REG)
		n->rax = e->gpr[i->reg];
	if (bits & INSN_N_VVVV)
		n->rcx = e->gpr[i->vvvv];
}

/* Back where they came from; modrm.reg last: MULX with one register for both results keeps the high half. */
static void store_registers(struct emulate *e, const struct insn *i, const struct emulate_native *n)
{
	unsigned bits = native_bits(i);

	if (bits & INSN_N_VVVV)
		e->gpr[i->vvvv] = n->rcx;
	else if (bits & INSN_N_IMPLICIT)
		e->gpr[EMULATE_RCX] = n->rcx;
	if ((bits & (INSN_N_REG | INSN_N_STORE)) == INSN_N_REG)
		e->gpr[i->reg] = n->rax;
	set_flags(e, RFLAGS_STATUS, n->rflags);
}

/* VZEROUPPER, VZEROALL (VEX.L) outside 64-bit mode, where they reach registers 0 to 7 only.
 * VEX.vvvv must name none, else #UD (SDM, VZEROALL, VZEROUPPER). */
static enum emulate_result zero_low_registers(struct emulate *e, const struct insn *i)
{
	uint8_t low[16] = { 0 };

	if (i->vvvv)
		return raise(e, VECTOR_UD);
	for (unsigned n = 0; n < 8; n++) {
		if (!(i->flags & INSN_F_VEXL))
			TRY(native_get_vector(e, n, false, low));
		TRY(native_set_vector(e, n, false, low));
	}
	return finish(e, i);
}

/* r/m is memory, or a general register that stands in for it. What there is in 64-bit mode only is #UD elsewhere (SDM,
 * "64/32-bit Mode Column in the Instruction Summary Table"). */
enum emulate_result exec_native(struct emulate *e, const struct insn *i)
{
	uint8_t buf[64] __attribute__((aligned(64))) = { 0 };
	bool general = !is_memory(i) && (native_bits(i) & INSN_N_RM), store = native_bits(i) & INSN_N_STORE;
	unsigned size = operand_size(i);
	struct emulate_native n;
	uint64_t linear = 0, v;

	TRY(check_vector_unit(e, i));
	if (!is_long64(e) && is_64bit_only(i))
		return raise(e, VECTOR_UD);
	if (unlikely(native_map(i) == 1 && native_opcode(i) == 0x77 && (i->flags & INSN_F_VEX) && !is_long64(e)))
		return zero_low_registers(e, i);
	if (is_memory(i)) {
		TRY(before(e, i, size, &linear, buf));
	} else if (general) {
		v = (native_bits(i) & INSN_N_GENERAL) ? read_reg(e, i, i->rm, size) : e->gpr[i->rm];
		memcpy(buf, &v, 8);
	}
	native_encode(e, i, is_memory(i) || general, &n);
	n.operand = buf;
	load_registers(e, i, &n);
	if (general && store)
		memset(buf, 0, 8);
	TRY(native_run(e, &n));
	if (is_memory(i) && store)
		TRY(mem_write(e, linear, buf, size, 0));
	store_registers(e, i, &n);
	if (general && store) {
		memcpy(&v, buf, 8);
		write_gpr(e, i->rm, i->opsize == 8 ? 8 : 4, v);
	}
	return finish(e, i);
}

/* CLFLUSH and its kin: a byte is looked for, as by a read; memory is coherent without them. */
enum emulate_result exec_clflush(struct emulate *e, const struct insn *i)
{
	uint64_t linear;

	TRY(rm_linear(e, i, 1, 0, &linear));
	TRY(mem_probe(e, linear, 1, 0));
	return finish(e, i);
}
