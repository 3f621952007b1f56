/* A guest gets to every mode under every mechanism and on every CPU model, and each entry on the way is one that a CPU
 * makes. */
#include "test/unit/vm/fixture.h"

static void run(enum bench_cpu cpu, const char *mmu, enum bench_mode mode, unsigned cpl)
{
	bool runs;

	start_as(cpu, mmu);
	runs = bench_mode(mode, cpl);
	if (bench.broken)
		fail_msg("cpu %u, %s, mode %u, cpl %u: %s", cpu, mmu, mode, cpl, bench.broken);
	if (!runs)
		fail_msg("cpu %u, %s: does not get to mode %u, cpl %u (%s)", cpu, mmu, mode, cpl,
			 bench.vm[0]->end_text);
	bench_exit_simple(EXIT_CPUID, 2);
	if (bench.at != BENCH_ENTRY || bench.broken)
		fail_msg("cpu %u, %s, mode %u, cpl %u: %s", cpu, mmu, mode, cpl,
			 bench.broken ? bench.broken : bench.vm[0]->end_text);
	EXPECT_NOTHING();
	finish();
}

static void every_mode(void **state)
{
	(void)state;
	for (enum bench_cpu cpu = 0; cpu < BENCH_CPUS; cpu++)
		for (unsigned m = cpu == BENCH_PENRYN; m < ARRAY_SIZE(mechanisms); m++)
			for (enum bench_mode mode = BENCH_V86; mode < BENCH_MODES; mode++)
				for (unsigned cpl = mode == BENCH_V86 ? 3 : 0; cpl <= 3; cpl += 3)
					run(cpu, mechanisms[m], mode, cpl);
	run(BENCH_HASWELL, "ept", BENCH_REAL, 0);
	run(BENCH_MODERN, "ept", BENCH_REAL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
