/* oracle: the random test of the memory mechanisms.
 *
 *   oracle [--mechanism NAME] [--seed N] [--runs N] [--steps N] [--accesses N] [--seconds N] [--thorough] [--account]
 *          [--coverage] [--covered] [--no-shrink] [--save FILE]
 *   oracle --interleave [...] [--rounds N]
 *   oracle --replay FILE [--trace]
 *
 * Runs sequences from consecutive seeds until so many runs, accesses or seconds are over. A failure is shrunk and
 * printed. --coverage prints how often each step and each thing that steps are for happened; --covered, only what never
 * did. That is a failure, too: of the tests. --interleave: vCPUs on stacks of their own, one of which comes in the
 * middle of another's step (weave.h). */
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mmu/table/seam.h"
#include "test/oracle/mutants.h"
#include "test/oracle/weave.h"

struct options {
	const char *mechanism, *replay, *save;
	uint64_t seed, runs, steps, rounds, accesses, seconds;
	unsigned thorough;
	bool no_shrink, coverage, covered, interleave;
};

static bool failed(struct sequence *q, size_t at, char why[800], const struct options *o)
{
	printf("FAILED: mechanism %s, seed %llu, step %zu (%s)\n  %s\n", q->c.ops->name, (unsigned long long)q->c.seed,
	       at, op_name(q->step[at].op), why);
	if (o->no_shrink)
		return false;
	q->steps = at + 1;
	fflush(stdout);
	sequence_shrink(q, why, o->thorough);
	printf("shrunk to %zu steps:\n  %s\n", q->steps, why);
	sequence_print(q, o->save);
	return false;
}

static bool one_run(const struct options *o, const struct mmu_ops *ops, uint64_t seed, struct account *sum)
{
	struct sequence q = { .c = config_from_seed(seed, ops), .steps = o->steps };
	uint64_t random = seed ^ 0x5deece66dull;
	char why[800];
	size_t at = 0;
	bool ok;

	q.step = malloc(q.steps * sizeof(*q.step));
	BUG_ON(!q.step);
	for (size_t i = 0; i < q.steps; i++)
		q.step[i] = step_random(&random);
	ok = sequence_run(&q, sum, &at, why, o->thorough) || failed(&q, at, why, o);
	free(q.step);
	return ok;
}

static void report(const char *name, const struct account *a, double seconds, bool accounted)
{
	printf("%-7s %10llu accesses checked (%.2f M/s; none %llu, 32-bit %llu, PAE %llu, 4-level %llu, 5-level %llu), "
	       "%llu "
	       "faults, %llu MMIO, "
	       "%llu emulated, %llu stale, %llu exits, %llu spurious, at most %llu steps a call\n",
	       name, (unsigned long long)a->accesses, (double)a->accesses / seconds / 1e6,
	       (unsigned long long)a->by_mode[0], (unsigned long long)a->by_mode[1], (unsigned long long)a->by_mode[2],
	       (unsigned long long)a->by_mode[3], (unsigned long long)a->by_mode[4], (unsigned long long)a->faults,
	       (unsigned long long)a->mmio, (unsigned long long)a->emulated, (unsigned long long)a->stale,
	       (unsigned long long)a->exits, (unsigned long long)a->spurious, (unsigned long long)a->steps_most);
	if (accounted)
		printf("%-7s %10llu flushes issued, %llu of them dropped nothing that was wrong\n", name,
		       (unsigned long long)a->flushes, (unsigned long long)a->flushes_idle);
}

