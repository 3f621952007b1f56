/* test/unit/emulate_cases.c - see emulate_cases.h: encodes a form with random prefixes, operands and registers, so that its
 * memory operand lies where something is to be seen. */
#include <string.h>

#include "emulate/internal.h"
#include "test/unit/emulate_cases.h"

/* ---- random numbers ---- */

static uint64_t seed_state = 1;

void random_seed(uint64_t seed)
{
	/* Neighbouring seeds must not give neighbouring numbers. */
	seed_state = (seed + 1) * 0x9e3779b97f4a7c15ull;
	seed_state ^= seed_state >> 29;
	seed_state = seed_state * 0xbf58476d1ce4e5b9ull | 1;
	random64();
}

/* xorshift64* */
uint64_t random64(void)
{
	seed_state ^= seed_state >> 12;
	seed_state ^= seed_state << 25;
	seed_state ^= seed_state >> 27;
	return seed_state * 0x2545f4914f6cdd1dull;
}

unsigned random_below(unsigned n)
{
	return (unsigned)(random64() >> 33) % n;
}

static bool chance(unsigned percent)
{
	return random_below(100) < percent;
}

/* Values that arithmetic trips over, or just any. */
static uint64_t random_value(void)
{
	static const uint64_t corners[] = { 0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
					    0x7fffffffffffffff, 0x8000000000000000, ~0ull, ~1ull, 0x99, 0x9a };

	switch (random_below(4)) {
	case 0:
		return corners[random_below(ARRAY_SIZE(corners))];
	case 1:
		return random64() >> random_below(64);
	default:
		return random64();
	}
}

/* ---- building the encoding ---- */

struct builder {
	struct case_ *c;
	uint8_t *bytes;
	unsigned n;
	unsigned rip_displacement; /* where a RIP-relative displacement waits for the length; 0: none */
	bool w, address_override, small;
	uint8_t rex;
	uint8_t seg; /* of the memory operand, or INSN_NONE if not overridden */
	unsigned adsize, opsize;
	uint64_t target; /* the linear address that the memory operand should have */
	bool has_target;
};

static void put(struct builder *b, uint64_t v, unsigned size)
{
	memcpy(b->bytes + b->n, &v, size);
	b->n += size;
}

static bool is_64(const struct builder *b)
{
	return b->c->layout == LAYOUT_LONG64;
}

/* Mostly well inside, sometimes across the pages' borders, where writing or everything faults, or outside. */
static uint64_t random_target(uint32_t flags)
{
	uint64_t t;

	switch (random_below(32)) {
	case 0:
		t = WORLD_DATA + PAGE_SIZE - random_below(40);
		break;
	case 1:
		t = WORLD_READ_ONLY - random_below(40);
		break;
	case 2:
		t = chance(50) ? WORLD_END - random_below(40) : WORLD_READ_ONLY + random_below(PAGE_SIZE);
		break;
	case 3:
		t = chance(50) ? WORLD_DATA - random_below(40) : WORLD_END + random_below(64);
		break;
	default:
		t = WORLD_DATA + 64 + random_below(2 * PAGE_SIZE - 128);
		break;
	}
	if ((flags & F_ALIGN) && chance(85))
		t &= ~31ull;
	return t;
}

static void put_prefixes(struct builder *b)
{
	const struct form *f = b->c->form;
	uint8_t list[8];
	unsigned n = 0;

	if (b->small && !(f->flags & F_NO66) && f->prefix != 0x66)
		list[n++] = 0x66;
	if (b->address_override)
		list[n++] = 0x67;
	if (b->seg != INSN_NONE)
		list[n++] = b->seg == EMULATE_GS ? 0x65 : 0x26 + 8 * b->seg;
	if (f->prefix)
		list[n++] = f->prefix;
	if ((f->flags & F_STRING) && chance(60))
		list[n++] = chance(50) ? 0xf2 : 0xf3;
	if ((f->flags & F_LOCK) && chance(30))
		list[n++] = 0xf0;
	while (n) {
		unsigned k = random_below(n);

		put(b, list[k], 1);
		list[k] = list[--n];
	}
	if (is_64(b) && b->rex)
		put(b, b->rex, 1);
}

static unsigned vex_pp(uint8_t prefix)
{
	return prefix == 0x66 ? 1 : prefix == 0xf3 ? 2 : prefix == 0xf2 ? 3 : 0;
}

