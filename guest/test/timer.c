/* 64 bits: interrupts from the interval timer and the local APIC's timer, through PIC, I/O APIC and local APIC; HLT,
 * interrupt windows, task priority, NMI. */
#include "guest/test/base/apic.h"
#include "guest/test/base/pc.h"

const char test_name[] = "timer";

#define PIC_VECTOR 0x30
#define IOAPIC_VECTOR 0x41
#define TIMER_VECTOR 0x52
#define LOW_VECTOR 0x63
#define HIGH_VECTOR 0xa4
#define SPURIOUS 0xff

static uint64_t ticks_10ms;

static void apic_eoi(void) { apic_write(APIC_EOI, 0); }

/* ---- a known time: channel 2 of the interval timer, polled ---- */

static uint64_t measure_10ms(void)
{
	uint64_t start;

	outb(PORT_B, (uint8_t)((inb(PORT_B) & ~PORT_B_SPEAKER) | PORT_B_GATE2));
	pit_start(2, PIT_ONE_SHOT, PIT_HZ / 100);
	start = rdtsc();
	while (!(inb(PORT_B) & PORT_B_OUT2))
		;
	return rdtsc() - start;
}

static void set_pit(unsigned hz)
{
	pit_start(0, PIT_RATE, (uint16_t)(PIT_HZ / hz));
}

/* Did n events every 1/hz s take their time, give or take a tenth and one event? */
static void check_rate(const char *what, uint64_t took, unsigned n, unsigned hz)
{
	uint64_t due = ticks_10ms * n * 100 / hz, slack = due / 10 + ticks_10ms * 100 / hz;

	CHECK(took + slack >= due && took <= due + slack, "%s: %u events took %lu ticks, not %lu", what, n, (word)took,
	      (word)due);
}

/* Waits in HLT until vector has come n times more. false: a second passed. */
static bool wait_for(unsigned vector, unsigned n)
{
	unsigned start = irq_count[vector];
	uint64_t end = rdtsc() + 100 * ticks_10ms;

	while (irq_count[vector] - start < n && rdtsc() < end)
		sti_hlt_cli();
	return irq_count[vector] - start >= n;
}

/* Spins with interrupts on for ms milliseconds. */
static void spin(unsigned ms)
{
	uint64_t end = rdtsc() + ticks_10ms * ms / 10;

	sti();
	while (rdtsc() < end)
		__asm__ volatile("pause");
	cli();
}

/* ---- PIC ---- */

static void test_pic(void)
{
	uint64_t start;
	unsigned n;

	irq_hook[PIC_VECTOR] = pic_eoi;
	set_pit(1000);
	pics_mask(PIC_ALL & ~1, PIC_ALL);
	CHECK(wait_for(PIC_VECTOR, 1), "the first interrupt through the PIC did not come");
	start = rdtsc();
	CHECK(wait_for(PIC_VECTOR, 20), "20 interrupts through the PIC did not come");
	check_rate("PIT through PIC, halted", rdtsc() - start, 20, 1000);
	n = irq_count[PIC_VECTOR];
	start = rdtsc();
	spin(20);
	n = irq_count[PIC_VECTOR] - n;
	CHECK(n >= 17 && n <= 23, "in 20 ms of spinning %u interrupts of 1000 a second came", n);
	pics_mask(PIC_ALL, PIC_ALL);
	sti_nop_cli();
	n = irq_count[PIC_VECTOR];
	spin(5);
	CHECK(irq_count[PIC_VECTOR] == n, "a masked PIC delivered %u interrupts", irq_count[PIC_VECTOR] - n);
	CHECK(irq_count[PIC_VECTOR + 7] == 0, "%u spurious interrupts", irq_count[PIC_VECTOR + 7]);
}

/* ---- I/O APIC ---- */

