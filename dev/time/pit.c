/* dev/time/pit.c - the 8254's counters, computed from the time. Intel 8254 data sheet, "Mode Definitions".
 *
 * Two simplifications that no program can tell without an oscilloscope: a count written to a running mode 3 counter
 * takes force at the end of the whole period, not of the half; and the one clock between a write and the first
 * decrement is counted as the data sheet says, but not the sub-clock phase. */
#include "dev/time/pit.h"
#include "dev/bus/bytes.h"
#include "lib/mutants/mutate.h"

#define REFRESH_CLOCKS 18u /* 15 microseconds */

static uint64_t clocks_at(const struct pit *p, uint64_t ticks)
{
	return ratio_apply(p->to_clocks, ticks - p->epoch);
}

static uint64_t clocks_now(const struct pit *p)
{
	return clocks_at(p, timers_now(p->timers));
}

/* The earliest tick at which clocks_at() is not less than clk, or a tick or two later. */
static uint64_t ticks_of(const struct pit *p, uint64_t clk)
{
	return p->epoch + ratio_apply(p->to_ticks, clk) + 1;
}

/* Modes whose period repeats, and in which a low gate holds OUT high. */
static bool is_periodic(const struct pit_channel *c)
{
	return c->mode == 2 || c->mode == 3;
}

/* Modes that start with a rising gate, not with the count. */
static bool is_triggered(const struct pit_channel *c)
{
	return c->mode == 1 || c->mode == 5;
}

static void start_counting(struct pit_channel *c, uint64_t clk)
{
	c->count = c->next;
	c->start = clk + 1;
	c->running = true;
	c->switching = false;
}

/* Lets a count that waited for the end of the period take force. */
static __attribute__((noinline)) void channel_sync(struct pit_channel *c, uint64_t clk)
{
	if (c->switching && clk >= c->switch_at) {
		c->count = c->next;
		c->start = c->switch_at;
		c->switching = false;
	}
}

static inline uint64_t elapsed(const struct pit_channel *c, uint64_t clk)
{
	if (!c->running)
		return c->held;
	return clk > c->start ? clk - c->start : 0;
}

/* The level of OUT; after channel_sync(). */
static inline bool channel_out(const struct pit_channel *c, uint64_t clk)
{
	uint64_t n = elapsed(c, clk);
	if (!c->count)
		return c->mode != 0;
	switch (c->mode) {
	case 0:
		return n >= c->count;
	case 1:
		return !c->running || n >= c->count;
	case 2:
		return !c->running || n % c->count != c->count - 1;
	case 3:
		return !c->running || n % c->count < (c->count + 1) / 2;
	case 4:
		return n != c->count;
	default:
		return !c->running || n != c->count;
	}
}

/* What the counting element holds, as it is read; after channel_sync(). */
static uint16_t channel_value(const struct pit_channel *c, uint64_t clk)
{
	uint64_t n = elapsed(c, clk), value;
	unsigned modulus = c->bcd ? 10000 : 0x10000;
	if (!c->count)
		return 0;
	if (c->mode == 2) {
		value = c->count - n % c->count;
	} else if (c->mode == 3) {
		unsigned phase = (unsigned)(n % c->count), high = (c->count + 1) / 2;
		value = (c->count & ~1u) - 2 * (phase < high ? phase : phase - high);
	} else {
		value = modulus + c->count - n % modulus; /* wraps and goes on */
	}
	unsigned v = (unsigned)(value % modulus);
	if (!c->bcd)
		return (uint16_t)v;
	return (uint16_t)(v / 1000 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10);
}

/* ---- channel 0's line ---- */

/* The first edge at or after the clock `from`, or UINT64_MAX. */
static uint64_t next_edge(const struct pit_channel *c, uint64_t from)
{
	if (!c->running || !c->count || is_triggered(c))
		return UINT64_MAX;
	if (!is_periodic(c)) {
		uint64_t edge = c->start + c->count + (c->mode == 4);
		return edge >= from ? edge : UINT64_MAX;
	}
	if (c->switching)
		return c->switch_at;
	uint64_t periods = from > c->start ? (from - c->start + c->count - 1) / c->count : 1;
	return c->start + periods * c->count;
}

static void arm_edge(struct pit *p, uint64_t from)
{
	p->edge = next_edge(&p->ch[0], from);
	if (p->edge == UINT64_MAX)
		timer_cancel(p->timers, &p->alarm);
	else
		timer_arm(p->timers, &p->alarm, ticks_of(p, p->edge));
}

