#include "host/tsc.h"

#include "host/x86.h"

#define PIT_HZ 1193182ull
#define PIT_SPAN 23864u /* 20 ms */
#define GATE_PORT 0x61
#define GATE_OUT2 0x20

/* Far more reads of the gate than 20 ms take, on any machine. */
#define GATE_READS_MAX 50000000u

/* CPUID leaf 0x15, or 0x16 (SDM, "Determining the Processor Base Frequency"). */
static uint64_t tsc_from_cpuid(void)
{
	uint32_t max = cpuid(0, 0).eax;
	struct cpuid c;

	if (max >= 0x15) {
		c = cpuid(0x15, 0);
		if (c.eax && c.ebx && c.ecx)
			return (uint64_t)c.ecx * c.ebx / c.eax;
	}
	return max >= 0x16 ? (uint64_t)(cpuid(0x16, 0).eax & 0xffff) * 1000000 : 0;
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
	uint8_t gate = inb(GATE_PORT) & 0xfc;

	/* Channel 2, mode 0 (OUT rises at the end of the count), the speaker off. */
	outb(GATE_PORT, gate);
	outb(0x43, 0xb0); /* channel 2, low byte then high byte, mode 0 */
	outb(0x42, PIT_SPAN & 0xff);
	outb(0x42, PIT_SPAN >> 8);
	outb(GATE_PORT, gate | 1);
	start = rdtsc();
	while (!(inb(GATE_PORT) & GATE_OUT2) && ++reads < GATE_READS_MAX)
		;
	end = rdtsc();
	outb(GATE_PORT, gate);
	if (reads == GATE_READS_MAX)
		return tsc_from_cpuid();
	return rounded((end - start) * PIT_HZ / PIT_SPAN);
}
