/* test/unit/emulate/cases.c - see cases.h: a form with random prefixes, operands and registers, so that something is to
 * be seen, and which of its results are undefined. */
#include <string.h>

#include "emulate/internal.h"
#include "test/unit/emulate/encode.h"

/* ---- registers that the instruction uses beside its operands ---- */

static void stack_registers(struct builder *b)
{
	uint64_t base = machine_segment_base(b->c->layout, EMULATE_SS);
	uint64_t flags = b->c->form->flags;
	uint64_t mask = b->c->layout == LAYOUT_CODE16 ? 0xffff : builder_is_64(b) ? ~0ull : 0xffffffff;
	uint64_t *sp = builder_gpr(b, EMULATE_RSP), *bp = builder_gpr(b, EMULATE_RBP);

	*sp = (*sp & ~mask) | ((random_target(0) - base) & mask);
	if (flags & F_ENTER)
		*bp = (*bp & ~mask) | ((random_target(0) - base) & mask);
	if (!builder_is_64(b)) {
		*sp = (uint32_t)*sp;
		*bp = (uint32_t)*bp;
	}
}

static void string_registers(struct builder *b)
{
	unsigned source = b->seg != INSN_NONE && (b->seg >= EMULATE_FS || !builder_is_64(b)) ? b->seg : EMULATE_DS;

	set_address_part(b, EMULATE_RSI, random_target(0) - machine_segment_base(b->c->layout, source));
	set_address_part(b, EMULATE_RDI, random_target(0) - machine_segment_base(b->c->layout, EMULATE_ES));
	set_address_part(b, EMULATE_RCX, random_below(chance(90) ? 20 : 300));
	if (chance(50)) {
		uint64_t same = chance(50) ? 0 : random64();

		/* Runs of equal bytes, so that comparisons go on for a while. */
		for (unsigned n = 0; n < 32; n++)
			machine_poke(WORLD_DATA + random_below(2 * PAGE_SIZE - 8), &same, 8);
		*builder_gpr(b, EMULATE_RAX) = same;
	}
}

static bool is_address_register(const struct insn *i, unsigned reg)
{
	return (i->flags & INSN_F_MEM) && (i->base == reg || i->index == reg);
}

/* Make interesting outcomes likely, where registers are free. */
static void favour(struct builder *b, const struct insn *i)
{
	uint64_t flags = b->c->form->flags;

	if ((flags & F_DIVIDE) && !is_address_register(i, EMULATE_RDX) && chance(70))
		*builder_gpr(b, EMULATE_RDX) = chance(50) ? random_below(4) : (int64_t)(int32_t)random_value() >> 31;
	if ((flags & F_DIVIDE) && !is_address_register(i, EMULATE_RAX) && i->opsize == 1 && chance(60))
		*builder_gpr(b, EMULATE_RAX) &= ~0xff00ull;
	if ((flags & F_COMPARE) && !is_address_register(i, EMULATE_RAX) && chance(50)) {
		if (b->has_target && b->target >= WORLD_DATA && b->target + 16 <= WORLD_END) {
			unsigned size = b->c->form->opcode == 0xc7 ? (i->rex & 8 ? 8 : 4) : i->opsize;

			memcpy(builder_gpr(b, EMULATE_RAX), machine_native_memory() + (b->target - WORLD_DATA), size);
			if (!is_address_register(i, EMULATE_RDX))
				memcpy(builder_gpr(b, EMULATE_RDX),
				       machine_native_memory() + (b->target - WORLD_DATA) + size, size);
		}
	}
}

/* Where the emulator follows the SDM, and AMD's CPUs do otherwise: they write 32 bits for a 32-bit push of a segment
 * register, and read 32 bits for a MOVSXD to 16. */
static bool depends_on_make(const struct insn *i)
{
	return (i->op == OP_push_seg && i->opsize == 4) || (i->op == OP_movsx && i->sub > i->opsize);
}

/* A selector of the LDT: in the register, or where the operand is. */
static void select(struct builder *b, const struct insn *i)
{
	uint64_t selector = random_below(9) * 8 | 4 | random_below(4);

	if (!(i->flags & INSN_F_MEM))
		*builder_gpr(b, i->rm) = (*builder_gpr(b, i->rm) & ~0xffffull) | selector;
	else if (b->has_target)
		machine_poke(b->target, &selector, 2);
}

