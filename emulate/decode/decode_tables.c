/* emulate/decode/decode_tables.c - the opcode maps, after the SDM's "Opcode Map". Holes are OP_unknown. */
#include "emulate/decode/ops.h"

/* Groups, by modrm.reg. */
enum {
	G17 = OPCODE_GROUP_17, G1_EB, G1_EZ, G1_EI8, G1A, G2_IMM_B, G2_IMM, G2_ONE_B, G2_ONE, G2_CL_B, G2_CL, G3_B,
	G3, G4, G5, G6,
	G7, G8, G9, G11_B, G11
};

#define M H_MODRM
#define L (H_MODRM | H_LOCK)
#define B H_BYTE

/* The six encodings of one two-operand operation: Eb,Gb Ev,Gv Gb,Eb Gv,Ev AL,Ib eAX,Iz. */
#define ALU_ROWS(base, name, lock) \
	[base] = { OP_alu_rm_r, name, M | B | (lock) }, \
	[base + 1] = { OP_alu_rm_r, name, M | (lock) }, \
	[base + 2] = { OP_alu_r_rm, name, M | B | H_DIR }, \
	[base + 3] = { OP_alu_r_rm, name, M | H_DIR }, \
	[base + 4] = { OP_alu_rm_imm, name, B | H_ACC | H_I(IMM_8) }, \
	[base + 5] = { OP_alu_rm_imm, name, H_ACC | H_I(IMM_Z) }

#define EIGHT(base, ...) \
	[base] = __VA_ARGS__, [base + 1] = __VA_ARGS__, [base + 2] = __VA_ARGS__, [base + 3] = __VA_ARGS__, \
	[base + 4] = __VA_ARGS__, [base + 5] = __VA_ARGS__, [base + 6] = __VA_ARGS__, [base + 7] = __VA_ARGS__

/* Sixteen rows whose sub is the condition code. */
#define CONDITIONS(base, op, how) \
	[base] = { op, 0, how }, [base + 1] = { op, 1, how }, [base + 2] = { op, 2, how }, \
	[base + 3] = { op, 3, how }, [base + 4] = { op, 4, how }, [base + 5] = { op, 5, how }, \
	[base + 6] = { op, 6, how }, [base + 7] = { op, 7, how }, [base + 8] = { op, 8, how }, \
	[base + 9] = { op, 9, how }, [base + 10] = { op, 10, how }, [base + 11] = { op, 11, how }, \
	[base + 12] = { op, 12, how }, [base + 13] = { op, 13, how }, [base + 14] = { op, 14, how }, \
	[base + 15] = { op, 15, how }

