/* vm/control/cpus.c - where virtual CPUs run, and how large a share they have, on request. */
#include "vm/control/control.h"

#include "lib/fmt.h"
#include "lib/mutants/mutate.h"

/* NULL: there is none, as error says. */
static struct percpu *cpu_named(uint64_t id, char *error, size_t size)
{
	struct percpu *cpu = id < cpus_count() ? percpu_of((unsigned)id) : NULL;

	if (!cpu)
		fmt(error, size, "there is no CPU %lu: they are numbered from 0 to %u", id, cpus_count() - 1);
	return cpu;
}

static void answer(struct json *j, const struct vcpu *v, const struct control_request *r)
{
	json_open(j, NULL, '{');
	json_text(j, "vm", v->vm->config->name);
	if (r->vcpu != CONTROL_ANY)
		json_number(j, "vcpu", v->id);
	if (r->address == CONTROL_ANY)
		json_text(j, "cpu", NULL);
	else
		json_number(j, "cpu", r->address);
	json_close(j, '{');
}

bool control_pin(struct vcpu *v, bool last, const struct control_request *r, struct json *j, char *error, size_t size)
{
	struct percpu *cpu = NULL;

	if (r->address != CONTROL_ANY && !(cpu = cpu_named(r->address, error, size)))
		return false;
	vcpu_pin(v, cpu);
	if (last)
		answer(j, v, r);
	return true;
}

bool control_migrate(struct vcpu *v, const struct control_request *r, struct json *j, char *error, size_t size)
{
	struct percpu *cpu = cpu_named(r->address, error, size);

	if (!cpu)
		return false;
	if (VM_KEPT(MIGRATE_PINNED, v->pin && v->pin != cpu)) {
		fmt(error, size, "virtual CPU %u of %s is pinned to CPU %u", v->id, v->vm->config->name, v->pin->id);
		return false;
	}
	vcpu_move(v, cpu);
	answer(j, v, r);
	return true;
}

bool control_weight(struct vm *vm, const struct control_request *r, struct json *j, char *error, size_t size)
{
	if (VM_KEPT(WEIGHT_RANGE, r->address < CONFIG_WEIGHT_MIN || r->address > CONFIG_WEIGHT_MAX)) {
		fmt(error, size, "a weight is from %u to %u, not %lu", CONFIG_WEIGHT_MIN, CONFIG_WEIGHT_MAX,
		    r->address);
		return false;
	}
	__atomic_store_n(&vm->weight, (unsigned)r->address, __ATOMIC_RELAXED);
	json_open(j, NULL, '{');
	json_text(j, "vm", vm->config->name);
	json_number(j, "weight", r->address);
	json_close(j, '{');
	return true;
}
