#include "host/device/wallclock.h"

#include "host/cpu/x86.h"
#include "lib/cmos.h"

struct reading {
	uint8_t second, minute, hour, day, month, year;
};

static uint8_t cmos(uint8_t reg)
{
	outb(CMOS_INDEX, reg);
	return inb(CMOS_DATA);
}

static struct reading read_once(void)
{
	while (cmos(RTC_A) & RTC_A_UIP)
		cpu_relax();
	return (struct reading){ cmos(RTC_SECONDS), cmos(RTC_MINUTES), cmos(RTC_HOURS),
				   cmos(RTC_DAY), cmos(RTC_MONTH), cmos(RTC_YEAR) };
}

static uint8_t from_bcd(uint8_t v) { return (uint8_t)((v >> 4) * 10 + (v & 15)); }

static struct reading decode(struct reading r, uint8_t reg_b)
{
	bool pm = r.hour & RTC_HOUR_PM;

	r.hour &= (uint8_t)~RTC_HOUR_PM;
	if (!(reg_b & RTC_B_BINARY))
		r = (struct reading){ from_bcd(r.second), from_bcd(r.minute), from_bcd(r.hour),
				      from_bcd(r.day),	  from_bcd(r.month),  from_bcd(r.year) };
	if (!(reg_b & RTC_B_24H))
		r.hour = (uint8_t)(r.hour % 12 + (pm ? 12 : 0));
	return r;
}

/* Days from 1 January 1970 to 1 March 0 of the era in which years begin in March. */
static uint64_t days_since_1970(unsigned year, unsigned month, unsigned day)
{
	unsigned y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;

	return 365ull * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

uint64_t wallclock_read(void)
{
	struct reading r = read_once(), again;

	/* Until two readings agree: an update between two registers tears one of them. */
	while (again = read_once(), memcmp(&r, &again, sizeof(r)))
		r = again;
	r = decode(r, cmos(RTC_B));
	return days_since_1970(2000u + r.year, r.month, r.day) * 86400 + r.hour * 3600u + r.minute * 60u + r.second;
}
