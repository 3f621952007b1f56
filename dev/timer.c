/* dev/timer.c - the alarms of one vCPU (a short list, sorted by deadline) and the conversion between clocks.
 *
 * TM1 the list is sorted by deadline; a timer is on it if and only if it is armed, and once.
 * TM2 one call of timers_run() fires at most as many alarms as were due when it began, however often they are armed
 *     again.
 * TM3 the earliest deadline becomes earlier only by timer_arm(), which then sets timers.earlier. */
#include "dev/dev.h"
#include "lib/mutants/mutate.h"

void timer_cancel(struct timers *t, struct timer *timer)
{
	if (!timer->armed)
		return;
	struct timer **p = &t->first;
	while (*p != timer)
		p = &(*p)->next;
	*p = timer->next;
	timer->armed = false;
}

void timer_put(struct timers *t, struct timer *timer, uint64_t deadline)
{
	struct timer **p = &t->first;

	timer_cancel(t, timer);
	while (*p && VM_KEPT(TIMER_SORTED, (*p)->deadline <= deadline)) /* TM1 */
		p = &(*p)->next;
	timer->deadline = deadline;
	timer->next = *p;
	timer->armed = true;
	__atomic_store_n(p, timer, __ATOMIC_RELEASE);
	if (p == &t->first)
		timers_first_changed(t);
}

void timers_run(struct timers *t, uint64_t now)
{
	unsigned due = 0;
	for (const struct timer *i = t->first; i && i->deadline <= now; i = i->next)
		due++;
	for (; VM_LEFT_OUT_OR(TIMER_DUE, due) && t->first && t->first->deadline <= now; due--) {
		struct timer *timer = t->first;
		t->first = timer->next;
		timer->armed = false;
		timer->fire(timer->dev, now);
	}
}

/* Long division: there is no 128-bit division without a run-time library, and this runs once per device. */
struct ratio ratio_init(uint64_t from_hz, uint64_t to_hz)
{
	struct ratio r = { .whole = to_hz / from_hz };
	uint64_t rest = to_hz % from_hz;
	for (unsigned i = 0; i < 64; i++) {
		bool carry = rest >> 63;
		rest <<= 1;
		r.frac <<= 1;
		if (carry || rest >= from_hz) {
			rest -= from_hz;
			r.frac |= 1;
		}
	}
	if (rest) /* rounded up: what divides exactly, converts exactly */
		r.frac++;
	return r;
}
