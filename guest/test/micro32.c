/* 32 bits: what a microhypervisor and a unikernel ask of a PC before they run anything. Start code at 0x1000 before the
 * loader's block is read, and modules on pages; paging and all of CR4 by one write each, with itself once more above
 * 3 GB; ACPI's tables from the RSDP on, and the power-off in them; the PM timer as the only clock, and the local APIC's
 * timer by it; MSRs without asking; all other processors at once.
 *
 * processors=N: there are so many (1); modules=N: so many modules (0). */
#include "guest/test/base/apic.h"
#include "guest/test/base/firmware.h"
#include "guest/test/base/pc.h"
#include "guest/test/micro32.h"
#include "lib/multiboot.h"

const char test_name[] = "micro32";

#define HIGH 0xc0000000u
#define LARGE 0x400000u
#define PIC_VECTOR 0x30
#define TIMER_VECTOR 0x52
#define SPURIOUS 0xff

#define LETTERS(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

extern const char micro_begin[], micro_end[];
uint32_t micro_started;

/* ---- memory ---- */

static uint32_t pd[1024] __attribute__((aligned(4096)));

static void copy_start(void)
{
	for (unsigned i = 0; micro_begin + i < micro_end; i++)
		((volatile char *)MICRO_AT)[i] = micro_begin[i];
}

static void modules(void)
{
	const uint32_t *m = (const void *)(word)info()->mods_addr;
	unsigned count = info()->flags & MULTIBOOT_INFO_MODULES ? info()->mods_count : 0;

	CHECK(count == parameter_number("modules", 0), "there are %u modules", count);
	for (unsigned n = 0; n < count; n++, m += 4) {
		CHECK(!(m[0] & 4095), "module %u is at %x", n, m[0]);
		CHECK(m[0] >= (word)image_end && m[1] > m[0], "module %u is from %x to %x", n, m[0], m[1]);
	}
}

static unsigned above(void) { return (unsigned)micro_started + 1; }

/* All of the address space as it is, but for 4 MBytes of it. */
static void paging(void)
{
	unsigned (*high)(void) = (unsigned (*)(void))((word)above + HIGH);

	for (uint32_t i = 0; i < 1024; i++)
		pd[i] = i * LARGE | PTE_PS | PTE_G | PTE_W | PTE_P | (i * LARGE >= 0xf0000000 ? (uint32_t)PTE_PCD : 0);
	pd[HIGH / LARGE] = PTE_PS | PTE_G | PTE_W | PTE_P;
	write_cr3((word)pd);
	write_cr4(CR4_DE | CR4_PSE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT);
	write_cr0(CR0_PG | CR0_WP | CR0_NE | CR0_TS | CR0_MP | CR0_PE);
	CHECK((word)image_end < LARGE, "it ends at %lx", (word)image_end);
	CHECK(high() == 1, "what is above 3 GB is not what is below");
	CHECK(read_cr0() == (CR0_PG | CR0_WP | CR0_NE | CR0_TS | CR0_ET | CR0_MP | CR0_PE), "CR0 is %lx", read_cr0());
	CHECK(read_cr4() == (CR4_DE | CR4_PSE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT), "CR4 is %lx", read_cr4());
}

/* ---- ACPI's tables. ACPI Specification, "ACPI System Description Tables" ---- */

#define HEADER 36u /* bytes */

static struct { word fadt, madt, dsdt; } tables;

static uint32_t table_size(word at) { return long_at(at + 4); }

/* The tables that root leads to, by entries of so many bytes. */
static void read_root(word root, unsigned entry)
{
	CHECK(sums_to_0(root, table_size(root)), "the sum of the table at %lx is wrong", root);
	tables.fadt = tables.madt = 0;
	for (word at = root + HEADER; at < root + table_size(root); at += entry) {
		word table = long_at(at);

		CHECK(entry == 4 || !long_at(at + 4), "a table is above 4 GB");
		CHECK(sums_to_0(table, table_size(table)), "the sum of the table at %lx is wrong", table);
		if (long_at(table) == LETTERS('F', 'A', 'C', 'P'))
			tables.fadt = table;
		if (long_at(table) == LETTERS('A', 'P', 'I', 'C'))
			tables.madt = table;
	}
	CHECK(tables.fadt && tables.madt, "of FADT and MADT there are %lx and %lx", tables.fadt, tables.madt);
}

