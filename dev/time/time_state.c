/* dev/time/time_state.c - what a snapshot holds of the 8254 and of the real-time clock. Both stand still meanwhile, as
 * the virtual machine's clock does: the time of day is that of the snapshot. */
#include "dev/time/pit.h"
#include "dev/time/rtc.h"
#include "lib/cmos.h"
#include "lib/mutants/mutate.h"

#define CLOCKS_MAX BIT(62)   /* of either, since it was made: more than any runs */
#define SECONDS_MAX BIT(40)

static void channel_state(struct fields *s, struct pit_channel *c)
{
	state_u64(s, &c->start);
	state_u64(s, &c->switch_at);
	state_u64(s, &c->held);
	state_u32(s, &c->count);
	state_u32(s, &c->next);
	state_bool(s, &c->running);
	state_bool(s, &c->switching);
	state_bool(s, &c->gate);
	state_bool(s, &c->bcd);
	state_u8(s, &c->mode);
	state_u8(s, &c->access);
	state_bool(s, &c->second_write);
	state_bool(s, &c->second_read);
	state_u8(s, &c->write_low);
	state_u8(s, &c->latched);
	state_u16(s, &c->latch);
	state_bool(s, &c->status_latched);
	state_u8(s, &c->status);
	state_check(s, c->start <= CLOCKS_MAX && c->switch_at <= CLOCKS_MAX && c->held <= CLOCKS_MAX && c->mode <= 5 &&
		    c->access <= 3 && c->latched <= 2, "a counter is as none can be");
	/* What is counted down is divided by. */
	state_check(s, VM_LEFT_OUT_OR(STATE_PIT_COUNT, c->count <= 0x10000 && c->next <= 0x10000 &&
				      (c->count || !c->running) && (c->next || !c->switching)),
		    "a counter runs without a count");
}

void pit_state(struct fields *s, struct pit *p)
{
	state_begin(s, "pit", 1);
	for (unsigned n = 0; n < ARRAY_SIZE(p->ch); n++)
		channel_state(s, &p->ch[n]);
	state_time(s, &p->epoch);
	state_u64(s, &p->edge);
	state_u8(s, &p->port61);
	state_check(s, !(p->port61 & ~PORT_B_WRITABLE), "port 0x61 holds what it cannot");
	timer_state(s, p->timers, &p->alarm);
	state_end(s);
}

void rtc_state(struct fields *s, struct rtc *r)
{
	uint64_t seconds = (uint64_t)r->base_seconds;

	state_begin(s, "rtc", 1);
	state_bytes(s, r->cmos, sizeof(r->cmos));
	state_u8(s, &r->index);
	state_u8(s, &r->index_high);
	state_u8(s, &r->reg_a);
	state_u8(s, &r->reg_b);
	state_u8(s, &r->reg_c);
	state_time(s, &r->boot_ticks);
	state_u64(s, &r->base_clock);
	state_u64(s, &seconds);
	state_u64(s, &r->seen_seconds);
	state_u64(s, &r->seen_periods);
	state_check(s, VM_LEFT_OUT_OR(STATE_RTC_INDEX, r->index < 0x80 && r->index_high < 0x80) &&
		    !(r->reg_a & RTC_A_UIP), "a register holds what it cannot");
	state_check(s, VM_LEFT_OUT_OR(STATE_RTC_TIME, r->base_clock <= CLOCKS_MAX && seconds + SECONDS_MAX <= 2 *
				      SECONDS_MAX && r->seen_seconds <= SECONDS_MAX), "the time is none");
	if (s->load && !s->bad)
		r->base_seconds = (int64_t)seconds;
	timer_state(s, r->timers, &r->alarm);
	state_end(s);
}
