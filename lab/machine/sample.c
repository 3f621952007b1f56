/* lab/machine/sample.c - which batches are in the sample: see lab/machine/sample.h. */
#include "lab/machine/machine.h"

/* Batches. The first ALL are in the sample; of those that follow, a stretch in each period: SHORT, and LONG from the
 * LATER-th on; 1/16 of it. Half of a stretch is not counted. Powers of two. */
enum { ALL = 64, SHORT = 32, LATER = 256, LONG = 64 };

/* Where in its period a stretch begins: no program's rhythm. */
static uint64_t begins_at(uint64_t period)
{
	uint64_t x = (period + 1) * 0x9e3779b97f4a7c15ull;

	return (x ^ x >> 32) * 0xd6e8feb86659fd93ull >> 32;
}

/* Is the batch in the sample, and what does it stand for? */
static bool sampled(uint64_t batch, uint64_t *weight)
{
	uint64_t period = batch < LATER ? SHORT : LONG, stretch = period / 16, first = batch - batch % period;

	*weight = 1;
	if (batch < ALL)
		return true;
	first += begins_at(first) % (period - stretch + 1);
	*weight = batch >= first + stretch / 2 ? 2 * period / stretch : 0;
	return batch >= first && batch < first + stretch;
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

/* What the data's accesses of a stretch came to, which stood for others. */
static void add_stretch(const struct lab_sample *s, struct lab_sampled *n)
{
	uint64_t added[LAB_PLACES];

	for (unsigned i = 0; i < LAB_PLACES; i++)
		added[i] = n->data[i] - s->before[i];
	for (unsigned i = 0; i < LAB_PLACES; i++)
		for (unsigned j = 0; j < LAB_PLACES; j++)
			n->products[i][j] += added[i] * added[j];
	n->stretches++;
}

struct lab_sampled lab_sample_so_far(const struct lab_machine *m)
{
	struct lab_sampled n = m->counts->sampled;

	n.whole = m->sample.batches <= ALL;
	if (m->sample.counts && !n.whole)
		add_stretch(&m->sample, &n);
	return n;
}

void lab_sample_next(struct lab_machine *m)
{
	struct lab_sample *s = &m->sample;
	bool on, counts;

	if (!m->config->machine.data_sample || m->config->machine.data_cache)
		return;
	on = sampled(s->batches, &s->weight);
	counts = on && s->weight;
	if (s->counts && !counts && s->batches > ALL)
		add_stretch(s, &m->counts->sampled);
	if (!s->counts && counts)
		memcpy(s->before, m->counts->sampled.data, sizeof(s->before));
	if (on && !s->on)
		begin(m);
	s->batches++;
	s->on = on;
	s->counts = counts;
	s->last += on;
	if (on)
		s->end = s->batches;
}