static void pit_fire(void *dev, uint64_t now)
{
	struct pit *p = dev;
	struct pit_channel *c = &p->ch[0];
	uint64_t clk = clocks_at(p, now);
	if (clk < p->edge) { /* rounding between the clocks */
		timer_arm(p->timers, &p->alarm, now + 1);
		return;
	}
	VM_MUTANT(PIT_EDGE, irq_set(&p->irq, false)); /* PT2 */
	irq_set(&p->irq, true);
	channel_sync(c, clk);
	/* Edges that come too fast are passed over. */
	arm_edge(p, clk + (c->count < p->min_edges ? p->min_edges : 1));
}

/* ---- programming ---- */

static void control_write(struct pit *p, struct pit_channel *c, uint8_t value)
{
	c->access = value >> 4 & 3;
	c->mode = value >> 1 & 7;
	if (c->mode > 5)
		c->mode &= 3; /* 6 and 7 are 2 and 3 */
	c->bcd = value & 1;
	c->count = 0;
	c->next = 0;
	c->held = 0;
	c->running = false;
	c->switching = false;
	c->second_write = false;
	c->second_read = false;
	c->latched = 0;
	c->status_latched = false;
	if (c == &p->ch[0]) {
		irq_set(&p->irq, false);
		VM_MUTANT(PIT_STOPS, timer_cancel(p->timers, &p->alarm)); /* PT1 */
	}
}

/* A whole count was written. */
static void count_write(struct pit *p, struct pit_channel *c, unsigned raw, uint64_t clk)
{
	uint32_t count = raw;
	if (c->bcd)
		count = (raw >> 12) * 1000 + (raw >> 8 & 15) * 100 + (raw >> 4 & 15) * 10 + (raw & 15);
	if (!count)
		count = c->bcd ? 10000 : 0x10000;
	channel_sync(c, clk);
	c->next = count;
	if (is_triggered(c))
		return;
	if (is_periodic(c) && c->running) {
		if (!c->switching) {
			uint64_t n = elapsed(c, clk);
			c->switch_at = c->start + (n / c->count + 1) * c->count;
			c->switching = true;
		}
	} else if (c->gate) {
		start_counting(c, clk);
	} else {
		c->count = c->next;
		c->held = 0;
	}
	if (c == &p->ch[0])
		arm_edge(p, clk + 1);
}

/* The first of two bytes stops a mode 0 counter. */
static void first_byte(struct pit *p, struct pit_channel *c, uint8_t value)
{
	c->write_low = value;
	c->second_write = true;
	if (c->mode)
		return;
	c->running = false;
	c->count = 0;
	c->held = 0;
	if (c == &p->ch[0]) {
		irq_set(&p->irq, false);
		timer_cancel(p->timers, &p->alarm);
	}
}

static void counter_write(struct pit *p, struct pit_channel *c, uint8_t value)
{
	uint64_t clk = clocks_now(p);
	if (c->access == 1) {
		count_write(p, c, value, clk);
	} else if (c->access == 2) {
		count_write(p, c, (unsigned)value << 8, clk);
	} else if (!c->second_write) {
		first_byte(p, c, value);
	} else {
		c->second_write = false;
		count_write(p, c, (unsigned)value << 8 | c->write_low, clk);
	}
}

/* What is latched stays until it is read: further latch commands are ignored. */
static void latch_count(struct pit_channel *c, uint64_t clk)
{
	if (c->latched)
		return;
	channel_sync(c, clk);
	c->latch = channel_value(c, clk);
	c->latched = c->access == 3 ? 2 : 1;
}

static void latch_status(struct pit_channel *c, uint64_t clk)
{
	if (c->status_latched)
		return;
	channel_sync(c, clk);
	bool null_count = !c->count || c->switching;
	c->status = (uint8_t)(channel_out(c, clk) << 7 | null_count << 6 | c->access << 4 | c->mode << 1 | c->bcd);
	c->status_latched = true;
}

/* "Read-Back Command". */
static void read_back(struct pit *p, uint8_t value)
{
	uint64_t clk = clocks_now(p);
	for (unsigned i = 0; i < 3; i++) {
		if (!(value & (unsigned)PIT_READ_BACK_COUNTER(i)))
			continue;
		if (!(value & PIT_READ_BACK_NO_COUNT))
			latch_count(&p->ch[i], clk);
		if (!(value & PIT_READ_BACK_NO_STATUS))
			latch_status(&p->ch[i], clk);
	}
}

