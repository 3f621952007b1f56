/* Hardware task switches (vm/exit/task_switch.c). SDM, "Task Switching"; the state that they leave passes the checks at
 * VM entry. */
#include "test/unit/vm/exit/task_fixture.h"

static void jump(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		prepare_as(mechanisms[m]);
		vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_NT);
		STEP(switch_by(HVM_TASK_JMP));
		EXPECT_NEW_TASK();
		assert_int_equal(bench.entry.rflags, RFLAGS_FIXED | RFLAGS_IF);
		assert_int_equal(vmcs_get(VMCS_GUEST_RSP), BENCH_STACK - 0x100);
		/* The old task, as it goes on; not busy any more, but the new one is. */
		assert_int_equal(get(BENCH_TSS + TSS_EIP), BENCH_CODE + 7);
		assert_int_equal(get(BENCH_TSS + TSS_EFLAGS), 0x4002);
		assert_int_equal(get(BENCH_TSS + TSS_GPR + 4 * GPR_RBX), 0x1234);
		assert_int_equal(get(BENCH_TSS + TSS_GPR + 4 * GPR_RSP), BENCH_STACK);
		assert_int_equal(get(BENCH_TSS + TSS_CS) & 0xffff, BENCH_CODE0);
		assert_int_equal(get64(OLD_DESCRIPTOR) & DESCRIPTOR_BUSY, 0);
		assert_int_equal(get64(NEW_DESCRIPTOR) & DESCRIPTOR_BUSY, DESCRIPTOR_BUSY);
		assert_int_equal(get(NEW_TSS + TSS_LINK) & 0xffff, 0);
		finish();
	}
}

/* The new task has its own address space. */
static void the_new_address_space(void **state)
{
	uint8_t directory[4096];

	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		prepare_as(mechanisms[m]);
		bench_peek(BENCH_TABLES, directory, sizeof(directory));
		bench_poke(BENCH_DATA + 0x4000, directory, sizeof(directory));
		put(TSS_CR3, BENCH_DATA + 0x4000);
		STEP(switch_by(HVM_TASK_CALL));
		EXPECT_NEW_TASK();
		assert_int_equal(bench.v->mmu.regs.cr3, BENCH_DATA + 0x4000);
		finish();
	}
}

static void call(void **state)
{
	(void)state;
	prepare();
	STEP(switch_by(HVM_TASK_CALL));
	EXPECT_NEW_TASK();
	assert_int_equal(bench.entry.rflags, RFLAGS_NT | RFLAGS_IF | RFLAGS_FIXED);
	assert_int_equal(get(NEW_TSS + TSS_LINK) & 0xffff, BENCH_TSS1);
	assert_int_equal(get64(OLD_DESCRIPTOR) & DESCRIPTOR_BUSY, DESCRIPTOR_BUSY);
	finish();
}

static void iret(void **state)
{
	(void)state;
	prepare();
	put64(NEW_DESCRIPTOR, get64(NEW_DESCRIPTOR) | DESCRIPTOR_BUSY);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_NT | RFLAGS_FIXED);
	STEP(switch_by(HVM_TASK_IRET));
	EXPECT_NEW_TASK();
	assert_int_equal(get(BENCH_TSS + TSS_EFLAGS), 0x0002); /* NT is clear in the image */
	assert_int_equal(get64(OLD_DESCRIPTOR) & DESCRIPTOR_BUSY, 0);
	assert_int_equal(get64(NEW_DESCRIPTOR) & DESCRIPTOR_BUSY, DESCRIPTOR_BUSY);
	finish();
}

static void gates(void **state)
{
	(void)state;
	/* An exception: the old task goes on at the instruction. */
	prepare();
	STEP(switch_by_event(EXCEPTION(VECTOR_UD), 0, 0));
	EXPECT_NEW_TASK();
	assert_int_equal(get(BENCH_TSS + TSS_EIP), BENCH_CODE);
	assert_int_equal(get(BENCH_TSS + TSS_EFLAGS), 0x10002);
	assert_int_equal(get(NEW_TSS + TSS_LINK) & 0xffff, BENCH_TSS1);
	finish();
	/* A double fault: its error code is on the new stack. */
	prepare();
	STEP(switch_by_event(EXCEPTION_ERROR(VECTOR_DF), 0, 0));
	EXPECT_NEW_TASK();
	assert_int_equal(vmcs_get(VMCS_GUEST_RSP), BENCH_STACK - 0x104);
	assert_int_equal(get(BENCH_STACK - 0x104), 0);
	finish();
	prepare();
	STEP(switch_by_event(EXCEPTION_ERROR(VECTOR_GP), 0xfffc, 0));
	assert_int_equal(get(BENCH_STACK - 0x104), 0xfffc);
	finish();
	/* INT n: behind it. */
	prepare();
	STEP(switch_by_event(INFO(EVENT_TYPE_SOFTWARE_INTERRUPT, 0x80), 0, 2));
	EXPECT_NEW_TASK();
	assert_int_equal(get(BENCH_TSS + TSS_EIP), BENCH_CODE + 2);
	assert_int_equal(get(BENCH_TSS + TSS_EFLAGS), 2);
	finish();
	/* An NMI blocks those after it. */
	prepare();
	STEP(switch_by_event(INFO(EVENT_TYPE_NMI, 2), 0, 0));
	EXPECT_NEW_TASK();
	assert_int_equal(bench.entry.interruptibility, BLOCKING_NMI);
	finish();
}

