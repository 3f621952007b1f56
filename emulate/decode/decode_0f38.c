/* emulate/decode/decode_0f38.c - the maps 0F 38 and 0F 3A, SSSE3 to AVX2, FMA, BMI and what else the CPU has there, by
 * opcode and mandatory prefix. As in decode_0f.c, what is legal beyond that the CPU itself judges. */
#include "emulate/decode/ops.h"

#define N(size, bits) { OP_native, size, H_MODRM | H_NATIVE | H_VEX_OK | H_N(bits) }
#define NI(size, bits) { OP_native, size, H_MODRM | H_NATIVE | H_VEX_OK | H_I(IMM_U8) | H_N(bits) }
#define NL(size, bits) { OP_native, size, H_MODRM | H_NATIVE | H_N(bits) }
#define NLI(size, bits) { OP_native, size, H_MODRM | H_NATIVE | H_I(IMM_U8) | H_N(bits) }
#define HOLE { 0 }
#define FULL N(NATIVE_VL, INSN_N_ALIGN)
#define FULLI NI(NATIVE_VL, INSN_N_ALIGN)

#define V { HOLE, FULL }
#define VI { HOLE, FULLI }
#define INTEGER { NL(8, INSN_N_MMX), FULL }
#define SIZED(size) { HOLE, N(size, 0) }
#define SIZED_I(size) { HOLE, NI(size, 0) }
#define STORE_I(size, bits) { HOLE, NI(size, INSN_N_STORE | (bits)) }
#define MASKED(size) { HOLE, { OP_vmaskmov, size, H_MODRM | H_NATIVE | H_VEX_OK | H_VEX_ONLY | H_MEM } }
#define MASKED_STORE(size) \
	{ HOLE, { OP_vmaskmov, size, H_MODRM | H_NATIVE | H_VEX_OK | H_VEX_ONLY | H_MEM | H_N(INSN_N_STORE) } }
/* sub: the bytes of an index. */
#define GATHER(size) { HOLE, { OP_gather, size, H_MODRM | H_NATIVE | H_VEX_OK | H_VEX_ONLY | H_VSIB | H_MEM } }
#define SHA { NL(16, INSN_N_ALIGN) }
#define SCALAR SIZED(NATIVE_W)

#define GENERAL (INSN_N_REG | INSN_N_RM | INSN_N_GENERAL)
#define BMI N(NATIVE_OP, GENERAL | INSN_N_VVVV)
#define MOVBE(op) { op, 0, H_MODRM | H_MEM }

