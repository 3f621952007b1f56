/* vm/cpu/emulated.c - running a vCPU that no CPU can enter (vm/cpu/enterable.c): the emulator carries out one
 * instruction after the other until it can be entered, and delivers the events between them (vm/exit/event.c).
 *
 * RE1 A vCPU that is emulated has a request, or sleeps, so that the run loop comes here before it would enter.
 * RE2 A turn is bounded: so many instructions, each of bounded work (EM5 in emulate/emulate.h), and it is one at least,
 *     or the delivery of an event. Between two turns requests are served and, once a slice, the host's interrupts let
 *     in.
 * RE3 A clock that stands still while the hypervisor works (`clock guest`) goes on by one tick for each instruction, so
 *     that timers come, and never so often that nothing is done between them.
 * RE4 Real mode whose registers virtual-8086 mode can have is run by the CPU (vcpu_v86_fits), with every exception an
 *     exit: what faults there the emulator does, as real mode has it, and each event is delivered by the emulator. So
 *     the guest finds real mode. */
#include "vm/vm.h"

#include "lib/mutants/mutate.h"

#define TURN 64 /* instructions */

void emulated_decide(struct vcpu *v)
{
	v->emulated = VM_KEPT(EMULATED_RUN, !vcpu_enterable(v));
	if (v->emulated)
		VM_MUTANT(EMULATED_NOTED, vcpu_note(v, REQUEST_EVENT)); /* RE1 */
}

/* The next instruction, and the next event's delivery, look at the registers that the last one has loaded, and find
 * some of them where the CPU does (hvm_sync_paging). */
static void take_over_registers(struct vcpu *v)
{
	if (unlikely(v->mmu.root_changed || v->mmu.intercepts_changed))
		vcpu_bring_up_to_date(v);
}

/* Handlers change segment registers after control registers, as a task switch does. */
void emulated_look_again(struct vcpu *v)
{
	VM_MUTANT(EMULATED_REGISTERS, take_over_registers(v));
	v->emulated = VM_LEFT_OUT_OR(EMULATED_END, !vcpu_enterable(v));
}

/* The time of the turn is that of the instructions' account, not of the last exit's. */
static void begin_turn(struct vcpu *v)
{
	uint64_t now = rdtsc();

	VM_MUTANT(EMULATED_TICKS, v->exit->ticks += now - v->exit_tsc);
	v->exit = &v->exits[HVM_EXIT_EMULATED];
	v->exit_tsc = now;
	if (VM_KEPT(EMULATED_HOST_TURN, now >= v->host_turn))
		vm_host_turn(v);
}

void emulated_time(struct vcpu *v)
{
	VM_MUTANT(EMULATED_CLOCK, clock_tick(&v->vm->clock));
	/* Its timers, which the CPU's timer is not armed for here. */
	VM_MUTANT(EMULATED_TIMERS, schedule_run_timers(v));
}

/* Several instructions at a time in real mode, while nothing waits that one of them could let in, or that comes behind
 * one of them. */
static unsigned at_once(const struct vcpu *v)
{
	bool quiet = !v->vm->debug.attached &&
		     !vcpu_nmi_pending(v) && !v->interrupt_waits && !(hvm_dr7(&v->hvm) & DR7_ENABLED) &&
		     !(hvm_blocking(&v->hvm) & (BLOCKING_STI | BLOCKING_MOV_SS));

	return VM_LEFT_OUT_OR(EMULATED_QUIET, quiet) && !(v->mmu.regs.cr0 & CR0_PE) ? TURN : 1;
}

static unsigned emulate(struct vcpu *v, unsigned most)
{
	unsigned done = 1;

	if ((v->vm->debug.attached && debug_on_fetch(v)) || breakpoints_on_fetch(v))
		return done;
	done = emulation_steps(v, most);
	v->exit->count += done;
	if (v->debug.step) {
		v->debug.step_rip = ~hvm_rip(&v->hvm); /* also where it has jumped to itself */
		vcpu_note(v, REQUEST_DEBUG);
	}
	return done;
}

/* Its time from now on is that of what the emulator does. */
static void account_as_emulated(struct vcpu *v)
{
	uint64_t now = rdtsc();

	v->exit->ticks += now - v->exit_tsc;
	v->exit = &v->exits[HVM_EXIT_EMULATED];
	v->exit_tsc = now;
}

static unsigned run(struct vcpu *v)
{
	if (!v->vm->debug.attached && vcpu_v86_fits(v)) { /* RE4; a debugger wants single instructions */
		bool done = run_v86(v);

		account_as_emulated(v);
		return done ? 1 : emulate(v, 1);
	}
	return emulate(v, at_once(v));
}

void emulated_turn(struct vcpu *v)
{
	begin_turn(v);
	emulated_look_again(v); /* the host's turn may have changed the mechanism */
	for (unsigned n = 0; n < TURN && v->emulated && !v->halted && !v->vm->ended;) {
		if (VM_KEPT(EMULATED_EVENTS, event_may_come(v)))
			break;
		n += run(v);
		emulated_look_again(v);
		if (v->exit_tsc >= v->host_turn)
			break;
		/* Not before: one that is there again and again must not keep the guest from going on (SW3). */
		if (vcpu_requested(v))
			break;
	}
	vcpu_note(v, REQUEST_EVENT); /* RE1; and what can be entered asks for windows */
	VM_MUTANT(EMULATED_ALARM, v->timers.earlier = true); /* AL3 */
}
