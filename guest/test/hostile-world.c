/* guest/test/hostile-world.c - the address space of the experiments, its descriptors, and the way back to a known state (64
 * bits). */
#include "apic.h"
#include "hostile.h"
#include "pages.h"

#define ALIGNED __attribute__((aligned(4096)))
extern uint64_t boot_pml4[512];
extern char hostile_stubs[], hostile_ud2[];

uint8_t region_memory[PAGES_RAM][PAGE] ALIGNED;
uint64_t world_pml4[512] ALIGNED;
static uint64_t pdpt[512] ALIGNED, pd_image[512] ALIGNED, pt_image[512] ALIGNED, pd[512] ALIGNED, pt[512] ALIGNED;
static uint64_t gdt_page[512] ALIGNED, idt_page[512] ALIGNED;
static uint32_t tss_page[1024] ALIGNED;
/* The stack of all exceptions, and the NMI's; the second page's first byte is nmi_seen. */
static uint8_t trap_stack[PAGE] ALIGNED, nmi_stack[PAGE] ALIGNED;
struct hostile_frame *frame = (struct hostile_frame *)(trap_stack + PAGE) - 1;
word world_cr0, world_cr4, world_cr4_may;
static uint32_t has_xsave, xcr0;
static uint8_t no_state[1024] __attribute__((aligned(64)));

extern volatile uint8_t nmi_seen __attribute__((alias("nmi_stack")));

/* ---- descriptors ---- */

#define GDT_COUNT 64u
#define BASE16 ((uint64_t)(REGION & 0xffffff) << 16 | (uint64_t)(REGION >> 24) << 56)

static void put(uint64_t *at, uint64_t v)
{
	if (*at != v)
		*at = v;
}

static uint64_t gdt_fixed(unsigned n)
{
	static const uint64_t low[] = { 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff, 0x00cff3000000ffff,
			0x00cffb000000ffff,
					0x00affb000000ffff };
	uint64_t base = (word)tss_page;

	switch (n) {
	case 0 ... 6: return low[n];
	case 7: return 103 | (base & 0xffffff) << 16 | 0x8bull << 40 | (base >> 24 & 0xff) << 56;
	case 9: return 0x00009b000000ffff | BASE16;
	case 10: return 0x000093000000ffff | BASE16;
	case 11: return 0x0000fb000000ffff | BASE16;
	case 12: return 0x0000f3000000ffff | BASE16;
	case 13: return 0x000082000000003f | BASE16 | (uint64_t)(PAGE_DATA * PAGE) << 16; /* a table of local descriptors */
	case 15: return (REGION & 0xffff) | 0x180000ull | 0xecull << 40 | (uint64_t)(REGION >> 16) << 48; /* a call gate */
	case 17: return 0x00cf9f000000ffff; /* conforming */
	case 18: return 0x00c0f70000000000 | (REGION >> 12 & 0xfff); /* expand-down */
	case 19: return 0x00cf73000000ffff; /* not present */
	case 20: return 0x00af9f000000ffff; /* conforming, 64 bits */
	default: return 0;
	}
}

/* Anything but a TSS, which LTR and the next exception would take for the supervisor's. */
static uint64_t descriptor_any(struct experiment *x)
{
	uint64_t v = random_next(x);

	if (chance(x, 2))
		v = (v & 0x00ffff0000000000) | 0x000f00000000ffff;
	if ((v >> 40 & 0x1d) == 9 || (v >> 40 & 0x1d) == 1)
		v |= 1ull << 44;
	return v;
}

static void make_gdt(struct experiment *x)
{
	for (unsigned i = 0; i < GDT_COUNT; i++)
		put(&gdt_page[i], i > 20 && (x->kind->may & MAY_SEGMENTS) ? descriptor_any(x) : gdt_fixed(i));
}

static void set_gate(unsigned v, word at, unsigned selector, unsigned type, unsigned stack)
{
	put(&idt_page[2 * v], (at & 0xffff) | (uint64_t)selector << 16 | (uint64_t)stack << 32 | (uint64_t)type << 40 |
	    (uint64_t)(at >> 16 & 0xffff) << 48);
	put(&idt_page[2 * v + 1], at >> 32);
}

