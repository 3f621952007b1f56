/* The run loop (vm/run.c): sleeping and waking, the ends of virtual machines, several on one CPU; and starting under
 * every mechanism on every CPU model. */
#include "test/unit/vm/fixture.h"

#include <stdio.h>

#include "host/trap/interrupt.h"

#define X2APIC_LINT0 (MSR_X2APIC(APIC_LVT_LINT0))

/* One interrupt of the 8254 in about a millisecond, by the 8259's IRQ 0. */
static void start_pit(void)
{
	out(0x21, 0xfe);
	out(0x43, 0x30);
	out(0x40, 0xa9);
	out(0x40, 0x04);
}

static void init_pics(void)
{
	out(0x20, 0x11);
	out(0x21, 0x20);
	out(0x21, 0x04);
	out(0x21, 0x01);
}

static void a_pit_interrupt_by_the_pics(void **state)
{
	(void)state;
	start();
	init_pics();
	start_pit();
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
	STEP(bench_timer());
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 0x20), 0);
	finish();
}

/* A halted virtual machine that a device resets is over, and gone. */
static void a_reset_of_a_halted_guest(void **state)
{
	(void)state;
	start();
	init_pics();
	lapic_on();
	STEP(bench_wrmsr(X2APIC_LINT0, 0x500)); /* the 8259's output is an INIT */
	start_pit();
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
	assert_int_equal(bench_timer(), BENCH_OVER);
	assert_non_null(strstr(bench.vm[0]->end_text, "reset"));
	bench_delete();
}

/* The same for one that was paused. */
static void an_end_while_it_is_paused(void **state)
{
	(void)state;
	start();
	bench_type(CONSOLE_STATS, "1 pause 0\n", 10);
	assert_int_equal(bench_interrupt(VECTOR_KICK), BENCH_IDLE);
	assert_true(bench.vm[0]->paused);
	vm_end(bench.vm[0], VM_STATUS_OK, "enough");
	assert_int_equal(bench_interrupt(VECTOR_KICK), BENCH_OVER);
	bench_delete();
}

/* The last counters and the end are told, with status and sentence. */
static void an_end_is_told(void **state)
{
	(void)state;
	start();
	*bench_gpr(GPR_RAX) = 3;
	assert_int_equal(bench_exit(&(struct bench_exit){
				 .reason = EXIT_IO_INSTRUCTION, .qualification = 0xf4ull << 16, .length = 1 }),
			 BENCH_OVER);
	assert_non_null(strstr(bench_log(), "vm 0 end 7 debug exit with value 3"));
	assert_non_null(strstr(bench_log(), "stat 0 exits.by_reason.io_instruction.count 1"));
	bench_delete();
}

/* The first end counts, whatever comes after it. */
static void an_end_is_one(void **state)
{
	(void)state;
	start();
	vm_end(bench.vm[0], VM_STATUS_STOPPED, "the first");
	vm_end(bench.vm[0], VM_STATUS_OK, "the second");
	EXPECT_END(bench_exit_simple(EXIT_CPUID, 2), "the first");
	assert_int_equal(bench.vm[0]->status, VM_STATUS_STOPPED);
	assert_non_null(strstr(bench_log(), "vm 0 end 66 the first\n"));
	bench_delete();
}

/* Where VMLAUNCH or VMRESUME fails, that guest is over; its neighbour runs on. */
static void an_entry_that_fails(void **state)
{
	struct vm *first;

	(void)state;
	for (unsigned own = 0; own < 2; own++) {
		bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .vms = 2, .guest_clock = own });
		first = bench.v->vm;
		bench.entry_fails = true;
		STEP(bench_exit_simple(EXIT_CPUID, 2));
		assert_true(first->ended);
		assert_false(first->vcpu[0]->in_guest); /* who waits for that (RL2) does not wait for ever */
		assert_non_null(strstr(first->end_text, "VM-instruction error 7"));
		assert_true(said("log test0: virtual CPU 0, rip 0x") || said("log test1: virtual CPU 0, rip 0x"));
		assert_ptr_not_equal(bench.v->vm, first);
		STEP(bench_exit_simple(EXIT_CPUID, 2));
		EXPECT_NOTHING();
		finish();
	}
}

/* Nothing of the CPU is the dead one's any more: a look at the other's registers, which is paused, leaves its VMCS
 * alone. */
