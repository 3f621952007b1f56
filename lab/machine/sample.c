/* lab/machine/sample.c - which lines are in the sample: see lab/machine/sample.h. */
#include "lab/machine/machine.h"

/* By part: a line, and how many it stands for. */
static const struct { uint8_t line, weight; } drawn[LAB_SAMPLE_PARTS] = {
	{ 0, 1 }, { 32, 1 }, { 48, 2 }, { 24, 4 }, { 44, 8 }, { 26, 16 }, { 5, 16 }, { 51, 16 },
};

/* Are lines of different places in their pages in different sets? */
static bool divides(struct lab_geometry g)
{
	return !g.entries || g.entries / g.ways % LAB_PAGE_LINES == 0;
}

struct lab_sample lab_sample_of(const struct lab_machine_config *machine)
{
	struct lab_sample s = { 0 };

	if (!machine->data_sample || machine->data_cache)
		return s;
	if (machine->l1_cache.entries && divides(machine->l1_cache) && divides(machine->l2_cache) &&
	    divides(machine->l3_cache)) {
		for (unsigned i = 0; i < LAB_SAMPLE_PARTS; i++)
			s.lines |= BIT(drawn[i].line);
		return s;
	}
	return (struct lab_sample){ ~0ull };
}

unsigned lab_sample_part(struct lab_sample sample, unsigned line)
{
	unsigned part = 0;

	while (~sample.lines && drawn[part].line != line)
		part++;
	return part;
}

unsigned lab_sample_weight(struct lab_sample sample, unsigned line)
{
	if (!(sample.lines >> line & 1))
		return 0;
	return ~sample.lines ? drawn[lab_sample_part(sample, line)].weight : 1;
}
