/* The second CPU, where the command line says that there is one: it raises and lowers its own level, while the first
 * plays its rounds; both send each other interrupts of every class, the next of a vector when the last has been taken.
 * Each holds what comes against its own level and what it has in service, and what was sent; at the end of a round all
 * that was sent has been taken, across the CPUs, vector by vector.
 *
 * It has an IDT of its own with these vectors only: anything else that comes to it is its triple fault. */
#include "guest/test/irql/irql-second.h"
#include "guest/test/irql/irql.h"

extern char second_begin[], second_end[];
extern const word second_stubs[CLASS_LAST - CLASS_FIRST + 1];
void second_main(void);
void second_interrupt(word vector);

static uint64_t idt[256 * GATE_WORDS] __attribute__((aligned(16)));
struct { uint16_t limit; word base; } __attribute__((packed)) second_idtr = { sizeof(idt) - 1, (word)idt };
word second_cr0, second_cr3, second_cr4;

static volatile bool there;
/* Odd: the second plays. .stopped: the last one, even, at which it has taken all that it was sent, and sends no more.
 * */
static volatile unsigned turn, stopped;
static volatile unsigned to_send; /* in this round; else it would leave the first CPU no time */
static uint32_t first_id, second_id;
/* By class. Of each pair one CPU writes the first, the other the second. */
static volatile unsigned to_second[16], taken_second[16], to_first[16], taken_first[16];

/* ---- on the second CPU ---- */

/* What was wrong there first; the first CPU says it. */
static const char *volatile wrong;
static volatile unsigned wrong_vector, wrong_tpr;
static volatile uint8_t from, to; /* what its TPR holds: one of them, while it is being written */
static uint8_t in_service[16];
static unsigned depth, deepest;
static volatile unsigned raises;
static uint32_t state = 0x2545f491;

static unsigned below(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return (uint32_t)((uint64_t)(state * 2654435761u) * n >> 32);
}

static void must(bool ok, const char *what, unsigned vector)
{
	if (ok || wrong)
		return;
	wrong_vector = vector;
	wrong_tpr = to;
	wrong = what;
}

static void set_tpr(uint8_t value)
{
	to = value;
	if (access == WAY_CR8)
		guest.set_cr8(value);
	else
		apic_put(APIC_TPR, value);
	from = value;
}

static unsigned served(void) { return depth ? in_service[depth - 1] >> 4 : 0; }

/* What may come has come: it is not in the IRR any more, or just now. */
static void nothing_due(void)
{
	unsigned level = to >> 4 > served() ? to >> 4 : served();

	for (unsigned c = CLASS_LAST; c > level; c--) {
		unsigned reads = 0;

		while (reads < 1000 && apic_bit(APIC_IRR, c << 4 | SECOND_KIND))
			reads++;
		must(reads < 1000, "waits above its level", c << 4 | SECOND_KIND);
	}
}

void second_interrupt(word vector)
{
	unsigned v = (unsigned)vector, c = v >> 4;
	uint8_t was_from = from, was_to = to, tpr = (uint8_t)apic_get(APIC_TPR);

	must(tpr >> 4 == from >> 4 || tpr >> 4 == to >> 4, "came, and the TPR is another", v);
	must(c > tpr >> 4, "came at or below its level", v);
	must(c > served(), "came below what is in service", v);
	must(to_second[c] == taken_second[c] + 1, "came, and was not sent", v);
	must(apic_bit(APIC_ISR, v), "is not in service", v);
	from = to = tpr;
	in_service[depth++] = (uint8_t)v;
	deepest = depth > deepest ? depth : deepest;
	taken_second[c]++;
	if (below(2)) {
		sti();
		set_tpr((uint8_t)((tpr >> 4 > below(16) ? tpr >> 4 : c) << 4));
		nothing_due();
		set_tpr(tpr);
		cli();
	}
	must(in_service[depth - 1] == v, "ends out of order", v);
	depth--;
	apic_put(APIC_EOI, 0);
	from = was_from;
	to = was_to;
}

static void send(uint32_t id, unsigned v)
{
	if (access == WAY_MSR) {
		wrmsr(MSR_X2APIC_ICR, (uint64_t)id << 32 | v);
		return;
	}
	apic_put(APIC_ICR_HIGH, id << 24);
	apic_put(APIC_ICR, v);
}

/* Of every other time the next, so that none is left out. */
static unsigned class_for(unsigned time, unsigned any)
{
	return CLASS_FIRST + (time & 1 ? any : time / 2 % (CLASS_LAST - CLASS_FIRST + 1));
}

static void play(void)
{
	unsigned c = class_for(raises, below(CLASS_LAST - CLASS_FIRST + 1));

	raises++;
	set_tpr((uint8_t)(below(16) << 4 | (access == WAY_CR8 ? 0 : below(16))));
	nothing_due();
	if (to_send && to_first[c] == taken_first[c]) {
		to_send--;
		to_first[c]++;
		send(first_id, c << 4 | REMOTE);
	}
	set_tpr((uint8_t)(below(3) << 4));
	nothing_due();
}

