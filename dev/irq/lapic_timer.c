/* dev/irq/lapic_timer.c - the APIC timer. SDM, "APIC Timer", "TSC-Deadline Mode".
 *
 * LT1 the alarm is armed if and only if the timer will raise an interrupt by itself: it runs and its entry is not
 *     masked.
 * LT2 a one-shot count that has reached 0 stays there, whatever mode is set later, until a new one is written. */
#include "dev/irq/lapic_internal.h"
#include "lib/mutants/mutate.h"

static uint32_t timer_mode(const struct lapic *l)
{
	return l->lvt[LVT_TIMER] & LVT_TIMER_MODE;
}

static bool timer_masked(const struct lapic *l)
{
	return l->lvt[LVT_TIMER] & LVT_MASKED;
}

/* One whole count in ticks: at most 2^39; 0: the timer has stopped. */
static uint64_t timer_span(const struct lapic *l)
{
	return l->timer_done ? 0 : (uint64_t)l->timer_initial << l->timer_shift;
}

/* Before the mode changes: what has counted down stays at 0 (LT2), and a periodic count goes on within its last
 * period. */
static void settle_count(struct lapic *l, uint64_t now)
{
	uint64_t span = timer_span(l), elapsed = now - l->timer_start;

	if (!span || elapsed < span)
		return;
	if (timer_mode(l) == LVT_TIMER_PERIODIC)
		l->timer_start += elapsed / span * span;
	else
		VM_MUTANT(LAPIC_TIMER_DONE, l->timer_done = true);
}

/* Arms the alarm for the first expiry after now. A count of 0 stops the timer, and is divided by nowhere
 * (CVE-2013-6367). */
static void arm_count(struct lapic *l, uint64_t now)
{
	uint64_t span = timer_span(l), elapsed = now - l->timer_start;
	bool periodic = timer_mode(l) == LVT_TIMER_PERIODIC;
	if (!span || VM_KEPT(LAPIC_TIMER_MASKED, timer_masked(l)) || (!periodic && elapsed >= span)) {
		timer_cancel(l->timers, &l->timer);
		return;
	}
	timer_arm(l->timers, &l->timer, l->timer_start + (elapsed / span + 1) * span);
}

static void arm_deadline(struct lapic *l, uint64_t now)
{
	uint64_t guest_now = now + l->tsc_offset, deadline = l->tsc_deadline;
	if (!deadline || timer_masked(l)) {
		timer_cancel(l->timers, &l->timer);
		return;
	}
	uint64_t wait = deadline > guest_now ? deadline - guest_now : 0;
	timer_arm(l->timers, &l->timer, wait > UINT64_MAX - now ? UINT64_MAX : now + wait);
}

static void timer_rearm(struct lapic *l, uint64_t now)
{
	if (timer_mode(l) == LVT_TIMER_DEADLINE)
		arm_deadline(l, now);
	else
		arm_count(l, now);
}

void lapic_timer_fire(void *dev, uint64_t now)
{
	struct lapic *l = dev;
	if (timer_mode(l) == LVT_TIMER_DEADLINE) {
		l->tsc_deadline = 0;
	} else if (timer_mode(l) == LVT_TIMER_PERIODIC) {
		/* Faster ones merge. */
		uint64_t least = l->timers->tsc_hz / 1000000 * LAPIC_MIN_PERIOD_US;
		arm_count(l, timer_span(l) < least ? now + least : now);
	} else {
		l->timer_done = true;
	}
	lapic_timer_event(l);
}

/* An expiry that has passed but not been run yet must not get lost by what changes the timer. */
static void timer_catch_up(struct lapic *l, uint64_t now)
{
	if (!l->timer.armed || l->timer.deadline > now)
		return;
	timer_cancel(l->timers, &l->timer);
	lapic_timer_fire(l, now);
}

/* A deadline that passes while the entry is masked is over all the same. */
uint64_t lapic_timer_deadline(struct lapic *l, uint64_t now)
{
	if (timer_masked(l) && l->tsc_deadline <= now + l->tsc_offset)
		l->tsc_deadline = 0;
	return l->tsc_deadline;
}