/* false: there is not what the rest needs. */
static bool find_tables(void)
{
	word at = signed_in(ebda(), KB, LETTERS('R', 'S', 'D', ' '), 20), facs, fadt;
	bool whole;

	if (!at)
		at = signed_in(0xe0000, 128 * KB, LETTERS('R', 'S', 'D', ' '), 20);
	CHECK(at, "there is no RSDP");
	if (!at)
		return false;
	whole = *byte_at(at + 15) >= 2 && sums_to_0(at, long_at(at + 20));
	CHECK(whole, "the RSDP is of revision %u, or its sum is wrong", *byte_at(at + 15));
	if (!whole)
		return false;
	read_root(long_at(at + 24), 8);
	fadt = tables.fadt;
	read_root(long_at(at + 16), 4);
	CHECK(tables.fadt == fadt, "RSDT and XSDT lead to two FADTs");
	if (!tables.fadt || !tables.madt)
		return false;
	facs = long_at(tables.fadt + 36);
	CHECK(long_at(facs) == LETTERS('F', 'A', 'C', 'S') && !(facs & 63), "the FACS is at %lx", facs);
	tables.dsdt = long_at(tables.fadt + 40);
	CHECK(long_at(tables.dsdt) == LETTERS('D', 'S', 'D', 'T') && sums_to_0(tables.dsdt, table_size(tables.dsdt)),
	      "the DSDT is at %lx", tables.dsdt);
	return true;
}

/* ---- ACPI's fixed hardware ---- */

#define SCI_EN 1u

static uint16_t pm_timer;
static uint32_t pm_mask;

static void acpi_mode(void)
{
	uint16_t command = (uint16_t)long_at(tables.fadt + 48), control = (uint16_t)long_at(tables.fadt + 64);
	uint8_t enable = *byte_at(tables.fadt + 52);

	if (command && enable)
		outb(command, enable);
	CHECK(inw(control) & SCI_EN, "it is not in ACPI mode");
	CHECK(word_at(tables.fadt + 46) == ACPI_SCI_IRQ, "its interrupt is %u", word_at(tables.fadt + 46));
	pm_timer = (uint16_t)long_at(tables.fadt + 76);
	pm_mask = long_at(tables.fadt + 112) & 0x100 ? 0xffffffff : 0xffffff;
}

/* Name (\_S5, Package { type, ... }), as those read it who have no interpreter. */
static void s5(void)
{
	word at = tables.dsdt + HEADER, end = tables.dsdt + table_size(tables.dsdt);
	unsigned type;

	while (at < end && long_at(at) != LETTERS('_', 'S', '5', '_'))
		at++;
	CHECK(at < end && *byte_at(at + 4) == 0x12, "there is no package of _S5");
	if (at >= end)
		return;
	at += 5 + 1 + (*byte_at(at + 5) >> 6) + 1;
	type = *byte_at(at) == 0x0a ? *byte_at(at + 1) : *byte_at(at);
	CHECK(type && type < 8, "its type is %u", type);
	if (!parameter("off"))
		return;
	print("micro32: off by _S5\n");
	outw((uint16_t)long_at(tables.fadt + 64), (uint16_t)(type << PM1_SLP_TYP_SHIFT | PM1_SLP_EN));
}

#define PM_MS 3580u /* clocks, as long as one that is not too long */

static uint32_t pm_now(void) { return inl(pm_timer) & pm_mask; }
static uint32_t pm_since(uint32_t start) { return (pm_now() - start) & pm_mask; }

static void pm_wait(unsigned ms)
{
	for (uint32_t start = pm_now(); pm_since(start) < ms * PM_MS;)
		__asm__ volatile("pause");
}

static bool near(uint32_t is, uint32_t due) { return is >= due - due / 20 && is <= due + due / 20; }