static void make_gates(struct experiment *x)
{
	static const uint8_t types[8] = { 0xee, 0xee, 0xef, 0xee, 0x8e, 0x6e, 0xe5, 0xe6 };

	for (unsigned v = GATES_FIRST; v < GATES_FIRST + GATES; v++) {
		word at = chance(x, 2) ? (word)hostile_stubs + 16 * v : REGION + CODE_START + SLOT * below(x, SLOTS) + SLOT / 2;

		set_gate(v, chance(x, 16) ? value_any(x) : at, chance(x, 6) ? 8 * below(x, 24) : 0x18, types[below(x, 8)], below(x, 8));
	}
}

static void set_stack(unsigned ist, uint64_t at)
{
	tss_page[7 + 2 * ist] = (uint32_t)at;
	tss_page[8 + 2 * ist] = (uint32_t)(at >> 32);
}

static void init_descriptors(void)
{
	struct { uint16_t limit; uint64_t base; } __attribute__((packed)) gdtr = { GDT_COUNT * 8 - 1, (word)gdt_page },
		idtr = { sizeof(idt_page) - 1, (word)idt_page };
	static const uint8_t bad[] = { PAGE_HOLE, PAGE_READONLY, PAGE_PT, PAGE_VOID };

	for (unsigned i = 0; i < GDT_COUNT; i++)
		gdt_page[i] = gdt_fixed(i);
	gdt_page[7] &= ~(2ull << 40); /* not busy yet */
	for (unsigned v = 0; v < 256; v++)
		set_gate(v, (word)hostile_stubs + 16 * v, 0x18, v == 3 || v == 4 || v >= 32 ? 0xee : 0x8e, v == 2 ? 2 : 1);
	tss_page[1] = (uint32_t)(REGION + (PAGE_STACK + 1) * PAGE);
	set_stack(1, (word)trap_stack + PAGE);
	set_stack(2, (word)nmi_stack + PAGE);
	set_stack(3, 0x800000000800);
	for (unsigned i = 0; i < 4; i++)
		set_stack(4 + i, REGION + bad[i] * PAGE + 0x800 - 8 * i);
	tss_page[25] = 104u << 16;
	__asm__ volatile("lgdt %0; lidt %1; ltr %w2" : : "m"(gdtr), "m"(idtr), "r"(0x38));
}

/* ---- tables ---- */

static bool reaches(const struct kind *k, enum page page)
{
	for (unsigned i = 0; i < sizeof(k->pages); i++)
		if (k->pages[i] == page)
			return true;
	return false;
}

static uint64_t region_entry(const struct kind *k, enum page page)
{
	const uint64_t user = PTE_P | PTE_W | PTE_U;

	switch (page) {
	case PAGE_CODE ... PAGE_STACK: return (word)region_memory[page] | user;
	case PAGE_READONLY: return (word)region_memory[PAGE_DATA] | PTE_P | PTE_U;
	case PAGE_NX: return (word)region_memory[PAGE_DATA2] | user | PTE_NX;
	case PAGE_SUPERVISOR: return (word)region_memory[PAGE_DATA] | PTE_P | PTE_W;
	case PAGE_PT: return k->may & MAY_TABLES ? (word)pt | user : 0;
	case PAGE_PD: return k->may & MAY_TABLES ? (word)pd | user : 0;
	case PAGE_VOID: return reaches(k, page) ? 0x80000000 | user : 0;
	case PAGE_LAPIC: return reaches(k, page) ? 0xfee00000 | user : 0;
	case PAGE_IOAPIC: return reaches(k, page) ? 0xfec00000 | user : 0;
	case PAGE_VGA: return reaches(k, page) ? 0xb8000 | user : 0;
	case PAGE_LAST: return reaches(k, page) ? 0xc0000000 | user : 0;
	default: return 0;
	}
}

