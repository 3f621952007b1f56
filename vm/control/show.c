/* vm/control/show.c - the virtual machines, and what was counted of one. */
#include "vm/control/control.h"

#include "host/memory/frames.h"
#include "lib/fmt.h"
#include "vm/device/disk.h"
#include "vm/device/net.h"
#include "vm/memory/packed.h"
#include "vm/memory/swap.h"

const char *control_state(const struct vm *vm)
{
	bool paused = VM_KEPT(STATE_STANDS, vm->live.stands) ? vm->live.paused : vm->paused;

	return vm->ended ? "ended" : paused ? "paused" : vm_asleep(vm) ? "halted" : "running";
}

/* Of each virtual CPU: where it lives, how often it came to another CPU, whether it is pinned. */
static void show_cpus(struct json *j, const struct vm *vm)
{
	const struct vcpu *v;

	json_number(j, "weight", vm->weight);
	json_open(j, "cpus", '[');
	for_each_vcpu(v, vm)
		json_number(j, NULL, __atomic_load_n(&v->cpu, __ATOMIC_RELAXED)->id);
	json_close(j, '[');
	json_open(j, "moves", '[');
	for_each_vcpu(v, vm)
		json_number(j, NULL, __atomic_load_n(&v->moves, __ATOMIC_RELAXED));
	json_close(j, '[');
	json_open(j, "pinned", '[');
	for_each_vcpu(v, vm)
		json_bool(j, NULL, __atomic_load_n(&v->pin, __ATOMIC_RELAXED));
	json_close(j, '[');
}

/* One of the description that is not there. */
static void show_absent(struct json *j, unsigned id)
{
	const struct vm_place *place = &machine.place[id];

	json_open(j, NULL, '{');
	json_number(j, "id", id);
	json_text(j, "name", place->config->name);
	json_text(j, "state", "off");
	json_text(j, "mmu", NULL);
	json_number(j, "mem_bytes", place->config->mem);
	json_number(j, "starts", place->starts);
	json_number(j, "status", (uint64_t)place->status);
	json_text(j, "end", NULL);
	json_close(j, '{');
}

static void show_vm(struct json *j, const struct vm *vm)
{
	json_open(j, NULL, '{');
	json_number(j, "id", vm->id);
	json_text(j, "name", vm->config->name);
	json_text(j, "state", control_state(vm));
	json_text(j, "mmu", vm->mmu.ops ? vm->mmu.ops->name : NULL);
	json_text(j, "tpr", tpr_name(vm));
	json_number(j, "cpu", vm_home(vm));
	show_cpus(j, vm);
	json_number(j, "mem_bytes", vm->config->mem);
	json_number(j, "resident_bytes", ram_resident(vm) << PAGE_SHIFT);
	json_number(j, "shared_bytes", ram_shared(vm) << PAGE_SHIFT);
	json_number(j, "swapped_bytes", ram_swapped(vm) << PAGE_SHIFT);
	json_number(j, "packed_pages", vm->packed);
	json_bool(j, "merge", vm->config->merge == CONFIG_ON);
	json_bool(j, "switch", vm->config->may_switch != CONFIG_OFF);
	json_number(j, "starts", machine.place[vm->id].starts);
	json_number(j, "status", (uint64_t)vm->status);
	json_text(j, "end", vm->ended ? vm->end_text : NULL);
	json_close(j, '{');
}

static void show_packed(struct json *j)
{
	struct packed_account a = packed_account();

	json_number(j, "packed_pages", a.pages);
	json_number(j, "packed_bytes", a.frames << PAGE_SHIFT);
	json_number(j, "packed_taken", a.taken);
	json_number(j, "packed_refused", a.refused);
	json_number(j, "packed_written", a.written);
}

bool control_list(struct json *j, char *error, size_t size)
{
	(void)error;
	(void)size;
	json_open(j, NULL, '{');
	json_number(j, "tsc_hz", machine.tsc_hz);
	json_number(j, "ticks", rdtsc());
	json_number(j, "free_bytes", frames_available() << PAGE_SHIFT);
	json_number(j, "swap_bytes", swap_places() << PAGE_SHIFT);
	json_number(j, "swap_free_bytes", swap_room() << PAGE_SHIFT);
	show_packed(j);
	json_open(j, "mechanisms", '[');
	for (unsigned n = 0; mmu_mechanisms[n]; n++)
		if (!mechanism_lacks(mmu_mechanisms[n]))
			json_text(j, NULL, mmu_mechanisms[n]->name);
	json_close(j, '[');
	json_open(j, "vms", '[');
	for (unsigned n = 0; n < machine.vm_count; n++)
		if (vm_at(n))
			show_vm(j, vm_at(n));
		else
			show_absent(j, n);
	json_close(j, '[');
	json_close(j, '{');
	return true;
}

