/* lab/work/random.c - random numbers, permutations and distributions of the workloads. */
#include <math.h>

#include "lab/work/work.h"

uint64_t work_mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

void work_seed(struct work *w)
{
	w->random[0] = work_mix(w->seed + 0x9e3779b97f4a7c15ull);
	w->random[1] = work_mix(w->seed + 2 * 0x9e3779b97f4a7c15ull) | 1;
}

/* xoroshiro128+ */
uint64_t work_random(struct work *w)
{
	uint64_t a = w->random[0], b = w->random[1], sum = a + b;

	b ^= a;
	w->random[0] = (a << 24 | a >> 40) ^ b ^ b << 16;
	w->random[1] = b << 37 | b >> 27;
	return sum;
}

uint64_t work_below(struct work *w, uint64_t n)
{
	return (uint64_t)((unsigned __int128)work_random(w) * n >> 64);
}

/* ---- permutations ---- */

struct permutation permutation_make(uint64_t n, uint64_t key)
{
	struct permutation p = { .n = n, .key = work_mix(key) };

	p.columns = (uint64_t)sqrt((double)n);
	while (p.columns * p.columns < n)
		p.columns++;
	p.rows = (n + p.columns - 1) / p.columns;
	return p;
}

static uint64_t turn(uint64_t half, uint64_t other, uint64_t size, uint64_t key)
{
	uint64_t by = (uint64_t)((unsigned __int128)work_mix(other ^ key) * size >> 64);

	half += by;
	return half < size ? half : half - size;
}

/* What falls outside of [0, n) is permuted again, until it is inside: still a permutation. */
uint64_t permutation_at(const struct permutation *p, uint64_t i)
{
	do {
		uint64_t row = i / p->columns, column = i % p->columns;

		for (unsigned round = 0; round < 4; round += 2) {
			column = turn(column, row, p->columns, p->key + round);
			row = turn(row, column, p->rows, p->key + round + 1);
		}
		i = row * p->columns + column;
	} while (i >= p->n);
	return i;
}

/* ---- Zipf ---- */

/* The sum of i^-theta up to n; beyond the first ten thousand terms, by the Euler-Maclaurin formula. */
static double zeta(uint64_t n, double theta)
{
	uint64_t exact = n < 10000 ? n : 10000;
	double sum = 0, a = (double)exact, b = (double)n;

	for (uint64_t i = 1; i <= exact; i++)
		sum += pow((double)i, -theta);
	if (n > exact)
		sum += (pow(b, 1 - theta) - pow(a, 1 - theta)) / (1 - theta) + (pow(b, -theta) - pow(a, -theta)) / 2;
	return sum;
}

struct zipf zipf_make(uint64_t n, double theta)
{
	struct zipf z = {
		.n = n, .theta = theta, .alpha = 1 / (1 - theta), .zeta = zeta(n, theta), .half = 1 + pow(0.5, theta)
	};

	z.eta = (1 - pow(2.0 / (double)n, 1 - theta)) / (1 - zeta(2, theta) / z.zeta);
	return z;
}

uint64_t zipf_next(const struct zipf *z, struct work *w)
{
	double u = (double)(work_random(w) >> 11) * 0x1p-53, uz = u * z->zeta;
	uint64_t rank;

	if (uz < 1)
		return 0;
	if (uz < z->half)
		return 1;
	rank = (uint64_t)((double)z->n * pow(z->eta * u - z->eta + 1, z->alpha));
	return rank < z->n ? rank : z->n - 1;
}
