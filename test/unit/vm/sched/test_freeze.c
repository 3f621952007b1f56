/* vm/sched/freeze.c: all virtual CPUs of a virtual machine stop. The second one lives on another CPU, which is not
 * there, or a thread. */
#include "test/unit/vm/fixture.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "host/trap/interrupt.h"
#include "vm/control/control.h"

static struct percpu elsewhere = { .id = 1, .apic_id = 7 };
static struct vm *vm;
static struct vcpu *boot, *second;
static unsigned kicks;

static void for_ever(int signal)
{
	(void)signal;
	bug(__FILE__, __LINE__, "nobody waits for ever");
}

static void begin(const char *tpr)
{
	signal(SIGALRM, for_ever);
	alarm(10);
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .description = "vcpus 2\n", .tpr = tpr });
	check_entry(0);
	vm = bench.vm[0];
	boot = vm_boot_vcpu(vm);
	second = vm->vcpu[1];
	kicks = 0;
	STEP(bench_wrmsr(MSR_APIC_BASE, X2APIC_ON | APIC_BASE_BSP));
	STEP(bench_wrmsr(MSR_X2APIC_ICR, 1ull << 32 | 0x4610)); /* it runs */
	until(second);
	STEP(bench_mov_to_cr(0, CR0_PE | CR0_ET));
	assert_true(bench_mode(BENCH_PROT32, 0));
	until(boot);
}

/* The second one is taken for one that runs on another CPU. */
static void move_away(void)
{
	second->cpu = &elsewhere;
	second->running = true;
}

static void end(void)
{
	host_kicked = NULL;
	second->cpu = boot->cpu;
	second->running = false;
	finish();
	alarm(0);
}

/* What the other CPU does when it is kicked: its vCPU leaves. */
static void leaves(uint32_t apic_id)
{
	assert_int_equal(apic_id, elsewhere.apic_id);
	kicks++;
	if (!second->running || !vm->frozen_by)
		return;
	assert_ptr_equal(vm->frozen_by, boot->cpu);
	assert_true(second->requests & REQUEST_SWITCH);
	assert_true(boot->parked);
	second->running = false;
}

static void waits_for_the_others(void **state)
{
	(void)state;
	begin("trap");
	move_away();
	host_kicked = leaves;
	vm_freeze(vm);
	assert_int_equal(kicks, 1);
	assert_false(second->running);
	/* Again, and once more let go: it is frozen still. */
	vm_freeze(vm);
	vm_thaw(vm);
	assert_ptr_equal(vm->frozen_by, boot->cpu);
	assert_int_equal(kicks, 1);
	vm_thaw(vm);
	assert_null(vm->frozen_by);
	assert_false(boot->parked);
	assert_int_equal(kicks, 2); /* its CPU may have gone to sleep */
	end();
}

static void *leaves_later(void *unused)
{
	usleep(50000);
	__atomic_store_n(&second->running, false, __ATOMIC_SEQ_CST);
	return unused;
}

static void as_long_as_it_takes(void **state)
{
	pthread_t thread;

	(void)state;
	begin("trap");
	move_away();
	pthread_create(&thread, NULL, leaves_later, NULL);
	vm_freeze(vm);
	assert_false(second->running);
	pthread_join(thread, NULL);
	vm_thaw(vm);
	end();
}

/* FZ2. */
static void nobody_is_taken_up_meanwhile(void **state)
{
	(void)state;
	begin("trap");
	vm->frozen_by = &elsewhere;
	second->running = false;
	assert_false(vcpu_may_run(second));
	assert_true(second->running);
	vcpu_has_left(second);
	assert_false(second->running);
	vcpu_note(boot, REQUEST_SWITCH);
	assert_int_equal(bench_exit_simple(EXIT_CPUID, 2), BENCH_IDLE);
	assert_int_equal(bench_interrupt(VECTOR_KICK), BENCH_IDLE);
	vm->frozen_by = NULL;
	assert_true(vcpu_may_run(second));
	vcpu_has_left(second);
	vm->paused = true;
	assert_false(vcpu_may_run(second));
	vcpu_has_left(second);
	vm_pause(vm, false);
	STEP(bench_interrupt(VECTOR_KICK));
	end();
}

static bool was_parked;
static uint64_t cr3_then;

/* Another CPU freezes the VM too; FZ3. */
static void *freezes_too(void *unused)
{
	host_other_cpu = &elsewhere;
	vm_freeze(vm);
	was_parked = boot->parked;
	cr3_then = boot->mmu.regs.cr3;
	vm_thaw(vm);
	return unused;
}

static void two_at_once(void **state)
{
	pthread_t thread;

	(void)state;
	begin("trap");
	vmcs_put(VMCS_GUEST_CR3, 0x9000); /* the guest has, without an exit */
	pthread_create(&thread, NULL, freezes_too, NULL);
	while (__atomic_load_n(&vm->frozen_by, __ATOMIC_SEQ_CST) != &elsewhere)
		;
	vm_freeze(vm);
	pthread_join(thread, NULL);
	assert_true(was_parked);
	assert_int_equal(cr3_then, 0x9000);
	assert_ptr_equal(vm->frozen_by, boot->cpu);
	vm_thaw(vm);
	end();
}

static pthread_t thaws;