/* Interrupts are blocked by STI and MOV SS no more, and EIP of what follows the end of the 4 GiB wraps. */
static void what_the_old_task_leaves(void **state)
{
	(void)state;
	prepare();
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI);
	vmcs_put(VMCS_GUEST_RIP, 0xfffffffd);
	STEP(switch_by(HVM_TASK_JMP));
	EXPECT_NEW_TASK();
	assert_int_equal(bench.entry.interruptibility, 0);
	assert_int_equal(get(BENCH_TSS + TSS_EIP), 4);
	finish();
	/* The new task's reserved flags do not get into RFLAGS. */
	prepare();
	put(TSS_EFLAGS, 0xffc08028);
	STEP(switch_by(HVM_TASK_JMP));
	assert_int_equal(bench.entry.rflags, 2);
	finish();
}

/* ---- refusals: the exception is raised, and nothing has changed ---- */

static void refused(enum bench_at at, uint32_t vector, uint32_t error, int line)
{
	step_to_entry(at, line);
	expect_event(EXCEPTION_ERROR(vector), error, line);
	if (bench.entry.rip != BENCH_CODE || vmcs_get(VMCS_GUEST_TR_SELECTOR) != BENCH_TSS1 ||
	    !(get64(OLD_DESCRIPTOR) & DESCRIPTOR_BUSY))
		fail_msg("line %d: an exception, and yet something changed", line);
	finish();
}
#define REFUSED(at, vector, error) refused(at, vector, error, __LINE__)

static void the_new_tss(void **state)
{
	(void)state;
	prepare();
	put64(NEW_DESCRIPTOR, get64(NEW_DESCRIPTOR) | DESCRIPTOR_BUSY);
	REFUSED(switch_by(HVM_TASK_JMP), 13, BENCH_TSS2);
	prepare();
	REFUSED(switch_by(HVM_TASK_IRET), 10, BENCH_TSS2); /* not busy */
	prepare();
	put64(NEW_DESCRIPTOR, get64(NEW_DESCRIPTOR) & ~DESCRIPTOR_P);
	REFUSED(switch_by(HVM_TASK_JMP), 11, BENCH_TSS2);
	prepare();
	put64(NEW_DESCRIPTOR, get64(NEW_DESCRIPTOR) & ~1ull); /* a limit of 0x66 */
	REFUSED(switch_by(HVM_TASK_JMP), 10, BENCH_TSS2);
	/* For an event of no instruction the error code says so (EXT). */
	prepare();
	put64(NEW_DESCRIPTOR, get64(NEW_DESCRIPTOR) & ~DESCRIPTOR_P);
	REFUSED(switch_by_event(INFO(EVENT_TYPE_EXTERNAL, 0x41), 0, 0), 11, BENCH_TSS2 | 1);
	prepare();
	put64(NEW_DESCRIPTOR, get64(NEW_DESCRIPTOR) & ~DESCRIPTOR_P);
	REFUSED(switch_by_event(INFO(EVENT_TYPE_SOFTWARE_INTERRUPT, 0x80), 0, 2), 11, BENCH_TSS2);
	prepare();
	bench_poke(BENCH_TABLES + 0x1000 + (NEW_TSS >> 12) * 4, "\0\0\0\0", 4);
	step_to_entry(switch_by(HVM_TASK_JMP), __LINE__);
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_PF), 2); /* implicit, supervisor, a write */
	finish();
}

static void set_page(uint32_t at, uint32_t flags)
{
	bench_poke(BENCH_TABLES + 0x1000 + (at >> 12) * 4, &(uint32_t){ (at & ~0xfffu) | flags }, 4);
}

/* The new TSS where it is read-only: a page fault where it would be linked to the old one, none where it is only
 * read. */
