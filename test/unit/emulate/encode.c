/* test/unit/emulate/encode.c - see encode.h. */
#include <string.h>

#include "emulate/internal.h"
#include "test/unit/emulate/encode.h"

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

bool chance(unsigned percent)
{
	return random_below(100) < percent;
}

/* Values that arithmetic trips over, or just any. */
uint64_t random_value(void)
{
	static const uint64_t corners[] = { 0,
					    1,
					    2,
					    0x7f,
					    0x80,
					    0xff,
					    0x7fff,
					    0x8000,
					    0xffff,
					    0x7fffffff,
					    0x80000000,
					    0xffffffff,
					    0x7fffffffffffffff,
					    0x8000000000000000,
					    ~0ull,
					    ~1ull,
					    0x99,
					    0x9a };

	switch (random_below(4)) {
	case 0:
		return corners[random_below(ARRAY_SIZE(corners))];
	case 1:
		return random64() >> random_below(64);
	default:
		return random64();
	}
}

static void put(struct builder *b, uint64_t v, unsigned size)
{
	memcpy(b->bytes + b->n, &v, size);
	b->n += size;
}

bool builder_is_64(const struct builder *b)
{
	return b->c->layout == LAYOUT_LONG64;
}

/* Mostly well inside, sometimes across the pages' borders, where writing or everything faults, or outside. */
uint64_t random_target(uint64_t flags)
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
	if ((flags & F_AREA) && chance(95))
		t &= ~63ull;
	return t;
}

void put_prefixes(struct builder *b)
{
	const struct form *f = b->c->form;
	uint8_t list[8];
	unsigned n = 0;

	if (b->small && ((f->flags & F_SOURCE66) || (!(f->flags & F_NO66) && f->prefix != 0x66)))
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
	if (builder_is_64(b) && b->rex)
		put(b, b->rex, 1);
}

static unsigned vex_pp(uint8_t prefix)
{
	return prefix == 0x66 ? 1 : prefix == 0xf3 ? 2 : prefix == 0xf2 ? 3 : 0;
}

/* 67 and segment prefixes may stand before VEX. */
void put_vex(struct builder *b, bool memory)
{
	const struct form *f = b->c->form;
	bool uses_vvvv = memory ? f->flags & F_VVVV_MEM : f->flags & (F_VVVV | F_VVVV_MEM);
	uint8_t vvvv = uses_vvvv ? random_below(builder_is_64(b) ? 16 : 8) : chance(2) ? 3 : 0;
	uint8_t last;

	if ((f->flags & F_ANY_VEX) && chance(60))
		vvvv = random_below(builder_is_64(b) ? 16 : 8);
	last = (~vvvv & 15) << 3 | vex_pp(f->prefix);
	if (!(f->flags & (F_L0 | F_VVVV)) ? chance(50) : chance(3))
		last |= 4;
	if (b->address_override)
		put(b, 0x67, 1);
	if (b->seg != INSN_NONE)
		put(b, b->seg == EMULATE_GS ? 0x65 : 0x26 + 8 * b->seg, 1);
	if (f->map == 1 && !(b->rex & 0xb) && !(f->flags & F_ANY_VEX && chance(50)) && chance(60)) {
		put(b, 0xc5, 1);
		put(b, last | ((b->rex & 4) ? 0 : 0x80), 1);
		return;
	}
	put(b, 0xc4, 1);
	put(b, f->map | ((b->rex & 4) ? 0 : 0x80) | ((b->rex & 2) ? 0 : 0x40) | ((b->rex & 1) ? 0 : 0x20), 1);
	if (!builder_is_64(b) && (f->flags & F_ANY_VEX) && chance(40))
		b->w = true;
	put(b, last | (b->w ? 0x80 : 0), 1);
}

void put_opcode(struct builder *b, bool vex)
{
	const struct form *f = b->c->form;
	uint8_t opcode = f->opcode;

	if (f->flags & F_OPREG)
		opcode |= random_below(8);
	if (!vex && f->map)
		put(b, 0x0f, 1);
	if (!vex && f->map >= 2)
		put(b, f->map == 2 ? 0x38 : 0x3a, 1);
	put(b, opcode, 1);
}

