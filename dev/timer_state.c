#include "dev/dev.h"

void timer_state(struct fields *s, struct timers *t, struct timer *timer)
{
	uint64_t deadline = timer->deadline;
	bool armed = timer->armed;

	state_bool(s, &armed);
	state_time(s, &deadline);
	if (!s->load)
		return;
	timer_cancel(t, timer);
	if (armed && !s->bad)
		timer_arm(t, timer, deadline);
}
