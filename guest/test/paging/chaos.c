/* 64 bits: does what no sane guest does - every port, every MSR in the usual ranges, the interrupt controllers'
 * registers, with random values - and lives: whatever comes of it, the hypervisor and this guest go on. Left out are
 * only the registers that end the run. */
#include "guest/test/base/apic.h"
#include "guest/test/base/pc.h"
#include "lib/xorshift.h"

const char test_name[] = "chaos";

static uint64_t state = 88172645463325252;

static uint64_t next_random(void) { return xorshift(&state); }

/* And the console, which is to tell of it, and the mapping of the page of code. */
static bool ends_the_run(unsigned port)
{
	return port_ends_the_run(port) || port_reaches(port, COM1_PORT, COM1_PORT + UART_SCR) ||
	       port_reaches(port, TESTDEV_DROP, TESTDEV_DROP);
}

static void ports(void)
{
	for (unsigned port = 0; port < 0x10000; port += port < 0x1000 ? 1 : 1 + next_random() % 64) {
		uint64_t r = next_random();

		inb((uint16_t)port);
		inw((uint16_t)port);
		inl((uint16_t)port);
		if (ends_the_run(port))
			continue;
		outb((uint16_t)port, (uint8_t)r);
		outw((uint16_t)port, (uint16_t)(r >> 8));
		outl((uint16_t)port, (uint32_t)(r >> 24));
	}
}

static uint64_t msr_value;
static void do_rdmsr(void *p) { msr_value = rdmsr((uint32_t)(word)p); }
static void do_wrmsr(void *p) { wrmsr((uint32_t)(word)p, msr_value); }

static unsigned readable;

static void msrs(uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++) {
		uint64_t old;

		if (trap_call(do_rdmsr, (void *)(word)i) != NO_TRAP)
			continue;
		readable++;
		old = msr_value;
		/* These three the guest itself stands on. */
		if (i != MSR_APIC_BASE && i != MSR_EFER && i != MSR_FS_BASE) {
			msr_value = next_random();
			trap_call(do_wrmsr, (void *)(word)i);
			msr_value = 1ull << next_random() % 64;
			trap_call(do_wrmsr, (void *)(word)i);
		}
		msr_value = old;
		trap_call(do_wrmsr, (void *)(word)i);
	}
}

static void write_word(void *p) { *(volatile uint32_t *)p = (uint32_t)next_random(); }
static void write_odd(void *p) { *(volatile uint64_t *)((char *)p + next_random() % 8) = next_random(); }

static void controllers(void)
{
	for (unsigned i = 0; i < 4000; i++) {
		word apic = LAPIC_DEFAULT_BASE + next_random() % 4096 / 4 * 4;
		word ioapic = IOAPIC_BASE + next_random() % 0x50;

		/* The interrupt command register could send this CPU an INIT: that would be the end of the test, not of
		 * the hypervisor. */
		if (apic < LAPIC_DEFAULT_BASE + APIC_ICR || apic > LAPIC_DEFAULT_BASE + APIC_ICR_HIGH + 12)
			trap_call(write_word, (void *)apic);
		trap_call(write_word, (void *)ioapic);
		if (apic < LAPIC_DEFAULT_BASE + APIC_ICR - 32 || apic > LAPIC_DEFAULT_BASE + APIC_LVT_TIMER + 12)
			trap_call(write_odd, (void *)apic);
		(void)*(volatile uint64_t *)(apic & ~7ul);
	}
}

/* Registers by which a guest chooses a mode: each random value is refused or taken, and taken back. */
static void do_cr0(void *p) { write_cr0((word)p); }
static void do_cr4(void *p) { write_cr4((word)p); }

static void registers(void)
{
	word cr0 = read_cr0(), cr4 = read_cr4();

	for (unsigned i = 0; i < 2000; i++) {
		uint64_t r = next_random();

		/* Paging, protection, PAE and 57-bit addresses stay as they are: without them the code ends here. SMAP
		 * and SMEP may come: the tables are the supervisor's. */
		trap_call(do_cr0, (void *)((r | CR0_PG | CR0_PE) & ~CR0_AM));
		write_cr0(cr0);
		trap_call(do_cr4, (void *)(((r >> 8) | CR4_PAE) & ~CR4_LA57));
		write_cr4(cr4);
	}
	CHECK(read_cr0() == cr0 && read_cr4() == cr4, "CR0 0x%lx, CR4 0x%lx", read_cr0(), read_cr4());
}

void test_main(void)
{
	state += parameter_number("seed", 0);
	print("chaos: registers\n");
	registers();
	print("chaos: ports\n");
	ports();
	print("chaos: MSRs\n");
	msrs(0, 0x2000);
	msrs(0xc0000000, 0x2000);
	msrs(0x40000000, 0x200);
	print("chaos: interrupt controllers\n");
	controllers();
	CHECK(readable > 10, "only %u MSRs can be read", readable);
}
