/* guest/test/hostile/hostile-code.c - random programs: opcodes with operands that mostly lead somewhere, or bytes. */
#include "guest/test/hostile/hostile.h"

/* Instructions that a program hardly finds by chance. After the opcode comes a ModRM byte whose reg field is digit, or
 * any. */
struct encoding { uint8_t length, bytes[4]; int8_t digit; uint16_t needs; };
#define ANY (-1)
#define NONE (-2)
static const struct encoding system_list[] = {
	{ 2, { 0x0f, 0x00 }, 0, 0 },
	{ 2, { 0x0f, 0x00 }, 1, 0 },
	{ 2, { 0x0f, 0x00 }, 2, 0 },
	{ 2, { 0x0f, 0x00 }, 3, MAY_END },
	{ 2, { 0x0f, 0x00 }, 4, 0 },
	{ 2, { 0x0f, 0x00 }, 5, 0 },
	{ 2, { 0x0f, 0x01 }, 0, 0 },
	{ 2, { 0x0f, 0x01 }, 1, 0 },
	{ 2, { 0x0f, 0x01 }, 2, MAY_END },
	{ 2, { 0x0f, 0x01 }, 3, MAY_END },
	{ 2, { 0x0f, 0x01 }, 4, 0 },
	{ 2, { 0x0f, 0x01 }, 6, MAY_CR },
	{ 2, { 0x0f, 0x01 }, 7, 0 },
	{ 2, { 0x0f, 0x01 }, 7, 0 },
	{ 3, { 0x0f, 0x01, 0xf8 }, NONE, 0 },
	{ 3, { 0x0f, 0x01, 0xd0 }, NONE, 0 },
	{ 3, { 0x0f, 0x01, 0xd1 }, NONE, MAY_CR },
	{ 3, { 0x0f, 0x01, 0xca }, NONE, 0 },
	{ 3, { 0x0f, 0x01, 0xcb }, NONE, 0 },
	{ 3, { 0x0f, 0x01, 0xf9 }, NONE, MAY_DIFFER },
	{ 3, { 0x0f, 0x01, 0xc8 }, NONE, MAY_DIFFER },
	{ 3, { 0x0f, 0x01, 0xc9 }, NONE, MAY_DIFFER },
	{ 3, { 0x0f, 0x01, 0xc1 }, NONE, MAY_DIFFER },
	{ 3, { 0x0f, 0x01, 0xc2 }, NONE, 0 },
	{ 3, { 0x0f, 0x01, 0xc4 }, NONE, 0 },
	{ 3, { 0x0f, 0x01, 0xd4 }, NONE, 0 },
	{ 2, { 0x0f, 0x02 }, ANY, 0 },
	{ 2, { 0x0f, 0x03 }, ANY, 0 },
	{ 2, { 0x0f, 0x06 }, NONE, MAY_CR },
	{ 2, { 0x0f, 0x08 }, NONE, 0 },
	{ 2, { 0x0f, 0x09 }, NONE, 0 },
	{ 2, { 0x0f, 0x20 }, ANY, 0 },
	{ 2, { 0x0f, 0x21 }, ANY, MAY_DR },
	{ 2, { 0x0f, 0x23 }, ANY, MAY_DR },
	{ 2, { 0x0f, 0x23 }, ANY, MAY_DR },
	{ 2, { 0x0f, 0x05 }, NONE, 0 },
	{ 2, { 0x0f, 0x07 }, NONE, 0 },
	{ 2, { 0x0f, 0x34 }, NONE, 0 },
	{ 2, { 0x0f, 0x35 }, NONE, 0 },
	{ 2, { 0x0f, 0xae }, ANY, 0 },
	{ 3, { 0xf3, 0x0f, 0xae }, ANY, 0 },
	{ 3, { 0x48, 0x0f, 0xae }, ANY, 0 },
	{ 2, { 0x0f, 0xc7 }, 1, 0 },
	{ 3, { 0x48, 0x0f, 0xc7 }, 1, 0 },
	{ 3, { 0xf0, 0x0f, 0xc7 }, 1, 0 },
	{ 2, { 0x0f, 0xc7 }, ANY, MAY_DIFFER },
	{ 1, { 0x8e }, ANY, 0 },
	{ 1, { 0x8e }, 2, 0 },
	{ 1, { 0x8c }, ANY, 0 },
	{ 1, { 0xcf }, NONE, 0 },
	{ 2, { 0x48, 0xcf }, NONE, 0 },
	{ 1, { 0xcb }, NONE, 0 },
	{ 2, { 0x48, 0xcb }, NONE, 0 },
	{ 1, { 0xcd }, ANY, 0 },
	{ 1, { 0xcd }, ANY, 0 },
	{ 1, { 0x9d }, NONE, 0 },
	{ 1, { 0x9c }, NONE, 0 },
	{ 1, { 0x17 }, NONE, 0 },
	{ 2, { 0x0f, 0xa1 }, NONE, 0 },
	{ 2, { 0x0f, 0xa9 }, NONE, 0 },
	{ 2, { 0x0f, 0xb2 }, ANY, 0 },
	{ 2, { 0x0f, 0xb4 }, ANY, 0 },
	{ 1, { 0xff }, 3, 0 },
	{ 1, { 0xff }, 5, 0 },
	{ 1, { 0xc8 }, ANY, 0 },
	{ 1, { 0xf1 }, NONE, 0 },
	{ 1, { 0xcc }, NONE, 0 },
	{ 1, { 0xce }, NONE, 0 },
	{ 2, { 0x0f, 0x0b }, NONE, 0 },
	{ 1, { 0xfa }, NONE, 0 },
	{ 1, { 0xfb }, NONE, 0 },
	{ 1, { 0x9b }, NONE, 0 },
	{ 2, { 0xdb, 0xe3 }, NONE, 0 },
	{ 1, { 0x62 }, ANY, 0 },
	{ 1, { 0xd7 }, NONE, 0 },
	{ 2, { 0x0f, 0x37 }, NONE, 0 },
	{ 2, { 0x0f, 0xaa }, NONE, 0 },
	{ 2, { 0x0f, 0x78 }, ANY, 0 },
	{ 2, { 0x0f, 0x79 }, ANY, 0 },
	{ 4, { 0x66, 0x0f, 0x38, 0x80 }, ANY, 0 },
	{ 4, { 0x66, 0x0f, 0x38, 0x81 }, ANY, 0 },
	{ 2, { 0x0f, 0xa2 }, NONE, MAY_DIFFER },
	{ 2, { 0x0f, 0x31 }, NONE, MAY_DIFFER },
	{ 2, { 0x0f, 0x33 }, NONE, MAY_DIFFER },
	{ 2, { 0x0f, 0x32 }, NONE, MAY_MSR },
	{ 2, { 0x0f, 0x30 }, NONE, MAY_MSR },
	{ 2, { 0x0f, 0x30 }, NONE, MAY_MSR },
	{ 2, { 0x0f, 0x32 }, NONE, MAY_MSR },
	{ 1, { 0xe4 }, ANY, MAY_PORTS },
	{ 1, { 0xec }, NONE, MAY_PORTS },
	{ 1, { 0xed }, NONE, MAY_PORTS },
	{ 1, { 0xee }, NONE, MAY_PORTS },
	{ 1, { 0xef }, NONE, MAY_PORTS },
	{ 1, { 0x6c }, NONE, MAY_PORTS },
	{ 1, { 0x6d }, NONE, MAY_PORTS },
	{ 1, { 0x6e }, NONE, MAY_PORTS },
	{ 1, { 0x6f }, NONE, MAY_PORTS },
	{ 2, { 0xf3, 0x6c }, NONE, MAY_PORTS },
	{ 2, { 0xf3, 0x6d }, NONE, MAY_PORTS },
	{ 2, { 0xf3, 0x6e }, NONE, MAY_PORTS },
	{ 2, { 0xf3, 0x6f }, NONE, MAY_PORTS },
};
#define SYSTEM_COUNT (sizeof(system_list) / sizeof(system_list[0]))

