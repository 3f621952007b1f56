/* vm/life/life.c - virtual machines come and go: made from the description, started, over, made again.
 *
 * LC1  They are made, and their last structures are given back, by the first CPU, between its vCPUs' runs or at a turn
 *      of the host's. Every other CPU knows only those whose vCPUs are on it, and one that a request is about.
 * LC2  One that is over settles: its account has been told, what it held was given back by the CPU that its last vCPU
 *      left, and the first CPU has decided what follows. Until then the machine stays up.
 * LC3  A guest that resets itself over and over costs its neighbours at most a tenth of the first CPU's time: it begins
 *      again when nine times as long has passed as making it took, and when what was told of it has left the port: else
 *      answers would wait behind that for ever (CO1 in host/device/console.h). */
#include "vm/life/life.h"

#include "host/device/console.h"
#include "host/device/lapic.h"
#include "vm/device/console.h"
#include "vm/control/control.h"
#include "vm/live/live.h"
#include "lib/mutants/mutate.h"

#define PAUSES_PER_START 9 /* LC3 */

void life_hold(void) { __atomic_add_fetch(&machine.alive, 1, __ATOMIC_SEQ_CST); }
void life_let_go(void) { __atomic_sub_fetch(&machine.alive, 1, __ATOMIC_SEQ_CST); }

static void announce(const struct vm *vm)
{
	console_line("vm %u start %s", vm->id, vm->config->name);
	if (!vm->mmu.ops)
		return;
	console_line("vm %u set mmu %s", vm->id, vm->mmu.ops->name);
	console_line("vm %u set clock %s", vm->id, vm->clock.guest_only ? "guest" : "host");
	console_line("vm %u set pages %s", vm->id, vm->config->page_bits == PAGE_LIMIT_4K ? "4k" :
						   vm->config->page_bits == PAGE_LIMIT_2M ? "2m" :
						   vm->config->page_bits == PAGE_LIMIT_1G ? "1g" : "auto");
	console_line("vm %u set vpid %s", vm->id, vm_tagged(vm) ? "on" : "off");
	if (vm->tpr.method != CONFIG_TPR_AUTO)
		console_line("vm %u set tpr %s", vm->id, config_tprs[vm->tpr.method]);
	console_line("vm %u set vcpus %u", vm->id, vm->vcpu_count);
	console_line("vm %u set mem_bytes %lu", vm->id, vm->config->mem);
}

/* It never ran, and is over: its account, which is one line, is told like any other's. */
static void tell_stillborn(struct vm *vm)
{
	struct percpu *cpu = this_cpu();

	life_hold();
	vm->untold = cpu->untold;
	cpu->untold = vm;
}

/* CPUs find those that have been given to them when they are kicked, or when they next choose (CQ2 in
 * vm/sched/schedule.h). */
static void wake_cpus(const struct vm *vm)
{
	struct vcpu *v, *runs = this_cpu()->run_queue;

	for_each_vcpu(v, vm) {
		if (v->cpu != this_cpu())
			VM_MUTANT(START_KICK, lapic_host_kick(v->cpu->apic_id));
		else if (runs && runs->running)
			VM_MUTANT(START_SWITCH, vcpu_note(runs, REQUEST_SWITCH));
	}
}

const char *life_start(unsigned id)
{
	struct vm_place *place = &machine.place[id];
	uint64_t begin = rdtsc();
	struct vm *vm;

	if (place->vm)
		life_forget(id);
	vm = vm_create(id, place->config, percpu_of(id % cpus_count()));
	if (!vm)
		return "there is no memory for another virtual machine";
	if (!restore_given(vm->config)) /* whose CPUs have begun already */
		mitigations_choose(vm);
	place->vm = vm;
	place->starts++;
	place->status = 0;
	announce(vm);
	if (vm->ended) {
		tell_stillborn(vm);
		return vm->end_text;
	}
	vm_start(vm);
	wake_cpus(vm);
	if (id == machine.console)
		VM_MUTANT(START_INPUT, platform_console_event(CONSOLE_GUEST));
	place->not_before = rdtsc() + PAUSES_PER_START * (rdtsc() - begin);
	return NULL;
}

void life_begin(void)
{
	for (unsigned id = 0; id < machine.vm_count; id++) {
		const char *why = NULL;

		if (VM_LEFT_OUT_OR(START_ON, machine.place[id].config->start != CONFIG_OFF))
			why = life_start(id);
		if (why && !vm_at(id)) {
			console_log("%s cannot begin: %s", machine.place[id].config->name, why);
			machine.place[id].status = VM_STATUS_BAD_IMAGE;
		}
	}
}

void life_forget(unsigned id)
{
	struct vm_place *place = &machine.place[id];
	struct vm *vm = place->vm;

	VM_MUTANT(LIVE_FORGOTTEN, live_forget(vm));
	place->vm = NULL;
	vm_free(vm);
}

/* ---- it is over ---- */

void vm_released(struct vm *vm)
{
	VM_MUTANT(RELEASED, __atomic_store_n(&vm->released, true, __ATOMIC_RELEASE));
	__atomic_store_n(&machine.unsettled, true, __ATOMIC_SEQ_CST);
	if (this_cpu()->id != 0)
		VM_MUTANT(RELEASED_KICK, lapic_host_kick(percpu_of(0)->apic_id));
}

/* LC3. */
static bool may_begin_again(const struct vm_place *place)
{
	return VM_LEFT_OUT_OR(AGAIN_LATER, rdtsc() >= place->not_before) &&
	       VM_LEFT_OUT_OR(AGAIN_TOLD, console_has_told());
}

/* false: it is to begin again, and may not yet. */
static bool settle(unsigned id)
{
	struct vm_place *place = &machine.place[id];
	struct vm *vm = place->vm;
	bool again = vm->again && VM_LEFT_OUT_OR(FOR_GOOD, !vm->for_good);
	const char *why = NULL;

	if (again && (control_is_asked() || !may_begin_again(place)))
		return false;
	vm->settled = true;
	place->status = vm->status;
	if (VM_KEPT(AGAIN, again))
		why = life_start(id);
	if (why)
		console_log("%s does not begin again: %s", place->config->name, why);
	if (why && !place->vm)
		place->status = VM_STATUS_BAD_IMAGE;
	life_let_go();
	return true;
}

void life_serve(void)
{
	bool all = true;

	__atomic_store_n(&machine.unsettled, false, __ATOMIC_SEQ_CST);
	for (unsigned id = 0; id < machine.vm_count; id++) {
		const struct vm *vm = vm_at(id);

		if (vm && !vm->settled && __atomic_load_n(&vm->released, __ATOMIC_ACQUIRE) && !settle(id))
			all = false;
	}
	if (!all)
		__atomic_store_n(&machine.unsettled, true, __ATOMIC_SEQ_CST);
	control_port_event();
}
