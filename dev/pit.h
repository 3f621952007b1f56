/* dev/pit.h - the 8254 interval timer at 0x40-0x43, and port 0x61.
 *
 * Channel 0 drives an interrupt line, channel 2 is gated by port 0x61 and read back there. Counters are computed from the time when
 * asked for; only channel 0's edges need an alarm. When edges of channel 0 were missed, or come faster than PIT_MIN_PERIOD_US, they
 * merge into one, so that a guest cannot keep the host busy with a tiny count. */
#ifndef VELLUM_DEV_PIT_H
#define VELLUM_DEV_PIT_H

#include "dev/dev.h"

#define PIT_HZ 1193182u
#define PIT_MIN_PERIOD_US 50u

struct pit_channel {
	uint64_t start;    /* PIT clocks: when the count in force began (or, while the gate holds it, when it was stopped) */
	uint32_t count;    /* the count in force: 1..0x10000 (1..10000 in BCD) */
	uint32_t next;     /* what was written last; takes force at the next load */
	uint32_t held;     /* clocks already counted when the gate went low */
	uint16_t latch;
	uint8_t mode, access, bcd;
	uint8_t status;
	uint8_t write_low; /* the low byte, between the two writes */
	bool loaded;       /* a count is in force */
	bool pending_load; /* next differs from count and waits for the period's end or the trigger */
	bool running;      /* counting: not waiting for a count, a gate or a trigger */
	bool gate;
	bool write_high, read_high; /* the next byte of a two-byte access is the high one */
	uint8_t latched;            /* bytes of latch left to read */
	bool status_latched;
};

struct pit {
	struct pit_channel ch[3];
	struct timers *timers;
	struct ratio to_clocks; /* ticks -> PIT clocks */
	struct ratio to_ticks;
	uint64_t epoch; /* ticks at reset */
	struct timer alarm; /* channel 0 */
	struct irq_line irq;
	bool out0;
	uint8_t port61; /* bits 0..3 as written */
};

bool pit_init(struct pit *p, struct pio_space *pio, struct timers *timers, struct irq_line irq);
void pit_reset(struct pit *p);

#endif