/* A bit offset reaches up to 2^60 bytes away: keep it near. */
static bool near_bit(struct builder *b, const struct insn *i)
{
	if (!(b->c->form->flags & F_BT) || !(i->flags & INSN_F_MEM))
		return true;
	if (is_address_register(i, i->reg))
		return false;
	*builder_gpr(b, i->reg) = (uint64_t)((int64_t)random_below(2000) - 1000);
	if (i->opsize == 2 && chance(50))
		*builder_gpr(b, i->reg) ^= random64() << 16;
	return true;
}

/* An indirect jump to where nothing but breakpoints is, now and then. */
static void landing(struct builder *b, const struct insn *i)
{
	uint64_t to = machine_slot(b->c->layout) + 32 + random_below(32);

	if (!(b->c->form->flags & F_CONTROL) || chance(30))
		return;
	if (!(i->flags & INSN_F_MEM) && (b->c->form->flags & F_MODRM))
		*builder_gpr(b, i->rm) = i->rm == EMULATE_RSP ? *builder_gpr(b, i->rm) : to;
	else if (b->has_target)
		machine_poke(b->target, &to, 8);
	else if (b->c->form->flags & F_STACK)
		machine_poke(*builder_gpr(b, EMULATE_RSP) + machine_segment_base(b->c->layout, EMULATE_SS), &to, 8);
}

/* ---- what is undefined ---- */

/* The count of a shift, masked as the CPU does. */
static unsigned shift_count(const struct case_ *c)
{
	unsigned raw = (c->form->flags & F_I8)		  ? c->insn.imm
		       : (c->form->opcode & 0xfe) == 0xd0 ? 1
							  : c->in.gpr[EMULATE_RCX];

	return raw & (c->insn.opsize == 8 ? 63 : 31);
}

/* Flags that the manual calls undefined whatever the operands are. */
static uint64_t undefined_always(enum undefined kind)
{
	static const uint64_t flags[] = {
		[U_LOGIC] = RFLAGS_AF,
		[U_MULTIPLY] = RFLAGS_SF | RFLAGS_ZF | RFLAGS_AF | RFLAGS_PF,
		[U_DIVIDE] = RFLAGS_STATUS,
		[U_BIT] = RFLAGS_OF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF,
		[U_SCAN] = RFLAGS_CF | RFLAGS_OF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF,
		[U_COUNT] = RFLAGS_OF | RFLAGS_SF | RFLAGS_PF | RFLAGS_AF,
		[U_DECIMAL] = RFLAGS_OF,
		[U_ASCII] = RFLAGS_OF | RFLAGS_SF | RFLAGS_ZF | RFLAGS_PF,
		[U_ASCII_DIVIDE] = RFLAGS_OF | RFLAGS_AF | RFLAGS_CF,
	};

	return kind < ARRAY_SIZE(flags) ? flags[kind] : 0;
}

static void find_undefined(struct case_ *c)
{
	unsigned count = shift_count(c), bits = 8 * c->insn.opsize;
	uint64_t f = undefined_always(c->form->undefined);

	switch (c->form->undefined) {
	case U_SHIFT:
		f = (count ? RFLAGS_AF : 0) | (count > 1 ? RFLAGS_OF : 0);
		if (count >= bits && (c->insn.modrm & 0x38) != 0x38) /* SAR defines CF for every count */
			f |= RFLAGS_CF;
		break;
	case U_ROTATE:
		f = count > 1 ? RFLAGS_OF : 0;
		break;
	case U_DOUBLE_SHIFT:
		f = (count ? RFLAGS_AF : 0) | (count > 1 ? RFLAGS_OF : 0);
		if (count > bits) {
			f |= RFLAGS_STATUS;
			c->undefined_result = true;
		}
		break;
	default:
		break;
	}
	c->undefined_flags = f;
}

/* ---- putting it together ---- */

static void random_state(struct case_ *c)
{
	bool small = c->layout != LAYOUT_LONG64;

	for (unsigned n = 0; n < EMULATE_GPRS; n++)
		c->in.gpr[n] = small ? (n < 8 ? (uint32_t)random_value() : 0) : random_value();
	c->in.rflags = (random64() & (RFLAGS_STATUS | RFLAGS_DF)) | RFLAGS_IF | 2;
	if (c->form->flags & F_VECTOR)
		random_units(c);
}

