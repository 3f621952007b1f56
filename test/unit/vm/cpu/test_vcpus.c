/* A virtual machine with two virtual CPUs, on one CPU: what is one's own, and what is done once for both (vm/vm.h,
 * "questions to a VM"; VM3). */
#include "test/unit/vm/fixture.h"

#include "host/device/console.h"
#include "host/memory/frames.h"
#include "host/trap/interrupt.h"
#include "vm/control/control.h"

static struct vm *vm;
static struct vcpu *boot, *second;

static struct vcpu *alloc_vcpu(void)
{
	uint64_t pages = align_up(sizeof(struct vcpu), PAGE_SIZE) >> PAGE_SHIFT;
	hfn_t f = frames_alloc_run(pages, 1);

	assert_false(hfn_is_none(f));
	return memset(frames_ptr(f), 0, pages << PAGE_SHIFT);
}

/* One that begins as the boot processor did, which has not run yet. */
static void add_second(void)
{
	struct vcpu *v = second = alloc_vcpu();

	v->id = vm->vcpu_count;
	v->vm = vm;
	v->cpu = boot->cpu;
	v->start = boot->start;
	v->traced = boot->traced;
	v->tsc_offset = boot->tsc_offset;
	msr_reset_vcpu(v);
	assert_true(resident_init(v) && hvm_vcpu_init(&v->hvm, &machine.caps));
	v->hvm.guards = boot->hvm.guards;
	assert_true(mmu_vcpu_init(&v->mmu, &vm->mmu, &boot->mmu.regs));
	v->timers = boot->timers;
	v->timers.first = NULL;
	lapic_init(&v->lapic, &v->timers, v->id, false, vm->cpuid.lapic_features, vm->cpuid.maxphyaddr,
		   boot->lapic.host, v);
	vm->apic_bus.cpu[vm->apic_bus.count++] = &v->lapic;
	vm->vcpu[vm->vcpu_count++] = v;
	queue_add(v);
}

/* vms: with those that the machine has beside. The boot processor has run. */
static void start_two(bool guest_clock, unsigned vms)
{
	bench_new(&(struct bench_config){
		.cpu = BENCH_HASWELL, .mmu = "ept", .vms = vms, .guest_clock = guest_clock });
	vm = bench.vm[0];
	boot = vm_boot_vcpu(vm);
	add_second();
	/* The CPU's timer is for one that was alone. */
	vcpu_note(boot, REQUEST_SWITCH);
	again();
}

static void both_have_their_turns(void **state)
{
	uint64_t exits;

	(void)state;
	start_two(false, 1);
	assert_true(vm_started(vm));
	for (unsigned n = 0; n < 3; n++) {
		until(second);
		exits = boot->exits[EXIT_CPUID].count;
		again();
		assert_int_equal(boot->exits[EXIT_CPUID].count, exits);
		assert_int_equal(second->exits[EXIT_CPUID].count, n + 1);
		until(boot);
	}
	finish();
}