/* By the interval timer's second counter. */
static void pm_rate(void)
{
	uint32_t start, took;

	outb(PORT_B, (uint8_t)((inb(PORT_B) & ~PORT_B_SPEAKER) | PORT_B_GATE2));
	pit_start(2, PIT_ONE_SHOT, PIT_HZ / 100);
	start = pm_now();
	while (!(inb(PORT_B) & PORT_B_OUT2))
		;
	took = pm_since(start);
	CHECK(near(took, 10 * PM_MS), "in 10 ms the PM timer made %u clocks", took);
}

/* ---- the APICs, of which the MADT tells ---- */

static unsigned cpus, ioapics;

static void read_madt(void)
{
	word at = tables.madt + 44, end = tables.madt + table_size(tables.madt);
	bool self = false;

	CHECK(long_at(tables.madt + 36) == (rdmsr(MSR_APIC_BASE) & 0xfffff000), "the local APICs are at %x",
	      long_at(tables.madt + 36));
	for (; at < end && *byte_at(at + 1); at += *byte_at(at + 1)) {
		if (*byte_at(at) == 0 && long_at(at + 4) & 1) {
			cpus++;
			self |= *byte_at(at + 3) == apic_read(APIC_ID) >> 24;
		} else if (*byte_at(at) == 1) {
			ioapics++;
			CHECK(long_at(at + 4) == IOAPIC_BASE, "an I/O APIC is at %x", long_at(at + 4));
			CHECK(*byte_at(at + 2) == ioapic_read(IOAPIC_INDEX_ID) >> 24, "its number is %u",
			      *byte_at(at + 2));
		} else if (*byte_at(at) == 2) {
			CHECK(*byte_at(at + 2) == 0 && *byte_at(at + 3) < 16 && long_at(at + 4) < 24,
			      "IRQ %u of bus %u is on %u", *byte_at(at + 3), *byte_at(at + 2), long_at(at + 4));
		}
	}
	CHECK(at == end, "its last entry goes beyond it");
	CHECK(self && cpus == parameter_number("processors", 1), "it has %u processors", cpus);
	CHECK(ioapics == 1, "it has %u I/O APICs", ioapics);
}

static void mask_pins(void)
{
	unsigned pins = (ioapic_read(IOAPIC_INDEX_VERSION) >> 16 & 0xff) + 1;

	for (unsigned n = 0; n < pins; n++) {
		uint32_t index = IOAPIC_INDEX_TABLE + 2 * n, entry = (uint32_t)REDIRECTION_MASKED | n;

		ioapic_write(index, entry);
		CHECK(ioapic_read(index) == entry, "entry %u is %x", n, ioapic_read(index));
	}
	pics_init(PIC_VECTOR);
}

static void eoi(void) { apic_write(APIC_EOI, 0); }