static void random_sizes(struct builder *b)
{
	const struct form *f = b->c->form;
	bool default16 = b->c->layout == LAYOUT_CODE16;

	b->small = chance(30) && ((f->flags & F_SOURCE66) || (!(f->flags & F_NO66) && f->prefix != 0x66));
	b->address_override = chance(10);
	b->seg = INSN_NONE;
	if (chance(10))
		b->seg = builder_is_64(b) && chance(60) ? EMULATE_GS : random_below(4);
	if (default16 && b->seg == EMULATE_CS)
		b->seg = EMULATE_DS; /* there CS has the code, which the worlds do not share */
	if (builder_is_64(b)) {
		b->rex = chance(60) ? 0x40 | random_below(16) : 0;
		b->w = b->rex & 8;
		b->adsize = b->address_override ? 4 : 8;
		b->opsize = b->w ? 8 : b->small ? 2 : (f->flags & F_D64) ? 8 : 4;
	} else {
		b->adsize = default16 != b->address_override ? 2 : 4;
		b->opsize = default16 != b->small ? 2 : 4;
	}
}

/* RIP-relative: known only when the length is. */
static bool fix_rip_relative(struct builder *b)
{
	uint64_t next = machine_slot(b->c->layout) + b->n;
	uint64_t base = machine_segment_base(b->c->layout, memory_segment(b, INSN_NONE));
	int64_t disp = (int64_t)(b->target - base - next);

	if (!b->rip_displacement)
		return true;
	if (disp != (int32_t)disp)
		return false;
	memcpy(b->bytes + b->rip_displacement, &disp, 4);
	return true;
}

/* Does the host have the instruction? */
bool form_available(const struct form *f)
{
	uint32_t needs = 0;

	if (f->map == 2 && (f->opcode & 0xfe) == 0xf0)
		needs = EMULATE_HAS_MOVBE;
	else if (f->map == 1 && f->prefix == 0xf3)
		needs = f->opcode == 0xb8 ? EMULATE_HAS_POPCNT : f->opcode == 0xbc ? EMULATE_HAS_TZCNT :
			f->opcode == 0xbd ? EMULATE_HAS_LZCNT : 0;
	return (machine_features() & needs) == needs;
}

/* The instruction's bytes, and the registers and memory that its form asks for. */
static void build(struct builder *b)
{
	struct case_ *c = b->c;
	uint64_t flags = c->form->flags;
	bool memory = (flags & F_MEM) || ((flags & F_MODRM) && !(flags & F_REG) && chance(60));
	bool vex = (flags & F_VEX) && cpu_has_avx() && (chance(50) || (flags & F_VSIB));

	random_state(c);
	random_sizes(b);
	b->target = random_target(flags);
	if (flags & F_STACK)
		stack_registers(b);
	if (vex)
		put_vex(b, memory);
	else
		put_prefixes(b);
	put_opcode(b, vex);
	if (flags & F_MODRM)
		put_modrm(b, memory);
	put_immediate(b);
	if (flags & F_STRING)
		string_registers(b);
	if (flags & F_RDI)
		set_address_part(b, EMULATE_RDI,
				 b->target - machine_segment_base(c->layout, memory_segment(b, INSN_NONE)));
	if (flags & F_AREA)
		prepare_area(c, b->target);
	if (flags & F_MXCSR)
		prepare_mxcsr(b->target);
	if (flags & F_XLAT) {
		set_address_part(b, EMULATE_RBX,
				 b->target - machine_segment_base(c->layout, memory_segment(b, INSN_NONE)));
		b->has_target = true;
	}
}

bool case_make(struct case_ *c, const struct form *form, enum layout layout)
{
	struct builder b = { .c = c, .bytes = c->bytes };
	enum emulate_mode mode = layout == LAYOUT_LONG64 ? EMULATE_LONG64 :
				 layout == LAYOUT_CODE16 ? EMULATE_PROT16 : EMULATE_PROT32;

	if (form->flags & (layout == LAYOUT_LONG64 ? F_NO64 : F_ONLY64))
		return false;
	c->form = form;
	c->layout = layout;
	c->undefined_result = false;
	build(&b);
	c->n = b.n;
	if (b.n > 15 || !fix_rip_relative(&b))
		return false;
	memset(&c->insn, 0, sizeof(c->insn));
	if (emulate_decode(c->bytes, c->n, mode, &c->insn) == INSN_OK) {
		favour(&b, &c->insn);
		landing(&b, &c->insn);
		if (form->flags & F_SELECTOR)
			select(&b, &c->insn);
		if (!near_bit(&b, &c->insn) || depends_on_make(&c->insn))
			return false;
	}
	if (layout != LAYOUT_LONG64) {
		for (unsigned n = 0; n < 8; n++)
			c->in.gpr[n] = (uint32_t)c->in.gpr[n];
	}
	c->in.rip = machine_slot(layout);
	find_undefined(c);
	return true;
}
