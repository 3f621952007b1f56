/* Each form of instruction that reads a register of the local APIC, writes it, or both, between two RDTSC. */
#include "guest/test/base/apic.h"
#include "guest/test/tpr/tprcost.h"

#define TIMES 60

/* The register's address is in a register, as compilers have it. Flags and EDX are anybody's. */
static volatile uint32_t *place;
static uint32_t operand;

#define FORM(name, insn) \
	static inline __attribute__((always_inline)) void do_##name(void) \
	{ \
		uint32_t value = operand; \
		__asm__ volatile(insn : "+d"(value) : "a"(place) : "cc", "memory"); \
	}
#define FORMS(X) \
	X(mov_load, "movl (%1), %0") X(mov_store, "movl %0, (%1)") X(mov_immediate, "movl $0x20, (%1)") \
	X(mov_byte, "movb (%1), %%dl") X(movzx, "movzbl (%1), %0") X(mov_store_byte, "movb $0x20, (%1)") \
	X(cmp, "cmpl %0, (%1)") X(cmp_immediate, "cmpl $0x20, (%1)") X(test, "testl %0, (%1)") \
	X(add_to_register, "addl (%1), %0") X(xchg, "xchgl %0, (%1)") X(and, "andl $0xf0, (%1)") \
	X(or, "orl %0, (%1)") X(add, "addl $0, (%1)") X(sub, "subl $0, (%1)") X(xor, "xorl $0, (%1)") \
	X(locked_or, "lock orl $0x20, (%1)") X(xadd, "xaddl %0, (%1)") X(cmpxchg, "cmpxchgl %0, (%1)") \
	X(inc, "incl (%1)") X(dec, "decl (%1)") X(not, "notl (%1)") X(neg, "negl (%1)")
FORMS(FORM)

#ifdef __i386__
static inline __attribute__((always_inline)) void do_push(void)
{
	uint32_t value;

	__asm__ volatile("pushl (%1)\n\tpopl %0" : "=d"(value) : "a"(place) : "memory");
}
#endif

static uint32_t sample[TIMES];
static uint32_t empty;

static const char *of; /* the register's name */

static void line(const char *form)
{
	print("BENCH %s_%s %u %u\n", of, form, sample[0] - empty, sample[TIMES / 2] - empty);
}

/* The register is as before in front of each. */
static inline __attribute__((always_inline)) void measure(const char *form, void (*fn)(void))
{
	for (unsigned i = 0; i < TIMES; i++) {
		uint64_t start;

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

static void measure_forms(const struct tprcost *r)
{
	of = r->name;
	place = apic_at(r->offset);
	operand = r->value;
#define MEASURE(name, insn) measure(#name, do_##name);
	FORMS(MEASURE)
#ifdef __i386__
	measure("push", do_push);
#endif
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

void measure_registers(void)
{
	bool all = parameter("all");

	of = "none";
	place = apic_at(APIC_TPR);
	measure("empty", do_nothing);
	apic_write(APIC_SVR, SVR_ENABLED | 0xff);
	apic_write(APIC_ICR_HIGH, NOBODY);
	if (all)
		measure_news();
	for (unsigned n = 0; n < (all ? sizeof(registers) / sizeof(registers[0]) : TPRCOST_TRAPPED); n++)
		measure_forms(&registers[n]);
	apic_write(APIC_TPR, 0);
}
