/* The segment registers of a task that has been switched to (vm/exit/task_segment.c), and the error code on its stack:
 * what is wrong with them is an exception of the new task. */
#include "test/unit/vm/exit/task_fixture.h"

/* ---- what is wrong with its segments is an exception of the new task ---- */

static void raised_in_the_new_task(enum bench_at at, uint32_t vector, uint32_t error, int line)
{
	step_to_entry(at, line);
	expect_event(EXCEPTION_ERROR(vector), error, line);
	if (bench.entry.rip != BENCH_CODE + 0x1000 || vmcs_get(VMCS_GUEST_TR_SELECTOR) != BENCH_TSS2 ||
	    !(get64(NEW_DESCRIPTOR) & DESCRIPTOR_BUSY))
		fail_msg("line %d: not the new task's exception", line);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_SELECTOR + 2 * SEG_CS), get(NEW_TSS + TSS_CS));
	finish();
}
#define RAISED(at, vector, error) raised_in_the_new_task(at, vector, error, __LINE__)

static void bad_selector(uint32_t offset, uint16_t selector, uint32_t vector, int line)
{
	prepare();
	put(offset, selector);
	raised_in_the_new_task(switch_by(HVM_TASK_JMP), vector, selector & 0xfffcu, line);
}
#define BAD(offset, selector, vector) bad_selector(offset, selector, vector, __LINE__)

static void segments_not_present(void)
{
	prepare();
	put64(BENCH_GDT + CODE16, 0x00001b000000ffff);
	put(TSS_CS, CODE16);
	RAISED(switch_by(HVM_TASK_JMP), 11, CODE16);
	prepare();
	put64(BENCH_GDT + CODE16, 0x000013000000ffff);
	put(TSS_SS, CODE16);
	RAISED(switch_by(HVM_TASK_JMP), 12, CODE16);
}

static void the_new_segments(void **state)
{
	(void)state;
	BAD(TSS_CS, 0, 10);
	BAD(TSS_SS, 0, 10);
	BAD(TSS_CS, BENCH_DATA0, 10);       /* data */
	BAD(TSS_CS, BENCH_CODE3 & ~3, 10);  /* DPL 3, RPL 0 */
	BAD(TSS_SS, BENCH_DATA3, 10);       /* DPL 3 at CPL 0 */
	BAD(TSS_SS, BENCH_DATA0 | 3, 10);   /* RPL */
	BAD(TSS_SS, BENCH_CODE0, 10);
	BAD(TSS_DS, 0xfff8, 10);            /* beyond the table */
	BAD(TSS_DS, BENCH_TSS1, 10);        /* a system segment */
	prepare();
	put64(LDT_DESCRIPTOR, 0x0000820000000fff); /* and one whose type would be writable data */
	put(TSS_DS, LDT_DESCRIPTOR - BENCH_GDT);
	RAISED(switch_by(HVM_TASK_JMP), 10, LDT_DESCRIPTOR - BENCH_GDT);
	BAD(TSS_DS, BENCH_DATA0 | 4, 10);   /* there is no LDT */
	BAD(TSS_LDT, 0x14, 10);             /* an LDT in the LDT */
	prepare();
	put(TSS_CS, BENCH_CODE3); /* the SS of the kernel */
	RAISED(switch_by(HVM_TASK_JMP), 10, BENCH_DATA0);
	prepare();
	put64(BENCH_GDT + 0x68, 0x00cf93000000ffff); /* a good one, but just beyond the table's limit */
	put(TSS_DS, 0x68);
	RAISED(switch_by(HVM_TASK_JMP), 10, 0x68);
	prepare();
	put64(BENCH_GDT + CODE16, 0x000099000000ffff); /* code that cannot be read, as data */
	put(TSS_DS, CODE16);
	RAISED(switch_by(HVM_TASK_JMP), 10, CODE16);
	prepare();
	put(TSS_CS, BENCH_CODE3);
	put(TSS_SS, BENCH_DATA3);
	put(TSS_DS, BENCH_DATA0); /* of the kernel, at CPL 3 */
	RAISED(switch_by(HVM_TASK_JMP), 10, BENCH_DATA0);
	BAD(TSS_LDT, BENCH_DATA0, 10);
	segments_not_present();
}

