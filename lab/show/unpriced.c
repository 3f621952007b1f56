/* lab/show/unpriced.c - what is said of data that has no price (machine.data_cache=off): what it would take at most, by
 * a sample of it, and how good that is. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lab/machine/sample.h"
#include "lab/show/view.h"
#include "lib/base.h"

const char *lab_sample_words(uint64_t lines, double error, char text[LAB_SAMPLE_WORDS])
{
	if (lines < LAB_PAGE_LINES && error < 0.001)
		snprintf(text, LAB_SAMPLE_WORDS, "a sample of the caches' sets, sampling error below 0.1 %%");
	else if (lines < LAB_PAGE_LINES)
		snprintf(text, LAB_SAMPLE_WORDS, error < 0.1 ? "a sample of the caches' sets, sampling error %.2g %%"
							     : "a sample of the caches' sets, sampling error %.0f %%",
			 100 * error);
	else
		snprintf(text, LAB_SAMPLE_WORDS, "a look at all of it");
	return text;
}

/* Of records whose data has no price, the extremes. */
struct unpriced {
	unsigned sampled, not_sampled;
	double least, most;   /* times the estimate, where sampled; */
	double bound;         /* and where not, as if each access waited for memory */
	uint64_t lines;       /* of the worst sample */
	double error;
};

static void add_not_sampled(struct unpriced *u, const struct lab_record *r, double accesses)
{
	const char *dram = lab_record_setting(r, "machine.dram_cycles");
	const char *l1 = lab_record_setting(r, "machine.l1_cycles");
	double estimate = lab_record_number(r, "cycles.estimate");

	if (!dram || !l1 || !(estimate > 0))
		return;
	u->not_sampled++;
	u->bound = fmax(u->bound, 1 + accesses * (atof(dram) - atof(l1)) / estimate);
}

static void add(struct unpriced *u, const struct lab_record *r)
{
	const char *priced = lab_record_setting(r, "machine.data_cache");
	const char *sample = lab_record_setting(r, "machine.data_sample");
	double accesses = lab_record_number(r, "reads") + lab_record_number(r, "writes");
	double times = lab_record_number(r, "cycles.priced") / lab_record_number(r, "cycles.estimate");
	double lines = lab_record_number(r, "sample.lines"), error = lab_record_number(r, "sample.error");

	if (!priced || strcmp(priced, "off") || !(accesses > 0))
		return;
	if (!sample || strcmp(sample, "on") || isnan(times + lines + error)) {
		add_not_sampled(u, r, accesses);
		return;
	}
	u->least = u->sampled ? fmin(u->least, times) : times;
	u->most = fmax(u->most, times);
	if (!u->sampled++ || error > u->error) {
		u->error = error;
		u->lines = (uint64_t)lines;
	}
}

static const char *percent_more(double times, char text[16])
{
	snprintf(text, 16, times < 2 ? "%.2g" : "%.0f", fmax(0, 100 * (times - 1)));
	return text;
}

void lab_view_unpriced(const struct lab_view *v, bool compared, FILE *out)
{
	struct unpriced u = { 0 };
	char words[LAB_SAMPLE_WORDS], least[16], most[16];

	for (unsigned i = 0; i < v->count; i++)
		add(&u, v->record[i]);
	if (!u.sampled && !u.not_sampled)
		return;
	fprintf(out, "(The program's own cache misses have no price, machine.data_cache=off: estimates are as if all "
		     "were hidden");
	if (u.sampled) {
		fprintf(out, ", upper ends as if each were waited for, which takes %s", percent_more(u.least, least));
		if (strcmp(least, percent_more(u.most, most)))
			fprintf(out, " to %s", most);
		fprintf(out, " %% more by %s%s", lab_sample_words(u.lines, u.error, words),
			compared ? "; percentages have both" : "");
	}
	if (u.not_sampled)
		fprintf(out, "; %s without a sample (machine.data_sample=off), ranges and percentages have nothing of "
			     "them: with each access to data waiting for memory, %.3g times as long at most",
			u.sampled ? "where it is" : "as it is", u.bound);
	fprintf(out, ".)\n");
}

void lab_result_unpriced(const struct lab_result *r, double exits, double translation, FILE *out)
{
	const struct lab_machine_config *c = &r->config.machine;
	double accesses = (double)(r->reads + r->writes);
	char words[LAB_SAMPLE_WORDS], text[16];

	if (c->data_cache || accesses == 0 || r->cycles_estimate <= 0)
		return;
	fprintf(out, "; these are upper ones, as the program's own cache misses have no price "
		     "(machine.data_cache=off): if each were waited for, ");
	if (c->data_sample)
		fprintf(out, "the run would take %s %% more by %s, and these would be %.1f and %.1f %%",
			percent_more(r->cycles_priced / r->cycles_estimate, text),
			lab_sample_words(r->sample_lines, r->sample_error, words),
			100 * exits / r->cycles_priced, 100 * translation / r->cycles_priced);
	else
		fprintf(out, "the run would take %.3g times as long at most (each access from memory), of which the "
			     "range has nothing, as no sample says how many there are (machine.data_sample=off)",
			1 + accesses * (c->dram_cycles - c->l1_cycles) / r->cycles_estimate);
}
