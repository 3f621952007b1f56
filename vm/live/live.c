/* vm/live/live.c - the steps of a move, from the log of the old container to its end. */
#include "vm/live/live.h"

#include "host/device/console.h"
#include "host/device/lapic.h"
#include "host/memory/frames.h"
#include "lib/fmt.h"
#include "lib/mutants/mutate.h"
#include "vm/control/control.h"
#include "vm/device/console.h"
#include "vm/life/life.h"
#include "vm/snapshot/snapshot.h"
#include "vm/vm.h"

#define CPU_PAGES 4u /* for the registers of a vCPU */

struct live_turn live_turn;

static struct {
	bool busy;   /* a step is being made; by atomic exchange (LM5) */
	bool cancel;
	enum live_state state;
	struct vm *from, *to;
	unsigned id; /* of the place; also behind the end */
	bool any;    /* there has been one */
	bool failed, ended; /* the latter: because the VM has */
	char why[200];
	const char *mmu;
	struct live_account account;
	uint64_t began, stood_from;
	unsigned cpu;   /* of which registers are next */
	struct live_cpu registers[VCPUS_MAX];
} live;

/* ---- whose the next step is ---- */

/* LM5: the last that is done in a step. */
static void pass_to(unsigned cpu, uint64_t due)
{
	live_turn.due = due;
	__atomic_store_n(&live_turn.cpu, cpu + 1, __ATOMIC_RELEASE);
	__atomic_store_n(&control_cpus[cpu], true, __ATOMIC_SEQ_CST);
	if (cpu != this_cpu()->id)
		lapic_host_kick(percpu_of(cpu)->apic_id);
}

static void go_on(enum live_state state) { live.state = state; }

static bool is_over(const struct vm *vm) { return __atomic_load_n(&vm->ended, __ATOMIC_ACQUIRE); }

/* The CPU that makes the next step. */
static unsigned who(void)
{
	switch (live.state) {
	case LIVE_BEGINS: case LIVE_COPIES: case LIVE_STOPS: case LIVE_RESTS: case LIVE_UNDOES:
		return vm_home(live.from);
	case LIVE_REGISTERS:
		return __atomic_load_n(&live.from->vcpu[live.cpu]->cpu, __ATOMIC_SEQ_CST)->id;
	default:
		return 0;
	}
}

/* LM2. What was a step's own says why; a VM that is over has given back what it held. */
static void fail(const char *why)
{
	fmt(live.why, sizeof(live.why), "%s", why);
	live.failed = true;
	live.ended = is_over(live.from);
	go_on(is_over(live.from) ? LIVE_DROPS : LIVE_UNDOES);
}

/* ---- its parts ---- */

static void give_registers(void)
{
	for (unsigned n = 0; n < ARRAY_SIZE(live.registers); n++) {
		if (live.registers[n].bytes)
			VM_MUTANT(LIVE_REGISTERS_FREED,
				  frames_free(frames_of_ptr(live.registers[n].bytes), CPU_PAGES));
		live.registers[n] = (struct live_cpu){ .bytes = NULL };
	}
}

static bool take_registers(const struct vm *vm)
{
	for (unsigned n = 0; n < vm->vcpu_count; n++) {
		hfn_t f = frames_alloc_run(CPU_PAGES, 1);

		if (hfn_is_none(f))
			return false;
		live.registers[n].bytes = frames_ptr(f);
	}
	return true;
}

static void begin_log(void)
{
	const char *why;

	vm_freeze(live.from);
	why = save_begin_here(live.from);
	vm_thaw(live.from);
	if (why)
		fail(why);
	else
		go_on(LIVE_COPIES);
}

/* Few pages are left, or copying these would leave none of what may be copied for another round, or it has been tried
 * often enough. */
static bool converged(uint64_t left)
{
	return left <= LIVE_FEW || live.account.pages + 2 * left > live.account.used / 2 * LIVE_HALVES ||
	       live.account.rounds >= LIVE_ROUNDS;
}

static void next_round(void)
{
	if (!live.account.rounds)
		live.account.used = live.account.pages;
	live.account.rounds++;
	vm_freeze(live.from);
	save_collect(live.from);
	vm_thaw(live.from);
	if (converged(live.from->save.left))
		go_on(LIVE_STOPS);
}

static void copy(enum live_state behind)
{
	if (!live_copy(live.from, live.to, &live.account))
		fail(is_over(live.to) ? live.to->end_text : "there is no memory for its RAM");
	else if (live.from->save.left)
		return;
	else if (behind == LIVE_STOPS)
		next_round();
	else
		go_on(behind);
}

/* SN2. */
static void stop(void)
{
	struct vm *vm = live.from;
	const char *why;

	if (!vm->live.stands) {
		live.stood_from = rdtsc();
		vm_stand(vm, true);
	}
	if (VM_KEPT(LIVE_STANDS, vm_any_runs(vm)) || !save_prepare(vm, &why))
		return;
	live.cpu = 0;
	if (why)
		fail(why);
	else
		go_on(LIVE_RESTS);
}