/* To user mode, with an LDT. */
static void good_segments_of_users(void)
{
	prepare();
	put64(LDT_DESCRIPTOR, 0x0000820000000fff | (uint64_t)(LDT_AT & 0xffffff) << 16);
	put64(LDT_AT + 8, 0x00cff3000000ffff);
	put(TSS_LDT, LDT_DESCRIPTOR - BENCH_GDT);
	put(TSS_CS, BENCH_CODE3);
	put(TSS_SS, BENCH_DATA3);
	put(TSS_DS, 0xf);
	put(TSS_ES, 0);
	STEP(switch_by(HVM_TASK_JMP));
	EXPECT_NEW_TASK();
	assert_int_equal(vmcs_get(VMCS_GUEST_CS_ACCESS), 0xc0fb);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_SELECTOR + 2 * SEG_DS), 0xf);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_LIMIT + 2 * SEG_DS), 0xffffffff);
	assert_int_equal(vmcs_get(VMCS_GUEST_LDTR_LIMIT), 0xfff);
	finish();
}

/* One that has to be marked, and cannot be: it is not loaded. */
static void segment_that_cannot_be_marked(void)
{
	prepare();
	put64(LDT_DESCRIPTOR, 0x0000820000000fff | (uint64_t)(LDT_AT & 0xffffff) << 16);
	put64(LDT_AT + 8, 0x00cf92000000ffff);
	bench_poke(BENCH_TABLES + 0x1000 + (LDT_AT >> 12) * 4, &(uint32_t){ (LDT_AT & ~0xfffu) | 0x25 }, 4);
	put(TSS_LDT, LDT_DESCRIPTOR - BENCH_GDT);
	put(TSS_DS, 0xc);
	step_to_entry(switch_by(HVM_TASK_JMP), __LINE__);
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_PF), 3);
	assert_int_equal(read_cr2(), LDT_AT + 8);
	assert_int_equal(vmcs_get(VMCS_GUEST_TR_SELECTOR), BENCH_TSS2);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_ACCESS + 2 * SEG_DS) & SEGMENT_UNUSABLE, SEGMENT_UNUSABLE);
	finish();
}

/* Null selectors make unusable segments, descriptors that were never used are marked. */
static void good_segments(void **state)
{
	(void)state;
	prepare();
	put(TSS_DS, 3);
	put(TSS_FS, CODE16);
	put64(BENCH_GDT + CODE16, 0x000092000000ffff);
	STEP(switch_by(HVM_TASK_JMP));
	EXPECT_NEW_TASK();
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_ACCESS + 2 * SEG_DS) & SEGMENT_UNUSABLE, SEGMENT_UNUSABLE);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_SELECTOR + 2 * SEG_DS), 3);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_ACCESS + 2 * SEG_FS), SEGMENT_DATA16);
	assert_int_equal(get64(BENCH_GDT + CODE16), 0x000093000000ffff);
	finish();
	good_segments_of_users();
	segment_that_cannot_be_marked();
}

/* A double fault has an address space of its own, and its error code goes to a stack there. */
static void the_error_code_in_the_new_address_space(void **state)
{
	const uint32_t directory = BENCH_DATA + 0x4000, table = BENCH_DATA + 0x5000, stack = BENCH_DATA + 0x7000;
	uint8_t page[4096];

	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		prepare_as(mechanisms[m]);
		bench_peek(BENCH_TABLES, page, sizeof(page));
		bench_poke(directory, page, sizeof(page));
		bench_poke(directory, &(uint32_t){ table | 7 }, 4);
		bench_peek(BENCH_TABLES + 0x1000, page, sizeof(page));
		bench_poke(table, page, sizeof(page));
		bench_poke(table + ((BENCH_STACK - 0x104) >> 12) * 4, &(uint32_t){ stack | 7 }, 4);
		put(TSS_CR3, directory);
		STEP(switch_by_event(EXCEPTION_ERROR(VECTOR_GP), 0xfffc, 0));
		EXPECT_NEW_TASK();
		assert_int_equal(bench.v->mmu.regs.cr3, directory);
		assert_int_equal(get(stack + ((BENCH_STACK - 0x104) & 0xfff)), 0xfffc);
		finish();
	}
}

/* An error code that the new stack does not take. */
static void no_place_for_the_error_code(void **state)
{
	const uint32_t entry = BENCH_TABLES + 0x1000 + ((BENCH_STACK - 0x104) >> 12) * 4;

	(void)state;
	/* Beyond its limit: of 16 bits, up and down. */
	for (unsigned down = 0; down < 2; down++) {
		prepare();
		put64(BENCH_GDT + CODE16, down ? 0x000097000000fffc : 0x000093000000000f);
		put(TSS_SS, CODE16);
		put(TSS_GPR + 4 * GPR_RSP, down ? 0xfffe : 0x100);
		RAISED(switch_by_event(EXCEPTION_ERROR(VECTOR_AC), 0, 0), 12, 1);
	}
	/* A page fault behind a page fault. */
	prepare();
	bench_poke(entry, "\0\0\0\0", 4);
	RAISED(switch_by_event(EXCEPTION_ERROR(VECTOR_PF), 0, 0), 8, 0);
	/* A supervisor's page for a task of level 3. */
	prepare();
	bench_poke(entry, &(uint32_t){ ((BENCH_STACK - 0x104) & ~0xfffu) | 3 }, 4);
	put(TSS_CS, BENCH_CODE3);
	for (uint32_t at = TSS_SS; at <= TSS_DS; at += 4)
		put(at, BENCH_DATA3);
	RAISED(switch_by_event(EXCEPTION_ERROR(VECTOR_AC), 0, 0), 14, 7);
}

