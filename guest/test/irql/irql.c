/* Levels, and what an interrupt is held against: it is above the level, above what is in service, the highest of those
 * that wait, awaited, and as early as it can be. */
#include "guest/test/irql/irql.h"

unsigned access = WAY_MMIO;
bool paging, native, quiet;
volatile unsigned last_vector;
volatile word mark, last_mark, last_steps, irql_steps;
unsigned most_depth, taken[256];
unsigned lowerings, lowerings_took, lowerings_held;
static unsigned taken_all;

static unsigned sent[256];
static uint16_t waiting[16], in_irr[16], due[16]; /* for each class, a bit for each vector */
static word due_mark[256];
static uint8_t in_service[16]; /* vectors, each of a higher class than the one before */
static unsigned depth, handlers, soft_level; /* handlers: with those after their EOI */
static bool lazy;
/* What the TPR holds: one of them, while it is being written; else they are equal. */
static volatile uint8_t tpr_from, tpr_to;

static uint32_t random_state = 1;

void random_seed(unsigned seed) { random_state = seed * 2654435761u | 1; }

unsigned random_below(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return (uint32_t)((uint64_t)(random_state * 2654435761u) * n >> 32);
}

void failed(void)
{
	static unsigned times;

	if (++times == 10)
		finish();
}

bool interrupts_on(void)
{
	word flags;

	__asm__ volatile("pushf; pop %0" : "=r"(flags) : : "memory");
	return flags & RFLAGS_IF;
}

/* ---- what waits ---- */

static uint16_t bit_of(unsigned v) { return (uint16_t)(1u << (v & 15)); }
static void put(uint16_t *set, unsigned v) { set[v >> 4] |= bit_of(v); }
static void take(uint16_t *set, unsigned v) { set[v >> 4] &= (uint16_t)~bit_of(v); }
static bool has(const uint16_t *set, unsigned v) { return set[v >> 4] & bit_of(v); }

/* The highest class of a set, or 0. */
static unsigned highest(const uint16_t *set)
{
	unsigned c = 15;

	while (c > 0 && !set[c])
		c--;
	return c;
}

bool in_handler(void) { return handlers; }
static unsigned class_in_service(void) { return depth ? in_service[depth - 1] >> 4 : 0; }
static unsigned class_held(unsigned tpr) { return tpr >> 4 > class_in_service() ? tpr >> 4 : class_in_service(); }

void expect_interrupt(unsigned v, bool now)
{
	if (!has(waiting, v))
		sent[v]++;
	put(waiting, v);
	if (now)
		put(in_irr, v);
}

bool is_waiting(unsigned v) { return has(waiting, v); }
bool anything_waits(void) { return highest(waiting); }

void check_nothing_due(void)
{
	unsigned c = highest(in_irr);

	MUST(!interrupts_on() || c <= class_held(tpr_to),
	     "interrupts of class %u wait at TPR 0x%x, with class %u in service", c, tpr_to, class_in_service());
}

/* ---- the TPR ---- */

uint8_t tpr_now(void) { return tpr_to; }
uint8_t tpr_kept(uint8_t value) { return access == WAY_CR8 ? value & 0xf0 : value; }

uint8_t tpr_read(void)
{
	return (uint8_t)way_read(way_any(looks), tpr_kept(tpr_to));
}

/* By the same instruction each time, whatever it holds. */
static uint8_t tpr_plain(void)
{
	const struct tpr_way *w = looks;

	if (access != WAY_CR8)
		return (uint8_t)apic_get(APIC_TPR);
	while (!(w->kind & WAY_CR8))
		w++;
	return (uint8_t)way_read(w, 0);
}

/* From now on, those in the IRR that this TPR lets in are due. */
static void note_due(unsigned tpr)
{
	for (unsigned c = 15; c > class_held(tpr); c--)
		for (unsigned v = c << 4; in_irr[c] && v >> 4 == c; v++)
			if (has(in_irr, v) && !has(due, v)) {
				put(due, v);
				due_mark[v] = mark;
			}
}

void tpr_begin(uint8_t value)
{
	tpr_from = tpr_to;
	tpr_to = value;
}

void tpr_end(uint8_t value) { tpr_from = tpr_to = value; }

static void note_lowering(uint8_t from, uint8_t to, bool took)
{
	if (class_held(to) >= class_held(from))
		return;
	lowerings++;
	lowerings_took += took;
	lowerings_held += !took && !interrupts_on() && highest(in_irr) > class_held(to);
}

/* Interrupts that come by this write see `mark` as it is now. */
void tpr_write_by(const struct tpr_way *w, uint8_t value)
{
	word before = mark;
	unsigned all = taken_all;
	uint8_t old = tpr_to;

	check_nothing_due();
	if (interrupts_on() && highest(in_irr) > class_held(value))
		note_due(value);
	tpr_begin(value);
	way_write(w, value, old);
	MUST(mark == before + 1, "%lu instructions ran behind %s", mark - before, w->name);
	MUST(!interrupts_on() || highest(due) <= class_held(value), "class %u did not come by %s from 0x%x to 0x%x",
	     highest(due), w->name, old, value);
	tpr_end(value);
	note_lowering(old, value, taken_all != all);
	mark = before;
}

void tpr_write(uint8_t value)
{
	const struct tpr_way *w;

	do
		w = way_any(ways);
	while ((w->kind & WAY_VALUE) == WAY_CLASS && tpr_kept(value) & 15);
	tpr_write_by(w, value);
}

unsigned lazy_raise(unsigned level)
{
	unsigned old = soft_level;

	lazy = true;
	soft_level = level;
	return old;
}

void lazy_lower(unsigned level)
{
	soft_level = level;
	if (tpr_to >> 4 > level)
		raise_to(level);
	check_nothing_due();
	lazy = level;
}

