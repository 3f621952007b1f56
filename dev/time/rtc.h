/* dev/time/rtc.h - the MC146818 real-time clock and its CMOS RAM, ports 0x70-0x71 (and 0x72-0x73 for the upper bank).
 *
 * The time of day is computed from the ticks of the TSC when it is asked for.
 *
 * RT1  the line is asserted if and only if reg_c's IRQF is: an enabled interrupt's flag is set.
 * RT2  an alarm is armed only for an enabled interrupt whose flag is not set yet: until the guest reads register C, the
 *      clock asks for nothing, so that no rate that a guest can choose keeps the host busy. */
#ifndef VELLUM_DEV_RTC_H
#define VELLUM_DEV_RTC_H

#include "dev/dev.h"

struct rtc_config {
	uint64_t epoch_seconds; /* UTC, seconds since 1970, at rtc_init() */
	uint64_t mem_below_4g;  /* bytes of RAM from 0 up, for the memory-size registers */
	uint64_t mem_above_4g;  /* bytes of RAM from 4 GiB up */
	unsigned cpus;          /* for a firmware, which also finds what to boot from; 0: there is none */
	/* That, in order: c disk, d CD drive, n network; NULL: disk, floppy disk, CD drive */
	const char *boot;
};

/* Everything below counts in *clocks* of the 32,768 Hz crystal since rtc_init(). */
#define RTC_HZ 32768u

struct rtc {
	uint8_t cmos[256]; /* bank 0 (0x00-0x7f), bank 1 (0x80-0xff) */
	uint8_t index, index_high;
	uint8_t reg_a, reg_b, reg_c;
	struct timers *timers;
	struct irq_line irq;
	struct ratio to_clocks, to_ticks;
	uint64_t boot_ticks;    /* ticks at clock 0 */
	uint64_t base_clock;    /* the time of day was base_seconds at this clock; moves when the guest sets the time */
	int64_t base_seconds;   /* since 1970 */
	uint64_t seen_seconds;  /* updates since base_clock that reg_c has been told of */
	uint64_t seen_periods;  /* the same for periodic ticks, since clock 0 */
	struct timer alarm;
};

/* The clock runs from config's time on, in 24 hours and BCD. false: the port range is taken. */
bool rtc_init(struct rtc *r, struct pio_space *pio, struct timers *timers, struct irq_line irq,
	      const struct rtc_config *config);
FOR_TESTS void rtc_reset(struct rtc *r);
/* dev/time/time_state.c */
void rtc_state(struct fields *s, struct rtc *r);

#endif
