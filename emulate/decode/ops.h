/* emulate/decode/ops.h - private to emulate/: the list of what instructions are decoded to, and the rows of the opcode
 * tables.
 *
 * A row of a table names the handler (op), what it has to know of the opcode (sub), and how the rest of the instruction
 * is laid out (how). Rows OP_group and OP_prefix lead to a further table, picked by modrm or by the mandatory
 * prefix. */
#ifndef VELLUM_EMULATE_OPS_H
#define VELLUM_EMULATE_OPS_H

#include "emulate/emulate.h"

/* Each name is OP_name for the decoder and exec_name() for the executor. */
#define INSN_OPS(X) \
	/* exec_move.c */ \
	X(mov_store) X(mov_load) X(mov_rm_imm) X(mov_r_imm) X(movzx) X(movsx) X(movbe_load) X(movbe_store) X(lea) \
	X(xchg) X(movnti) X(bswap) X(cmov) X(setcc) X(cbw) X(cwd) X(xlat) X(lahf) X(sahf) X(flag) X(cli_sti) X(salc) \
	X(nop) \
	/* exec_alu.c */ \
	X(alu_rm_r) X(alu_r_rm) X(alu_rm_imm) X(test_rm_r) X(test_rm_imm) X(not) X(neg) X(incdec) X(xadd) X(cmpxchg) \
	X(cmpxchg8b) \
	/* exec_muldiv.c */ \
	X(mul) X(imul) X(div) X(idiv) X(imul_r_rm) X(imul_r_rm_imm) X(daa) X(das) X(aaa) X(aas) X(aam) X(aad) \
	/* exec_shift.c */ \
	X(shift_imm) X(shift_one) X(shift_cl) X(shld_imm) X(shld_cl) X(shrd_imm) X(shrd_cl) \
	/* exec_bit.c */ \
	X(bt_r) X(bt_imm) X(bsf) X(bsr) X(popcnt) \
	/* exec_stack.c */ \
	X(push_r) X(push_rm) X(push_imm) X(push_seg) X(pop_r) X(pop_rm) X(pop_seg) X(pusha) X(popa) X(pushf) X(popf) \
	X(enter) X(leave) \
	/* exec_string.c */ \
	X(movs) X(stos) X(lods) X(cmps) X(scas) X(ins) X(outs) \
	/* exec_native.c, exec_x87.c, exec_fxsave.c, exec_xsave.c, exec_masked.c */ \
	X(native) X(x87) X(fwait) X(fxsave) X(fxrstor) X(xsave) X(xrstor) X(vmaskmov) X(maskmov) X(gather) X(clflush) \
	/* exec_control.c */ \
	X(jcc) X(jmp_rel) X(jmp_rm) X(call_rel) X(call_rm) X(ret) X(loop) X(jcxz) X(int) X(int3) X(int1) X(into) \
	X(hlt) X(bound) \
	/* exec_far.c, exec_return.c */ \
	X(jmp_far) X(call_far) X(jmp_far_mem) X(call_far_mem) X(ret_far) X(iret) \
	/* exec_segment.c */ \
	X(mov_from_seg) X(mov_to_seg) X(load_far_pointer) \
	/* exec_descriptor.c */ \
	X(arpl) X(lar) X(lsl) X(verify) X(store_selector) X(load_selector) \
	/* exec_system.c */ \
	X(in_imm) X(in_dx) X(out_imm) X(out_dx) X(mov_from_cr) X(mov_to_cr) X(mov_from_dr) X(mov_to_dr) X(rdmsr) \
	X(wrmsr) X(store_dtr) X(load_dtr) X(smsw) X(lmsw) X(invlpg) X(clts) X(cpuid) X(rdtsc) X(rdtscp) X(xgetbv) \
	X(wbinvd)

enum insn_op {
	OP_unknown, /* zero, so that holes in the tables are unknown */
	OP_ud,
	OP_group,
	OP_group_0f01,
	OP_group_0fae,
	OP_prefix,
#define INSN_OP_ENUM(name) OP_##name,
	INSN_OPS(INSN_OP_ENUM)
#undef INSN_OP_ENUM
	OP_COUNT
};

#define INSN_OP_HANDLER(name) enum emulate_result exec_##name(struct emulate *e, const struct insn *i);
INSN_OPS(INSN_OP_HANDLER)
#undef INSN_OP_HANDLER

