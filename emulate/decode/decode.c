/* emulate/decode/decode.c - from bytes to struct insn: prefixes, opcode, ModRM, SIB, displacement, immediate.
 *
 * Pure (EM1). Bytes that are not there read as zero and only make the cursor overrun; one check at the end turns that
 * into INSN_SHORT or INSN_TOO_LONG, whatever the zeros decoded to. */
#include "emulate/decode/ops.h"


struct decoder {
	const uint8_t *bytes;
	unsigned n;  /* bytes that are there, at most INSTRUCTION_LENGTH_MAX */
	unsigned at; /* bytes consumed; beyond n after an overrun */
	enum emulate_mode mode;
	bool override_address;
	uint8_t seg;      /* override, or INSN_NONE */
	uint8_t prefix;   /* mandatory prefix: 0 none, 1 66, 2 F3, 3 F2 */
	uint8_t map;      /* 0 one byte, 1 0F, 2 0F38, 3 0F3A */
	uint8_t opcode;
	struct opcode row;
};

static inline uint8_t take8(struct decoder *d)
{
	unsigned at = d->at++;

	return likely(at < d->n) ? d->bytes[at] : 0;
}

/* size bytes, little-endian, zero-extended. */
static uint64_t take(struct decoder *d, unsigned size)
{
	uint64_t v = 0;

	for (unsigned k = 0; k < size; k++)
		v |= (uint64_t)take8(d) << (8 * k);
	return v;
}

static int64_t take_signed(struct decoder *d, unsigned size)
{
	unsigned shift = 64 - 8 * size;

	return (int64_t)(take(d, size) << shift) >> shift;
}

static bool is_long(const struct decoder *d)
{
	return d->mode == EMULATE_LONG64;
}

static bool default16(const struct decoder *d)
{
	return d->mode <= EMULATE_PROT16 && d->mode != EMULATE_REAL32;
}

/* One legacy prefix: true if byte is one. */
static bool legacy_prefix(struct decoder *d, struct insn *i, uint8_t byte)
{
	switch (byte) {
	case 0x66:
		i->flags |= INSN_F_OPSIZE;
		return true;
	case 0x67:
		d->override_address = true;
		return true;
	case 0xf0:
		i->flags |= INSN_F_LOCK;
		return true;
	case 0xf2:
		i->flags = (i->flags & ~INSN_F_REP) | INSN_F_REPNE;
		return true;
	case 0xf3:
		i->flags = (i->flags & ~INSN_F_REPNE) | INSN_F_REP;
		return true;
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
		/* Ignored in 64-bit mode (SDM, "Segmentation in IA-32e Mode"), where it does not even undo an earlier
		 * FS or GS. */
		if (!is_long(d))
			d->seg = (byte - 0x26) >> 3;
		return true;
	case 0x64:
	case 0x65:
		d->seg = EMULATE_FS + (byte & 1);
		return true;
	}
	return false;
}

/* All prefixes; returns the first byte after them. A REX that is not last does not count. */
static uint8_t prefixes(struct decoder *d, struct insn *i)
{
	uint8_t byte;

	for (;;) {
		byte = take8(d);
		if (is_long(d) && (byte & REX_PREFIXES) == REX)
			i->rex = byte;
		else if (legacy_prefix(d, i, byte))
			i->rex = 0;
		else
			break;
		if (d->at > d->n)
			break;
	}
	return byte;
}

/* C4 or C5 at hand: is it VEX, not LES or LDS? 62: is it EVEX, of which nothing is known here, not BOUND? */
static bool is_vector_prefix(const struct decoder *d)
{
	if (is_long(d))
		return true;
	return d->mode >= EMULATE_PROT16 && d->at < d->n && d->bytes[d->at] >= 0xc0;
}

/* The row of d->opcode in d->map, in which the mandatory prefix has its say. */
static void find_row(struct decoder *d)
{
	static const struct opcode (*const maps[4])[4] = { NULL, opcodes_0f_prefixed, opcodes_0f38, opcodes_0f3a };
	uint32_t how;

	if (d->map == 0) {
		d->row = opcodes_one[d->opcode];
		return;
	}
	if (d->map == 1) {
		d->row = opcodes_0f[d->opcode];
		if (d->row.op != OP_prefix)
			return;
	}
	how = d->map == 1 ? d->row.how : 0;
	d->row = maps[d->map][d->opcode][d->prefix];
	d->row.how |= how;
}