/* What lies from `random` on (NULL: all of it) may be taken for instructions. */
struct out {
	uint8_t *at, *random;
	bool has_value; /* RAX must be value; no other slot may run into it */
	word value;
};

static void put8(struct out *o, unsigned v) { *o->at++ = (uint8_t)v; }

static void put32(struct out *o, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		put8(o, v >> 8 * i);
}

static void put_displacement(struct experiment *x, struct out *o, unsigned mod, unsigned modrm)
{
	if (mod == 1)
		put8(o, below(x, 256));
	else if (mod == 2 || (mod == 0 && (modrm & 7) == 5))
		put32(o, chance(x, mod == 2 ? 8 : 2) ? (uint32_t)pointer_any(x) : below(x, 256) - 128);
}

static void put_modrm(struct experiment *x, struct out *o, int digit, bool memory)
{
	static const uint8_t mods[8] = { 0, 0, 0, 1, 1, 2, 3, 3 };
	unsigned mod = mods[below(x, memory ? 6 : 8)], rm = below(x, 8),
		 reg = digit >= 0 ? (unsigned)digit : below(x, 8);

	put8(o, mod << 6 | reg << 3 | rm);
	if (o->random)
		o->random = o->at;
	if (mod != 3 && rm == 4)
		put8(o, chance(x, 8) ? below(x, 256) : 0x20 | below(x, 8));
	put_displacement(x, o, mod, rm);
	/* An immediate operand, or the next instruction, which must not be where an instruction has to be alone. */
	if (x->kind->may & MAY_TABLES)
		put32(o, 0xcccccccc);
	else
		put32(o, chance(x, 2) ? below(x, 256) : (uint32_t)value_any(x));
}

