/* emulate/decode/decode_0f.c - the rows of map 0F that depend on the mandatory prefix: MMX, SSE, SSE2 and SSE3, and
 * their VEX-encoded kin. What is legal beyond that (VEX.L, VEX.W, vvvv, registers instead of memory) the CPU itself
 * judges, by #UD. */
#include "emulate/decode/ops.h"

#define N(size, bits) { OP_native, size, H_MODRM | H_NATIVE | H_VEX_OK | H_N(bits) }
#define NI(size, bits) { OP_native, size, H_MODRM | H_NATIVE | H_VEX_OK | H_I(IMM_U8) | H_N(bits) }
/* Without a VEX-encoded form. */
#define NL(size, bits) { OP_native, size, H_MODRM | H_NATIVE | H_N(bits) }
#define NLI(size, bits) { OP_native, size, H_MODRM | H_NATIVE | H_I(IMM_U8) | H_N(bits) }

#define FULL N(NATIVE_VL, INSN_N_ALIGN)
#define FULLI NI(NATIVE_VL, INSN_N_ALIGN)
#define LOOSE N(NATIVE_VL, 0)
#define MMX NL(8, INSN_N_MMX)
#define MMXI NLI(8, INSN_N_MMX)
#define STORE(size, bits) N(size, INSN_N_STORE | (bits))
#define HOLE { 0 }

/* Packed single, packed double, scalar single, scalar double. */
#define ARITHMETIC { FULL, FULL, N(4, 0), N(8, 0) }
#define SINGLES { FULL, HOLE, N(4, 0) }
#define PACKED { FULL, FULL }
#define INTEGER { MMX, FULL }
/* Shifts by a count in memory, which has 16 bytes whatever VEX.L. */
#define BY_COUNT { MMX, N(16, INSN_N_ALIGN) }

