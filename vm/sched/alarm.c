/* vm/sched/alarm.c - the next alarm of a guest whose clock goes only while it runs (vm/clock.h), by the CPU's own timer
 * for guests. SDM, "VMX-Preemption Timer".
 *
 * The host's timer goes on while the guest does not run, and so fires before the guest's clock has come to the alarm,
 * once for each time that exits have kept it; it costs an interrupt and the setting of a timer. This one stands at each
 * exit and goes on at the next entry, as that clock does.
 *
 * AL1 It is the alarm of a vCPU that has its own clock, and so is its VM's only one, where the CPU can keep its count
 *     over an exit. All others have the host's timer (vm/sched/schedule.c).
 * AL2 It rings after a slice at the latest (SC3 in vm/sched/schedule.c), else for the earliest alarm, which is due
 *     then: the CPU has counted what the guest ran, the clock takes off some more for each entry and exit
 *     (CLOCK_ENTRY_TICKS in vm/clock.h), and is put forward. Where entries and exits take a CPU longer than is taken
 *     off, it rings later than the clock says, by that. It is put forward to what this was set for: the alarm may have
 *     been cancelled meanwhile.
 * AL3 It is set anew when the clock has gone on without the CPU: after instructions that were emulated. */
#include "vm/vm.h"

#include "lib/mutants/mutate.h"

bool alarm_wanted(const struct vcpu *v)
{
	return VM_LEFT_OUT_OR(ALARM_CAN, machine.caps.alarm) && VM_LEFT_OUT_OR(ALARM_OWN, v->vm->clock.guest_only);
}

void alarm_set(struct vcpu *v)
{
	uint64_t due = timers_next(&v->timers), now = clock_stopped_now(&v->vm->clock);
	uint64_t wait = likely(due > now) ? due - now : 1;

	v->timers.earlier = false; /* nobody else arms one */
	v->alarm_due = now + wait;
	v->slice_alarm = VM_KEPT(ALARM_SLICE, wait > v->start.longest_run);
	hvm_set_alarm(&v->hvm, v->slice_alarm ? v->start.longest_run : (uint32_t)wait);
}

void alarm_rings(struct vcpu *v)
{
	uint64_t due = VM_LEFT_OUT_OR(ALARM_DUE, false) ? timers_next(&v->timers) : v->alarm_due;

	VM_MUTANT(ALARM_AGAIN, v->timers.earlier = true);
	if (v->slice_alarm) {
		VM_MUTANT(ALARM_TURN, v->host_turn = 0);
		return;
	}
	VM_MUTANT(ALARM_FORWARD, clock_forward(&v->vm->clock, due));
	spin_lock(&v->vm->device_lock);
	VM_MUTANT(ALARM_RUNS, timers_run(&v->timers, clock_stopped_now(&v->vm->clock)));
	spin_unlock(&v->vm->device_lock);
}
