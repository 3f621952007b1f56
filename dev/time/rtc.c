/* dev/time/rtc.c - the MC146818's registers and interrupts. Motorola MC146818A data sheet. */
#include "dev/time/rtc.h"
#include "dev/bus/bytes.h"
#include "dev/time/civil.h"
#include "lib/cmos.h"
#include "lib/mutants/mutate.h"

/* Update in progress is seen for 244 + 1984 microseconds before the second changes. */
#define UIP_CLOCKS (RTC_HZ * 2228 / 1000000)

static uint64_t clock_at(const struct rtc *r, uint64_t ticks)
{
	return ratio_apply(r->to_clocks, ticks - r->boot_ticks);
}

static uint64_t clock_now(const struct rtc *r)
{
	return clock_at(r, timers_now(r->timers));
}

/* The divider chain runs (it does not when it is held in reset). */
static bool divider_runs(const struct rtc *r)
{
	return (r->reg_a & RTC_A_DIVIDER) == RTC_A_DIVIDER_RUN;
}

/* The registers follow the time of day. */
static bool updating(const struct rtc *r)
{
	return divider_runs(r) && !(r->reg_b & RTC_B_SET);
}

static uint64_t seconds_since_base(const struct rtc *r, uint64_t clk)
{
	return clk > r->base_clock ? (clk - r->base_clock) / RTC_HZ : 0;
}

/* ---- the formats of the registers ---- */

static uint8_t encode(const struct rtc *r, unsigned v)
{
	return (uint8_t)(r->reg_b & RTC_B_BINARY ? v : v / 10 % 10 << 4 | v % 10);
}

static unsigned decode(const struct rtc *r, uint8_t v)
{
	return r->reg_b & RTC_B_BINARY ? v : (v >> 4) * 10u + (v & 15);
}

static uint8_t encode_hour(const struct rtc *r, unsigned hour)
{
	if (r->reg_b & RTC_B_24H)
		return encode(r, hour);
	return encode(r, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? RTC_HOUR_PM : 0);
}

static unsigned decode_hour(const struct rtc *r, uint8_t v)
{
	if (r->reg_b & RTC_B_24H)
		return decode(r, v);
	return decode(r, v & (uint8_t)~RTC_HOUR_PM) % 12 + (v & RTC_HOUR_PM ? 12 : 0);
}

/* ---- the time of day ---- */

static void registers_from_time(struct rtc *r, uint64_t clk)
{
	struct civil c = civil_from_seconds(r->base_seconds + (int64_t)seconds_since_base(r, clk));
	r->cmos[RTC_SECONDS] = encode(r, c.second);
	r->cmos[RTC_MINUTES] = encode(r, c.minute);
	r->cmos[RTC_HOURS] = encode_hour(r, c.hour);
	r->cmos[RTC_WEEKDAY] = encode(r, c.weekday);
	r->cmos[RTC_DAY] = encode(r, c.day);
	r->cmos[RTC_MONTH] = encode(r, c.month);
	r->cmos[RTC_YEAR] = encode(r, (unsigned)c.year % 100);
	r->cmos[RTC_CENTURY] = encode(r, (unsigned)c.year / 100 % 100);
}

/* Makes what the registers say the time of day, with the next update at clock `update`. Nonsense in them is carried
 * over. */
static void time_from_registers(struct rtc *r, uint64_t update)
{
	unsigned month = decode(r, r->cmos[RTC_MONTH]);
	struct civil c = {
		.year = (int)(decode(r, r->cmos[RTC_CENTURY]) * 100 + decode(r, r->cmos[RTC_YEAR])),
		.month = month < 1 ? 1 : month > 12 ? 12 : month,
		.day = decode(r, r->cmos[RTC_DAY]),
		.hour = decode_hour(r, r->cmos[RTC_HOURS]),
		.minute = decode(r, r->cmos[RTC_MINUTES]),
		.second = decode(r, r->cmos[RTC_SECONDS]),
	};
	r->base_seconds = civil_to_seconds(&c);
	if (update < RTC_HZ) { /* the base would lie before clock 0: begin one second later */
		r->base_seconds++;
		update += RTC_HZ;
	}
	r->base_clock = update - RTC_HZ;
	r->seen_seconds = 0;
}