static void test_ioapic(void)
{
	unsigned pins = (ioapic_read(IOAPIC_INDEX_VERSION) >> 16 & 0xff) + 1, n;
	uint64_t start;

	CHECK(pins >= 16 && pins <= 240, "the I/O APIC has %u pins", pins);
	irq_hook[IOAPIC_VECTOR] = apic_eoi;
	ioapic_write(IOAPIC_INDEX_TABLE + 2 * 2 + 1, apic_read(APIC_ID));
	ioapic_write(IOAPIC_INDEX_TABLE + 2 * 2, IOAPIC_VECTOR);
	CHECK((ioapic_read(IOAPIC_INDEX_TABLE + 2 * 2) & 0xff) == IOAPIC_VECTOR, "redirection entry 2 reads 0x%x",
	      ioapic_read(IOAPIC_INDEX_TABLE + 2 * 2));
	CHECK(wait_for(IOAPIC_VECTOR, 1), "the first interrupt through the I/O APIC did not come");
	start = rdtsc();
	CHECK(wait_for(IOAPIC_VECTOR, 20), "20 interrupts through the I/O APIC did not come");
	check_rate("PIT through I/O APIC", rdtsc() - start, 20, 1000);
	ioapic_write(IOAPIC_INDEX_TABLE + 2 * 2, IOAPIC_VECTOR | (uint32_t)REDIRECTION_MASKED);
	sti_nop_cli();
	n = irq_count[IOAPIC_VECTOR];
	spin(5);
	CHECK(irq_count[IOAPIC_VECTOR] == n, "a masked pin delivered %u interrupts", irq_count[IOAPIC_VECTOR] - n);
	set_pit(100);
}

/* ---- the local APIC's timer ---- */

static bool pending(unsigned vector) { return apic_read(APIC_IRR + vector / 32 * 0x10) >> vector % 32 & 1; }

static void test_apic_timer(void)
{
	uint32_t per_10ms;
	uint64_t start;
	unsigned n;

	irq_hook[TIMER_VECTOR] = apic_eoi;
	apic_write(APIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
	apic_write(APIC_LVT_TIMER, TIMER_VECTOR | LVT_MASKED);
	apic_write(APIC_TIMER_INITIAL, 0xffffffff);
	measure_10ms();
	per_10ms = 0xffffffff - apic_read(APIC_TIMER_CURRENT);
	CHECK(per_10ms > 1000, "the local APIC's timer counted %u in 10 ms", per_10ms);
	apic_write(APIC_LVT_TIMER, TIMER_VECTOR);
	apic_write(APIC_TIMER_INITIAL, per_10ms / 5);
	start = rdtsc();
	CHECK(wait_for(TIMER_VECTOR, 1), "one-shot: no interrupt");
	check_rate("one-shot", rdtsc() - start, 1, 500);
	n = irq_count[TIMER_VECTOR];
	spin(10);
	CHECK(irq_count[TIMER_VECTOR] == n && apic_read(APIC_TIMER_CURRENT) == 0, "one-shot: %u interrupts more",
	      irq_count[TIMER_VECTOR] - n);
	apic_write(APIC_LVT_TIMER, TIMER_VECTOR | LVT_TIMER_PERIODIC);
	apic_write(APIC_TIMER_INITIAL, per_10ms / 10);
	start = rdtsc();
	CHECK(wait_for(TIMER_VECTOR, 20), "periodic: 20 interrupts did not come");
	check_rate("periodic", rdtsc() - start, 20, 1000);
	apic_write(APIC_TIMER_INITIAL, 0);
	sti_nop_cli();
	n = irq_count[TIMER_VECTOR];
	spin(5);
	CHECK(irq_count[TIMER_VECTOR] == n, "a stopped timer delivered %u interrupts", irq_count[TIMER_VECTOR] - n);
}

static void test_deadline(void)
{
	uint64_t start;

	if (!(cpuid_version().ecx & CPUID_1_ECX_TSC_DEADLINE)) {
		print("timer: no TSC deadline here\n");
		return;
	}
	apic_write(APIC_LVT_TIMER, TIMER_VECTOR | LVT_TIMER_DEADLINE);
	start = rdtsc();
	wrmsr(MSR_TSC_DEADLINE, start + ticks_10ms / 5);
	CHECK(rdmsr(MSR_TSC_DEADLINE) == start + ticks_10ms / 5, "the deadline reads 0x%lx",
	      (word)rdmsr(MSR_TSC_DEADLINE));
	CHECK(wait_for(TIMER_VECTOR, 1), "deadline: no interrupt");
	CHECK(rdtsc() >= start + ticks_10ms / 5, "deadline: too early");
	check_rate("deadline", rdtsc() - start, 1, 500);
	CHECK(rdmsr(MSR_TSC_DEADLINE) == 0, "the deadline is still 0x%lx", (word)rdmsr(MSR_TSC_DEADLINE));
	wrmsr(MSR_TSC_DEADLINE, rdtsc() - 1);
	CHECK(wait_for(TIMER_VECTOR, 1), "deadline in the past: no interrupt");
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + ticks_10ms / 5);
	wrmsr(MSR_TSC_DEADLINE, 0);
	start = irq_count[TIMER_VECTOR];
	spin(5);
	CHECK(irq_count[TIMER_VECTOR] == start, "a deadline that was taken back came");
	apic_write(APIC_LVT_TIMER, TIMER_VECTOR | LVT_MASKED);
}