uint64_t *builder_gpr(struct builder *b, unsigned n)
{
	return &b->c->in.gpr[n];
}

/* Set the part of a register that addresses use; above it may be anything. */
void set_address_part(struct builder *b, unsigned reg, uint64_t v)
{
	uint64_t mask = size_mask(b->adsize);

	*builder_gpr(b, reg) = (*builder_gpr(b, reg) & ~mask) | (v & mask);
}

/* Which segment the operand will use. */
unsigned memory_segment(const struct builder *b, unsigned base)
{
	if (b->seg != INSN_NONE && (b->seg >= EMULATE_FS || !builder_is_64(b)))
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
	set_address_part(b, bases[rm],
			 wanted_offset(b, bases[rm]) - disp - (indices[rm] < 8 ? *builder_gpr(b, indices[rm]) : 0));
	if (mod)
		put(b, disp, mod);
}

/* A gather: each element's index small, but now and then one that leads into the holes around the world, not beyond:
 * there the host has memory of its own. */
static void put_vsib(struct builder *b, unsigned reg)
{
	unsigned scale = random_below(4), base = builder_is_64(b) ? random_below(16) : random_below(8), index;
	uint8_t *v;

	base = base % 8 == 5 || base % 8 == 4 ? EMULATE_RSI : base;
	base = (base & 7) | (b->rex & 1) << 3;
	if (base % 8 == 4 || base % 8 == 5)
		base ^= 2;
	index = random_below(8) | (b->rex & 2) << 2;
	v = b->c->in.vec[index];
	for (unsigned n = 0; n < 32; n += b->c->form->opcode & 1 ? 8 : 4) {
		int64_t small = chance(97) ? (int64_t)random_below(64) - 32 : (int64_t)random_below(0x2000) - 0x1000;

		memcpy(v + n, &small, b->c->form->opcode & 1 ? 8 : 4);
	}
	set_address_part(b, base, wanted_offset(b, base));
	put(b, reg << 3 | 4, 1);
	put(b, scale << 6 | (index & 7) << 3 | (base & 7), 1);
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
		/* 64-bit addresses must stay in the displacement's reach: elsewhere the host has memory of its own. */
		if (b->adsize == 8 || chance(50))
			set_address_part(b, index, random_below(PAGE_SIZE));
		rest = wanted_offset(b, base) - (*builder_gpr(b, index) << scale);
		disp = rest;
	} else if (base == index) {
		set_address_part(b, base, rest / (1 + (1u << scale)));
		rest %= 1 + (1u << scale);
		disp += size == 4 || (size == 1 && disp + rest < 0x80) ? rest : 0;
	} else {
		if (chance(70))
			set_address_part(b, index, random_below(PAGE_SIZE));
		set_address_part(b, base, rest - (*builder_gpr(b, index) << scale));
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
		if (builder_is_64(b))
			b->rip_displacement = b->n;
		put(b, wanted_offset(b, INSN_NONE), 4);
		return;
	}
	set_address_part(b, base, wanted_offset(b, base) - disp);
	if (mod)
		put(b, disp, mod == 1 ? 1 : 4);
}

void put_modrm(struct builder *b, bool memory)
{
	const struct form *f = b->c->form;
	unsigned reg = f->digit == 0xff ? random_below(8) : f->digit;

	if (!memory) {
		put(b, 0xc0 | reg << 3 | random_below(8), 1);
		return;
	}
	b->has_target = true;
	if (b->c->form->flags & F_VSIB)
		put_vsib(b, reg);
	else if (b->adsize == 2)
		put_memory16(b, reg);
	else
		put_memory32(b, reg);
}

void put_immediate(struct builder *b)
{
	uint64_t flags = b->c->form->flags;
	bool near = (flags & F_CONTROL) && builder_is_64(b);
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