static const uint8_t prefix_flags[4] = { 0, INSN_F_OPSIZE, INSN_F_REP, INSN_F_REPNE };

/* The rest of a VEX prefix, the opcode, and its row. Outside 64-bit mode there are eight registers: R and X are known
 * to be clear, B and the highest bit of vvvv do not count. */
static enum insn_status vex(struct decoder *d, struct insn *i, uint8_t first)
{
	/* SDM, "VEX and the LOCK Prefix", "VEX and the 66H, F2H, and F3H Prefixes", "VEX and the REX Prefix". */
	bool illegal = i->rex || (i->flags & (INSN_F_LOCK | INSN_F_OPSIZE | INSN_F_REP | INSN_F_REPNE));
	uint8_t b = take8(d), last = b;

	d->map = 1;
	/* R, X, B, vvvv are inverted. */
	i->rex = REX | ((b & VEX_R) ? 0 : REX_R);
	if (first == VEX_3_BYTES) {
		d->map = b & 31;
		i->rex |= ((b & VEX_X) ? 0 : REX_X) | ((b & VEX_B) ? 0 : REX_B);
		last = take8(d);
		if (last & VEX_W)
			i->rex |= REX_W;
	}
	i->vvvv = (~last >> VEX_VVVV_SHIFT) & 15;
	if (!is_long(d)) {
		i->rex &= REX | REX_W;
		i->vvvv &= 7;
	}
	d->prefix = last & 3;
	i->flags |= INSN_F_VEX | ((last & VEX_L) ? INSN_F_VEXL : 0) | prefix_flags[d->prefix];
	d->opcode = take8(d);
	if (illegal)
		return INSN_UD;
	if (d->map == 0 || d->map > 3)
		return INSN_UNKNOWN;
	find_row(d);
	return (d->row.how & H_VEX_OK) ? INSN_OK : INSN_UNKNOWN;
}

/* The opcode, not VEX-encoded, of which byte is the first. */
static void legacy(struct decoder *d, const struct insn *i, uint8_t byte)
{
	d->prefix = (i->flags & INSN_F_REP) ? 2 : (i->flags & INSN_F_REPNE) ? 3 : (i->flags & INSN_F_OPSIZE) ? 1 : 0;
	d->opcode = byte;
	if (byte == 0x0f) {
		d->opcode = take8(d);
		d->map = d->opcode == 0x38 ? 2 : d->opcode == 0x3a ? 3 : 1;
		if (d->map > 1)
			d->opcode = take8(d);
	}
	find_row(d);
}

/* ModRM with 16-bit addressing: SDM, "16-Bit Addressing Forms with the ModR/M Byte". */
static void memory16(struct decoder *d, struct insn *i, unsigned mod, unsigned rm)
{
	static const uint8_t base[8] = { EMULATE_RBX, EMULATE_RBX, EMULATE_RBP, EMULATE_RBP, EMULATE_RSI, EMULATE_RDI,
					 EMULATE_RBP, EMULATE_RBX };
	static const uint8_t index[8] = { EMULATE_RSI, EMULATE_RDI, EMULATE_RSI, EMULATE_RDI, INSN_NONE, INSN_NONE,
					  INSN_NONE, INSN_NONE };

	i->base = base[rm];
	i->index = index[rm];
	if (mod == 0 && rm == 6) {
		i->base = INSN_NONE;
		i->disp = take_signed(d, 2);
	} else if (mod) {
		i->disp = take_signed(d, mod);
	}
}

