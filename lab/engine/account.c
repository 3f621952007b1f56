/* lab/engine/account.c - from counts to the account: times, sums, and the laws that must hold. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lab/config/config_text.h"
#include "lab/machine/machine.h"
#include "lab/machine/estimate.h"

static double reference_cycles(const struct lab_machine_config *c, const uint64_t places[LAB_PLACES])
{
	return (double)places[LAB_L1] * c->l1_cycles + (double)places[LAB_L2] * c->l2_cycles +
	       (double)places[LAB_L3] * c->l3_cycles + (double)places[LAB_DRAM] * c->dram_cycles;
}

static void add_mmu(struct mmu_counters *sum, const struct mmu_counters *now, const struct mmu_counters *before)
{
#define C(name, help) sum->name += now->name - before->name;
	MMU_COUNTERS(C)
#undef C
}

static void add_os(struct lab_os_counters *sum, const struct lab_os_counters *one)
{
#define C(name, help) sum->name += one->name;
	LAB_OS_COUNTERS(C)
#undef C
}

/* What virtual machines hold or have counted themselves. */
static void gather(const struct lab_machine *m, struct lab_result *r)
{
	for (unsigned i = 0; i < m->config->hv.vms; i++) {
		const struct lab_cpu *cpu = &m->vm[i];

		if (cpu->os) {
			struct lab_os_counters os = lab_os_counters(cpu->os);

			add_os(&r->os, &os);
		}
		if (!cpu->vm_ready)
			continue;
		add_mmu(&r->mmu, &cpu->vm.counters, &cpu->mmu_before);
		r->host_table_pages += mmu_table_pages(&cpu->vm);
		for (unsigned size = 0; m->config->hv.populate && size < LAB_SIZES; size++)
			r->populated[size] += cpu->ram.populated[size] - cpu->populated_before[size];
	}
	r->guest_table_pages = r->os.os_table_pages;
}

static void price_walks(const struct lab_counts *n, const struct lab_machine_config *c, struct lab_result *r)
{
	for (unsigned level = 1; level < ARRAY_SIZE(r->guest_references); level++)
		r->cycles_walk_guest += reference_cycles(c, r->guest_references[level]);
	for (unsigned level = 1; level < ARRAY_SIZE(r->ept_references); level++)
		r->cycles_walk_ept += reference_cycles(c, r->ept_references[level]);
	r->cycles_walk_guest += (double)r->walks * c->psc_hit;
	r->cycles_walk_ept += (double)r->ntlb_hits * c->ntlb_hit + (double)r->ntlb_misses * c->psc_hit;
	for (unsigned i = 0; i < LAB_FLUSH_COUNT; i++)
		r->refill_cycles[i] =
			reference_cycles(c, n->refill_references[i]) + (double)r->refills[i] * c->psc_hit +
			(double)n->refill_ntlb_hits[i] * c->ntlb_hit + (double)n->refill_ntlb_misses[i] * c->psc_hit;
}

static void price_exits(const struct lab_counts *n, const struct lab_config *c, struct lab_result *r)
{
	for (unsigned i = 0; i < LAB_EXIT_COUNT; i++) {
		r->exits_all += r->exits[i];
		r->hypervisor_instructions += n->exit_instructions[i];
		r->exit_cycles[i] =
			(double)r->exits[i] * c->machine.exit_cycles + (double)n->exit_instructions[i] * c->hv.path_cpi;
	}
	r->cycles_exits = (double)r->exits_all * c->machine.exit_cycles;
	r->cycles_hypervisor = (double)r->hypervisor_instructions * c->hv.path_cpi;
	for (unsigned size = 0; size < LAB_SIZES; size++)
		r->cycles_populate += (double)r->populated[size] *
				      ((double)c->hv.path_host_fault * c->hv.path_cpi +
				       (double)BIT(size_shift(size)) * c->machine.copy_byte_cycles);
	r->cycles_flushes =
		(double)n->invvpids * c->machine.invvpid_cycles + (double)n->invepts * c->machine.invept_cycles;
}

/* What is said of it is taken; else what the workload knows; a trace knows nothing of it. */
static struct lab_dependence dependence_of(const struct lab_machine *m)
{
	struct lab_dependence d = { 0.5, 0.2, 0.9 };
	double said;

	if (strcmp(m->config->dependence, "auto") && lab_type_parse(LAB_TYPE_RATIO, m->config->dependence, &said))
		return (struct lab_dependence){ said, said, said };
	if (m->vm[0].source && m->vm[0].source->dependence.high > 0)
		d = m->vm[0].source->dependence;
	return d;
}

