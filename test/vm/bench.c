/* test/vm/bench.c - the bench: the machine, and the run loop on a stack of its own (test/vm/bench.h). */
#include "test/fiber.h"
#include "test/vm/cpu.h"
#include "test/vm/disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#include "host/memory/frames.h"
#include "host/trap/interrupt.h"
#include "vm/control/control.h"
#include "vm/device/console.h"
#include "vm/device/disk.h"
#include "vm/device/net.h"
#include "vm/memory/owner.h"
#include "vm/seam.h"

#define STACK_SIZE (256 * 1024)
#define VPIDS 64

extern const char vmx_exit_entry[1];

struct bench bench;
void (*bench_seam)(void);

static ucontext_t test;
/* Each CPU's loop, and where it stands while another goes on. */
static struct loop {
	ucontext_t loop;
	char stack[STACK_SIZE] __attribute__((aligned(16)));
	enum bench_at at;
	struct vcpu *v;
	uint64_t entered;
} loops[BENCH_HOST_CPUS];

static const void *test_bottom;
static size_t test_size;

/* ---- from stack to stack ---- */

/* On the loop's stack: the test goes on, until it wants the loop to. */
static void yield(enum bench_at at)
{
	void *fake = NULL;

	bench.at = at;
	fiber_leave(at == BENCH_OVER ? NULL : &fake, test_bottom, test_size);
	swapcontext(&loops[soft.at].loop, &test);
	fiber_arrive(fake, &test_bottom, &test_size);
}

static void loop_main(void)
{
	fiber_arrive(NULL, &test_bottom, &test_size);
	vm_cpu_loop();
	yield(BENCH_OVER);
}

uint64_t bench_emulated(void)
{
	uint64_t sum = 0;

	for (unsigned n = 0; n < machine.vm_count; n++)
		if (vm_at(n))
			sum += stats_exit(vm_at(n), HVM_EXIT_EMULATED).count;
	return sum;
}

/* On the test's stack: the loop goes on, until it comes to where it stands next. */
static void resume(void)
{
	void *fake = NULL;

	BUG_ON(bench.at == BENCH_OVER);
	bench.accesses = 0;
	bench.emulated_before = bench_emulated();
	soft.steps = 0;
	fiber_leave(&fake, loops[soft.at].stack, STACK_SIZE);
	swapcontext(&test, &loops[soft.at].loop);
	fiber_arrive(fake, NULL, NULL);
}

static void start_loop(void)
{
	struct loop *l = &loops[soft.at];

	getcontext(&l->loop);
	l->loop.uc_stack.ss_sp = l->stack;
	l->loop.uc_stack.ss_size = STACK_SIZE;
	l->loop.uc_link = NULL;
	makecontext(&l->loop, loop_main, 0);
	bench.at = BENCH_IDLE;
	resume();
}

void bench_on(unsigned cpu)
{
	BUG_ON(cpu >= soft.cpus);
	loops[soft.at].at = bench.at;
	loops[soft.at].v = bench.v;
	loops[soft.at].entered = bench.entered;
	soft.at = cpu;
	bench.at = loops[cpu].at;
	bench.v = loops[cpu].v;
	bench.entered = loops[cpu].entered;
}

/* ---- the entry ---- */

static uint64_t read_field(void *ctx, uint32_t field)
{
	(void)ctx;
	return vmread((enum vmcs_field)field);
}

static const void *read_memory(void *ctx, uint64_t hpa, unsigned n)
{
	(void)ctx;
	return host_memory(hpa, n);
}

static void remember_entry(void)
{
	uint32_t event = (uint32_t)vmcs_get(VMCS_ENTRY_INTERRUPTION_INFO);

	bench.entry = (struct bench_entry){
		.event = event & EVENT_VALID ? event : 0,
		.error = (uint32_t)vmcs_get(VMCS_ENTRY_ERROR_CODE),
		.length = (uint32_t)vmcs_get(VMCS_ENTRY_INSTRUCTION_LENGTH),
		.rip = vmcs_get(VMCS_GUEST_RIP),
		.rflags = vmcs_get(VMCS_GUEST_RFLAGS),
		.interruptibility = vmcs_get(VMCS_GUEST_INTERRUPTIBILITY),
		.activity = vmcs_get(VMCS_GUEST_ACTIVITY),
		.pending_debug = vmcs_get(VMCS_GUEST_PENDING_DEBUG),
		.proc = vmcs_get(VMCS_PROC_CONTROLS),
	};
}

