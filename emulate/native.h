/* emulate/native.h - private to emulate/: instructions that the host's CPU carries out (EM6).
 *
 * x87, MMX, SSE and AVX, and BMI and its like, are not computed here: an instruction is encoded anew so that its memory
 * operand is a buffer and its general registers are rAX, rCX, rDX and rBX, and ops->native runs it, with the guest's
 * FPU and vector registers, which are in the CPU. So every result, flag and exception is the CPU's own. What is done
 * here is everything around it: whether the unit is on, address, segment and alignment checks, the accesses themselves,
 * and what the guest sees of addresses. */
#ifndef VELLUM_EMULATE_NATIVE_H
#define VELLUM_EMULATE_NATIVE_H

#include "emulate/internal.h"

static inline unsigned native_opcode(const struct insn *i)
{
	return (i->imm >> 8) & 0xff;
}

static inline unsigned native_map(const struct insn *i)
{
	return (i->imm >> 16) & 0xff;
}

/* INSN_N_* */
static inline unsigned native_bits(const struct insn *i)
{
	return (i->imm >> 24) & 0x3ff;
}

/* native.c: encode i into *n; its r/m operand is memory at (%rdi) if `memory`, else a register of the vector unit. */
void native_encode(const struct emulate *e, const struct insn *i, bool memory, struct emulate_native *n);
/* Run it. Errors: what the CPU raised, as the guest must see it. */
enum emulate_result native_run(struct emulate *e, struct emulate_native *n);
/* Run n bytes of code that are no instruction of the guest's, with (%rdi) at operand. */
enum emulate_result native_bytes(struct emulate *e, const uint8_t *code, unsigned n, void *operand);
#define NATIVE_BYTES(e, operand, ...) \
	native_bytes(e, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), operand)

/* Vector register v: its low 16, or 32 bytes, to or from buf. A store of 16 bytes clears the rest of the register. */
enum emulate_result native_get_vector(struct emulate *e, unsigned v, bool wide, uint8_t *buf);
enum emulate_result native_set_vector(struct emulate *e, unsigned v, bool wide, const uint8_t *buf);

/* exec_native.c: is the unit that i needs there and on? SDM, "Intel AVX and Intel SSE Instruction Exception
 * Classification". */
enum emulate_result check_vector_unit(struct emulate *e, const struct insn *i);
/* The x87 unit, for WAIT and all others; and an exception that the FPU has kept for the next instruction. */
enum emulate_result check_x87(struct emulate *e);
enum emulate_result check_x87_pending(struct emulate *e);

/* memory.c: accesses of any size, in pieces of at most 16 bytes; a write must have been probed. */
enum emulate_result mem_read_long(struct emulate *e, uint64_t linear, void *buf, unsigned size);
enum emulate_result mem_write_long(struct emulate *e, uint64_t linear, const void *buf, unsigned size);
enum emulate_result mem_probe_long(struct emulate *e, uint64_t linear, unsigned size, unsigned how);

#endif