const struct opcode opcodes_0f_prefixed[256][4] = {
	[0x10] = { LOOSE, LOOSE, N(4, 0), N(8, 0) },
	[0x11] = { STORE(NATIVE_VL, 0), STORE(NATIVE_VL, 0), STORE(4, 0), STORE(8, 0) },
	/* MOVLPS, MOVLPD, MOVSLDUP, MOVDDUP; MOVHPS, MOVHPD, MOVSHDUP */
	[0x12] = { N(8, 0), N(8, 0), FULL, N(NATIVE_DUP, 0) },
	[0x13] = { STORE(8, 0), STORE(8, 0) },
	[0x14] = PACKED,
	[0x15] = PACKED,
	[0x16] = { N(8, 0), N(8, 0), FULL },
	[0x17] = { STORE(8, 0), STORE(8, 0) },
	/* MOVAPS, MOVNTPS, conversions, comparisons that set flags */
	[0x28] = { N(NATIVE_VL, INSN_N_ALIGN_VEX), N(NATIVE_VL, INSN_N_ALIGN_VEX) },
	[0x29] = { STORE(NATIVE_VL, INSN_N_ALIGN_VEX), STORE(NATIVE_VL, INSN_N_ALIGN_VEX) },
	[0x2a] = { NL(8, 0), NL(8, 0), N(NATIVE_OP, INSN_N_RM), N(NATIVE_OP, INSN_N_RM) },
	[0x2b] = { STORE(NATIVE_VL, INSN_N_ALIGN_VEX), STORE(NATIVE_VL, INSN_N_ALIGN_VEX) },
	[0x2c] = { NL(8, 0), NL(16, INSN_N_ALIGN), N(4, INSN_N_REG), N(8, INSN_N_REG) },
	[0x2d] = { NL(8, 0), NL(16, INSN_N_ALIGN), N(4, INSN_N_REG), N(8, INSN_N_REG) },
	[0x2e] = { N(4, 0), N(8, 0) },
	[0x2f] = { N(4, 0), N(8, 0) },
	[0x50] = { N(0, INSN_N_REG), N(0, INSN_N_REG) }, /* MOVMSKPS, MOVMSKPD */
	[0x51] = ARITHMETIC,
	[0x52] = SINGLES,
	[0x53] = SINGLES,
	[0x54] = PACKED, [0x55] = PACKED, [0x56] = PACKED, [0x57] = PACKED,
	[0x58] = ARITHMETIC, [0x59] = ARITHMETIC,
	[0x5a] = { N(NATIVE_VL_2, 0), FULL, N(4, 0), N(8, 0) },
	[0x5b] = { FULL, FULL, FULL },
	[0x5c] = ARITHMETIC, [0x5d] = ARITHMETIC, [0x5e] = ARITHMETIC, [0x5f] = ARITHMETIC,
	[0x60] = { NL(4, INSN_N_MMX), FULL },
	[0x61] = { NL(4, INSN_N_MMX), FULL },
	[0x62] = { NL(4, INSN_N_MMX), FULL },
	[0x63] = INTEGER, [0x64] = INTEGER, [0x65] = INTEGER, [0x66] = INTEGER, [0x67] = INTEGER, [0x68] = INTEGER,
	[0x69] = INTEGER, [0x6a] = INTEGER, [0x6b] = INTEGER,
	[0x6c] = { HOLE, FULL },
	[0x6d] = { HOLE, FULL },
	[0x6e] = { NL(NATIVE_OP, INSN_N_RM | INSN_N_MMX), N(NATIVE_OP, INSN_N_RM) },
	[0x6f] = { MMX, N(NATIVE_VL, INSN_N_ALIGN_VEX), LOOSE },
	[0x70] = { MMXI, FULLI, FULLI, FULLI },
	/* Shifts by an immediate, registers only */
	[0x71] = { NLI(0, INSN_N_MMX), NI(0, 0) },
	[0x72] = { NLI(0, INSN_N_MMX), NI(0, 0) },
	[0x73] = { NLI(0, INSN_N_MMX), NI(0, 0) },
	[0x74] = INTEGER, [0x75] = INTEGER, [0x76] = INTEGER,
	[0x77] = { { OP_native, 0, H_NATIVE | H_VEX_OK | H_N(INSN_N_MMX) } }, /* EMMS, VZEROUPPER, VZEROALL */
	[0x7c] = { HOLE, FULL, HOLE, FULL },
	[0x7d] = { HOLE, FULL, HOLE, FULL },
	[0x7e] = { NL(NATIVE_OP, INSN_N_STORE | INSN_N_RM | INSN_N_MMX), STORE(NATIVE_OP, INSN_N_RM), N(8, 0) },
	[0x7f] = { NL(8, INSN_N_STORE | INSN_N_MMX), STORE(NATIVE_VL, INSN_N_ALIGN_VEX), STORE(NATIVE_VL, 0) },
	[0xb8] = { HOLE, HOLE, { OP_popcnt, 0, 0 } },
	[0xc2] = { FULLI, FULLI, NI(4, 0), NI(8, 0) },
	[0xc3] = { { OP_movnti, 0, H_MEM } },
	/* PINSRW, PEXTRW, SHUFPS */
	[0xc4] = { NLI(2, INSN_N_RM | INSN_N_MMX), NI(2, INSN_N_RM) },
	[0xc5] = { NLI(0, INSN_N_REG | INSN_N_MMX), NI(0, INSN_N_REG) },
	[0xc6] = { FULLI, FULLI },
	[0xd0] = { HOLE, FULL, HOLE, FULL },
	[0xd1] = BY_COUNT, [0xd2] = BY_COUNT, [0xd3] = BY_COUNT,
	[0xd4] = INTEGER, [0xd5] = INTEGER,
	[0xd6] = { HOLE, STORE(8, 0), NL(0, INSN_N_MMX), NL(0, INSN_N_MMX) }, /* MOVQ, MOVQ2DQ, MOVDQ2Q */
	[0xd7] = { NL(0, INSN_N_REG | INSN_N_MMX), N(0, INSN_N_REG) },
	[0xd8] = INTEGER, [0xd9] = INTEGER, [0xda] = INTEGER, [0xdb] = INTEGER, [0xdc] = INTEGER, [0xdd] = INTEGER,
	[0xde] = INTEGER, [0xdf] = INTEGER,
	[0xe0] = INTEGER,
	[0xe1] = BY_COUNT, [0xe2] = BY_COUNT,
	[0xe3] = INTEGER, [0xe4] = INTEGER, [0xe5] = INTEGER,
	[0xe6] = { HOLE, FULL, N(NATIVE_VL_2, 0), FULL },
	[0xe7] = { NL(8, INSN_N_STORE | INSN_N_MMX), STORE(NATIVE_VL, INSN_N_ALIGN_VEX) }, /* MOVNTQ, MOVNTDQ */
	[0xe8] = INTEGER, [0xe9] = INTEGER, [0xea] = INTEGER, [0xeb] = INTEGER, [0xec] = INTEGER, [0xed] = INTEGER,
	[0xee] = INTEGER, [0xef] = INTEGER,
	[0xf0] = { HOLE, HOLE, HOLE, LOOSE }, /* LDDQU */
	[0xf1] = BY_COUNT, [0xf2] = BY_COUNT, [0xf3] = BY_COUNT,
	[0xf4] = INTEGER, [0xf5] = INTEGER, [0xf6] = INTEGER,
	[0xf7] = {
		{ OP_maskmov, 8, H_MODRM | H_NATIVE | H_N(INSN_N_MMX) },
		{ OP_maskmov, 16, H_MODRM | H_NATIVE | H_VEX_OK },
	},
	[0xf8] = INTEGER, [0xf9] = INTEGER, [0xfa] = INTEGER, [0xfb] = INTEGER, [0xfc] = INTEGER, [0xfd] = INTEGER,
	[0xfe] = INTEGER,
	[0xff] = { { OP_ud, 0, 0 }, { OP_ud, 0, 0 }, { OP_ud, 0, 0 }, { OP_ud, 0, 0 } },
};

#define UD { OP_ud, 0, 0 }

/* The columns: none, 66, F3, F2. H_VEX_OK and H_NATIVE come from the row that leads here. */
const struct opcode opcodes_0fae[8][4] = {
	{ { OP_fxsave, 0, 0 }, UD, UD, UD },
	{ { OP_fxrstor, 0, 0 }, UD, UD, UD },
	{ { OP_native, 4, 0 }, UD, UD, UD },                     /* LDMXCSR */
	{ { OP_native, 4, H_N(INSN_N_STORE) }, UD, UD, UD },     /* STMXCSR */
	{ { OP_xsave, 0, 0 }, UD, { 0 }, UD },                   /* XSAVE; PTWRITE */
	{ { OP_xrstor, 0, 0 }, UD, UD, UD },
	{ { OP_xsave, 0, 0 }, { OP_clflush, 0, 0 }, { 0 }, UD }, /* XSAVEOPT, CLWB; CLRSSBSY */
	{ { OP_clflush, 0, 0 }, { OP_clflush, 0, 0 }, UD, UD },  /* CLFLUSH, CLFLUSHOPT */
};

struct opcode opcode_0fae(unsigned reg, unsigned prefix)
{
	if (prefix == 0) /* LFENCE, MFENCE, SFENCE */
		return (struct opcode){ reg >= 5 ? OP_nop : OP_ud, 0, 0 };
	return (struct opcode){ 0 };
}