static void put_prefixes(struct experiment *x, struct out *o, bool long_mode)
{
	static const uint8_t segment[6] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65 };

	if (chance(x, 8))
		put8(o, 0x66);
	if (chance(x, 16))
		put8(o, 0x67);
	if (chance(x, 16))
		put8(o, 0xf2 + below(x, 2));
	if (chance(x, 64))
		put8(o, 0xf0);
	if (chance(x, 20))
		put8(o, segment[below(x, 6)]);
	if (long_mode && chance(x, 2))
		put8(o, 0x40 + below(x, 16));
}

/* ---- what is left out ---- */

/* IMUL, MUL, DIV, shifts by more than one. */
static bool leaves_undefined(unsigned op)
{
	return op == 0x69 || op == 0x6b || op == 0xf6 || op == 0xf7 || op == 0xc0 || op == 0xc1 || op == 0xd2 ||
	       op == 0xd3;
}

/* ENTER, where a mechanism ends in its midst: how much of the frame is on the stack by then is each CPU's own. */
static bool ends_half_done(const struct kind *k, unsigned op)
{
	return op == 0xc8 && (k->may & (MUST_DEFINE | MAY_TABLES));
}

/* Ports belong to kinds of their own; a program may reach HLT, but seldom: it costs the watchdog's time. */
static bool one_byte_forbidden(struct experiment *x, unsigned op)
{
	if ((op >= 0xe4 && op <= 0xe7) || (op >= 0xec && op <= 0xef) || (op >= 0x6c && op <= 0x6f))
		return !(x->kind->may & MAY_PORTS);
	if ((x->kind->may & MUST_DEFINE && leaves_undefined(op)) || ends_half_done(x->kind, op))
		return true;
	if (x->kind->may & MAY_STOP_WATCHDOG) /* jumps, loops, returns, HLT: nothing would end them */
		return (op >= 0x70 && op <= 0x7f) || (op >= 0xe0 && op <= 0xeb) || (op >= 0xc2 && op <= 0xc3) ||
		       (op >= 0xca && op <= 0xcf) || op == 0x9a || op == 0xf4 || op == 0xff;
	return op == 0xf4 && !chance(x, 8);
}

/* SHLD, SHRD, IMUL, BSF, BSR. */
static bool two_byte_leaves_undefined(unsigned op)
{
	return op == 0xa4 || op == 0xa5 || op == 0xac || op == 0xad || op == 0xaf || op == 0xbc || op == 0xbd;
}

