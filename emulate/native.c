/* emulate/native.c - encoding an instruction for the host's CPU, and running it. See native.h. */
#include "emulate/native.h"

#define RM_RDI 7u

static void put(struct emulate_native *n, uint8_t byte)
{
	n->code[n->length++] = byte;
}

/* The numbers of the operands as they are encoded: general registers are renamed. */
struct encoding {
	uint8_t reg, rm, vvvv;
	bool w;
};

static struct encoding rename_operands(const struct emulate *e, const struct insn *i, bool memory)
{
	unsigned bits = native_bits(i);
	struct encoding c = { .reg = i->reg, .rm = memory ? RM_RDI : i->rm, .vvvv = i->vvvv, .w = i->rex & REX_W };

	if (bits & INSN_N_REG)
		c.reg = EMULATE_RAX;
	if (bits & INSN_N_VVVV)
		c.vvvv = EMULATE_RCX;
	/* Outside 64-bit mode no general register has 64 bits, whatever VEX.W says. */
	if (!is_long64(e) && (bits & INSN_N_GPR))
		c.w = false;
	return c;
}

static void put_vex_prefix(const struct insn *i, const struct encoding *c, struct emulate_native *n)
{
	unsigned pp = (i->flags & INSN_F_REPNE) ? 3 : (i->flags & INSN_F_REP) ? 2 : (i->flags & INSN_F_OPSIZE) ? 1 : 0;

	put(n, VEX_3_BYTES);
	put(n, (c->reg & 8 ? 0 : VEX_R) | VEX_X | (c->rm & 8 ? 0 : VEX_B) | native_map(i));
	put(n, (c->w ? VEX_W : 0) | (~c->vvvv & 15) << VEX_VVVV_SHIFT | ((i->flags & INSN_F_VEXL) ? VEX_L : 0) | pp);
}

/* Mandatory prefixes are repeated. Of others only an operand size of 16 bits matters: to CRC32, the one that has a
 * choice. */
static void put_legacy_prefixes(const struct insn *i, const struct encoding *c, struct emulate_native *n)
{
	uint8_t rex = REX | (c->w ? REX_W : 0) | (c->reg & 8 ? REX_R : 0) | (c->rm & 8 ? REX_B : 0);
	bool mandatory66 = (i->flags & INSN_F_OPSIZE) && !(i->flags & (INSN_F_REP | INSN_F_REPNE));

	if (native_map(i)) {
		if (mandatory66 || i->opsize == 2)
			put(n, 0x66);
		if (i->flags & (INSN_F_REP | INSN_F_REPNE))
			put(n, (i->flags & INSN_F_REP) ? 0xf3 : 0xf2);
	}
	if (rex != REX)
		put(n, rex);
	if (native_map(i))
		put(n, 0x0f);
	if (native_map(i) > 1)
		put(n, native_map(i) == 2 ? 0x38 : 0x3a);
}

/* Does an immediate follow, and which register does it name? SDM: "Opcode Map", 0F 3A; 0F 70-73, C2, C4-C6. */
static bool has_immediate(const struct insn *i)
{
	unsigned opcode = native_opcode(i);

	if (native_map(i) == 3)
		return true;
	return native_map(i) == 1 &&
	       ((opcode >= 0x70 && opcode <= 0x73) || opcode == 0xc2 || (opcode >= 0xc4 && opcode <= 0xc6));
}

static uint8_t immediate(const struct emulate *e, const struct insn *i)
{
	unsigned opcode = native_opcode(i);
	bool is_register = native_map(i) == 3 && opcode >= 0x4a && opcode <= 0x4c;

	return i->imm & (is_register && !is_long64(e) ? 0x7f : 0xff);
}

static bool has_modrm(const struct insn *i)
{
	return native_map(i) ? !(native_map(i) == 1 && native_opcode(i) == 0x77) : native_opcode(i) != 0x9b;
}

void native_encode(const struct emulate *e, const struct insn *i, bool memory, struct emulate_native *n)
{
	struct encoding c = rename_operands(e, i, memory);

	*n = (struct emulate_native){ .rflags = e->rflags };
	if (i->flags & INSN_F_VEX)
		put_vex_prefix(i, &c, n);
	else
		put_legacy_prefixes(i, &c, n);
	put(n, native_opcode(i));
	if (has_modrm(i))
		put(n, (memory ? 0 : 0xc0) | (c.reg & 7) << 3 | (c.rm & 7));
	if (has_immediate(i))
		put(n, immediate(e, i));
}

enum emulate_result native_run(struct emulate *e, struct emulate_native *n)
{
	enum emulate_access a;

	if (!e->ops->native)
		return EMULATE_UNKNOWN;
	a = e->ops->native(e, n);
	if (a != EMULATE_ACCESS_FAULT)
		return from_access(e, a);
	/* SDM, "Interrupt 19 - SIMD Floating-Point Exception (#XM)": #UD where CR4.OSXMMEXCPT is clear, which in the
	 * host it is not. */
	switch (e->exception.vector) {
	case VECTOR_GP:
		return raise_error(e, VECTOR_GP, 0);
	case VECTOR_XM:
		return raise(e, (e->cr4 & CR4_OSXMMEXCPT) ? VECTOR_XM : VECTOR_UD);
	case VECTOR_MF:
	case VECTOR_NM:
		return raise(e, e->exception.vector);
	default:
		return raise(e, VECTOR_UD);
	}
}

enum emulate_result native_bytes(struct emulate *e, const uint8_t *code, unsigned length, void *operand)
{
	struct emulate_native n = { .length = length, .operand = operand, .rflags = e->rflags };

	memcpy(n.code, code, length);
	return native_run(e, &n);
}

/* VMOVDQU where it is wide, else MOVUPS. opcode: 6F and 10 load, 7F and 11 store. */
static enum emulate_result move_vector(struct emulate *e, unsigned v, bool wide, bool load, void *buf)
{
	uint8_t modrm = (v & 7) << 3 | RM_RDI;

	if (wide)
		return NATIVE_BYTES(e, buf, 0xc4, (v & 8 ? 0x61 : 0xe1), 0x7e, load ? 0x6f : 0x7f, modrm);
	return NATIVE_BYTES(e, buf, 0x40 | (v & 8 ? 4 : 0), 0x0f, load ? 0x10 : 0x11, modrm);
}

enum emulate_result native_get_vector(struct emulate *e, unsigned v, bool wide, uint8_t *buf)
{
	return move_vector(e, v, wide, false, buf);
}

/* With VEX.128, which clears what lies above. */
enum emulate_result native_set_vector(struct emulate *e, unsigned v, bool wide, const uint8_t *buf)
{
	uint8_t copy[32];

	memcpy(copy, buf, wide ? 32 : 16);
	if (wide)
		return move_vector(e, v, true, true, copy);
	return NATIVE_BYTES(e, copy, 0xc4, (v & 8 ? 0x61 : 0xe1), 0x7a, 0x6f, (v & 7) << 3 | RM_RDI);
}
