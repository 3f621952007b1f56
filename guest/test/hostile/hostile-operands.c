/* guest/test/hostile/hostile-operands.c - operands that mostly lead somewhere. */
#include "guest/test/base/pc.h"
#include "guest/test/hostile/hostile.h"
#include "lib/apic.h"
#include "lib/cmos.h"

word (*own_pointer)(struct experiment *x), (*own_value)(struct experiment *x);

word pointer_any(struct experiment *x)
{
	unsigned n = 0;
	word page, offset;

	if (own_pointer)
		return own_pointer(x);
	offset = below(x, PAGE);
	while (n < sizeof(x->kind->pages) && x->kind->pages[n])
		n++;
	/* The first half is what seldom faults. */
	page = x->kind->pages[below(x, chance(x, 4) ? n : n / 2)];
	if (chance(x, 2))
		offset &= ~7ul;
	else if (chance(x, 3))
		offset = PAGE - 1 - below(x, 32);
	return REGION + page * PAGE + offset + (chance(x, 8) ? region_alias : 0);
}

/* What a page-table entry may be: any frame of interest with any flags. Devices only where no digest is asked. */
static word entry_any(struct experiment *x)
{
	static const uint64_t frames[] = {
		0x80000000, 0xc0000000, 0x900000000, LAPIC_DEFAULT_BASE, IOAPIC_BASE, 0xb8000, 0xfffff000, 0x1000000, 0,
	};
	word v = region_physical + (word)below(x, PAGES_RAM) * PAGE;

	if (chance(x, 3))
		v = (word)frames[below(x, x->kind->digest ? 3 : sizeof(frames) / sizeof(frames[0]))];
	v |= (word)(random_next(x) >> 20 & 0xfff);
	if (!chance(x, 4))
		v |= 7;
	if (chance(x, 8))
		v |= (word)(1ull << (32 + below(x, 32)));
	return v;
}

word value_any(struct experiment *x)
{
	static const uint64_t edges[] = {
		0, 1, 0x7fffffffffff, 0x800000000000, 0xffff800000000000, 0xffff7fffffffffff, ~0ull, 0xfffffffc,
		0x8000000000000000, 0x7ffffffffffffff8, 0x3ffffffe, 0xffffffff80000000,
	};
	unsigned r = below(x, 16);

	if (r < 4 && own_value)
		return own_value(x);
	if (r < 10)
		return (x->kind->may & MAY_TABLES) && r < 2 ? entry_any(x) : pointer_any(x);
	if (r < 12)
		return below(x, 64);
	if (r == 12)
		return chance(x, 2) ? (word)random_next(x) : (word)random_next(x) & 0xffff;
	if (r < 14)
		return 8 * below(x, 32) + below(x, 8); /* a selector */
	return (word)edges[below(x, sizeof(edges) / sizeof(edges[0]))];
}

/* What ends the run, and the console, which is to tell of it. */
static bool port_forbidden(const struct kind *k, unsigned port)
{
	return (port_ends_the_run(port) && !(k->may & MAY_END)) || port_reaches(port, COM1_PORT, COM1_PORT + UART_SCR);
}

word port_any(struct experiment *x)
{
	static const uint16_t known[] = {
		PIC1_COMMAND, PIT_COUNTER(0), PORT_KBC_DATA, CMOS_INDEX, PORT_POST, PIC2_COMMAND, PIC_ELCR1,
		FW_CFG_SELECT, ACPI_PM_TMR, PCI_ADDRESS, PCI_DATA, COM1_PORT, COM2_PORT, TESTDEV_LATCH, TESTDEV_LINE,
		PORT_SHUTDOWN, PORT_DEBUG_EXIT, 0xb2 /* SMI command */, 0x402 /* a BIOS' debug port */,
	};
	unsigned port;

	do
		port = chance(x, 2) ? known[below(x, sizeof(known) / 2)] + below(x, 4) : below(x, 0x10000);
	while (port_forbidden(x->kind, port));
	return port;
}

/* Registers and ranges of them; but for the APIC's base, without which no watchdog comes, and x2APIC's command
 * register. */
word msr_any(struct experiment *x)
{
	static const uint32_t known[] = {
		MSR_TSC, MSR_PLATFORM_ID, MSR_FEATURE_CONTROL, MSR_TSC_ADJUST, MSR_BIOS_UPDT_TRIG, MSR_BIOS_SIGN_ID,
		MSR_PMC0, MSR_PKG_CST_CONFIG_CONTROL, MSR_MTRRCAP, MSR_TSX_CTRL,
		MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_MCG_CAP, MSR_MCG_STATUS,
		MSR_PERFEVTSEL0, MSR_THERM_STATUS, MSR_MISC_ENABLE, MSR_DEBUGCTL, MSR_MTRR_PHYSBASE0,
		MSR_MTRR_FIX64K_00000, MSR_MTRR_FIX16K_80000, MSR_MTRR_FIX4K_C0000, MSR_PAT, MSR_MTRR_DEF_TYPE,
		MSR_FIXED_CTR0, MSR_PERF_CAPABILITIES, MSR_FIXED_CTR_CTRL,
		MSR_PERF_GLOBAL_STATUS_RESET, MSR_PEBS_ENABLE, MSR_MC0_CTL, MSR_VMX_BASIC,
		MSR_VMX_PROCBASED_CTLS2, MSR_RTIT_OUTPUT_BASE, MSR_TSC_DEADLINE, MSR_X2APIC_APICID,
		MSR_X2APIC_LDR, MSR_X2APIC_LVT_TIMER, MSR_X2APIC_SELF_IPI, MSR_BNDCFGS, MSR_XSS,
		MSR_HYPERV_GUEST_OS_ID, MSR_KVM_WALL_CLOCK_NEW, MSR_EFER, MSR_STAR, MSR_LSTAR, MSR_FMASK,
		MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_TSC_AUX, MSR_AMD_HWCR,
	};
	uint32_t msr;

	do
		msr = chance(x, 8) ? (uint32_t)random_next(x) :
				     known[below(x, sizeof(known) / 4)] + (chance(x, 3) ? below(x, 16) : 0);
	while (msr == MSR_APIC_BASE || msr == MSR_X2APIC_ICR);
	return msr;
}

