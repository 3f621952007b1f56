/* Samples, and the line that is said of them. */
#include "guest/test/base/bench.h"

void bench_sort(uint32_t *v, unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		uint32_t x = v[i];
		unsigned j = i;

		for (; j > 0 && v[j - 1] > x; j--)
			v[j] = v[j - 1];
		v[j] = x;
	}
}

void bench_line(const char *name, uint32_t *v, unsigned n, uint32_t less)
{
	bench_sort(v, n);
	print("BENCH %s %u %u\n", name, v[0] - less, v[n / 2] - less);
}
