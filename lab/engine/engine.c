/* lab/engine/engine.c - one run: virtual machines take turns on the CPU until their streams end. */
#include <stdlib.h>

#include "lab/machine/machine.h"

/* ---- a turn ---- */

/* khugepaged has work only where large pages are wanted. */
static bool scans(const struct lab_guest_config *g)
{
	return g->khugepaged && g->khugepaged_period && g->pages > 12;
}

static uint64_t earliest(const struct lab_cpu *cpu, uint64_t until)
{
	if (cpu->m->config->guest.tick)
		until = min_u64(until, cpu->next_tick);
	if (scans(&cpu->m->config->guest))
		until = min_u64(until, cpu->next_scan);
	if (cpu->m->config->hv.exit_period && !cpu->native)
		until = min_u64(until, cpu->next_exit);
	return until;
}

/* Runs the machine's current guest until its stream has made so many accesses, with what interrupts it. */
static bool run_until(struct lab_cpu *cpu, uint64_t until)
{
	const struct lab_config *c = cpu->m->config;

	while (!cpu->ended && cpu->done < until) {
		uint64_t stop = earliest(cpu, until);

		if (!(c->plain ? lab_loop_plain(cpu, stop) : lab_loop_fast(cpu, stop)))
			return false;
		if (c->hv.exit_period && !cpu->native && cpu->done >= cpu->next_exit) {
			cpu->next_exit = cpu->done + c->hv.exit_period;
			lab_exits(cpu, LAB_EXIT_other, 1, c->hv.path_other);
		}
		if (c->guest.tick && cpu->done >= cpu->next_tick) {
			cpu->next_tick = cpu->done + c->guest.tick;
			lab_exits(cpu, LAB_EXIT_timer, c->hv.tick_exits, c->hv.path_timer);
			lab_os_tick(cpu->os);
		}
		if (scans(&c->guest) && cpu->done >= cpu->next_scan) {
			cpu->next_scan = cpu->done + c->guest.khugepaged_period;
			lab_os_khugepaged(cpu->os);
		}
		if (cpu->m->error->text[0])
			return false;
	}
	return true;
}

/* The CPU goes over to another virtual machine. */
static void switch_to(struct lab_machine *m, struct lab_cpu *cpu)
{
	if (m->running == cpu)
		return;
	if (m->running && m->running->vcpu_ready)
		lab_exited(m->running, LAB_EXIT_other, m->config->hv.path_other);
	if (cpu->vcpu_ready)
		lab_enter(cpu);
	m->running = cpu;
}

static bool boot(struct lab_machine *m, struct lab_source *const source[])
{
	for (unsigned i = 0; i < m->config->hv.vms; i++) {
		struct lab_cpu *cpu = &m->vm[i];

		cpu->source = source[i];
		cpu->next_tick = m->config->guest.tick;
		cpu->next_scan = m->config->guest.khugepaged_period;
		cpu->next_exit = m->config->hv.exit_period;
		switch_to(m, cpu);
		cpu->os = lab_os_new(cpu, m->config, source[i]->implicit_mappings, m->error);
		if (!cpu->os || m->error->text[0])
			return false;
	}
	lab_measure(m);
	return true;
}

static bool all_ended(const struct lab_machine *m, uint64_t limit)
{
	for (unsigned i = 0; i < m->config->hv.vms; i++)
		if (!m->vm[i].ended && m->vm[i].done < limit)
			return false;
	return true;
}

static uint64_t done_in_all(const struct lab_machine *m)
{
	uint64_t done = 0;

	for (unsigned i = 0; i < m->config->hv.vms; i++)
		done += m->vm[i].done;
	return done;
}