/* 67 and segment prefixes may stand before VEX. */
static void put_vex(struct builder *b, bool memory)
{
	const struct form *f = b->c->form;
	bool uses_vvvv = memory ? f->flags & F_VVVV_MEM : f->flags & (F_VVVV | F_VVVV_MEM);
	uint8_t vvvv = uses_vvvv ? random_below(is_64(b) ? 16 : 8) : chance(2) ? 3 : 0;
	uint8_t last = (~vvvv & 15) << 3 | vex_pp(f->prefix);

	if (!(f->flags & (F_L0 | F_VVVV)) ? chance(50) : chance(3))
		last |= 4;
	if (b->address_override)
		put(b, 0x67, 1);
	if (b->seg != INSN_NONE)
		put(b, b->seg == EMULATE_GS ? 0x65 : 0x26 + 8 * b->seg, 1);
	if (f->map == 1 && !(b->rex & 0xb) && chance(60)) {
		put(b, 0xc5, 1);
		put(b, last | ((b->rex & 4) ? 0 : 0x80), 1);
		return;
	}
	put(b, 0xc4, 1);
	put(b, f->map | ((b->rex & 4) ? 0 : 0x80) | ((b->rex & 2) ? 0 : 0x40) | ((b->rex & 1) ? 0 : 0x20), 1);
	put(b, last | ((b->rex & 8) ? 0x80 : 0), 1);
}

static void put_opcode(struct builder *b, bool vex)
{
	const struct form *f = b->c->form;
	uint8_t opcode = f->opcode;

	if (f->flags & F_OPREG)
		opcode |= random_below(8);
	if (!vex && f->map)
		put(b, 0x0f, 1);
	if (!vex && f->map == 2)
		put(b, 0x38, 1);
	put(b, opcode, 1);
}

static uint64_t *gpr(struct builder *b, unsigned n)
{
	return &b->c->in.gpr[n];
}

/* Set the part of a register that addresses use; above it may be anything. */
static void set_address_part(struct builder *b, unsigned reg, uint64_t v)
{
	uint64_t mask = size_mask(b->adsize);

	*gpr(b, reg) = (*gpr(b, reg) & ~mask) | (v & mask);
}

/* Which segment the operand will use. */
static unsigned memory_segment(const struct builder *b, unsigned base)
{
	if (b->seg != INSN_NONE && (b->seg >= EMULATE_FS || !is_64(b)))
		return b->seg;
	return base == EMULATE_RSP || base == EMULATE_RBP ? EMULATE_SS : EMULATE_DS;
}

static uint64_t wanted_offset(const struct builder *b, unsigned base)
{
	return (b->target - machine_segment_base(b->c->layout, memory_segment(b, base))) & size_mask(b->adsize);
}

static uint64_t random_displacement(unsigned size)
{
	uint64_t v = random64();

	return size == 1 ? sign_extend(v, 1) : chance(50) ? sign_extend(v & 0xffff, 2) : sign_extend(v, size);
}

static void put_memory16(struct builder *b, unsigned reg)
{
	static const uint8_t bases[8] = { 3, 3, 5, 5, 6, 7, 5, 3 };
	static const uint8_t indices[8] = { 6, 7, 6, 7, 0xff, 0xff, 0xff, 0xff };
	unsigned mod = random_below(3), rm = random_below(8);
	uint64_t disp = mod ? random_displacement(mod) : 0;

	put(b, mod << 6 | reg << 3 | rm, 1);
	if (mod == 0 && rm == 6) {
		put(b, wanted_offset(b, INSN_NONE), 2);
		return;
	}
	set_address_part(b, bases[rm], wanted_offset(b, bases[rm]) - disp - (indices[rm] < 8 ? *gpr(b, indices[rm]) : 0));
	if (mod)
		put(b, disp, mod);
}