/* What the exception finds: selectors, and of the registers no more than what had been loaded. */
static void segments_half_loaded(void **state)
{
	(void)state;
	prepare_as("ept");
	put(TSS_SS, BENCH_DATA0 | 3); /* with unrestricted guest it may stay as it is */
	STEP(switch_by(HVM_TASK_JMP));
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_TS), BENCH_DATA0);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_SELECTOR + 2 * SEG_SS), BENCH_DATA0 | 3);
	finish();
	prepare();
	put(TSS_ES, 0xfff8);
	STEP(switch_by(HVM_TASK_JMP));
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_TS), 0xfff8);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_SELECTOR), 0xfff8);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_ACCESS) & SEGMENT_UNUSABLE, SEGMENT_UNUSABLE);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_ACCESS + 2 * SEG_DS) & SEGMENT_UNUSABLE, 0);
	/* No trap of its own, and the state of the old task is where it belongs. */
	assert_int_equal(get(BENCH_TSS + TSS_EIP), BENCH_CODE + 7);
	finish();
}

/* Descriptors are looked up in the new task's address space: there the GDT is not mapped. */
static void descriptors_in_the_new_address_space(void **state)
{
	const uint32_t directory = BENCH_DATA + 0x4000, table = BENCH_DATA + 0x5000;
	uint8_t page[4096];

	(void)state;
	prepare();
	bench_peek(BENCH_TABLES, page, sizeof(page));
	bench_poke(directory, page, sizeof(page));
	bench_poke(directory, &(uint32_t){ table | 7 }, 4);
	bench_peek(BENCH_TABLES + 0x1000, page, sizeof(page));
	bench_poke(table, page, sizeof(page));
	bench_poke(table + (BENCH_GDT >> 12) * 4, "\0\0\0\0", 4);
	put(TSS_CR3, directory);
	STEP(switch_by(HVM_TASK_JMP));
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_PF), 0);
	assert_int_equal(read_cr2(), BENCH_GDT + BENCH_DATA0);
	assert_int_equal(bench.v->mmu.regs.cr3, directory);
	finish();
}

static void to_virtual_8086_mode(void **state)
{
	(void)state;
	prepare();
	put(TSS_EFLAGS, 0x20202);
	put(TSS_EIP, 0x100);
	for (uint32_t at = TSS_ES; at <= TSS_GS; at += 4)
		put(at, 0x1800);
	STEP(switch_by(HVM_TASK_JMP));
	EXPECT_NOTHING();
	assert_int_equal(bench.entry.rip, 0x100);
	assert_int_equal(bench.entry.rflags, RFLAGS_VM | RFLAGS_IF | RFLAGS_FIXED);
	assert_int_equal(vmcs_get(VMCS_GUEST_CS_ACCESS), SEGMENT_V86);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_BASE + 2 * SEG_CS), 0x18000);
	finish();
}

/* The same while the new task's segments are loaded; an interrupt is delivered by then. */
static void faults_behind_a_gate(void **state)
{
	(void)state;
	prepare();
	put(TSS_DS, 0xfff8);
	RAISED(switch_by_event(EXCEPTION_ERROR(VECTOR_GP), 0, 0), 8, 0);
	prepare();
	put(TSS_DS, 0xfff8);
	RAISED(switch_by_event(EXCEPTION(VECTOR_UD), 0, 0), 10, 0xfff8 | 1);
	prepare();
	put(TSS_DS, 0xfff8);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	step_to_entry(switch_by_event(INFO(EVENT_TYPE_EXTERNAL, 0x41), 0, 0), __LINE__);
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_TS), 0xfff8 | 1);
	assert_false(bench.entry.proc & PROC_INTERRUPT_WINDOW);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_new_segments), cmocka_unit_test(good_segments),
		cmocka_unit_test(segments_half_loaded), cmocka_unit_test(descriptors_in_the_new_address_space),
		cmocka_unit_test(the_error_code_in_the_new_address_space),
		cmocka_unit_test(no_place_for_the_error_code), cmocka_unit_test(faults_behind_a_gate),
		cmocka_unit_test(to_virtual_8086_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
