/* dev/rtc.h - the MC146818 real-time clock and its CMOS RAM, ports 0x70-0x71 (and 0x72-0x73 for the upper bank).
 *
 * The time of day is computed from the ticks of the TSC when it is asked for; an alarm is armed only while an interrupt is enabled
 * that the clock itself will raise. */
#ifndef VELLUM_DEV_RTC_H
#define VELLUM_DEV_RTC_H

#include "dev/dev.h"

struct rtc_config {
	uint64_t epoch_seconds; /* UTC, seconds since 1970, at rtc_init() */
	uint64_t mem_below_4g;  /* bytes of RAM from 0 up, for the memory-size registers */
	uint64_t mem_above_4g;  /* bytes of RAM from 4 GiB up */
};

struct rtc {
	uint8_t cmos[256];
	uint8_t index, index_high;
	uint8_t reg_a, reg_b, reg_c;
	struct timers *timers;
	struct irq_line irq;
	uint64_t base_ticks;   /* the time of day was base_seconds at base_ticks; moves with a set clock */
	int64_t base_seconds;  /* since 1970 */
	bool halted;           /* SET, or the divider in reset: time stands still at base_seconds */
	uint64_t last_second;  /* seconds since base whose update has been reported in reg_c */
	uint64_t last_period;  /* periodic ticks since base that have been reported in reg_c */
	struct timer alarm;
};

bool rtc_init(struct rtc *r, struct pio_space *pio, struct timers *timers, struct irq_line irq, const struct rtc_config *config);
void rtc_reset(struct rtc *r);

#endif
