/* vm/run.c - the run loop: into the guest, out of it, to the exit's handler, and round again. Which vCPU runs:
 * vm/sched/schedule.c.
 *
 * RL1  The timers of the vCPU that runs are covered by the CPU's timer: timer_armed is at or before the earliest. It
 *      needs a look only when an alarm has become earlier (TM3 in dev/timer.c), or when timer_armed may have become
 *      later (schedule_arm_running in vm/sched/schedule.c).
 * RL2  A vCPU that another CPU must stop (T2) is seen: in_guest is set before the last look at the flush requests, and
 *      cleared after the exit; who requests sets the request first and then looks at in_guest.
 * RL3  A virtual machine that has ended is on its CPU's ring until that CPU has taken it off (retire), which is then
 *      soon. */
#include "vm/vm.h"

#include "host/device/disk.h"
#include "host/device/lapic.h"
#include "vm/control/control.h"
#include "vm/exit/handle.h"
#include "vm/life/life.h"
#include "vm/device/virtio.h"
#include "vm/memory/ram_join.h"
#include "lib/mutants/mutate.h"

struct machine machine;

/* CQ1: the request is there before the look at where it lives. */
void vcpu_request(struct vcpu *v, uint64_t request)
{
	struct percpu *cpu;

	vcpu_note(v, request);
	if (__atomic_load_n(&v->asleep, __ATOMIC_SEQ_CST))
		VM_MUTANT(REQUEST_WAKES, vcpu_wake(v));
	cpu = __atomic_load_n(&v->cpu, __ATOMIC_SEQ_CST);
	if (cpu != this_cpu())
		lapic_host_kick(cpu->apic_id);
}

/* ---- one vCPU ---- */

static void load(struct vcpu *v)
{
	struct percpu *cpu = this_cpu();

	/* Who was here last finds all as the last turn left it. */
	if (cpu->loaded != v) {
		hvm_load(&v->hvm);
		cpu->loaded = v;
	}
	if (unlikely(cpu->resident != v))
		VM_MUTANT(LOAD_FPU, resident_switch(v));
	if (!v->started)
		vcpu_begin(v);
	if (VM_KEPT(LOAD_TPR, unlikely(v->tpr_stale || v->undecided)))
		vcpu_catch_up(v);
	VM_MUTANT(LOAD_TSC, vcpu_write_tsc_offset(v));
}

/* Can u not wake another, and has it nothing to do that might let it? What would wake it is cleared after halted is, by
 * its own CPU, and so looked at before. */
static bool is_deaf(const struct vcpu *u)
{
	bool something = vcpu_requested(u) || (vcpu_signals(u) & (SIGNAL_NMI | SIGNAL_INIT | SIGNAL_SIPI));

	return VM_LEFT_OUT_OR(DEAF_REQUESTED, !something) && __atomic_load_n(&u->halted, __ATOMIC_ACQUIRE) && u->deaf;
}

/* v sleeps, and interrupts cannot wake it. Where nobody is left that could, the VM is over: the last that comes here
 * sees all the others. */
static void end_if_deaf(const struct vcpu *v)
{
	const struct vcpu *u;

	if (!v->deaf)
		return;
	for_each_vcpu(u, v->vm)
		if (!is_deaf(u) && VM_KEPT(ALL_DEAF, u != v))
			return;
	if (!platform_sends_nmi(v->vm))
		vm_end(v->vm, VM_STATUS_STOPPED, "stopped: halted for good: HLT with interrupts disabled at rip 0x%lx",
		       hvm_rip(&v->hvm) - 1);
}