/* With a SIB byte. */
static void put_sib(struct builder *b, unsigned mod, unsigned reg)
{
	unsigned scale = random_below(4), low = random_below(8), index_low = random_below(8);
	unsigned base = low | (b->rex & 1) << 3, index = index_low | (b->rex & 2) << 2;
	bool no_base = low == 5 && mod == 0;
	unsigned size = mod == 1 ? 1 : mod == 2 || no_base ? 4 : 0;
	uint64_t disp = size ? random_displacement(size) : 0, rest;

	if (no_base)
		base = INSN_NONE;
	rest = wanted_offset(b, base) - disp;
	if (index == EMULATE_RSP) {
		if (no_base)
			disp += rest;
		else
			set_address_part(b, base, rest);
	} else if (no_base) {
		if (chance(50))
			set_address_part(b, index, random_below(PAGE_SIZE));
		rest = wanted_offset(b, base) - (*gpr(b, index) << scale);
		disp = rest;
	} else if (base == index) {
		set_address_part(b, base, rest / (1 + (1u << scale)));
		rest %= 1 + (1u << scale);
		disp += size == 4 || (size == 1 && disp + rest < 0x80) ? rest : 0;
	} else {
		if (chance(70))
			set_address_part(b, index, random_below(PAGE_SIZE));
		set_address_part(b, base, rest - (*gpr(b, index) << scale));
	}
	put(b, mod << 6 | reg << 3 | 4, 1);
	put(b, scale << 6 | index_low << 3 | low, 1);
	put(b, disp, size);
}

static void put_memory32(struct builder *b, unsigned reg)
{
	unsigned mod = random_below(3), rm = random_below(8), base = rm | (b->rex & 1) << 3;
	uint64_t disp = mod == 0 ? 0 : random_displacement(mod == 1 ? 1 : 4);

	if (rm == 4) {
		put_sib(b, mod, reg);
		return;
	}
	put(b, mod << 6 | reg << 3 | rm, 1);
	if (mod == 0 && rm == 5) {
		if (is_64(b))
			b->rip_displacement = b->n;
		put(b, wanted_offset(b, INSN_NONE), 4);
		return;
	}
	set_address_part(b, base, wanted_offset(b, base) - disp);
	if (mod)
		put(b, disp, mod == 1 ? 1 : 4);
}

static void put_modrm(struct builder *b, bool memory)
{
	const struct form *f = b->c->form;
	unsigned reg = f->digit == 0xff ? random_below(8) : f->digit;

	if (!memory) {
		put(b, 0xc0 | reg << 3 | random_below(8), 1);
		return;
	}
	b->has_target = true;
	if (b->adsize == 2)
		put_memory16(b, reg);
	else
		put_memory32(b, reg);
}

static void put_immediate(struct builder *b)
{
	uint32_t flags = b->c->form->flags;
	bool near = (flags & F_CONTROL) && is_64(b);
	unsigned z = near ? 4 : b->opsize == 2 ? 2 : 4;

	if (flags & F_MOFFS) {
		put(b, wanted_offset(b, INSN_NONE), b->adsize);
		b->has_target = true;
	}
	if (flags & F_I8)
		put(b, chance(30) ? random_below(4) : random_value(), 1);
	if (flags & F_IZ)
		put(b, random_value(), z);
	if (flags & F_IV)
		put(b, random_value(), b->opsize);
	if (flags & F_I16)
		put(b, random_below(64), 2);
	if ((flags & F_ENTER) && b->c->form->opcode == 0xc8) {
		put(b, random_below(128), 2);
		put(b, chance(50) ? 0 : random_below(40), 1);
	}
}

/* ---- registers that the instruction uses beside its operands ---- */

static void stack_registers(struct builder *b)
{
	uint64_t base = machine_segment_base(b->c->layout, EMULATE_SS);
	unsigned flags = b->c->form->flags;
	uint64_t mask = b->c->layout == LAYOUT_CODE16 ? 0xffff : is_64(b) ? ~0ull : 0xffffffff;
	uint64_t *sp = gpr(b, EMULATE_RSP), *bp = gpr(b, EMULATE_RBP);

	*sp = (*sp & ~mask) | ((random_target(0) - base) & mask);
	if (flags & F_ENTER)
		*bp = (*bp & ~mask) | ((random_target(0) - base) & mask);
	if (!is_64(b)) {
		*sp = (uint32_t)*sp;
		*bp = (uint32_t)*bp;
	}
}

