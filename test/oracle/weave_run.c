/* Interleaved sequences at random: rounds of a few steps for each vCPU, which all end before the next begins; what
 * fails is shrunk to few steps and few changes from one vCPU to another, printed, and read again. */
#include "test/oracle/weave.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MOST 6      /* of a vCPU in a round */
#define CHOICES_MAX 100000

struct woven {
	uint32_t round;
	uint8_t actor;
	bool alone; /* done while nobody else has anything to do */
	struct step step;
};

struct cloth {
	struct config c;
	struct woven *step;
	size_t steps;
	struct schedule s;
	bool at_random;       /* choices are made as the seed says, not only those that are given */
	bool thorough;
	/* what came of it */
	struct account *sum;
	struct world *w;
	uint32_t failed_in;
	const char *kind;
};

/* ---- how it is made ---- */

static struct config config_woven(uint64_t seed, const struct mmu_ops *ops)
{
	struct config c = config_from_seed(seed, ops);

	c.vms = 1;
	c.vcpus = 2 + seed % 3;
	c.cpus = 2 + seed / 3 % 3;
	c.races = c.big_ram = c.wide = false;
	c.mode_fixed = true;
	if (c.mode == X_NONE)
		c.mode = X_4LEVEL;
	return c;
}

/* Steps that drive other vCPUs, or that a host does piece by piece, are others here. */
static uint8_t op_woven(uint8_t op, uint64_t r)
{
	switch (op) {
	case OP_EDIT_OTHER:
	case OP_CROWD:
	case OP_PARTS:
		return OP_EDIT_PATH;
	case OP_REST:
	case OP_RETRACK:
		return OP_REPEAT;
	case OP_MERGE:
	case OP_BLOCK:
		return OP_SWAP_OUT;
	case OP_SLOT:
	case OP_REBOOT:
	case OP_MODE:
	case OP_EFER:
		return r & 1 ? OP_REPEAT : OP_LOG_COLLECT;
	default:
		return op;
	}
}

static struct step step_woven(uint64_t *random)
{
	struct step s = step_random(random);

	s.op = op_woven(s.op, s.v);
	return s;
}

static void put(struct cloth *q, size_t *room, struct woven step)
{
	if (q->steps == *room) {
		*room = *room ? 2 * *room : 256;
		q->step = realloc(q->step, *room * sizeof(*q->step));
		BUG_ON(!q->step);
	}
	q->step[q->steps++] = step;
}

static void make(struct cloth *q, unsigned rounds)
{
	static const uint8_t alone[] = { OP_SLOT, OP_REBOOT, OP_MODE, OP_SWITCH };
	uint64_t random = q->c.seed ^ 0x3779b97f4a7c15ull;
	size_t room = 0;

	for (uint32_t round = 0; round < rounds; round++) {
		uint64_t r = next_random(&random);

		if (r % 24 == 0) {
			struct woven one = { round, r >> 8 & 3, true, step_random(&random) };

			one.step.op = alone[r >> 16 & 3];
			put(q, &room, one);
			continue;
		}
		for (uint8_t i = 0; i < q->c.vcpus; i++)
			for (unsigned n = 1 + (r >> (8 + 4 * i)) % STEPS_MOST; n; n--)
				put(q, &room, (struct woven){ round, i, false, step_woven(&random) });
	}
}

/* ---- how it is run ---- */

static void do_step(struct vcpu *v, const struct step *s)
{
	struct world *w = v->vm->world;

	w->stepping = v;
	w->account.steps++;
	w->account.op[s->op]++;
	TRACE("%s, vcpu %u\n", op_name(s->op), (unsigned)(v - v->vm->vcpu));
	if (s->op <= OP_SPECULATE || (s->op >= OP_COPY_TABLE && s->op <= OP_RETRACK) || s->op >= OP_DELIVER) {
		guest_step(v, s);
		return;
	}
	leave(v);
	w->by_host = true;
	host_step(v, s);
	w->by_host = false;
}

/* As flush_in_time, with room for a round. */
static void forget_in_time(struct vm *vm)
{
	bool due = vm->changes + 4000 > HISTORY;

	for (unsigned i = 0; i < vm->world->c.vcpus; i++)
		due |= vm->vcpu[i].events + 200 > EVENTS || vm->vcpu[i].contexts + 120 > CONTEXTS;
	if (due)
		flush_history(vm);
}

static void check(struct world *w, uint32_t round, bool thorough)
{
	if (thorough || round % 16 == 0)
		check_audit(w);
	if (!w->failed && (thorough || round % 64 == 0)) {
		gm_settle_flags(&w->vm[0]);
		gm_compare(&w->vm[0]);
	}
	if (w->phys.wild)
		fail(w, "the CPU touched %llx, where no memory is (S11)", (unsigned long long)w->phys.wild_at);
}

