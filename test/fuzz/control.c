/* The control channel under libFuzzer: what arrives on COM2 while a guest runs (vm/control/), byte by byte as it likes.
 * Whatever comes, the guest goes on as it was, or by another mechanism, and every request is answered by a line. */
#include "test/fuzz/input.h"
#include "test/vm/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/trap/interrupt.h"

static const char *const mechanisms[] = { "ept", "shadow", "vtlb", "brute" };

static void judge(void)
{
	if (bench.at == BENCH_ENTRY && bench.broken) {
		fprintf(stderr, "the entry breaks a rule: %s\n", bench.broken);
		abort();
	}
	if (bench.vm[0]->ended) {
		fprintf(stderr, "a request has ended the virtual machine: %s\n", bench.vm[0]->end_text);
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	unsigned how = in8(&in);

	bench_new(&(struct bench_config){ .cpu = BENCH_MODERN, .mmu = mechanisms[how & 3] });
	bench_mode((enum bench_mode)(BENCH_PROT32 + (how >> 2) % 5), 0);
	judge();
	while (in.left) {
		size_t n = min_u64(in.left, 1 + in8(&in) % 64);

		n = min_u64(n, in.left);
		bench_type(CONSOLE_STATS, in.data, n);
		in.data += n;
		in.left -= n;
		/* As often as it takes until nobody has anything to do with the channel. */
		for (unsigned turn = 0; turn < 3; turn++) {
			bench_interrupt(VECTOR_KICK);
			judge();
		}
		bench_log(); /* the port's line is fast */
	}
	bench_delete();
	return 0;
}