/* What the CPU makes of the VMCS by the time that the guest's next instruction ends, as far as no test wants it
 * otherwise. B3. */
static void entry_takes_effect(void)
{
	uint64_t blocking = bench.entry.interruptibility & ~(BLOCKING_STI | BLOCKING_MOV_SS);

	if ((bench.entry.event & EVENT_TYPE) == EVENT_TYPE_NMI && (vmcs_get(VMCS_PIN_CONTROLS) & PIN_VIRTUAL_NMI))
		blocking |= BLOCKING_NMI;
	vmcs_put(VMCS_ENTRY_INTERRUPTION_INFO, vmcs_get(VMCS_ENTRY_INTERRUPTION_INFO) & ~EVENT_VALID);
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, blocking);
	vmcs_put(VMCS_GUEST_PENDING_DEBUG, 0);
	vmcs_put(VMCS_GUEST_ACTIVITY, 0);
}


struct vmx_vcpu *vmx_enter(struct vmx_vcpu *v, uint32_t *failed)
{
	struct vmentry e = { .caps = cpu_vmentry_caps(), .read = read_field, .memory = read_memory };

	bench.v = container_of(&v->hvm, struct vcpu, hvm);
	*failed = bench.entry_fails;
	if (*failed) {
		bench.entry_fails = false;
		vmcs_put(VMCS_INSTRUCTION_ERROR, 7);
		return v;
	}
	bench.entries++;
	bench.broken = vmentry_check(&e);
	if (!bench.broken)
		bench.broken = bench_apic_rightly(bench.v);
	remember_entry();
	bench_apic_entered();
	entry_takes_effect();
	v->launched = true;
	bench.entered = soft.tsc;
	yield(BENCH_ENTRY);
	return v;
}

/* HLT of the host, with interrupts on. */
void irq_wait(void)
{
	if (!bench_disk_interrupt())
		yield(BENCH_IDLE);
	irq_window();
}

void bench_pause_emulation(void)
{
	bench.v = soft_percpu(soft.at)->loaded;
	yield(BENCH_EMULATED);
}

/* ---- leaving the guest ---- */

enum bench_at bench_emulate(void)
{
	BUG_ON(bench.at != BENCH_EMULATED);
	resume();
	return bench.at;
}

/* The preemption timer, which exits save; SDM, "VMX-Preemption Timer". It counts as the TSC does. */
static bool timer_saved(void)
{
	return bench.at == BENCH_ENTRY && (vmcs_get(VMCS_EXIT_CONTROLS) & EXIT_SAVE_TIMER);
}

enum bench_at bench_exit(const struct bench_exit *x)
{
	uint64_t left = vmcs_get(VMCS_PREEMPTION_TIMER), ran = soft.tsc - bench.entered;

	BUG_ON(bench.at != BENCH_ENTRY);
	if (timer_saved())
		vmcs_put(VMCS_PREEMPTION_TIMER, left > ran ? left - ran : 0);
	vmcs_put(VMCS_EXIT_REASON, x->reason);
	vmcs_put(VMCS_EXIT_QUALIFICATION, x->qualification);
	vmcs_put(VMCS_EXIT_INSTRUCTION_LENGTH, x->length);
	vmcs_put(VMCS_EXIT_INSTRUCTION_INFO, x->instruction_info);
	vmcs_put(VMCS_EXIT_INTERRUPTION_INFO, x->info);
	vmcs_put(VMCS_EXIT_INTERRUPTION_ERROR, x->error);
	vmcs_put(VMCS_IDT_VECTORING_INFO, x->vectoring);
	vmcs_put(VMCS_IDT_VECTORING_ERROR, x->vectoring_error);
	vmcs_put(VMCS_GUEST_LINEAR_ADDRESS, x->gva);
	vmcs_put(VMCS_GUEST_PHYSICAL_ADDRESS, x->gpa);
	resume();
	if (bench.at == BENCH_ENTRY && bench.v->chain.looks && !bench.chains)
		return bench_exit_simple(EXIT_MONITOR_TRAP_FLAG, 0);
	return bench.at;
}

