/* What accesses to the TPR cost: half of them reads, a quarter raises, a quarter lowerings, and none lets an interrupt
 * in. Marked as phase 1 of the guest's work, so that its exits are counted apart. */
#include "guest/test/base/pc.h"
#include "guest/test/irql/irql.h"

static void accesses_mmio(unsigned n)
{
	volatile uint32_t *tpr = (volatile uint32_t *)(APIC_PAGE + APIC_TPR);

	while (n--) {
		(void)*tpr;
		*tpr = 0x40;
		(void)*tpr;
		*tpr = 0x20;
	}
}

static void accesses_msr(unsigned n)
{
	uint32_t msr = MSR_X2APIC(APIC_TPR);

	while (n--) {
		rdmsr(msr);
		wrmsr(msr, 0x40);
		rdmsr(msr);
		wrmsr(msr, 0x20);
	}
}

void bench(unsigned accesses)
{
	unsigned n = accesses / 4;
	void (*run)(unsigned) = access == WAY_MMIO ? accesses_mmio :
				access == WAY_MSR ? accesses_msr :
						    guest.accesses_cr8;
	uint64_t start, ticks;

	cli();
	tpr_write(0x20);
	run(1);
	outb(MARK_PORT, 1);
	start = rdtsc();
	run(n);
	ticks = rdtsc() - start;
	outb(MARK_PORT, 0);
	tpr_write(0);
	CHECK(n, "bench=%u: at least 4", accesses);
	print("VELLUM-PHASE 1 tpr ticks=%lu steps=%u\n", (word)ticks, n * 4);
	print("BENCH tpr %u accesses, %lu ticks\n", n * 4, (word)ticks);
}