/* 0F: what differs between machines, and what would take the supervisor's ground away. */
static bool two_byte_forbidden(const struct kind *k, unsigned op)
{
	if (op == 0x00 || op == 0x01 || op == 0x22 || (op >= 0x30 && op <= 0x33) || op == 0xa2 || op == 0xc7)
		return true;
	if (k->may & MUST_DEFINE && two_byte_leaves_undefined(op))
		return true;
	if ((k->may & MAY_STOP_WATCHDOG) && op >= 0x80 && op <= 0x8f)
		return true;
	return (op == 0x21 || op == 0x23) && !(k->may & MAY_DR);
}

/* The same for bytes as they come. */
static void clean_bytes(struct experiment *x, uint8_t *at, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (one_byte_forbidden(x, at[i]))
			at[i] = 0x90;
		if (!i || at[i - 1] != 0x0f)
			continue;
		if (two_byte_forbidden(x->kind, at[i]) || (at[i] == 0x38 && i + 1 < n && at[i + 1] == 0x82))
			at[i] = 0x1f;
	}
}

/* ---- instructions ---- */

/* PAE, and what a virtual machine is not offered: VMXE, SMXE, PCIDE, PKE; SMEP and SMAP where they are. */
#define CR4_NOT_ALIKE (CR4_PAE | CR4_VMXE | CR4_SMXE | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_PKE)

static void put_mov_cr(struct experiment *x, struct out *o, bool long_mode)
{
	static const uint8_t numbers[8] = { 0, 0, 3, 3, 4, 4, 2, 8 };
	unsigned n = numbers[below(x, long_mode ? 8 : 7)];
	word v = value_any(x);

	if (n == 0)
		v = world_cr0 ^ (1u << below(x, 32) & world_cr0_may);
	else if (n == 4)
		v = world_cr4 ^ (1u << below(x, 32) & (chance(x, 8) ? ~CR4_NOT_ALIKE : world_cr4_may));
	else if (n == 3)
		v = read_cr3() | (chance(x, 8) ? (word)(1ull << (40 + below(x, 23))) : below(x, 4) * 8);
	if (n == 8)
		put8(o, 0x44);
	put8(o, 0x0f);
	put8(o, 0x22);
	put8(o, 0xc0 | (n & 7) << 3);
	o->random = o->at;
	o->has_value = true;
	o->value = v;
}

static void put_system(struct experiment *x, struct out *o, unsigned mode)
{
	const unsigned wanted = x->kind->may & (MAY_MSR | MAY_PORTS);
	const struct encoding *e;

	if (x->loads_cr && mode != MODE_K16 && chance(x, 4)) {
		put_mov_cr(x, o, MODE_IS_64(mode));
		return;
	}
	if (x->kind->may & MAY_LOAD && !chance(x, 4)) {
		o->at += system_instruction(x, mode, o->at);
		o->random = o->at;
		return;
	}
	do
		e = &system_list[below(x, SYSTEM_COUNT)];
	while ((e->needs & ~x->kind->may) || ends_half_done(x->kind, e->bytes[0]) ||
	       (wanted && !(e->needs & wanted) && !chance(x, 16)));
	for (unsigned i = 0; i < e->length; i++)
		put8(o, e->bytes[i]);
	o->random = o->at;
	if (e->bytes[0] == 0xcd && (x->kind->may & MAY_GATES))
		put8(o, GATES_FIRST + below(x, GATES));
	else if (e->bytes[0] == 0xe4)
		put8(o, port_any(x) & 0xff);
	else if (e->digit != NONE)
		put_modrm(x, o, e->digit, e->bytes[1] == 0x01); /* 0F 01 with registers: quite other instructions */
}

static void put_vex(struct experiment *x, struct out *o)
{
	if (chance(x, 2)) {
		put8(o, 0xc5);
		put8(o, random_next(x) >> 9 & 0xff);
	} else {
		put8(o, 0xc4);
		put8(o, 0xe0 | (1 + below(x, 3)));
		put8(o, random_next(x) >> 9 & 0xff);
	}
	put8(o, below(x, 256));
	put_modrm(x, o, ANY, false);
}