enum bench_at bench_exit_simple(uint32_t reason, uint32_t length)
{
	return bench_exit(&(struct bench_exit){ .reason = reason, .length = length });
}

enum bench_at bench_interrupt(uint8_t vector)
{
	if (bench.at == BENCH_ENTRY)
		return bench_exit(&(struct bench_exit){ .reason = EXIT_EXTERNAL_INTERRUPT,
							.info = (uint32_t)EVENT_VALID | vector });
	host_interrupt_pending(vector);
	resume();
	return bench.at;
}

void bench_wait(uint64_t ticks) { soft.tsc += ticks; }

/* When the CPU's own timer rings. */
static uint64_t own_timer(void)
{
	return timer_saved() ? bench.entered + vmcs_get(VMCS_PREEMPTION_TIMER) : UINT64_MAX;
}

enum bench_at bench_timer(void)
{
	struct percpu *cpu = soft_percpu(soft.at);
	uint64_t rings = own_timer();

	if (rings < cpu->timer_armed) {
		soft.tsc = max_u64(soft.tsc, rings);
		return bench_exit_simple(EXIT_PREEMPTION_TIMER, 0);
	}
	BUG_ON(cpu->timer_armed == UINT64_MAX);
	soft.tsc = max_u64(soft.tsc, cpu->timer_armed);
	cpu->timer_armed = UINT64_MAX;
	return bench_interrupt(VECTOR_TIMER);
}

enum bench_at bench_slice(void)
{
	uint64_t end = soft.tsc + schedule_slice();

	if (min_u64(own_timer(), soft_percpu(soft.at)->timer_armed) <= end)
		return bench_timer();
	soft.tsc = end;
	return bench_interrupt(VECTOR_TIMER);
}

/* ---- the machine ---- */

static struct vm_config vm_configs[BENCH_VMS_MAX];
static struct vm_place places[BENCH_VMS_MAX];

static void describe(struct vm_config *c, const struct bench_config *wanted, unsigned n)
{
	char text[1024], error[256];

	snprintf(text, sizeof(text), "vm test%u\n%s\n%svm86 %s\n%sclock %s\n%s%s\ntpr %s\n%s", n,
		 wanted->restore ? "restore snapshot" : wanted->firmware ? "" : "kernel kernel",
		 wanted->firmware ? "bios firmware\n" : "",
		 wanted->vm86 ? "on" : "off",
		 wanted->description && !strncmp(wanted->description, "mem ", 4) ? "" : "mem 4M\n",
		 wanted->guest_clock ? "guest" : "host", wanted->mmu[0] ? "mmu " : "", wanted->mmu,
		 wanted->tpr ? wanted->tpr : "trap",
		 wanted->description ? wanted->description : "");
	if (config_parse(text, strlen(text), c, 1, error, sizeof(error)) != 1) {
		fprintf(stderr, "bench: %s\n", error);
		abort();
	}
}

static void make_machine(const struct speculation_cpu *speculation)
{
	const char *why;

	memset(&machine, 0, sizeof(machine));
	cpus_idle = cpus_crowded = (struct cpuset){ { 0 } };
	why = hvm_caps_read(&machine.caps);
	if (why) {
		fprintf(stderr, "bench: %s\n", why);
		abort();
	}
	machine.tsc_hz = 1000000000;
	schedule_init();
	machine.wall_clock = 1700000000;
	if (speculation)
		speculation_judge(speculation, &machine.speculation);
	hvm_intercepts_init(&machine.caps);
	exit_handlers_init();
	vpid_pool_init(&machine.vpids, VPIDS);
}

static uint64_t console_waits;

struct vm *bench_create(const struct bench_config *config)
{
	unsigned n = machine.vm_count;
	struct vm *vm;