static void a_new_tss_that_is_read_only(void **state)
{
	uint8_t tss[104];

	(void)state;
	for (unsigned source = HVM_TASK_CALL; source <= HVM_TASK_JMP; source++) {
		prepare();
		bench_peek(NEW_TSS, tss, sizeof(tss));
		bench_poke(BENCH_DATA, tss, sizeof(tss));
		put64(NEW_DESCRIPTOR, (get64(NEW_DESCRIPTOR) & 0x00fffd000000ffff) | (uint64_t)BENCH_DATA << 16 |
				       (source == HVM_TASK_IRET ? DESCRIPTOR_BUSY : 0));
		set_page(BENCH_DATA, 0x25);
		step_to_entry(switch_by(source), __LINE__);
		if (source == HVM_TASK_CALL)
			EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_PF), 3);
		else
			EXPECT_EVENT(0, 0);
		assert_int_equal(vmcs_get(VMCS_GUEST_TR_SELECTOR), source == HVM_TASK_CALL ? BENCH_TSS1 : BENCH_TSS2);
		finish();
	}
}

/* Two descriptors of one TSS: what the old task leaves there is what the new one begins with. */
static void the_same_tss_under_another_name(void **state)
{
	(void)state;
	for (unsigned source = HVM_TASK_CALL; source <= HVM_TASK_JMP; source += HVM_TASK_JMP) {
		prepare();
		put64(NEW_DESCRIPTOR, (get64(NEW_DESCRIPTOR) & 0x00fffd000000ffff) | (uint64_t)BENCH_TSS << 16);
		bench_poke(BENCH_TSS + TSS_CR3, &(uint32_t){ BENCH_TABLES }, 4);
		bench_poke(BENCH_TSS + TSS_LDT, &(uint32_t){ 0 }, 4);
		bench_poke(BENCH_TSS + TSS_TRAP, &(uint32_t){ 0 }, 4);
		bench_poke(BENCH_TSS + TSS_DS + 2, &(uint16_t){ 0xabcd }, 2);
		STEP(switch_by(source));
		EXPECT_NOTHING();
		assert_int_equal(bench.entry.rip, BENCH_CODE + 7);
		assert_int_equal(*bench_gpr(GPR_RBX), 0x1234);
		/* What is reserved stays as it was. */
		assert_int_equal(get(BENCH_TSS + TSS_DS) >> 16, 0xabcd);
		assert_int_equal(vmcs_get(VMCS_GUEST_TR_SELECTOR), BENCH_TSS2);
		assert_int_equal(get(BENCH_TSS + TSS_LINK) & 0xffff, source == HVM_TASK_CALL ? BENCH_TSS1 : 0);
		finish();
	}
}

/* The GDT may have changed since TR was loaded: CALL does not look for the old TSS in it. */
static void the_old_descriptor_is_gone(void **state)
{
	(void)state;
	prepare();
	vmcs_put(VMCS_GUEST_TR_SELECTOR, 0xff00);
	STEP(switch_by(HVM_TASK_CALL));
	EXPECT_NEW_TASK();
	assert_int_equal(get(NEW_TSS + TSS_LINK) & 0xffff, 0xff00);
	finish();
	prepare();
	vmcs_put(VMCS_GUEST_TR_SELECTOR, 0xff00);
	step_to_entry(switch_by(HVM_TASK_JMP), __LINE__);
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_TS), 0xff00);
	finish();
}

/* IRET finds it busy, and writes nothing there. */
static void a_busy_descriptor_that_is_read_only(void **state)
{
	uint64_t raw;

	(void)state;
	prepare();
	raw = get64(NEW_DESCRIPTOR) | DESCRIPTOR_BUSY;
	vmcs_put(VMCS_GUEST_GDTR_LIMIT, 0x1fff);
	put64(BENCH_GDT + 0x1000, raw);
	set_page(BENCH_GDT + 0x1000, 0x25);
	STEP(bench_exit(&(struct bench_exit){
		.reason = EXIT_TASK_SWITCH, .qualification = QUALIFICATION(HVM_TASK_IRET, 0x1000), .length = 7 }));
	EXPECT_EVENT(0, 0);
	assert_int_equal(vmcs_get(VMCS_GUEST_TR_SELECTOR), 0x1000);
	finish();
}

static void the_trap_flag_of_a_task(void **state)
{
	(void)state;
	prepare();
	put(TSS_TRAP, 1);
	STEP(switch_by(HVM_TASK_JMP));
	EXPECT_EVENT(EXCEPTION(VECTOR_DB), 0);
	assert_int_equal(bench.entry.rip, BENCH_CODE + 0x1000);
	assert_true(read_dr6() & DR6_BT);
	finish();
}

