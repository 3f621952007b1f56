/* Sequences of steps: run, shrunk, printed, read. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test/oracle/oracle.h"

static sigjmp_buf broken;
static bool running;
static char promise[300];
static const char *kind; /* of the last failure */

/* A broken promise inside mmu/ or the model ends the sequence, not the program. */
_Noreturn void bug(const char *file, int line, const char *what)
{
	snprintf(promise, sizeof(promise), "%s:%d: broken promise: %s", file, line, what);
	if (running)
		siglongjmp(broken, 1);
	fprintf(stderr, "%s\n", promise);
	abort();
}

#ifndef __SANITIZE_ADDRESS__
static void on_signal(int sig)
{
	snprintf(promise, sizeof(promise), "signal %d (%s)", sig, strsignal(sig));
	if (running)
		siglongjmp(broken, 1);
	_exit(3);
}
#endif

static void catch_signals(void)
{
#ifndef __SANITIZE_ADDRESS__
	signal(SIGSEGV, on_signal);
	signal(SIGFPE, on_signal);
#endif
}

static void check_requests(struct world *w)
{
	for (unsigned k = 0; k < VMS * VCPUS; k++) {
		const struct vcpu *v = &w->vm[k / VCPUS].vcpu[k % VCPUS];

		if (v->in && tag_requested(&v->mmu))
			fail(w, "a vCPU runs on, and a flush of it was requested (T2)");
	}
}

void check_audit(struct world *w)
{
	char why[300] = "";

	for (unsigned k = 0; k < w->c.vms; k++) {
		struct mmu_vm *vm = &w->vm[k].mmu;

		w->auditing = true;
		if (!mmu_audit(vm, why, sizeof(why)))
			fail(w, "audit of %s: %s", vm->ops->name, why);
		w->auditing = false;
		if (vm->reserve.short_of)
			fail(w, "audit of %s: RV3: a call began with fewer frames in reserve than it may take",
			     vm->ops->name);
	}
	check_requests(w);
}

static void check(struct world *w, size_t i, unsigned thorough)
{
	unsigned audit = thorough ? 1 : 512, compare = thorough ? 8 : 128;

	if (i % audit == 0)
		check_audit(w);
	check_requests(w);
	if (i % compare == 0)
		for (unsigned k = 0; k < w->c.vms && !w->failed; k++)
			gm_compare(&w->vm[k]);
	if (w->phys.wild)
		fail(w, "the CPU touched %llx, where no memory is (S11)", (unsigned long long)w->phys.wild_at);
}

void account_add(struct account *sum, const struct world *w)
{
	const uint64_t *from = (const uint64_t *)&w->account;
	uint64_t *to = (uint64_t *)sum;
	uint64_t most = max_u64(sum->steps_most, w->account.steps_most);

	for (size_t i = 0; i < sizeof(*sum) / 8; i++)
		to[i] += from[i];
	sum->steps_most = most;
	for (unsigned i = 0; i < w->c.vms; i++) {
		sum->cover[COVER_RELIEVED] += w->vm[i].mmu.counters.tables_relieved;
		sum->cover[COVER_INTERRUPTED] += w->vm[i].mmu.counters.interrupted;
	}
	for (unsigned i = 0; i < CPUS; i++) {
		sum->flushes += w->cpu[i].stats.flushes;
		sum->flushes_idle += w->cpu[i].stats.flushes_idle;
	}
}

static void run_steps(struct world *w, const struct sequence *q, volatile size_t *at, unsigned thorough)
{
	for (unsigned i = 0; i < CPUS; i++)
		w->cpu[i].account = thorough == 2;
	for (size_t i = 0; i < q->steps && !w->failed; i++) {
		*at = i;
		step_do(w, &q->step[i]);
		if (!w->failed)
			check(w, i + 1, thorough);
	}
	if (!w->failed)
		check(w, 0, thorough);
}

bool run_guarded(void (*run)(void *ctx), void *ctx, char why[800])
{
	catch_signals();
	running = true;
	if (sigsetjmp(broken, 1)) {
		running = false;
		snprintf(why, 800, "%s", promise);
		return false;
	}
	run(ctx);
	running = false;
	return true;
}

