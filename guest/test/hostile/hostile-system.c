/* guest/test/hostile/hostile-system.c - experiments that load GDTR, IDTR, LDTR and TR.
 *
 * A page of the region holds what they load, where they can write it too: pseudo-descriptors, selectors, far pointers,
 * TSSs, copies of the supervisor's GDT and of half its IDT. An exception goes through the tables that were loaded last.
 * So in most experiments those leave the supervisor a way: what is random in them is what the way does not need. The
 * others may end the machine. Behind each start the page is as it was before. */
#include "guest/test/hostile/hostile.h"

#define PSEUDO 16u       /* pseudo-descriptors for each of GDTR and IDTR */
#define SELECTORS 32u
#define POINTERS 16u
#define TSS_COUNT 4u
#define LOADED_FIRST 24u /* of the GDT: descriptors of TSSs and LDTs, two entries each */
#define LOADED 16u
#define VECTORS_NEEDED 20u
#define IDT_WORDS 256u

/* PAGE_SYSTEM, and how it is to be. */
struct system_page {
	struct { struct table_register r; uint8_t unused[16 - sizeof(struct table_register)]; } table[2 * PSEUDO];
	uint16_t selector[SELECTORS], unused[32];
	uint8_t pointer[POINTERS][16], unused2[128];
	uint8_t tss[TSS_COUNT][128];
	uint64_t gdt[GDT_COUNT], idt[IDT_WORDS];
};
_Static_assert(sizeof(struct system_page) == PAGE, "one page");
#define AT(field) (REGION + PAGE_SYSTEM * PAGE + (word)offsetof(struct system_page, field))

static struct system_page page;
static uint64_t gdt[GDT_COUNT];
static bool may_end;
void *system_memory;
uint8_t hostile_loads_tables;

#ifdef __x86_64__
#define GDT_NEEDED 4u /* entries */
static bool descriptor_needed(unsigned n) { return n == 3; }
#else
#define GDT_NEEDED 23u
/* The handlers' code, and what the tasks of the double fault and of the NMI need. */
static bool descriptor_needed(unsigned n) { return n == 1 || n == 2 || n == 4 || n == 21 || n == 22; }
#endif
/* What an exception on the way to a handler becomes, and what ends a program that hangs. */
static bool gate_needed(unsigned v) { return v == VECTOR_NMI || v == VECTOR_DF || (v >= VECTOR_TS && v <= VECTOR_PF); }

/* Something that may end the machine, in an experiment that may. */
static bool deadly(struct experiment *x) { return may_end && chance(x, 8); }

/* ---- descriptors ---- */

/* A pointer to the page, or to the same memory where it is read-only. */
static word either(struct experiment *x, word at) { return at + (chance(x, 4) ? PAGE : 0); }

static void put_descriptor(uint64_t *at, word base, uint32_t limit, unsigned access)
{
	at[0] = descriptor_pack(base, limit, access);
#ifdef __x86_64__
	at[1] = base >> 32;
#endif
}

/* A TSS: available, busy, not present; or a table of local descriptors, which is the GDT's copy. */
static void make_loaded(struct experiment *x, uint64_t *at)
{
	word base = either(x, AT(tss) + 128 * below(x, TSS_COUNT));
	unsigned access = (chance(x, 8) ? TYPE_TSS32_BUSY : TYPE_TSS32) | (chance(x, 12) ? 0 : SEGMENT_P) |
			  below(x, 4) << SEGMENT_DPL_SHIFT;
	uint32_t limit = chance(x, 2) ? TSS_LIMIT_LEAST : TSS_LIMIT_LEAST + below(x, 0x2000);

	if (deadly(x))
		limit = below(x, 104);
	if (deadly(x))
		base = pointer_any(x);
	if (chance(x, 6)) {
		access = (access & ~SEGMENT_TYPE) | TYPE_LDT;
		base = either(x, AT(gdt));
		limit = below(x, sizeof(page.gdt));
	}
	/* One that is not canonical in 64 bits; #GP, where LTR looks. */
	if (sizeof(word) == 8 && chance(x, 16))
		base |= (word)(1ull << (47 + below(x, 17)));
	put_descriptor(at, base, limit, access);
}

static void make_gdt(struct experiment *x)
{
	for (unsigned i = 0; i < GDT_COUNT; i++)
		gdt[i] = gdt_page[i];
	for (unsigned i = 0; i < LOADED; i++)
		make_loaded(x, &gdt[LOADED_FIRST + 2 * i]);
	for (unsigned i = 0; i < GDT_COUNT; i++)
		page.gdt[i] = gdt[i];
	if (chance(x, 2))
		page.gdt[7] &= ~DESCRIPTOR_BUSY; /* the supervisor's TSS, available */
	for (unsigned n = below(x, 6); n; n--) {
		unsigned i = below(x, GDT_COUNT);

		if (!descriptor_needed(i) || deadly(x))
			page.gdt[i] ^= chance(x, 2) ? 1ull << below(x, 64) : random_next(x);
	}
}

