/* vm/sched/schedule.h - the virtual CPUs of a CPU, whose turn it is, and how one comes to another CPU.
 *
 * CQ1  vcpu.cpu is changed by the CPU that it names, while the vCPU does not run; by nobody else. So who finds its own
 *      CPU there may rely on it. Who finds another, or what has changed meanwhile, has first written what the vCPU is
 *      to see, and then read vcpu.cpu; who moves it writes vcpu.cpu, gives it away, and kicks the new CPU, which looks
 *      at all of that afterwards. One of the two kicks is behind both.
 *      It lives on the new CPU from then on, also before that one has found it among its arrivals.
 * CQ2  percpu.run_queue is its own CPU's. Others put vCPUs on percpu.arrivals, by a compare and exchange, and kick; the
 *      CPU takes all of them at once, so that nobody waits for a lock.
 * CQ3  Whoever leaves a CPU for another has nothing on it: neither what that CPU keeps of its state in memory, nor
 *      its FPU, debug and system-call registers (vcpu_leave_cpu). What the TLB has of it stays, and is flushed when it
 *      comes back (T1b in mmu/tag.c). */
#ifndef VELLUM_VM_SCHEDULE_H
#define VELLUM_VM_SCHEDULE_H

#include "host/cpu/cpuset.h"
#include "lib/mutants/mutate.h"
#include "vm/vm.h"

/* ---- vm/sched/schedule.c: whose turn it is ---- */

/* Where the devices' alarms are, under the device lock: a list of their own, so that a local APIC's timer needs no lock
 * that other vCPUs take; or, of a VM with one vCPU, that one's. */
static inline struct timers *vm_device_timers(struct vm *vm)
{
	return vm->vcpu_count > 1 ? &vm->device_timers : &vm_boot_vcpu(vm)->timers;
}
/* The TSC's rate is known (machine.tsc_hz). */
void schedule_init(void);
/* TSC ticks that a vCPU has the CPU at a time, when others wait. */
static inline uint64_t schedule_slice(void) { return machine.slice; }
/* The vCPU of the CPU's ring whose turn it is, with a slice of its own from now on; NULL: none can run. */
struct vcpu *schedule_pick(struct percpu *cpu);
/* v has left the CPU after ticks. */
void schedule_account(struct vcpu *v, uint64_t ticks);
/* percpu.fair_floor of the calling CPU, cpu, is that of now, also where who runs there has not left it for long. */
void schedule_floor(struct percpu *cpu);
/* So many ticks on a CPU, as vcpu.fair counts them for v (SC4). */
uint64_t schedule_weighed(const struct vcpu *v, uint64_t ticks);
/* Of v, which is on the ring of the calling CPU or sleeps there: its alarms that are due. */
void schedule_run_timers(struct vcpu *v);
/* Could v have a turn now? */
bool schedule_runnable(const struct vcpu *v);
/* What v has had, which is on the ring of the calling CPU, cpu, without what it forfeits because it slept (SC1). */
uint64_t schedule_fair(const struct percpu *cpu, const struct vcpu *v);
/* The CPU's timer covers what must happen while nobody runs; or the end of the slice, and the alarms of who runs. */
void schedule_arm_idle(const struct percpu *cpu);
/* A disk's command has been begun, on any CPU: the first one, which looks after it, may sleep without an alarm. */
void schedule_disk_begun(void);
void schedule_arm_running(const struct percpu *cpu);
/* When the CPU must look at the timers of a vCPU, by the TSC; that of one that is about to be entered may be later. */
static inline uint64_t schedule_alarm(const struct vcpu *v)
{
	uint64_t next = timers_next(&v->timers);

	if (v->id == 0)
		next = min_u64(next, timers_next(&v->vm->device_timers));
	return clock_alarm(&v->vm->clock, next);
}
/* The CPU's timer has fired: runs the alarms that are due, ends the slice if it is over. */
void vm_timer_interrupt(void);
/* Lets the host's interrupts in at an exit of v (SC3). */
void vm_host_turn(struct vcpu *v);
/* v spins, and waits for what another does: gives the CPU away (SC5). */
void schedule_yield(struct vcpu *v);

/* ---- vm/sched/queue.c: where it lives ---- */

/* Gives v, which is nowhere and new, to the CPU v->cpu. */
void queue_add(struct vcpu *v);
/* Puts v, which lives on cpu and is nowhere or sleeps no more, among the arrivals there. On any CPU. */
void queue_put(struct percpu *cpu, struct vcpu *v);
/* The vCPUs that have come to the calling CPU, which is cpu, are on its ring. false: there were none. */
bool queue_accept(struct percpu *cpu);
/* v, which is on the calling CPU's ring and does not run, is on none. */
void queue_remove(struct percpu *cpu, struct vcpu *v);
/* v, which is there and halted, goes to sleep, if nothing has come for it. */
void queue_rest(struct percpu *cpu, struct vcpu *v);
/* v, which lives on the calling CPU, goes to another: now, or when it has left, if it runs; or when it has arrived, if
 * it is on its way to the calling CPU. */
