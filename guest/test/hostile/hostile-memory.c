/* guest/test/hostile/hostile-memory.c - what experiments of 64 and of 32 bits have alike: the region's memory, control
 * registers, floating point, the watchdog, and the way back to a known state. */
#include "guest/test/base/apic.h"
#include "guest/test/base/pc.h"
#include "guest/test/hostile/hostile.h"
#include "lib/apic.h"
#include "lib/vga.h"

uint8_t (*region_memory)[PAGE];
word region_physical, region_alias;
unsigned region_pages, world_entries = PAGES;
word world_cr0, world_cr0_may = MASK(30, 1) /* not PE, not PG */, world_cr4, world_cr4_may;
static bool has_xsave, has_fxsr;
static uint32_t xcr0;
static uint8_t no_state[1024] __attribute__((aligned(64)));

/* ---- memory ---- */

/* On the stack lie what returns and pops can use: addresses in the program, selectors, flags. */
static uint64_t stack_filler(unsigned i)
{
	const uint64_t values[] = {
		REGION + CODE_START + i % SLOTS * SLOT + SLOT / 2, 8 * (i % 21) + (i & 3), RFLAGS_FIXED | RFLAGS_IF,
		REGION + PAGE_STACK * PAGE + i * 8 % PAGE, SELECTOR_USER_DATA,
	};

	return values[i % 5];
}

static uint64_t filler(unsigned page, unsigned i)
{
	if (page == PAGE_STACK)
		return stack_filler(i);
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

void memory_make(void)
{
	for (unsigned page = 0; page < region_pages; page++)
		if (world_dirty(page))
			fill(page);
}

void memory_init(void)
{
	for (unsigned page = 0; page < region_pages; page++)
		fill(page);
}

uint64_t memory_digest(uint64_t h)
{
	for (unsigned i = 0; i < world_entries; i++)
		h = mix(h, world_entry(i));
	for (unsigned page = 0; page < region_pages; page++) {
		if (!world_dirty(page))
			continue;
		for (unsigned i = 0; i < PAGE / 8; i++)
			h = mix(h, ((uint64_t *)region_memory[page])[i]);
	}
	return h;
}

uint64_t undo(uint64_t h, uint64_t *seen, const uint64_t *was, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (seen[i] == was[i])
			continue;
		h = mix(mix(h, i), seen[i]);
		seen[i] = was[i];
	}
	return h;
}

/* Where there is nothing but the bus: in the middle of its half of the address space, and at its end. */
#define VOID_AT 0x80000000u
#define LAST_AT 0xc0000000u

uint64_t region_entry(const struct kind *k, enum page page, word system, uint64_t nx)
{
	const uint64_t user = PTE_P | PTE_W | PTE_U;

	switch (page) {
	case PAGE_CODE ... PAGE_STACK: return (region_physical + page * PAGE) | user;
	case PAGE_READONLY: return (region_physical + PAGE_DATA * PAGE) | PTE_P | PTE_U;
	case PAGE_NX: return (region_physical + PAGE_DATA2 * PAGE) | user | nx;
	case PAGE_SUPERVISOR: return (region_physical + PAGE_DATA * PAGE) | PTE_P | PTE_W;
	case PAGE_VOID: return reaches(k, page) ? VOID_AT | user : 0;
	case PAGE_LAPIC: return reaches(k, page) ? LAPIC_DEFAULT_BASE | user : 0;
	case PAGE_IOAPIC: return reaches(k, page) ? IOAPIC_BASE | user : 0;
	case PAGE_VGA: return reaches(k, page) ? VGA_TEXT_APERTURE | user : 0;
	case PAGE_SYSTEM: /* or PAGE_LAST */
		if (k->may & MAY_LOAD)
			return system | user;
		return reaches(k, page) ? LAST_AT | user : 0;
	case PAGE_SYSTEM_READONLY: return k->may & MAY_LOAD ? system | PTE_P | PTE_U : 0;
	default: return 0;
	}
}

/* ---- registers ---- */

void debug_restore(const struct kind *k)
{
	word zero = 0;

	__asm__ volatile("mov %0, %%dr6" : : "r"((word)DR6_RESET));
	if (k->may & MAY_DR)
		__asm__ volatile("mov %0, %%dr0; mov %0, %%dr1; mov %0, %%dr2; mov %0, %%dr3" : : "r"(zero));
}