/* ---- when interrupts are taken ---- */

static unsigned order[4], ordered;
static void low_hook(void) { order[ordered++ & 3] = LOW_VECTOR; apic_eoi(); }
static void high_hook(void) { order[ordered++ & 3] = HIGH_VECTOR; apic_eoi(); }

static void self_ipi(unsigned vector)
{
	apic_write(APIC_ICR, ICR_SHORTHAND(APIC_SELF) | vector);
}

static void test_windows(void)
{
	unsigned n = irq_count[LOW_VECTOR];

	irq_hook[LOW_VECTOR] = low_hook;
	irq_hook[HIGH_VECTOR] = high_hook;
	self_ipi(LOW_VECTOR);
	CHECK(pending(LOW_VECTOR), "an interrupt to itself is not pending");
	CHECK(irq_count[LOW_VECTOR] == n, "an interrupt came with IF=0");
	__asm__ volatile("sti; cli" : : : "memory");
	CHECK(irq_count[LOW_VECTOR] == n, "an interrupt came between STI and CLI");
	sti_nop_cli();
	CHECK(irq_count[LOW_VECTOR] == n + 1, "the interrupt did not come after STI and one instruction");
	CHECK(!pending(LOW_VECTOR), "the interrupt is pending after it was taken");
	/* POPF opens the window at once. */
	self_ipi(LOW_VECTOR);
	__asm__ volatile("pushfq; orq %0, (%%rsp); popfq; nop; cli" : : "i"(RFLAGS_IF) : "memory", "cc");
	CHECK(irq_count[LOW_VECTOR] == n + 2, "the interrupt did not come after POPF");
	/* STI; HLT with one pending must not sleep. */
	self_ipi(LOW_VECTOR);
	sti_hlt_cli();
	CHECK(irq_count[LOW_VECTOR] == n + 3, "HLT with a pending interrupt");
	ordered = 0;
	self_ipi(LOW_VECTOR);
	self_ipi(HIGH_VECTOR);
	__asm__ volatile("sti; nop; nop; cli" : : : "memory");
	CHECK(ordered == 2 && order[0] == HIGH_VECTOR && order[1] == LOW_VECTOR, "%u interrupts, the first 0x%x",
	      ordered, order[0]);
}

static void test_priority(void)
{
	unsigned n = irq_count[LOW_VECTOR];

	__asm__ volatile("mov %0, %%cr8" : : "r"(6ul));
	self_ipi(LOW_VECTOR);
	sti_nop_cli();
	CHECK(irq_count[LOW_VECTOR] == n, "vector 0x63 came at task priority 6");
	sti();
	__asm__ volatile("mov %0, %%cr8; nop" : : "r"(5ul) : "memory");
	cli();
	CHECK(irq_count[LOW_VECTOR] == n + 1, "vector 0x63 did not come at task priority 5");
	apic_write(APIC_TPR, 0xf0);
	self_ipi(HIGH_VECTOR);
	n = irq_count[HIGH_VECTOR];
	sti_nop_cli();
	CHECK(irq_count[HIGH_VECTOR] == n, "vector 0xa4 came at task priority 15");
	apic_write(APIC_TPR, 0);
	sti_nop_cli();
	CHECK(irq_count[HIGH_VECTOR] == n + 1, "vector 0xa4 did not come at task priority 0");
}