static void take_cpu(void)
{
	struct vcpu *v = live.from->vcpu[live.cpu], *before = vcpu_visit(v);
	struct live_cpu *to = &live.registers[live.cpu];

	if (!v->started)
		vcpu_begin(v);
	vcpu_sync_heart(v);
	to->used = save_cpu(v, to->bytes, CPU_PAGES << PAGE_SHIFT);
	vcpu_visited(before);
	if (!to->used)
		fail("there is no room for its registers");
	else if (++live.cpu == live.from->vcpu_count)
		go_on(LIVE_HANDS);
}

/* ---- the new container takes over ---- */

static void add_account(struct live_account *all, const struct live_account *one)
{
	all->count++;
#define A(name) all->name += one->name;
	LIVE_ACCOUNT(A)
#undef A
	all->longest = max_u64(all->longest, one->stood);
}

/* Other CPUs find its vCPUs when they are kicked because it is not paused any more. */
static void start(struct vm *vm)
{
	struct percpu *self = this_cpu();
	struct vcpu *v;

	for_each_vcpu(v, vm) {
		bool here = v->cpu == self;

		queue_add(v);
		if (here && self->run_queue && self->run_queue->running)
			VM_MUTANT(LIVE_SWITCH, vcpu_note(self->run_queue, REQUEST_SWITCH));
	}
	vm_pause(vm, live.from->live.paused);
	if (vm->id == machine.console)
		platform_console_event(CONSOLE_GUEST);
}

/* Its vCPUs have their last turns, whatever kept them from one. */
static void end_old(struct vm *vm)
{
	struct vcpu *v;

	vm->live.left = true;
	__atomic_store_n(&vm->ended, true, __ATOMIC_RELEASE);
	for_each_vcpu(v, vm)
		VM_MUTANT(LIVE_OLD_STOPS, vcpu_request(v, REQUEST_STOP));
}

/* LM2: it may be over until it is said to be ending, by whoever. */
static void hand(void)
{
	struct vm *from = live.from, *to = live.to;
	const char *why;

	if (VM_KEPT(LIVE_UNASKED, control_is_asked())) /* of one of the old vCPUs */
		return;
	why = live_fill(from, to, live.registers);
	if (why || is_over(to)) {
		fail(why ? why : to->end_text);
		return;
	}
	if (__atomic_exchange_n(&from->ending, true, __ATOMIC_SEQ_CST)) {
		fail("it has ended");
		return;
	}
	live_hand(from, to);
	live.account.stood = rdtsc() - live.stood_from;
	live.account.ticks = rdtsc() - live.began;
	add_account(&to->live.account, &live.account);
	machine.place[live.id].vm = to;
	start(to);
	end_old(from);
	go_on(LIVE_ENDS);
}

/* ---- the end ---- */

static void over(void)
{
	give_registers();
	live.from = live.to = NULL;
	go_on(LIVE_NONE);
	life_let_go();
}

static void undo(void)
{
	vm_freeze(live.from);
	save_end(live.from);
	vm_thaw(live.from);
	if (live.from->live.stands)
		VM_MUTANT(LIVE_GOES_ON, vm_stand(live.from, false));
	go_on(LIVE_DROPS);
}

static void drop(void)
{
	if (live.to) {
		VM_MUTANT(LIVE_DROPPED, vm_release(live.to));
		vm_free(live.to);
	}
	over();
}

/* As life_forget() for one that nobody finds any more. */
static void end(void)
{
	if (!__atomic_load_n(&live.from->released, __ATOMIC_ACQUIRE) || control_is_asked())
		return;
	vm_free(live.from);
	over();
}

/* ---- the steps ---- */

/* Until the new one has taken over. */
static bool spoiled(void)
{
	if (live.state >= LIVE_UNDOES)
		return false;
	if (VM_KEPT(LIVE_OVER, is_over(live.from)))
		fail("it has ended");
	else if (__atomic_load_n(&live.cancel, __ATOMIC_ACQUIRE))
		fail("that was called off");
	else if (VM_KEPT(LIVE_DEBUGGED, live.from->debug.attached))
		fail("a debugger is attached to it");
	else if (is_over(live.to))
		fail(live.to->end_text);
	else
		return false;
	return true;
}

static void make_step(void)
{
	if (spoiled())
		return;
	switch (live.state) {
	case LIVE_BEGINS: begin_log(); break;
	case LIVE_COPIES: copy(LIVE_STOPS); break;
	case LIVE_STOPS: stop(); break;
	case LIVE_RESTS: copy(LIVE_REGISTERS); break;
	case LIVE_REGISTERS: take_cpu(); break;
	case LIVE_HANDS: hand(); break;
	case LIVE_UNDOES: is_over(live.from) ? go_on(LIVE_DROPS) : undo(); break;
	case LIVE_DROPS: drop(); break;
	case LIVE_ENDS: end(); break;
	case LIVE_NONE: break;
	}
}