/* A fault while the task gate of an exception is being gone through: contributory on contributory is a double fault. */
static void faults_on_the_way_to_a_gate(void **state)
{
	(void)state;
	prepare();
	put64(NEW_DESCRIPTOR, get64(NEW_DESCRIPTOR) & ~DESCRIPTOR_P);
	STEP(switch_by_event(EXCEPTION_ERROR(VECTOR_GP), 0, 0));
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_DF), 0);
	finish();
	prepare();
	put64(NEW_DESCRIPTOR, get64(NEW_DESCRIPTOR) & ~DESCRIPTOR_P);
	STEP(switch_by_event(EXCEPTION_ERROR(VECTOR_PF), 0, 0));
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_DF), 0);
	finish();
	prepare();
	put64(NEW_DESCRIPTOR, get64(NEW_DESCRIPTOR) & ~DESCRIPTOR_P);
	STEP(switch_by_event(EXCEPTION(VECTOR_UD), 0, 0));
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_NP), BENCH_TSS2 | 1);
	finish();
	prepare();
	put64(NEW_DESCRIPTOR, get64(NEW_DESCRIPTOR) & ~DESCRIPTOR_P);
	EXPECT_END(switch_by_event(EXCEPTION_ERROR(VECTOR_DF), 0, 0), "triple fault");
	bench_delete();
}

static void what_is_no_tss(void **state)
{
	(void)state;
	prepare();
	put64(NEW_DESCRIPTOR, 0x0000820000000067 | (uint64_t)NEW_TSS << 16); /* an LDT */
	REFUSED(switch_by(HVM_TASK_JMP), 13, BENCH_TSS2);
	prepare();
	put64(NEW_DESCRIPTOR, 0x0000820000000067 | (uint64_t)NEW_TSS << 16);
	REFUSED(switch_by(HVM_TASK_IRET), 10, BENCH_TSS2);
}

static void put16(uint32_t offset, uint16_t v) { bench_poke(NEW_TSS + offset, &v, 2); }

/* To a task with a TSS of 16 bits, and back from it to one of 32. */
static void a_tss_of_16_bits(void **state)
{
	(void)state;
	prepare();
	put64(NEW_DESCRIPTOR, 0x000081000000002b | (uint64_t)NEW_TSS << 16);
	put16(0x0e, 0x1234);
	put16(0x10, RFLAGS_FIXED | RFLAGS_IF);
	for (unsigned n = 0; n < 8; n++)
		put16(0x12 + 2 * n, (uint16_t)(0x101 * n));
	put16(0x22, 0);
	put16(0x24, BENCH_CODE0);
	put16(0x26, BENCH_DATA0);
	put16(0x28, BENCH_DATA0);
	put16(0x2a, 0);
	STEP(switch_by(HVM_TASK_CALL));
	EXPECT_NOTHING();
	assert_int_equal(bench.entry.rip, 0x1234);
	assert_int_equal(*bench_gpr(GPR_RDI) & 0xffff, 0x707);
	assert_int_equal(vmcs_get(VMCS_GUEST_CR3), bench.vm[0]->vcpu[0]->mmu.root.cr3);
	assert_int_equal(vmcs_get(VMCS_GUEST_TR_ACCESS) & 0x1f, 3);
	assert_true(vmcs_get(VMCS_GUEST_ES_ACCESS + 2 * SEG_FS) & SEGMENT_UNUSABLE);
	assert_int_equal(get(NEW_TSS) & 0xffff, BENCH_TSS1);
	finish();
	prepare();
	put64(NEW_DESCRIPTOR, 0x000081000000002a | (uint64_t)NEW_TSS << 16);
	REFUSED(switch_by(HVM_TASK_JMP), 10, BENCH_TSS2);
	/* What the old task leaves in a TSS of 16 bits. */
	prepare();
	vmcs_put(VMCS_GUEST_TR_ACCESS, 0x83);
	*bench_gpr(GPR_RDI) = 0xabcd1234;
	STEP(switch_by(HVM_TASK_JMP));
	EXPECT_NEW_TASK();
	assert_int_equal(get(BENCH_TSS + 0x20) & 0xffff, 0x1234);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jump), cmocka_unit_test(the_new_address_space), cmocka_unit_test(call),
		cmocka_unit_test(iret), cmocka_unit_test(gates), cmocka_unit_test(what_the_old_task_leaves),
		cmocka_unit_test(the_new_tss), cmocka_unit_test(the_trap_flag_of_a_task),
		cmocka_unit_test(faults_on_the_way_to_a_gate), cmocka_unit_test(what_is_no_tss),
		cmocka_unit_test(a_new_tss_that_is_read_only), cmocka_unit_test(the_same_tss_under_another_name),
		cmocka_unit_test(the_old_descriptor_is_gone), cmocka_unit_test(a_busy_descriptor_that_is_read_only),
		cmocka_unit_test(a_tss_of_16_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