static void put_ordinary(struct experiment *x, struct out *o, bool long_mode)
{
	unsigned r = below(x, 16), op;

	if (r == 0 && long_mode && chance(x, 3)) {
		put_vex(x, o);
		return;
	}
	put_prefixes(x, o, long_mode);
	if (r >= 5) {
		do
			op = below(x, 256);
		while (one_byte_forbidden(x, op) || op == 0x0f);
		put8(o, op);
	} else if (r >= 1) {
		do
			op = below(x, 256);
		while (two_byte_forbidden(x->kind, op));
		put8(o, 0x0f);
		put8(o, op);
	} else {
		put8(o, 0x0f);
		put8(o, chance(x, 2) ? 0x38 : 0x3a);
		do
			op = below(x, 256);
		while (op == 0x82);
		put8(o, op);
	}
	put_modrm(x, o, ANY, false);
}

/* ---- slots ---- */

/* An instruction that does nothing, as long as the rest of a slot asks. */
static void pad(uint8_t *at, unsigned n)
{
	for (; n > 14; n--)
		*at++ = 0x90;
	while (n > 1) {
		*at++ = 0x3e;
		n--;
	}
	if (n)
		*at = 0x90;
}

/* What follows must not make another instruction of it. */
static void close_instruction(const uint8_t *text, struct out *o)
{
	if (o->at[-1] == 0x0f)
		o->at[-1] = 0x90;
	if (o->at - text > 2 && o->at[-1] == 0x38 && o->at[-2] == 0x0f)
		o->at[-1] = 0x1f;
}

static unsigned make_instruction(struct experiment *x, uint8_t *text, unsigned slot)
{
	unsigned mode = x->mode[slot];
	struct out o = { text, NULL, false, 0 };

	if (below(x, 16) < x->kind->system_of_16)
		put_system(x, &o, mode);
	else
		put_ordinary(x, &o, MODE_IS_64(mode));
	if (!o.random)
		o.random = text;
	clean_bytes(x, o.random, (unsigned)(o.at - o.random));
	close_instruction(text, &o);
	x->has_ax[slot] = o.has_value;
	x->ax[slot] = o.value;
	return (unsigned)(o.at - text);
}

static void make_bytes(struct experiment *x, uint8_t *at)
{
	for (unsigned i = 0; i < SLOT; i += 8)
		*(uint64_t *)(at + i) = random_next(x);
	clean_bytes(x, at, SLOT);
	if (at[SLOT - 1] == 0x0f)
		at[SLOT - 1] = 0x90;
}

/* Where tables change, each instruction is a start of its own: a TLB may hold what the tables no longer say until CR3
 * is loaded. So it is where the watchdog's own ports and registers may have been hit, and where RAX must have been
 * given. */
static void make_slot(struct experiment *x, uint8_t *at, unsigned slot)
{
	bool alone = x->kind->may & (MAY_TABLES | MAY_STOP_WATCHDOG);
	uint8_t text[64];
	unsigned room = SLOT, n;

	if (x->kind->may & RAW_BYTES) {
		x->has_ax[slot] = false;
		make_bytes(x, at);
		return;
	}
	do {
		n = make_instruction(x, text, slot);
		if (n > room || (x->has_ax[slot] && room < SLOT))
			break;
		for (unsigned i = 0; i < n; i++)
			at[i] = text[i];
		at += n;
		room -= n;
		alone |= x->has_ax[slot];
	} while (!alone);
	if (!alone) {
		x->has_ax[slot] = false;
		pad(at, room);
		return;
	}
	for (unsigned i = 0; i < room; i++)
		at[i] = 0xcc;
	if (x->has_ax[slot])
		at[(int)room - (int)SLOT - 1] = 0xcc;
}

void choose_mode(struct experiment *x, unsigned slot)
{
	do
		x->mode[slot] = (uint8_t)below(x, MODES);
	while (!(x->kind->modes & 1u << x->mode[slot]));
}

void code_make(struct experiment *x, uint8_t *place)
{
	/* Seldom, for a jump right to MOV to CR0 or CR3 with another value in RAX may be the end of this machine. */
	x->loads_cr = (x->kind->may & MAY_CR) && chance(x, 4);
	for (unsigned i = 0; i < SLOTS; i++) {
		if (x->kind->may & MAY_LOAD) /* an address of 32 bits is none of 16 */
			x->mode[i] = x->mode[0];
		else
			choose_mode(x, i);
		make_slot(x, place + i * SLOT, i);
	}
}