/* The clock of the next update after clk. */
static uint64_t next_update(const struct rtc *r, uint64_t clk)
{
	return r->base_clock + (seconds_since_base(r, clk) + 1) * RTC_HZ;
}

static bool is_time_register(unsigned index)
{
	return index == RTC_SECONDS || index == RTC_MINUTES ||
	       (index >= RTC_HOURS && index <= RTC_YEAR && index != RTC_HOURS_ALARM) || index == RTC_CENTURY;
}

/* ---- flags and interrupts ---- */

/* The periodic interrupt's period in clocks, 0 when there is none. With a 32,768 Hz crystal rates 1 and 2 are those of
 * 8 and 9. */
static uint64_t period(const struct rtc *r)
{
	unsigned rate = r->reg_a & RTC_A_RATE;
	if (!rate || !divider_runs(r))
		return 0;
	return 1ull << (rate <= 2 ? rate + 6 : rate - 1);
}

static bool alarm_field_matches(const struct rtc *r, unsigned reg, unsigned value)
{
	uint8_t v = r->cmos[reg];
	return (v & RTC_ALARM_ANY) == RTC_ALARM_ANY ||
	       (reg == RTC_HOURS_ALARM ? decode_hour(r, v) : decode(r, v)) == value;
}

/* The first second after `after` (both since base) that the alarm matches, or UINT64_MAX. Whole hours and minutes that
 * do not match are skipped, so that a match is found within a few dozen steps or does not exist. */
static uint64_t next_alarm(const struct rtc *r, uint64_t after)
{
	uint64_t t = after + 1;
	for (unsigned step = 0; step < 24 + 60 + 60 + 3; step++) {
		unsigned of_day = civil_second_of_day(r->base_seconds + (int64_t)t);
		if (!alarm_field_matches(r, RTC_HOURS_ALARM, of_day / 3600))
			t += 3600 - of_day % 3600;
		else if (!alarm_field_matches(r, RTC_MINUTES_ALARM, of_day / 60 % 60))
			t += 60 - of_day % 60;
		else if (!alarm_field_matches(r, RTC_SECONDS_ALARM, of_day % 60))
			t++;
		else
			return t;
	}
	return UINT64_MAX;
}

/* Sets the flags of what has happened up to clk. */
static void flags_sync(struct rtc *r, uint64_t clk)
{
	uint64_t p = period(r);
	if (p && clk / p != r->seen_periods) {
		r->seen_periods = clk / p;
		r->reg_c |= RTC_C_PERIODIC;
	}
	uint64_t seconds = seconds_since_base(r, clk);
	if (!updating(r) || seconds <= r->seen_seconds)
		return;
	if (next_alarm(r, r->seen_seconds) <= seconds)
		r->reg_c |= RTC_C_ALARM;
	r->reg_c |= RTC_C_UPDATE;
	r->seen_seconds = seconds;
}

/* The clock at which the next enabled interrupt's flag will be set, or UINT64_MAX (RT2). */
static uint64_t next_event(const struct rtc *r, uint64_t clk)
{
	uint64_t event = UINT64_MAX, p = period(r);
	unsigned waiting = r->reg_b & RTC_C_FLAGS;
	VM_MUTANT(RTC_FLAG_SET, waiting &= ~(unsigned)r->reg_c);
	if ((waiting & RTC_C_PERIODIC) && p)
		event = (clk / p + 1) * p;
	if (!updating(r))
		return event;
	if (waiting & RTC_C_UPDATE)
		event = min_u64(event, next_update(r, clk));
	if (waiting & RTC_C_ALARM) {
		uint64_t second = next_alarm(r, seconds_since_base(r, clk));
		if (second != UINT64_MAX)
			event = min_u64(event, r->base_clock + second * RTC_HZ);
	}
	return event;
}

