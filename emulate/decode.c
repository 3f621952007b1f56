/* emulate/decode.c - from bytes to struct insn: prefixes, opcode, ModRM, SIB, displacement, immediate.
 *
 * Pure (E1). Bytes that are not there read as zero and only make the cursor overrun; one check at the end turns that into
 * INSN_SHORT or INSN_TOO_LONG, whatever the zeros decoded to. */
#include "emulate/ops.h"

#define INSN_MAX 15

struct decoder {
	const uint8_t *bytes;
	unsigned n;  /* bytes that are there, at most INSN_MAX */
	unsigned at; /* bytes consumed; beyond n after an overrun */
	enum emulate_mode mode;
	bool override_address;
	uint8_t seg;      /* override, or INSN_NONE */
	uint8_t prefix;   /* mandatory prefix: 0 none, 1 66, 2 F3, 3 F2 */
	uint8_t vex_map;  /* 1 0F, 2 0F38, 3 0F3A */
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
	return d->mode <= EMULATE_PROT16;
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
		/* Ignored in 64-bit mode, where it does not even undo an earlier FS or GS. */
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
		if (is_long(d) && (byte & 0xf0) == 0x40)
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

/* C4 or C5 at hand: is it VEX, not LES or LDS? */
static bool is_vex(const struct decoder *d)
{
	if (is_long(d))
		return true;
	return d->mode >= EMULATE_PROT16 && d->at < d->n && d->bytes[d->at] >= 0xc0;
}

/* The rest of a VEX prefix, the opcode, and its row. */
static enum insn_status vex(struct decoder *d, struct insn *i, uint8_t first)
{
	bool illegal = i->rex || (i->flags & (INSN_F_LOCK | INSN_F_OPSIZE | INSN_F_REP | INSN_F_REPNE));
	uint8_t b = take8(d), map = 1, last = b;