/* ---- gates ---- */

static void vary_gate(struct experiment *x, unsigned v)
{
	uint64_t *gate = &page.idt[GATE_WORDS * v], target = REGION + CODE_START + SLOT * below(x, SLOTS);

	switch (below(x, 5)) {
	case 0: *gate &= ~(7ull << GATE_IST_SHIFT); break;  /* no stack of its own */
	case 1: *gate |= 1ull << DESCRIPTOR_ACCESS_SHIFT; break; /* a trap gate */
	case 2: *gate |= DESCRIPTOR_DPL3; break;     /* for INT at level 3 too */
	case 3: *gate = (*gate & 0x0000ff00ffff0000) | gate_pack(target, 0, 0); break;
	default: *gate ^= v < VECTORS_NEEDED ? 0 : random_next(x);
	}
}

static void make_idt(struct experiment *x)
{
	for (unsigned i = 0; i < IDT_WORDS; i++)
		page.idt[i] = ((const uint64_t *)hostile_idtr.base)[i];
	for (unsigned n = below(x, 12); n; n--) {
		unsigned v = below(x, chance(x, 2) ? VECTORS_NEEDED : IDT_WORDS / GATE_WORDS);

		if (!gate_needed(v))
			vary_gate(x, v);
		else if (deadly(x))
			page.idt[GATE_WORDS * v] ^= 1ull << below(x, 64);
	}
}

/* ---- what points to them ---- */

static struct table_register table_any(struct experiment *x, struct table_register own, word copy, unsigned needed)
{
	struct table_register t = own;
	unsigned r = below(x, 8);

	if (r >= 3)
		t.base = either(x, copy);
	if (chance(x, 2))
		t.limit = (uint16_t)(needed - 1 + below(x, chance(x, 2) ? 0x400 : 0x10000 - needed));
	if (sizeof(word) == 8 && r == 7)
		t.base |= (word)(1ull << (47 + below(x, 17)));
	if (deadly(x))
		t.limit = (uint16_t)below(x, needed);
	if (deadly(x))
		t.base = value_any(x);
	return t;
}

static uint16_t selector_any(struct experiment *x)
{
	unsigned r = below(x, 16);

	if (r < 8)
		return (uint16_t)(8 * (LOADED_FIRST + 2 * below(x, LOADED)));
	if (r < 12)
		return (uint16_t)(8 * below(x, GDT_COUNT) + (chance(x, 2) ? 0 : below(x, 8)));
	return (uint16_t)(r == 15 ? random_next(x) : 8 * below(x, 24));
}

/* To the program, by its own code segment, by another, by a gate, by a TSS. */
static void make_pointer(struct experiment *x, uint8_t *at)
{
	static const uint8_t code[4] = { SELECTOR_CODE32, SELECTOR_CODE64, SELECTOR_OTHERS, 0x88 };
	bool is16 = x->mode[0] == MODE_K16;
	uint32_t offset = CODE_START + SLOT * below(x, SLOTS) + (is16 ? 0 : REGION);
	uint16_t selector = chance(x, 2) ? code[below(x, 4)] : selector_any(x);

	if (is16)
		offset = (offset & 0xffff) | (uint32_t)selector << 16;
	*(uint32_t *)at = offset;
	*(uint32_t *)(at + 4) = selector;
}

static void put(uint64_t *to, const uint64_t *from, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (to[i] != from[i])
			to[i] = from[i];
}

void system_make(struct experiment *x)
{
	hostile_loads_tables = (x->kind->may & MAY_LOAD) != 0;
	if (!hostile_loads_tables)
		return;
	may_end = chance(x, 16);
	choose_mode(x, 0);
	make_gdt(x);
	make_idt(x);
	for (unsigned i = 0; i < PSEUDO; i++) {
		page.table[i].r = table_any(x, hostile_gdtr, AT(gdt), 8 * GDT_NEEDED);
		page.table[PSEUDO + i].r = table_any(x, hostile_idtr, AT(idt), 8 * GATE_WORDS * VECTORS_NEEDED);
	}
	for (unsigned i = 0; i < SELECTORS; i++)
		page.selector[i] = selector_any(x);
	for (unsigned i = 0; i < POINTERS; i++)
		make_pointer(x, page.pointer[i]);
	for (unsigned i = 0; i < TSS_COUNT; i++)
		world_make_tss(x, page.tss[i]);
	put(gdt_page, gdt, GDT_COUNT);

	put(system_memory, (const uint64_t *)&page, PAGE / 8);
}

uint64_t system_settle(uint64_t h)
{
	return undo(undo(h, gdt_page, gdt, GDT_COUNT), system_memory, (const uint64_t *)&page, PAGE / 8);
}

/* ---- instructions ---- */