/* ModRM and SIB with 32-bit and 64-bit addressing. */
static void memory32(struct decoder *d, struct insn *i, unsigned mod, unsigned rm)
{
	unsigned low = rm;

	i->base = rm | ((i->rex & REX_B) << 3);
	if (rm == 4) {
		uint8_t sib = take8(d);

		low = sib & 7;
		i->base = low | ((i->rex & REX_B) << 3);
		i->index = ((sib >> 3) & 7) | ((i->rex & REX_X) << 2);
		i->scale = sib >> 6;
		if (i->index == EMULATE_RSP && !(d->row.how & H_VSIB))
			i->index = INSN_NONE;
	}
	if (mod == 0 && low == 5) {
		i->base = (rm == 5 && is_long(d)) ? INSN_RIP : INSN_NONE;
		i->disp = take_signed(d, 4);
	} else if (mod) {
		i->disp = take_signed(d, mod == 1 ? 1 : 4);
	}
}

static void modrm_operands(struct decoder *d, struct insn *i)
{
	unsigned mod = i->modrm >> 6, rm = i->modrm & 7;

	i->reg = ((i->modrm >> 3) & 7) | ((i->rex & REX_R) << 1);
	if (mod == 3 || (d->row.how & H_REGS)) {
		i->rm = rm | ((i->rex & REX_B) << 3);
		return;
	}
	i->flags |= INSN_F_MEM;
	if (i->adsize == 2)
		memory16(d, i, mod, rm);
	else
		memory32(d, i, mod, rm);
	/* rBP and rSP address the stack segment; R12 and R13 do not. */
	i->seg = (i->base == EMULATE_RSP || i->base == EMULATE_RBP) ? EMULATE_SS : EMULATE_DS;
}

static void sizes(struct decoder *d, struct insn *i)
{
	uint32_t how = d->row.how;
	bool small = i->flags & INSN_F_OPSIZE;

	if (how & H_BYTE)
		i->opsize = 1;
	else if (!is_long(d))
		i->opsize = (default16(d) != small) ? 2 : 4;
	else if ((i->rex & REX_W) || (how & H_F64))
		i->opsize = 8;
	else if (how & H_D64)
		i->opsize = small ? 2 : 8;
	else
		i->opsize = small ? 2 : 4;
	/* Here 66 is a part of the opcode. */
	if ((how & H_NATIVE) && !(how & H_SIZE66))
		i->opsize = (is_long(d) && (i->rex & REX_W)) ? 8 : 4;
}

static void immediate(struct decoder *d, struct insn *i)
{
	unsigned z = i->opsize == 2 ? 2 : 4;

	switch ((enum imm_kind)((d->row.how & H_IMM) >> H_IMM_SHIFT)) {
	case IMM_NONE:
		break;
	case IMM_8:
		i->imm = take_signed(d, 1);
		break;
	case IMM_U8:
		i->imm = take8(d);
		break;
	case IMM_Z:
	case IMM_REL:
		i->imm = take_signed(d, z);
		break;
	case IMM_V:
		i->imm = take_signed(d, i->opsize);
		break;
	case IMM_U16:
		i->imm = take(d, 2);
		break;
	case IMM_OFFSET:
		i->disp = take(d, i->adsize);
		i->flags |= INSN_F_MEM;
		i->seg = EMULATE_DS;
		break;
	case IMM_FAR:
		i->imm = take(d, z);
		i->imm |= take(d, 2) << 32;
		break;
	case IMM_ENTER:
		i->imm = take(d, 3);
		break;
	}
	if (d->row.how & H_NATIVE)
		i->imm = (i->imm & 0xff) | d->opcode << 8 | d->map << 16 | (uint64_t)(d->row.how >> H_N_SHIFT) << 24;
}

/* Operands that the opcode itself names. */
static void implied_operands(const struct decoder *d, struct insn *i)
{
	if (d->row.how & H_OPREG) {
		i->reg = (d->opcode & 7) | ((i->rex & REX_B) << 3);
		i->rm = i->reg;
	}
	if (d->row.how & H_ACC)
		i->rm = EMULATE_RAX;
	if (d->row.op == OP_movsx && d->map == 0 && !is_long(d))
		i->op = OP_arpl;
	/* 90 is NOP (with F3 PAUSE), unless REX.B makes it an exchange with R8. */
	if (d->row.op == OP_xchg && (d->row.how & H_OPREG) && i->reg == EMULATE_RAX)
		i->op = OP_nop;
}

