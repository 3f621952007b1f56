/* vm/sched/sleep.c - virtual CPUs that sleep: halted, or waiting for a start-up IPI. They cost their CPU nothing: they
 * are not on the ring where it looks for who is next, but in a heap by the first of their alarms.
 *
 * HA1  A vCPU that lives on a CPU, and has arrived, is on its ring, or sleeps. Who sleeps is halted, and has no
 *      request; it is on the ring again before it next runs.
 * HA2  Who falls asleep says so (vcpu.asleep) and then looks whether anything has come; who has something for it writes
 *      that, and then looks whether it sleeps. One of the two sees the other. Whoever takes `asleep` away puts it among
 *      the arrivals of its CPU, or, on that CPU, leaves it on the ring or moves it; nobody else does.
 * HA3  What is kept as the time of its next alarm is that time or an earlier one: a clock that stands still makes it
 *      later, and who arms an earlier alarm, or lets the clock of a paused VM go on, wakes it (vcpu_request). A clock
 *      that stands wakes nobody.
 * HA4  Timers of those that sleep are looked at when they are due; while a vCPU runs, when its slice ends (SC2). */
#include "vm/vm.h"

#include "host/device/lapic.h"
#include "lib/mutants/mutate.h"
#include "vm/seam.h"

/* ---- from any CPU ---- */

/* true: it slept, and is the caller's to put somewhere. */
static bool take_sleeper(struct vcpu *v)
{
	return VM_LEFT_OUT_OR(WOKEN_ONCE, __atomic_exchange_n(&v->asleep, false, __ATOMIC_SEQ_CST));
}

void vcpu_wake(struct vcpu *v)
{
	struct percpu *cpu;

	vm_seam();
	if (!take_sleeper(v))
		return;
	cpu = v->cpu; /* nobody moves it now */
	queue_put(cpu, v);
	/* Who is alone on this CPU is not, any more; other CPUs are kicked. */
	if (cpu == this_cpu() && cpu->run_queue && cpu->run_queue->running && cpu->slice_end < cpu->timer_armed)
		VM_MUTANT(WOKEN_ARMED, lapic_host_timer(cpu->slice_end));
}

/* ---- on its own ---- */

/* HA3. */
static uint64_t due(const struct vcpu *v)
{
	return VM_KEPT(IDLE_STOPPED, v->vm->clock.stopped) ? UINT64_MAX : schedule_alarm(v);
}

/* HA2. Into the heap, and says so. false: something has come meanwhile, and it is nowhere. */
static bool lie_down(struct percpu *cpu, struct vcpu *v)
{
	uint64_t alarm = due(v);

	heap_put(&cpu->sleepers, &v->sleeps, alarm);
	vm_seam();
	VM_MUTANT(SLEEP_SAID, __atomic_store_n(&v->asleep, true, __ATOMIC_SEQ_CST));
	vm_seam();
	if (likely(!(VM_KEPT(SLEEP_LOOKS, vcpu_requested(v)) || VM_KEPT(SLEEP_ALARM, due(v) < alarm))) ||
	    !take_sleeper(v))
		return true;
	vm_seam();
	heap_take(&cpu->sleepers, &v->sleeps);
	return false;
}

/* Again where only its alarm has become earlier. */
bool sleep_begin(struct percpu *cpu, struct vcpu *v)
{
	while (!lie_down(cpu, v))
		if (vcpu_requested(v))
			return false;
	return true;
}

bool sleep_end(struct percpu *cpu, struct vcpu *v)
{
	if (!v->sleeps.in || !take_sleeper(v))
		return false;
	heap_take(&cpu->sleepers, &v->sleeps);
	return true;
}

void sleep_arrived(struct percpu *cpu, struct vcpu *v)
{
	if (v->sleeps.in)
		heap_take(&cpu->sleepers, &v->sleeps);
}

/* HA4. Each once, whatever its timers are programmed to: it is not due again before the next tick. */
void sleepers_look(struct percpu *cpu)
{
	uint64_t now = rdtsc();

	while (heap_least(&cpu->sleepers) <= now) {
		struct vcpu *v = container_of(cpu->sleepers.first, struct vcpu, sleeps);

		schedule_run_timers(v);
		heap_take(&cpu->sleepers, &v->sleeps);
		heap_put(&cpu->sleepers, &v->sleeps, max_u64(due(v), now + 1));
	}
}