/* Returns what else is to be served. */
static __attribute__((noinline)) uint64_t serve_rare(struct vcpu *v, uint64_t requests)
{
	if (requests & REQUEST_INIT)
		vcpu_serve_init(v);
	if (requests & REQUEST_MMU)
		switch_next(v);
	if (requests & REQUEST_DIRTY)
		dirty_end(v->vm);
	if (requests & REQUEST_MERGE)
		merge_serve(v->vm);
	if (requests & REQUEST_MEMORY)
		firmware_memory_changed(v->vm);
	ram_join_serve(v->vm, requests);
	requests |= requests & REQUEST_RECLAIM ? reclaim_serve(v) : 0;
	if (requests & REQUEST_MOVE)
		vcpu_wander(v);
	requests |= requests & REQUEST_DEVICES ? virtio_serve(v->vm) : 0;
	return (requests & REQUEST_DEBUG) && debug_serve(v) ? requests | REQUEST_SWITCH : requests;
}

static bool serve_once(struct vcpu *v)
{
	uint64_t requests = __atomic_exchange_n(&v->requests, 0, __ATOMIC_SEQ_CST);
	enum event_wakes wakes = EVENT_TO_DELIVER;

	if (VM_KEPT(STOP, requests & REQUEST_STOP))
		return false;
	if (unlikely(requests & ~(REQUEST_EVENT | REQUEST_STOP | REQUEST_SWITCH)))
		requests = serve_rare(v, requests);
	if (v->halted) {
		wakes = event_wakes(v);
		if (wakes == EVENT_NONE) {
			end_if_deaf(v);
			return false;
		}
		VM_MUTANT(WOKEN, __atomic_store_n(&v->halted, false, __ATOMIC_RELEASE));
		if (unlikely(v->vm->switching.exits))
			switch_woken(v);
	}
	/* What is ready to be injected must be entered with: whoever leaves now looks for events when it comes back. */
	if (requests & REQUEST_SWITCH) {
		VM_MUTANT(LEAVE_WITH_EVENT, vcpu_note(v, REQUEST_EVENT));
		return false;
	}
	if (unlikely(v->emulated))
		emulated_look_again(v);
	if (wakes == EVENT_TO_DELIVER)
		event_deliver(v);
	return true;
}

/* What had to be done before the next entry is done; false: the vCPU leaves the CPU instead. */
static bool serve_requests(struct vcpu *v)
{
	while (serve_once(v)) {
		if (likely(!v->emulated))
			return true;
		emulated_turn(v);
	}
	return false;
}

/* The flushes that were requested, and registers and roots that changed. */
__attribute__((noinline)) void vcpu_bring_up_to_date(struct vcpu *v)
{
	mmu_enter(&v->mmu, v->cpu->id);
	if (v->mmu.intercepts_changed) {
		VM_MUTANT(CURRENT_UNOWNED, hvm_sync_unowned(&v->hvm, &v->mmu));
		hvm_apply_paging(&v->hvm, &v->mmu);
	}
	if (v->mmu.root_changed)
		hvm_apply_root(&v->hvm, &v->mmu);
}

/* Again while others find something new meanwhile. */
static __attribute__((noinline)) void make_current_at_last(struct vcpu *v)
{
	do {
		__atomic_store_n(&v->in_guest, false, __ATOMIC_RELEASE);
		vcpu_bring_up_to_date(v);
		__atomic_store_n(&v->in_guest, true, __ATOMIC_SEQ_CST);
	} while (mmu_out_of_date(&v->mmu));
}

/* The tables and registers that the CPU runs the guest with are in force; RL2. */
static inline void make_current(struct vcpu *v)
{
	VM_MUTANT(IN_GUEST, __atomic_store_n(&v->in_guest, true, __ATOMIC_SEQ_CST));
	if (VM_KEPT(CURRENT, unlikely(mmu_out_of_date(&v->mmu))))
		make_current_at_last(v);
}

/* A clock that has stopped goes on late by what remains to be done until the entry. So its alarm comes after the time
 * that the guest waits for and not before, when it would have to be set again with no instruction of the guest's in
 * between. */
#define TICKS_TO_ENTRY (100 + CLOCK_ENTRY_TICKS)