static void *thaws_later(void *unused)
{
	usleep(50000);
	was_parked = __atomic_load_n(&boot->parked, __ATOMIC_SEQ_CST);
	__atomic_store_n(&vm->frozen_by, NULL, __ATOMIC_SEQ_CST);
	return unused;
}

/* As soon as it has thawed, another CPU freezes it: who waits there has its turn first. */
static void frozen_again(uint32_t apic_id)
{
	(void)apic_id;
	vm->frozen_by = &elsewhere;
	pthread_create(&thaws, NULL, thaws_later, NULL);
}

static void a_parked_one_waits(void **state)
{
	(void)state;
	begin("trap");
	second->cpu = &elsewhere;
	vm_freeze(vm);
	was_parked = false;
	host_kicked = frozen_again;
	vm_thaw(vm);
	host_kicked = NULL;
	assert_false(boot->parked);
	pthread_join(thaws, NULL);
	assert_true(was_parked);
	end();
}

/* What a vCPU is, when it does not run, is in memory. */
static void in_memory_when_it_stops(void **state)
{
	(void)state;
	begin("trap");
	vmcs_put(VMCS_GUEST_CR3, 0x5000);
	until(second);
	assert_int_equal(boot->mmu.regs.cr3, 0x5000);
	until(boot);
	boot->mmu.regs.cr3 = boot->mmu.root.cr3 = 0x7000;
	boot->mmu.root_changed = true;
	vcpu_sync_heart(boot);
	assert_int_equal(boot->mmu.regs.cr3, 0x7000);
	assert_int_equal(vmcs_get(VMCS_GUEST_CR3), 0x7000);
	end();
}

static void another_mechanism(void **state)
{
	(void)state;
	begin("trap");
	move_away();
	host_kicked = leaves;
	assert_null(vm_switch(vm, mmu_mechanism_by_name("shadow")));
	assert_int_equal(kicks, 2);
	assert_string_equal(vm->mmu.ops->name, "shadow");
	assert_null(vm->frozen_by);
	/* Who runs the one that is elsewhere, the CPU or the emulator, is decided there. */
	assert_true(second->undecided);
	assert_false(boot->undecided);
	host_kicked = NULL;
	second->cpu = boot->cpu;
	until(second);
	assert_false(second->undecided);
	end();
}

static bool flexpriority(void)
{
	return vmcs_get(VMCS_PROC_CONTROLS) & PROC_TPR_SHADOW;
}

static void another_tpr(void **state)
{
	(void)state;
	begin("trap");
	assert_false(flexpriority());
	move_away();
	host_kicked = leaves;
	assert_null(tpr_change(vm, "flexpriority"));
	assert_true(kicks);
	assert_true(flexpriority());
	assert_true(second->tpr_stale);
	host_kicked = NULL;
	second->cpu = boot->cpu;
	until(second);
	assert_true(flexpriority());
	assert_false(second->tpr_stale);
	/* So it is if this CPU waited, and another has changed it meanwhile. */
	until(boot);
	boot->start.tpr.registers = boot->start.tpr.access = HPA(0);
	boot->tpr_stale = true;
	vm_freeze(vm);
	vm_thaw(vm);
	assert_false(flexpriority());
	end();
}

/* The page of the local APICs ends when one of them goes to x2APIC mode. */
static void the_page_moves(void **state)
{
	(void)state;
	begin("flexpriority");
	until(second);
	STEP(bench_wrmsr(MSR_APIC_BASE, X2APIC_ON));
	until(boot);
	assert_int_equal(vm->tpr.page_at.v, ~0ull);
	STEP(bench_wrmsr(MSR_APIC_BASE, LAPIC_DEFAULT_BASE | APIC_BASE_BSP));
	STEP(bench_wrmsr(MSR_APIC_BASE, LAPIC_DEFAULT_BASE | APIC_BASE_EN | APIC_BASE_BSP));
	until(second);
	STEP(bench_wrmsr(MSR_APIC_BASE, LAPIC_DEFAULT_BASE));
	until(boot);
	second->lapic.enabled = true; /* in xAPIC mode again, of which nobody has been told yet */
	second->lapic.x2apic = false;
	move_away();
	host_kicked = leaves;
	tpr_page_moves(boot);
	assert_int_equal(vm->tpr.page_at.v, 0xfee00);
	assert_true(kicks >= 2);
	end();
}

/* The clock of a paused machine goes on until the last has left. */
static void paused(void **state)
{
	(void)state;
	begin("trap");
	move_away();
	vm_pause(vm, true);
	assert_int_equal(bench_exit_simple(EXIT_CPUID, 2), BENCH_IDLE);
	assert_false(vm->clock.stopped);
	vcpu_has_left(second);
	assert_true(vm->clock.stopped);
	vm_pause(vm, false);
	assert_false(vm->clock.stopped);
	STEP(bench_interrupt(VECTOR_KICK));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_for_the_others),
		cmocka_unit_test(as_long_as_it_takes),
		cmocka_unit_test(nobody_is_taken_up_meanwhile),
		cmocka_unit_test(two_at_once),
		cmocka_unit_test(a_parked_one_waits),
		cmocka_unit_test(in_memory_when_it_stops),
		cmocka_unit_test(another_mechanism),
		cmocka_unit_test(another_tpr),
		cmocka_unit_test(the_page_moves),
		cmocka_unit_test(paused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