static unsigned times(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

/* VM3. The first to leave gives nothing back, the last all. */
static void the_end_is_told_once(void **state)
{
	uint64_t kept = 0;

	(void)state;
	for (unsigned who = 0; who < 2; who++) {
		start_two(false, 1);
		until(second);
		until(who ? second : boot);
		assert_int_equal(bench_exit_simple(EXIT_TRIPLE_FAULT, 0), BENCH_OVER);
		assert_int_equal(vm->vcpus_over, 2);
		console_flush();
		assert_int_equal(times(bench_log(), "vm 0 end "), 1);
		kept = (align_up(sizeof(struct vm), PAGE_SIZE) + 2 * align_up(sizeof(struct vcpu), PAGE_SIZE)) >>
		       PAGE_SHIFT;
		assert_int_equal(machine.frames_before - frames_available(), kept);
		bench_delete();
	}
}

/* While one has not left, nothing is told: here because it is on another CPU, which is not there. */
static void nothing_is_told_before_the_last_has_left(void **state)
{
	(void)state;
	start_two(false, 2);
	until(second);
	until(boot);
	queue_remove(&soft.percpu, second);
	STEP(bench_exit_simple(EXIT_TRIPLE_FAULT, 0));
	for (unsigned n = 0; n < 5; n++) {
		bench_wait(2 * schedule_slice());
		again();
	}
	assert_int_equal(vm->vcpus_over, 1);
	assert_null(soft.percpu.untold);
	assert_false(vm->all_told);
	queue_add(second);
	vcpu_note(bench.v, REQUEST_SWITCH);
	for (unsigned n = 0; n < 5; n++) {
		bench_wait(2 * schedule_slice());
		again();
	}
	assert_true(vm->all_told);
	finish();
}

/* Interrupts are disabled on the one that halts, but the other can wake it. */
static void halted_for_good_are_both(void **state)
{
	(void)state;
	start_two(false, 1);
	until(second);
	STEP(bench_exit_simple(EXIT_HLT, 1));
	assert_ptr_equal(bench.v, boot);
	assert_false(vm->ended);
	assert_string_equal(control_state(vm), "running");
	EXPECT_END(bench_exit_simple(EXIT_HLT, 1), "halted for good");
	bench_delete();
}

static void a_pause_is_of_both(void **state)
{
	(void)state;
	start_two(false, 1);
	until(second);
	vm_pause(vm, true);
	assert_int_equal(bench_exit_simple(EXIT_CPUID, 2), BENCH_IDLE);
	assert_string_equal(control_state(vm), "paused");
	assert_int_equal(bench_interrupt(VECTOR_KICK), BENCH_IDLE);
	vm_pause(vm, false);
	STEP(bench_interrupt(VECTOR_KICK));
	until(second);
	until(boot);
	finish();
}

/* SW1 in vm/memory/mechanism_switch.c: what each changed without an exit is known. */
static void another_mechanism_for_both(void **state)
{
	(void)state;
	start_two(false, 1);
	until(second);
	vmcs_put(VMCS_GUEST_CR3, 0x5000);
	until(boot);
	vmcs_put(VMCS_GUEST_CR3, 0x6000);
	assert_null(vm_switch(vm, mmu_mechanism_by_name("shadow")));
	assert_int_equal(second->mmu.regs.cr3, 0x5000);
	assert_int_equal(boot->mmu.regs.cr3, 0x6000);
	again();
	until(second);
	again();
	finish();
}

/* The second one is in real mode, which no CPU runs under the new mechanism: the emulator does, in its turns. */
static void another_mechanism_for_one_in_real_mode(void **state)
{
	(void)state;
	start_two(false, 1);
	until(second);
	assert_true(bench_mode(BENCH_REAL, 0));
	bench_poke(vmcs_get(VMCS_GUEST_RIP), "\xeb\xfe", 2); /* for ever */
	until(boot);
	assert_null(vm_switch(vm, mmu_mechanism_by_name("shadow")));
	assert_true(second->emulated);
	assert_false(boot->emulated);
	for (unsigned n = 0; n < 50 && bench.at == BENCH_ENTRY; n++)
		bench_timer();
	assert_int_equal(bench.at, BENCH_EMULATED);
	assert_ptr_equal(bench.v, second);
	for (unsigned n = 0; n < 10 && bench.at == BENCH_EMULATED; n++) {
		soft.percpu.timer_fired = true;
		bench_emulate();
	}
	assert_ptr_equal(bench.v, boot);
	check_entry(__LINE__);
	finish();
}

/* The guest's own clock stands still while a vCPU waits for its turn, although the other sleeps; it goes while both
 * do. */
static void the_clock_while_one_sleeps(void **state)
{
	uint64_t then;

	(void)state;
	start_two(true, 2);
	until(second);
	boot->fair = second->fair + 100 * schedule_slice();
	deadline_in(1000000000);
	STEP(bench_exit_simple(EXIT_HLT, 1));
	assert_ptr_equal(bench.v->vm, bench.vm[1]);
	then = clock_now(&vm->clock);
	bench_wait(1000);
	assert_int_equal(clock_now(&vm->clock), then);
	boot->fair = 0;
	until(boot);
	deadline_in(1000000000);
	STEP(bench_exit_simple(EXIT_HLT, 1));
	then = clock_now(&vm->clock);
	bench_wait(1000);
	assert_true(clock_now(&vm->clock) >= then + 1000);
	finish();
}

static void a_vpid_each(void **state)
{
	uint16_t vpid;

	(void)state;
	start_two(false, 1);
	vpid = second->mmu.tag.vpid;
	assert_int_not_equal(vpid, boot->mmu.tag.vpid);
	assert_true(vm_tagged(vm));
	second->mmu.tag.vpid = 0;
	assert_false(vm_tagged(vm));
	second->mmu.tag.vpid = vpid;
	finish();
}

/* ---- the priority register ---- */

static bool vm_same_kind(enum slot_kind kind)
{
	return slots_find(&vm->mmu.slots, gpa_gfn(GPA(LAPIC_DEFAULT_BASE)))->kind == kind;
}

static const void *registers_of(struct vcpu *v)
{
	until(v);
	return host_memory(vmcs_get(VMCS_VIRTUAL_APIC_ADDRESS), PAGE_SIZE);
}

/* Another method for the TPR is another for both, each with a page of its own. */
static void one_method_for_the_tpr(void **state)
{
	(void)state;
	start_two(false, 1);
	until(second);
	until(boot);
	assert_false(vmcs_get(VMCS_PROC_CONTROLS) & PROC_TPR_SHADOW);
	assert_null(tpr_change(vm, "flexpriority"));
	again();
	assert_ptr_equal(registers_of(boot), boot->apic_registers);
	assert_ptr_equal(registers_of(second), second->apic_registers);
	assert_ptr_not_equal(boot->apic_registers, second->apic_registers);
	assert_true(vmcs_get(VMCS_PROC_CONTROLS) & PROC_TPR_SHADOW);
	assert_true(vm_same_kind(SLOT_APIC));
	/* The page is there while it is for both. */
	STEP(bench_wrmsr(MSR_APIC_BASE, LAPIC_DEFAULT_BASE | APIC_BASE_EN | APIC_BASE_EXTD));
	assert_true(vm_same_kind(SLOT_MMIO));
	assert_null(tpr_change(vm, "trap"));
	again();
	until(boot);
	assert_false(vmcs_get(VMCS_PROC_CONTROLS) & PROC_TPR_SHADOW);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_have_their_turns),
		cmocka_unit_test(the_end_is_told_once),
		cmocka_unit_test(nothing_is_told_before_the_last_has_left),
		cmocka_unit_test(halted_for_good_are_both),
		cmocka_unit_test(a_pause_is_of_both),
		cmocka_unit_test(another_mechanism_for_both),
		cmocka_unit_test(another_mechanism_for_one_in_real_mode),
		cmocka_unit_test(the_clock_while_one_sleeps),
		cmocka_unit_test(a_vpid_each),
		cmocka_unit_test(one_method_for_the_tpr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