void vcpu_move(struct vcpu *v, struct percpu *to);
/* The same of one that has left, or arrived, and has been told to go (vcpu.move_to). */
void vcpu_depart(struct vcpu *v);

/* ---- vm/sched/sleep.c: who sleeps. Of the calling CPU, but for vcpu_wake() ---- */

/* Does every vCPU sleep in HLT? */
static inline bool vm_asleep(const struct vm *vm)
{
	const struct vcpu *v;

	for_each_vcpu(v, vm)
		if (!__atomic_load_n(&v->halted, __ATOMIC_RELAXED))
			return false;
	return true;
}
/* A part of vcpu_request(), on any CPU: v, if it sleeps, is among its CPU's arrivals from now on. */
void vcpu_wake(struct vcpu *v);
/* v, which is on no ring and halted, falls asleep. false: something has come for it. */
bool sleep_begin(struct percpu *cpu, struct vcpu *v);
/* v is nowhere any more, if it slept. false: it did not, or is being woken. */
bool sleep_end(struct percpu *cpu, struct vcpu *v);
/* v has arrived, perhaps because it was woken. */
void sleep_arrived(struct percpu *cpu, struct vcpu *v);
/* The alarms of those that sleep, where they are due. */
void sleepers_look(struct percpu *cpu);
/* When they are next to be looked at, by the TSC; UINT64_MAX: never. */
static inline uint64_t sleepers_next(const struct percpu *cpu) { return heap_least(&cpu->sleepers); }

/* ---- vm/sched/balance.c: who goes where of itself ---- */

/* CPUs that sleep, and could take up a vCPU; and those where one that may move waited, when they last looked. */
extern struct cpuset cpus_idle, cpus_crowded;
static inline bool balance_crowded(const struct percpu *cpu)
{
	return cpuset_has(&cpus_crowded, cpu->id);
}
/* Of the calling CPU. */
static inline void balance_say_crowded(const struct percpu *cpu, bool on)
{
	if (likely(balance_crowded(cpu) == on))
		return;
	if (on)
		cpuset_add(&cpus_crowded, cpu->id);
	else
		cpuset_remove(&cpus_crowded, cpu->id);
}
/* Around the sleep of the calling CPU. */
void balance_sleep(struct percpu *cpu);
static inline void balance_awake(const struct percpu *cpu) { cpuset_remove(&cpus_idle, cpu->id); }
/* Gives those that wait for cpu, which is the calling one and has chosen who runs, to CPUs that sleep. */
void balance_to_idle(struct percpu *cpu);
/* At the end of a slice, and as often where none ends: gives one away that others of the machine have left behind
 * (BA2). */
void balance_evenly(struct percpu *cpu);
/* Once a slice, while one of cpu, which is the calling one, runs: says how far that is, and keeps BA3. */
void balance_turn(struct percpu *cpu);
/* After an interrupt of the host that may have been a kick: has anybody come, or can anybody be given away? */
void balance_attend(struct percpu *cpu);
static inline void balance_poll(struct percpu *cpu)
{
	if (unlikely(__atomic_load_n(&cpu->arrivals, __ATOMIC_ACQUIRE) ||
		     (cpuset_any(&cpus_idle) && cpu->run_queue->ring != cpu->run_queue)))
		balance_attend(cpu);
}

/* ---- vm/sched/move.c: who is told to go where ---- */

/* v may run on this CPU only (NULL: on any), and goes there. Called on the CPU where v lives. */
void vcpu_pin(struct vcpu *v, struct percpu *cpu);
/* Has the vCPUs of a new VM go from CPU to CPU for ever, if its description asks for it. */
void wander_init(struct vm *vm);
/* Serves REQUEST_MOVE. */
void vcpu_wander(struct vcpu *v);

/* ---- vm/sched/freeze.c ---- */
/* Returns when over() says so, which is asked again and again; the vCPU that this CPU runs, if any, is parked
 * meanwhile, so that others may freeze its VM (FZ3). With no lock held. */
void vcpu_wait_parked(bool (*over)(void));
static inline bool vm_frozen_by_another(const struct vm *vm)
{
	const struct percpu *by = __atomic_load_n(&vm->frozen_by, __ATOMIC_SEQ_CST);

	return by && by != this_cpu();
}
/* The calling CPU takes v up (FZ2). false: its VM is frozen or paused, so that it must leave at once. */
static inline bool vcpu_may_run(struct vcpu *v)
{
	__atomic_store_n(&v->running, true, __ATOMIC_SEQ_CST);
	return VM_LEFT_OUT_OR(MAY_RUN_FROZEN, !vm_frozen_by_another(v->vm)) && !v->debug.held &&
	       VM_LEFT_OUT_OR(MAY_RUN_PAUSED, !__atomic_load_n(&v->vm->paused, __ATOMIC_SEQ_CST));
}

#endif
