/* dev/time/civil.h - the civil calendar (proleptic Gregorian, UTC) and seconds since 1970. */
#ifndef VELLUM_DEV_CIVIL_H
#define VELLUM_DEV_CIVIL_H

#include "lib/base.h"

struct civil {
	int year;
	unsigned month, day; /* from 1 */
	unsigned hour, minute, second;
	unsigned weekday; /* 1 is Sunday, as the MC146818 counts */
};

/* Out-of-range fields are carried over (day 0 is the last of the month before); month must be 1..12. */
int64_t civil_to_seconds(const struct civil *c);
struct civil civil_from_seconds(int64_t seconds);
/* 0..86399 */
unsigned civil_second_of_day(int64_t seconds);

#endif
