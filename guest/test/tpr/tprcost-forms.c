/* Each form of instruction that reads a register of the local APIC, writes it, or both, between two RDTSC. */
#include "guest/test/base/apic.h"
#include "guest/test/tpr/tprcost.h"

#define TIMES 60

#define PERIODIC (LVT_TIMER_PERIODIC | 0x20)
#define PERIOD 0x1800u
#define DIVIDE_BY_128 0xau

/* The register's address is in a register, as compilers have it. Flags and EDX are anybody's. */
static volatile uint32_t *place;
static uint32_t operand;

/* An address in a register as wide as one. */
#ifdef __i386__
#define WIDE "l"
#define VALUE "%%edx"
#else
#define WIDE "q"
#define VALUE "%%rdx"
#endif

/* ECX: a bit's number. */
#define FORM(name, insn) \
	static inline __attribute__((always_inline)) void do_##name(void) \
	{ \
		word value = operand; \
		__asm__ volatile(insn : "+d"(value) : "a"(place), "c"(5) : "cc", "memory"); \
	}
#define MOVES(X) \
	X(mov_load, "movl (%1), %k0") X(mov_store, "movl %k0, (%1)") X(mov_immediate, "movl $0x20, (%1)") \
	X(mov_byte, "movb (%1), %b0") X(movzx, "movzbl (%1), %k0") X(mov_store_byte, "movb $0x20, (%1)") \
	X(mov_word, "movw (%1), %w0") X(mov_store_word, "movw %w0, (%1)") X(movsx, "movswl (%1), %k0") \
	X(cmp, "cmpl %k0, (%1)") X(cmp_immediate, "cmpl $0x20, (%1)") X(test, "testl %k0, (%1)") \
	X(cmp_byte, "cmpb $0x20, (%1)") X(test_word, "testw %w0, (%1)") X(test_immediate, "testl $0x20, (%1)") \
	X(add_to_register, "addl (%1), %k0") X(bt, "btl $5, (%1)") X(bt_register, "btl %%ecx, (%1)")
#define CHANGES(X) \
	X(xchg, "xchgl %k0, (%1)") X(and, "andl $0xf0, (%1)") X(or, "orl %k0, (%1)") X(add, "addl $0, (%1)") \
	X(sub, "subl $0, (%1)") X(xor, "xorl $0, (%1)") X(adc, "stc\n\tadcl $0, (%1)") \
	X(sbb, "stc\n\tsbbl $0, (%1)") X(locked_or, "lock orl $0x20, (%1)") X(or_byte, "orb $0x20, (%1)") \
	X(sub_word, "subw $0, (%1)") X(adc_byte, "stc\n\tadcb $0, (%1)") X(xadd, "xaddl %k0, (%1)") \
	X(xadd_byte, "xaddb %b0, (%1)") X(cmpxchg, "cmpxchgl %k0, (%1)") X(cmpxchg_word, "cmpxchgw %w0, (%1)") \
	X(inc, "incl (%1)") X(dec, "decl (%1)") X(dec_byte, "decb (%1)") X(not, "notl (%1)") X(neg, "negl (%1)") \
	X(neg_word, "negw (%1)") X(bts, "btsl $5, (%1)") X(btr, "btrl $5, (%1)") X(btc, "btcl $5, (%1)") \
	X(unmask, "btrl $16, (%1)") X(bts_register, "btsl %%ecx, (%1)") \
	X(locked_btr, "lock btrl %%ecx, (%1)") X(btc_word, "btcw $5, (%1)")
/* As wide as the stack; and the PUSH or POP beside it. */
#define STACK(X) \
	X(push, "push" WIDE " (%1)\n\tpop" WIDE " " VALUE) X(pop, "push" WIDE " " VALUE "\n\tpop" WIDE " (%1)")
#define WIDE_FORMS(X) \
	X(mov_load_wide, "movq (%1), %q0") X(mov_store_wide, "movq %q0, (%1)") \
	X(mov_immediate_wide, "movq $0x20, (%1)") X(cmp_wide, "cmpq $0x20, (%1)") X(or_wide, "orq %q0, (%1)") \
	X(sbb_wide, "stc\n\tsbbq $0, (%1)") X(xchg_wide, "xchgq %q0, (%1)") X(xadd_wide, "xaddq %q0, (%1)") \
	X(cmpxchg_wide, "cmpxchgq %q0, (%1)") X(neg_wide, "negq (%1)") X(inc_wide, "incq (%1)") \
	X(unmask_wide, "btrq $16, (%1)") X(bts_wide, "btsq $5, (%1)") \
	X(bt_wide, "btq %%rcx, (%1)") X(movslq, "movslq (%1), %q0")
#ifdef __i386__
#define FORMS(X) MOVES(X) CHANGES(X) STACK(X)
#else
#define FORMS(X) MOVES(X) CHANGES(X) STACK(X) WIDE_FORMS(X)
#endif
FORMS(FORM)

static uint32_t sample[TIMES];
static uint32_t empty;