static double cpu_seconds(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

static bool interleaved(const struct options *o, const struct mmu_ops *ops, struct account *sum)
{
	struct weave_options w = { .ops = ops, .seed = o->seed, .runs = o->runs, .accesses = o->accesses,
				   .rounds = (unsigned)o->rounds, .thorough = o->thorough, .no_shrink = o->no_shrink,
				   .save = o->save };

	return weave_random(&w, sum);
}

static bool one_after_another(const struct options *o, const struct mmu_ops *ops, struct account *sum)
{
	double start = cpu_seconds();
	bool ok = true;

	for (uint64_t i = 0; ok && i < o->runs && (!o->accesses || sum->accesses < o->accesses) &&
			     (!o->seconds || cpu_seconds() - start < (double)o->seconds); i++)
		ok = one_run(o, ops, o->seed + i, sum);
	return ok;
}

static bool run_mechanism(const struct options *o, const struct mmu_ops *ops)
{
	struct account sum = { 0 };
	double start = cpu_seconds();
	bool ok = true;

	if (o->interleave)
		ok = interleaved(o, ops, &sum);
	else
		ok = one_after_another(o, ops, &sum);
	report(ops->name, &sum, cpu_seconds() - start + 1e-6, o->thorough == 2);
	if (o->coverage || o->covered)
		ok = coverage_print(&sum, ops, o->coverage) && ok;
	return ok;
}

static bool replay(const struct options *o)
{
	struct sequence q;
	char why[800];
	size_t at;
	int woven = weave_replay(o->replay);

	if (woven >= 0)
		return woven;
	if (!sequence_read(&q, o->replay))
		return false;
	if (sequence_run(&q, NULL, &at, why, 1)) {
		printf("%s: passes\n", o->replay);
		free(q.step);
		return true;
	}
	printf("%s: fails at step %zu (%s)\n  %s\n", o->replay, at, op_name(q.step[at].op), why);
	free(q.step);
	return false;
}

/* Where the value of an option goes: a number, a text, or a flag. */
static uint64_t *number_of(struct options *o, int option)
{
	switch (option) {
	case 's': return &o->seed;
	case 'r': return &o->runs;
	case 'n': return &o->steps;
	case 'a': return &o->accesses;
	case 'o': return &o->rounds;
	case 't': return &o->seconds;
	default: return NULL;
	}
}

static const char **text_of(struct options *o, int option)
{
	return option == 'm' ? &o->mechanism : option == 'S' ? &o->save : option == 'R' ? &o->replay : NULL;
}

static bool *flag_of(struct options *o, int option)
{
	return option == 'C' ? &o->coverage : option == 'D' ? &o->covered : option == 'N' ? &o->no_shrink :
	       option == 'V' ? &oracle_trace : option == 'I' ? &o->interleave : NULL;
}

static void other(struct options *o, int option)
{
	switch (option) {
	case 'T':
		o->thorough = 1;
		break;
	case 'A':
		o->thorough = 2;
		break;
#ifdef MUTATION
	case 'M':
		if (mutant_select(optarg))
			break;
		exit(2);
	case 'L':
		mutants_list();
		exit(0);
#endif
	default:
		exit(2);
	}
}

static void parse(int argc, char **argv, struct options *o)
{
	static const struct option names[] = {
		{ "mechanism", 1, NULL, 'm' }, { "seed", 1, NULL, 's' },     { "runs", 1, NULL, 'r' },
		{ "steps", 1, NULL, 'n' },     { "accesses", 1, NULL, 'a' }, { "seconds", 1, NULL, 't' },
		{ "thorough", 0, NULL, 'T' },  { "account", 0, NULL, 'A' },  { "save", 1, NULL, 'S' },
		{ "replay", 1, NULL, 'R' },    { "mutant", 1, NULL, 'M' },   { "mutants", 0, NULL, 'L' },
		{ "no-shrink", 0, NULL, 'N' }, { "trace", 0, NULL, 'V' },    { "coverage", 0, NULL, 'C' },
		{ "covered", 0, NULL, 'D' },   { "interleave", 0, NULL, 'I' },
		{ "rounds", 1, NULL, 'o' },
		{ NULL, 0, NULL, 0 }
	};

	for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
		if (number_of(o, c))
			*number_of(o, c) = strtoull(optarg, NULL, 0);
		else if (text_of(o, c))
			*text_of(o, c) = optarg;
		else if (flag_of(o, c))
			*flag_of(o, c) = true;
		else
			other(o, c);
	}
}

int main(int argc, char **argv)
{
	struct options o = { .runs = ~0ull, .steps = 4000, .rounds = 400 };
	bool ok = true;

	setvbuf(stdout, NULL, _IOLBF, 0);
	/* Each sequence takes what the last one gave back: the kernel need not fill it with zeroes anew. */
	mallopt(M_MMAP_THRESHOLD, 2 << 20);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	parse(argc, argv, &o);
	if (o.interleave && !SEAM_WOVEN) {
		fprintf(stderr, "oracle: this one tells nobody of its stores: use build/interleave/oracle\n");
		return 2;
	}
	if (o.replay)
		return replay(&o) ? 0 : 1;
	if (o.runs == ~0ull && !o.accesses && !o.seconds)
		o.runs = 100;
	if (o.mechanism && !mmu_mechanism_by_name(o.mechanism)) {
		fprintf(stderr, "oracle: there is no mechanism %s\n", o.mechanism);
		return 2;
	}
	for (unsigned i = 0; mmu_mechanisms[i] && ok; i++)
		if (!o.mechanism || strcmp(o.mechanism, mmu_mechanisms[i]->name) == 0)
			ok = run_mechanism(&o, mmu_mechanisms[i]);
	return ok ? 0 : 1;
}
