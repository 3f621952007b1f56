/* The steps: what the guests and the host do. */
#include <string.h>

#include "test/oracle/oracle.h"

const char *op_name(unsigned op)
{
	static const char *const names[] = {
#define O(name, weight) #name,
		OPS(O)
#undef O
	};
	return op < OP_COUNT ? names[op] : "?";
}

struct step step_random(uint64_t *random)
{
	static const uint16_t weights[] = {
#define O(name, weight) weight,
		OPS(O)
#undef O
	};
	unsigned total = 0, pick, op = 0;
	uint64_t r = next_random(random);

	for (unsigned i = 0; i < OP_COUNT; i++)
		total += weights[i];
	pick = (r & 0xffffffff) % total;
	while (pick >= weights[op])
		pick -= weights[op++];
	return (struct step){
		.op = op, .who = r >> 32, .a = r >> 40, .b = next_random(random), .v = next_random(random)
	};
}

/* Histories are finite: the guests flush before they are full. */
void flush_in_time(struct vm *vm)
{
	bool due = vm->changes + 1200 > HISTORY;

	for (unsigned i = 0; i < vm->world->c.vcpus; i++)
		due |= vm->vcpu[i].events + 80 > EVENTS || vm->vcpu[i].contexts + 40 > CONTEXTS;
	if (due)
		flush_history(vm);
}

void flush_history(struct vm *vm)
{
	for (unsigned i = 0; i < vm->world->c.vcpus && !vm->world->failed; i++)
		guest_flush_all(&vm->vcpu[i]);
	vm->changes = 0;
	memset(vm->bucket, 0, sizeof(vm->bucket));
}

static void by_host(struct vcpu *v, const struct step *s)
{
	v->vm->world->by_host = true;
	host_step(v, s);
	v->vm->world->by_host = false;
}

void step_do(struct world *w, const struct step *s)
{
	struct vm *vm = &w->vm[s->who % w->c.vms];
	struct vcpu *v = &vm->vcpu[(s->who >> 4) % w->c.vcpus];

	w->account.steps++;
	w->account.op[s->op]++;
	w->accessing = NULL;
	TRACE("%s, vm %u, vcpu %u\n", op_name(s->op), s->who % w->c.vms, (s->who >> 4) % w->c.vcpus);
	for (unsigned i = 0; i < CPUS; i++)
		m_cpu_seed(&w->cpu[i], mix(s->v ^ s->b) + i);
	flush_in_time(vm);
	if (w->failed)
		return;
	w->stepping = v;
	w->last_store = w->c.races && s->op <= OP_CR4 && (s->b >> 26 & 3) == 0 ? mix(s->v + 1) | 1 : 0;
	w->race = w->c.races && s->op <= OP_HEAL && (s->b >> 28) < 3 ? mix(s->v) | 1 : 0;
	if (s->op <= OP_SPECULATE || (s->op >= OP_COPY_TABLE && s->op <= OP_RETRACK) || s->op >= OP_DELIVER)
		guest_step(v, s);
	else
		by_host(v, s);
	w->race = w->last_store = 0;
}