const struct opcode opcodes_one[256] = {
	ALU_ROWS(0x00, ALU_ADD, H_LOCK),
	ALU_ROWS(0x08, ALU_OR, H_LOCK),
	ALU_ROWS(0x10, ALU_ADC, H_LOCK),
	ALU_ROWS(0x18, ALU_SBB, H_LOCK),
	ALU_ROWS(0x20, ALU_AND, H_LOCK),
	ALU_ROWS(0x28, ALU_SUB, H_LOCK),
	ALU_ROWS(0x30, ALU_XOR, H_LOCK),
	ALU_ROWS(0x38, ALU_CMP, 0),
	[0x06] = { OP_push_seg, EMULATE_ES, H_NO64 },
	[0x07] = { OP_pop_seg, EMULATE_ES, H_NO64 },
	[0x0e] = { OP_push_seg, EMULATE_CS, H_NO64 },
	[0x16] = { OP_push_seg, EMULATE_SS, H_NO64 },
	[0x17] = { OP_pop_seg, EMULATE_SS, H_NO64 },
	[0x1e] = { OP_push_seg, EMULATE_DS, H_NO64 },
	[0x1f] = { OP_pop_seg, EMULATE_DS, H_NO64 },
	[0x27] = { OP_daa, 0, H_NO64 },
	[0x2f] = { OP_das, 0, H_NO64 },
	[0x37] = { OP_aaa, 0, H_NO64 },
	[0x3f] = { OP_aas, 0, H_NO64 },
	/* In 64-bit mode 40-4F are REX prefixes and never get here. */
	EIGHT(0x40, { OP_incdec, 0, H_OPREG }),
	EIGHT(0x48, { OP_incdec, 1, H_OPREG }),
	EIGHT(0x50, { OP_push_r, 0, H_OPREG | H_D64 }),
	EIGHT(0x58, { OP_pop_r, 0, H_OPREG | H_D64 }),
	[0x60] = { OP_pusha, 0, H_NO64 },
	[0x61] = { OP_popa, 0, H_NO64 },
	[0x62] = { OP_bound, 0, M | H_DIR | H_MEM | H_NO64 }, /* with mod = 3, and in 64-bit mode, EVEX */
	[0x63] = { OP_movsx, 4, M | H_DIR }, /* outside 64-bit mode the decoder makes it ARPL */
	[0x68] = { OP_push_imm, 0, H_D64 | H_I(IMM_Z) },
	[0x69] = { OP_imul_r_rm_imm, 0, M | H_DIR | H_I(IMM_Z) },
	[0x6a] = { OP_push_imm, 0, H_D64 | H_I(IMM_8) },
	[0x6b] = { OP_imul_r_rm_imm, 0, M | H_DIR | H_I(IMM_8) },
	[0x6c] = { OP_ins, 0, B },
	[0x6d] = { OP_ins, 0, 0 },
	[0x6e] = { OP_outs, 0, B },
	[0x6f] = { OP_outs, 0, 0 },
	CONDITIONS(0x70, OP_jcc, H_F64 | H_I(IMM_8)),
	[0x80] = { OP_group, G1_EB, M | B | H_I(IMM_8) },
	[0x81] = { OP_group, G1_EZ, M | H_I(IMM_Z) },
	[0x82] = { OP_group, G1_EB, M | B | H_NO64 | H_I(IMM_8) },
	[0x83] = { OP_group, G1_EI8, M | H_I(IMM_8) },
	[0x84] = { OP_test_rm_r, 0, M | B },
	[0x85] = { OP_test_rm_r, 0, M },
	[0x86] = { OP_xchg, 0, L | B },
	[0x87] = { OP_xchg, 0, L },
	[0x88] = { OP_mov_store, 0, M | B },
	[0x89] = { OP_mov_store, 0, M },
	[0x8a] = { OP_mov_load, 0, M | B | H_DIR },
	[0x8b] = { OP_mov_load, 0, M | H_DIR },
	[0x8c] = { OP_mov_from_seg, 0, M },
	[0x8d] = { OP_lea, 0, M | H_DIR | H_MEM },
	[0x8e] = { OP_mov_to_seg, 0, M | H_DIR },
	[0x8f] = { OP_group, G1A, M | H_D64 },
	EIGHT(0x90, { OP_xchg, 0, H_OPREG | H_ACC }), /* 90 itself becomes NOP in the decoder */
	[0x98] = { OP_cbw, 0, 0 },
	[0x99] = { OP_cwd, 0, 0 },
	[0x9a] = { OP_call_far, 0, H_NO64 | H_I(IMM_FAR) },
	[0x9b] = { OP_fwait, 0, 0 },
	[0x9c] = { OP_pushf, 0, H_D64 },
	[0x9d] = { OP_popf, 0, H_D64 },
	[0x9e] = { OP_sahf, 0, 0 },
	[0x9f] = { OP_lahf, 0, 0 },
	[0xa0] = { OP_mov_load, 0, B | H_DIR | H_I(IMM_OFFSET) },
	[0xa1] = { OP_mov_load, 0, H_DIR | H_I(IMM_OFFSET) },
	[0xa2] = { OP_mov_store, 0, B | H_I(IMM_OFFSET) },
	[0xa3] = { OP_mov_store, 0, H_I(IMM_OFFSET) },
	[0xa4] = { OP_movs, 0, B },
	[0xa5] = { OP_movs, 0, 0 },
	[0xa6] = { OP_cmps, 0, B },
	[0xa7] = { OP_cmps, 0, 0 },
	[0xa8] = { OP_test_rm_imm, 0, B | H_ACC | H_I(IMM_8) },
	[0xa9] = { OP_test_rm_imm, 0, H_ACC | H_I(IMM_Z) },
	[0xaa] = { OP_stos, 0, B },
	[0xab] = { OP_stos, 0, 0 },
	[0xac] = { OP_lods, 0, B },
	[0xad] = { OP_lods, 0, 0 },
	[0xae] = { OP_scas, 0, B },
	[0xaf] = { OP_scas, 0, 0 },
	EIGHT(0xb0, { OP_mov_r_imm, 0, B | H_OPREG | H_I(IMM_8) }),
	EIGHT(0xb8, { OP_mov_r_imm, 0, H_OPREG | H_I(IMM_V) }),
	[0xc0] = { OP_group, G2_IMM_B, M | B | H_I(IMM_U8) },
	[0xc1] = { OP_group, G2_IMM, M | H_I(IMM_U8) },
	[0xc2] = { OP_ret, 0, H_F64 | H_I(IMM_U16) },
	[0xc3] = { OP_ret, 0, H_F64 },
	[0xc4] = { OP_load_far_pointer, EMULATE_ES, M | H_DIR | H_MEM | H_NO64 },
	[0xc5] = { OP_load_far_pointer, EMULATE_DS, M | H_DIR | H_MEM | H_NO64 },
	[0xc6] = { OP_group, G11_B, M | B | H_I(IMM_8) },
	[0xc7] = { OP_group, G11, M | H_I(IMM_Z) },
	[0xc8] = { OP_enter, 0, H_D64 | H_I(IMM_ENTER) },
	[0xc9] = { OP_leave, 0, H_D64 },
	[0xca] = { OP_ret_far, 0, H_I(IMM_U16) },
	[0xcb] = { OP_ret_far, 0, 0 },
	[0xcc] = { OP_int3, 0, 0 },
	[0xcd] = { OP_int, 0, H_I(IMM_U8) },
	[0xce] = { OP_into, 0, H_NO64 },
	[0xcf] = { OP_iret, 0, 0 },
	[0xd0] = { OP_group, G2_ONE_B, M | B },
	[0xd1] = { OP_group, G2_ONE, M },
	[0xd2] = { OP_group, G2_CL_B, M | B },
	[0xd3] = { OP_group, G2_CL, M },
	[0xd4] = { OP_aam, 0, H_NO64 | H_I(IMM_U8) },
	[0xd5] = { OP_aad, 0, H_NO64 | H_I(IMM_U8) },
	[0xd6] = { OP_salc, 0, H_NO64 },
	[0xd7] = { OP_xlat, 0, 0 },
	EIGHT(0xd8, { OP_x87, 0, M | H_NATIVE | H_SIZE66 }),
	[0xe0] = { OP_loop, 0, H_F64 | H_I(IMM_8) },
	[0xe1] = { OP_loop, 1, H_F64 | H_I(IMM_8) },
	[0xe2] = { OP_loop, 2, H_F64 | H_I(IMM_8) },
	[0xe3] = { OP_jcxz, 0, H_F64 | H_I(IMM_8) },
	[0xe4] = { OP_in_imm, 0, B | H_I(IMM_U8) },
	[0xe5] = { OP_in_imm, 0, H_I(IMM_U8) },
	[0xe6] = { OP_out_imm, 0, B | H_I(IMM_U8) },
	[0xe7] = { OP_out_imm, 0, H_I(IMM_U8) },
	[0xe8] = { OP_call_rel, 0, H_F64 | H_I(IMM_REL) },
	[0xe9] = { OP_jmp_rel, 0, H_F64 | H_I(IMM_REL) },
	[0xea] = { OP_jmp_far, 0, H_NO64 | H_I(IMM_FAR) },
	[0xeb] = { OP_jmp_rel, 0, H_F64 | H_I(IMM_8) },
	[0xec] = { OP_in_dx, 0, B },
	[0xed] = { OP_in_dx, 0, 0 },
	[0xee] = { OP_out_dx, 0, B },
	[0xef] = { OP_out_dx, 0, 0 },
	[0xf1] = { OP_int1, 0, 0 },
	[0xf4] = { OP_hlt, 0, 0 },
	[0xf5] = { OP_flag, 0xf5, 0 },
	[0xf6] = { OP_group, G3_B, M | B },
	[0xf7] = { OP_group, G3, M },
	[0xf8] = { OP_flag, 0xf8, 0 },
	[0xf9] = { OP_flag, 0xf9, 0 },
	[0xfa] = { OP_cli_sti, 0, 0 },
	[0xfb] = { OP_cli_sti, 1, 0 },
	[0xfc] = { OP_flag, 0xfc, 0 },
	[0xfd] = { OP_flag, 0xfd, 0 },
	[0xfe] = { OP_group, G4, M | B },
	[0xff] = { OP_group, G5, M },
};

