/* dev/time/pit.h - the 8254 interval timer at 0x40-0x43, and port 0x61.
 *
 * Channel 0 drives an interrupt line, channel 2 is gated by port 0x61 and read back there. Counters are computed from
 * the time when asked for; only channel 0's edges need an alarm. When edges of channel 0 were missed, or come faster
 * than PIT_MIN_PERIOD_US, they merge into one, so that a guest cannot keep the host busy with a tiny count.
 *
 * PT1 the alarm is armed if and only if channel 0 will raise another edge by itself; `edge` is that edge.
 * PT2 channel 0's line is raised at each edge and stays up until the next one or a new control word: the interrupt
 *     controllers see one rising edge per period, and programming alone causes none. */
#ifndef VELLUM_DEV_PIT_H
#define VELLUM_DEV_PIT_H

#include "dev/dev.h"
#include "lib/pit.h"

#define PIT_MIN_PERIOD_US 50u

/* Counting begins at the PIT clock `start`; before it, nothing has been counted. */
struct pit_channel {
	uint64_t start;     /* PIT clocks */
	uint64_t switch_at; /* PIT clocks: when next takes force, if switching */
	uint64_t held;      /* clocks counted when the gate stopped it; meaningful while not running */
	uint32_t count;     /* the count in force: 1..0x10000, in BCD 1..10000; 0: none yet */
	uint32_t next;      /* the count written last; 0: none since the control word */
	bool running;       /* time counts: has a count, and the gate or the trigger that its mode needs */
	bool switching;
	bool gate, bcd;
	uint8_t mode, access; /* 0..5; 1 low, 2 high, 3 low then high */
	bool second_write, second_read; /* the next byte of a two-byte access is the high one */
	uint8_t write_low;
	uint8_t latched; /* bytes of latch left to read */
	uint16_t latch;
	bool status_latched;
	uint8_t status;
};

struct pit {
	struct pit_channel ch[3];
	struct timers *timers;
	struct ratio to_clocks; /* ticks -> PIT clocks */
	struct ratio to_ticks;
	uint64_t epoch;     /* ticks when the PIT clock was 0 */
	uint64_t min_edges; /* PIT_MIN_PERIOD_US, in PIT clocks */
	struct timer alarm; /* channel 0 */
	struct irq_line irq;
	uint64_t edge;  /* PIT clocks: channel 0's next edge, while alarm is armed */
	uint8_t port61; /* bits 0..3 as written */
};

/* No counter has a count. false: a port range is taken. */
bool pit_init(struct pit *p, struct pio_space *pio, struct timers *timers, struct irq_line irq);
FOR_TESTS void pit_reset(struct pit *p);
/* dev/time/time_state.c */
void pit_state(struct fields *s, struct pit *p);

#endif
