/* lab/show/report.c - the account as tables for people. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lab/lab.h"
#include "lab/machine/estimate.h"
#include "lab/show/units.h"
#include "lab/show/view.h"
#include "lib/base.h"

static const char *const sizes[LAB_SIZES] = { "4K", "2M", "1G" };
static const char *const places[LAB_PLACES] = { "L1", "L2", "L3", "DRAM" };

/* 1234567 as 1,234,567. */
static const char *grouped(uint64_t v, char text[32])
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)v), at = 0;

	for (int i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			text[at++] = ',';
		text[at++] = digits[i];
	}
	text[at] = '\0';
	return text;
}

static double part(double a, double b)
{
	return b > 0 ? a / b : 0;
}

static uint64_t sum(const uint64_t *v, unsigned n)
{
	uint64_t s = 0;

	for (unsigned i = 0; i < n; i++)
		s += v[i];
	return s;
}

static void count_line(FILE *out, const char *name, uint64_t v, double of)
{
	char text[32];

	fprintf(out, "  %-44s %16s", name, grouped(v, text));
	if (of > 0)
		fprintf(out, "  %6.2f%%", 100 * (double)v / of);
	fputc('\n', out);
}

static void print_head(const struct lab_result *r, FILE *page)
{
	const struct lab_config *c = &r->config;
	bool native = !strcmp(c->hv.mechanism, "native");
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	fprintf(out, "%s on %s: %s", c->workload, c->machine.preset, c->hv.mechanism);
	if (native)
		fprintf(out, ", pages %s", sizes[(c->guest.pages - 12) / 9]);
	else
		fprintf(out, ", guest pages %s, host pages %s, VPID %s", sizes[(c->guest.pages - 12) / 9],
			sizes[(c->hv.pages - 12) / 9], c->hv.vpid && c->machine.vpid ? "on" : "off");
	if (c->guest.cpus > 1)
		fprintf(out, ", %llu CPUs", (unsigned long long)c->guest.cpus);
	if (c->hv.vms > 1)
		fprintf(out, ", %llu virtual machines", (unsigned long long)c->hv.vms);
	fprintf(out, ", seed %llu", (unsigned long long)c->seed);
	fclose(out);
	lab_wrapped(text, page);
	fputc('\n', page);
	free(text);
}

static void print_tlbs(const struct lab_result *r, FILE *out)
{
	double all = (double)(r->accesses + r->retries);
	char name[64];

	fprintf(out, "Accesses\n");
	count_line(out, "by the program and the guest's kernel", r->accesses, 0);
	count_line(out, "  reads", r->reads, (double)r->accesses);
	count_line(out, "  writes", r->writes, (double)r->accesses);
	count_line(out, "  instruction fetches", r->fetches, (double)r->accesses);
	count_line(out, "  of all, the guest's kernel's", r->kernel_accesses, (double)r->accesses);
	if (r->wakeups)
		count_line(out, "wake-ups of a process on another CPU", r->wakeups, 0);
	count_line(out, "tried again after a fault or an exit", r->retries, 0);
	for (unsigned level = 0; level < 2; level++) {
		for (unsigned i = 0; i < LAB_SIZES; i++) {
			snprintf(name, sizeof(name), "hits in the L%u TLB, %s", level + 1, sizes[i]);
			if (level ? r->l2_hits[i] : r->l1_hits[i])
				count_line(out, name, level ? r->l2_hits[i] : r->l1_hits[i], all);
		}
	}
	count_line(out, "page walks", r->walks, all);
}

static void references_line(FILE *out, const char *name, const uint64_t v[LAB_PLACES], uint64_t walks)
{
	char text[32];
	uint64_t all = sum(v, LAB_PLACES);

	if (!all)
		return;
	fprintf(out, "  %-28s %15s  %8.3f ", name, grouped(all, text), part((double)all, (double)walks));
	for (unsigned i = 0; i < LAB_PLACES; i++)
		fprintf(out, " %6.2f%%", 100 * part((double)v[i], (double)all));
	fputc('\n', out);
}

