/* lab/show/units.c - see lab/show/units.h. */
#include "lab/show/units.h"

const struct lab_unit *lab_time_unit(double longest)
{
	static const struct lab_unit units[] = {
		{ 1, 1, "s", "seconds" }, { 1e-3, 1e3, "ms", "milliseconds" }, { 0, 1e6, "us", "microseconds" },
	};
	unsigned n = 0;

	/* What is not known (NAN) is told in none of the smaller ones. */
	while (longest < units[n].least)
		n++;
	return &units[n];
}
