/* vm/live/hand.c - a virtual machine that stands becomes another container's: its devices and registers as a snapshot
 * has them (vm/snapshot/), and what no snapshot has: accounts, records, what its console has said, its networks. */
#include "vm/live/live.h"

#include "lib/mutants/mutate.h"
#include "vm/device/disk.h"
#include "vm/device/net.h"
#include "vm/device/virtio.h"
#include "vm/snapshot/snapshot.h"
#include "vm/vm.h"

/* ---- accounts ---- */

static void add_counters(struct mmu_counters *to, const struct mmu_counters *from)
{
#define C(name, help) to->name += from->name;
	MMU_COUNTERS(C)
#undef C
}

/* What is in `to` where that is in `from`. */
static struct exit_stat *same_in(const struct vcpu *from, struct vcpu *to, const struct exit_stat *that)
{
	return (struct exit_stat *)(void *)((char *)to + ((const char *)that - (const char *)from));
}

static void copy_cpu_account(const struct vcpu *from, struct vcpu *to)
{
	memcpy(to->exits, from->exits, sizeof(to->exits));
	if (from->exit)
		to->exit = same_in(from, to, from->exit);
	to->run_ticks = from->run_ticks;
	to->lock_waits = from->lock_waits;
	to->lock_ticks = from->lock_ticks;
	to->moves = from->moves;
	to->lapic.tpr_count = from->lapic.tpr_count;
}

static void copy_device_accounts(const struct vm *from, struct vm *to)
{
	for (unsigned n = 0; n < from->config->disks; n++) {
		to->disks[n].block.account = from->disks[n].block.account;
		to->disks[n].said = from->disks[n].said;
	}
	if (virtio_balloon_of(to))
		to->virtio->balloon.account = from->virtio->balloon.account;
}

/* The last measurement is the same in another container. */
static void copy_dirty(const struct dirty_rate *from, struct dirty_rate *to)
{
	to->state = from->state;
	to->number = from->number;
	to->seconds = from->seconds;
	to->ticks = from->ticks;
	to->pages = from->pages;
	to->switches = from->switches;
	to->by = from->by;
}

static void copy_accounts(const struct vm *from, struct vm *to)
{
	struct mmu_counters counters = mmu_counters(&from->mmu);

	for (unsigned n = 0; n < from->vcpu_count; n++)
		copy_cpu_account(from->vcpu[n], to->vcpu[n]);
	add_counters(&to->mmu.counters, &counters);
	to->tpr.account = from->tpr.account;
	to->tpr.over_memory = from->tpr.over_memory;
	to->patch.made = from->patch.made;
	to->patch.told = from->patch.told;
	memcpy(to->patch.left, from->patch.left, sizeof(to->patch.left));
	for (unsigned n = 0; n < ARRAY_SIZE(to->ram); n++)
		to->ram[n].count = from->ram[n].count;
	to->merge.account = from->merge.account;
	copy_dirty(&from->dirty, &to->dirty);
	copy_device_accounts(from, to);
}

/* ---- what it is ---- */

/* Whoever looks at the screen has numbers of the old one's: all of it is new to him. */
static void copy_screen(const struct vm *from, struct vm *to)
{
	if (!to->video)
		return;
	to->video->number = from->video->number;
	to->video->stdvga.vga.changed = true;
}

static void copy_console(struct vm *from, struct vm *to)
{
	spin_lock(&from->device_lock);
	to->console = from->console;
	to->input_waiting = from->input_waiting;
	spin_unlock(&from->device_lock);
}

/* What both ways of a list of fields have alike. */
static const char *why_bad(const struct fields *s) { return s->why ? s->why : "there is no memory for its state"; }

static const char *fill_machine(struct vm *from, struct vm *to)
{
	static struct cpuid_policy shown;
	struct fields s;

	if (!save_machine(from))
		return "there is no memory for its state";
	to->clock = from->clock;
	state_load(&s, from->save.state, from->save.state_bytes, 0);
	cpuid_state(&s, &shown);
	spin_lock(&to->device_lock);
	machine_state(&s, to);
	spin_unlock(&to->device_lock);
	state_done(&s);
	return s.bad ? why_bad(&s) : NULL;
}

static const char *fill_cpus(struct vm *to, const struct live_cpu *cpu)
{
	uint32_t shown = to->cpuid.basic[CPUID_LEAF_FEATURES].edx;
	struct fields s;
	struct vcpu *v;

	mitigations_choose(to);
	to->cpuid.basic[CPUID_LEAF_FEATURES].edx = shown;
	for_each_vcpu(v, to) {
		vcpu_prepare(v);
		state_load(&s, cpu[v->id].bytes, cpu[v->id].used, 0);
		if (!cpu_state(&s, v))
			return s.bad ? why_bad(&s) : "there is no memory for its tables";
	}
	return NULL;
}

/* What was asked of them and not yet done, but for what is begun anew. */
static void copy_requests(const struct vm *from, struct vm *to)
{
	for (unsigned n = 0; n < from->vcpu_count; n++)
		VM_MUTANT(LIVE_REQUESTS, vcpu_note(to->vcpu[n], from->vcpu[n]->requests &
						   (REQUEST_EVENT | REQUEST_INIT | REQUEST_DEVICES)));
}

const char *live_fill(struct vm *from, struct vm *to, const struct live_cpu *cpu)
{
	const char *why = fill_machine(from, to);

	if (why)
		return why;
	VM_MUTANT(LIVE_ACCOUNTS, copy_accounts(from, to));
	if (!tpr_go_on(to, from->save.tpr))
		return "there is no memory for its local APIC's pages";
	why = fill_cpus(to, cpu);
	if (!why && from->merge.state != MERGE_OFF)
		why = merge_begin(to);
	if (!why && from->merge.state == MERGE_ENDING)
		merge_end(to);
	if (why)
		return why;
	copy_requests(from, to);
	copy_console(from, to);
	copy_screen(from, to);
	wander_init(to);
	return switch_init(to) ? NULL : to->end_text;
}

/* ---- what is of one alone ---- */

static void hand_trace(struct vcpu *from, struct vcpu *to)
{
	struct trace *t = from->traced.by;

	to->traced = from->traced;
	if (t && t->stat)
		t->stat = same_in(from, to, t->stat);
	if (t)
		t->chunk[0].v = t->chunk[1].v = to; /* before the old one has none */
	from->traced = (struct vcpu_traced){ .codes = HVM_EXIT_CODES };
}

void live_hand(struct vm *from, struct vm *to)
{
	for (unsigned n = 0; n < from->vcpu_count; n++) {
		struct vcpu *v = to->vcpu[n];

		VM_MUTANT(LIVE_TRACE, hand_trace(from->vcpu[n], v));
		v->pin = from->vcpu[n]->pin;
		v->cpu = from->vcpu[n]->cpu;
		v->favoured = from->vcpu[n]->favoured;
	}
	to->phases = from->phases;
	to->under = from->under;
	from->phases = from->under = NULL;
	if (to->mmu.ops != from->mmu.ops)
		account_mechanism(to, from->mmu.ops);
	to->weight = from->weight;
	VM_MUTANT(LIVE_PACKED, to->packed = from->packed);
	to->live.account = from->live.account;
	VM_MUTANT(LIVE_NETS, nets_hand(to));
	to->live.second = false;
}
