/* Single cases, in which nothing else interrupts: IF, the shadow of STI, HLT, equal classes, order. */
#include "guest/test/irql/irql.h"

/* Runs code with IF=1 from its first STI or POPF to its CLI; how many of its INCs an interrupt saw behind it. */
#define RUN(code) __asm__ volatile(code : "+m"(irql_steps) : [on] "i"(RFLAGS_IF) : "memory", "cc")
#ifdef __x86_64__
#define POPF_ON "pushfq; orq %[on], (%%rsp); popfq; "
#define STEP "incq %0; "
#else
#define POPF_ON "pushfl; orl %[on], (%%esp); popfl; "
#define STEP "incl %0; "
#endif

/* v waits, kept away by the TPR, with interrupts off; then the TPR lets it in. */
static void let_in_closed(unsigned v)
{
	cli();
	tpr_write((uint8_t)(v | 15));
	send_ipi(v);
	tpr_write((uint8_t)((v >> 4) - 1) << 4);
	MUST(is_waiting(v) && apic_bit(APIC_IRR, v), "vector 0x%x came with IF=0", v);
	irql_steps = 0;
}

static void came_after(const char *what, unsigned v, unsigned steps)
{
	MUST(!is_waiting(v), "%s: vector 0x%x did not come", what, v);
	MUST(last_vector == v && last_steps == steps, "%s: vector 0x%x came after %lu instructions, not %u", what,
	     last_vector, last_steps, steps);
}

static void test_windows(unsigned c)
{
	unsigned v = c << 4 | IPI_LOW;

	let_in_closed(v);
	RUN("sti; cli");
	MUST(is_waiting(v), "vector 0x%x came between STI and CLI", v);
	RUN("sti; " STEP STEP "cli");
	came_after("STI", v, 1);
	let_in_closed(v);
	RUN(POPF_ON STEP STEP "cli");
	came_after("POPF", v, 0);
	let_in_closed(v);
	RUN("sti; hlt; " STEP "cli");
	came_after("STI; HLT", v, 0);
}

/* ---- the write itself in the shadow of STI, or of a load of SS ---- */

static void mmio_sti(uint8_t v)
{
	__asm__ volatile("sti; movl %1, %2; " STEP
			 : "+m"(irql_steps)
			 : "r"((uint32_t)v), "m"(*(volatile uint32_t *)(apic_page + APIC_TPR))
			 : "memory", "cc");
}

static void mmio_ss(uint8_t v)
{
	__asm__ volatile("sti; mov %%ss, %%ecx; mov %%ecx, %%ss; movl %1, %2; " STEP
			 : "+m"(irql_steps)
			 : "r"((uint32_t)v), "m"(*(volatile uint32_t *)(apic_page + APIC_TPR))
			 : "ecx", "memory", "cc");
}

static void msr_sti(uint8_t v)
{
	__asm__ volatile("sti; wrmsr; " STEP
			 : "+m"(irql_steps)
			 : "c"(MSR_X2APIC(APIC_TPR)), "a"((uint32_t)v), "d"(0)
			 : "memory", "cc");
}

static void msr_ss(uint8_t v)
{
	__asm__ volatile("sti; mov %%ss, %%ebx; mov %%ebx, %%ss; wrmsr; " STEP
			 : "+m"(irql_steps)
			 : "c"(MSR_X2APIC(APIC_TPR)), "a"((uint32_t)v), "d"(0)
			 : "ebx", "memory", "cc");
}

static void write_in_shadow(uint8_t v, bool ss)
{
	if (access == WAY_MMIO)
		(ss ? mmio_ss : mmio_sti)(v);
	else if (access == WAY_MSR)
		(ss ? msr_ss : msr_sti)(v);
	else
		guest.cr8_in_shadow(v, ss);
}

static void test_shadow(unsigned c, bool ss)
{
	unsigned v = c << 4 | IPI_HIGH;

	cli();
	tpr_write(0xf0);
	send_ipi(v);
	irql_steps = 0;
	tpr_begin(0);
	write_in_shadow(0, ss);
	tpr_end(0);
	cli();
	came_after(ss ? "a write behind a load of SS" : "a write behind STI", v, 0);
}

/* ---- HLT ---- */

/* At a level that keeps the low one away, the timer of a higher class wakes, and the low one does not; wakes: those of
 * the low one would come first, without an end of the timer's count. */
