/* vm/memory/mechanism_switch.c - a virtual machine goes over to another mechanism while it runs: on request, or every
 * so often by an alarm.
 *
 * It happens between two guest instructions of each vCPU, with none of its guest state in flight but what struct vcpu
 * holds: an event to inject, a HLT, a repeated instruction that was emulated in part. None of these belongs
 * to a mechanism.
 *
 * SW1  What was to be written into the CPU's state is written before its registers are read, and the heart's copy of
 *      the registers is up to date before the old mechanism goes: vcpu_sync_heart() for each vCPU.
 * SW2  A guest that may switch is offered no feature that one of the mechanisms it may come to lacks
 *      (switch_hidden_cr4).
 * SW3  Between two changes by the alarm the guest makes progress, however short the period is. */
#include "vm/vm.h"

#include "lib/mutants/mutate.h"
#include "vm/live/live.h"

#define OWN_TICKS_MIN 4000 /* of the guest, between two changes (SW3) */

uint64_t switch_hidden_cr4(const struct vm *vm)
{
	uint64_t hidden = vm->mmu.ops->cr4_unsupported;

	if (VM_KEPT(SWITCH_OFF, vm->config->may_switch == CONFIG_OFF))
		return hidden;
	for (unsigned n = 0; mmu_mechanisms[n]; n++)
		if (!mechanism_lacks(mmu_mechanisms[n]))
			VM_MUTANT(SWITCH_HIDDEN, hidden |= mmu_mechanisms[n]->cr4_unsupported);
	return hidden;
}

const char *switch_refused(const struct vm *vm, const struct mmu_ops *ops)
{
	const char *missing = mmu_unsupported(ops, &machine.caps.mmu, &vm->mmu.config);

	if (VM_KEPT(SWITCH_LACKS, missing))
		return missing;
	if (VM_KEPT(SWITCH_OFFERED, vm->cpuid.cr4_offered & ops->cr4_unsupported))
		return "the virtual machine was started with switch off, and its CPU has PCID or protection keys, "
		       "which this mechanism lacks";
	return NULL;
}

static const char *go_over(struct vm *vm, const struct mmu_ops *ops)
{
	const struct mmu_ops *before = vm->mmu.ops;
	const char *why;
	struct vcpu *v;

	why = switch_refused(vm, ops);
	if (why)
		return why;
	if (ops == before)
		return NULL;
	if (!mmu_switch(&vm->mmu, ops))
		return "there is no host memory for the new mechanism's tables";
	VM_MUTANT(UNDER, account_mechanism(vm, before));
	/* One that has not run has no registers yet. */
	for_each_vcpu(v, vm)
		if (VM_KEPT(SWITCH_STARTED, v->started))
			VM_MUTANT(SWITCH_REAL_MODE, vcpu_decide(v));
	return NULL;
}

const char *vm_switch(struct vm *vm, const struct mmu_ops *ops)
{
	const char *why;

	VM_MUTANT(SWITCH_FREEZES, vm_freeze(vm));
	why = go_over(vm, ops);
	VM_MUTANT(SWITCH_FREEZES, vm_thaw(vm));
	return why;
}

/* ---- every so often (SW3: a period begins when the change is done) ---- */

static void alarm(void *dev, uint64_t now)
{
	struct vm *vm = dev;

	(void)now;
	vcpu_request(vm_boot_vcpu(vm), REQUEST_MMU);
}

static void arm(struct vm *vm, uint64_t ticks)
{
	struct timers *t = vm_device_timers(vm);

	spin_lock(&vm->device_lock);
	timer_arm(t, &vm->switching.timer, timers_now(t) + ticks);
	spin_unlock(&vm->device_lock);
}

static uint64_t guest_ticks(const struct vm *vm)
{
	uint64_t sum = 0, guest, hypervisor;
	const struct vcpu *v;

	for_each_vcpu(v, vm) {
		stats_ticks(v, &guest, &hypervisor);
		sum += guest;
	}
	return sum;
}

/* SW3: under tables that begin empty an instruction may fault many times before it is done; the guest gets past it. */
static bool too_early(struct vm *vm)
{
	struct switching *s = &vm->switching;

	if (VM_KEPT(SWITCH_HALTED, vm_asleep(vm)))
		return false;
	if (s->exits)
		return VM_KEPT(SWITCH_EXITS, ++s->seen < s->exits);
	return VM_KEPT(SWITCH_TICKS, guest_ticks(vm) - s->since < max_u64(s->period / 16, OWN_TICKS_MIN));
}

static void ask_again(struct vcpu *boot, bool early)
{
	struct switching *s = &boot->vm->switching;

	/* A request would keep a halted vCPU from sleeping. */
	if (s->exits && VM_LEFT_OUT_OR(SWITCH_SLEEP, !boot->halted))
		vcpu_note(boot, REQUEST_MMU);
	else if (s->period)
		arm(boot->vm, VM_KEPT(SWITCH_SOON, early) ? max_u64(s->period / 16, OWN_TICKS_MIN) : s->period);
}

void switch_next(struct vcpu *boot)
{
	struct switching *s = &boot->vm->switching;
	bool early;

	if (!s->count)
		return;
	early = too_early(boot->vm);
	if (!early) {
		/* One that cannot be gone to now has its turn again in the next round. */
		s->at = (s->at + 1) % s->count;
		vm_switch(boot->vm, s->list[s->at]);
		s->seen = 0;
		s->since = guest_ticks(boot->vm);
	}
	ask_again(boot, early);
}

void switch_woken(struct vcpu *v)
{
	if (v == vm_boot_vcpu(v->vm))
		VM_MUTANT(SWITCH_WOKEN, vcpu_note(v, REQUEST_MMU));
}

static bool read_list(struct vm *vm)
{
	struct switching *s = &vm->switching;
	const char *p = vm->config->switch_among;
	char name[16];

	for (unsigned n = 0; !*p && mmu_mechanisms[n]; n++)
		if (VM_LEFT_OUT_OR(SWITCH_USABLE, !mechanism_lacks(mmu_mechanisms[n])))
			s->list[s->count++] = mmu_mechanisms[n];
	while (p && *p && s->count < CONFIG_SWITCHES_MAX) {
		const struct mmu_ops *ops;
		const char *why;

		p = config_next_among(p, name);
		ops = mechanism_named(name, &why);
		if (VM_KEPT(SWITCH_LIST, !ops)) {
			vm_end(vm, VM_STATUS_UNSUPPORTED, "switch-among names %s, which cannot be used: %s", name, why);
			return false;
		}
		s->list[s->count++] = ops;
	}
	return true;
}

bool switch_init(struct vm *vm)
{
	struct switching *s = &vm->switching;

	if (!vm->config->switch_every && !vm->config->switch_exits)
		return true;
	if (!read_list(vm))
		return false;
	for (s->at = 0; s->at < s->count && s->list[s->at] != vm->mmu.ops; s->at++)
		;
	if (s->at == s->count) /* it starts outside of the list: the first change leads to the list's first */
		VM_MUTANT(SWITCH_OUTSIDE, s->at = s->count - 1);
	s->timer = (struct timer){ .fire = alarm, .dev = vm };
	s->period = vm->config->switch_every * (machine.tsc_hz / 1000) / 1000;
	s->exits = vm->config->switch_exits;
	if (s->exits)
		vcpu_note(vm_boot_vcpu(vm), REQUEST_MMU);
	else
		arm(vm, s->period);
	return true;
}
