/* dev/irq/lapic_timer.c - the APIC timer. SDM, "APIC Timer", "TSC-Deadline Mode".
 *
 * LT1 the alarm is armed if and only if the timer will raise an interrupt by itself: it runs and its entry is not
 *     masked.
 * LT2 a one-shot count that has reached 0 stays there, whatever mode is set later, until a new one is written.
 * LT3 in TSC-deadline mode there is no count, and in the other modes no deadline. */
#include "dev/irq/lapic_internal.h"
#include "lib/mutants/mutate.h"

static uint32_t timer_mode(const struct lapic *l)
{
	return l->lvt[LVT_TIMER] & LVT_TIMER_MODE;
}

/* SDM, "Local Vector Table": the timer counts on, and interrupts nobody. */
static bool timer_masked(const struct lapic *l)
{
	return VM_KEPT(LAPIC_TIMER_MASKED, l->lvt[LVT_TIMER] & LVT_MASKED);
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

	if (!span || timer_masked(l) || (timer_mode(l) != LVT_TIMER_PERIODIC && elapsed >= span)) {
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

static __attribute__((noinline)) void fire_late(struct lapic *l, uint64_t now)
{
	timer_cancel(l->timers, &l->timer);
	lapic_timer_fire(l, now);
}

/* An expiry that has passed but not been run yet must not get lost by what changes the timer. */
static inline void timer_catch_up(struct lapic *l, uint64_t now)
{
	if (l->timer.armed && unlikely(l->timer.deadline <= now))
		fire_late(l, now);
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

static uint32_t count_at(const struct lapic *l, uint64_t now)
{
	uint64_t span = timer_span(l), elapsed = now - l->timer_start;

	if (elapsed >= span) {
		if (!span || timer_mode(l) != LVT_TIMER_PERIODIC) /* LT3 */
			return 0;
		elapsed %= span;
	}
	return (uint32_t)(l->timer_initial - (elapsed >> l->timer_shift));
}

uint32_t lapic_timer_current(const struct lapic *l)
{
	return count_at(l, timers_now(l->timers));
}

/* ---- writes ---- */

/* Where the guest reads a copy it is made anew (L5). true */
static inline bool shown(struct lapic *l)
{
	if (unlikely(l->page))
		lapic_show_timer(l);
	return true;
}

static __attribute__((noinline)) void lvt_anew(struct lapic *l, uint32_t lvt, uint64_t now)
{
	timer_catch_up(l, now);
	/* A change to or from this mode disarms (SDM, "TSC-Deadline Mode"). */
	if ((timer_mode(l) == LVT_TIMER_DEADLINE) != ((lvt & LVT_TIMER_MODE) == LVT_TIMER_DEADLINE)) {
		l->lvt[LVT_TIMER] = lvt;
		l->tsc_deadline = 0;
		l->timer_initial = 0;
		timer_cancel(l->timers, &l->timer);
		return;
	}
	lapic_timer_deadline(l, now);
	if (!((lvt ^ l->lvt[LVT_TIMER]) & (LVT_TIMER_MODE | LVT_MASKED))) {
		l->lvt[LVT_TIMER] = lvt; /* it goes on as it is */
		return;
	}
	settle_count(l, now);
	l->lvt[LVT_TIMER] = lvt;
	timer_rearm(l, now);
}

/* Does the alarm say how much of the count is left? It is armed, and not past, and what is left is no more than a whole
 * count. LT3: then it is one. */
static inline bool alarm_tells(const struct lapic *l, uint64_t now)
{
	return l->timer.armed && VM_LEFT_OUT_OR(LAPIC_TIMER_REST, l->timer.deadline - now - 1 < timer_span(l));
}

/* The same of a count, which is in its first period, or in one that ends with its alarm. If it is armed, it is for
 * that. false: it is none, or there is to be a deadline. */
static inline bool goes_on(struct lapic *l, uint32_t lvt, uint64_t now)
{
	uint64_t span = timer_span(l);

	if (VM_KEPT(LAPIC_TIMER_TO_DEADLINE, (lvt & LVT_TIMER_MODE) == LVT_TIMER_DEADLINE))
		return false;
	if (now - l->timer_start >= span) {
		if (!alarm_tells(l, now))
			return false;
		l->timer_start = l->timer.deadline - span;
	}
	l->lvt[LVT_TIMER] = lvt;
	if (timer_masked(l))
		timer_cancel(l->timers, &l->timer);
	else if (!l->timer.armed)
		timer_arm(l->timers, &l->timer, l->timer_start + span);
	return true;
}

bool lapic_timer_write_lvt(struct lapic *l, uint32_t lvt)
{
	uint64_t now;

	if (timer_stands(l)) {
		l->lvt[LVT_TIMER] = lvt;
		return shown(l);
	}
	now = timers_now(l->timers);
	if (unlikely(!goes_on(l, lvt, now)))
		lvt_anew(l, lvt, now);
	return shown(l);
}

bool lapic_timer_write_initial(struct lapic *l, uint32_t count)
{
	uint64_t now, span;

	if (timer_mode(l) == LVT_TIMER_DEADLINE)
		return shown(l);
	now = timers_now(l->timers);
	timer_catch_up(l, now);
	l->timer_initial = count;
	l->timer_start = now;
	l->timer_done = false;
	span = (uint64_t)count << l->timer_shift;
	if (span && !timer_masked(l))
		timer_arm(l->timers, &l->timer, now + span);
	else
		timer_cancel(l->timers, &l->timer);
	return shown(l);
}

/* By which powers of 2 it divides: 2, 4, … 128, and 1. */
static inline uint8_t shift_of(uint32_t divide)
{
	return ((divide >> 1 & 4) + (divide & 3) + 1) & 7;
}

static inline void set_divide(struct lapic *l, uint32_t divide)
{
	l->divide = divide & 0xb;
	l->timer_shift = shift_of(divide);
}

/* The count goes on from where it is, at the new rate. */
static __attribute__((noinline)) void divide_anew(struct lapic *l, uint32_t divide, uint64_t now)
{
	uint32_t current;

	timer_catch_up(l, now);
	settle_count(l, now);
	current = count_at(l, now);
	set_divide(l, divide);
	l->timer_start =
		current ? now - ((uint64_t)(l->timer_initial - current) << l->timer_shift) : now - timer_span(l);
	if (timer_mode(l) != LVT_TIMER_DEADLINE)
		arm_count(l, now);
}

/* The same where the alarm tells how much is left. false: it does not. */
static inline bool divided_on(struct lapic *l, uint32_t divide, uint64_t now)
{
	uint64_t current;

	if (!alarm_tells(l, now))
		return false;
	current = ((l->timer.deadline - now - 1) >> l->timer_shift) + 1;
	set_divide(l, divide);
	l->timer_start = now - ((l->timer_initial - current) << l->timer_shift);
	timer_arm(l->timers, &l->timer, now + (current << l->timer_shift));
	return true;
}

bool lapic_timer_write_divide(struct lapic *l, uint32_t divide)
{
	uint64_t now;

	if (shift_of(divide) == l->timer_shift || timer_stands(l)) {
		set_divide(l, divide);
		return shown(l);
	}
	now = timers_now(l->timers);
	if (unlikely(!divided_on(l, divide, now)))
		divide_anew(l, divide, now);
	return shown(l);
}

/* SDM, "TSC-Deadline Mode". false: CPUID does not offer it, so there is no such MSR. */
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
