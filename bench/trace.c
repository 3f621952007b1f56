/* bench/trace.c - how fast a trace is decoded: CPU time by access, checksum kept so that nothing is optimised away. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lab/trace/trace.h"

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
	struct lab_batch *b = malloc(sizeof(*b));
	struct lab_error error = { "" };
	uint64_t accesses = 0, events = 0, sum = 0, bytes = 0;
	int rounds = argc > 2 ? atoi(argv[2]) : 5;
	double begin = cpu_seconds(), best = 1e9;

	if (argc < 2 || !b || rounds < 1) {
		fprintf(stderr, "usage: trace FILE [ROUNDS]\n");
		return 2;
	}
	for (int i = 0; i < rounds; i++) {
		struct lab_source *s = lab_trace_open(argv[1], &error);
		double start = cpu_seconds();

		if (!s) {
			fprintf(stderr, "trace: %s\n", error.text);
			return 2;
		}
		accesses = events = 0;
		while (lab_source_next(s, b)) {
			for (unsigned e = 0; e < b->events; e++) {
				accesses += lab_event_accesses(&b->event[e]);
				sum += b->event[e].addr;
			}
			events += b->events;
		}
		if (lab_source_error(s)) {
			fprintf(stderr, "trace: %s\n", lab_source_error(s));
			return 2;
		}
		bytes = lab_trace_bytes(s);
		lab_source_close(s);
		best = cpu_seconds() - start < best ? cpu_seconds() - start : best;
	}
	printf("%llu accesses in %llu events, %llu bytes (%.3f an access); best of %d: %.2f ns an access, "
	       "%.2f ns an event; mean %.2f ns\n",
	       (unsigned long long)accesses, (unsigned long long)events, (unsigned long long)bytes,
	       (double)bytes / (double)accesses, rounds, 1e9 * best / (double)accesses, 1e9 * best / (double)events,
	       1e9 * (cpu_seconds() - begin) / rounds / (double)accesses);
	return sum == 1; /* that it is used */
}
