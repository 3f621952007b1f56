/* dev/time/civil.c - days are counted in years that begin in March, so that the leap day is the last of its year, and
 * in eras of 400 years, which all have the same length. */
#include "dev/time/civil.h"

#define DAY 86400
#define ERA_DAYS 146097   /* days of 400 years */
#define EPOCH_DAYS 719468 /* from 0000-03-01 to 1970-01-01 */

static int64_t floor_div(int64_t a, int64_t b)
{
	int64_t q = a / b;
	return a % b < 0 ? q - 1 : q;
}

int64_t civil_to_seconds(const struct civil *c)
{
	int64_t year = c->year - (c->month <= 2);
	int64_t era = floor_div(year, 400), year_of_era = year - era * 400;
	int64_t month = (c->month + 9) % 12; /* March is 0 */
	int64_t day_of_year = (153 * month + 2) / 5 + (int64_t)c->day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	int64_t days = era * ERA_DAYS + day_of_era - EPOCH_DAYS;
	return days * DAY + c->hour * 3600 + c->minute * 60 + c->second;
}

unsigned civil_second_of_day(int64_t seconds)
{
	return (unsigned)(seconds - floor_div(seconds, DAY) * DAY);
}

struct civil civil_from_seconds(int64_t seconds)
{
	int64_t days = floor_div(seconds, DAY);
	unsigned rest = civil_second_of_day(seconds);
	int64_t shifted = days + EPOCH_DAYS, era = floor_div(shifted, ERA_DAYS);
	int64_t day_of_era = shifted - era * ERA_DAYS;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month = (5 * day_of_year + 2) / 153;
	struct civil c = {
		.month = (unsigned)(month < 10 ? month + 3 : month - 9),
		.day = (unsigned)(day_of_year - (153 * month + 2) / 5 + 1),
		.hour = rest / 3600,
		.minute = rest / 60 % 60,
		.second = rest % 60,
		.weekday = (unsigned)(days + 4 - floor_div(days + 4, 7) * 7) + 1,
	};
	c.year = (int)(year_of_era + era * 400 + (c.month <= 2));
	return c;
}
