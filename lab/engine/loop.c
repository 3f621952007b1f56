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

static bool stream_call(struct lab_cpu *cpu, const struct lab_call *call)
{
	if (call->kind != LAB_MEASURE) {
		if (!lab_os_call(cpu->os, call, cpu->m->error) || cpu->m->error->text[0])
			return false;
		/* A program asks its CPU what it is before it begins (glibc does, at each exec). */
		if (call->kind == LAB_EXEC)
			lab_exits(cpu, LAB_EXIT_cpuid, cpu->m->config->guest.cpuids, cpu->m->config->hv.path_cpuid);
		return !cpu->m->error->text[0];
	}
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
	else if (ended == LAB_DONE && kind != LAB_FETCH)
		lab_data(m, t.hpa);
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
		return stream_call(cpu, &cpu->batch->call[e->addr]);
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

/* What the loop keeps out of memory while nothing else looks at it. hits: of the filter, at 2 MBytes and 1 GByte; the
 * rest of what was made, but for slow, it answered at 4 KBytes. */
struct tally {
	uint64_t data, writes, fetches, kernel, slow, hits[LAB_SIZES];
};

static void add_tally(struct lab_cpu *cpu, struct tally *t)
{
	struct lab_result *r = &cpu->m->counts->r;
	uint64_t made = t->data + t->fetches;

	cpu->done += made;
	r->l1_hits[LAB_4K] += made - t->slow - t->hits[LAB_2M] - t->hits[LAB_1G];
	r->l1_hits[LAB_2M] += t->hits[LAB_2M];
	r->l1_hits[LAB_1G] += t->hits[LAB_1G];
	r->reads += t->data - t->writes;
	r->writes += t->writes;
	r->fetches += t->fetches;
	r->instructions += t->fetches;
	r->accesses += made;
	r->kernel_accesses += t->kernel;
	*t = (struct tally){ 0 };
}

/* Does the filter know gva as a part of a large page, and of which size? LAB_4K: no. */
static unsigned filtered_large(struct fast *f, unsigned row, uint64_t gva, uint64_t n, struct tally *t)
{
	for (unsigned size = LAB_2M; size < LAB_SIZES; size++) {
		struct filter_slot *s = filter_at(&f->filter, row, size, gva);

		if (!filter_knows(s, size, gva))
			continue;
		*s->stamp = ++f->clock;
		t->hits[size] += n;
		return size;
	}
	return LAB_4K;
}

/* n fetches from the current code page that the filter does not know at 4 KBytes. */
static bool fetches(struct lab_cpu *cpu, unsigned row, uint32_t n, struct tally *t)
{
	struct fast *f = cpu->m->hw;

	for (; n; n--) {
		struct filter_slot *s = filter_at(&f->filter, row, LAB_4K, cpu->code);

		if (filter_knows(s, LAB_4K, cpu->code)) {
			*s->stamp = ++f->clock;
			return true;
		}
		if (filtered_large(f, row, cpu->code, n, t))
			return true;
		t->slow++;
		if (!one_access(cpu, cpu->code, LAB_FETCH, is_user(cpu->code)))
			return false;
	}
	return true;
}

/* What goes through caches needs its host-physical address: the entry whose stamp the filter knows has it. */
static uint64_t known_address(const struct filter_slot *s, unsigned size, uint64_t gva)
{
	const struct assoc_entry *e = container_of(s->stamp, struct assoc_entry, stamp);

	return (e->a & ENTRY_ADDRESS) | (gva & (BIT(size_shift(size)) - 1));
}

static bool data_access(struct lab_cpu *cpu, const struct lab_event *e, struct tally *t)
{
	struct lab_machine *m = cpu->m;
	struct fast *f = m->hw;
	unsigned row = filter_row((enum lab_kind)e->kind, !e->kernel);

	set_mode(cpu, e->kernel);
	for (unsigned size = 0; size < LAB_SIZES; size++) {
		struct filter_slot *s = filter_at(&f->filter, row, size, e->addr);

		if (!filter_knows(s, size, e->addr))
			continue;
		*s->stamp = ++f->clock;
		t->hits[size]++;
		lab_data(m, known_address(s, size, e->addr));
		return true;
	}
	t->slow++;
	return one_access(cpu, e->addr, (enum lab_kind)e->kind, !e->kernel);
}

/* One event, wholly. */
static bool event(struct lab_cpu *cpu, const struct lab_event *e, struct tally *t)
{
	bool user;

	if (e->kind <= LAB_WRITE) {
		t->data++;
		t->writes += e->kind;
		t->kernel += e->kernel;
		if (!data_access(cpu, e, t))
			return false;
	} else if (e->kind == LAB_FETCH) {
		cpu->code = e->addr;
	} else {
		add_tally(cpu, t);
		set_mode(cpu, false);
		if (!stream_call(cpu, &cpu->batch->call[e->addr]))
			return false;
	}
	if (!e->fetches)
		return true;
	user = is_user(cpu->code);
	t->fetches += e->fetches;
	t->kernel += user ? 0 : e->fetches;
	if (!user)
		set_mode(cpu, true);
	return fetches(cpu, filter_row(LAB_FETCH, user), e->fetches, t);
}

/* Where the filter keeps a user's code page; NULL: it does not know it at 4 KBytes. */
static inline __attribute__((always_inline)) struct filter_slot *code_slot(struct fast *f, uint64_t code)
{
	struct filter_slot *s = filter_at(&f->filter, filter_row(LAB_FETCH, true), LAB_4K, code);

	return is_user(code) && filter_knows(s, LAB_4K, code) ? s : NULL;
}

/* The filter knows the access by this slot, at this size; it is in the sample, and its line was not the last one. */
static __attribute__((noinline)) void sample_known(struct lab_machine *m, const struct filter_slot *s, unsigned size,
						   uint64_t gva)
{
	struct fast *f = m->hw;
	unsigned line = lab_line_of(gva);

	/* Where all lines are in the sample, those of other places may be in its set. */
	if (~m->sample.lines)
		f->recent[line] = recent_key(f, gva);
	m->counts->sampled.data[line][fast_place(f, f->beside, known_address(s, size, gva))]++;
}

static inline void sample(struct lab_machine *m, uint64_t lines, const struct filter_slot *s, unsigned size,
			  uint64_t gva)
{
	if (unlikely(lab_in_sample(lines, gva)) && !is_recent(m->hw, gva))
		sample_known(m, s, size, gva);
}

/* The access was counted, and the filter does not know it at 4 KBytes. With neither page-table isolation nor data
 * caches. */
static __attribute__((noinline)) bool quick_miss(struct lab_cpu *cpu, const struct lab_event *e, struct tally *t)
{
	struct lab_machine *m = cpu->m;
	unsigned row = filter_row((enum lab_kind)e->kind, !e->kernel), size = filtered_large(m->hw, row, e->addr, 1, t);
	enum lab_ended ended = LAB_DONE;
	struct lab_translation found;

	if (size != LAB_4K) {
		sample(m, m->sample.lines, filter_at(&((struct fast *)m->hw)->filter, row, size, e->addr), size,
		       e->addr);
		return true;
	}
	t->slow++;
	found = fast_translate(m, e->addr, (enum lab_kind)e->kind, !e->kernel);
	if (unlikely(found.how != LAB_TRANSLATED))
		ended = lab_resolve(cpu, e->addr, (enum lab_kind)e->kind, !e->kernel, &found);
	if (likely(ended == LAB_DONE))
		lab_data(m, found.hpa);
	else if (ended == LAB_EMULATED)
		lab_emulated(cpu, &found, (enum lab_kind)e->kind);
	recent_forget(m->hw);
	return !m->error->text[0];
}

static inline __attribute__((always_inline)) void stamp_code(uint64_t *clock, const struct filter_slot *code,
							     uint64_t fetched, uint64_t *stamped)
{
	if (fetched != *stamped)
		*code->stamp = ++*clock;
	*stamped = fetched;
}

static inline void count_data(struct tally *t, const struct lab_event *e)
{
	t->writes += e->kind;
	t->kernel += e->kernel;
}

/* Those of the event that quick() ends with. */
static inline bool last_fetches(struct lab_cpu *cpu, const struct lab_event *e, struct tally *t, uint64_t *clock)
{
	bool ok = fetches(cpu, filter_row(LAB_FETCH, true), e->fetches, t);

	*clock = ((struct fast *)cpu->m->hw)->clock;
	return ok;
}

static inline void add_quick(struct lab_cpu *cpu, const struct lab_event *at, uint64_t clock, uint64_t data,
			     uint64_t fetched, struct tally *t)
{
	((struct fast *)cpu->m->hw)->clock = clock;
	t->data += data;
	t->fetches += fetched;
	cpu->at = (unsigned)(at - cpu->batch->event);
}

/* Data accesses, with fetches from a user's code page that the filter knows, and changes to other such pages: up to the
 * first other event, or until so many accesses are made. A code page is stamped once for all fetches in a row. After a
 * miss, which may be a fault or an exit, the filter may not know the page any more: that ends it. false: broken. */
static bool quick(struct lab_cpu *cpu, uint64_t most, struct tally *t)
{
	struct fast *f = cpu->m->hw;
	const struct lab_event *e = &cpu->batch->event[cpu->at], *end = &cpu->batch->event[cpu->batch->events];
	struct filter_slot *code = code_slot(f, cpu->code), *s;
	uint64_t made = 0, fetched = 0, stamped = 0, clock = f->clock, lines = cpu->m->sample.lines;
	bool ok = true;

	for (recent_forget(f); ok && code && e < end && made < most; e++) {
		if (likely(e->kind <= LAB_WRITE)) {
			s = filter_at(&f->filter, e->kind + 2u * e->kernel, LAB_4K, e->addr);
			count_data(t, e);
			made++;
			if (unlikely(!filter_knows(s, LAB_4K, e->addr))) {
				stamp_code(&clock, code, fetched, &stamped);
				f->clock = clock;
				ok = quick_miss(cpu, e, t);
				code = code_slot(f, cpu->code);
				clock = f->clock;
			} else {
				*s->stamp = ++clock;
				if (unlikely(lab_in_sample(lines, e->addr)) && !is_recent(f, e->addr))
					sample_known(cpu->m, s, LAB_4K, e->addr);
			}
		} else {
			if (e->kind != LAB_FETCH || !(s = code_slot(f, e->addr)))
				break;
			stamp_code(&clock, code, fetched, &stamped);
			code = s;
			cpu->code = e->addr;
		}
		made += e->fetches;
		fetched += e->fetches;
		if (unlikely(!code))
			ok = ok && last_fetches(cpu, e, t, &clock);
	}
	if (code)
		stamp_code(&clock, code, fetched, &stamped);
	add_quick(cpu, e, clock, made - fetched, fetched, t);
	return ok;
}

bool lab_loop_fast(struct lab_cpu *cpu, uint64_t until)
{
	const struct lab_config *c = cpu->m->config;
	bool simple = !c->guest.pti && !c->machine.data_cache, ok = true;
	struct tally t = { 0 };

	while (ok && cpu->done + t.data + t.fetches < until) {
		if (cpu->at == cpu->batch->events && !refill(cpu)) {
			ok = !cpu->m->error->text[0];
			break;
		}
		if (simple)
			ok = quick(cpu, until - cpu->done - t.data - t.fetches, &t);
		if (ok && cpu->at < cpu->batch->events && cpu->done + t.data + t.fetches < until)
			ok = event(cpu, &cpu->batch->event[cpu->at++], &t);
	}
	add_tally(cpu, &t);
	return ok;
}