const struct opcode opcodes_0f38[256][4] = {
	[0x00] = INTEGER, [0x01] = INTEGER, [0x02] = INTEGER, [0x03] = INTEGER, [0x04] = INTEGER, [0x05] = INTEGER,
	[0x06] = INTEGER, [0x07] = INTEGER, [0x08] = INTEGER, [0x09] = INTEGER, [0x0a] = INTEGER, [0x0b] = INTEGER,
	[0x0c] = V, [0x0d] = V, [0x0e] = V, [0x0f] = V,
	[0x10] = V,
	[0x13] = SIZED(NATIVE_VL_2), /* VCVTPH2PS */
	[0x14] = V, [0x15] = V, [0x16] = V, [0x17] = V,
	[0x18] = SIZED(4), [0x19] = SIZED(8), [0x1a] = SIZED(16), /* VBROADCASTSS, SD, F128 */
	[0x1c] = INTEGER, [0x1d] = INTEGER, [0x1e] = INTEGER,
	/* PMOVSX */
	[0x20] = SIZED(NATIVE_VL_2), [0x21] = SIZED(NATIVE_VL_4), [0x22] = SIZED(NATIVE_VL_8),
	[0x23] = SIZED(NATIVE_VL_2),
	[0x24] = SIZED(NATIVE_VL_4), [0x25] = SIZED(NATIVE_VL_2),
	[0x28] = V, [0x29] = V,
	[0x2a] = { HOLE, N(NATIVE_VL, INSN_N_ALIGN_VEX) }, /* MOVNTDQA */
	[0x2b] = V,
	[0x2c] = MASKED(4), [0x2d] = MASKED(8), [0x2e] = MASKED_STORE(4), [0x2f] = MASKED_STORE(8),
	/* PMOVZX */
	[0x30] = SIZED(NATIVE_VL_2), [0x31] = SIZED(NATIVE_VL_4), [0x32] = SIZED(NATIVE_VL_8),
	[0x33] = SIZED(NATIVE_VL_2),
	[0x34] = SIZED(NATIVE_VL_4), [0x35] = SIZED(NATIVE_VL_2),
	[0x36] = V, [0x37] = V, [0x38] = V, [0x39] = V, [0x3a] = V, [0x3b] = V, [0x3c] = V, [0x3d] = V, [0x3e] = V,
	[0x3f] = V,
	[0x40] = V, [0x41] = V,
	[0x45] = V, [0x46] = V, [0x47] = V,
	[0x50] = V, [0x51] = V, [0x52] = V, [0x53] = V, /* VNNI */
	[0x58] = SIZED(4), [0x59] = SIZED(8), [0x5a] = SIZED(16), /* VPBROADCASTD, Q, VBROADCASTI128 */
	[0x78] = SIZED(1), [0x79] = SIZED(2),
	[0x8c] = MASKED(NATIVE_W), [0x8e] = MASKED_STORE(NATIVE_W),
	[0x90] = GATHER(4), [0x91] = GATHER(8), [0x92] = GATHER(4), [0x93] = GATHER(8),
	/* FMA */
	[0x96] = V, [0x97] = V, [0x98] = V, [0x99] = SCALAR, [0x9a] = V, [0x9b] = SCALAR, [0x9c] = V, [0x9d] = SCALAR,
	[0x9e] = V, [0x9f] = SCALAR,
	[0xa6] = V, [0xa7] = V, [0xa8] = V, [0xa9] = SCALAR, [0xaa] = V, [0xab] = SCALAR, [0xac] = V, [0xad] = SCALAR,
	[0xae] = V, [0xaf] = SCALAR,
	[0xb4] = V, [0xb5] = V,
	[0xb6] = V, [0xb7] = V, [0xb8] = V, [0xb9] = SCALAR, [0xba] = V, [0xbb] = SCALAR, [0xbc] = V, [0xbd] = SCALAR,
	[0xbe] = V, [0xbf] = SCALAR,
	[0xc8] = SHA, [0xc9] = SHA, [0xca] = SHA, [0xcb] = SHA, [0xcc] = SHA, [0xcd] = SHA,
	[0xcf] = V,
	[0xdb] = V, [0xdc] = V, [0xdd] = V, [0xde] = V, [0xdf] = V, /* AES */
	/* MOVBE; CRC32, whose 66 is the operand size (66 and F2 together are column F2) */
	[0xf0] = { MOVBE(OP_movbe_load), MOVBE(OP_movbe_load), HOLE, NL(1, GENERAL) },
	[0xf1] = {
		MOVBE(OP_movbe_store), MOVBE(OP_movbe_store), HOLE,
		{ OP_native, NATIVE_OP, H_MODRM | H_NATIVE | H_SIZE66 | H_N(GENERAL) },
	},
	[0xf2] = { BMI },
	[0xf3] = { { OP_group, OPCODE_GROUP_17, H_MODRM | H_NATIVE | H_VEX_OK | H_VEX_ONLY } },
	[0xf5] = { BMI, HOLE, BMI, BMI },
	[0xf6] = { HOLE, NL(NATIVE_OP, GENERAL), NL(NATIVE_OP, GENERAL),
	N(NATIVE_OP, GENERAL | INSN_N_VVVV | INSN_N_IMPLICIT) },
	[0xf7] = { BMI, BMI, BMI, BMI },
	[0xf9] = { NL(NATIVE_OP, INSN_N_STORE | INSN_N_REG | INSN_N_GENERAL) }, /* MOVDIRI */
};

#define STRING { HOLE, NI(16, INSN_N_IMPLICIT) }

const struct opcode opcodes_0f3a[256][4] = {
	[0x00] = VI, [0x01] = VI, [0x02] = VI, [0x04] = VI, [0x05] = VI, [0x06] = VI,
	[0x08] = VI, [0x09] = VI, [0x0a] = SIZED_I(4), [0x0b] = SIZED_I(8), [0x0c] = VI, [0x0d] = VI, [0x0e] = VI,
	[0x0f] = { NLI(8, INSN_N_MMX), FULLI },
	[0x14] = STORE_I(1, INSN_N_RM), [0x15] = STORE_I(2, INSN_N_RM), [0x16] = STORE_I(NATIVE_OP, INSN_N_RM),
	[0x17] = STORE_I(4, INSN_N_RM),
	[0x18] = SIZED_I(16), [0x19] = STORE_I(16, 0),
	[0x1d] = STORE_I(NATIVE_VL_2, 0), /* VCVTPS2PH */
	[0x20] = { HOLE, NI(1, INSN_N_RM) }, [0x21] = SIZED_I(4), [0x22] = { HOLE, NI(NATIVE_OP, INSN_N_RM) },
	[0x38] = SIZED_I(16), [0x39] = STORE_I(16, 0),
	[0x40] = VI, [0x41] = VI, [0x42] = VI, [0x44] = VI, [0x46] = VI,
	[0x4a] = VI, [0x4b] = VI, [0x4c] = VI,
	[0x60] = STRING, [0x61] = STRING, [0x62] = STRING, [0x63] = STRING,
	[0xcc] = { NLI(16, INSN_N_ALIGN) }, /* SHA1RNDS4 */
	[0xce] = VI, [0xcf] = VI,
	[0xdf] = VI,
	[0xf0] = { HOLE, HOLE, HOLE, NI(NATIVE_OP, GENERAL) }, /* RORX */
};