static void command_write(struct pit *p, uint8_t value)
{
	unsigned select = value >> 6;
	if (select == 3)
		read_back(p, value);
	else if ((value & PIT_ACCESS) == PIT_LATCH)
		latch_count(&p->ch[select], clocks_now(p));
	else
		control_write(p, &p->ch[select], value);
}

static uint8_t counter_read(struct pit *p, struct pit_channel *c)
{
	if (c->status_latched) {
		c->status_latched = false;
		return c->status;
	}
	if (c->latched) {
		bool high = c->access == 2 || (c->access == 3 && c->latched == 1);
		c->latched--;
		return (uint8_t)(high ? c->latch >> 8 : c->latch);
	}
	uint64_t clk = clocks_now(p);
	channel_sync(c, clk);
	uint16_t value = channel_value(c, clk);
	bool high = c->access == 2 || (c->access == 3 && c->second_read);
	if (c->access == 3)
		c->second_read = !c->second_read;
	return (uint8_t)(high ? value >> 8 : value);
}

static void gate_write(struct pit_channel *c, bool gate, uint64_t clk)
{
	if (gate == c->gate)
		return;
	channel_sync(c, clk);
	c->gate = gate;
	if (is_triggered(c) || (is_periodic(c) && gate)) {
		if (gate && c->next)
			start_counting(c, clk);
	} else if (!gate) {
		c->held = c->running ? elapsed(c, clk) : 0;
		c->running = false;
		c->switching = false;
	} else if (c->count) {
		c->start = clk - c->held;
		c->running = true;
	}
}

/* ---- ports ---- */

/* The fourth port is the control word's, which is only written: there is no fourth counter (CVE-2015-3214). */
static uint8_t pit_read(void *dev, uint16_t port)
{
	struct pit *p = dev;
	return (port & 3) == 3 ? 0xff : counter_read(p, &p->ch[port & 3]);
}

static void pit_write(void *dev, uint16_t port, uint8_t value)
{
	struct pit *p = dev;
	if ((port & 3) == 3)
		command_write(p, value);
	else
		counter_write(p, &p->ch[port & 3], value);
}

static uint8_t port61_read(void *dev, uint16_t port)
{
	struct pit *p = dev;
	struct pit_channel *c = &p->ch[2];
	uint64_t clk = clocks_now(p);
	(void)port;
	if (unlikely(c->switching))
		channel_sync(c, clk);
	return (uint8_t)(p->port61 | (clk / REFRESH_CLOCKS & 1 ? PORT_B_REFRESH : 0) |
			 (channel_out(c, clk) ? PORT_B_OUT2 : 0));
}

static void port61_write(void *dev, uint16_t port, uint8_t value)
{
	struct pit *p = dev;
	(void)port;
	p->port61 = value & PORT_B_WRITABLE;
	gate_write(&p->ch[2], value & PORT_B_GATE2, clocks_now(p));
}

BYTE_PORTS(pit)
BYTE_PORTS(port61)

void pit_reset(struct pit *p)
{
	p->epoch = timers_now(p->timers);
	p->port61 = 0;
	for (unsigned i = 0; i < 3; i++) {
		p->ch[i] = (struct pit_channel){ .gate = i != 2 };
		control_write(p, &p->ch[i], PIT_LOW_HIGH | PIT_ONE_SHOT);
	}
}

bool pit_init(struct pit *p, struct pio_space *pio, struct timers *timers, struct irq_line irq)
{
	static const struct pio_ops pit_ops = { pit_in, pit_out }, port61_ops = { port61_in, port61_out };
	*p = (struct pit){ .timers = timers, .irq = irq, .alarm = { .fire = pit_fire, .dev = p } };
	p->to_clocks = ratio_init(timers->tsc_hz, PIT_HZ);
	p->to_ticks = ratio_init(PIT_HZ, timers->tsc_hz);
	p->min_edges = PIT_HZ * (uint64_t)PIT_MIN_PERIOD_US / 1000000;
	pit_reset(p);
	return pio_add(pio, PIT_COUNTER(0), 4, &pit_ops, p) && pio_add(pio, PORT_B, 1, &port61_ops, p);
}