/* Bits of `how`. */
#define H_MODRM (1u << 0)
#define H_DIR (1u << 1)    /* reg is the destination */
#define H_BYTE (1u << 2)   /* operands are bytes */
#define H_D64 (1u << 3)    /* 64-bit mode: 8 bytes unless 66 */
#define H_F64 (1u << 4)    /* 64-bit mode: always 8 bytes */
#define H_NO64 (1u << 5)   /* #UD in 64-bit mode */
#define H_LOCK (1u << 6)   /* LOCK is legal if the r/m operand is memory */
#define H_MEM (1u << 7)    /* mod = 3 is #UD */
#define H_MEM_ELSE_UNKNOWN (1u << 8) /* mod = 3 is another instruction, not known here */
#define H_OPREG (1u << 9)  /* the register is in the opcode's low three bits */
#define H_ACC (1u << 10)   /* the r/m operand is AL/eAX/rAX */
#define H_VEX_OK (1u << 11) /* may be VEX-encoded */
#define H_VEX_ONLY (1u << 12) /* is nothing if not VEX-encoded */
#define H_VSIB (1u << 13)  /* the index is a vector register */
#define H_PROT (1u << 14)  /* #UD in real and virtual-8086 mode */
#define H_REGS (1u << 15)  /* mod is ignored: r/m is always a register (MOV CR, DR) */
#define H_IMM_SHIFT 16
#define H_IMM MASK(19, 16)
#define H_NATIVE (1u << 20) /* for the host's CPU: opcode, map and INSN_N_* go into imm */
#define H_SIZE66 (1u << 21) /* with H_NATIVE: 66 chooses 16 bits */
#define H_N_SHIFT 22
#define H_N(bits) ((uint32_t)(bits) << H_N_SHIFT)

enum imm_kind {
	IMM_NONE,
	IMM_8,      /* sign-extended */
	IMM_U8,     /* zero-extended */
	IMM_Z,      /* 16 or 32 bits, sign-extended */
	IMM_V,      /* 16, 32 or 64 bits */
	IMM_U16,
	IMM_REL,    /* branch displacement: 16 or 32 bits; always 32 in 64-bit mode */
	IMM_OFFSET, /* MOV A0-A3: an address */
	IMM_FAR,    /* offset and selector */
	IMM_ENTER,  /* 16 bits and 8 bits */
};
#define H_I(kind) ((uint32_t)(kind) << H_IMM_SHIFT)

struct opcode {
	uint8_t op;
	uint8_t sub;
	uint32_t how;
};

extern const struct opcode opcodes_one[256];
extern const struct opcode opcodes_0f[256];
extern const struct opcode opcode_groups[][8];
#define OPCODE_GROUP_17 0
/* By opcode and mandatory prefix (none, 66, F3, F2): of map 0F the rows that OP_prefix leads to, and the maps 0F 38 and
 * 0F 3A. */
extern const struct opcode opcodes_0f_prefixed[256][4];
extern const struct opcode opcodes_0f38[256][4];
extern const struct opcode opcodes_0f3a[256][4];
/* 0F AE by modrm.reg and prefix: with memory, and with a register. */
extern const struct opcode opcodes_0fae[8][4];
struct opcode opcode_0fae(unsigned reg, unsigned prefix);
/* 0F 01 with mod = 3. */
struct opcode opcode_0f01(uint8_t modrm);

/* What the host's CPU runs. `sub` says the size of its memory operand: a number of bytes, or one of these. */
#define NATIVE_VL 32u     /* 16 bytes, with VEX.L 32 */
#define NATIVE_VL_2 33u   /* half of that, a quarter, an eighth */
#define NATIVE_VL_4 34u
#define NATIVE_VL_8 35u
#define NATIVE_OP 36u     /* the operand size */
#define NATIVE_W 37u      /* 4 bytes, with VEX.W 8 */
#define NATIVE_DUP 38u    /* 8 bytes, with VEX.L 32: MOVDDUP */

/* And bits 31:22 of `how` say the rest; the executor finds them in bits 33:24 of imm. */
#define INSN_N_STORE 1u       /* memory is the destination */
#define INSN_N_ALIGN 2u       /* #GP(0) unless aligned; not if VEX-encoded */
#define INSN_N_ALIGN_VEX 4u   /* likewise, and if VEX-encoded */
#define INSN_N_REG 8u         /* modrm.reg is a general register */
#define INSN_N_RM 16u         /* modrm.rm with mod = 3 is a general register */
#define INSN_N_VVVV 32u       /* VEX.vvvv is a general register */
#define INSN_N_IMPLICIT 64u   /* rAX, rCX, rDX are operands */
#define INSN_N_MMX 128u       /* uses the x87 registers as MMX registers */
#define INSN_N_GENERAL 256u   /* general registers only: no vector unit */
#define INSN_N_GPR (INSN_N_REG | INSN_N_RM | INSN_N_VVVV | INSN_N_IMPLICIT)

/* `sub` of exec_shift_*: modrm.reg. */
enum shift_op { SHIFT_ROL, SHIFT_ROR, SHIFT_RCL, SHIFT_RCR, SHIFT_SHL, SHIFT_SHR, SHIFT_SAL, SHIFT_SAR };
/* `sub` of exec_alu_*: bits 5:3 of the opcode. */
enum alu_op { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };
/* `sub` of exec_bt_*: modrm.reg of 0F BA. */
enum bt_op { BT_TEST = 4, BT_SET, BT_RESET, BT_COMPLEMENT };
/* `sub` of exec_flag: an opcode byte F5, F8, F9, FC, FD. */

#endif