static void print_walks(const struct lab_result *r, FILE *out)
{
	static const char *const names[] = { "", "page tables (PT)", "page directories (PD)", "PDPT", "PML4", "PML5" };
	char name[64];

	if (!r->walks)
		return;
	fprintf(out, "\nWalks\n");
	for (unsigned i = 0; i < LAB_SIZES; i++) {
		snprintf(name, sizeof(name), "ended in a translation of %s", sizes[i]);
		if (r->walks_completed[i])
			count_line(out, name, r->walks_completed[i], (double)r->walks);
	}
	count_line(out, "ended in a page fault", r->walks_faulted, (double)r->walks);
	count_line(out, "ended in an EPT violation", r->walks_exited, (double)r->walks);
	for (unsigned level = 2; level <= 5; level++) {
		snprintf(name, sizeof(name), "began at a cached %s entry", names[level] + (level == 2 ? 5 : 0));
		if (r->psc_hits[level])
			count_line(out, level == 2 ? "began at a cached PD entry" : name, r->psc_hits[level],
				   (double)r->walks);
	}
	count_line(out, "began at the root", r->psc_hits[0], (double)r->walks);
	if (r->ntlb_hits + r->ntlb_misses) {
		count_line(out, "guest-physical translations", r->ntlb_hits + r->ntlb_misses, 0);
		count_line(out, "  hits in the nested TLB", r->ntlb_hits, (double)(r->ntlb_hits + r->ntlb_misses));
	}
	fprintf(out, "\n  %-28s %15s  %8s  answered by %s      %s      %s      %s\n", "References", "count", "a walk",
		places[0], places[1], places[2], places[3]);
	for (unsigned level = 5; level >= 1; level--) {
		snprintf(name, sizeof(name), "%s%s", r->ntlb_misses ? "guest " : "", names[level]);
		references_line(out, name, r->guest_references[level], r->walks);
	}
	for (unsigned level = 5; level >= 1; level--) {
		snprintf(name, sizeof(name), "EPT %s", names[level]);
		references_line(out, name, r->ept_references[level], r->walks);
	}
	fprintf(out, "  %-28s %15s  %8.3f\n", "all", grouped(r->references, name),
		part((double)r->references, (double)r->walks));
}

static void print_exits(const struct lab_result *r, FILE *out)
{
	static const char *const exits[] = {
#define E(name, help) help,
		LAB_EXITS(E)
#undef E
	};
	static const char *const flushes[] = {
#define F(name, help) help,
		LAB_FLUSHES(F)
#undef F
	};
	char a[32], b[32], c[32];

	if (r->exits_all) {
		fprintf(out, "\n  %-68s %12s %16s\n", "Exits", "count", "cycles");
		for (unsigned i = 0; i < LAB_EXIT_COUNT; i++)
			if (r->exits[i])
				fprintf(out, "  %-68s %12s %16s\n", exits[i], grouped(r->exits[i], a),
					grouped((uint64_t)r->exit_cycles[i], b));
	}
	if (!sum(r->flushes, LAB_FLUSH_COUNT))
		return;
	fprintf(out, "\n  %-38s %12s %14s %12s %14s\n", "Flushes", "count", "translations", "refills", "their cycles");
	for (unsigned i = 0; i < LAB_FLUSH_COUNT; i++)
		if (r->flushes[i])
			fprintf(out, "  %-38s %12s %14s %12s %14.0f\n", flushes[i], grouped(r->flushes[i], a),
				grouped(r->flushed_entries[i], b), grouped(r->refills[i], c), r->refill_cycles[i]);
}

static void cycles_line(FILE *out, const char *name, double cycles, double most)
{
	char text[32];

	if (cycles > 0)
		fprintf(out, "  %-44s %16s  %6.2f%%\n", name, grouped((uint64_t)(cycles + 0.5), text),
			100 * part(cycles, most));
}

static void print_cycles(const struct lab_result *r, FILE *out)
{
	const struct lab_unit *unit = lab_time_unit(r->seconds_estimate);
	char words[LAB_SAMPLE_WORDS];

	fprintf(out, "\nCycles\n");
	cycles_line(out, "instructions of the program", r->cycles_base, r->cycles_most);
	cycles_line(out, "guest's kernel, its faults and flushes", r->cycles_kernel, r->cycles_most);
	cycles_line(out, "data that the L1 cache has not", r->cycles_data, r->cycles_most);
	cycles_line(out, "L2 TLB", r->cycles_l2_tlb, r->cycles_most);
	cycles_line(out, r->ntlb_misses ? "walks: the guest's tables" : "walks", r->cycles_walk_guest, r->cycles_most);
	cycles_line(out, "walks: EPT", r->cycles_walk_ept, r->cycles_most);
	cycles_line(out, "exits and entries", r->cycles_exits, r->cycles_most);
	cycles_line(out, "hypervisor", r->cycles_hypervisor, r->cycles_most);
	cycles_line(out, "interrupts between CPUs, and leaving HLT", r->cycles_wakeups, r->cycles_most);
	if (r->cycles_beside > 0)
		cycles_line(out, "of all this, beside the wake-up of another CPU", r->cycles_beside, r->cycles_most);
	cycles_line(out, "the host's page faults and zeroing", r->cycles_populate, r->cycles_most);
	cycles_line(out, "INVVPID, INVEPT", r->cycles_flushes, r->cycles_most);
	cycles_line(out, "all, if no walk overlaps with anything", r->cycles_most, r->cycles_most);
	cycles_line(out, "all, if walks overlap wholly", r->cycles_least, r->cycles_most);
	cycles_line(out, "all, as is likely", r->cycles_estimate, r->cycles_most);
	if (r->cycles_priced > r->cycles_estimate)
		cycles_line(out, "... and the data is waited for (by a sample)", r->cycles_priced, r->cycles_most);
	fprintf(out, "\nTable memory: %llu KB of the guest's, %llu KB of the hypervisor's\n",
		(unsigned long long)r->guest_table_pages * 4, (unsigned long long)r->host_table_pages * 4);
	fprintf(out, "Predicted run time: %.4g %s, %.4g to %.4g (bounds %.4g and %.4g) at %g GHz\n",
		r->seconds_estimate * unit->each, unit->symbol, r->seconds_low * unit->each,
		r->seconds_high * unit->each, r->seconds_least * unit->each, r->seconds_most * unit->each,
		r->config.machine.ghz);
	if (r->cycles_priced > r->cycles_estimate)
		fprintf(out, "  (its upper end waits for data, by %s)\n",
			lab_sample_words(r->sample_lines, r->sample_error, words));
}