static void make_tables(const struct kind *k)
{
	unsigned all = k->may & MAY_TABLES ? 512 : PAGES;

	for (unsigned i = 0; i < all; i++)
		put(&pt[i], i < PAGES ? region_entry(k, i) : 0);
	put(&pd[0], (word)pt | PTE_P | PTE_W | PTE_U);
	for (unsigned i = 1; i < all; i++)
		put(&pd[i], 0);
}

static void init_tables(void)
{
	const uint64_t all = PTE_P | PTE_W | PTE_U, seen = PTE_A | PTE_D;
	word writable[] = { (word)trap_stack, (word)nmi_stack, (word)gdt_page };

	world_pml4[0] = (word)pdpt | all | PTE_A;
	pdpt[0] = (word)pd_image | all | PTE_A;
	pdpt[1] = (word)pd | all | PTE_A;
	pd_image[0] = (word)pt_image | all | PTE_A;
	for (word at = 0x100000; at < (word)image_end; at += PAGE)
		pt_image[at / PAGE] = at | PTE_P | PTE_A;
	for (unsigned i = 0; i < sizeof(writable) / sizeof(writable[0]); i++)
		pt_image[writable[i] / PAGE] |= PTE_W | seen;
}

/* ---- memory ---- */

static uint64_t filler(unsigned page, unsigned i)
{
	/* On the stack lie what returns and pops can use: addresses in the program, selectors, flags. */
	if (page == PAGE_STACK)
		return i % 5 == 0 ? REGION + CODE_START + i % SLOTS * SLOT + SLOT / 2 : i % 5 == 1 ? 8 * (i % 21) + (i & 3) : i % 5 == 2 ? 0x202 :
			i % 5 == 3 ? REGION + PAGE_STACK * PAGE + i * 8 % PAGE : 0x23;
	if (page <= PAGE_CODE2)
		return 0xcccccccccccccccc;
	/* Run as a program it does not reach ports or anything behind 0F. */
	return mix(page, i) & 0xfbfbfbfbfbfbfbfb;
}

static void fill(unsigned page)
{
	for (unsigned i = 0; i < PAGE / 8; i++)
		((volatile uint64_t *)region_memory[page])[i] = filler(page, i);
}

static bool dirty(unsigned page)
{
	switch (page) {
	case PAGE_DATA: return (pt[PAGE_DATA] | pt[PAGE_SUPERVISOR] | pt[PAGE_READONLY]) & PTE_D;
	case PAGE_DATA2: return (pt[PAGE_DATA2] | pt[PAGE_NX]) & PTE_D;
	default: return pt[page] & PTE_D;
	}
}

uint64_t world_digest(uint64_t h)
{
	for (unsigned i = 0; i < PAGES; i++)
		h = mix(h, pt[i]);
	for (unsigned page = 0; page < PAGES_RAM; page++)
		for (unsigned i = 0; i < PAGE / 8 && dirty(page); i++)
			h = mix(h, ((uint64_t *)region_memory[page])[i]);
	return h;
}

/* ---- registers ---- */

static void restore_registers(void)
{
	uint32_t a, d;

	if (read_cr0() != world_cr0)
		write_cr0(world_cr0);
	if (read_cr4() != world_cr4)
		write_cr4(world_cr4);
	if (has_xsave) {
		__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
		if (a != xcr0)
			__asm__ volatile("xsetbv" : : "a"(xcr0), "d"(0), "c"(0));
		__asm__ volatile("xrstor %0" : : "m"(no_state), "a"(~0u), "d"(~0u));
	} else {
		__asm__ volatile("fxrstor %0" : : "m"(no_state));
	}
}

/* Both bases of GS, that of FS, LDTR, CR8, debug registers. */
static void restore_rest(const struct kind *k)
{
	word zero = 0, cr8;

	__asm__ volatile("mov %w1, %%fs; mov %w1, %%gs; swapgs; mov %w1, %%gs; lldt %w0" : : "r"(zero), "r"(0x10));
	__asm__ volatile("mov %%cr8, %0" : "=r"(cr8));
	if (cr8)
		__asm__ volatile("mov %0, %%cr8" : : "r"(zero));
	__asm__ volatile("mov %0, %%dr6" : : "r"(0xffff0ff0ul));
	if (k->may & MAY_DR)
		__asm__ volatile("mov %0, %%dr0; mov %0, %%dr1; mov %0, %%dr2; mov %0, %%dr3" : : "r"(zero));
}

