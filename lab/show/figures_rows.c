/* lab/show/figures_rows.c - what is made of the figures' cells. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lab/show/figures.h"
#include "lib/base.h"

#define IS(v) ((struct lab_range){ v, v })
#define RANGE(a, b) ((struct lab_range){ a, b })

/* A workload's name for people: without what comes after its first parameter. */
static const char *brief(const char *workload, char text[64])
{
	snprintf(text, 64, "%s", workload);
	if (strchr(text, ','))
		*strchr(text, ',') = '\0';
	return text;
}

/* The values of a figure's dimension that is varied alone. */
static char *const *values_of(const struct lab_figure_table *t, const char *key, unsigned *count)
{
	for (unsigned i = 0; i < t->sweep->axes; i++) {
		if (t->sweep->axis[i].keys == 1 && !strcmp(t->sweep->axis[i].key[0], key)) {
			*count = t->sweep->axis[i].values;
			return t->sweep->axis[i].value;
		}
	}
	*count = 0;
	return NULL;
}

void lab_rows_walks(struct lab_figure_table *t)
{
	static const struct {
		const char *mmu, *guest, *host;
		unsigned levels, ept_levels;
		double published;
	} cells[] = {
		{ "native", "4k", "4k", 4, 4, 4 }, { "native", "2m", "4k", 4, 4, 3 }, { "native", "1g", "4k", 4, 4, 2 },
		{ "native", "4k", "4k", 5, 4, 5 }, { "shadow", "4k", "4k", 4, 4, 4 }, { "ept", "4k", "4k", 4, 4, 24 },
		{ "ept", "4k", "2m", 4, 4, 19 },   { "ept", "4k", "1g", 4, 4, 14 },   { "ept", "2m", "4k", 4, 4, 19 },
		{ "ept", "2m", "2m", 4, 4, 15 },   { "ept", "2m", "1g", 4, 4, 11 },   { "ept", "1g", "4k", 4, 4, 14 },
		{ "ept", "1g", "2m", 4, 4, 11 },   { "ept", "1g", "1g", 4, 4, 8 },    { "ept", "4k", "4k", 5, 4, 29 },
		{ "ept", "4k", "4k", 4, 5, 29 },   { "ept", "4k", "4k", 5, 5, 35 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cells); i++) {
		struct lab_range ours = lab_figure_value(
			t, "references_a_walk",
			"workload=gups:size=%s hv.mmu=%s guest.levels=%u hv.ept_levels=%u guest.pages=%s hv.pages=%s",
			!strcmp(cells[i].guest, "1g") ? "2G" : "64M", cells[i].mmu, cells[i].levels,
			cells[i].ept_levels, cells[i].guest, cells[i].host);
		bool nested = !strcmp(cells[i].mmu, "ept");

		lab_figure_row(t, IS(cells[i].published), ours, "%s, guest %s%s%s%s%s", cells[i].mmu, cells[i].guest,
			       nested ? ", EPT " : "", nested ? cells[i].host : "",
			       cells[i].levels == 5 ? ", 5-level guest" : "",
			       cells[i].ept_levels == 5 ? ", 5-level EPT" : "");
	}
}

void lab_rows_chase(struct lab_figure_table *t)
{
	static const struct { const char *guest, *host; double published; } cells[] = {
		{ "2m", "2m", 1 }, { "4k", "2m", 2 }, { "2m", "4k", 2 }, { "4k", "4k", 3 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cells); i++) {
		char label[64];
		double hops, data, walks;

		snprintf(label, sizeof(label), "guest.pages=%s hv.pages=%s", cells[i].guest, cells[i].host);
		hops = lab_figure_value(t, "reads", "%s", label).low;
		data = lab_figure_value(t, "data.dram", "%s", label).low;
		walks = lab_figure_value(t, "references_dram", "%s", label).low;
		lab_figure_row(t, IS(cells[i].published), IS((data + walks) / hops), "guest %s, EPT %s", cells[i].guest,
			       cells[i].host);
	}
}