static inline void cover_late(struct vcpu *v, uint64_t late)
{
	/* Before the look at the first alarm: another CPU may arm an earlier one at any time, and says so behind it. */
	__atomic_store_n(&v->timers.earlier, false, __ATOMIC_SEQ_CST);
	uint64_t alarm = schedule_alarm(v);
	if (alarm < UINT64_MAX - late && alarm + late < v->cpu->timer_armed)
		lapic_host_timer(alarm + late);
}

/* One that follows the host's stands still only while its VM is paused. */
static __attribute__((noinline)) void cover_host_alarm(struct vcpu *v) { cover_late(v, 0); }

static __attribute__((noinline)) void cover_own_alarm(struct vcpu *v)
{
	bool late = VM_KEPT(ALARM_LATE, v->vm->clock.stopped);

	if (v->start.alarm)
		alarm_set(v);
	else
		cover_late(v, late ? rdtsc() - v->vm->clock.stopped_at + TICKS_TO_ENTRY + v->hvm.exit_ticks : 0);
}

/* false: the CPU would refuse the state; the VM has ended, with a sentence that says why. */
static bool entry_check(struct vcpu *v)
{
	const char *broken = hvm_entry_check(&v->hvm, &machine.caps);

	if (!broken)
		return true;
	vm_tell_state(v);
	vm_end(v->vm, VM_STATUS_STOPPED,
	       "stopped: Vellum left a state that a CPU would refuse (last exit %u, rip 0x%lx): %s",
	       (unsigned)hvm_exit_code(&v->hvm), hvm_rip(&v->hvm), broken);
	return false;
}

/* There was no exit to clear in_guest after (RL2). */
static void entry_failed(struct vcpu *v)
{
	VM_MUTANT(FAILED_OUT_OF_GUEST, __atomic_store_n(&v->in_guest, false, __ATOMIC_RELEASE));
	VM_MUTANT(FAILED_TELLS, vm_tell_state(v));
	vm_end(v->vm, VM_STATUS_STOPPED, "stopped: the CPU refused to enter the guest (VM-instruction error %lu)",
	       hvm_entry_error(&v->hvm));
}

/* Until it halts, is over, or another's turn has come. Nothing but v itself is kept across the entry; own_clock is a
 * constant, so that who has the host's clock does not pay for the other. */
static inline __attribute__((always_inline)) void run_on(struct vcpu *v, const bool own_clock)
{
	uint32_t failed;

	for (;;) {
		uint64_t now, after;

		if (VM_KEPT(HOST_TURN, unlikely(v->exit_tsc >= v->host_turn)))
			vm_host_turn(v);
		if (unlikely(vcpu_requested(v)) && !serve_requests(v))
			return;
		if (VM_KEPT(SET_ALARM, unlikely(v->timers.earlier)))
			(own_clock ? cover_own_alarm : cover_host_alarm)(v);
		make_current(v);
		now = rdtsc();
		account_exit(v, now);
		if (own_clock) {
			clock_enter(&v->vm->clock, now + CLOCK_ENTRY_TICKS);
			VM_MUTANT(CLOCK_OFFSET, vcpu_write_tsc_offset(v));
		}
		if (DEBUG_BUILD && !entry_check(v)) {
			__atomic_store_n(&v->in_guest, false, __ATOMIC_RELEASE);
			continue;
		}
		v = container_of(hvm_enter(&v->hvm, &failed), struct vcpu, hvm);
		if (unlikely(failed)) {
			VM_MUTANT(ENTRY_FAILED, entry_failed(v));
			if (own_clock)
				clock_exit(&v->vm->clock, rdtsc());
			continue;
		}
		after = rdtsc();
		__atomic_store_n(&v->exit_tsc, after, __ATOMIC_RELAXED);
		if (own_clock)
			clock_exit(&v->vm->clock, after - v->hvm.exit_ticks);
		VM_MUTANT(OUT_OF_GUEST, __atomic_store_n(&v->in_guest, false, __ATOMIC_RELEASE));
		handle_exit(v);
	}
}