static void what_the_dead_leave(void **state)
{
	struct vm *first, *other;
	char request[20];

	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .vms = 2 });
	first = bench.v->vm;
	other = bench.vm[!first->id];
	while (bench.v->vm == first)
		STEP(bench_timer());
	snprintf(request, sizeof(request), "1 pause %u\n", other->id);
	bench_type(CONSOLE_STATS, request, strlen(request));
	STEP(bench_interrupt(VECTOR_KICK));
	assert_ptr_equal(bench.v->vm, first);
	assert_ptr_equal(soft.percpu.resident, first->vcpu[0]);
	assert_int_equal(bench_exit_simple(EXIT_TRIPLE_FAULT, 0), BENCH_IDLE);
	assert_null(soft.percpu.resident);
	assert_null(soft.percpu.loaded);
	snprintf(request, sizeof(request), "2 dump %u\n", other->id);
	bench_type(CONSOLE_STATS, request, strlen(request));
	assert_int_equal(bench_interrupt(VECTOR_KICK), BENCH_IDLE);
	assert_non_null(strstr(bench_log(), "done 2 ok"));
	finish();
}

/* A vCPU that has left its CPU is taken up by another: it is launched there, exits to there, and flushes what that one
 * may hold of it. */
static void another_cpu_takes_it_up(void **state)
{
	struct vcpu *v;
	unsigned flushes;

	(void)state;
	start();
	v = bench.v;
	STEP(bench_exit_simple(EXIT_CPUID, 2));
	bench_type(CONSOLE_STATS, "1 pause 0\n", 10);
	assert_int_equal(bench_interrupt(VECTOR_KICK), BENCH_IDLE);
	vcpu_leave_cpu(v);
	assert_null(soft.percpu.loaded);
	assert_null(soft.percpu.resident);
	/* There is one CPU here: it is another one if it has another number, and the state that the last one left is
	 * not its own. */
	soft.percpu.id = 1;
	hvm_load(&v->hvm);
	vmcs_put(VMCS_HOST_GS_BASE, 0x1000);
	vmcs_put(VMCS_HOST_TR_BASE, 0x2000);
	vmcs_put(VMCS_HOST_GDTR_BASE, 0x3000);
	hvm_unload(&v->hvm);
	flushes = bench.invvpids + bench.invepts;
	v->vm->paused = false; /* the first CPU's control channel is not there to say it */
	clock_go(&v->vm->clock, rdtsc());
	STEP(bench_interrupt(VECTOR_KICK));
	assert_ptr_equal(bench.v, v);
	assert_ptr_equal(soft.percpu.loaded, v);
	assert_ptr_equal(soft.percpu.resident, v);
	assert_int_equal(vmcs_get(VMCS_HOST_GS_BASE), (uintptr_t)&soft.percpu);
	assert_int_equal(vmcs_get(VMCS_HOST_TR_BASE), (uintptr_t)&soft.percpu.tss);
	assert_int_equal(vmcs_get(VMCS_HOST_GDTR_BASE), (uintptr_t)soft.percpu.gdt);
	assert_true(bench.invvpids + bench.invepts > flushes);
	soft.percpu.id = 0;
	finish();
}

/* RL2, and whose registers the CPU holds. */
static void who_is_in_the_guest(void **state)
{
	struct vcpu *first;

	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "shadow", .vms = 2 });
	first = bench.v;
	assert_true(first->in_guest);
	assert_ptr_equal(soft.percpu.resident, first);
	while (bench.v == first)
		STEP(bench_timer());
	assert_false(first->in_guest);
	assert_true(bench.v->in_guest);
	assert_ptr_equal(soft.percpu.resident, bench.v);
	finish();
}

/* What the heart changed for a guest that has not exited since is in force with its next entry. */
static void what_changed_meanwhile(void **state)
{
	uint64_t cr4;

	(void)state;
	start_as(BENCH_HASWELL, "shadow");
	assert_true(bench_mode(BENCH_PAE, 0));
	/* A flush that somebody requests. */
	bench.invvpids = 0;
	tag_request_all(&bench.v->mmu, TAG_TABLES);
	STEP(bench_exit_simple(EXIT_CPUID, 2));
	assert_int_not_equal(bench.invvpids, 0);
	assert_int_equal(tag_requested(&bench.v->mmu), 0);
	finish();
	/* A bit of CR4 that the guest may change by itself survives a change of what exits. */
	start();
	assert_true(bench_mode(BENCH_LONG64, 0));
	cr4 = vmcs_get(VMCS_GUEST_CR4) ^ CR4_TSD;
	assert_false(vmcs_get(VMCS_CR4_MASK) & CR4_TSD);
	vmcs_put(VMCS_GUEST_CR4, cr4);
	bench.v->mmu.intercepts_changed = true;
	STEP(bench_exit_simple(EXIT_CPUID, 2));
	assert_int_equal(vmcs_get(VMCS_GUEST_CR4), cr4);
	finish();
}