/* LM4: could any vCPU have this CPU? */
static bool is_busy(const struct percpu *cpu)
{
	const struct vcpu *first = cpu->run_queue, *v = first;

	for (bool more = first; more; more = v != first) {
		if (v->running || schedule_runnable(v))
			return true;
		v = v->ring;
	}
	return false;
}

uint64_t live_pause(const struct percpu *cpu, uint64_t took) { return VM_KEPT(LIVE_SHARE, is_busy(cpu)) ? took : 0; }

/* Where nothing has come of a step it waits for others, who have the CPU meanwhile. */
#define WAIT_TICKS 20000u

static void step(struct percpu *cpu)
{
	uint64_t begin = rdtsc(), pages = live.account.pages, took, pause;
	enum live_state before = live.state;
	unsigned next;

	if (who() != cpu->id) {
		pass_to(who(), 0);
		return;
	}
	make_step();
	if (live.state == LIVE_NONE) {
		__atomic_store_n(&live_turn.cpu, 0, __ATOMIC_RELEASE);
		return;
	}
	took = rdtsc() - begin;
	pause = live_pause(cpu, took);
	if (live.state == before && pages == live.account.pages && before != LIVE_COPIES && before != LIVE_RESTS)
		pause = WAIT_TICKS;
	next = who();
	pass_to(next, begin + took + pause);
	if (next == cpu->id && cpu->run_queue && cpu->run_queue->running)
		schedule_arm_running(cpu);
}

static bool get_busy(void *ctx)
{
	(void)ctx;
	return !__atomic_exchange_n(&live.busy, true, __ATOMIC_SEQ_CST);
}

void live_serve(struct percpu *cpu)
{
	if (likely(__atomic_load_n(&live_turn.cpu, __ATOMIC_ACQUIRE) != cpu->id + 1))
		return;
	if (!get_busy(NULL)) {
		__atomic_store_n(&control_cpus[cpu->id], true, __ATOMIC_SEQ_CST);
		return;
	}
	if (__atomic_load_n(&live_turn.cpu, __ATOMIC_ACQUIRE) == cpu->id + 1) {
		if (rdtsc() >= live_turn.due)
			step(cpu);
		else
			__atomic_store_n(&control_cpus[cpu->id], true, __ATOMIC_SEQ_CST);
	}
	__atomic_store_n(&live.busy, false, __ATOMIC_SEQ_CST);
}

/* ---- asked for ---- */

static const char *cannot(const struct vm *vm, const struct mmu_ops *ops)
{
	static char why[100];

	if (live.state != LIVE_NONE) {
		fmt(why, sizeof(why), "%s is being moved; one is at a time", machine.place[live.id].config->name);
		return why;
	}
	return switch_refused(vm, ops);
}

const char *live_begin(struct vm *vm, const struct mmu_ops *ops)
{
	const char *why;
	struct vm *to;

	ops = ops ? ops : vm->mmu.ops;
	why = cannot(vm, ops);
	if (why)
		return why;
	to = vm_create_second(vm, ops);
	if (!to)
		return "there is no memory for another container";
	life_hold(); /* the machine stays up until nothing of it is left */
	live.from = vm;
	live.to = to;
	live.id = vm->id;
	live.any = true;
	live.failed = live.ended = live.cancel = false;
	live.mmu = ops->name;
	live.account = (struct live_account){ .count = 1 };
	live.began = rdtsc();
	if (is_over(to) || !take_registers(vm)) {
		fmt(live.why, sizeof(live.why), "%s",
		    is_over(to) ? to->end_text : "there is no memory for its registers");
		drop();
		return live.why;
	}
	go_on(LIVE_BEGINS);
	pass_to(vm_home(vm), 0);
	return NULL;
}

void live_cancel(const struct vm *vm)
{
	if (live.state != LIVE_NONE && live.id == vm->id)
		__atomic_store_n(&live.cancel, true, __ATOMIC_RELEASE);
}

bool live_tell(const struct vm *vm, struct live_told *told)
{
	const struct vm *from = live.from;

	if (!live.any || live.id != vm->id)
		return false;
	*told = (struct live_told){ .state = live.state, .failed = live.failed,
				    .ended = live.ended, .why = live.why, .mmu = live.mmu, .account = live.account };
	if (from && live.state < LIVE_HANDS)
		told->left = from->save.left;
	return true;
}

bool live_is_of(const struct vm *vm)
{
	return __atomic_load_n(&live_turn.cpu, __ATOMIC_ACQUIRE) && live.from == vm && live.state < LIVE_ENDS;
}

void live_forget(const struct vm *vm)
{
	vcpu_wait_parked(get_busy, NULL); /* a step may wait for this CPU's vCPU (FZ3) */
	if (live.state != LIVE_NONE && live.from == vm) {
		fail("it has ended");
		drop();
		__atomic_store_n(&live_turn.cpu, 0, __ATOMIC_RELEASE);
	} else if (live.id == vm->id && !live.ended) {
		live.any = false;
	}
	__atomic_store_n(&live.busy, false, __ATOMIC_SEQ_CST);
}