static void show_ticks(struct json *j, uint64_t guest, uint64_t hypervisor)
{
	json_open(j, "instructions", '{');
	json_number(j, "guest", guest);
	json_number(j, "hypervisor", hypervisor);
	json_close(j, '{');
}

/* of: a phase's account, or NULL for all of the run. */
static void show_exits(struct json *j, const struct vm *vm, const struct account *of)
{
	struct exit_stat all = { 0 }, mechanism = { 0 };

	json_open(j, "exits", '{');
	json_open(j, "by_reason", '{');
	for (unsigned n = 0; n < HVM_EXIT_CODES; n++) {
		struct exit_stat e = of ? of->exits[n] : stats_exit(vm, n);

		all.ticks += stats_ticks_of(vm, n, &e);
		if (!e.count)
			continue;
		all.count += e.count;
		if (stats_of_mechanism(n)) {
			mechanism.count += e.count;
			mechanism.ticks += e.ticks;
		}
		json_open(j, hvm_exit_name(n), '{');
		json_number(j, "count", e.count);
		json_number(j, "ticks", e.ticks);
		json_close(j, '{');
	}
	json_close(j, '{');
	json_number(j, "total", all.count);
	json_open(j, "mechanism", '{');
	json_number(j, "count", mechanism.count);
	json_number(j, "ticks", mechanism.ticks);
	json_close(j, '{');
	json_close(j, '{');
	if (of)
		show_ticks(j, max_u64(of->run_ticks, all.ticks) - all.ticks, all.ticks);
}

