/* vellum ctl detail: the exits of a virtual machine one by one, as text. */
#include <string.h>

#include "tool/base/number.h"
#include "tool/ctl/ctl.h"

enum { BAR = 40 };

static const char *rounded(double value, char buffer[32])
{
	return grouped(value > 0 ? (uint64_t)(value + 0.5) : 0, buffer);
}

static void show_sum(FILE *out, const char *indent, int width, const char *name, const cJSON *sum)
{
	double count = ctl_number(sum, "count"), ticks = ctl_number(sum, "ticks");
	char a[32], b[32], c[32], d[32], e[32];

	fprintf(out, "%s%-*s %12s %16s %10s %10s %10s\n", indent, width, name, rounded(count, a), rounded(ticks, b),
		rounded(ctl_number(sum, "min"), c), rounded(count > 0 ? ticks / count : 0, d),
		rounded(ctl_number(sum, "max"), e));
}

/* A line for each power of two with exits that took so long. */
static void show_histogram(FILE *out, const cJSON *histogram)
{
	const cJSON *bucket;
	double most = 1;
	char a[32];

	cJSON_ArrayForEach(bucket, histogram)
		most = bucket->valuedouble > most ? bucket->valuedouble : most;
	cJSON_ArrayForEach(bucket, histogram) {
		fprintf(out, "      from %10s ticks %12s  ", bucket->string, rounded(bucket->valuedouble, a));
		for (int i = 0; i < (int)(bucket->valuedouble / most * BAR + 0.5); i++)
			fputc('#', out);
		fputc('\n', out);
	}
}

void ctl_show_detail(FILE *out, const cJSON *answer)
{
	const cJSON *reason, *number;
	double others = ctl_number(answer, "detail_others");

	fprintf(out, "%s: its exits are %slooked at one by one\n", ctl_text(answer, "vm"),
		cJSON_IsTrue(ctl_get(answer, "on")) ? "" : "not ");
	fprintf(out, "  %-30s %12s %16s %10s %10s %10s\n", "VM exits by reason", "count", "ticks", "least", "mean",
		"most");
	cJSON_ArrayForEach(reason, ctl_get(answer, "detail")) {
		show_sum(out, "  ", 30, reason->string, reason);
		cJSON_ArrayForEach(number, ctl_get(reason, "by_number"))
			show_sum(out, "    ", 28, number->string, number);
		show_histogram(out, ctl_get(reason, "histogram"));
	}
	if (others > 0)
		fprintf(out, "  %.0f exit%s had more ports, registers and the like than are kept apart\n", others,
			plural((uint64_t)others));
}