enum operand { GDT_TABLE, IDT_TABLE, SELECTOR, POINTER, ANYWHERE, NUMBER, NOTHING };
#define ANY 8u /* of the ModRM byte's reg field */
static const struct system { uint8_t length, bytes[3], digit; enum operand operand;
} list[] = {
	{ 2, { 0x0f, 0x01 }, 2, GDT_TABLE },  { 2, { 0x0f, 0x01 }, 2, GDT_TABLE },
	{ 2, { 0x0f, 0x01 }, 2, GDT_TABLE },  { 2, { 0x0f, 0x01 }, 3, IDT_TABLE },
	{ 2, { 0x0f, 0x01 }, 3, IDT_TABLE },  { 2, { 0x0f, 0x01 }, 3, IDT_TABLE },
	{ 2, { 0x0f, 0x00 }, 3, SELECTOR },   { 2, { 0x0f, 0x00 }, 3, SELECTOR },
	{ 2, { 0x0f, 0x00 }, 3, SELECTOR },   { 2, { 0x0f, 0x00 }, 2, SELECTOR },
	{ 2, { 0x0f, 0x00 }, 2, SELECTOR },   { 2, { 0x0f, 0x00 }, 4, SELECTOR },
	{ 2, { 0x0f, 0x00 }, 5, SELECTOR },   { 2, { 0x0f, 0x02 }, ANY, SELECTOR },
	{ 2, { 0x0f, 0x03 }, ANY, SELECTOR }, { 2, { 0x0f, 0x01 }, 0, ANYWHERE },
	{ 2, { 0x0f, 0x01 }, 1, ANYWHERE },   { 2, { 0x0f, 0x00 }, 0, ANYWHERE },
	{ 2, { 0x0f, 0x00 }, 1, ANYWHERE },   { 1, { 0x8e }, 0, SELECTOR },
	{ 1, { 0x8e }, 3, SELECTOR },	      { 1, { 0x8e }, 4, SELECTOR },
	{ 1, { 0x8e }, 5, SELECTOR },	      { 1, { 0xff }, 3, POINTER },
	{ 1, { 0xff }, 5, POINTER },	      { 1, { 0xcd }, 0, NUMBER },
	{ 1, { 0xcd }, 0, NUMBER },	      { 3, { 0x0f, 0x01, 0xf8 }, 0, NOTHING },
	{ 1, { 0xcb }, 0, NOTHING },	      { 1, { 0xcf }, 0, NOTHING },
};

static word operand_address(struct experiment *x, enum operand operand)
{
	switch (operand) {
	case GDT_TABLE: return either(x, AT(table) + 16 * below(x, PSEUDO));
	case IDT_TABLE: return either(x, AT(table) + 16 * (PSEUDO + below(x, PSEUDO)));
	case SELECTOR: return either(x, AT(selector) + 2 * below(x, SELECTORS));
	case POINTER: return either(x, AT(pointer) + 16 * below(x, POINTERS));
	default: return pointer_any(x);
	}
}

word system_pointer(struct experiment *x) { return operand_address(x, (enum operand)below(x, ANYWHERE)); }

/* A memory operand: mostly an address, else a register's. */
static uint8_t *put_operand(struct experiment *x, uint8_t *at, unsigned mode, unsigned reg, enum operand operand)
{
	static const uint8_t registers[5] = { 0, 1, 2, 3, 7 };
	word address = operand_address(x, operand);
	unsigned bytes = 4;

	/* Most of what a register points to are no tables. */
	if ((operand > IDT_TABLE || may_end) && chance(x, 8)) {
		*at++ = (uint8_t)(reg << 3 | registers[below(x, 5)]);
		return at;
	}
	if (mode == MODE_K16) {
		bytes = 2;
		address -= address < REGION + 0x10000 ? REGION : REGION + PAGE;
		*at++ = (uint8_t)(reg << 3 | 6);
	} else {
		/* With a SIB byte it means the same in 64 and in 32 bits. */
		*at++ = (uint8_t)(reg << 3 | 4);
		*at++ = 0x25;
	}
	for (unsigned i = 0; i < bytes; i++)
		*at++ = (uint8_t)(address >> 8 * i);
	return at;
}

unsigned system_instruction(struct experiment *x, unsigned mode, uint8_t *at)
{
	const struct system *s = &list[below(x, sizeof(list) / sizeof(list[0]))];
	uint8_t *p = at;

	/* With an operand size of 16 bits a base has 24, where 32 are needed. */
	if ((sizeof(word) == 4 || mode == MODE_K64 || s->operand > IDT_TABLE) && chance(x, 16))
		*p++ = 0x66;
	if (mode == MODE_K64 && chance(x, 8))
		*p++ = 0x48;
	for (unsigned i = 0; i < s->length; i++)
		*p++ = s->bytes[i];
	if (s->operand == NUMBER)
		*p++ = (uint8_t)(chance(x, 2) ? below(x, 32) : chance(x, 2) ? GATES_FIRST + below(x, GATES) : below(x,
			256));
	else if (s->operand != NOTHING)
		p = put_operand(x, p, mode, s->digit == ANY ? below(x, 8) : s->digit, s->operand);
	return (unsigned)(p - at);
}