/* What a program may have written, where programs may. */
static void init_msrs(void)
{
	wrmsr(MSR_EFER, (rdmsr(MSR_EFER) & 0xd00) | EFER_NXE | 1);
	wrmsr(0x277, 0x0007040600070406);
	wrmsr(MSR_TSC_DEADLINE, 0);
	wrmsr(0x174, 0x18);
	wrmsr(0x175, REGION + (PAGE_STACK + 1) * PAGE - 64);
	wrmsr(0x176, (word)hostile_ud2);
	wrmsr(0xc0000081, 0x0018ull << 32 | 0x0020ull << 48);
	wrmsr(0xc0000082, (word)hostile_ud2);
	wrmsr(0xc0000083, (word)hostile_ud2);
	wrmsr(0xc0000084, 0x700);
}

static void init_registers(void)
{
	struct cpuid l1 = cpuid(1, 0), l7 = cpuid(0, 0).a >= 7 ? cpuid(7, 0) : (struct cpuid){ 0 };

	has_xsave = l1.c >> 26 & 1;
	world_cr0 = 0x80010033;
	world_cr4 = 0x20 | 0x600 | has_xsave << 18;
	world_cr4_may = 0x7df | has_xsave << 18 | (l7.b & 1) << 16 | (l7.b >> 7 & 1) << 20 | (l7.b >> 20 & 1) << 21;
	write_cr0(world_cr0);
	write_cr4(world_cr4);
	xcr0 = has_xsave ? cpuid(0xd, 0).a & 7 : 0;
	*(uint32_t *)(no_state + 24) = 0x1f80;
	init_msrs();
}

/* ---- the watchdog ---- */

#define WATCHDOG_TICKS 6000u /* of 1193182 Hz: 5 ms */

static void ioapic_write(unsigned reg, uint32_t v)
{
	*(volatile uint32_t *)0xfec00000ul = reg;
	*(volatile uint32_t *)0xfec00010ul = v;
}

static void mask_interrupts(void)
{
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	for (unsigned pin = 0; pin < 24; pin++)
		ioapic_write(0x10 + 2 * pin, 0x10000);
}

static void init_watchdog(void)
{
	apic_write(APIC_SVR, 0x1ff);
	ioapic_write(0x15, apic_read(APIC_ID) & 0xff000000);
	ioapic_write(0x14, 0x400); /* IRQ 0: pin 2, an NMI */
	outb(0x43, 0x30);
}

void world_wind_watchdog(void)
{
	outb(0x40, WATCHDOG_TICKS & 0xff);
	outb(0x40, WATCHDOG_TICKS >> 8);
	nmi_seen = 0;
}

bool world_timed_out(void) { return nmi_seen; }

/* ---- all of it ---- */

void world_init(void)
{
	init_tables();
	init_descriptors();
	init_registers();
	mask_interrupts();
	init_watchdog();
	for (unsigned page = 0; page < PAGES_RAM; page++)
		fill(page);
}

/* Can it have reached the watchdog's devices? */
static bool reaches_devices(const struct kind *k) { return k->may & MAY_STOP_WATCHDOG; }

void world_restore(const struct kind *kind)
{
	restore_registers();
	if (kind->may & MAY_MSR)
		init_msrs();
	if (reaches_devices(kind)) {
		apic_write(APIC_EOI, 0);
		init_watchdog();
	}
}

void world_make(struct experiment *x)
{
	restore_registers();
	restore_rest(x->kind);
	for (unsigned page = 0; page < PAGES_RAM; page++)
		if (dirty(page))
			fill(page);
	make_gdt(x);
	make_tables(x->kind);
	if (x->kind->may & MAY_GATES)
		make_gates(x);
	if (x->kind->may & MAY_TABLES) {
		write_cr4(world_cr4 ^ 0x80);
		write_cr4(world_cr4);
	}
	if (reaches_devices(x->kind)) {
		mask_interrupts();
		init_watchdog();
	}
	world_wind_watchdog();
}
