/* lab/machine/sample.c - which batches are in the sample: see lab/machine/sample.h. */
#include "lab/machine/machine.h"

/* Batches: the first ALL are in the sample; of those that follow, a stretch in each period. Half of a stretch is not
 * counted. */
enum { ALL = 64, OFTEN = 1024, SHORT_PERIOD = 128, SHORT_STRETCH = 8, LONG_PERIOD = 4096, LONG_STRETCH = 32 };

/* Which place in its period a stretch has: no program's rhythm. */
static uint64_t place(uint64_t period)
{
	uint64_t x = (period + 1) * 0x9e3779b97f4a7c15ull;

	return (x ^ x >> 32) * 0xd6e8feb86659fd93ull >> 32;
}

/* Is the batch in the sample, and what does it stand for? */
static bool sampled(uint64_t batch, uint64_t *weight)
{
	uint64_t period = batch < ALL + OFTEN ? SHORT_PERIOD : LONG_PERIOD, at, first;
	uint64_t stretch = period == SHORT_PERIOD ? SHORT_STRETCH : LONG_STRETCH;

	*weight = 1;
	if (batch < ALL)
		return true;
	at = (batch - ALL) % period;
	first = place((batch - ALL) / period) % (period - stretch + 1);
	*weight = at >= first + stretch / 2 ? 2 * period / stretch : 0;
	return at >= first && at < first + stretch;
}

static void forget(struct lab_machine *m, unsigned cache)
{
	for (unsigned i = 0; i < m->cores; i++)
		m->hardware->forget(i == m->core_now ? m->hw : m->core[i].hw, cache);
}

/* A stretch begins after a gap (SM2). */
static void begin(struct lab_machine *m)
{
	const struct lab_machine_config *c = &m->config->machine;
	const uint32_t lines[] = { c->l1_cache.entries, c->l2_cache.entries, c->l3_cache.entries };
	struct lab_sample *s = &m->sample;
	uint64_t missed = 0;

	for (unsigned i = LAB_PLACES - 1; i-- > 0;) {
		missed += s->answered[i + 1];
		s->missed[i] += missed * (s->batches - s->end) / max_u64(s->last, 1);
		if (s->missed[i] < lines[i])
			continue;
		forget(m, i);
		s->missed[i] = 0;
	}
	memset(s->answered, 0, sizeof(s->answered));
	s->last = 0;
}

void lab_sample_next(struct lab_machine *m)
{
	struct lab_sample *s = &m->sample;
	bool on;

	if (!m->config->machine.data_sample || m->config->machine.data_cache)
		return;
	on = sampled(s->batches, &s->weight);
	if (on && !s->on)
		begin(m);
	s->batches++;
	s->on = on;
	s->last += on;
	if (on)
		s->end = s->batches;
}