void lab_rows_early(struct lab_figure_table *t)
{
	static const struct { const char *preset, *name; double published; } cells[] = {
		{ "nehalem", "Intel (Nehalem)", 17 }, { "barcelona", "AMD (Barcelona)", 39 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cells); i++)
		lab_figure_row(t, IS(cells[i].published),
			       lab_range_percent(lab_figure_value(t, "estimate", "machine.preset=%s hv.mmu=ept",
								  cells[i].preset),
						 lab_figure_value(t, "estimate", "machine.preset=%s hv.mmu=native",
								  cells[i].preset)),
			       "%s", cells[i].name);
}

/* The cell of a figure whose pair of these keys has these values. */
static const char *pair_label(const char *workload, const char *keys, const char *values, char text[512])
{
	char key[256], value[256], *k, *v, *ks, *vs;
	size_t n = (size_t)snprintf(text, 512, "workload=%s", workload);

	snprintf(key, sizeof(key), "%s", keys);
	snprintf(value, sizeof(value), "%s", values);
	for (k = strtok_r(key, ",", &ks), v = strtok_r(value, ",", &vs); k && v;
	     k = strtok_r(NULL, ",", &ks), v = strtok_r(NULL, ",", &vs))
		n += (size_t)snprintf(text + n, 512 - n, " %s=%s", k, v);
	return text;
}

void lab_rows_build(struct lab_figure_table *t)
{
	static const struct { const char *values, *name; } cells[] = {
		{ BUILD_EPT_4K, "EPT 4K" }, { BUILD_NO_VPID, "EPT 4K, no VPID" }, { BUILD_EPT_2M, "EPT 2M" },
		{ BUILD_BUSY_4K, "EPT 4K, busy devices" }, { BUILD_BUSY_2M, "EPT 2M, busy devices" },
	};
	unsigned workloads;
	char *const *workload = values_of(t, "workload", &workloads);

	for (unsigned w = 0; w < workloads; w++) {
		char label[512], name[64];
		struct lab_range native =
			lab_figure_value(t, "estimate", "%s", pair_label(workload[w], BUILD_KEYS, BUILD_NATIVE, label));

		for (unsigned i = 0; i < ARRAY_SIZE(cells); i++)
			lab_figure_row(t, RANGE(5, 20),
				       lab_range_percent(lab_figure_value(t, "estimate", "%s",
									  pair_label(workload[w], BUILD_KEYS,
										     cells[i].values, label)),
							 native),
				       "%s: %s", brief(workload[w], name), cells[i].name);
	}
}

void lab_rows_in_sync(struct lab_figure_table *t)
{
	unsigned workloads;
	char *const *workload = values_of(t, "workload", &workloads);

	for (unsigned w = 0; w < workloads; w++) {
		struct lab_range native =
			lab_figure_value(t, "seconds_bounds", "workload=%s hv.mmu=native hv.in_sync=off", workload[w]);
		char name[64];

		for (unsigned in_sync = 0; in_sync < 2; in_sync++)
			lab_figure_row(t, LAB_NO_RANGE,
				       lab_range_ratio(lab_figure_value(t, "seconds_bounds",
									"workload=%s hv.mmu=shadow hv.in_sync=%s",
									workload[w], in_sync ? "on" : "off"),
						       native),
				       "%s: %s", brief(workload[w], name),
				       in_sync ? "in sync" : "tables out of sync");
	}
}

void lab_rows_out_of_sync(struct lab_figure_table *t)
{
	unsigned workloads;
	char *const *workload = values_of(t, "workload", &workloads);

	for (unsigned w = 0; w < workloads; w++) {
		struct lab_range in = lab_figure_value(t, "seconds_bounds", "workload=%s hv.mmu=shadow hv.in_sync=on",
						       workload[w]);
		struct lab_range out = lab_figure_value(
			t, "seconds_bounds", "workload=%s hv.mmu=shadow hv.in_sync=off", workload[w]);
		struct lab_range r = lab_range_ratio(out, in);
		/* Programs that work between their page faults stand for the build; all else is more extreme. */
		bool build = !strncmp(workload[w], "boot:", 5);

		lab_figure_row(t, build ? RANGE(14.98, 25.43) : LAB_NO_RANGE,
			       RANGE(100 * (1 - r.high), 100 * (1 - r.low)), "%s", workload[w]);
	}
}

