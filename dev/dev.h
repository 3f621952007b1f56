/* dev/dev.h - what every device model builds on: ports, MMIO regions, interrupt lines, time.
 *
 * A device is a plain struct that its owner embeds; its file implements its registers and nothing else. A
 * device never blocks, never fails and never trusts the guest: a register that does not exist reads as all ones (or as
 * the data sheet says) and ignores writes. NAME_init() makes it, NAME_reset() gives it the state after power-up. All
 * functions of the devices of one VM are called with that VM's device lock held.
 *
 * Time is counted in *ticks* of the machine's TSC (an unsigned 64-bit number that never decreases while the VM
 * lives). */
#ifndef VELLUM_DEV_DEV_H
#define VELLUM_DEV_DEV_H

#include "lib/base.h"
#include "dev/state.h"
#include "lib/mutants/mutate.h"

/* ---- time ---- */

struct timers;

/* A one-shot alarm; periodic devices arm it again from fire(). */
struct timer {
	uint64_t deadline; /* ticks; meaningful while armed */
	bool armed;
	void (*fire)(void *dev, uint64_t now);
	void *dev;
	struct timer *next; /* in the queue, sorted by deadline */
};

/* The alarms that go by one clock and are looked at by one vCPU. */
struct timers {
	struct timer *first;
	bool earlier; /* an alarm was armed that is now the first; for who waits for the first to clear (TM3) */
	void (*notice)(struct timers *t); /* NULL, or: somebody has set .earlier */
	uint64_t tsc_hz;
	uint64_t (*now)(void *ctx); /* ticks */
	void *ctx;
};

/* The clock's present, ticks. */
static inline uint64_t timers_now(const struct timers *t) { return t->now(t->ctx); }
/* TM3 */
static inline void timers_first_changed(struct timers *t)
{
	VM_MUTANT(TIMER_EARLIER, t->earlier = true);
	if (unlikely(t->notice))
		t->notice(t);
}

void timer_put(struct timers *t, struct timer *timer, uint64_t deadline); /* timer_arm(), wherever it goes */
/* One that is armed already is armed anew; a deadline that is past fires at the next timers_run(). Inline is what it
 * mostly is: the only one, or the first of them before and after. */
static inline void timer_arm(struct timers *t, struct timer *timer, uint64_t deadline)
{
	bool alone = !t->first;

	if (!alone && (t->first != timer ||
		       !VM_LEFT_OUT_OR(TIMER_STAYS, !timer->next || deadline < timer->next->deadline))) {
		timer_put(t, timer, deadline);
		return;
	}
	__atomic_store_n(&timer->deadline, deadline, __ATOMIC_RELAXED);
	if (alone) {
		timer->next = NULL;
		timer->armed = true;
		__atomic_store_n(&t->first, timer, __ATOMIC_RELEASE);
	}
	timers_first_changed(t);
}
void timer_cancel(struct timers *t, struct timer *timer);
/* Fires everything whose deadline is <= now, in order of deadline. */
void timers_run(struct timers *t, uint64_t now);
/* The earliest deadline, or UINT64_MAX. */
static inline uint64_t timers_next(const struct timers *t)
{
	/* Once: another CPU may change the list meanwhile; it then sets .earlier. */
	const struct timer *first = __atomic_load_n(&t->first, __ATOMIC_RELAXED);

	return first ? first->deadline : UINT64_MAX;
}

/* Whether it is armed, and for when (dev/timer_state.c): of every device there is a function of this name and kind,
 * which writes all that a guest could ever notice of it to a snapshot, or makes it what it was then (dev/state.h). It
 * is read into a device that was just made, with the same of the machine's around it. */
void timer_state(struct fields *s, struct timers *t, struct timer *timer);

/* Conversion between two clocks: dst = src * to_hz / from_hz, exact to rounding for spans that fit in 64 bits on both
 * sides; two multiplications, no division, after ratio_init(). */
struct ratio {
	uint64_t whole; /* integer part of to_hz / from_hz */
	uint64_t frac;  /* fraction, in 2^-64 */
};
struct ratio ratio_init(uint64_t from_hz, uint64_t to_hz);
static inline uint64_t ratio_apply(struct ratio r, uint64_t v)
{
	return v * r.whole + (uint64_t)(((unsigned __int128)v * r.frac) >> 64);
}

/* ---- ports ---- */

struct pio_ops {
	/* size is 1, 2 or 4; port is the absolute port. Reads return the value in the low bits. */
	uint32_t (*in)(void *dev, uint16_t port, unsigned size);
	void (*out)(void *dev, uint16_t port, unsigned size, uint32_t value);
};

