#include "host/cpu/tsc.h"

#include "host/cpu/x86.h"
#include "lib/pit.h"

#define PIT_SPAN 23864u /* 20 ms */

/* Far more reads of the gate than 20 ms take, on any machine. */
#define GATE_READS_MAX 50000000u

/* CPUID leaf 0x15, or 0x16 (SDM, "Determining the Processor Base Frequency"). */
static uint64_t tsc_from_cpuid(void)
{
	uint32_t max = cpuid(CPUID_LEAF_BASIC, 0).eax;
	struct cpuid c;

	if (max >= CPUID_LEAF_TSC) {
		c = cpuid(CPUID_LEAF_TSC, 0);
		if (c.eax && c.ebx && c.ecx)
			return (uint64_t)c.ecx * c.ebx / c.eax;
	}
	return max >= CPUID_LEAF_FREQUENCY ? (uint64_t)(cpuid(CPUID_LEAF_FREQUENCY, 0).eax & 0xffff) * 1000000 : 0;
}

/* The reads of the gate and of the TSC make the measurement uncertain by about a tenth of a thousandth: what is finer
 * than that would only differ from one start to the next. */
static uint64_t rounded(uint64_t hz)
{
	uint64_t step = 1;

	while (step * 20000 <= hz)
		step *= 10;
	return (hz + step / 2) / step * step;
}

uint64_t tsc_measure(void)
{
	uint64_t start, end;
	uint32_t reads = 0;
	uint8_t gate = inb(PORT_B) & ~(PORT_B_GATE2 | PORT_B_SPEAKER);

	/* Channel 2, mode 0 (OUT rises at the end of the count), the speaker off. */
	outb(PORT_B, gate);
	outb(PIT_CONTROL, PIT_SELECT(2) | PIT_LOW_HIGH | PIT_ONE_SHOT);
	outb(PIT_COUNTER(2), PIT_SPAN & 0xff);
	outb(PIT_COUNTER(2), PIT_SPAN >> 8);
	outb(PORT_B, gate | PORT_B_GATE2);
	start = rdtsc();
	while (!(inb(PORT_B) & PORT_B_OUT2) && ++reads < GATE_READS_MAX)
		;
	end = rdtsc();
	outb(PORT_B, gate);
	if (reads == GATE_READS_MAX)
		return tsc_from_cpuid();
	return rounded((end - start) * PIT_HZ / PIT_SPAN);
}
