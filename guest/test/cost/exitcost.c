/* 64 bits: what one VM exit costs, in TSC ticks, as the guest sees it: RDTSC around one instruction, less what two
 * RDTSC cost alone. One line for each: BENCH NAME MIN MEDIAN. */
#include "guest/test/base/apic.h"
#include "guest/test/base/bench.h"
#include "guest/test/base/pc.h"

const char test_name[] = "exitcost";

#define TIMES 1000

static uint32_t sample[TIMES];

static void do_cpuid(void) { cpuid(CPUID_LEAF_BASIC, 0); }
static void do_vmcall(void)
{
	word number = ~0ul; /* no hypercall has this number: it costs the way in and out */

	__asm__ volatile("vmcall" : "+a"(number) : : "memory");
}
static void do_in_61(void) { inb(PORT_B); }
#define ABSENT_PORT 0xed
static void do_in_absent(void) { inb(ABSENT_PORT); }
static void do_wrmsr_deadline(void)
{
	__asm__ volatile("wrmsr" : : "c"(MSR_TSC_DEADLINE), "a"(0), "d"(0x7fffffff) : "memory");
}
static void do_rdmsr_efer(void) { rdmsr(MSR_EFER); }
static void do_apic_id(void) { apic_read(APIC_ID); }
static void do_ppr_read(void) { apic_read(APIC_PPR); }
static void do_tpr_read(void) { apic_read(APIC_TPR); }
static void do_tpr_write(void) { apic_write(APIC_TPR, 0x20); }
static void do_eoi(void) { apic_write(APIC_EOI, 0); }
static void do_absent_memory(void) { (void)*(volatile uint32_t *)0xd0000000ul; }
static void do_cr4_pge(void) { write_cr4(read_cr4() ^ CR4_PGE); }
static void do_cr3(void) { write_cr3(read_cr3()); }

/* Always inline: the measured instruction stands between the two RDTSC. */
static inline __attribute__((always_inline)) void measure(const char *name, void (*fn)(void), uint32_t *empty)
{
	for (unsigned i = 0; i < TIMES; i++) {
		uint64_t start = rdtsc();

		fn();
		sample[i] = (uint32_t)(rdtsc() - start);
	}
	bench_sort(sample, TIMES);
	if (!*empty)
		*empty = sample[0];
	CHECK(sample[0] >= *empty, "%s costs less than nothing", name);
	bench_line(name, sample, TIMES, *empty);
}

static void try_vmcall(void *p)
{
	(void)p;
	do_vmcall();
}

void test_main(void)
{
	uint32_t empty = 0;

	apic_write(APIC_SVR, SVR_ENABLED | 0xff);
	measure("empty", do_nothing, &empty);
	measure("cpuid", do_cpuid, &empty);
	if (trap_call(try_vmcall, NULL) == TRAP(UD))
		print("exitcost: VMCALL is not an instruction here\n");
	else
		measure("vmcall", do_vmcall, &empty);
	measure("in_served", do_in_61, &empty);
	measure("in_absent", do_in_absent, &empty);
	if (cpuid_version().ecx & CPUID_1_ECX_TSC_DEADLINE) {
		apic_write(APIC_LVT_TIMER, LVT_MASKED | LVT_TIMER_DEADLINE | 0x40);
		measure("wrmsr_tsc_deadline", do_wrmsr_deadline, &empty);
		wrmsr(MSR_TSC_DEADLINE, 0);
	}
	measure("rdmsr_efer", do_rdmsr_efer, &empty);
	measure("mmio_lapic_id", do_apic_id, &empty);
	measure("mmio_ppr", do_ppr_read, &empty);
	measure("mmio_tpr_read", do_tpr_read, &empty);
	measure("mmio_tpr_write", do_tpr_write, &empty);
	measure("mmio_eoi", do_eoi, &empty);
	measure("mmio_absent", do_absent_memory, &empty);
	measure("mov_to_cr4_pge", do_cr4_pge, &empty);
	measure("mov_to_cr3", do_cr3, &empty);
}
