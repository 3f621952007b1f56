/* guest/test/flood/flood-kinds.c - the floods that need no page tables of their own (those: flood-tables.c). */
#include "guest/test/base/pc.h"
#include "guest/test/flood/flood.h"

static char text[4096];

static void console(void)
{
	for (;;) {
		for (unsigned i = 0; i < 64; i++)
			outb(COM1_PORT, (uint8_t)(i == 63 ? '\n' : 'x'));
		flood_round();
	}
}

/* No line end: what is written has to be kept or dropped. */
static void outs(void)
{
	for (unsigned i = 0; i < sizeof(text); i++)
		text[i] = (char)0xff;
	for (;;) {
		void *p = text;
		word n = sizeof(text);

		__asm__ volatile("rep outsb" : "+S"(p), "+c"(n) : "d"(COM1_PORT) : "memory");
		flood_round();
	}
}

/* One instruction that goes on until the end of the address space that is mapped. */
static void outs_endless(void)
{
	for (;;) {
		void *p = text;
		word n = 1ul << 40;

		__asm__ volatile("rep outsb" : "+S"(p), "+c"(n) : "d"(0x80) : "memory");
	}
}

static void ins_endless(void)
{
	for (;;) {
		void *p = (void *)0x800000;
		word n = 0x700000;

		__asm__ volatile("rep insb" : "+D"(p), "+c"(n) : "d"(0x80) : "memory");
	}
}

static void exits_cpuid(void)
{
	for (;;) {
		for (unsigned i = 0; i < 100; i++)
			cpuid(CPUID_LEAF_BASIC, 0);
		flood_round();
	}
}

static void exits_vmcall(void)
{
	for (;;) {
		for (unsigned i = 0; i < 100; i++) {
			word number = 1;

			__asm__ volatile("vmcall" : "+a"(number) : : "memory");
		}
		flood_round();
	}
}

/* With the test device: the mapping of a page is dropped, and used again. */
static void violations(void)
{
	for (unsigned i = 0;; i++) {
		outl(TESTDEV_DROP, 0x800000 + (i % PAGE_TABLE_ENTRIES) * 4096);
		*(volatile char *)(0x800000ul + (i % PAGE_TABLE_ENTRIES) * 4096) = 1;
		if (i % 64 == 0)
			flood_round();
	}
}

/* ---- devices ---- */

static void mmio(void)
{
	for (;;) {
		for (unsigned i = 0; i < 64; i++) {
			apic_write(APIC_TPR, 0);
			(void)apic_read(APIC_TIMER_CURRENT);
			(void)*(volatile uint64_t *)(0x80000000ul + i * 4096);
		}
		flood_round();
	}
}

/* Endless emulated instructions: to the local APIC and on over all that is absent. */
static void mmio_repeated(void)
{
	for (;;) {
		word to = 0x80000000, n = 1ul << 40, from = 0x90000000;

		__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(0) : "memory");
		n = 1ul << 40;
		__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
	}
}

/* ---- interrupts ---- */

#define VECTOR 0x51u

static void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
	flood_round();
}

static void spin_with_interrupts(void)
{
	sti();
	for (;;)
		flood_round();
}

static void timer_apic(void)
{
	irq_hook[VECTOR] = apic_eoi;
	apic_write(APIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
	apic_write(APIC_LVT_TIMER, VECTOR | LVT_TIMER_PERIODIC);
	apic_write(APIC_TIMER_INITIAL, 1);
	spin_with_interrupts();
}

/* Channel 0 as fast as it goes, by the I/O APIC: its NMI no more, an interrupt. */
static void timer_pit(void)
{
	irq_hook[VECTOR] = apic_eoi;
	ioapic_write(IOAPIC_INDEX_TABLE + 2 * 2, VECTOR);
	pit_start(0, PIT_RATE, 2);
	spin_with_interrupts();
}

static void send_again(void)
{
	apic_eoi();
	apic_write(APIC_ICR, ICR_SHORTHAND(APIC_SELF) | ICR_ASSERT | VECTOR);
	flood_round();
}

static void ipi(void)
{
	irq_hook[VECTOR] = send_again;
	apic_write(APIC_ICR, ICR_SHORTHAND(APIC_SELF) | ICR_ASSERT | VECTOR);
	spin_with_interrupts();
}

static void send_nmi(void) { apic_write(APIC_ICR, ICR_SHORTHAND(APIC_SELF) | ICR_ASSERT | ICR_DELIVERY(APIC_NMI)); }

static void nmi(void)
{
	flood_on_nmi = send_nmi;
	send_nmi();
	for (;;)
		flood_round();
}

static void halt(void)
{
	for (;;) {
		cli_hlt();
		flood_round();
	}
}

static void spin(void)
{
	cli();
	for (;;)
		;
}

/* ---- exceptions without end ---- */

/* A data breakpoint on the stack that its own handler gets. */
__asm__("db_entry: iretq");
extern const char db_entry[];

static void debug(void)
{
	static uint8_t stack[4096] __attribute__((aligned(4096)));
	word top = (word)stack + sizeof(stack);

	set_ist(3, top);
	set_gate(VECTOR_DB, db_entry, 3);
	__asm__ volatile("mov %0, %%dr0; mov %1, %%dr7" : : "r"(top - 8), "r"(0xd0401ul));
	for (;;) {
		*(volatile uint64_t *)(top - 8) = 1;
		flood_round();
	}
}

/* Single-step over a program without end. */
static void step(void)
{
	set_gate(VECTOR_DB, db_entry, 0);
	__asm__ volatile("pushfq; orq %0, (%%rsp); popfq; 1: jmp 1b" : : "i"(RFLAGS_TF) : "memory");
}

const struct flood floods[] = {
	{ "console", console },
	{ "outs", outs },
	{ "outs-endless", outs_endless },
	{ "ins-endless", ins_endless },
	{ "cpuid", exits_cpuid },
	{ "vmcall", exits_vmcall },
	{ "violations", violations },
	{ "faults", flood_faults },
	{ "cr3", flood_cr3 },
	{ "edits", flood_edits },
	{ "reverse-map", flood_reverse_map },
	{ "mmio", mmio },
	{ "mmio-rep", mmio_repeated },
	{ "apic-timer", timer_apic },
	{ "pit", timer_pit },
	{ "ipi", ipi },
	{ "nmi", nmi },
	{ "halt", halt },
	{ "spin", spin },
	{ "debug", debug },
	{ "step", step },
	{ "badstack", flood_badstack },
	{ NULL, NULL },
};