/* What the second caches' answers took beyond hits in the L1 cache. */
static double beyond_l1(const struct lab_machine_config *c, const uint64_t places[LAB_PLACES])
{
	const uint64_t beyond[LAB_PLACES] = { 0, places[LAB_L2], places[LAB_L3], places[LAB_DRAM] };

	return reference_cycles(c, beyond) -
	       (double)(places[LAB_L2] + places[LAB_L3] + places[LAB_DRAM]) * c->l1_cycles;
}

/* Where data has no price: what it would take beyond hits in the L1 cache, what walks would take more that compete with
 * it, and the part of the former that this may be off by. */
static void price_sample(const struct lab_machine *m, struct lab_result *r)
{
	const struct lab_machine_config *c = &m->config->machine;
	const struct lab_sampled *n = &m->counts->sampled;

	for (unsigned line = 0; line < LAB_PAGE_LINES; line++) {
		double weight = lab_sample_weight(m->sample, line), data = weight * beyond_l1(c, n->data[line]);

		if (weight == 0)
			continue;
		r->sample_lines++;
		r->sample_part[lab_sample_part(m->sample, line)] += data;
		r->cycles_unpriced_data += data;
		r->cycles_unpriced_walks +=
			weight * (reference_cycles(c, n->walks[line]) - reference_cycles(c, n->walks_alone[line]));
	}
	r->cycles_unpriced_walks = fmax(0, r->cycles_unpriced_walks);
	if (r->cycles_unpriced_data > 0)
		r->sample_error = lab_sample_error(r->sample_part) / r->cycles_unpriced_data;
}

static void estimate(const struct lab_machine *m, struct lab_result *r)
{
	const struct lab_machine_config *c = &m->config->machine;
	struct lab_dependence d = dependence_of(m);
	struct lab_parts parts = {
		.program = r->cycles_base, .kernel = r->cycles_kernel, .data = r->cycles_data,
		.l2_tlb = r->cycles_l2_tlb, .exits = r->cycles_exits,
		.hypervisor = r->cycles_hypervisor + r->cycles_populate,
		.flushes = r->cycles_flushes - r->cycles_beside, .wakeups = r->cycles_wakeups,
		.walks = r->cycles_walk_guest + r->cycles_walk_ept,
		.unpriced_data = r->cycles_unpriced_data, .unpriced_walks = r->cycles_unpriced_walks,
		.walk_count = (double)r->walks, .instructions = (double)r->instructions, .cpi = c->cpi,
		.walkers = (double)c->walkers, .window = (double)c->window,
		.dependence = d.best, .dependence_low = d.low, .dependence_high = d.high,
	};
	struct lab_estimate e;

	memcpy(parts.sample, r->sample_part, sizeof(parts.sample));
	for (unsigned level = 1; level < ARRAY_SIZE(r->guest_references); level++)
		r->cycles_walks_dram +=
			(double)(r->guest_references[level][LAB_DRAM] + r->ept_references[level][LAB_DRAM]) *
			c->dram_cycles;
	parts.walks_dram = r->cycles_walks_dram;
	parts.data_dram = (double)r->data[LAB_DRAM] * c->dram_cycles;
	e = lab_estimate(&parts);
	r->cycles_estimate = e.best;
	r->cycles_low = e.low;
	r->cycles_high = e.high;
	r->cycles_priced = lab_estimate_priced(&parts).best;
	r->seconds_estimate = e.best / (c->ghz * 1e9);
	r->seconds_low = e.low / (c->ghz * 1e9);
	r->seconds_high = e.high / (c->ghz * 1e9);
	r->dependence = d.best;
	r->dependence_low = d.low;
	r->dependence_high = d.high;
}

