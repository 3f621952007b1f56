/* 32 bits: what is sent by the interrupt command register, in each delivery mode, to each kind of destination, from and
 * to processors that run, run with interrupts off, sleep, or are asleep for all but an NMI. Each counts what comes to
 * it; after each step all counts are what they must be, and those of who was not meant are what they were. */
#include "guest/test/base/apic.h"
#include "guest/test/smp/icr.h"

const char test_name[] = "icr";

#define VECTOR 0x41 /* what is counted */
#define WAKE 0x51   /* what is not */
#define STORM 0x60  /* from here on, one for each sender */
#define SPURIOUS 0xff
#define STORM_ROUNDS 4u
#define LONG 1000000000u /* ticks: what has not come by then does not come */
#define SHORT 200000u   /* what is wrong may come until then */

enum state { RUNS, DEAF, SLEEPS, DEAD_ASLEEP, STORMS };
enum model { FLAT, CLUSTER, X2APIC };

extern char icr_begin[], icr_end[];
void icr_cpu(unsigned n);

char icr_stacks[(ICR_CPUS + 1) * ICR_STACK] __attribute__((aligned(16)));
static uint64_t idt[256] __attribute__((aligned(16)));
static unsigned cpus, due[ICR_CPUS], nmis_due[ICR_CPUS];
/* What they do between the steps, and first do. Many would have to share the host's CPUs if they ran. */
static enum state usually, first;
static volatile unsigned starts[ICR_CPUS], came[ICR_CPUS], nmis[ICR_CPUS], stormed[ICR_CPUS][ICR_CPUS];
/* What a CPU is to do, and does. */
static volatile enum state wanted[ICR_CPUS], is[ICR_CPUS];
static volatile enum model model, has[ICR_CPUS];
static volatile uint32_t tpr[ICR_CPUS], has_tpr[ICR_CPUS];

/* ---- on each CPU ---- */

/* The first one's stack is not among these. */
static unsigned me(void)
{
	unsigned at = (unsigned)((char *)__builtin_frame_address(0) - icr_stacks);

	return at < sizeof(icr_stacks) ? at / ICR_STACK : 0;
}

static bool x2apic(void) { return rdmsr(MSR_APIC_BASE) & APIC_BASE_EXTD; }

static uint32_t get(uint32_t reg) { return x2apic() ? (uint32_t)rdmsr(MSR_X2APIC(reg)) : apic_read(reg); }

static void put(uint32_t reg, uint32_t value)
{
	if (x2apic())
		wrmsr(MSR_X2APIC(reg), value);
	else
		apic_write(reg, value);
}

struct frame;
#define HANDLER __attribute__((interrupt)) static void

HANDLER on_vector(struct frame *f)
{
	(void)f;
	came[me()]++;
	put(APIC_EOI, 0);
}

HANDLER on_wake(struct frame *f)
{
	(void)f;
	put(APIC_EOI, 0);
}

HANDLER on_nmi(struct frame *f)
{
	(void)f;
	nmis[me()]++;
}

/* Whose vector it was is what is in service. */
HANDLER on_storm(struct frame *f)
{
	uint32_t bits;

	(void)f;
	bits = get(APIC_ISR + 16 * (STORM / 32));
	stormed[me()][31 - (unsigned)__builtin_clz(bits)]++;
	put(APIC_EOI, 0);
}

static void gate(unsigned v, void (*at)(struct frame *))
{
	idt[v] = gate_pack((word)at, SELECTOR_CODE32, GATE_INTERRUPT);
}

static void send(uint32_t dest, uint32_t command)
{
	if (x2apic()) {
		wrmsr(MSR_X2APIC_ICR, (uint64_t)dest << 32 | command);
		return;
	}
	apic_write(APIC_ICR_HIGH, dest << 24);
	apic_write(APIC_ICR, command);
}

/* Each sends to all others, and goes on when all have it. */
static void storm(unsigned n)
{
	for (unsigned round = 1; round <= STORM_ROUNDS; round++) {
		send(0, ICR_SHORTHAND(APIC_OTHERS) | ICR_ASSERT | (STORM + n));
		for (unsigned i = 0; i < cpus; i++)
			while (i != n && stormed[i][n] < round)
				__asm__ volatile("sti; pause");
	}
}

static void take_model(unsigned n, enum model m)
{
	if (m == X2APIC)
		wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_EXTD);
	else {
		apic_write(APIC_DFR, m == FLAT ? 0xffffffff : 0x0fffffff);
		apic_write(APIC_LDR, (m == FLAT ? 1u << n % 8 : n / 4 << 4 | 1u << n % 4) << 24);
	}
	put(APIC_SVR, SVR_ENABLED | SPURIOUS);
	has[n] = m;
}