#define P { OP_prefix, 0, M }
#define UD { OP_ud, 0, 0 }

const struct opcode opcodes_0f[256] = {
	[0x00] = { OP_group, G6, M | H_PROT },
	[0x01] = { OP_group_0f01, G7, M },
	[0x02] = { OP_lar, 0, M | H_DIR | H_PROT },
	[0x03] = { OP_lsl, 0, M | H_DIR | H_PROT },
	[0x04] = UD,
	[0x06] = { OP_clts, 0, 0 },
	[0x08] = { OP_wbinvd, 0, 0 },
	[0x09] = { OP_wbinvd, 1, 0 },
	[0x0a] = UD,
	[0x0b] = UD,
	[0x0c] = UD,
	[0x0d] = { OP_nop, 0, M }, /* PREFETCHW */
	[0x0e] = UD,
	[0x0f] = UD,
	[0x10] = P, [0x11] = P, [0x12] = P, [0x13] = P, [0x14] = P, [0x15] = P, [0x16] = P, [0x17] = P,
	EIGHT(0x18, { OP_nop, 0, M }), /* PREFETCHh, hint NOPs, ENDBR */
	[0x20] = { OP_mov_from_cr, 0, M | H_REGS },
	[0x21] = { OP_mov_from_dr, 0, M | H_REGS },
	[0x22] = { OP_mov_to_cr, 0, M | H_REGS },
	[0x23] = { OP_mov_to_dr, 0, M | H_REGS },
	[0x24] = UD, [0x25] = UD, [0x26] = UD, [0x27] = UD,
	EIGHT(0x28, P),
	[0x30] = { OP_wrmsr, 0, 0 },
	[0x31] = { OP_rdtsc, 0, 0 },
	[0x32] = { OP_rdmsr, 0, 0 },
	[0x36] = UD, [0x39] = UD, [0x3b] = UD, [0x3c] = UD, [0x3d] = UD, [0x3e] = UD, [0x3f] = UD,
	CONDITIONS(0x40, OP_cmov, M | H_DIR),
	EIGHT(0x50, P), EIGHT(0x58, P), EIGHT(0x60, P), EIGHT(0x68, P),
	[0x70] = P, [0x71] = P, [0x72] = P, [0x73] = P, [0x74] = P, [0x75] = P, [0x76] = P,
	[0x77] = { OP_prefix, 0, 0 },
	[0x78] = { OP_ud, 0, M }, /* VMREAD, VMWRITE */
	[0x79] = { OP_ud, 0, M },
	[0x7a] = UD, [0x7b] = UD,
	[0x7c] = P, [0x7d] = P, [0x7e] = P, [0x7f] = P,
	CONDITIONS(0x80, OP_jcc, H_F64 | H_I(IMM_REL)),
	CONDITIONS(0x90, OP_setcc, M | B),
	[0xa0] = { OP_push_seg, EMULATE_FS, H_D64 },
	[0xa1] = { OP_pop_seg, EMULATE_FS, H_D64 },
	[0xa2] = { OP_cpuid, 0, 0 },
	[0xa3] = { OP_bt_r, BT_TEST, M },
	[0xa4] = { OP_shld_imm, 0, M | H_I(IMM_U8) },
	[0xa5] = { OP_shld_cl, 0, M },
	[0xa6] = UD, [0xa7] = UD,
	[0xa8] = { OP_push_seg, EMULATE_GS, H_D64 },
	[0xa9] = { OP_pop_seg, EMULATE_GS, H_D64 },
	[0xaa] = UD, /* RSM */
	[0xab] = { OP_bt_r, BT_SET, L },
	[0xac] = { OP_shrd_imm, 0, M | H_I(IMM_U8) },
	[0xad] = { OP_shrd_cl, 0, M },
	[0xae] = { OP_group_0fae, 0, M | H_NATIVE | H_VEX_OK },
	[0xaf] = { OP_imul_r_rm, 0, M | H_DIR },
	[0xb0] = { OP_cmpxchg, 0, L | B },
	[0xb1] = { OP_cmpxchg, 0, L },
	[0xb2] = { OP_load_far_pointer, EMULATE_SS, M | H_DIR | H_MEM },
	[0xb3] = { OP_bt_r, BT_RESET, L },
	[0xb4] = { OP_load_far_pointer, EMULATE_FS, M | H_DIR | H_MEM },
	[0xb5] = { OP_load_far_pointer, EMULATE_GS, M | H_DIR | H_MEM },
	[0xb6] = { OP_movzx, 1, M | H_DIR },
	[0xb7] = { OP_movzx, 2, M | H_DIR },
	[0xb8] = { OP_prefix, 0, M | H_DIR },
	[0xb9] = { OP_ud, 0, M },
	[0xba] = { OP_group, G8, M | H_I(IMM_U8) },
	[0xbb] = { OP_bt_r, BT_COMPLEMENT, L },
	[0xbc] = { OP_bsf, 0, M | H_DIR }, /* with F3: TZCNT */
	[0xbd] = { OP_bsr, 0, M | H_DIR }, /* with F3: LZCNT */
	[0xbe] = { OP_movsx, 1, M | H_DIR },
	[0xbf] = { OP_movsx, 2, M | H_DIR },
	[0xc0] = { OP_xadd, 0, L | B },
	[0xc1] = { OP_xadd, 0, L },
	[0xc2] = P, [0xc3] = P, [0xc4] = P, [0xc5] = P, [0xc6] = P,
	[0xc7] = { OP_group, G9, M },
	EIGHT(0xc8, { OP_bswap, 0, H_OPREG }),
	EIGHT(0xd0, P), EIGHT(0xd8, P), EIGHT(0xe0, P), EIGHT(0xe8, P), EIGHT(0xf0, P), EIGHT(0xf8, P),
};

