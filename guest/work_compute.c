/*
 * Pure computation: arithmetic in registers and on 4 KB, no system calls, no fresh memory. It is run forward and then
 * backward, step by step, and must come back to where it began.
 */
#include "workload.h"

enum { WORDS = 512, SEED = 12000, MILLION = 1000000 };

/* An odd multiplier and its inverse modulo 2^64: each Newton step doubles the number of bits that are right. */
#define MULTIPLIER 0x5851f42d4c957f2du

static uint64_t inverse(uint64_t odd)
{
	uint64_t x = odd;

	for (unsigned i = 0; i < 6; i++)
		x *= 2 - odd * x;
	return x;
}

static uint64_t rotate(uint64_t value, unsigned left)
{
	return value << left | value >> (64 - left);
}

static uint64_t table[WORDS];

static uint64_t forward(uint64_t state, uint32_t steps)
{
	for (uint32_t i = 0; i < steps; i++)
		state = rotate(state * MULTIPLIER + table[i % WORDS], 23);
	return state;
}

static uint64_t backward(uint64_t state, uint32_t steps)
{
	const uint64_t back = inverse(MULTIPLIER);

	for (uint32_t i = steps; i-- > 0;)
		state = (rotate(state, 64 - 23) - table[i % WORDS]) * back;
	return state;
}

uint64_t compute_workload(uint32_t size)
{
	uint64_t sum = 0;

	fill_words(table, WORDS, SEED);
	phase("compute");
	for (uint32_t n = 0; n < size; n++) {
		uint64_t start = mix(SEED + 1, n), end = forward(start, MILLION / 2),
			 again = backward(end, MILLION / 2);

		if (again != start)
			fail("compute: round %u came back to %016llx, not to %016llx", n, (unsigned long long)again,
			     (unsigned long long)start);
		sum = fold(sum, end);
	}
	phase_steps(size);
	return sum;
}