/* ---- interrupts ---- */

static void end_of_interrupt(unsigned v)
{
	MUST(apic_bit(APIC_ISR, v), "vector 0x%x is not in service before its EOI", v);
	apic_put(APIC_EOI, 0);
	MUST(!apic_bit(APIC_ISR, v), "vector 0x%x is in service after its EOI", v);
	MUST(depth && in_service[depth - 1] == v, "the EOI of vector 0x%x is out of order", v);
	depth--;
}

/* The manual leaves the subclass open where both classes are equal. */
static bool ppr_is_right(unsigned ppr, unsigned tpr)
{
	unsigned class = class_in_service();

	if (tpr >> 4 == class)
		return ppr == tpr || ppr == class << 4;
	return ppr == (tpr >> 4 > class ? tpr : class << 4);
}

static void check_ppr(unsigned tpr)
{
	unsigned ppr = apic_get(APIC_PPR);

	MUST(ppr_is_right(ppr, tpr), "PPR is 0x%x at TPR 0x%x, with class %u in service", ppr, tpr, class_in_service());
}

/* May v come now? tpr: what the register holds. */
static void check_arrival(unsigned v, uint8_t tpr)
{
	MUST(tpr == tpr_kept(tpr_from) || tpr == tpr_kept(tpr_to), "in the handler of 0x%x TPR is 0x%x, not 0x%x", v,
	     tpr, tpr_to);
	MUST(v >> 4 > tpr >> 4, "vector 0x%x came at TPR 0x%x", v, tpr);
	MUST(v >> 4 > class_in_service(), "vector 0x%x came with 0x%x in service", v, in_service[depth - 1]);
	MUST(highest(in_irr) <= v >> 4 && in_irr[v >> 4] >> (v & 15) <= 1, "vector 0x%x came before a higher one", v);
	if ((v & 15) != PIT && (v & 15) != RTC && (v & 15) != REMOTE)
		MUST(has(waiting, v), "vector 0x%x came, and was not sent", v);
	if (has(due, v))
		MUST(mark == due_mark[v], "vector 0x%x came %lu instructions late", v, mark - due_mark[v]);
}

/* An interrupt that the level, which was raised lazily, should have kept away: the level is raised, the interrupt is
 * sent again. */
static void put_off(unsigned v)
{
	in_service[depth++] = (uint8_t)v;
	raise_to(soft_level);
	end_of_interrupt(v);
	if ((v & 15) == RTC)
		device_serve(v);
	take(due, v);
	send_ipi(v);
	MUST(has(waiting, v), "vector 0x%x is not held back by TPR 0x%x", v, tpr_to);
}

/* How kernels protect a handler that others may interrupt: by the in-service register; by the TPR, after an early EOI;
 * by both, ended in either order. */
static void serve(unsigned v, uint8_t tpr)
{
	unsigned style = quiet || depth > 9 ? 0 : random_below(5);

	handlers++;
	in_service[depth++] = (uint8_t)v;
	most_depth = depth > most_depth ? depth : most_depth;
	check_ppr(tpr);
	device_serve(v);
	if (style >= 2)
		tpr_write((uint8_t)((v & 0xf0) | random_below(16)));
	if (style == 2)
		end_of_interrupt(v);
	if (style) {
		sti();
		kernel_work(1 + random_below(3));
		check_nothing_due();
		cli();
	}
	if (style == 4)
		end_of_interrupt(v);
	if (style >= 2)
		tpr_write(tpr);
	if (style != 2 && style != 4)
		end_of_interrupt(v);
	handlers--;
}

static void interrupted(void)
{
	unsigned v = irq_vector;
	uint8_t from = tpr_from, to = tpr_to, tpr = tpr_plain();

	if (quiet) {
		last_vector = v;
		last_mark = mark;
		last_steps = irql_steps;
	}
	check_arrival(v, tpr);
	take(in_irr, v);
	if (lazy && v >> 4 <= soft_level) {
		put_off(v);
		return;
	}
	take(due, v);
	take(waiting, v);
	taken[v]++;
	taken_all++;
	if ((v & 15) == REMOTE)
		second_arrived(v);
	tpr_from = tpr_to = tpr;
	serve(v, tpr);
	tpr_from = from;
	tpr_to = to;
}

/* A CPU may take it that raises its TPR, with interrupts off, over an interrupt that asks already (SDM, "Spurious
 * Interrupt"); for a hypervisor there is no reason. */
static void spurious(void)
{
	MUST(native, "a spurious interrupt at TPR 0x%x", tpr_to);
}

void irql_init(void)
{
	for (unsigned v = CLASS_FIRST << 4; v < 256; v++)
		irq_hook[v] = interrupted;
	irq_hook[SPURIOUS_VECTOR] = spurious;
}

void drain(void)
{
	uint64_t end;

	sti();
	tpr_write(0);
	end = rdtsc() + 20000000; /* far more than anything here takes */
	while ((anything_waits() || !second_all_taken()) && rdtsc() < end)
		__asm__ volatile("pause");
	cli();
	MUST(second_all_taken(), "what the second CPU has sent never came");
	check_ppr(0);
	for (unsigned i = 0; i < 8; i++)
		MUST(!apic_get(APIC_ISR + i * 0x10), "vectors 0x%x and up: still in service", i * 32);
	for (unsigned v = CLASS_FIRST << 4; v < 256; v++) {
		unsigned source = v & 15;

		MUST(!has(waiting, v), "vector 0x%x was sent and never came", v);
		MUST(source == PIT || source == RTC || source == REMOTE || taken[v] == sent[v],
		     "vector 0x%x came %u times, sent %u times", v, taken[v], sent[v]);
	}
}
