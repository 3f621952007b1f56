/* 64 bits: keeps the hypervisor busy in one way, kind=NAME, for mega=N million ticks of the TSC. It is the neighbour of
 * those who measure
 * what is left for them (guest/test/paging/neighbour.c). The interval timer's NMI ends it, whatever it is doing. */
#include "guest/test/base/pc.h"
#include "guest/test/flood/flood.h"

const char test_name[] = "flood";

static uint64_t end;
static unsigned long rounds;

extern uint32_t tss[26];
static uint8_t nmi_stack[4096] __attribute__((aligned(16)));

uint64_t *idt_entry(unsigned vector)
{
	struct { uint16_t limit; uint64_t base; } __attribute__((packed)) idtr;

	__asm__ volatile("sidt %0" : "=m"(idtr));
	return (uint64_t *)idtr.base + 2 * vector;
}

void set_gate(unsigned vector, const char *handler, unsigned ist)
{
	uint64_t at = (word)handler, *entry = idt_entry(vector);

	entry[0] = gate_pack(at, SELECTOR_CODE64, GATE_INTERRUPT | SEGMENT_DPL) | (uint64_t)ist << GATE_IST_SHIFT;
	entry[1] = at >> 32;
}

void set_ist(unsigned ist, uint64_t at)
{
	tss[7 + 2 * ist] = (uint32_t)at;
	tss[8 + 2 * ist] = (uint32_t)(at >> 32);
}

/* ---- the end ---- */

void flood_round(void)
{
	rounds++;
	if (rdtsc() >= end)
		flood_end();
}

_Noreturn void flood_end(void)
{
	print("\nflood: the end\n");
	power_off();
}

/* The NMI's handler: all registers that C may change, then IRET. */
void flood_nmi(void);
void flood_nmi(void)
{
	if (flood_on_nmi)
		flood_on_nmi();
	if (rdtsc() >= end)
		flood_end();
}
void (*flood_on_nmi)(void);

__asm__("nmi_entry: push %rax; push %rcx; push %rdx; push %rsi; push %rdi; push %r8; push %r9; push %r10; push %r11; "
	"push %rbp\n"
	"mov %rsp, %rbp; and $-16, %rsp; cld; call flood_nmi; mov %rbp, %rsp\n"
	"pop %rbp; pop %r11; pop %r10; pop %r9; pop %r8; pop %rdi; pop %rsi; pop %rdx; pop %rcx; pop %rax; iretq");
extern const char nmi_entry[];

static void init_end(void)
{
	end = rdtsc() + parameter_number("mega", 100) * 1000000ul;
	set_ist(2, (word)nmi_stack + sizeof(nmi_stack));
	set_gate(VECTOR_NMI, nmi_entry, 2);
	pics_mask(PIC_ALL, PIC_ALL);
	apic_write(APIC_SVR, SVR_ENABLED | 0xff);
	ioapic_write(IOAPIC_INDEX_TABLE + 2 * 2, APIC_NMI << 8);
	pit_start(0, PIT_RATE, PIT_HZ / 50);
}

void test_main(void)
{
	init_end();
	for (const struct flood *f = floods; f->name; f++)
		if (parameter_text("kind", f->name)) {
			print("flood: %s\n", f->name);
			f->run();
			flood_end();
		}
	CHECK(false, "no such kind");
}