/* Sometimes at any point, sometimes at those of one kind alone; now often, now seldom. */
static void tune(struct cloth *q, uint32_t round)
{
	uint64_t r = mix(q->c.seed ^ (uint64_t)round << 32);
	static const uint8_t rates[] = { 2, 4, 8, 24 };

	q->s.seed = q->c.seed;
	q->s.kinds = q->at_random ? (r & 3 ? ~0u : 1u << (r >> 8) % POINT_COUNT | 1u << (r >> 16) % POINT_COUNT) : 0;
	q->s.rate = r & 3 ? rates[r >> 24 & 3] : 2;
}

static size_t run_round(struct cloth *q, size_t from)
{
	struct world *w = q->w;
	struct step step[VCPUS][STEPS_MOST];
	struct part part[VCPUS] = { { step[0], 0 }, { step[1], 0 }, { step[2], 0 }, { step[3], 0 } };
	uint32_t round = q->step[from].round;
	size_t i = from;

	for (unsigned k = 0; k < CPUS; k++)
		m_cpu_seed(&w->cpu[k], mix(q->c.seed ^ round) + k);
	forget_in_time(&w->vm[0]);
	tune(q, round);
	for (; i < q->steps && q->step[i].round == round && !w->failed; i++) {
		struct part *p = &part[q->step[i].actor % q->c.vcpus];

		if (q->step[i].alone)
			do_step(&w->vm[0].vcpu[q->step[i].actor % q->c.vcpus], &q->step[i].step);
		else
			step[p - part][p->steps++] = q->step[i].step;
	}
	if (!w->failed)
		weave_round(w, round, &q->s, part);
	if (!w->failed)
		check(w, round, q->thorough);
	return i;
}

static void run_all(void *ctx)
{
	struct cloth *q = ctx;
	struct world *w = world_make(&q->c);

	q->w = w;
	if (!w)
		return;
	weave_set(weave_make(w), do_step);
	for (size_t i = 0; i < q->steps && !w->failed;) {
		q->failed_in = q->step[i].round;
		i = run_round(q, i);
	}
	if (!w->failed)
		check(w, 0, true);
	if (q->sum)
		account_add(q->sum, w);
	weave_free(w->weave);
	world_free(w);
}

/* true: nothing failed. */
static bool run(struct cloth *q, char why[800])
{
	bool ok = false;

	q->w = NULL;
	q->s.takens = 0;
	if (!run_guarded(run_all, q, why)) {
		q->kind = "";
		return false;
	}
	if (!q->w)
		return true; /* that CPU cannot run the mechanism */
	ok = !q->w->failed;
	if (!ok) {
		memcpy(why, q->w->why, 800);
		q->kind = q->w->kind;
	}
	free(q->w);
	return ok;
}

/* ---- how it is shrunk ---- */

/* Takes count things of size bytes out of list, where the rest still fails the same way. */
static void thin_out(struct cloth *q, void *list, size_t *count, size_t size, char why[800])
{
	const char *kind = q->kind;
	char *all = list, *kept = malloc(*count * size + 1), text[800];

	BUG_ON(!kept);
	for (size_t chunk = *count / 2 + 1; chunk; chunk = chunk == 1 ? 0 : (chunk + 1) / 2)
		for (size_t from = 0; from < *count;) {
			size_t n = chunk < *count - from ? chunk : *count - from, before = *count;

			memcpy(kept, all, before * size);
			memmove(all + from * size, all + (from + n) * size, (before - from - n) * size);
			*count = before - n;
			if (!run(q, text) && q->kind == kind) {
				memcpy(why, text, sizeof(text));
			} else {
				memcpy(all, kept, before * size);
				*count = before;
				from += n;
			}
		}
	q->kind = kind;
	free(kept);
}

/* First the steps; then the choices that were made are given, and made at random no more. */
static void shrink(struct cloth *q, char why[800])
{
	struct choice *taken = malloc(CHOICES_MAX * sizeof(*taken));
	const char *kind = q->kind;
	char text[800];

	BUG_ON(!taken);
	while (q->steps && q->step[q->steps - 1].round > q->failed_in)
		q->steps--;
	q->sum = NULL;
	thin_out(q, q->step, &q->steps, sizeof(*q->step), why);
	q->s.taken = taken;
	q->s.room = CHOICES_MAX;
	run(q, text);
	q->s.taken = NULL;
	q->s.given = taken;
	q->s.givens = q->s.takens < CHOICES_MAX ? q->s.takens : CHOICES_MAX;
	q->at_random = false;
	if (run(q, text) || q->kind != kind) {
		printf("its choices do not bring it about again\n");
		q->s.givens = 0;
		q->at_random = true;
		return;
	}
	thin_out(q, taken, &q->s.givens, sizeof(*taken), why);
	thin_out(q, q->step, &q->steps, sizeof(*q->step), why);
}

