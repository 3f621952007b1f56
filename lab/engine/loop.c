/* lab/engine/loop.c - the loops that take events from a stream to the machine: the plain one, which makes every access,
 * and the fast one, which only counts those that change nothing (lab/machine/fast.h). */
#include "lab/machine/fast.h"

static bool refill(struct lab_cpu *cpu)
{
	const char *why;

	cpu->at = 0;
	cpu->batch->events = 0;
	if (lab_source_next(cpu->source, cpu->batch))
		return true;
	cpu->batch->events = 0;
	cpu->ended = true;
	why = lab_source_error(cpu->source);
	if (why)
		lab_fail(cpu->m->error, "%s", why);
	return false;
}

bool lab_stream_call(struct lab_cpu *cpu, const struct lab_call *call)
{
	if (call->kind != LAB_MEASURE)
		return lab_os_call(cpu->os, call, cpu->m->error) && !cpu->m->error->text[0];
	cpu->measured = true;
	for (unsigned i = 0; i < cpu->m->config->hv.vms; i++)
		if (!cpu->m->vm[i].measured)
			return true;
	lab_measure(cpu->m);
	return true;
}

/* One access of the stream, made by the machine. false: broken. */
static bool one_access(struct lab_cpu *cpu, uint64_t gva, enum lab_kind kind, bool user)
{
	struct lab_machine *m = cpu->m;
	struct lab_translation t;
	enum lab_ended ended = lab_access(cpu, gva, kind, user, &t);

	if (ended == LAB_EMULATED)
		lab_emulated(cpu, &t, kind);
	else if (ended == LAB_DONE && kind != LAB_FETCH && m->config->machine.data_cache)
		m->counts->r.data[m->hardware->reference(m, t.hpa)]++;
	return !m->error->text[0];
}

static bool is_user(uint64_t code)
{
	return !(code >> 63);
}

/* With page-table isolation, what the kernel itself does in the stream needs the kernel's tables. */
static inline void set_mode(struct lab_cpu *cpu, bool kernel)
{
	if (likely(!cpu->m->config->guest.pti || cpu->in_kernel == kernel))
		return;
	cpu->in_kernel = kernel;
	lab_os_mode(cpu->os, kernel);
}

/* ---- plain ---- */

static bool plain_event(struct lab_cpu *cpu, const struct lab_event *e)
{
	struct lab_result *r = &cpu->m->counts->r;

	if (e->kind == LAB_CALL) {
		set_mode(cpu, false);
		return lab_stream_call(cpu, &cpu->batch->call[e->addr]);
	}
	if (e->kind == LAB_FETCH) {
		cpu->code = e->addr;
		return true;
	}
	r->accesses++;
	r->reads += e->kind == LAB_READ;
	r->writes += e->kind == LAB_WRITE;
	r->kernel_accesses += e->kernel != 0;
	cpu->done++;
	cpu->last = e->addr;
	set_mode(cpu, e->kernel);
	return one_access(cpu, e->addr, (enum lab_kind)e->kind, !e->kernel);
}

bool lab_loop_plain(struct lab_cpu *cpu, uint64_t until)
{
	struct lab_result *r = &cpu->m->counts->r;

	while (cpu->done < until) {
		const struct lab_event *e;

		if (cpu->at == cpu->batch->events && !refill(cpu))
			return !cpu->m->error->text[0];
		e = &cpu->batch->event[cpu->at++];
		if (!plain_event(cpu, e))
			return false;
		if (e->fetches && !is_user(cpu->code))
			set_mode(cpu, true);
		for (uint32_t i = 0; i < e->fetches; i++) {
			r->accesses++;
			r->fetches++;
			r->instructions++;
			r->kernel_accesses += !is_user(cpu->code);
			cpu->done++;
			if (!one_access(cpu, cpu->code, LAB_FETCH, is_user(cpu->code)))
				return false;
		}
	}
	return true;
}

/* ---- fast ---- */

/* What the filter knows of gva: the size of its translation, or LAB_SIZES. */
static inline unsigned filtered(const struct filter *f, unsigned row, uint64_t gva)
{
	if (likely(f->p4k[row][(gva >> 12) % FILTER_4K] == gva >> 12))
		return LAB_4K;
	if (f->p2m[row][(gva >> 21) % FILTER_2M] == gva >> 21)
		return LAB_2M;
	if (f->p1g[row][(gva >> 30) % FILTER_1G] == gva >> 30)
		return LAB_1G;
	return LAB_SIZES;
}

/* Counts of the loop, kept out of memory while nothing else looks at them. */
struct tally {
	uint64_t hits[LAB_SIZES], made[2], fetches, kernel;
};

static void settle(struct lab_cpu *cpu, struct tally *t)
{
	struct lab_result *r = &cpu->m->counts->r;

	for (unsigned i = 0; i < LAB_SIZES; i++)
		r->l1_hits[i] += t->hits[i];
	r->reads += t->made[LAB_READ];
	r->writes += t->made[LAB_WRITE];
	r->fetches += t->fetches;
	r->instructions += t->fetches;
	r->accesses += t->made[LAB_READ] + t->made[LAB_WRITE] + t->fetches;
	r->kernel_accesses += t->kernel;
	*t = (struct tally){ 0 };
}

static bool fetches(struct lab_cpu *cpu, const struct filter *f, uint32_t n, struct tally *t)
{
	bool user = is_user(cpu->code);
	unsigned row = filter_row(LAB_FETCH, user);

	t->fetches += n;
	cpu->done += n;
	if (!user) {
		t->kernel += n;
		set_mode(cpu, true);
	}
	while (n > 0) {
		unsigned size = filtered(f, row, cpu->code);

		if (likely(size < LAB_SIZES)) {
			t->hits[size] += n;
			return true;
		}
		if (!one_access(cpu, cpu->code, LAB_FETCH, user))
			return false;
		n--;
	}
	return true;
}

bool lab_loop_fast(struct lab_cpu *cpu, uint64_t until)
{
	const struct filter *f = &((struct fast *)cpu->m->hw)->filter;
	bool filter_data = !cpu->m->config->machine.data_cache, ok = true;
	struct tally t = { 0 };

	while (ok && cpu->done < until) {
		const struct lab_event *e;

		if (cpu->at == cpu->batch->events && !refill(cpu)) {
			ok = !cpu->m->error->text[0];
			break;
		}
		e = &cpu->batch->event[cpu->at++];
		if (likely(e->kind <= LAB_WRITE)) {
			unsigned row = filter_row((enum lab_kind)e->kind, !e->kernel), size = LAB_SIZES;

			t.made[e->kind]++;
			t.kernel += e->kernel != 0;
			cpu->done++;
			set_mode(cpu, e->kernel);
			if (likely(filter_data))
				size = filtered(f, row, e->addr);
			if (likely(size < LAB_SIZES))
				t.hits[size]++;
			else
				ok = one_access(cpu, e->addr, (enum lab_kind)e->kind, !e->kernel);
		} else if (e->kind == LAB_FETCH) {
			cpu->code = e->addr;
		} else {
			settle(cpu, &t);
			set_mode(cpu, false);
			ok = lab_stream_call(cpu, &cpu->batch->call[e->addr]);
		}
		if (ok && e->fetches)
			ok = fetches(cpu, f, e->fetches, &t);
	}
	settle(cpu, &t);
	return ok;
}