static const char *of; /* the register's name */

static void line(const char *form)
{
	print("BENCH %s_%s %u %u\n", of, form, sample[0] - empty, sample[TIMES / 2] - empty);
}

/* NULL, or a timer that runs, set up like that in front of each. */
static const struct timer_setup {
	uint32_t lvt, divide, count;
} *timer_setup;

/* One that is periodic has expired. */
static void set_up(const struct timer_setup *s)
{
	apic_write(APIC_LVT_TIMER, s->lvt);
	apic_write(APIC_TIMER_DIVIDE, s->divide);
	apic_write(APIC_TIMER_INITIAL, s->count);
	for (uint64_t start = rdtsc(); (s->lvt & LVT_TIMER_PERIODIC) && rdtsc() - start < PERIOD;)
		continue;
}

/* The register is as before in front of each. */
static inline __attribute__((always_inline)) void measure(const char *form, void (*fn)(void))
{
	/* Where code goes from page to page, an RDTSC tells more than there is. */
	__asm__ volatile(".p2align 8");
	for (unsigned i = 0; i < TIMES; i++) {
		uint64_t start;

		if (timer_setup)
			set_up(timer_setup);
		*place = operand;
		start = rdtsc();
		fn();
		sample[i] = (uint32_t)(rdtsc() - start);
	}
	bench_sort(sample, TIMES);
	if (!empty)
		empty = sample[0];
	line(form);
}

/* A vector in each sample that does not wait already: what comes of it, with interrupts off. */
static void measure_news(void)
{
	for (unsigned i = 0; i < TIMES; i++) {
		uint32_t icr = ICR_SHORTHAND(APIC_SELF) | (0x40 + i);
		uint64_t start = rdtsc();

		apic_write(APIC_ICR, icr);
		sample[i] = (uint32_t)(rdtsc() - start);
	}
	bench_sort(sample, TIMES);
	of = "icr_news";
	line("mov_store");
}

/* ---- with interrupts ---- */

#define SERVED 0x61u
#define NEXT 0x51u /* of a lower class */

static uint64_t began;
static unsigned taken;
static bool next_waits;

static void send_to_self(uint8_t vector) { apic_write(APIC_ICR, ICR_SHORTHAND(APIC_SELF) | vector); }

static void eoi_in_service(void)
{
	uint64_t start;

	if (next_waits)
		send_to_self(NEXT);
	start = rdtsc();
	apic_write(APIC_EOI, 0);
	sample[taken++] = (uint32_t)(rdtsc() - start);
}

static void let_in(void)
{
	sample[taken++] = (uint32_t)(rdtsc() - began);
	apic_write(APIC_EOI, 0);
}

static void eoi_only(void) { apic_write(APIC_EOI, 0); }

static void report(const char *what)
{
	CHECK(taken == TIMES, "%u of %u interrupts came", taken, TIMES);
	bench_sort(sample, TIMES);
	of = "with";
	line(what);
	taken = 0;
}

/* EOI of an interrupt in service, with nothing that waits and with one that comes behind the handler; and from the
 * write to the TPR that lets one in to its handler, what the kernel has in front of that included. */
static void measure_interrupts(void)
{
	irq_hook[NEXT] = eoi_only;
	irq_hook[SERVED] = eoi_in_service;
	for (unsigned n = 0; n < 2; n++, next_waits = true) {
		for (unsigned i = 0; i < TIMES; i++) {
			send_to_self(SERVED);
			sti_nop_cli();
			sti_nop_cli(); /* and the next one */
		}
		report(n ? "eoi_another_waits" : "eoi_in_service");
	}
	irq_hook[SERVED] = let_in;
	for (unsigned i = 0; i < TIMES; i++) {
		apic_write(APIC_TPR, 0x70);
		send_to_self(SERVED);
		sti();
		began = rdtsc();
		apic_write(APIC_TPR, 0);
		cli();
	}
	report("tpr_lets_in");
}

static void measure_forms(const struct tprcost *r)
{
	of = r->name;
	place = apic_at(r->offset);
	operand = r->value;
#define MEASURE(name, insn) measure(#name, do_##name);
	FORMS(MEASURE)
	*place = operand;
}

/* What they hold meanwhile, with which nothing comes: interrupts are off, those in ICR go to nobody or to oneself. */
static const struct tprcost registers[] = {
	{ "tpr", APIC_TPR, 0x20 },
	{ "eoi", APIC_EOI, 0 },
	{ "id", APIC_ID, 0 },
	{ "version", APIC_VERSION, 0 },
	{ "ppr", APIC_PPR, 0 },
	{ "ldr", APIC_LDR, 0x01000000 },
	{ "dfr", APIC_DFR, 0xffffffff },
	{ "svr", APIC_SVR, SVR_ENABLED | 0xff },
	{ "isr", APIC_ISR, 0 },
	{ "tmr", APIC_TMR, 0 },
	{ "irr", APIC_IRR, 0 },
	{ "esr", APIC_ESR, 0 },
	{ "icr_high", APIC_ICR_HIGH, NOBODY },
	{ "icr_nobody", APIC_ICR, 0x20 },
	{ "icr_self", APIC_ICR, ICR_SHORTHAND(APIC_SELF) | 0x20 },
	{ "lvt_timer", APIC_LVT_TIMER, LVT_MASKED | 0x20 },
	{ "lvt_lint0", APIC_LVT_LINT0, LVT_MASKED | 0x20 },
	{ "lvt_error", APIC_LVT_ERROR, LVT_MASKED | 0x20 },
	{ "initial", APIC_TIMER_INITIAL, 0 },
	{ "current", APIC_TIMER_CURRENT, 0 },
	{ "divide", APIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1 },
	{ "absent", 0x3f0, 0 },
};