static const char *cache_label(const char *workload, const char *caches, const char *pages, char text[512])
{
	size_t n = strlen(pair_label(workload, CACHE_KEYS, caches, text));

	snprintf(text + n, 512 - n, " hv.pages=%s", pages);
	return text;
}

void lab_rows_nested_cache(struct lab_figure_table *t)
{
	static const struct {
		const char *before, *after, *pages_before, *pages_after, *what;
		double low, high;
	} steps[] = {
		{ NO_CACHE, GUEST_CACHE, "4k", "4k", "caching the guest's dimension", NAN, NAN },
		{ NO_CACHE, BOTH_CACHES, "4k", "4k", "caching both dimensions", 15, 38 },
		{ BOTH_CACHES, BOTH_AND_NTLB, "4k", "4k", "and a nested TLB", 3, 7 },
		{ BOTH_AND_NTLB, BOTH_AND_NTLB, "4k", "2m", "and large nested pages", 3, 22 },
	};
	unsigned workloads;
	char *const *workload = values_of(t, "workload", &workloads);

	for (unsigned s = 0; s < ARRAY_SIZE(steps); s++) {
		for (unsigned w = 0; w < workloads; w++) {
			char a[512], b[512], name[64];
			struct lab_range before =
				lab_figure_value(t, "seconds_bounds", "%s",
						 cache_label(workload[w], steps[s].before, steps[s].pages_before, a));
			struct lab_range after =
				lab_figure_value(t, "seconds_bounds", "%s",
						 cache_label(workload[w], steps[s].after, steps[s].pages_after, b));

			lab_figure_row(t, RANGE(steps[s].low, steps[s].high), lab_range_percent(before, after),
				       "%s: %s", brief(workload[w], name), steps[s].what);
		}
	}
}

static struct lab_range seconds(struct lab_figure_table *t, const char *workload, const char *mmu, const char *pages)
{
	return lab_figure_value(t, "seconds_bounds", "workload=%s hv.mmu=%s hv.pages=%s", workload, mmu, pages);
}

void lab_rows_shadow_ept(struct lab_figure_table *t)
{
	/* A program's share of page-table work, and nothing but that. */
	static const struct { const char *kind; struct lab_range published;
	} kinds[] = {
		{ "boot:", { 0, 48 } }, { "fork", { 0, 600 } },	  { "mmap", { 0, 600 } },
		{ "ring", { 0, 600 } }, { "faults", { 0, 600 } },
	};
	unsigned workloads;
	char *const *workload = values_of(t, "workload", &workloads);

	for (unsigned w = 0; w < workloads; w++) {
		struct lab_range shadow = seconds(t, workload[w], "shadow", "4k"), published = LAB_NO_RANGE;
		char name[64];

		for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++)
			if (!strncmp(workload[w], kinds[k].kind, strlen(kinds[k].kind)))
				published = kinds[k].published;
		brief(workload[w], name);
		lab_figure_row(t, published, lab_range_percent(shadow, seconds(t, workload[w], "ept", "4k")),
			       "%s: EPT 4K", name);
		lab_figure_row(t, published, lab_range_percent(shadow, seconds(t, workload[w], "ept", "2m")),
			       "%s: EPT 2M", name);
	}
	lab_figure_row(t, IS((87.0 / 29 - 1) * 100),
		       lab_range_percent(seconds(t, "boot", "shadow", "4k"), seconds(t, "boot", "ept", "4k")),
		       "make (boot stands for it): EPT 4K");
	lab_figure_row(t, IS((29.0 / 25 - 1) * 100),
		       lab_range_percent(seconds(t, "boot", "ept", "4k"), seconds(t, "boot", "native", "4k")),
		       "make: EPT 4K over native");
}

