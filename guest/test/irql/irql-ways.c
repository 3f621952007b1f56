/* The instructions that access the TPR: each by itself, with an interrupt that it lets in or keeps away. */
#include "guest/test/irql/irql.h"

#ifdef __x86_64__
#define CALLED_SO
#else
#define CALLED_SO __attribute__((regparm(3)))
#endif
typedef void CALLED_SO write_fn(uint32_t value, word page, uint32_t old);
typedef uint32_t CALLED_SO read_fn(uint32_t expected, word page);

bool way_usable(const struct tpr_way *w)
{
	if (!(w->kind & access) || ((w->kind & WAY_ALIAS) && !paging))
		return false;
	return !(w->kind & (WAY_FIXED | WAY_ALIAS)) || apic_page == APIC_PAGE;
}

void way_write(const struct tpr_way *w, uint8_t value, uint8_t old)
{
	((write_fn *)w->code)(value, apic_page, old);
}

uint32_t way_read(const struct tpr_way *w, uint8_t expected)
{
	return ((read_fn *)w->code)(expected, apic_page);
}

#define WAYS_MOST 200

/* Of those that can write or read anything, at any time, their numbers. */
struct usable {
	unsigned count;
	uint8_t number[WAYS_MOST];
};

static bool for_anything(const struct tpr_way *w)
{
	return way_usable(w) && !(w->kind & WAY_ALONE) &&
	       ((w->kind & WAY_VALUE) == WAY_ANY || (w->kind & WAY_VALUE) == WAY_CLASS);
}

/* What is usable depends on where the page is. */
const struct tpr_way *way_any(const struct tpr_way *list)
{
	static struct usable all[2][2];
	struct usable *u = &all[list == looks][apic_page == APIC_PAGE];

	if (!u->count)
		for (unsigned i = 0; list[i].name && i < WAYS_MOST; i++)
			if (for_anything(&list[i]))
				u->number[u->count++] = (uint8_t)i;
	return &list[u->number[random_below(u->count)]];
}

/* A write that lowers from one value to another, or raises. */
struct change { uint8_t from, to; };

/* What lowers from a class that keeps class c away to one that does not; the same value: this kind cannot. */
static struct change lowering(unsigned kind, unsigned c)
{
	uint8_t below = (uint8_t)(random_below(c) << 4), high = (uint8_t)((c + random_below(16 - c)) << 4);

	switch (kind) {
	case WAY_AND:
		return (struct change){ 0xf0, below };
	case WAY_DEC:
		return (struct change){ (uint8_t)(c << 4), (uint8_t)((c << 4) - 1) };
	case WAY_NOT:
		return c > 7 ? (struct change){ 0xff, 0x00 } : (struct change){ 0xef, 0x10 };
	case WAY_NEG:
		return (struct change){ 0xf0, 0x10 };
	case WAY_SHL:
		return c > 2 && c < 10 ? (struct change){ 0x90, 0x20 } : (struct change){ 0, 0 };
	case WAY_SHR:
		return c > 7 && c < 15 ? (struct change){ 0xe0, 0x70 } : (struct change){ 0, 0 };
	case WAY_ANY:
		return (struct change){ high | (uint8_t)random_below(16), below | (uint8_t)random_below(16) };
	case WAY_CLASS:
		return (struct change){ high, below };
	default:
		return (struct change){ 0, 0 };
	}
}

static struct change raising(unsigned kind, unsigned c)
{
	struct change l = lowering(kind == WAY_OR ? WAY_AND : WAY_CLASS, c);

	switch (kind) {
	case WAY_OR:
	case WAY_ANY:
	case WAY_CLASS:
		return (struct change){ l.to, l.from };
	case WAY_INC:
		return (struct change){ (uint8_t)((c << 4) - 1), (uint8_t)(c << 4) };
	case WAY_SHL:
		return c < 8 ? (struct change){ (uint8_t)(c << 3), (uint8_t)(c << 4) } : (struct change){ 0, 0 };
	default:
		return (struct change){ 0, 0 };
	}
}

static void try_lowering(const struct tpr_way *w, unsigned c)
{
	struct change l = lowering(w->kind & WAY_VALUE, c);
	unsigned v = c << 4 | IPI_LOW;

	if (l.from == l.to)
		return;
	tpr_write(l.from);
	if ((w->kind & WAY_VALUE) < WAY_INC)
		tpr_write_by(w, l.from); /* of equal value: nothing happens */
	send_ipi(v);
	MUST(is_waiting(v), "vector 0x%x came at TPR 0x%x", v, l.from);
	tpr_write_by(w, l.to);
	MUST(!is_waiting(v) && last_vector == v, "%s from 0x%x to 0x%x did not let vector 0x%x in", w->name, l.from,
	     l.to, v);
	MUST(tpr_read() == tpr_kept(l.to), "%s from 0x%x to 0x%x: the TPR is 0x%x", w->name, l.from, l.to, tpr_read());
}

static void try_raising(const struct tpr_way *w, unsigned c)
{
	struct change r = raising(w->kind & WAY_VALUE, c);
	unsigned v = c << 4 | IPI_HIGH;

	if (r.from == r.to)
		return;
	tpr_write(r.from);
	tpr_write_by(w, r.to);
	MUST(tpr_read() == tpr_kept(r.to), "%s from 0x%x to 0x%x: the TPR is 0x%x", w->name, r.from, r.to, tpr_read());
	send_ipi(v);
	MUST(is_waiting(v), "%s: vector 0x%x came at TPR 0x%x", w->name, v, r.to);
	tpr_write(0);
	MUST(!is_waiting(v), "%s: vector 0x%x did not come at TPR 0", w->name, v);
}

static void try_reading(const struct tpr_way *w)
{
	for (unsigned c = 0; c < 16; c++) {
		uint8_t value;
		uint32_t got;

		tpr_write((uint8_t)(c << 4 | random_below(16)));
		value = tpr_kept(tpr_now());
		got = way_read(w, value);
		MUST(got == value, "%s reads 0x%x at TPR 0x%x", w->name, got, value);
	}
}

void test_ways(void)
{
	unsigned n = 0;

	quiet = true;
	sti();
	for (const struct tpr_way *w = ways; w->name; w++) {
		if (!way_usable(w))
			continue;
		n++;
		for (unsigned c = CLASS_FIRST + random_below(3); c <= CLASS_LAST; c += 2 + random_below(3)) {
			try_lowering(w, c);
			try_raising(w, c);
		}
	}
	for (const struct tpr_way *w = looks; w->name; w++) {
		if (!way_usable(w))
			continue;
		n++;
		try_reading(w);
	}
	drain();
	cli();
	quiet = false;
	CHECK(n >= 2, "there are %u ways to access the TPR", n);
	print("%s: %u instructions that access the TPR\n", test_name, n);
}