/* Nothing counts, and nothing is armed. */
static inline bool timer_stands(const struct lapic *l)
{
	return !(l->timer_initial | l->tsc_deadline) && !l->timer.armed;
}

void lapic_timer_write_lvt(struct lapic *l, uint32_t lvt)
{
	if (timer_stands(l)) {
		l->lvt[LVT_TIMER] = lvt;
		return;
	}
	uint64_t now = timers_now(l->timers);
	timer_catch_up(l, now);
	lapic_timer_deadline(l, now);
	if (!((lvt ^ l->lvt[LVT_TIMER]) & (LVT_TIMER_MODE | LVT_MASKED))) {
		l->lvt[LVT_TIMER] = lvt; /* it goes on as it is */
		return;
	}
	bool was_deadline = timer_mode(l) == LVT_TIMER_DEADLINE;
	settle_count(l, now);
	l->lvt[LVT_TIMER] = lvt;
	/* A change to or from this mode disarms (SDM, "TSC-Deadline Mode"). */
	if (was_deadline != (timer_mode(l) == LVT_TIMER_DEADLINE)) {
		l->tsc_deadline = 0;
		l->timer_initial = 0;
	}
	timer_rearm(l, now);
}

void lapic_timer_write_initial(struct lapic *l, uint32_t count)
{
	if (timer_mode(l) == LVT_TIMER_DEADLINE)
		return;
	uint64_t now = timers_now(l->timers);
	timer_catch_up(l, now);
	l->timer_initial = count;
	l->timer_start = now;
	l->timer_done = false;
	arm_count(l, now);
}

static uint32_t count_at(const struct lapic *l, uint64_t now)
{
	uint64_t span = timer_span(l), elapsed = now - l->timer_start;
	if (!span || timer_mode(l) == LVT_TIMER_DEADLINE)
		return 0;
	if (elapsed >= span) {
		if (timer_mode(l) != LVT_TIMER_PERIODIC)
			return 0;
		elapsed %= span;
	}
	return (uint32_t)(l->timer_initial - (elapsed >> l->timer_shift));
}

uint32_t lapic_timer_current(const struct lapic *l)
{
	return count_at(l, timers_now(l->timers));
}

void lapic_timer_write_divide(struct lapic *l, uint32_t divide)
{
	static const uint8_t shift[8] = { 1, 2, 3, 4, 5, 6, 7, 0 }; /* by 2, 4, … 128, 1 */
	uint8_t to = shift[(divide >> 1 & 4) | (divide & 3)];
	if (to == l->timer_shift || timer_stands(l)) {
		l->divide = divide & 0xb;
		l->timer_shift = to;
		return;
	}
	uint64_t now = timers_now(l->timers);
	timer_catch_up(l, now);
	settle_count(l, now);
	uint32_t current = count_at(l, now);
	l->divide = divide & 0xb;
	l->timer_shift = to;
	/* The count goes on from where it is, at the new rate. */
	l->timer_start =
		current ? now - ((uint64_t)(l->timer_initial - current) << l->timer_shift) : now - timer_span(l);
	if (timer_mode(l) != LVT_TIMER_DEADLINE)
		arm_count(l, now);
}

bool lapic_write_tsc_deadline(struct lapic *l, uint64_t guest_tsc)
{
	if (unlikely(!(l->features & LAPIC_TSC_DEADLINE)))
		return false;
	if (unlikely(timer_mode(l) != LVT_TIMER_DEADLINE))
		return true; /* ignored, and reads as 0 */
	l->tsc_deadline = guest_tsc;
	arm_deadline(l, timers_now(l->timers));
	return true;
}

void lapic_set_tsc_offset(struct lapic *l, uint64_t offset)
{
	l->tsc_offset = offset;
	if (timer_mode(l) == LVT_TIMER_DEADLINE)
		arm_deadline(l, timers_now(l->timers));
}

void lapic_timer_reset(struct lapic *l)
{
	timer_cancel(l->timers, &l->timer);
	l->tsc_deadline = 0;
	l->timer_initial = 0;
	l->timer_start = 0;
	l->timer_done = false;
	l->divide = 0;
	l->timer_shift = 1;
}