/* Two virtual machines take turns; the end of one is none of the other's business. */
static void two_virtual_machines(void **state)
{
	struct vm *first;

	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "shadow", .vms = 2 });
	check_entry(__LINE__);
	first = bench.v->vm;
	for (unsigned n = 0; n < 4 && bench.v->vm == first; n++)
		STEP(bench_timer());
	assert_ptr_not_equal(bench.v->vm, first);
	assert_int_equal(bench_exit_simple(EXIT_TRIPLE_FAULT, 0), BENCH_ENTRY);
	check_entry(__LINE__);
	assert_ptr_equal(bench.v->vm, first);
	STEP(bench_exit_simple(EXIT_CPUID, 2));
	EXPECT_NOTHING();
	assert_false(first->ended);
	finish();
}

/* The VMCS of one that leaves may be active on the CPU though another was loaded since. */
static void another_cpu_takes_up_one_that_had_lost_its_turn(void **state)
{
	struct vcpu *v;

	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "shadow", .vms = 2 });
	check_entry(__LINE__);
	v = bench.v;
	for (unsigned n = 0; n < 4 && bench.v == v; n++)
		STEP(bench_timer());
	assert_ptr_not_equal(bench.v, v);
	vcpu_leave_cpu(v);
	assert_ptr_equal(soft.percpu.loaded, bench.v);
	soft.percpu.id = 1;
	assert_true(vmptrld(((struct vmx_vcpu *)&v->hvm)->vmcs));
	assert_false(((struct vmx_vcpu *)&v->hvm)->launched);
	hvm_unload(&v->hvm);
	soft.percpu.id = 0;
	hvm_load(&bench.v->hvm);
	finish();
}

/* An event that waits to be injected is there when the virtual machine has its turn again. */
static void a_turn_ends_with_an_event(void **state)
{
	struct vcpu *v;

	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .vms = 2 });
	v = bench.v;
	vcpu_request(v, REQUEST_SWITCH);
	STEP(bench_wrmsr(NO_SUCH_MSR, 0));
	if (bench.v != v) {
		EXPECT_NOTHING();
		for (unsigned n = 0; n < 4 && bench.v != v; n++)
			STEP(bench_timer());
	}
	assert_ptr_equal(bench.v, v);
	EXPECT_GP();
	finish();
}

/* A guest that never stops is left by the CPU's timer, and what waits for the host is done. */
static void other_mechanisms_while_it_runs(void **state)
{
	static const char *const to[] = { "shadow", "vtlb", "brute", "ept" };

	(void)state;
	start();
	assert_true(bench_mode(BENCH_PAE, 0));
	for (unsigned n = 0; n < ARRAY_SIZE(to); n++) {
		assert_null(vm_switch(bench.v->vm, mmu_mechanism_by_name(to[n])));
		STEP(bench_exit_simple(EXIT_CPUID, 2));
		EXPECT_NOTHING();
		assert_int_equal(bench.v->mmu.regs.cr4 & CR4_PAE, CR4_PAE);
	}
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pit_interrupt_by_the_pics),
		cmocka_unit_test(a_reset_of_a_halted_guest),
		cmocka_unit_test(an_end_while_it_is_paused),
		cmocka_unit_test(an_end_is_told),
		cmocka_unit_test(an_end_is_one),
		cmocka_unit_test(an_entry_that_fails),
		cmocka_unit_test(what_the_dead_leave),
		cmocka_unit_test(another_cpu_takes_it_up),
		cmocka_unit_test(who_is_in_the_guest),
		cmocka_unit_test(what_changed_meanwhile),
		cmocka_unit_test(two_virtual_machines),
		cmocka_unit_test(another_cpu_takes_up_one_that_had_lost_its_turn),
		cmocka_unit_test(a_turn_ends_with_an_event),
		cmocka_unit_test(other_mechanisms_while_it_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