	/* R, X, B, vvvv are inverted. */
	i->rex = 0x40 | ((b & 0x80) ? 0 : 4);
	if (first == 0xc4) {
		map = b & 31;
		i->rex |= ((b & 0x40) ? 0 : 2) | ((b & 0x20) ? 0 : 1);
		last = take8(d);
		if (last & 0x80)
			i->rex |= 8;
	}
	if (!is_long(d))
		i->rex = 0x40; /* only eight registers; W does not act either */
	i->vvvv = (~last >> 3) & 15;
	i->flags |= INSN_F_VEX | ((last & 4) ? INSN_F_VEXL : 0);
	d->prefix = (last & 3) == 2 ? 2 : (last & 3);
	d->vex_map = map;
	d->opcode = take8(d);
	if (illegal)
		return INSN_UD;
	if (map == 1)
		d->row = opcodes_0f[d->opcode];
	else if (map == 2 && d->prefix == 1 && d->opcode == 0x2a)
		d->row = opcode_0f38(d->opcode, false);
	else
		return INSN_UNKNOWN;
	if (d->row.op == OP_prefix) {
		uint32_t how = d->row.how;

		d->row = opcode_prefixes[d->row.sub][d->prefix];
		d->row.how |= how;
	}
	return (d->row.how & H_VEX_OK) ? INSN_OK : INSN_UNKNOWN;
}

/* The row of an opcode that is not VEX-encoded. */
static void find_row(struct decoder *d, const struct insn *i, uint8_t byte)
{
	d->prefix = (i->flags & INSN_F_REP) ? 2 : (i->flags & INSN_F_REPNE) ? 3 : (i->flags & INSN_F_OPSIZE) ? 1 : 0;
	d->opcode = byte;
	if (byte != 0x0f) {
		d->row = opcodes_one[byte];
		return;
	}
	d->opcode = byte = take8(d);
	if (byte == 0x38) {
		d->opcode = take8(d);
		if (d->opcode == 0x2a && d->prefix != 1)
			d->row = (struct opcode){ 0 };
		else
			d->row = opcode_0f38(d->opcode, i->flags & INSN_F_REPNE);
		return;
	}
	d->row = opcodes_0f[byte];
	if (d->row.op == OP_prefix) {
		uint32_t how = d->row.how;

		d->row = opcode_prefixes[d->row.sub][d->prefix];
		d->row.how |= how;
	}
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

	i->base = rm | ((i->rex & 1) << 3);
	if (rm == 4) {
		uint8_t sib = take8(d);

		low = sib & 7;
		i->base = low | ((i->rex & 1) << 3);
		i->index = ((sib >> 3) & 7) | ((i->rex & 2) << 2);
		i->scale = sib >> 6;
		if (i->index == EMULATE_RSP)
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

	i->reg = ((i->modrm >> 3) & 7) | ((i->rex & 4) << 1);
	if (mod == 3 || (d->row.how & H_REGS)) {
		i->rm = rm | ((i->rex & 1) << 3);
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
	else if ((i->rex & 8) || (how & H_F64))
		i->opsize = 8;
	else if (how & H_D64)
		i->opsize = small ? 2 : 8;
	else
		i->opsize = small ? 2 : 4;
	if (how & H_VEX_OK)
		i->opsize = (i->rex & 8) ? 8 : 4; /* what MOVD/MOVQ want to know; 66 is part of the opcode */
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
}

/* Operands that the opcode itself names. */
static void implied_operands(const struct decoder *d, struct insn *i)
{
	if (d->row.how & H_OPREG) {
		i->reg = (d->opcode & 7) | ((i->rex & 1) << 3);
		i->rm = i->reg;
	}
	if (d->row.how & H_ACC)
		i->rm = EMULATE_RAX;
	/* 90 is NOP (with F3 PAUSE), unless REX.B makes it an exchange with R8. */
	if (d->row.op == OP_xchg && (d->row.how & H_OPREG) && i->reg == EMULATE_RAX)
		i->op = OP_nop;
}

static enum insn_status vex_legal(const struct decoder *d, const struct insn *i)
{
	bool memory = i->flags & INSN_F_MEM;
	bool uses_vvvv = (d->row.how & H_VEX_NDS) && (!memory || i->op == OP_vector_half_load);

	if (!uses_vvvv && i->vvvv)
		return INSN_UD;
	if ((d->row.how & H_VEX_L0) && (i->flags & INSN_F_VEXL))
		return INSN_UD;
	return INSN_OK;
}

/* What the encoding forbids, or this emulator does not know. */
static enum insn_status legal(const struct decoder *d, const struct insn *i)
{
	uint32_t how = d->row.how;
	bool memory = i->flags & INSN_F_MEM;

	if (d->row.op == OP_unknown)
		return INSN_UNKNOWN;
	if (d->row.op == OP_ud || ((how & H_NO64) && is_long(d)))
		return INSN_UD;
	if (d->opcode == 0x63 && d->row.op == OP_movsx && !is_long(d))
		return d->mode <= EMULATE_V86 ? INSN_UD : INSN_UNKNOWN; /* ARPL */
	if ((how & H_MEM) && !memory)
		return INSN_UD;
	if ((how & H_MEM_ELSE_UNKNOWN) && !memory)
		return INSN_UNKNOWN;
	if ((i->flags & INSN_F_LOCK) && !((how & H_LOCK) && memory))
		return INSN_UD;
	if (i->flags & INSN_F_VEX)
		return vex_legal(d, i);
	return INSN_OK;
}

static void initialise(struct decoder *d, struct insn *i, const uint8_t *bytes, unsigned n, enum emulate_mode mode)
{
	*i = (struct insn){ .base = INSN_NONE, .index = INSN_NONE, .seg = EMULATE_DS };
	*d = (struct decoder){ .bytes = bytes, .n = n < INSN_MAX ? n : INSN_MAX, .mode = mode, .seg = INSN_NONE };
}

enum insn_status emulate_decode(const uint8_t *bytes, unsigned n, enum emulate_mode mode, struct insn *out)
{
	struct decoder d;
	struct insn *i = out;
	enum insn_status status = INSN_OK;
	uint8_t byte;

	initialise(&d, i, bytes, n, mode);
	byte = prefixes(&d, i);
	i->adsize = mode == EMULATE_LONG64 ? (d.override_address ? 4 : 8) : (default16(&d) != d.override_address) ? 2 : 4;
	if ((byte == 0xc4 || byte == 0xc5) && is_vex(&d))
		status = vex(&d, i, byte);
	else
		find_row(&d, i, byte);
	if (d.row.how & H_MODRM)
		i->modrm = take8(&d);
	if (d.row.op == OP_group) {
		uint32_t how = d.row.how;

		d.row = opcode_groups[d.row.sub][(i->modrm >> 3) & 7];
		d.row.how |= how;
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
		return d.n < INSN_MAX ? INSN_SHORT : INSN_TOO_LONG;
	return status != INSN_OK ? status : legal(&d, i);
}