/* What this emulator does not know; and #UD for what does not exist in the mode, has a register where memory must be,
 * or LOCK where it may not be (SDM, "Invalid Opcode Exception (#UD)"). */
static enum insn_status legal(const struct decoder *d, const struct insn *i)
{
	uint32_t how = d->row.how;
	bool memory = i->flags & INSN_F_MEM;

	if (d->row.op == OP_unknown || ((how & H_MEM_ELSE_UNKNOWN) && !memory))
		return INSN_UNKNOWN;
	if (d->row.op == OP_ud || ((how & H_NO64) && is_long(d)))
		return INSN_UD;
	if (((how & H_PROT) || i->op == OP_arpl) && d->mode <= EMULATE_V86)
		return INSN_UD;
	if ((how & H_VEX_ONLY) && !(i->flags & INSN_F_VEX))
		return INSN_UD;
	if ((how & H_MEM) && !memory)
		return INSN_UD;
	if ((i->flags & INSN_F_LOCK) && !((how & H_LOCK) && memory))
		return INSN_UD;
	return INSN_OK;
}

static void initialise(struct decoder *d, struct insn *i, const uint8_t *bytes, unsigned n, enum emulate_mode mode)
{
	*i = (struct insn){ .base = INSN_NONE, .index = INSN_NONE, .seg = EMULATE_DS };
	*d = (struct decoder){ .bytes = bytes, .n = n < INSTRUCTION_LENGTH_MAX ? n : INSTRUCTION_LENGTH_MAX,
			       .mode = mode, .seg = INSN_NONE };
}

/* Rows that depend on ModRM. */
static void find_group(struct decoder *d, const struct insn *i)
{
	unsigned reg = (i->modrm >> 3) & 7;
	bool memory = i->modrm < 0xc0;
	uint32_t how = d->row.how;

	if (d->row.op == OP_group)
		d->row = opcode_groups[d->row.sub][reg];
	else if (d->row.op == OP_group_0f01)
		d->row = memory ? opcode_groups[d->row.sub][reg] : opcode_0f01(i->modrm);
	else if (d->row.op == OP_group_0fae)
		d->row = memory ? opcodes_0fae[reg][d->prefix] : opcode_0fae(reg, d->prefix);
	else
		return;
	if (d->map == 1 && (i->flags & INSN_F_VEX) && d->row.op != OP_native)
		d->row = (struct opcode){ OP_ud, 0, 0 }; /* of 0F AE only VLDMXCSR and VSTMXCSR */
	d->row.how |= how;
}

enum insn_status emulate_decode(const uint8_t *bytes, unsigned n, enum emulate_mode mode, struct insn *out)
{
	struct decoder d;
	struct insn *i = out;
	enum insn_status status = INSN_OK;
	uint8_t byte;

	initialise(&d, i, bytes, n, mode);
	byte = prefixes(&d, i);
	i->adsize = mode == EMULATE_LONG64		    ? (d.override_address ? 4 : 8)
		    : (default16(&d) != d.override_address) ? 2
							    : 4;
	if ((byte == VEX_3_BYTES || byte == VEX_2_BYTES) && is_vector_prefix(&d))
		status = vex(&d, i, byte);
	else if (byte == EVEX_PREFIX && is_vector_prefix(&d))
		status = INSN_UNKNOWN;
	else
		legacy(&d, i, byte);
	if (d.row.how & H_MODRM) {
		i->modrm = take8(&d);
		find_group(&d, i);
	}
	i->op = d.row.op;
	i->sub = d.row.sub;
	if (d.row.how & H_DIR)
		i->flags |= INSN_F_DIR;
	if (d.row.how & H_MODRM)
		modrm_operands(&d, i);
	implied_operands(&d, i);
	sizes(&d, i);
	immediate(&d, i);
	if (d.seg != INSN_NONE)
		i->seg = d.seg;
	i->length = d.at;
	if (d.at > d.n)
		return d.n < INSTRUCTION_LENGTH_MAX ? INSN_SHORT : INSN_TOO_LONG;
	return status != INSN_OK ? status : legal(&d, i);
}