/* Repeated string instructions: up to count elements of size bytes at once, of a device that has them ready, or takes
 * them. What they return is how many were moved; 0: not so, but one by one. */
struct pio_strings {
	uint32_t (*in)(void *dev, uint16_t port, unsigned size, void *to, uint32_t count);
	uint32_t (*out)(void *dev, uint16_t port, unsigned size, const void *from, uint32_t count);
};

struct pio_range {
	uint16_t base;
	uint16_t count;
	const struct pio_ops *ops;
	void *dev;
	const struct pio_strings *strings; /* NULL: none */
};

#define PIO_RANGES_MAX 96

/* The port space of one VM. index: for every port, 1 + the number of its range, 0 for none: one load finds the
 * device. */
struct pio_space {
	uint8_t index[65536];
	struct pio_range range[PIO_RANGES_MAX];
	unsigned count;
};

/* false: the table is full, or the range is empty or overlaps another. */
bool pio_add(struct pio_space *s, uint16_t base, uint16_t count, const struct pio_ops *ops, void *dev);
/* The range that begins at base has these, too. false: there is none. */
bool pio_add_strings(struct pio_space *s, uint16_t base, const struct pio_strings *strings);
/* Takes away the range that begins at base. */
void pio_remove(struct pio_space *s, uint16_t base);
/* An access to a port without a device reads all ones and ignores writes; one that runs past a device's range is split
 * into bytes. */
uint32_t pio_in(struct pio_space *s, uint16_t port, unsigned size);
void pio_out(struct pio_space *s, uint16_t port, unsigned size, uint32_t value);

/* Up to count elements at once; returns how many. 0: the port has no such way now. */
uint32_t pio_in_string(struct pio_space *s, uint16_t port, unsigned size, void *to, uint32_t count);
uint32_t pio_out_string(struct pio_space *s, uint16_t port, unsigned size, const void *from, uint32_t count);

/* A byte of a device: the access that guests make most, inline. */
static inline uint32_t pio_in_byte(struct pio_space *s, uint16_t port)
{
	unsigned i = s->index[port];
	const struct pio_range *r;

	if (unlikely(!i))
		return 0xff;
	r = &s->range[i - 1];
	return r->ops->in(r->dev, port, 1);
}

static inline void pio_out_byte(struct pio_space *s, uint16_t port, uint8_t value)
{
	unsigned i = s->index[port];
	const struct pio_range *r;

	if (unlikely(!i))
		return;
	r = &s->range[i - 1];
	r->ops->out(r->dev, port, 1, value);
}

/* ---- MMIO ---- */

struct mmio_ops {
	/* size is 1, 2, 4 or 8; offset is from the region's base; the access lies within the region. */
	uint64_t (*read)(void *dev, uint64_t offset, unsigned size);
	void (*write)(void *dev, uint64_t offset, unsigned size, uint64_t value);
};

struct mmio_region {
	uint64_t base; /* gpa */
	uint64_t size;
	const struct mmio_ops *ops;
	void *dev;
};

#define MMIO_REGIONS_MAX 32

struct mmio_space {
	struct mmio_region region[MMIO_REGIONS_MAX];
	unsigned count;
};

/* false: the table is full, or the region is empty, overlaps another, or ends beyond 2^64. */
bool mmio_add(struct mmio_space *s, uint64_t base, uint64_t size, const struct mmio_ops *ops, void *dev);
/* Takes away the region that begins at base. */
void mmio_remove(struct mmio_space *s, uint64_t base);
/* The region that holds all of [gpa, gpa + size), or NULL. */
FOR_TESTS const struct mmio_region *mmio_find(const struct mmio_space *s, uint64_t gpa, unsigned size);
/* Absent: reads all ones, ignores writes. */
uint64_t mmio_read(struct mmio_space *s, uint64_t gpa, unsigned size);
void mmio_write(struct mmio_space *s, uint64_t gpa, unsigned size, uint64_t value);

/* ---- interrupt lines ---- */

/* An output line of a device: level true is asserted. The platform (vm/platform.c) connects it to the PICs and the I/O
 * APIC. */
struct irq_line {
	void (*set)(void *ctx, unsigned gsi, bool level);
	void *ctx;
	unsigned gsi;
};
static inline void irq_set(const struct irq_line *l, bool level)
{
	if (l->set)
		l->set(l->ctx, l->gsi, level);
}

#endif