static void rest(unsigned n)
{
	enum state s = wanted[n];

	is[n] = s;
	switch (s) {
	case RUNS:
		__asm__ volatile("sti; pause");
		break;
	case SLEEPS:
		__asm__ volatile("cli");
		if (wanted[n] == s)
			__asm__ volatile("sti; hlt");
		break;
	case DEAD_ASLEEP:
		cli_hlt();
		break;
	case STORMS:
		storm(n);
		wanted[n] = usually;
		break;
	default:
		__asm__ volatile("cli; pause");
	}
}

static void load_idt(void)
{
	struct { uint16_t limit; uint32_t base; } __attribute__((packed)) r = { sizeof(idt) - 1, (word)idt };

	__asm__ volatile("lidt %0" : : "m"(r));
}

void icr_cpu(unsigned n)
{
	load_idt();
	take_model(n, model);
	put(APIC_TPR, tpr[n]);
	starts[n]++;
	for (;;) {
		if (has[n] != model)
			take_model(n, model);
		if (has_tpr[n] != tpr[n]) {
			put(APIC_TPR, tpr[n]);
			has_tpr[n] = tpr[n];
		}
		rest(n);
	}
}

/* ---- the first one ---- */

#define WAIT_UNTIL(condition) do { \
	uint64_t end_ = rdtsc() + LONG; \
	while (!(condition) && rdtsc() < end_) \
		__asm__ volatile("sti; pause"); \
	cli(); \
} while (0)

static void settle(void)
{
	for (uint64_t end = rdtsc() + SHORT; rdtsc() < end;)
		__asm__ volatile("sti; pause");
	cli();
}

/* It does so, or is told, by what it listens to. */
static void have(unsigned n, enum state s)
{
	wanted[n] = s;
	if (is[n] == SLEEPS)
		send(n, ICR_ASSERT | WAKE);
	if (is[n] == DEAD_ASLEEP) {
		send(n, ICR_DELIVERY(APIC_NMI) | ICR_ASSERT);
		nmis_due[n]++;
	}
	WAIT_UNTIL(is[n] == s);
	CHECK(is[n] == s, "CPU %u does %u, not %u", n, is[n], s);
}

static void wake(void) { send(0, ICR_SHORTHAND(APIC_OTHERS) | ICR_ASSERT | WAKE); }

static void all_have(enum model m)
{
	unsigned n = 0;

	model = m;
	wake();
	take_model(0, m);
	WAIT_UNTIL(n == cpus || (has[n] == m && (n++, true) && n == cpus));
	CHECK(n == cpus, "CPU %u does not take model %u", n, m);
}

/* One step's: bit n of who. */
static void check(const char *what, uint32_t dest, uint32_t who, unsigned *counts, volatile unsigned *is_now)
{
	unsigned n;

	for (n = 0; n < cpus; n++)
		counts[n] += who >> n & 1;
	n = 0;
	WAIT_UNTIL(n == cpus || (is_now[n] == counts[n] && ++n == cpus));
	settle();
	for (n = 0; n < cpus; n++) {
		CHECK(is_now[n] == counts[n], "%s to %x: CPU %u had %u, not %u", what, dest, n, is_now[n], counts[n]);
		counts[n] = is_now[n];
	}
}

static uint32_t all(void) { return cpus == 32 ? ~0u : (1u << cpus) - 1; }

static void fixed(const char *what, uint32_t dest, uint32_t more, uint32_t who)
{
	send(dest, ICR_ASSERT | more | VECTOR);
	check(what, dest, who, due, came);
}

static void none(const char *what, uint32_t dest, uint32_t command)
{
	send(dest, command);
	check(what, dest, 0, due, came);
	check(what, dest, 0, nmis_due, nmis);
}

/* Whom a logical destination is for. */
static uint32_t logical(uint32_t dest)
{
	uint32_t who = 0;

	for (unsigned n = 0; n < cpus; n++) {
		bool is_meant = model == FLAT ? dest >> n % 8 & 1 :
				model == CLUSTER ? dest >> 4 == n / 4 && (dest >> n % 4 & 1) :
				dest >> 16 == n / 16 && (dest >> n % 16 & 1);

		who |= (uint32_t)is_meant << n;
	}
	return who;
}

static void by_logical(uint32_t dest) { fixed("logical", dest, ICR_LOGICAL, logical(dest)); }