	BUG_ON(n == BENCH_VMS_MAX);
	describe(&vm_configs[n], config, n);
	places[n] = (struct vm_place){ .config = &vm_configs[n], .starts = 1 };
	machine.place = places;
	machine.console_waits = &console_waits;
	machine.vm_count = n + 1;
	bench.why_not = disks_begin(false);
	if (!bench.why_not)
		bench.why_not = nets_find_way_out();
	if (!bench.why_not)
		bench.why_not = nets_begin();
	vm = vm_create(n, &vm_configs[n], &soft.percpu);
	BUG_ON(!vm);
	if (!config->restore)
		mitigations_choose(vm);
	places[n].vm = vm;
	bench.vm[n] = vm;
	if (vm->ended) {
		vm_release(vm);
		vm->released = vm->settled = true;
	} else {
		vm_start(vm);
	}
	return vm;
}

void bench_new(const struct bench_config *config)
{
	/* A test that failed has left one. */
	if (machine.vm_count)
		bench_delete();
	memset(&bench, 0, sizeof(bench));
	bench_cpu_reset(config);
	vmcs_reset();
	host_reset();
	make_machine(config->speculation);
	BUG_ON(!owners_init());
	machine.frames_before = frames_available();
	for (unsigned n = 0; n < (config->vms ? config->vms : 1); n++) {
		struct vm *vm = bench_create(config);

		if (vm->ended) {
			fprintf(stderr, "bench: %s\n", vm->end_text);
			abort();
		}
	}
	console_event = platform_console_event;
	memset(loops, 0, sizeof(loops));
	for (unsigned n = soft.cpus; n--;) {
		bench_on(n);
		start_loop();
	}
}

void bench_delete(void)
{
	bench.stalled = false;
	console_flush();
	for (unsigned n = 0; n < machine.vm_count; n++)
		if (vm_at(n))
			vm_end(vm_at(n), VM_STATUS_OK, "the test is over");
	/* The first CPU's loop ends when all has been told. */
	for (unsigned n = 0; bench.at != BENCH_OVER || soft.at; n++) {
		BUG_ON(n > 400); /* a virtual machine that has ended is never retired */
		bench_on(n % soft.cpus);
		bench_disk_finish(); /* a trace's end waits for it */
		if (bench.at != BENCH_OVER)
			bench_interrupt(VECTOR_KICK);
	}
	/* A request that waits for its answer must not meet the next machine. */
	bench_type(CONSOLE_STATS, "\n", 1);
	for (unsigned n = 0; control_cpus[0] && n < 100; n++) {
		console_flush();
		control_serve();
	}
	console_event = NULL;
	while (console_get(CONSOLE_GUEST) >= 0 || console_get(CONSOLE_STATS) >= 0)
		;
	/* Nothing that a virtual machine held is lost. */
	vm_release_all();
	BUG_ON(frames_available() != machine.frames_before);
	memset(&machine, 0, sizeof(machine));
}

/* ---- what vm/ calls and the bench has none of ---- */

const char vmx_exit_entry[1];

bool resident_init(struct vcpu *v)
{
	static uint8_t fpu[VCPUS_MAX][4096] __attribute__((aligned(64)));

	v->fpu = fpu[v->id % VCPUS_MAX];
	v->xcr0 = 1;
	v->saved_dr[4] = 0xffff0ff0;
	return true;
}

void resident_free(struct vcpu *v) { (void)v; }

void resident_init_reset(struct vcpu *v)
{
	memset(v->saved_dr, 0, sizeof(v->saved_dr));
	v->saved_dr[4] = 0xffff0ff0;
	v->saved_cr2 = 0;
}

/* Debug builds put each entry through the checks here; the bench does it in vmx_enter(), in every build. */
const char *vmx_entry_check(const struct hvm_caps *caps)
{
	(void)caps;
	return NULL;
}

void resident_switch(struct vcpu *v) { this_cpu()->resident = v; }

void resident_release(struct vcpu *v)
{
	if (this_cpu()->resident == v)
		this_cpu()->resident = NULL;
}

void resident_set_breakpoint(unsigned n, uint64_t address) { this_cpu()->resident->saved_dr[n] = address; }
uint64_t resident_breakpoint(unsigned n) { return this_cpu()->resident->saved_dr[n]; }