/* The rows add to the how of the row that led here. */
#define ALU_GROUP(how) { \
	{ OP_alu_rm_imm, ALU_ADD, H_LOCK | (how) }, { OP_alu_rm_imm, ALU_OR, H_LOCK | (how) }, \
	{ OP_alu_rm_imm, ALU_ADC, H_LOCK | (how) }, { OP_alu_rm_imm, ALU_SBB, H_LOCK | (how) }, \
	{ OP_alu_rm_imm, ALU_AND, H_LOCK | (how) }, { OP_alu_rm_imm, ALU_SUB, H_LOCK | (how) }, \
	{ OP_alu_rm_imm, ALU_XOR, H_LOCK | (how) }, { OP_alu_rm_imm, ALU_CMP, (how) } }

#define SHIFT_GROUP(op) { \
	{ op, SHIFT_ROL, 0 }, { op, SHIFT_ROR, 0 }, { op, SHIFT_RCL, 0 }, { op, SHIFT_RCR, 0 }, \
	{ op, SHIFT_SHL, 0 }, { op, SHIFT_SHR, 0 }, { op, SHIFT_SAL, 0 }, { op, SHIFT_SAR, 0 } }

#define UNARY_GROUP(imm) { \
	{ OP_test_rm_imm, 0, H_I(imm) }, { OP_test_rm_imm, 0, H_I(imm) }, { OP_not, 0, H_LOCK }, \
	{ OP_neg, 0, H_LOCK }, \
	{ OP_mul, 0, 0 }, { OP_imul, 0, 0 }, { OP_div, 0, 0 }, { OP_idiv, 0, 0 } }