static void string_registers(struct builder *b)
{
	unsigned source = b->seg != INSN_NONE && (b->seg >= EMULATE_FS || !is_64(b)) ? b->seg : EMULATE_DS;

	set_address_part(b, EMULATE_RSI, random_target(0) - machine_segment_base(b->c->layout, source));
	set_address_part(b, EMULATE_RDI, random_target(0) - machine_segment_base(b->c->layout, EMULATE_ES));
	set_address_part(b, EMULATE_RCX, random_below(chance(90) ? 20 : 300));
	if (chance(50)) {
		uint64_t same = chance(50) ? 0 : random64();

		/* Runs of equal bytes, so that comparisons go on for a while. */
		for (unsigned n = 0; n < 32; n++)
			machine_poke(WORLD_DATA + random_below(2 * PAGE_SIZE - 8), &same, 8);
		*gpr(b, EMULATE_RAX) = same;
	}
}

static bool is_address_register(const struct insn *i, unsigned reg)
{
	return (i->flags & INSN_F_MEM) && (i->base == reg || i->index == reg);
}

/* Make interesting outcomes likely, where registers are free. */
static void favour(struct builder *b, const struct insn *i)
{
	uint32_t flags = b->c->form->flags;

	if ((flags & F_DIVIDE) && !is_address_register(i, EMULATE_RDX) && chance(70))
		*gpr(b, EMULATE_RDX) = chance(50) ? random_below(4) : (int64_t)(int32_t)random_value() >> 31;
	if ((flags & F_DIVIDE) && !is_address_register(i, EMULATE_RAX) && i->opsize == 1 && chance(60))
		*gpr(b, EMULATE_RAX) &= ~0xff00ull;
	if ((flags & F_COMPARE) && !is_address_register(i, EMULATE_RAX) && chance(50)) {
		if (b->has_target && b->target >= WORLD_DATA && b->target + 16 <= WORLD_END) {
			unsigned size = b->c->form->opcode == 0xc7 ? (i->rex & 8 ? 8 : 4) : i->opsize;

			memcpy(gpr(b, EMULATE_RAX), machine_native_memory() + (b->target - WORLD_DATA), size);
			if (!is_address_register(i, EMULATE_RDX))
				memcpy(gpr(b, EMULATE_RDX), machine_native_memory() + (b->target - WORLD_DATA) + size, size);
		}
	}
}

/* Where the emulator follows the SDM, and AMD's CPUs do otherwise: they write 32 bits for a 32-bit push of a segment register,
 * and read 32 bits for a MOVSXD to 16. */
static bool depends_on_make(const struct insn *i)
{
	return (i->op == OP_push_seg && i->opsize == 4) || (i->op == OP_movsx && i->sub > i->opsize);
}

/* A bit offset reaches up to 2^60 bytes away: keep it near. */
static bool near_bit(struct builder *b, const struct insn *i)
{
	if (!(b->c->form->flags & F_BT) || !(i->flags & INSN_F_MEM))
		return true;
	if (is_address_register(i, i->reg))
		return false;
	*gpr(b, i->reg) = (uint64_t)((int64_t)random_below(2000) - 1000);
	if (i->opsize == 2 && chance(50))
		*gpr(b, i->reg) ^= random64() << 16;
	return true;
}

/* An indirect jump to where nothing but breakpoints is, now and then. */
static void landing(struct builder *b, const struct insn *i)
{
	uint64_t to = machine_slot(b->c->layout) + 32 + random_below(32);

	if (!(b->c->form->flags & F_CONTROL) || chance(30))
		return;
	if (!(i->flags & INSN_F_MEM) && (b->c->form->flags & F_MODRM))
		*gpr(b, i->rm) = i->rm == EMULATE_RSP ? *gpr(b, i->rm) : to;
	else if (b->has_target)
		machine_poke(b->target, &to, 8);
	else if (b->c->form->flags & F_STACK)
		machine_poke(*gpr(b, EMULATE_RSP) + machine_segment_base(b->c->layout, EMULATE_SS), &to, 8);
}

/* ---- what is undefined ---- */

/* The count of a shift, masked as the CPU does. */
static unsigned shift_count(const struct case_ *c)
{
	unsigned raw = (c->form->flags & F_I8) ? c->insn.imm : (c->form->opcode & 0xfe) == 0xd0 ? 1 : c->in.gpr[EMULATE_RCX];

	return raw & (c->insn.opsize == 8 ? 63 : 31);
}