/* What the memory's virtualization takes of the time, and what is in the way of large pages. */
static void print_verdict(const struct lab_result *r, FILE *page)
{
	double walks = r->cycles_walk_guest + r->cycles_walk_ept + r->cycles_l2_tlb;
	double exits = r->cycles_exits + r->cycles_hypervisor + r->cycles_flushes + r->cycles_populate;
	double fixed = r->cycles_most - walks, seen = fmax(0, r->cycles_estimate - fixed);
	double large = lab_result_value(r, "large_share");
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	fprintf(out, "Verdict: of the time, %.1f %% goes to exits, the hypervisor and the host, %.1f %% to "
		     "translation (from %.1f to %.1f %%)",
		100 * part(exits, r->cycles_estimate), 100 * part(seen, r->cycles_estimate),
		100 * part(fmax(0, r->cycles_least - fixed), r->cycles_least), 100 * part(walks, r->cycles_most));
	lab_result_unpriced(r, exits, fmax(0, r->cycles_priced - fixed - r->cycles_unpriced_data), out);
	if (r->config.guest.pages > 12 && large < 50)
		fprintf(out, "; only %.1f %% of the programs' memory lay in large pages at its peak (see above, why)",
			large);
	fputc('.', out);
	fclose(out);
	lab_wrapped(text, page);
	free(text);
}

static void memory_line(FILE *out, const char *name, uint64_t pages, unsigned shift, double all)
{
	char text[32];

	if (pages)
		fprintf(out, "  %-70s %9s KB  %6.2f%%\n", name, grouped(pages << (shift - 10), text),
			100 * part((double)(pages << (shift - 10)), all));
}

/* In pages of which size the programs lay, and why not in larger ones. */
static void print_memory(const struct lab_result *r, FILE *out)
{
	const struct lab_os_counters *os = &r->os;
	double all = (double)(os->os_held_4k << 2) + (double)(os->os_held_2m << 11) + (double)(os->os_held_1g << 20);

	if (all <= 0)
		return;
	fprintf(out, "\nMemory of the guest's processes at its peak, when most of it was mapped\n");
	memory_line(out, "in pages of 1G", os->os_held_1g, 30, all);
	memory_line(out, "in pages of 2M", os->os_held_2m, 21, all);
	memory_line(out, "in pages of 4K", os->os_held_4k, 12, all);
#define C(name, help) memory_line(out, "  " help, os->name, 12, all);
	LAB_OS_SMALL(C)
#undef C
	if (os->os_collapsed)
		fprintf(out,
			"  khugepaged made %llu of the 2M pages; its copying, %.0f cycles, is not in the run time, as\n"
			"  its ten seconds are %llu accesses here (guest.khugepaged_period)\n",
			(unsigned long long)os->os_collapsed, r->cycles_khugepaged,
			(unsigned long long)r->config.guest.khugepaged_period);
	if (r->config.guest.pages > 12 && (!r->config.guest.khugepaged || !r->config.guest.khugepaged_period))
		fprintf(out, "  khugepaged is off (guest.khugepaged or guest.khugepaged_period is 0)\n");
	if (r->mmu.mapped_4k + r->mmu.mapped_2m + r->mmu.mapped_1g)
		fprintf(out, "  entries that the hypervisor made: %llu of 4K, %llu of 2M, %llu of 1G\n",
			(unsigned long long)r->mmu.mapped_4k, (unsigned long long)r->mmu.mapped_2m,
			(unsigned long long)r->mmu.mapped_1g);
	if (r->config.hv.fragmentation > 0 && r->config.hv.pages > 12 && strcmp(r->config.hv.mechanism, "native"))
		fprintf(out, "  as the host has %g %% of its 2M blocks in pieces (hv.fragmentation)\n",
			100 * r->config.hv.fragmentation);
}

void lab_result_print(const struct lab_result *r, FILE *out)
{
	print_head(r, out);
	print_tlbs(r, out);
	print_walks(r, out);
	print_exits(r, out);
	print_memory(r, out);
	print_cycles(r, out);
	print_verdict(r, out);
}