bool sequence_run(const struct sequence *q, struct account *sum, size_t *failed_at, char why[800], unsigned thorough)
{
	struct world *volatile w = NULL;
	volatile size_t at = 0;
	bool ok;

	catch_signals();
	running = true;
	if (sigsetjmp(broken, 1)) {
		running = false;
		snprintf(why, 800, "%s", promise);
		*failed_at = at;
		kind = promise;
		return false; /* what the world holds is lost: it is in no state to be taken down */
	}
	w = world_make(&q->c);
	if (!w) {
		running = false;
		return true; /* that CPU cannot run the mechanism */
	}
	run_steps(w, q, &at, thorough);
	if (sum)
		account_add(sum, w);
	world_free(w);
	running = false;
	ok = !w->failed;
	if (!ok) {
		memcpy(why, w->why, 800);
		kind = w->kind;
		*failed_at = at;
	}
	free(w);
	return ok;
}

static bool still_fails(const struct sequence *q, char why[800], size_t *at, unsigned thorough)
{
	return !sequence_run(q, NULL, at, why, thorough);
}

void sequence_shrink(struct sequence *q, char why[800], unsigned thorough)
{
	struct sequence t = *q;
	const char *same = kind;
	size_t at = 0;

	t.step = malloc((q->steps + 1) * sizeof(*t.step));
	BUG_ON(!t.step);
	for (size_t chunk = q->steps / 2 + 1; chunk; chunk = chunk == 1 ? 0 : (chunk + 1) / 2) {
		for (size_t from = 0; from < q->steps;) {
			size_t n = chunk < q->steps - from ? chunk : q->steps - from;
			char text[800];

			memcpy(t.step, q->step, from * sizeof(*t.step));
			memcpy(t.step + from, q->step + from + n, (q->steps - from - n) * sizeof(*t.step));
			t.steps = q->steps - n;
			if (t.steps && still_fails(&t, text, &at, thorough) && kind == same) {
				q->steps = at + 1;
				memcpy(q->step, t.step, q->steps * sizeof(*t.step));
				memcpy(why, text, sizeof(text));
			} else {
				from += n;
			}
		}
	}
	free(t.step);
}

void sequence_print(const struct sequence *q, const char *file)
{
	FILE *f = file ? fopen(file, "w") : stdout;

	if (!f) {
		perror(file);
		return;
	}
	fprintf(f, "mechanism %s\nseed %llu\n", q->c.ops->name, (unsigned long long)q->c.seed);
	for (size_t i = 0; i < q->steps; i++)
		fprintf(f, "%s %x %x %x %llx\n", op_name(q->step[i].op), q->step[i].who, q->step[i].a, q->step[i].b,
			(unsigned long long)q->step[i].v);
	if (file)
		fclose(f);
}

bool step_read(const char *line, struct step *s)
{
	char name[32];
	unsigned who, a, b;
	unsigned long long v;

	if (sscanf(line, "%31s %x %x %x %llx", name, &who, &a, &b, &v) != 5)
		return false;
	for (unsigned op = 0; op < OP_COUNT; op++)
		if (strcmp(name, op_name(op)) == 0) {
			*s = (struct step){ .op = op, .who = who, .a = a, .b = b, .v = v };
			return true;
		}
	return false;
}

bool sequence_read(struct sequence *q, const char *file)
{
	FILE *f = fopen(file, "r");
	char line[200], name[32];
	unsigned long long seed;
	size_t room = 0;

	if (!f) {
		perror(file);
		return false;
	}
	*q = (struct sequence){ 0 };
	if (!fgets(line, sizeof(line), f) || sscanf(line, "mechanism %31s", name) != 1 ||
	    !fgets(line, sizeof(line), f) || sscanf(line, "seed %llu", &seed) != 1 || !mmu_mechanism_by_name(name)) {
		fprintf(stderr, "%s: not a sequence\n", file);
		fclose(f);
		return false;
	}
	q->c = config_from_seed(seed, mmu_mechanism_by_name(name));
	while (fgets(line, sizeof(line), f)) {
		if (q->steps == room) {
			room = room ? 2 * room : 64;
			q->step = realloc(q->step, room * sizeof(*q->step));
			BUG_ON(!q->step);
		}
		if (!step_read(line, &q->step[q->steps++])) {
			fprintf(stderr, "%s: not a step: %s", file, line);
			fclose(f);
			return false;
		}
	}
	fclose(f);
	return true;
}