/* Every guest up to `limit` accesses of its stream. */
static bool turns(struct lab_machine *m, uint64_t limit, lab_progress *progress, void *ctx, uint64_t expected)
{
	while (!all_ended(m, limit)) {
		for (unsigned i = 0; i < m->config->hv.vms; i++) {
			struct lab_cpu *cpu = &m->vm[i];
			uint64_t quantum = m->config->hv.vms > 1 ? m->config->hv.quantum : 1u << 20;

			if (cpu->ended || cpu->done >= limit)
				continue;
			switch_to(m, cpu);
			if (!run_until(cpu, min_u64(limit, cpu->done + quantum)))
				return false;
		}
		if (progress)
			progress(ctx, done_in_all(m), expected);
	}
	return true;
}

/* Something is left to give an account of. */
static bool outlasts_warmup(const struct lab_machine *m, struct lab_error *error)
{
	uint64_t most = 0;

	for (unsigned i = 0; i < m->config->hv.vms; i++) {
		if (!m->vm[i].ended)
			return true;
		most = m->vm[i].done > most ? m->vm[i].done : most;
	}
	return lab_fail(error, "the warm-up of %llu accesses leaves nothing to account for: the workload has %llu; "
			       "set warmup to less, or let the workload do more",
			(unsigned long long)m->config->warmup, (unsigned long long)most);
}

struct extras {
	lab_progress *progress;
	void *progress_ctx;
	lab_after *after;
	void *after_ctx;
};

static bool run_sources(const struct lab_config *config, struct lab_source *const source[], struct lab_result *result,
			const struct extras *x, struct lab_error *error)
{
	struct lab_error own = { "" }, *e = error ? error : &own;
	uint64_t limit = config->limit ? config->limit + config->warmup : UINT64_MAX, expected = 0;
	struct lab_counts *counts = calloc(1, sizeof(*counts));
	struct lab_machine m = { 0 };
	bool ok;

	if (!counts)
		return lab_fail(e, "out of memory");
	if (!lab_config_check(config, e)) {
		free(counts);
		return false;
	}
	for (unsigned i = 0; i < config->hv.vms; i++)
		expected += min_u64(source[i]->accesses, limit);
	ok = lab_machine_init(&m, config, counts, e) && boot(&m, source);
	if (ok && config->warmup) {
		ok = turns(&m, config->warmup, x->progress, x->progress_ctx, expected) && outlasts_warmup(&m, e);
		lab_measure(&m);
	}
	ok = ok && turns(&m, limit, x->progress, x->progress_ctx, expected);
	if (ok) {
		lab_account(&m, result);
		ok = lab_result_check(result, e);
	}
	if (ok && x->after)
		x->after(&m, x->after_ctx);
	lab_machine_fini(&m);
	free(counts);
	return ok;
}

bool lab_run_sources(const struct lab_config *config, struct lab_source *const source[], struct lab_result *result,
		     lab_progress *progress, void *ctx, struct lab_error *error)
{
	const struct extras x = { .progress = progress, .progress_ctx = ctx };

	return run_sources(config, source, result, &x, error);
}

bool lab_run_then(const struct lab_config *config, struct lab_source *const source[], struct lab_result *result,
		  lab_after *after, void *ctx, struct lab_error *error)
{
	const struct extras x = { .after = after, .after_ctx = ctx };

	return run_sources(config, source, result, &x, error);
}

bool lab_run(const struct lab_config *config, struct lab_result *result, lab_progress *progress, void *ctx,
	     struct lab_error *error)
{
	uint64_t limit = config->limit ? config->limit + config->warmup : 0;
	struct lab_source *source[LAB_VMS_MAX] = { NULL };
	struct lab_error own = { "" }, *e = error ? error : &own;
	bool ok = lab_config_check(config, e);

	for (unsigned i = 0; ok && i < config->hv.vms; i++) {
		source[i] = lab_source_open(config->workload, config->seed + i, limit, e);
		ok = source[i] != NULL;
	}
	ok = ok && lab_run_sources(config, source, result, progress, ctx, e);
	for (unsigned i = 0; i < LAB_VMS_MAX; i++)
		if (source[i])
			lab_source_close(source[i]);
	return ok;
}