/* VM1: others see the turn with what it is counted from, or no turn and what it made (stats_ran). */
static void turn_begins(struct percpu *cpu, struct vcpu *v, uint64_t now)
{
	__atomic_store_n(&v->exit_tsc, now, __ATOMIC_RELAXED);
	__atomic_store_n(&v->run_before, v->run_ticks, __ATOMIC_RELAXED);
	cpu->lock_waits = cpu->lock_ticks = 0;
	__atomic_store_n(&v->run_start, now, __ATOMIC_RELEASE);
}

static void turn_ends(struct vcpu *v, uint64_t now)
{
	__atomic_store_n(&v->run_ticks, v->run_before + now - v->run_start, __ATOMIC_RELAXED);
	__atomic_store_n(&v->run_start, 0, __ATOMIC_RELEASE);
}

/* One entry in virtual-8086 mode, with everything around it that run_on() does; the guest's registers are those of real
 * mode before and after. */
static void enter_v86(struct vcpu *v)
{
	bool own_clock = v->vm->clock.guest_only;
	struct hvm_v86 was;
	uint32_t failed = 0;
	uint64_t now;

	if (v->timers.earlier)
		(own_clock ? cover_own_alarm : cover_host_alarm)(v);
	make_current(v);
	hvm_v86_begin(&v->hvm, &v->vm->firmware.tss, &was);
	now = rdtsc();
	account_exit(v, now);
	if (own_clock) {
		clock_enter(&v->vm->clock, now + CLOCK_ENTRY_TICKS);
		vcpu_write_tsc_offset(v);
	}
	hvm_begin_turn(&v->hvm); /* not with the stack pointer of run_on() */
	if (!DEBUG_BUILD || entry_check(v))
		v = container_of(hvm_enter(&v->hvm, &failed), struct vcpu, hvm);
	hvm_begin_turn(&v->hvm);
	__atomic_store_n(&v->exit_tsc, rdtsc(), __ATOMIC_RELAXED);
	if (own_clock)
		clock_exit(&v->vm->clock, v->exit_tsc);
	__atomic_store_n(&v->in_guest, false, __ATOMIC_RELEASE);
	hvm_v86_end(&v->hvm, &was);
	if (failed)
		entry_failed(v);
}

bool run_v86(struct vcpu *v)
{
	uint64_t code;

	enter_v86(v);
	if (v->vm->ended)
		return true;
	code = min_u64(hvm_exit_code(&v->hvm), HVM_EXIT_OTHER);
	if (VM_KEPT(V86_FAULTS, hvm_exit_kind((unsigned)code) == HVM_EXIT_EXCEPTION && v86_faulted(v))) {
		note_exit(v, code);
		if (!v->traced.codes)
			trace_exit(v, (unsigned)code);
		v->exit = &v->exits[code];
		v->exit->count++;
		return false;
	}
	handle_exit(v);
	return true;
}

static void run(struct percpu *cpu, struct vcpu *v)
{
	bool own_clock = v->vm->clock.guest_only;
	uint64_t now = rdtsc();

	if (!v->exit)
		v->exit = &v->exits[HVM_EXIT_OTHER]; /* nothing has exited yet */
	if (!vcpu_may_run(v)) {
		vcpu_has_left(v);
		return;
	}
	turn_begins(cpu, v, now);
	if (own_clock)
		VM_MUTANT(CLOCK_BEGINS, clock_stop(&v->vm->clock, now));
	load(v);
	if (tag_work_pending(&v->mmu, v->cpu->id) || mmu_out_of_date(&v->mmu))
		vcpu_bring_up_to_date(v);
	if (own_clock)
		run_on(v, true);
	else
		run_on(v, false);
	/* FZ1: what others may look at meanwhile. */
	if (v->vm->vcpu_count > 1 && !v->vm->ended)
		vcpu_sync_heart(v);
	now = rdtsc();
	account_exit(v, now);
	schedule_account(v, now - v->run_start);
	turn_ends(v, now);
	vcpu_has_left(v);
	if (!v->vm->paused && v->halted && !v->vm->ended && VM_LEFT_OUT_OR(ALL_ASLEEP, vm_asleep(v->vm)))
		VM_MUTANT(CLOCK_HALTED, clock_go(&v->vm->clock, now));
}