/* Ten interrupts, a millisecond apart. */
static void apic_timer(void)
{
	uint32_t start, clocks;

	for (unsigned n = 0; n <= (apic_read(APIC_VERSION) >> APIC_VERSION_LVT_SHIFT & 0xff) && n < 6; n++)
		apic_write(APIC_LVT_TIMER + 16 * n, LVT_MASKED);
	apic_write(APIC_TPR, 0);
	apic_write(APIC_SVR, SVR_ENABLED | SPURIOUS);
	apic_write(APIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
	apic_write(APIC_TIMER_INITIAL, 0xffffffff);
	pm_wait(10);
	clocks = 0xffffffff - apic_read(APIC_TIMER_CURRENT);
	irq_hook[TIMER_VECTOR] = eoi;
	apic_write(APIC_LVT_TIMER, LVT_TIMER_PERIODIC | TIMER_VECTOR);
	apic_write(APIC_TIMER_INITIAL, clocks / 10);
	start = pm_now();
	while (irq_count[TIMER_VECTOR] < 10 && pm_since(start) < 1000 * PM_MS)
		sti_hlt_cli();
	apic_write(APIC_LVT_TIMER, LVT_MASKED);
	CHECK(near(pm_since(start), 10 * PM_MS), "%u interrupts of a millisecond took %u clocks of the PM timer",
	      irq_count[TIMER_VECTOR], pm_since(start));
}

/* INIT, and the start-up IPI twice, to all but this one. */
static void start_others(void)
{
	uint32_t others = ICR_SHORTHAND(APIC_OTHERS), start;

	apic_write(APIC_ICR, ICR_ASSERT | ICR_LEVEL | others | ICR_DELIVERY(APIC_INIT));
	pm_wait(10);
	for (unsigned n = 0; n < 2; n++) {
		apic_write(APIC_ICR, ICR_ASSERT | others | ICR_DELIVERY(APIC_SIPI) | MICRO_AT >> 12);
		pm_wait(1);
	}
	start = pm_now();
	while (*(volatile uint32_t *)&micro_started != cpus - 1 && pm_since(start) < 1000 * PM_MS)
		;
	pm_wait(10);
	CHECK(*(volatile uint32_t *)&micro_started == cpus - 1, "%u others have started", micro_started);
}

/* ---- MSRs ---- */

struct msr { uint32_t index; uint64_t value; };

static void do_rdmsr(void *p) { ((struct msr *)p)->value = rdmsr(((struct msr *)p)->index); }
static void do_wrmsr(void *p) { wrmsr(((struct msr *)p)->index, ((struct msr *)p)->value); }

static uint64_t reads(uint32_t index)
{
	struct msr m = { index, 0 };

	CHECK(trap_call(do_rdmsr, &m) == NO_TRAP, "MSR %x cannot be read", index);
	return m.value;
}

static void takes(uint32_t index, uint64_t value)
{
	struct msr m = { index, value };

	CHECK(trap_call(do_wrmsr, &m) == NO_TRAP, "MSR %x does not take %llx", index, value);
}

static void machine_check(void)
{
	uint64_t cap = reads(MSR_MCG_CAP);

	if (cap & MCG_CAP_CTL)
		takes(MSR_MCG_CTL, ~0ull);
	takes(MSR_MCG_STATUS, 0);
	for (uint32_t n = 0; n < (cap & MCG_CAP_COUNT); n++) {
		takes(MSR_MC0_CTL + 4 * n, ~0ull);
		takes(MSR_MC0_CTL + 4 * n + 1, 0);
	}
}

static void mtrrs(void)
{
	uint64_t cap = reads(MSR_MTRRCAP);

	reads(MSR_MTRR_DEF_TYPE);
	for (uint32_t n = 0; n < 2 * (cap & MTRRCAP_VCNT); n++)
		reads(MSR_MTRR_PHYSBASE0 + n);
	for (uint32_t n = MSR_MTRR_FIX4K_C0000; cap & MTRRCAP_FIX && n <= MSR_MTRR_FIX4K_F8000; n++)
		reads(n);
}

static void msrs(void)
{
	uint32_t offered = cpuid_version().edx;
	bool intel = cpuid(CPUID_LEAF_BASIC, 0).ebx == LETTERS('G', 'e', 'n', 'u');

	CHECK((rdmsr(MSR_APIC_BASE) & (APIC_BASE_EN | APIC_BASE_BSP)) == (APIC_BASE_EN | APIC_BASE_BSP),
	      "the APIC's base is %llx", rdmsr(MSR_APIC_BASE));
	if (intel) {
		reads(MSR_PLATFORM_ID);
		takes(MSR_BIOS_SIGN_ID, 0);
		cpuid_version();
		reads(MSR_BIOS_SIGN_ID);
	}
	if (offered & CPUID_1_EDX_MCA)
		machine_check();
	if (offered & CPUID_1_EDX_MTRR)
		mtrrs();
	if (offered & CPUID_1_EDX_SEP)
		for (uint32_t n = MSR_SYSENTER_CS; n <= MSR_SYSENTER_EIP; n++)
			takes(n, 0);
	takes(MSR_TSC, 0);
	CHECK(rdtsc() < 10000000, "a TSC that was 0 is %llx", rdtsc());
}

void test_main(void)
{
	copy_start();
	modules();
	paging();
	msrs();
	if (!find_tables())
		return;
	acpi_mode();
	pm_rate();
	read_madt();
	mask_pins();
	apic_timer();
	start_others();
	s5();
}