const struct opcode opcode_groups[][8] = {
	[G1_EB] = ALU_GROUP(0),
	[G1_EZ] = ALU_GROUP(0),
	[G1_EI8] = ALU_GROUP(0),
	[G1A] = { { OP_pop_rm, 0, 0 }, UD, UD, UD, UD, UD, UD, UD },
	[G2_IMM_B] = SHIFT_GROUP(OP_shift_imm),
	[G2_IMM] = SHIFT_GROUP(OP_shift_imm),
	[G2_ONE_B] = SHIFT_GROUP(OP_shift_one),
	[G2_ONE] = SHIFT_GROUP(OP_shift_one),
	[G2_CL_B] = SHIFT_GROUP(OP_shift_cl),
	[G2_CL] = SHIFT_GROUP(OP_shift_cl),
	[G3_B] = UNARY_GROUP(IMM_8),
	[G3] = UNARY_GROUP(IMM_Z),
	[G4] = { { OP_incdec, 0, H_LOCK }, { OP_incdec, 1, H_LOCK }, UD, UD, UD, UD, UD, UD },
	[G5] = {
		{ OP_incdec, 0, H_LOCK }, { OP_incdec, 1, H_LOCK }, { OP_call_rm, 0, H_F64 },
		{ OP_call_far_mem, 0, H_MEM },
		{ OP_jmp_rm, 0, H_F64 }, { OP_jmp_far_mem, 0, H_MEM }, { OP_push_rm, 0, H_D64 }, UD,
	},
	[G6] = {
		{ OP_store_selector, EMULATE_LDTR, 0 }, { OP_store_selector, EMULATE_TR, 0 },
		{ OP_load_selector, EMULATE_LDTR, 0 },
		{ OP_load_selector, EMULATE_TR, 0 }, { OP_verify, 0, 0 }, { OP_verify, 1, 0 }, UD, UD,
	},
	[G7] = {
		{ OP_store_dtr, EMULATE_GDTR, H_F64 }, { OP_store_dtr, EMULATE_IDTR, H_F64 },
		{ OP_load_dtr, EMULATE_GDTR, H_F64 }, { OP_load_dtr, EMULATE_IDTR, H_F64 },
		{ OP_smsw, 0, 0 }, UD, { OP_lmsw, 0, 0 }, { OP_invlpg, 0, 0 },
	},
	[G8] = {
		UD, UD, UD, UD, { OP_bt_imm, BT_TEST, 0 }, { OP_bt_imm, BT_SET, H_LOCK },
		{ OP_bt_imm, BT_RESET, H_LOCK },
		{ OP_bt_imm, BT_COMPLEMENT, H_LOCK },
	},
	/* XSAVEC is for the host's CPU. With mod = 3, /6 and /7 are RDRAND, RDSEED and RDPID; in memory they are
	 * VMPTRLD, VMCLEAR, VMXON and VMPTRST. */
	[G9] = {
		UD, { OP_cmpxchg8b, 0, H_LOCK | H_MEM }, UD, { 0 }, { OP_xsave, 1, H_MEM | H_NATIVE }, { 0 },
		{ OP_ud, 0, H_MEM_ELSE_UNKNOWN }, { OP_ud, 0, H_MEM_ELSE_UNKNOWN },
	},
	[G11_B] = { { OP_mov_rm_imm, 0, 0 }, UD, UD, UD, UD, UD, UD, { 0 } }, /* /7 is XABORT */
	[G11] = { { OP_mov_rm_imm, 0, 0 }, UD, UD, UD, UD, UD, UD, { 0 } },   /* /7 is XBEGIN */
#define BLS { OP_native, NATIVE_OP, H_N(INSN_N_VVVV | INSN_N_RM | INSN_N_GENERAL) }
	[G17] = { UD, BLS, BLS, BLS, UD, UD, UD, UD }, /* BLSR, BLSMSK, BLSI */
};

struct opcode opcode_0f01(uint8_t modrm)
{
	static const struct opcode registers[8] = {
		[4] = { OP_smsw, 0, 0 }, [6] = { OP_lmsw, 0, 0 },
	};

	if (modrm == 0xd0)
		return (struct opcode){ OP_xgetbv, 0, 0 };
	if (modrm == 0xf9)
		return (struct opcode){ OP_rdtscp, 0, 0 };
	return registers[(modrm >> 3) & 7];
}
