/* lab/config/values.c - the account's numbers by name, and as JSON. One list of names serves sweeps, figures and
 * JSON. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "lab/lab.h"
#include "lib/base.h"

enum kind { COUNT, CYCLES, DERIVED };

struct value {
	char name[48];
	size_t offset;
	enum kind kind;
	double (*derive)(const struct lab_result *r);
};

static double sum(const uint64_t *v, unsigned n)
{
	double s = 0;

	for (unsigned i = 0; i < n; i++)
		s += (double)v[i];
	return s;
}

static double ratio(double a, double b)
{
	return b > 0 ? a / b : 0;
}

static double guest_references(const struct lab_result *r) { return sum(&r->guest_references[0][0], 6 * LAB_PLACES); }
static double ept_references(const struct lab_result *r) { return sum(&r->ept_references[0][0], 6 * LAB_PLACES); }
static double references_a_walk(const struct lab_result *r) { return ratio((double)r->references, (double)r->walks); }
static double walk_cycles(const struct lab_result *r) { return r->cycles_walk_guest + r->cycles_walk_ept; }
static double cycles_a_walk(const struct lab_result *r) { return ratio(walk_cycles(r), (double)r->walks); }
static double l1_hit_rate(const struct lab_result *r)
{
	return ratio(sum(r->l1_hits, LAB_SIZES), (double)(r->accesses + r->retries));
}
static double walk_rate(const struct lab_result *r)
{
	return ratio((double)r->walks, (double)(r->accesses + r->retries));
}
static double large_share(const struct lab_result *r)
{
	double large = 512 * ((double)r->os.os_held_2m + 512 * (double)r->os.os_held_1g);

	return 100 * ratio(large, large + (double)r->os.os_held_4k);
}
static double dram_references(const struct lab_result *r)
{
	double s = 0;

	for (unsigned level = 0; level < 6; level++)
		s += (double)r->guest_references[level][LAB_DRAM] + (double)r->ept_references[level][LAB_DRAM];
	return s;
}

#define AT(name, field, kind) { name, offsetof(struct lab_result, field), kind, NULL }
#define BY_SIZE(name, field) \
	AT(name ".4k", field[LAB_4K], COUNT), AT(name ".2m", field[LAB_2M], COUNT), AT(name ".1g", field[LAB_1G], COUNT)
#define BY_PLACE(name, field) \
	AT(name ".l1", field[LAB_L1], COUNT), AT(name ".l2", field[LAB_L2], COUNT), \
		AT(name ".l3", field[LAB_L3], COUNT), AT(name ".dram", field[LAB_DRAM], COUNT)

static const struct value values[] = { AT("instructions", instructions, COUNT),
				       AT("kernel_instructions", kernel_instructions, COUNT),
				       AT("hypervisor_instructions", hypervisor_instructions, COUNT),
				       AT("accesses", accesses, COUNT),
				       AT("reads", reads, COUNT),
				       AT("writes", writes, COUNT),
				       AT("fetches", fetches, COUNT),
				       AT("kernel_accesses", kernel_accesses, COUNT),
				       AT("retries", retries, COUNT),
				       BY_SIZE("l1_hits", l1_hits),
				       BY_SIZE("l2_hits", l2_hits),
				       AT("walks", walks, COUNT),
				       BY_SIZE("walks_completed", walks_completed),
				       AT("walks_faulted", walks_faulted, COUNT),
				       AT("walks_exited", walks_exited, COUNT),
				       AT("wakeups", wakeups, COUNT),
				       AT("flag_updates", flag_updates, COUNT),
				       AT("references", references, COUNT),
				       { "references_guest", 0, DERIVED, guest_references },
				       { "references_ept", 0, DERIVED, ept_references },
				       { "references_dram", 0, DERIVED, dram_references },
				       BY_PLACE("guest_references.pt", guest_references[1]),
				       BY_PLACE("guest_references.pd", guest_references[2]),
				       BY_PLACE("guest_references.pdpt", guest_references[3]),
				       BY_PLACE("guest_references.pml4", guest_references[4]),
				       BY_PLACE("guest_references.pml5", guest_references[5]),
				       BY_PLACE("ept_references.pt", ept_references[1]),
				       BY_PLACE("ept_references.pd", ept_references[2]),
				       BY_PLACE("ept_references.pdpt", ept_references[3]),
				       BY_PLACE("ept_references.pml4", ept_references[4]),
				       BY_PLACE("ept_references.pml5", ept_references[5]),
				       AT("walks_from.root", psc_hits[0], COUNT),
				       AT("walks_from.pd", psc_hits[2], COUNT),
				       AT("walks_from.pdpt", psc_hits[3], COUNT),
				       AT("walks_from.pml4", psc_hits[4], COUNT),
				       AT("walks_from.pml5", psc_hits[5], COUNT),
				       AT("ept_walks_from.root", npsc_hits[0], COUNT),
				       AT("ept_walks_from.pd", npsc_hits[2], COUNT),
				       AT("ept_walks_from.pdpt", npsc_hits[3], COUNT),
				       AT("ept_walks_from.pml4", npsc_hits[4], COUNT),
				       AT("ept_walks_from.pml5", npsc_hits[5], COUNT),
				       AT("nested_tlb_hits", ntlb_hits, COUNT),
				       AT("nested_tlb_misses", ntlb_misses, COUNT),
				       BY_PLACE("data", data),
				       { "l1_hit_rate", 0, DERIVED, l1_hit_rate },
				       { "walk_rate", 0, DERIVED, walk_rate },
				       { "references_a_walk", 0, DERIVED, references_a_walk },
				       { "cycles_a_walk", 0, DERIVED, cycles_a_walk },
				       AT("cycles.base", cycles_base, CYCLES),
				       AT("cycles.kernel", cycles_kernel, CYCLES),
				       AT("cycles.khugepaged", cycles_khugepaged, CYCLES),
				       AT("cycles.data", cycles_data, CYCLES),
				       AT("cycles.unpriced_data", cycles_unpriced_data, CYCLES),
				       AT("cycles.unpriced_walks", cycles_unpriced_walks, CYCLES),
				       AT("cycles.priced", cycles_priced, CYCLES),
				       AT("sample.lines", sample_lines, COUNT),
#define P(n) AT("sample.part" #n, sample_part[n], CYCLES)
				       P(0), P(1), P(2), P(3), P(4), P(5), P(6), P(7),
#undef P
				       AT("sample.error", sample_error, CYCLES),
				       AT("cycles.l2_tlb", cycles_l2_tlb, CYCLES),
				       { "cycles.walks", 0, DERIVED, walk_cycles },
				       AT("cycles.walk_guest", cycles_walk_guest, CYCLES),
				       AT("cycles.walk_ept", cycles_walk_ept, CYCLES),
				       AT("cycles.exits", cycles_exits, CYCLES),
				       AT("cycles.hypervisor", cycles_hypervisor, CYCLES),
				       AT("cycles.flushes", cycles_flushes, CYCLES),
				       AT("cycles.wakeups", cycles_wakeups, CYCLES),
				       AT("cycles.beside", cycles_beside, CYCLES),
				       AT("cycles.populate", cycles_populate, CYCLES),
				       BY_SIZE("populated", populated),
				       AT("cycles.least", cycles_least, CYCLES),
				       AT("cycles.most", cycles_most, CYCLES),
				       AT("seconds.least", seconds_least, CYCLES),
				       AT("seconds.most", seconds_most, CYCLES),
				       AT("cycles.estimate", cycles_estimate, CYCLES),
				       AT("cycles.low", cycles_low, CYCLES),
				       AT("cycles.high", cycles_high, CYCLES),
				       AT("seconds.estimate", seconds_estimate, CYCLES),
				       AT("seconds.low", seconds_low, CYCLES),
				       AT("seconds.high", seconds_high, CYCLES),
				       AT("cycles.walks_dram", cycles_walks_dram, CYCLES),
				       AT("dependence", dependence, CYCLES),
				       AT("dependence.low", dependence_low, CYCLES),
				       AT("dependence.high", dependence_high, CYCLES),
				       AT("exits", exits_all, COUNT),
#define E(name, help) \
	AT("exits." #name, exits[LAB_EXIT_##name], COUNT), \
		AT("exit_cycles." #name, exit_cycles[LAB_EXIT_##name], CYCLES),
				       LAB_EXITS(E)
#undef E
#define F(name, help) \
	AT("flushes." #name, flushes[LAB_FLUSH_##name], COUNT), \
		AT("flushed_entries." #name, flushed_entries[LAB_FLUSH_##name], COUNT), \
		AT("refills." #name, refills[LAB_FLUSH_##name], COUNT), \
		AT("refill_cycles." #name, refill_cycles[LAB_FLUSH_##name], CYCLES),
					       LAB_FLUSHES(F)
#undef F
						       AT("table_pages.guest", guest_table_pages, COUNT),
				       { "large_share", 0, DERIVED, large_share },
				       AT("table_pages.host", host_table_pages, COUNT),
#define C(name, help) AT("mmu." #name, mmu.name, COUNT),
				       MMU_COUNTERS(C)
#undef C
#define C(name, help) AT(#name, os.name, COUNT),
					       LAB_OS_COUNTERS(C)
#undef C
};

const char *lab_result_name(unsigned index)
{
	return index < ARRAY_SIZE(values) ? values[index].name : NULL;
}

static double value_of(const struct lab_result *r, const struct value *v)
{
	const void *p = (const char *)r + v->offset;

	switch (v->kind) {
	case COUNT: return (double)*(const uint64_t *)p;
	case CYCLES: return *(const double *)p;
	case DERIVED: break;
	}
	return v->derive(r);
}

double lab_result_value(const struct lab_result *r, const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(values); i++)
		if (!strcmp(values[i].name, name))
			return value_of(r, &values[i]);
	return NAN;
}

/* Counts are written in full: a double of JSON would round those beyond 2^53. */
static void add(cJSON *to, const struct lab_result *r, const struct value *v)
{
	char text[32];

	if (v->kind == COUNT)
		snprintf(text, sizeof(text), "%llu",
			 (unsigned long long)*(const uint64_t *)(const void *)((const char *)r + v->offset));
	else
		snprintf(text, sizeof(text), "%.17g", value_of(r, v));
	cJSON_AddRawToObject(to, v->name, text);
}

void lab_result_json(const struct lab_result *r, FILE *out)
{
	cJSON *root = cJSON_CreateObject(), *settings = cJSON_AddObjectToObject(root, "settings");
	cJSON *account = cJSON_AddObjectToObject(root, "account");
	const char *key;
	char *text;

	for (unsigned i = 0; (key = lab_config_key(i)); i++) {
		text = lab_config_get(&r->config, key);
		cJSON_AddStringToObject(settings, key, text);
		free(text);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(values); i++)
		add(account, r, &values[i]);
	text = cJSON_PrintUnformatted(root);
	if (text)
		fprintf(out, "%s\n", text);
	cJSON_free(text);
	cJSON_Delete(root);
}