/* ---- one CPU ---- */

void vcpu_leave_cpu(struct vcpu *v)
{
	ASSERT(!v->running);
	VM_MUTANT(LEAVE_RESIDENT, resident_release(v));
	/* This CPU may hold of its state although another was loaded since (SDM, "Software Use of Virtual-Machine
	 * Control Structures"). */
	VM_MUTANT(LEAVE_UNLOAD, hvm_unload(&v->hvm));
	if (VM_KEPT(LEAVE_LOADED, this_cpu()->loaded == v))
		this_cpu()->loaded = NULL;
}

/* v is on no CPU any more; its VM has an account to be told once that holds for all of its vCPUs (VM3). */
static void retire(struct percpu *cpu, struct vcpu *v)
{
	struct vm *vm = v->vm;

	queue_remove(cpu, v);
	vcpu_leave_cpu(v);
	if (VM_LEFT_OUT_OR(LAST_VCPU, __atomic_add_fetch(&vm->vcpus_over, 1, __ATOMIC_SEQ_CST) == vm->vcpu_count)) {
		vm->untold = cpu->untold;
		cpu->untold = vm;
	}
}

bool vm_tell(struct percpu *cpu)
{
	struct vm *vm = cpu->untold;
	bool some = vm && !VM_KEPT(MOVED_UNTOLD, vm->live.left) && stats_vm(vm);

	if (vm && (vm->all_told || vm->live.left)) {
		cpu->untold = vm->untold;
		vm_release(vm);
		vm_released(vm);
	}
	return some;
}

/* An interrupt came, or may have come, while nobody runs. */
static void awake(struct percpu *cpu)
{
	balance_awake(cpu);
	if (cpu->timer_fired)
		vm_timer_interrupt();
	if (unlikely(cpu->id == 0 && rdtsc() >= disk_host_due()))
		disk_host_look();
	life_poll(cpu);
	control_poll(cpu);
}

static void idle(struct percpu *cpu)
{
	if (vm_tell(cpu)) {
		irq_window(); /* there is something to do */
	} else {
		schedule_arm_idle(cpu);
		balance_sleep(cpu);
		irq_wait();
	}
	awake(cpu);
}

/* Where it comes here again (there is one CPU) it does so as it would elsewhere: a CPU that has nothing to do is woken
 * for it by the kick. */
static void depart(struct percpu *cpu, struct vcpu *v)
{
	VM_MUTANT(MOVE_DEPARTS, vcpu_depart(v));
	if (unlikely(__atomic_load_n(&cpu->arrivals, __ATOMIC_RELAXED) == v)) {
		irq_window();
		awake(cpu);
	}
}

void vm_cpu_loop(void)
{
	struct percpu *cpu = this_cpu();

	while (cpu->id != 0 || __atomic_load_n(&machine.alive, __ATOMIC_SEQ_CST)) {
		struct vcpu *v = schedule_pick(cpu);

		if (!v) {
			idle(cpu);
			continue;
		}
		run(cpu, v);
		if (v->vm->ended)
			retire(cpu, v);
		else if (unlikely(v->move_to))
			depart(cpu, v);
		else if (v->halted)
			VM_MUTANT(HALTED_RESTS, queue_rest(cpu, v));
	}
}

void vm_start(struct vm *vm)
{
	struct vcpu *v;

	life_hold();
	if (vm->config->paused == CONFIG_ON)
		vm_pause(vm, true);
	for_each_vcpu(v, vm)
		queue_add(v);
}