static bool all_taken(const volatile unsigned *sent, const volatile unsigned *got)
{
	for (unsigned c = CLASS_FIRST; c <= CLASS_LAST; c++)
		if (sent[c] != got[c])
			return false;
	return true;
}

void second_main(void)
{
	if (access == WAY_MSR)
		wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_EXTD);
	apic_on();
	second_id = access == WAY_MSR ? apic_get(APIC_ID) : apic_get(APIC_ID) >> 24;
	there = true;
	sti();
	for (;;) {
		unsigned now = turn;

		if (now & 1) {
			play();
			continue;
		}
		set_tpr(0);
		if (all_taken(to_second, taken_second))
			stopped = now;
		__asm__ volatile("pause");
	}
}

/* ---- on the first ---- */

static void set_gate(unsigned v, word at)
{
	idt[v * GATE_WORDS] = gate_pack(at, CODE_SELECTOR, GATE_INTERRUPT);
}

void second_start(void)
{
	uint64_t end;

	if (!parameter("second"))
		return;
	for (unsigned c = CLASS_FIRST; c <= CLASS_LAST; c++)
		set_gate(c << 4 | SECOND_KIND, second_stubs[c - CLASS_FIRST]);
	second_cr0 = read_cr0();
	second_cr3 = read_cr3();
	second_cr4 = read_cr4();
	first_id = access == WAY_MSR ? apic_get(APIC_ID) : apic_get(APIC_ID) >> 24;
	for (char *p = second_begin; p < second_end; p++)
		((volatile char *)SECOND_AT)[p - second_begin] = *p;
	send(first_id ^ 1, ICR_DELIVERY(APIC_INIT) | ICR_ASSERT);
	send(first_id ^ 1, ICR_DELIVERY(APIC_SIPI) | ICR_ASSERT | SECOND_AT >> 12);
	for (end = rdtsc() + 100000000; !there && rdtsc() < end;)
		__asm__ volatile("pause");
	MUST(there, "the second CPU does not start");
	MUST(second_id == (first_id ^ 1), "the second CPU has the id %u", second_id);
}

void second_send(void)
{
	static unsigned times;
	unsigned c = class_for(times++, random_below(CLASS_LAST - CLASS_FIRST + 1));
	bool on = interrupts_on();

	cli(); /* the two halves of ICR */
	if (there && (turn & 1) && to_second[c] == taken_second[c]) {
		to_second[c]++;
		send(second_id, c << 4 | SECOND_KIND);
	}
	if (on)
		sti();
}

void second_arrived(unsigned v)
{
	MUST(to_first[v >> 4] == taken_first[v >> 4] + 1, "vector 0x%x came, and the second CPU has not sent it", v);
	taken_first[v >> 4]++;
}

bool second_all_taken(void) { return !there || all_taken(to_first, taken_first); }

/* On a CPU of the host that both share it plays while the first waits here, with interrupts on. One interrupt for each
 * time that it raises its level: who is sent the next as soon as it has taken one does nothing else. */
static void let_it_play(void)
{
	unsigned before = raises, last = before, sent = 0;
	uint64_t end = rdtsc() + 100000000;

	sti();
	while ((raises - before < 40 || sent < 2 * (CLASS_LAST - CLASS_FIRST + 1)) && rdtsc() < end) {
		if (raises != last) {
			second_send();
			sent++;
		}
		last = raises;
		__asm__ volatile("pause");
	}
	cli();
}

/* Off: it has taken all that it was sent, and sends no more; what it has sent may still be on its way. */
void second_play(bool on)
{
	uint64_t end;

	if (!there)
		return;
	if (on) {
		to_send = 60;
		turn++;
		return;
	}
	let_it_play();
	turn++;
	for (end = rdtsc() + 100000000; stopped != turn && rdtsc() < end;)
		__asm__ volatile("pause");
	MUST(stopped == turn, "the second CPU has not taken all that it was sent");
}

void second_report(void)
{
	unsigned came = 0, went = 0;

	if (!there)
		return;
	for (unsigned c = CLASS_FIRST; c <= CLASS_LAST; c++) {
		CHECK(taken_first[c] && taken_second[c], "class %u: the CPUs took %u and %u interrupts of each other",
		      c, taken_first[c], taken_second[c]);
		CHECK(taken_first[c] == to_first[c] && taken_second[c] == to_second[c],
		      "class %u: sent %u and %u, taken %u and %u", c, to_first[c], to_second[c], taken_first[c],
		      taken_second[c]);
		came += taken_first[c];
		went += taken_second[c];
	}
	CHECK(!wrong, "on the second CPU vector 0x%x %s (TPR 0x%x)", wrong_vector, wrong, wrong_tpr);
	print("%s: the second CPU: %u raises, %u interrupts to it, %u from it, at most %u in service\n", test_name,
	      raises, went, came, deepest);
}