/* ---- how it is written down ---- */

static void print(const struct cloth *q, const char *file)
{
	static const char *const names[] = {
#define P(name, what) what,
		POINTS(P)
#undef P
	};
	FILE *f = file ? fopen(file, "w") : stdout;

	if (!f) {
		perror(file);
		return;
	}
	fprintf(f, "interleaved\nmechanism %s\nseed %llu\n", q->c.ops->name, (unsigned long long)q->c.seed);
	for (size_t i = 0; i < q->steps; i++) {
		const struct woven *s = &q->step[i];

		fprintf(f, "%s %u %u %s %x %x %x %llx\n", s->alone ? "alone" : "step", s->round, s->actor,
			op_name(s->step.op), s->step.who, s->step.a, s->step.b, (unsigned long long)s->step.v);
	}
	for (size_t i = 0; i < q->s.givens; i++) {
		const struct choice *c = &q->s.given[i];

		fprintf(f, "change %u %u %u %u %u %s\n", c->round, c->actor, c->point, c->to, c->kind, names[c->kind]);
	}
	if (file)
		fclose(f);
}

static bool read_line(struct cloth *q, const char *line, size_t *room, struct choice *given)
{
	unsigned round, actor, point, to, kind;
	int at = 0;

	if (sscanf(line, "change %u %u %u %u %u", &round, &actor, &point, &to, &kind) == 5) {
		if (q->s.givens == CHOICES_MAX)
			return false;
		given[q->s.givens++] =
			(struct choice){ round, point, (uint8_t)actor, (uint8_t)to, (uint8_t)kind };
		return true;
	}
	if (sscanf(line, "%*s %u %u %n", &round, &actor, &at) != 2 || !at || actor >= VCPUS)
		return false;
	struct woven s = { round, (uint8_t)actor, strncmp(line, "alone", 5) == 0, { 0 } };

	if (!step_read(line + at, &s.step))
		return false;
	put(q, room, s);
	return true;
}

static bool read_all(struct cloth *q, FILE *f, struct choice *given)
{
	char line[200], name[32];
	unsigned long long seed;
	size_t room = 0;

	if (!fgets(line, sizeof(line), f) || sscanf(line, "mechanism %31s", name) != 1 ||
	    !fgets(line, sizeof(line), f) || sscanf(line, "seed %llu", &seed) != 1 || !mmu_mechanism_by_name(name))
		return false;
	q->c = config_woven(seed, mmu_mechanism_by_name(name));
	q->s.given = given;
	while (fgets(line, sizeof(line), f))
		if (!read_line(q, line, &room, given))
			return false;
	return true;
}

int weave_replay(const char *file)
{
	FILE *f = fopen(file, "r");
	char line[200], why[800];
	struct cloth q = { .thorough = true };
	struct choice *given;
	bool ok;

	if (!f || !fgets(line, sizeof(line), f) || strcmp(line, "interleaved\n") != 0) {
		if (f)
			fclose(f);
		return -1;
	}
	given = malloc(CHOICES_MAX * sizeof(*given));
	BUG_ON(!given);
	ok = read_all(&q, f, given);
	fclose(f);
	if (!ok)
		fprintf(stderr, "%s: not an interleaved sequence\n", file);
	else if ((ok = run(&q, why)))
		printf("%s: passes\n", file);
	else
		printf("%s: fails\n  %s\n", file, why);
	free(given);
	free(q.step);
	return ok;
}

/* ---- many of them ---- */

static bool one(const struct weave_options *o, uint64_t seed, struct account *sum)
{
	struct cloth q = { .c = config_woven(seed, o->ops), .at_random = true, .thorough = o->thorough, .sum = sum };
	char why[800];
	bool ok;

	make(&q, o->rounds);
	ok = run(&q, why);
	if (!ok) {
		printf("FAILED: mechanism %s, seed %llu, step %u (a round of an interleaved sequence)\n  %s\n",
		       o->ops->name, (unsigned long long)seed, q.failed_in, why);
		if (!o->no_shrink) {
			fflush(stdout);
			shrink(&q, why);
			printf("shrunk to %zu steps and %zu changes:\n  %s\n", q.steps, q.s.givens, why);
			print(&q, o->save);
			free((void *)(uintptr_t)q.s.given);
		}
	}
	free(q.step);
	return ok;
}

bool weave_random(const struct weave_options *o, struct account *sum)
{
	bool ok = true;

	for (uint64_t i = 0; ok && i < o->runs && (!o->accesses || sum->accesses < o->accesses); i++)
		ok = one(o, o->seed + i, sum);
	return ok;
}