/* After any change: the line (RT1) and the alarm (RT2). */
static void rtc_update(struct rtc *r, uint64_t clk)
{
	if (r->reg_b & r->reg_c & RTC_C_FLAGS)
		r->reg_c |= RTC_C_IRQF;
	else
		VM_MUTANT(RTC_LINE_FALLS, r->reg_c &= (uint8_t)~RTC_C_IRQF);
	irq_set(&r->irq, r->reg_c & RTC_C_IRQF);
	uint64_t event = next_event(r, clk);
	if (event == UINT64_MAX) {
		timer_cancel(r->timers, &r->alarm);
		return;
	}
	/* A clock begins within a tick, and ratio_apply() rounds down: at that tick it would be too early. */
	uint64_t deadline = r->boot_ticks + ratio_apply(r->to_ticks, event);
	VM_MUTANT(RTC_NOT_EARLY, deadline++);
	timer_arm(r->timers, &r->alarm, deadline);
}

static void rtc_fire(void *dev, uint64_t now)
{
	struct rtc *r = dev;
	uint64_t clk = clock_at(r, now);
	flags_sync(r, clk);
	rtc_update(r, clk);
}

/* ---- registers ---- */

static uint8_t reg_a_read(const struct rtc *r, uint64_t clk)
{
	bool uip = updating(r) && next_update(r, clk) - clk <= UIP_CLOCKS;
	return r->reg_a | (uip ? RTC_A_UIP : 0);
}

static uint8_t cmos_read(struct rtc *r, unsigned index)
{
	uint64_t clk = clock_now(r);
	uint8_t flags;
	switch (index) {
	case RTC_A:
		return reg_a_read(r, clk);
	case RTC_B:
		return r->reg_b;
	case RTC_C:
		flags_sync(r, clk);
		rtc_update(r, clk);
		flags = r->reg_c;
		r->reg_c = 0;
		rtc_update(r, clk);
		return flags;
	case RTC_D:
		return RTC_D_VALID;
	default:
		if (is_time_register(index) && updating(r))
			registers_from_time(r, clk);
		return r->cmos[index];
	}
}

/* Register A or B changes. When that stops or starts the updates, the time of day goes into or comes out of the
 * registers. */
static void control_write(struct rtc *r, unsigned index, uint8_t value, uint64_t clk)
{
	bool was_updating = updating(r), did_run = divider_runs(r);
	uint64_t update = next_update(r, clk);
	if (was_updating)
		registers_from_time(r, clk);
	if (index == RTC_A) {
		r->reg_a = value & (uint8_t)~RTC_A_UIP;
	} else {
		if (value & RTC_B_SET)
			value &= (uint8_t)~RTC_C_UPDATE; /* SET clears the update-ended interrupt's enable */
		r->reg_b = value;
	}
	if (!did_run && divider_runs(r))
		update = clk + RTC_HZ / 2; /* the first update comes half a second after the divider's reset */
	if (!was_updating && updating(r))
		time_from_registers(r, update);
	else if (!did_run && divider_runs(r)) /* SET still holds the time: only the phase */
		r->base_clock = update > RTC_HZ ? update - RTC_HZ : 0;
	uint64_t p = period(r);
	r->seen_periods = p ? clk / p : 0;
}

static void cmos_write(struct rtc *r, unsigned index, uint8_t value)
{
	uint64_t clk = clock_now(r);
	if (index == RTC_C || index == RTC_D)
		return;
	flags_sync(r, clk);
	if (index == RTC_A || index == RTC_B) {
		control_write(r, index, value, clk);
	} else if (is_time_register(index) && updating(r)) {
		uint64_t update = next_update(r, clk);
		registers_from_time(r, clk);
		r->cmos[index] = value;
		time_from_registers(r, update);
	} else {
		r->cmos[index] = value;
	}
	rtc_update(r, clk);
}

static uint8_t rtc_read(void *dev, uint16_t port)
{
	struct rtc *r = dev;
	switch (port & 3) {
	case 1:
		return cmos_read(r, r->index);
	case 2:
		return r->index_high;
	case 3:
		return r->cmos[0x80 | r->index_high];
	default:
		return 0xff; /* 0x70 is write-only */
	}
}

/* Bit 7 of 0x70 is the NMI mask, which has nothing to mask here. */
static void rtc_write(void *dev, uint16_t port, uint8_t value)
{
	struct rtc *r = dev;
	switch (port & 3) {
	case 0:
		r->index = value & 0x7f;
		break;
	case 1:
		cmos_write(r, r->index, value);
		break;
	case 2:
		r->index_high = value & 0x7f;
		break;
	default:
		r->cmos[0x80 | r->index_high] = value;
		break;
	}
}