/* The one with the lowest TPR of those meant. */
static void lowest(unsigned n, uint32_t dest)
{
	if (!(logical(dest) >> n & 1))
		return;
	for (unsigned i = 0; i < cpus; i++)
		tpr[i] = i == n ? 0 : 0x20;
	put(APIC_TPR, tpr[0]);
	wake();
	for (unsigned i = 1; i < cpus; i++)
		WAIT_UNTIL(has_tpr[i] == tpr[i]);
	settle(); /* what has waked them is no longer in service */
	send(dest, ICR_DELIVERY(APIC_LOWEST) | ICR_LOGICAL | ICR_ASSERT | VECTOR);
	check("lowest priority", dest, 1u << n, due, came);
}

static void destinations(void)
{
	uint32_t everybody = model == X2APIC ? ~0u : 0xff;
	uint32_t bits = model == FLAT ? 0xff : model == CLUSTER ? 0xf : 0xffff;

	for (unsigned n = 0; n < cpus; n++)
		fixed("physical", n, 0, 1u << n);
	fixed("physical, to nobody", model == X2APIC ? 0x10000 : 0x80, 0, 0);
	fixed("physical, to everybody", everybody, 0, all());
	fixed("logical, to everybody", everybody, ICR_LOGICAL, all());
	fixed("to itself", 0, ICR_SHORTHAND(APIC_SELF), 1);
	fixed("to all", 0, ICR_SHORTHAND(APIC_ALL), all());
	fixed("to all others", 0, ICR_SHORTHAND(APIC_OTHERS), all() & ~1u);
	for (unsigned cluster = 0; cluster < (model == FLAT ? 1 : model == CLUSTER ? 8 : 3); cluster++) {
		uint32_t base = cluster << (model == CLUSTER ? 4 : 16);

		for (uint32_t bit = 1; bit <= bits; bit <<= 1)
			by_logical(base | bit);
		by_logical(base | (bits & 0xaaaa));
		by_logical(base | bits);
		by_logical(base);
		for (unsigned n = 0; n < cpus; n += 3)
			lowest(n, base | bits);
	}
	for (unsigned i = 0; i < cpus; i++)
		tpr[i] = 0;
	put(APIC_TPR, 0);
	wake();
}

/* What is no interrupt: nobody gets anything. */
static void not_sent(void)
{
	uint32_t others = ICR_SHORTHAND(APIC_OTHERS) | ICR_ASSERT;

	none("SMI", 0, others | ICR_DELIVERY(APIC_SMI));
	none("the mode that is reserved", 0, others | ICR_DELIVERY(3) | VECTOR);
	none("ExtINT", 0, others | ICR_DELIVERY(APIC_EXTINT) | VECTOR);
	none("a start-up IPI to who runs", 0, others | ICR_DELIVERY(APIC_SIPI) | ICR_AT >> 12);
	none("INIT, level de-assert", 0, ICR_SHORTHAND(APIC_ALL) | ICR_DELIVERY(APIC_INIT) | ICR_LEVEL);
	put(APIC_ESR, 0);
	none("a vector below 16", 0, others | 15);
	put(APIC_ESR, 0);
	CHECK(get(APIC_ESR) & ESR_SEND_ILLEGAL_VECTOR, "ESR is %x", get(APIC_ESR));
	for (unsigned n = 1; n < cpus; n++)
		CHECK(starts[n] == 1, "CPU %u began %u times", n, starts[n]);
}

static void non_maskable(void)
{
	uint32_t nmi = ICR_DELIVERY(APIC_NMI) | ICR_ASSERT;

	for (unsigned s = first; s <= DEAD_ASLEEP; s++) {
		for (unsigned n = 1; n < cpus; n++)
			have(n, s);
		settle();
		for (unsigned n = 1; n < cpus; n += cpus / 3 + 1) {
			send(n, nmi);
			check("NMI", n, 1u << n, nmis_due, nmis);
		}
		send(0, nmi | ICR_SHORTHAND(APIC_OTHERS));
		check("NMI to all others", 0, all() & ~1u, nmis_due, nmis);
		if (s == DEAF || s == DEAD_ASLEEP)
			fixed("to the deaf", 0, ICR_SHORTHAND(APIC_OTHERS), 0);
		for (unsigned n = 1; n < cpus; n++) {
			have(n, usually);
			due[n] += s == DEAF || s == DEAD_ASLEEP;
		}
		check("when they hear again", 0, 0, due, came);
		check("NMIs", 0, 0, nmis_due, nmis);
	}
	send(0, nmi);
	check("NMI to itself", 0, 1, nmis_due, nmis);
}