void sysenter_init(void)
{
	wrmsr(MSR_SYSENTER_CS, CODE_SELECTOR);
	wrmsr(MSR_SYSENTER_ESP, REGION + (PAGE_STACK + 1) * PAGE - 64);
	wrmsr(MSR_SYSENTER_EIP, (word)hostile_ud2);
}

void control_init(word cr0, word cr4)
{
	struct cpuid l1 = cpuid_version(), l7 = cpuid_features();

	has_xsave = l1.ecx & CPUID_1_ECX_XSAVE;
	has_fxsr = l1.edx & CPUID_1_EDX_FXSR;
	world_cr0 = cr0;
	world_cr4 = cr4 | (has_fxsr ? CR4_OSFXSR | CR4_OSXMMEXCPT : 0) | (has_xsave ? CR4_OSXSAVE : 0);
	world_cr4_may = WORLD_CR4_MAY | (has_xsave ? CR4_OSXSAVE : 0) |
			(l7.ebx & CPUID_7_EBX_FSGSBASE ? CR4_FSGSBASE : 0) |
			(l7.ebx & CPUID_7_EBX_SMEP ? CR4_SMEP : 0) | (l7.ebx & CPUID_7_EBX_SMAP ? CR4_SMAP : 0);
	write_cr0(world_cr0);
	write_cr4(world_cr4);
	xcr0 = has_xsave ? cpuid(CPUID_LEAF_XSTATE, 0).eax & (XCR0_X87 | XCR0_SSE | XCR0_AVX) : 0;
	*(uint32_t *)(no_state + FXSAVE_MXCSR) = MXCSR_INITIAL;
}

static void restore_xcr0(void)
{
	uint32_t a, d;

	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	if (a != xcr0)
		__asm__ volatile("xsetbv" : : "a"(xcr0), "d"(0), "c"(0));
}

void control_restore(const struct kind *k, bool all)
{
	if (read_cr0() != world_cr0)
		write_cr0(world_cr0);
	if (read_cr4() != world_cr4)
		write_cr4(world_cr4);
	if (has_xsave && (all || (k->may & MAY_CR)))
		restore_xcr0();
	if (!all)
		return;
	if (has_xsave)
		__asm__ volatile("xrstor %0" : : "m"(no_state), "a"(~0u), "d"(~0u));
	else if (has_fxsr)
		__asm__ volatile("fxrstor %0" : : "m"(no_state));
	else
		__asm__ volatile("fninit");
}

/* ---- the watchdog ---- */

#define WATCHDOG_TICKS (PIT_HZ / 500) /* 2 ms */

void watchdog_mask_interrupts(void)
{
	pics_mask(PIC_ALL, PIC_ALL);
	for (unsigned pin = 0; pin < 24; pin++)
		ioapic_write(IOAPIC_INDEX_TABLE + 2 * pin, REDIRECTION_MASKED);
}

void watchdog_init(void)
{
	apic_write(APIC_EOI, 0);
	apic_write(APIC_SVR, SVR_ENABLED | 0xff);
	ioapic_write(IOAPIC_INDEX_TABLE + 2 * 2 + 1, apic_read(APIC_ID) & 0xff000000);
	ioapic_write(IOAPIC_INDEX_TABLE + 2 * 2, APIC_NMI << 8); /* IRQ 0: pin 2, an NMI */
}

/* The mode is set each time: a program may have written half a count, after which the next first half would be taken
 * for the second, and a count of which but one half is written stops the counter (Intel 8254, "Mode 0"). */
void watchdog_wind(void)
{
	pit_start(0, PIT_ONE_SHOT, WATCHDOG_TICKS);
	/* If it came by a task, CR0.TS is set. */
	__asm__ volatile("clts");
	nmi_seen = 0;
}

/* Can an experiment of that kind have reached the watchdog's devices? */
static bool reaches_devices(const struct kind *k) { return k->may & MAY_STOP_WATCHDOG; }

void watchdog_restore(const struct kind *k)
{
	if (!reaches_devices(k))
		return;
	watchdog_mask_interrupts();
	watchdog_init();
}

/* ---- the way back ---- */

void world_restore(const struct kind *k)
{
	control_restore(k, false);
	if (k->may & MAY_MSR)
		world_init_msrs();
	world_restore_tables(k);
	if (reaches_devices(k))
		watchdog_init();
}