static void test_halt(unsigned low, unsigned high)
{
	unsigned v = low << 4 | IPI_LOW, timer = high << 4 | TIMER, before;

	cli();
	vector_of[TIMER] = (uint8_t)timer;
	apic_put(APIC_LVT_TIMER, timer);
	before = taken[timer];
	tpr_write((uint8_t)(low << 4 | random_below(16)));
	send_ipi(v);
	arm_timer(20000);
	irql_steps = 0;
	RUN("sti; hlt; " STEP "cli");
	MUST(taken[timer] == before + 1, "HLT at TPR 0x%x ended without the timer's interrupt 0x%x", tpr_now(), timer);
	MUST(is_waiting(v) && last_vector == timer, "vector 0x%x came in HLT at TPR 0x%x", v, tpr_now());
	MUST(irql_steps == 1 && last_steps == 0, "HLT: %lu instructions", last_steps);
	sti();
	tpr_write(0);
	MUST(!is_waiting(v), "vector 0x%x did not come at TPR 0", v);
	cli();
}

/* ---- order ---- */

/* All classes wait, two vectors each; they come from the highest to the lowest, as far as each lowering allows. */
static void test_order(void)
{
	unsigned bound = 15;

	cli();
	tpr_write(0xff);
	for (unsigned c = CLASS_FIRST; c <= CLASS_LAST; c++) {
		send_ipi(c << 4 | IPI_LOW);
		send_ipi(c << 4 | IPI_HIGH);
	}
	sti();
	while (bound) {
		unsigned next = random_below(bound);

		raise_to(next); /* a lowering: irql.c holds what comes against the order */
		for (unsigned c = CLASS_FIRST; c <= CLASS_LAST; c++)
			MUST(is_waiting(c << 4 | IPI_LOW) == (c <= next) &&
			     is_waiting(c << 4 | IPI_HIGH) == (c <= next), "at level %u: class %u", next, c);
		MUST(next == 14 || (last_vector >> 4 == next + 1 || (next < 2 && last_vector >> 4 == CLASS_FIRST)),
		     "the last one above level %u was 0x%x", next, last_vector);
		bound = next;
	}
	cli();
}

/* The subclass of the TPR keeps nothing away, and its class keeps away what has a higher subclass. */
static void test_subclass(unsigned c)
{
	unsigned v = c << 4 | IPI_HIGH;

	sti();
	for (unsigned sub = 0; sub < 16; sub += 5) {
		tpr_write((uint8_t)(c << 4 | sub));
		MUST(tpr_read() == tpr_kept(tpr_now()), "TPR 0x%x reads 0x%x", tpr_now(), tpr_read());
		MUST(apic_get(APIC_PPR) == tpr_kept(tpr_now()), "PPR is 0x%x at TPR 0x%x", apic_get(APIC_PPR),
		     tpr_now());
		send_ipi(v);
		MUST(is_waiting(v), "vector 0x%x came at TPR 0x%x", v, tpr_now());
		tpr_write((uint8_t)((c - 1) << 4 | (15 - sub)));
		MUST(!is_waiting(v), "vector 0x%x did not come at TPR 0x%x", v, tpr_now());
	}
	cli();
}

/* Writes of a part: the manual promises nothing for them. They are done or ignored; nothing else changes. */
static void test_parts(void)
{
	volatile uint8_t *tpr = (volatile uint8_t *)(apic_page + APIC_TPR);
	uint8_t got;

	tpr_write(0x30);
	*tpr = 0x40;
	got = (uint8_t)apic_get(APIC_TPR);
	MUST(got == 0x30 || got == 0x40, "a byte written to the TPR: 0x%x", got);
	tpr_end(got);
	*(volatile uint16_t *)tpr = 0x50;
	MUST(apic_get(APIC_TPR) == got || apic_get(APIC_TPR) == 0x50, "a word written to the TPR: 0x%x",
	     apic_get(APIC_TPR));
	tpr_end((uint8_t)apic_get(APIC_TPR));
	for (unsigned i = 1; i < 4; i++) {
		tpr[i] = 0xff;
		MUST(apic_get(APIC_TPR) == tpr_now(), "byte %u written to 0xff: TPR is 0x%x", i, apic_get(APIC_TPR));
	}
	tpr_write(0);
}

void test_exact(void)
{
	quiet = true;
	if (access == WAY_MMIO && !native) /* Bochs ends the run */
		test_parts();
	for (unsigned c = CLASS_FIRST; c <= CLASS_LAST; c++) {
		test_windows(c);
		test_shadow(c, false);
		test_shadow(c, true);
		test_subclass(c);
		if (c < CLASS_LAST)
			test_halt(c, c + 1 + random_below(CLASS_LAST - c));
		test_order();
	}
	drain();
	quiet = false;
}
