/* lab/show/units.h - times in a unit that fits them. */
#ifndef VELLUM_LAB_UNITS_H
#define VELLUM_LAB_UNITS_H

struct lab_unit {
	double least; /* seconds from which on it is used */
	double each;  /* how many of it a second has */
	const char *symbol, *name;
};
/* What times are told in of which the longest is so many seconds. */
const struct lab_unit *lab_time_unit(double longest);

#endif