/* A second start-up IPI finds it running. */
static void begin(unsigned n, unsigned before)
{
	send(n, ICR_DELIVERY(APIC_INIT) | ICR_ASSERT | ICR_LEVEL);
	settle();
	CHECK(starts[n] == before, "CPU %u began %u times, without a start-up IPI", n, starts[n]);
	send(n, ICR_DELIVERY(APIC_NMI) | ICR_ASSERT);
	send(n, ICR_ASSERT | VECTOR);
	is[n] = wanted[n] = usually;
	has_tpr[n] = 0;
	for (unsigned i = 0; i < 2; i++)
		send(n, ICR_DELIVERY(APIC_SIPI) | ICR_ASSERT | ICR_AT >> 12);
	WAIT_UNTIL(starts[n] == before + 1);
	settle();
	CHECK(starts[n] == before + 1, "CPU %u began %u times, not %u", n, starts[n], before + 1);
}

static void begin_anew(void)
{
	for (unsigned s = first; s <= DEAD_ASLEEP; s++)
		for (unsigned n = 1; n < cpus; n += cpus / 5 + 1) {
			have(n, s);
			settle();
			begin(n, starts[n]);
		}
	/* INIT is not latched for NMIs: who waits for a start-up IPI blocks them (SDM, "Wait-for-SIPI State"). */
	for (unsigned n = 0; n < cpus; n++)
		nmis_due[n] = nmis[n];
	check("to who has begun anew", 0, 0, due, came);
}

static void storms(void)
{
	unsigned n = 0;

	for (n = 1; n < cpus; n++)
		wanted[n] = STORMS;
	wake();
	storm(0);
	n = 1;
	WAIT_UNTIL(n == cpus || (wanted[n] == usually && ++n == cpus));
	for (n = 0; n < cpus; n++)
		for (unsigned i = 0; i < cpus; i++) {
			CHECK(stormed[n][i] == (i != n) * STORM_ROUNDS, "CPU %u had %u of CPU %u", n, stormed[n][i], i);
			stormed[n][i] = 0;
		}
}

static void write_icr(void *p) { wrmsr(MSR_X2APIC_ICR, *(uint64_t *)p); }

/* SDM, "x2APIC Register Address Space": bits that are reserved must not be written, and then nothing is sent.
 * (Bit 12, the delivery status, is no longer there; processors ignore it.) */
static void reserved(void (*with_traps)(void), void (*without)(void))
{
	static const unsigned bits[] = { 13, 16, 17, 20, 31 };

	for (unsigned i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		uint64_t value = ICR_SHORTHAND(APIC_ALL) | ICR_ASSERT | VECTOR | 1u << bits[i];
		unsigned got;

		with_traps();
		got = trap_call(write_icr, &value);
		without();
		CHECK(got == TRAP(GP), "ICR with bit %u: %u", bits[i], got);
	}
	check("reserved bits", 0, 0, due, came);
}

static struct { uint16_t limit; uint32_t base; } __attribute__((packed)) usual;
static void usual_idt(void) { __asm__ volatile("lidt %0" : : "m"(usual)); }

static void start_all(void)
{
	unsigned n = 1;

	for (char *p = icr_begin; p < icr_end; p++)
		((volatile char *)ICR_AT)[p - icr_begin] = *p;
	send(0, ICR_SHORTHAND(APIC_OTHERS) | ICR_DELIVERY(APIC_INIT) | ICR_ASSERT | ICR_LEVEL);
	send(0, ICR_SHORTHAND(APIC_OTHERS) | ICR_DELIVERY(APIC_SIPI) | ICR_ASSERT | ICR_AT >> 12);
	WAIT_UNTIL(n == cpus || (starts[n] == 1 && ++n == cpus));
	CHECK(n == cpus, "CPU %u does not start", n);
}

void test_main(void)
{
	cpus = parameter_number("cpus", 1);
	usually = first = cpus > 8 ? SLEEPS : RUNS;
	for (unsigned n = 0; n < cpus; n++)
		wanted[n] = usually;
	__asm__ volatile("sidt %0" : "=m"(usual));
	gate(VECTOR_NMI, on_nmi);
	gate(VECTOR, on_vector);
	gate(WAKE, on_wake);
	for (unsigned n = 0; n < cpus; n++)
		gate(STORM + n, on_storm);
	load_idt();
	take_model(0, FLAT);
	start_all();
	for (enum model m = FLAT; m <= X2APIC; m++) {
		all_have(m);
		destinations();
		not_sent();
		non_maskable();
		storms();
	}
	reserved(usual_idt, load_idt);
	begin_anew();
	storms();
	usual_idt();
	print("icr: %u CPUs\n", cpus);
}