static void send_nmi(void *p)
{
	(void)p;
	/* By its number: the shorthand for itself takes fixed interrupts only. */
	apic_write(APIC_ICR_HIGH, apic_read(APIC_ID));
	apic_write(APIC_ICR, ICR_ASSERT | ICR_DELIVERY(APIC_NMI));
	__asm__ volatile("nop; nop; nop");
}

static void test_nmi(void)
{
	unsigned got = trap_call(send_nmi, NULL);

	CHECK(got == TRAP(NMI), "an NMI to itself with IF=0: trap %u", got);
	/* The handler was left without IRET: this one ends the blocking. */
	__asm__ volatile("movq %%rsp, %%rax; pushq $0; pushq %%rax; pushfq; pushq %0; pushq $1f; iretq; 1:"
			 :
			 : "i"(SELECTOR_CODE64)
			 : "rax", "memory");
	got = trap_call(send_nmi, NULL);
	CHECK(got == TRAP(NMI), "a second NMI after IRET: trap %u", got);
	__asm__ volatile("movq %%rsp, %%rax; pushq $0; pushq %%rax; pushfq; pushq %0; pushq $1f; iretq; 1:"
			 :
			 : "i"(SELECTOR_CODE64)
			 : "rax", "memory");
}

static void x2_eoi(void) { wrmsr(MSR_X2APIC_EOI, 0); }

static void test_x2apic(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);
	unsigned n = irq_count[LOW_VECTOR];

	if (!(cpuid_version().ecx & CPUID_1_ECX_X2APIC)) {
		print("timer: no x2APIC here\n");
		return;
	}
	wrmsr(MSR_APIC_BASE, base | APIC_BASE_EXTD);
	irq_hook[LOW_VECTOR] = x2_eoi;
	irq_hook[TIMER_VECTOR] = x2_eoi;
	wrmsr(MSR_X2APIC_SELF_IPI, LOW_VECTOR);
	sti_nop_cli();
	CHECK(irq_count[LOW_VECTOR] == n + 1, "x2APIC: an interrupt to itself did not come");
	wrmsr(MSR_X2APIC_ICR, ICR_SHORTHAND(APIC_SELF) | LOW_VECTOR);
	sti_nop_cli();
	CHECK(irq_count[LOW_VECTOR] == n + 2, "x2APIC: an interrupt to itself by ICR did not come");
	wrmsr(MSR_X2APIC_DIV_CONF, TIMER_DIVIDE_BY_1);
	wrmsr(MSR_X2APIC_LVT_TIMER, TIMER_VECTOR);
	wrmsr(MSR_X2APIC_INIT_COUNT, 100000);
	CHECK(wait_for(TIMER_VECTOR, 1), "x2APIC: no interrupt from the timer");
	wrmsr(MSR_APIC_BASE, base & ~(APIC_BASE_EN | APIC_BASE_EXTD));
	wrmsr(MSR_APIC_BASE, base);
}

void test_main(void)
{
	pics_init(PIC_VECTOR);
	apic_write(APIC_SVR, SVR_ENABLED | SPURIOUS);
	apic_write(APIC_TPR, 0);
	apic_write(APIC_LVT_LINT0, ICR_DELIVERY(APIC_EXTINT)); /* the PIC's interrupts pass through */
	measure_10ms();
	ticks_10ms = measure_10ms();
	print("timer: %lu TSC ticks in 10 ms\n", (word)ticks_10ms);
	test_pic();
	test_ioapic();
	test_apic_timer();
	test_deadline();
	test_windows();
	test_priority();
	test_nmi();
	test_x2apic();
}