BYTE_PORTS(rtc)

/* ---- start ---- */

static void put16(struct rtc *r, unsigned index, uint64_t value)
{
	value = min_u64(value, 0xffff);
	r->cmos[index] = (uint8_t)value;
	r->cmos[index + 1] = (uint8_t)(value >> 8);
}

/* As QEMU's and Bochs' BIOS look for it. */
static void put_boot(struct rtc *r, const char *order)
{
	static const uint8_t codes[] = { BOOT_DISK, BOOT_CD, BOOT_NETWORK };
	static const char letters[] = "cdn";
	uint8_t by_place[3] = { BOOT_DISK, BOOT_FLOPPY, BOOT_CD };

	for (unsigned i = 0; order && i < ARRAY_SIZE(by_place); i++) {
		by_place[i] = 0;
		for (unsigned n = 0; *order && n < ARRAY_SIZE(codes); n++)
			if (*order == letters[n])
				by_place[i] = codes[n];
		order += *order != 0;
	}
	r->cmos[CMOS_BOOT] = (uint8_t)(by_place[1] << 4 | by_place[0]);
	r->cmos[CMOS_BOOT_THIRD] = (uint8_t)(by_place[2] << 4 | CMOS_BOOT_UNSIGNED);
}

/* What a BIOS and old boot loaders look for. */
static void cmos_describe(struct rtc *r, const struct rtc_config *config)
{
	uint64_t low = config->mem_below_4g, high = config->mem_above_4g >> 16;
	uint64_t above_1m = low > 0x100000 ? (low - 0x100000) >> 10 : 0;
	unsigned sum = 0;
	r->cmos[0x14] = 0x02; /* equipment: a coprocessor */
	put16(r, 0x15, min_u64(low >> 10, 640)); /* KBytes */
	put16(r, 0x17, above_1m);
	put16(r, 0x30, above_1m);
	put16(r, 0x34, low > 0x1000000 ? (low - 0x1000000) >> 16 : 0); /* above 16 MBytes, in 64 KBytes */
	r->cmos[0x5b] = (uint8_t)high; /* above 4 GBytes, in 64 KBytes: as QEMU's and Bochs' BIOS look for it */
	r->cmos[0x5c] = (uint8_t)(high >> 8);
	r->cmos[0x5d] = (uint8_t)(high >> 16);
	if (config->cpus) {
		put_boot(r, config->boot);
		r->cmos[CMOS_CPUS] = (uint8_t)(config->cpus - 1);
	}
	for (unsigned i = 0x10; i < 0x2e; i++) /* the checksum of a PC/AT's CMOS */
		sum += r->cmos[i];
	r->cmos[0x2e] = (uint8_t)(sum >> 8);
	r->cmos[0x2f] = (uint8_t)sum;
}

/* The clock and the CMOS RAM have a battery: only the interrupts are reset. */
void rtc_reset(struct rtc *r)
{
	r->index = 0;
	r->index_high = 0;
	r->reg_b &= (uint8_t)~RTC_C_FLAGS;
	r->reg_c = 0;
	rtc_update(r, clock_now(r));
}

bool rtc_init(struct rtc *r, struct pio_space *pio, struct timers *timers, struct irq_line irq,
	      const struct rtc_config *config)
{
	static const struct pio_ops ops = { rtc_in, rtc_out };
	*r = (struct rtc){ .timers = timers, .irq = irq, .alarm = { .fire = rtc_fire, .dev = r } };
	r->to_clocks = ratio_init(timers->tsc_hz, RTC_HZ);
	r->to_ticks = ratio_init(RTC_HZ, timers->tsc_hz);
	r->boot_ticks = timers_now(timers);
	r->base_seconds = (int64_t)config->epoch_seconds;
	r->reg_a = RTC_A_DIVIDER_RUN | 6;
	r->reg_b = RTC_B_24H;
	cmos_describe(r, config);
	rtc_reset(r);
	return pio_add(pio, 0x70, 4, &ops, r);
}