/* zeros: those that are 0 too. */
static void show_counters(struct json *j, const struct mmu_counters *c, uint64_t table_pages, bool zeros)
{
	json_open(j, "mmu_counters", '{');
#define C(name, help) \
	if (zeros || c->name) \
		json_number(j, #name, c->name);
	MMU_COUNTERS(C)
#undef C
	json_close(j, '{');
	json_open(j, "tables", '{');
	json_number(j, "pages", table_pages);
	json_close(j, '{');
}

static void add_ticks(const struct vm *vm, uint64_t *guest, uint64_t *hypervisor)
{
	const struct vcpu *v;

	for_each_vcpu(v, vm) {
		uint64_t g, h;

		stats_ticks(v, &g, &h);
		*guest += g;
		*hypervisor += h;
	}
}

static void show_patches(struct json *j, const struct vm *vm)
{
	char name[20];

	json_number(j, "patches_made", vm->patch.made);
	json_number(j, "patches_undone", vm->patch.made - patch_live(vm));
	for (unsigned n = 0; n < PATCH_LEFTS; n++) {
		fmt(name, sizeof(name), "left_%s", patch_left_names[n]);
		json_number(j, name, stats_left(vm, n));
	}
}

static void show_disks(struct json *j, const struct vm *vm)
{
	char name[12];

	if (!vm->disks)
		return;
	json_open(j, "disks", '{');
	for (unsigned n = 0; n < vm->config->disks; n++) {
		const struct block_account *a = &vm->disks[n].block.account;

		fmt(name, sizeof(name), "%u", n);
		json_open(j, name, '{');
#define A(what) json_number(j, #what, __atomic_load_n(&a->what, __ATOMIC_RELAXED));
		BLOCK_ACCOUNT(A)
#undef A
		json_close(j, '{');
	}
	json_close(j, '{');
}

static void show_nets(struct json *j, const struct vm *vm)
{
	char name[12];

	if (!vm->nets)
		return;
	json_open(j, "nets", '{');
	for (unsigned n = 0; n < vm->config->nets; n++) {
		const struct net_account *a = &vm->nets[n].port->port.account;

		fmt(name, sizeof(name), "%u", n);
		json_open(j, name, '{');
#define A(what) json_number(j, #what, __atomic_load_n(&a->what, __ATOMIC_RELAXED));
		NET_ACCOUNT(A)
#undef A
		json_close(j, '{');
	}
	json_close(j, '{');
}

/* By each method that there was. */
static void show_tpr_methods(struct json *j, const struct vm *vm)
{
	json_open(j, "methods", '{');
	for (unsigned n = 0; n < TPR_METHODS; n++) {
		struct tpr_account a;

		if (!stats_tpr_method(vm, n, &a))
			continue;
		json_open(j, tpr_method_name(n), '{');
		json_number(j, "tpr_reads", a.reads);
		json_number(j, "tpr_writes", a.writes);
		json_number(j, "tpr_exits", tpr_account_exits(&a));
		json_number(j, "threshold_exits", a.threshold);
		json_number(j, "virtualized_eoi_exits", a.eois);
		json_close(j, '{');
	}
	json_close(j, '{');
}

static void show_memory(struct json *j, const struct vm *vm)
{
	struct ram_count c = ram_counts(vm);
	bool watched = vm->dirty.user == DIRTY_WATCH;

	json_open(j, "memory", '{');
	json_number(j, "resident_pages", ram_resident(vm));
	json_number(j, "shared_pages", ram_shared(vm));
	json_number(j, "swapped_pages", ram_swapped(vm));
	json_number(j, "packed_pages", vm->packed);
	json_number(j, "went", c.went);
	json_number(j, "zeroes", c.zeroes);
	json_number(j, "came", c.came);
	json_number(j, "packed", c.packed);
	json_number(j, "unpacked", c.unpacked);
	json_number(j, "joined", c.joined);
	json_bool(j, "watched", watched);
	json_number(j, "dirtied_pages", watched ? vm->dirty.watch.last_pages : 0);
	json_number(j, "dirtied_ticks", watched ? vm->dirty.watch.last_ticks : 0);
	json_close(j, '{');
}

bool control_stats(struct vm *vm, struct json *j, char *error, size_t size)
{
	struct mmu_counters counters = mmu_counters(&vm->mmu);
	uint64_t guest = 0, hypervisor = 0;

	(void)error;
	(void)size;
	json_open(j, NULL, '{');
	json_text(j, "vm", vm->config->name);
	json_text(j, "state", control_state(vm));
	json_text(j, "mmu", vm->mmu.ops ? vm->mmu.ops->name : NULL);
	json_number(j, "tsc_hz", machine.tsc_hz);
	json_number(j, "ticks", rdtsc());
	if (vm->vcpu_count) {
		json_number(j, "clock", clock_now(&vm->clock));
		add_ticks(vm, &guest, &hypervisor);
		show_ticks(j, guest, hypervisor);
		show_exits(j, vm, NULL);
		show_counters(j, &counters, mmu_table_pages(&vm->mmu), true);
		json_text(j, "tpr", tpr_name(vm));
		json_open(j, "lapic", '{');
		json_number(j, "tpr_reads", stats_tpr(vm).reads);
		json_number(j, "tpr_writes", stats_tpr(vm).writes);
		if (vm->patch.data)
			show_patches(j, vm);
		show_tpr_methods(j, vm);
		json_close(j, '{');
		show_disks(j, vm);
		json_open(j, "locks", '{');
		json_number(j, "waits", stats_locks(vm).waits);
		json_number(j, "ticks", stats_locks(vm).ticks);
		json_close(j, '{');
		show_memory(j, vm);
		show_nets(j, vm);
		if (vm->config->merge == CONFIG_ON)
			control_show_merge(j, vm);
		json_open(j, "console", '{');
		json_number(j, "dropped", vm->console.dropped);
		json_close(j, '{');
	}
	json_close(j, '{');
	return true;
}

static void show_account(struct json *j, const char *name, const struct vm *vm, const struct account *a)
{
	json_open(j, name, '{');
	show_exits(j, vm, a);
	show_counters(j, &a->mmu, a->table_pages, false);
	json_close(j, '{');
}

bool control_phases(struct vm *vm, struct json *j, char *error, size_t size)
{
	static struct account account; /* CT1: one request at a time */
	char name[12];

	(void)error;
	(void)size;
	json_open(j, NULL, '{');
	json_text(j, "vm", vm->config->name);
	json_open(j, "phases", '{');
	for (unsigned n = 1; n < PHASES_MAX; n++) {
		if (!phases_until_now(vm, n, &account))
			continue;
		fmt(name, sizeof(name), "%u", n);
		show_account(j, name, vm, &account);
	}
	json_close(j, '{');
	json_open(j, "mechanisms", '{');
	for (unsigned n = 0; mmu_mechanisms[n]; n++)
		if (mechanism_until_now(vm, mmu_mechanisms[n], &account))
			show_account(j, mmu_mechanisms[n]->name, vm, &account);
	json_close(j, '{');
	json_close(j, '{');
	return true;
}
