/* The oracle under libFuzzer: the input's first bytes choose mechanism and configuration, the rest are steps of 16
 * bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/oracle/oracle.h"

#define STEPS_MAX 400u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(struct step *s, const uint8_t *data)
{
	memcpy(&s->a, data + 2, 2);
	memcpy(&s->b, data + 4, 4);
	memcpy(&s->v, data + 8, 8);
	s->op = data[0] % OP_COUNT;
	s->who = data[1];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct step step[STEPS_MAX];
	struct sequence q = { .step = step };
	unsigned mechanisms = 0;
	uint32_t seed = 0;
	char why[800];
	size_t at;

	if (size < 5 + 16)
		return -1;
	while (mmu_mechanisms[mechanisms])
		mechanisms++;
	memcpy(&seed, data + 1, 4);
	q.c = config_from_seed(seed, mmu_mechanisms[data[0] % mechanisms]);
	for (data += 5, size -= 5; size >= 16 && q.steps < STEPS_MAX; data += 16, size -= 16)
		decode(&step[q.steps++], data);
	if (sequence_run(&q, NULL, &at, why, 1))
		return 0;
	printf("FAILED: mechanism %s, seed %u, step %zu (%s)\n  %s\n", q.c.ops->name, seed, at, op_name(step[at].op),
	       why);
	q.steps = at + 1;
	sequence_shrink(&q, why, 1);
	printf("shrunk to %zu steps:\n  %s\n", q.steps, why);
	sequence_print(&q, NULL);
	abort();
}