void lab_account(const struct lab_machine *m, struct lab_result *r)
{
	const struct lab_counts *n = m->counts;
	const struct lab_config *c = m->config;
	double others;

	*r = n->r;
	r->config = *c;
	gather(m, r);
	price_walks(n, &c->machine, r);
	price_exits(n, c, r);
	r->cycles_base = (double)r->instructions * c->machine.cpi;
	r->cycles_kernel =
		(double)r->kernel_instructions * c->machine.cpi +
		(double)n->delivered_faults * c->machine.fault_cycles + (double)n->cr3_loads * c->machine.cr3_cycles +
		(double)n->invlpgs * c->machine.invlpg_cycles +
		(double)(n->copied_bytes - (r->os.os_collapsed << 21)) * c->machine.copy_byte_cycles;
	r->cycles_khugepaged = (double)(r->os.os_collapsed << 21) * c->machine.copy_byte_cycles;
	lab_price_wakeups(c, r);
	r->cycles_data = reference_cycles(&c->machine, r->data);
	for (unsigned i = 0; i < LAB_PLACES; i++)
		r->cycles_data -= (double)r->data[i] * c->machine.l1_cycles;
	for (unsigned i = 0; i < LAB_SIZES; i++)
		r->cycles_l2_tlb += (double)r->l2_hits[i] * c->machine.l2_hit;
	others = r->cycles_base + r->cycles_kernel + r->cycles_data + r->cycles_exits + r->cycles_hypervisor +
		 r->cycles_flushes + r->cycles_populate + r->cycles_wakeups - r->cycles_beside;
	r->cycles_most = others + r->cycles_l2_tlb + r->cycles_walk_guest + r->cycles_walk_ept;
	/* However well walks are hidden, the walkers have to make them. */
	r->cycles_least = fmax(others, (r->cycles_walk_guest + r->cycles_walk_ept) / (double)c->machine.walkers);
	r->seconds_least = r->cycles_least / (c->machine.ghz * 1e9);
	r->seconds_most = r->cycles_most / (c->machine.ghz * 1e9);
	price_sample(m, r);
	estimate(m, r);
}

void lab_measure(struct lab_machine *m)
{
	memset(m->counts, 0, sizeof(*m->counts));
	for (unsigned i = 0; i < m->config->hv.vms; i++) {
		struct lab_cpu *cpu = &m->vm[i];

		if (cpu->vm_ready)
			cpu->mmu_before = cpu->vm.counters;
		memcpy(cpu->populated_before, cpu->ram.populated, sizeof(cpu->populated_before));
		if (cpu->os)
			lab_os_reset_counters(cpu->os);
	}
}

/* ---- the laws ---- */

static uint64_t sum(const uint64_t *v, unsigned n)
{
	uint64_t s = 0;

	for (unsigned i = 0; i < n; i++)
		s += v[i];
	return s;
}

static bool law(const char *name, uint64_t left, uint64_t right, struct lab_error *error)
{
	return left == right ||
	       lab_fail(error,
			"the account is wrong (an error of the lab): %s is %llu on one side and %llu on the other",
			name, (unsigned long long)left, (unsigned long long)right);
}

static bool near(const char *name, double left, double right, struct lab_error *error)
{
	return fabs(left - right) <= 1e-9 * fmax(fabs(left), fabs(right)) ||
	       lab_fail(error,
			"the account is wrong (an error of the lab): %s is %.17g on one side and %.17g on the other",
			name, left, right);
}

bool lab_result_check(const struct lab_result *r, struct lab_error *error)
{
	uint64_t references =
		sum(&r->guest_references[0][0], 6 * LAB_PLACES) + sum(&r->ept_references[0][0], 6 * LAB_PLACES);
	double exits = 0;
	bool ok = true;

	for (unsigned i = 0; i < LAB_EXIT_COUNT; i++)
		exits += r->exit_cycles[i];

	ok = ok && law("accesses = reads + writes + fetches", r->accesses, r->reads + r->writes + r->fetches, error);
	ok = ok && law("accesses + retries = hits + walks", r->accesses + r->retries,
		       sum(r->l1_hits, LAB_SIZES) + sum(r->l2_hits, LAB_SIZES) + r->walks, error);
	ok = ok && law("walks = completed + faulted + exited", r->walks,
		       sum(r->walks_completed, LAB_SIZES) + r->walks_faulted + r->walks_exited, error);
	ok = ok && law("references = guest's + EPT's", r->references, references, error);
	ok = ok && law("walks = by where they began", r->walks, sum(r->psc_hits, 6), error);
	ok = ok &&
	     law("nested-TLB misses = EPT walks by where they began", r->ntlb_misses, sum(r->npsc_hits, 6), error);
	ok = ok && law("exits = sum over reasons", r->exits_all, sum(r->exits, LAB_EXIT_COUNT), error);
	ok = ok && near("cycles of exits and hypervisor = sum over reasons", r->cycles_exits + r->cycles_hypervisor,
			exits, error);
	ok = ok && near("most cycles = sum of the parts", r->cycles_most,
			r->cycles_base + r->cycles_kernel + r->cycles_data + r->cycles_l2_tlb + r->cycles_walk_guest +
				r->cycles_walk_ept + r->cycles_exits + r->cycles_hypervisor + r->cycles_flushes +
				r->cycles_populate + r->cycles_wakeups - r->cycles_beside,
			error);
	return ok;
}