void lab_rows_crossover(struct lab_figure_table *t)
{
	static const struct { const char *mmu, *pages, *name; } series[] = {
		{ "shadow", "4k", "shadow" }, { "ept", "4k", "EPT, 4K pages" }, { "ept", "2m", "EPT, 2M pages" },
	};
	unsigned workloads;
	char *const *workload = values_of(t, "workload", &workloads);

	for (unsigned s = 0; s < ARRAY_SIZE(series); s++)
		for (unsigned w = 0; w < workloads; w++)
			lab_figure_point(t, series[s].name, atof(strchr(workload[w], '=') + 1),
					 lab_range_ratio(lab_figure_value(t, "seconds_bounds",
									  "workload=%s hv.mmu=%s hv.pages=%s",
									  workload[w], series[s].mmu, series[s].pages),
							 lab_figure_value(t, "seconds_bounds",
									  "workload=%s hv.mmu=native hv.pages=4k",
									  workload[w])));
}

void lab_rows_forkwait(struct lab_figure_table *t)
{
	static const struct { const char *mmu, *name; double published;
	} cells[] = {
		{ "shadow", "shadow tables", 106.4 / 6.0 },
		{ "vtlb", "virtual TLB", NAN },
		{ "brute", "brute force", NAN },
	};
	struct lab_range native = lab_figure_value(t, "seconds_bounds", "hv.mmu=native");

	for (unsigned i = 0; i < ARRAY_SIZE(cells); i++)
		lab_figure_row(t, IS(cells[i].published),
			       lab_range_ratio(lab_figure_value(t, "seconds_bounds", "hv.mmu=%s", cells[i].mmu),
					       native),
			       "%s", cells[i].name);
}

void lab_rows_vpid(struct lab_figure_table *t)
{
	unsigned workloads, periods;
	char *const *workload = values_of(t, "workload", &workloads), *const *period =
									      values_of(t, "hv.exit_period", &periods);

	for (unsigned w = 0; w < workloads; w++) {
		char name[64];

		for (unsigned p = 0; p < periods; p++)
			lab_figure_point(t, brief(workload[w], name), 1e6 / atof(period[p]),
					 lab_range_percent(lab_figure_value(t, "seconds_bounds",
									    "workload=%s hv.exit_period=%s hv.vpid=off",
									    workload[w], period[p]),
							   lab_figure_value(t, "seconds_bounds",
									    "workload=%s hv.exit_period=%s hv.vpid=on",
									    workload[w], period[p])));
	}
}

void lab_rows_large_pages(struct lab_figure_table *t)
{
	static const struct { const char *guest, *host, *name; struct lab_range published;
	} cells[] = {
		{ "2m", "4k", "guest 2M", { NAN, NAN } },
		{ "4k", "2m", "host 2M", { 3, 22 } },
		{ "2m", "2m", "both 2M", { 0, 5 } },
	};
	unsigned workloads;
	char *const *workload = values_of(t, "workload", &workloads);

	for (unsigned w = 0; w < workloads; w++) {
		struct lab_range small =
			lab_figure_value(t, "seconds_bounds", "workload=%s guest.pages=4k hv.pages=4k", workload[w]);
		char name[64];

		for (unsigned c = 0; c < ARRAY_SIZE(cells); c++)
			lab_figure_row(
				t, cells[c].published,
				lab_range_percent(small, lab_figure_value(t, "seconds_bounds",
									  "workload=%s guest.pages=%s hv.pages=%s",
									  workload[w], cells[c].guest, cells[c].host)),
				"%s: %s", brief(workload[w], name), cells[c].name);
	}
}

void lab_rows_exits(struct lab_figure_table *t)
{
	static const struct { const char *mmu, *name; double published; } cells[] = {
		{ "shadow", "shadow tables", 80 }, { "vtlb", "a virtual TLB", NAN }, { "brute", "brute force", NAN },
	};
	unsigned workloads;
	char *const *workload = values_of(t, "workload", &workloads);

	for (unsigned c = 0; c < ARRAY_SIZE(cells); c++) {
		for (unsigned w = 0; w < workloads; w++) {
			double ept = lab_figure_value(t, "exits", "workload=%s hv.mmu=ept", workload[w]).low;
			double other =
				lab_figure_value(t, "exits", "workload=%s hv.mmu=%s", workload[w], cells[c].mmu).low;
			char name[64];

			lab_figure_row(t, IS(cells[c].published), IS((1 - ept / other) * 100), "%s: against %s",
				       brief(workload[w], name), cells[c].name);
		}
	}
}
