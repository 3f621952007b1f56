/* What the command line chooses: access=mmio|cr8|x2apic paging=on|off seed=N rounds=N bench=N; second: there is
 * a second CPU; extint: the interval timer is the 8259's. */
#include "guest/test/irql/irql.h"

static bool choose_access(void)
{
	struct cpuid c = cpuid_version();

	native = !(c.c & CPUID_1_ECX_HYPERVISOR);
	if (parameter_text("access", "mmio"))
		return true;
	access = parameter_text("access", "cr8") ? WAY_CR8 : WAY_MSR;
	if (access == WAY_CR8) {
		CHECK(guest.accesses_cr8, "32 bits have no CR8");
		return guest.accesses_cr8;
	}
	CHECK(parameter_text("access", "x2apic"), "access=: mmio, cr8 or x2apic");
	CHECK(c.c & CPUID_1_ECX_X2APIC, "this CPU has no x2APIC mode");
	if (!(c.c & CPUID_1_ECX_X2APIC) || !parameter_text("access", "x2apic"))
		return false;
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_EXTD);
	return true;
}

void irql_main(void)
{
	unsigned accesses = parameter_number("bench", 0), rounds = parameter_number("rounds", 30);

	if (!choose_access())
		return;
	random_seed(parameter_number("seed", 1));
	paging = parameter_text("paging", "on");
	if (paging)
		guest.page();
	irql_init();
	devices_init();
	if (accesses) {
		bench(accesses);
		return;
	}
	print("%s: %s, %s, paging %s, %s\n", test_name,
	      access == WAY_MMIO ? "MMIO" : access == WAY_CR8 ? "CR8" : "x2APIC", native ? "native" : "virtual",
	      paging ? "on" : "off", have_lines ? "test device" : "no test device");
	test_exact();
	test_ways();
	test_pages();
	test_moves();
	second_start();
	test_rounds(rounds);
}
