/* vm/control/life.c - requests to start, stop, reset and destroy a virtual machine of the description. Each is answered
 * when it has happened, by the first CPU, which alone makes and frees virtual machines (LC1 in vm/life/life.c). */
#include "vm/control/control.h"

#include "lib/fmt.h"
#include "vm/life/life.h"
#include "lib/mutants/mutate.h"

static const char *name_of(unsigned id) { return machine.place[id].config->name; }

static bool runs(const struct vm *vm) { return vm && !vm->settled; }

static bool begin_start(unsigned id, char *error, size_t size)
{
	const char *why;

	if (VM_KEPT(LIFE_RUNS, runs(vm_at(id)))) {
		fmt(error, size, vm_at(id)->ended ? "%s is just ending" : "%s runs", name_of(id));
		return false;
	}
	why = life_start(id);
	if (why)
		fmt(error, size, "%s cannot be started: %s", name_of(id), why);
	return !why;
}

/* The virtual machine's beginnings, when a reset was asked for. */
static unsigned starts_before;

/* One that has not ended ends; one that is to begin again does not. */
static void end_machine(struct vm *vm, const char *how)
{
	VM_MUTANT(STOP_FOR_GOOD, vm->for_good = true);
	vm_end(vm, VM_STATUS_OK, "%s by request", how);
}

static bool refuse(unsigned id, const struct vm *vm, char *error, size_t size)
{
	if (vm)
		fmt(error, size, "%s is over: %s", name_of(id), vm->end_text);
	else
		fmt(error, size, "%s has not been started", name_of(id));
	return false;
}

bool control_life_begin(unsigned id, enum control_command command, char *error, size_t size)
{
	struct vm *vm = vm_at(id);

	if (command == CONTROL_START)
		return begin_start(id, error, size);
	if (!vm || VM_KEPT(LIFE_OVER, !runs(vm) && command != CONTROL_DESTROY))
		return refuse(id, vm, error, size);
	starts_before = machine.place[id].starts;
	if (command == CONTROL_RESET)
		vm_reset(vm, true, "reset by request");
	else if (runs(vm))
		end_machine(vm, command == CONTROL_STOP ? "stopped" : "destroyed");
	return true;
}

bool control_life_done(unsigned id, enum control_command command, char *error, size_t size, bool *ok)
{
	struct vm *vm = vm_at(id);

	*ok = true;
	switch (command) {
	case CONTROL_RESET:
		*ok = machine.place[id].starts != starts_before && !vm->ended;
		if (!*ok && VM_KEPT(RESET_ANSWER, runs(vm)))
			return false;
		if (!*ok)
			refuse(id, vm, error, size);
		return true;
	case CONTROL_STOP:
		return VM_LEFT_OUT_OR(STOP_ANSWER, !runs(vm));
	case CONTROL_DESTROY:
		if (VM_KEPT(DESTROY_SETTLED, runs(vm)))
			return false;
		if (vm)
			life_forget(id);
		return true;
	default:
		return true;
	}
}

void control_life_say(struct json *j, unsigned id)
{
	const struct vm *vm = vm_at(id);

	json_open(j, NULL, '{');
	json_text(j, "vm", name_of(id));
	json_text(j, "state", vm ? control_state(vm) : "off");
	json_close(j, '{');
}