/* With a REP prefix on an AMD CPU, or with 66 and F3 ... nothing here depends on the make but what is masked. */
static void find_undefined(struct case_ *c)
{
	unsigned count = shift_count(c), bits = 8 * c->insn.opsize;
	uint64_t f = 0;

	switch (c->form->undefined) {
	case U_NONE:
		break;
	case U_LOGIC:
		f = FLAG_AF;
		break;
	case U_MULTIPLY:
		f = FLAG_SF | FLAG_ZF | FLAG_AF | FLAG_PF;
		break;
	case U_DIVIDE:
		f = FLAGS_ARITH;
		break;
	case U_SHIFT:
		f = (count ? FLAG_AF : 0) | (count > 1 ? FLAG_OF : 0);
		if (count >= bits && (c->insn.modrm & 0x38) != 0x38) /* SAR defines CF for every count */
			f |= FLAG_CF;
		break;
	case U_ROTATE:
		f = count > 1 ? FLAG_OF : 0;
		break;
	case U_DOUBLE_SHIFT:
		f = (count ? FLAG_AF : 0) | (count > 1 ? FLAG_OF : 0);
		if (count > bits) {
			f |= FLAGS_ARITH;
			c->undefined_result = true;
		}
		break;
	case U_BIT:
		f = FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF;
		break;
	case U_SCAN:
		f = FLAG_CF | FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF;
		break;
	case U_COUNT:
		f = FLAG_OF | FLAG_SF | FLAG_PF | FLAG_AF;
		break;
	case U_DECIMAL:
		f = FLAG_OF;
		break;
	case U_ASCII:
		f = FLAG_OF | FLAG_SF | FLAG_ZF | FLAG_PF;
		break;
	case U_ASCII_DIVIDE:
		f = FLAG_OF | FLAG_AF | FLAG_CF;
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
	c->in.rflags = (random64() & (FLAGS_ARITH | FLAG_DF)) | FLAG_IF | 2;
	if (c->form->flags & F_VECTOR) {
		for (unsigned n = 0; n < sizeof(c->in.vec); n += 8) {
			uint64_t v = random64();

			memcpy((uint8_t *)c->in.vec + n, &v, 8);
		}
		if (!machine_has_avx()) {
			for (unsigned n = 0; n < 16; n++)
				memset(c->in.vec[n] + 16, 0, 16);
		}
	}
}

static void random_sizes(struct builder *b)
{
	const struct form *f = b->c->form;
	bool default16 = b->c->layout == LAYOUT_CODE16;

	b->small = chance(30) && !(f->flags & F_NO66) && f->prefix != 0x66;
	b->address_override = chance(10);
	b->seg = INSN_NONE;
	if (chance(10))
		b->seg = is_64(b) && chance(60) ? EMULATE_GS : random_below(4);
	if (default16 && b->seg == EMULATE_CS)
		b->seg = EMULATE_DS; /* there CS has the code, which the worlds do not share */
	if (is_64(b)) {
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

bool case_make(struct case_ *c, const struct form *form, enum layout layout)
{
	struct builder b = { .c = c, .bytes = c->bytes };
	bool memory = (form->flags & F_MEM) || ((form->flags & F_MODRM) && !(form->flags & F_REG) && chance(60));
	bool vex = (form->flags & F_VEX) && machine_has_avx() && chance(50);
	enum emulate_mode mode = layout == LAYOUT_LONG64 ? EMULATE_LONG64 :
				 layout == LAYOUT_CODE16 ? EMULATE_PROT16 : EMULATE_PROT32;

	if (form->flags & (layout == LAYOUT_LONG64 ? F_NO64 : F_ONLY64))
		return false;
	c->form = form;
	c->layout = layout;
	c->undefined_result = false;
	random_state(c);
	random_sizes(&b);
	b.target = random_target(form->flags);
	if (form->flags & F_STACK)
		stack_registers(&b);
	if (vex)
		put_vex(&b, memory);
	else
		put_prefixes(&b);
	put_opcode(&b, vex);
	if (form->flags & F_MODRM)
		put_modrm(&b, memory);
	put_immediate(&b);
	if (form->flags & F_STRING)
		string_registers(&b);
	if (form->flags & F_XLAT) {
		set_address_part(&b, EMULATE_RBX, b.target - machine_segment_base(layout, memory_segment(&b, INSN_NONE)));
		b.has_target = true;
	}
	c->n = b.n;
	if (b.n > 15 || !fix_rip_relative(&b))
		return false;
	memset(&c->insn, 0, sizeof(c->insn));
	if (emulate_decode(c->bytes, c->n, mode, &c->insn) == INSN_OK) {
		favour(&b, &c->insn);
		landing(&b, &c->insn);
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
