/* explore: short sequences of two vCPUs, in every order of what depends on each other (explore.h).
 *
 *   explore [--mechanism NAME] [--only TEXT] [--most N] [--each]
 *   explore --itself
 *
 * --most: of each, but for the shortest, no more than N executions; of those that have more, all with one change.
 * --itself: the explorer is right about programs of which every interleaving can be made. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mmu/mechanisms.h"
#include "test/oracle/explore/crossings.h"
#include "test/oracle/mutants.h"

struct options { const char *mechanism, *only; uint64_t most; bool each, itself; };

static void parse(int argc, char **argv, struct options *o)
{
	static const struct option names[] = {
		{ "mechanism", 1, NULL, 'm' }, { "only", 1, NULL, 'O' }, { "each", 0, NULL, 'e' },
		{ "most", 1, NULL, 'n' }, { "itself", 0, NULL, 'T' },
		{ "mutant", 1, NULL, 'M' }, { "trace", 0, NULL, 'V' }, { NULL, 0, NULL, 0 }
	};

	for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
		if (c == 'm')
			o->mechanism = optarg;
		else if (c == 'O')
			o->only = optarg;
		else if (c == 'e')
			o->each = true;
		else if (c == 'n')
			o->most = strtoull(optarg, NULL, 0);
		else if (c == 'T')
			o->itself = true;
		else if (c == 'V')
			oracle_trace = true;
#ifdef MUTATION
		else if (c == 'M' && mutant_select(optarg))
			continue;
#endif
		else
			exit(2);
	}
}

/* The explorer is right about toys, and about true sequences. */
static bool itself(void)
{
	return toys() && crossing_compare(&mmu_shadow, "an edit with its shootdown, and an access", 2, EXPLORE_RIGHT) &&
	       crossing_compare(&mmu_ept, "two leaves of one table", 1, EXPLORE_RIGHT) &&
	       !crossing_compare(&mmu_shadow, "an edit with its shootdown, and an access", 2, EXPLORE_WRITES_ONLY);
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	bool ok = true;

	setvbuf(stdout, NULL, _IOLBF, 0);
	parse(argc, argv, &o);
	if (o.itself)
		return itself() ? 0 : 1;
	for (unsigned i = 0; mmu_mechanisms[i] && ok; i++)
		if (!o.mechanism || strcmp(o.mechanism, mmu_mechanisms[i]->name) == 0)
			ok = crossings(mmu_mechanisms[i], o.only, o.most, o.each);
	return ok ? 0 : 1;
}
