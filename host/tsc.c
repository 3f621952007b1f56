#include "host/tsc.h"

#include "host/x86.h"

#define PIT_HZ 1193182ull
#define PIT_SPAN 23864u /* 20 ms */
#define GATE_PORT 0x61
#define GATE_OUT2 0x20

uint64_t tsc_measure(void)
{
	uint64_t start, end;
	uint8_t gate = inb(GATE_PORT) & 0xfc;

	/* Channel 2, mode 0 (OUT rises at the end of the count), the speaker off. */
	outb(GATE_PORT, gate);
	outb(0x43, 0xb0);
	outb(0x42, PIT_SPAN & 0xff);
	outb(0x42, PIT_SPAN >> 8);
	outb(GATE_PORT, gate | 1);
	start = rdtsc();
	while (!(inb(GATE_PORT) & GATE_OUT2))
		;
	end = rdtsc();
	outb(GATE_PORT, gate);
	return (end - start) * PIT_HZ / PIT_SPAN;
}