/* The same of a timer that runs: each write of these arms an alarm, or comes to nothing. */
static const struct {
	struct tprcost r;
	struct timer_setup setup;
} timer[] = {
	{ { "initial_runs", APIC_TIMER_INITIAL, 0x400000f0 }, { 0x20, TIMER_DIVIDE_BY_1, 0x400000f0 } },
	{ { "current_runs", APIC_TIMER_CURRENT, 0 }, { 0x20, TIMER_DIVIDE_BY_1, 0x400000f0 } },
	{ { "divide_runs", APIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1 }, { 0x20, TIMER_DIVIDE_BY_1, 0x400000f0 } },
	{ { "lvt_timer_runs", APIC_LVT_TIMER, 0x20 }, { 0x20, TIMER_DIVIDE_BY_1, 0x400000f0 } },
	/* Most make it an earlier alarm. */
	{ { "initial_sooner", APIC_TIMER_INITIAL, 0xc0000000 }, { 0x20, TIMER_DIVIDE_BY_1, 0xc0000000 } },
	{ { "divide_sooner", APIC_TIMER_DIVIDE, DIVIDE_BY_128 }, { 0x20, DIVIDE_BY_128, 0x400000f0 } },
	/* Most let it go on that was masked. */
	{ { "lvt_masked_runs", APIC_LVT_TIMER, LVT_MASKED | 0x20 }, { 0x20, TIMER_DIVIDE_BY_1, 0x40000000 } },
	/* And one that is, or was, periodic, and has expired. */
	{ { "current_periodic", APIC_TIMER_CURRENT, 0 }, { PERIODIC, TIMER_DIVIDE_BY_1, PERIOD } },
	{ { "divide_periodic", APIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1 }, { PERIODIC, TIMER_DIVIDE_BY_1, PERIOD } },
	{ { "lvt_timer_periodic", APIC_LVT_TIMER, PERIODIC }, { PERIODIC, TIMER_DIVIDE_BY_1, PERIOD } },
	{ { "lvt_masked_periodic", APIC_LVT_TIMER, LVT_MASKED | PERIODIC }, { PERIODIC, TIMER_DIVIDE_BY_1, PERIOD } },
};

static void measure_timer(void)
{
	for (unsigned n = 0; n < sizeof(timer) / sizeof(timer[0]); n++) {
		timer_setup = &timer[n].setup;
		measure_forms(&timer[n].r);
	}
	timer_setup = NULL;
	apic_write(APIC_TIMER_INITIAL, 0);
}

/* A round, what its loop takes but the access taken away: that comes first, without an exit. */
static void measure_expired(void)
{
	volatile uint32_t *initial = apic_at(APIC_TIMER_INITIAL), memory[2];
	uint32_t cost[2];

	apic_write(APIC_LVT_TIMER, 0x20);
	apic_write(APIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
	for (unsigned n = 0; n < 2; n++) {
		volatile uint32_t *at = n ? initial : memory;
		uint64_t start = rdtsc();

		for (unsigned i = 0; i < TPRCOST_EXPIRES; i++)
			__asm__ volatile("mov" WIDE " $0x20, (%0)" : : "r"(at) : "memory");
		cost[n] = (uint32_t)(rdtsc() - start) / TPRCOST_EXPIRES;
	}
	print("BENCH round %u %u\n", cost[1] - cost[0], cost[1] - cost[0]);
	apic_write(APIC_TIMER_INITIAL, 0);
}

void measure_registers(void)
{
	bool all = parameter("all");

	apic_write(APIC_SVR, SVR_ENABLED | 0xff);
	if (parameter("expires")) {
		measure_expired();
		return;
	}
	if (parameter("closed")) {
		measure_closed_set();
		return;
	}
	if (parameter("every")) {
		measure_every_form();
		return;
	}
	of = "none";
	place = apic_at(APIC_TPR);
	measure("empty", do_nothing);
	apic_write(APIC_ICR_HIGH, NOBODY);
	measure_interrupts();
	if (all)
		measure_news();
	for (unsigned n = 0; n < (all ? sizeof(registers) / sizeof(registers[0]) : TPRCOST_TRAPPED); n++)
		measure_forms(&registers[n]);
	if (all)
		measure_timer();
	apic_write(APIC_TPR, 0);
}
