/* Hardware task switches (vm/exit/task_switch.c). SDM, "Task Switching"; the state that they leave passes the checks at VM entry. */
#include "test/unit/vm/fixture.h"

#define SOURCE_CALL 0u
#define SOURCE_IRET 1u
#define SOURCE_JMP 2u
#define SOURCE_GATE 3u
#define QUALIFICATION(source, selector) ((uint64_t)(source) << 30 | (selector))

#define NEW_TSS (BENCH_TSS + 0x100)
#define NEW_DESCRIPTOR (BENCH_GDT + BENCH_TSS2)
#define OLD_DESCRIPTOR (BENCH_GDT + BENCH_TSS1)
#define BUSY BIT(41)
#define CODE16 0x58
#define LDT_DESCRIPTOR (BENCH_GDT + 0x60) /* of the 16-bit data, here an LDT's */
#define LDT_AT (BENCH_DATA + 0x800)

enum { TSS_LINK = 0, TSS_CR3 = 0x1c, TSS_EIP = 0x20, TSS_EFLAGS = 0x24, TSS_GPR = 0x28, TSS_ES = 0x48, TSS_CS = 0x4c,
       TSS_SS = 0x50,
       TSS_DS = 0x54, TSS_FS = 0x58, TSS_GS = 0x5c, TSS_LDT = 0x60, TSS_TRAP = 0x64 };

static void put(uint32_t offset, uint32_t v) { bench_poke(NEW_TSS + offset, &v, 4); }

static uint32_t get(uint64_t gpa)
{
	uint32_t v;

	bench_peek(gpa, &v, 4);
	return v;
}

static uint64_t get64(uint64_t gpa) { return get(gpa) | (uint64_t)get(gpa + 4) << 32; }
static void put64(uint64_t gpa, uint64_t v) { bench_poke(gpa, &v, 8); }

/* A guest in paged mode, with a second task that it could go to. */
static void prepare_as(const char *mmu)
{
	static const uint8_t zero[104];

	start_as(BENCH_HASWELL, mmu);
	assert_true(bench_mode(BENCH_PAGED32, 0));
	bench_poke(NEW_TSS, zero, sizeof(zero));
	put(TSS_CR3, BENCH_TABLES);
	put(TSS_EIP, BENCH_CODE + 0x1000);
	put(TSS_EFLAGS, 0x202);
	for (unsigned n = 0; n < 8; n++)
		put(TSS_GPR + 4 * n, n == GPR_RSP ? BENCH_STACK - 0x100 : 0x1000 * (n + 1));
	put(TSS_CS, BENCH_CODE0);
	for (uint32_t at = TSS_SS; at <= TSS_DS; at += 4)
		put(at, BENCH_DATA0);
	*bench_gpr(GPR_RBX) = 0x1234;
	vmcs_put(VMCS_GUEST_DR7, 0x455);
}

static void prepare(void) { prepare_as("shadow"); }

static enum bench_at switch_by(unsigned source)
{
	return bench_exit(&(struct bench_exit){ .reason = EXIT_TASK_SWITCH, .qualification = QUALIFICATION(source, BENCH_TSS2),
						.length = 7 });
}

static enum bench_at switch_by_event(uint32_t vectoring, uint32_t error, uint32_t length)
{
	return bench_exit(&(struct bench_exit){ .reason = EXIT_TASK_SWITCH, .qualification = QUALIFICATION(SOURCE_GATE, BENCH_TSS2),
						.vectoring = vectoring, .vectoring_error = error, .length = length });
}

static void expect_new_task(int line)
{
	expect_event(0, 0, line);
	if (bench.entry.rip != BENCH_CODE + 0x1000 || *bench_gpr(GPR_RAX) != 0x1000 || *bench_gpr(GPR_RDI) != 0x8000 ||
	    vmcs_get(VMCS_GUEST_TR_SELECTOR) != BENCH_TSS2 || vmcs_get(VMCS_GUEST_TR_BASE) != NEW_TSS)
		fail_msg("line %d: not the new task", line);
	/* TS is set, local breakpoints are off. */
	if (!(vmcs_get(VMCS_GUEST_CR0) & BIT(3)) || (vmcs_get(VMCS_GUEST_DR7) & 0x155))
		fail_msg("line %d: CR0.TS or DR7", line);
}
#define EXPECT_NEW_TASK() expect_new_task(__LINE__)

static void jump(void **state)
{
	static const char *const mechanisms[] = { "ept", "shadow", "vtlb", "brute" };

	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		prepare_as(mechanisms[m]);
		vmcs_put(VMCS_GUEST_RFLAGS, 0x2 | BIT(14));
		STEP(switch_by(SOURCE_JMP));
		EXPECT_NEW_TASK();
		assert_int_equal(bench.entry.rflags, 0x202);
		assert_int_equal(vmcs_get(VMCS_GUEST_RSP), BENCH_STACK - 0x100);
		/* The old task, as it goes on; not busy any more, but the new one is. */
		assert_int_equal(get(BENCH_TSS + TSS_EIP), BENCH_CODE + 7);
		assert_int_equal(get(BENCH_TSS + TSS_EFLAGS), 0x4002);
		assert_int_equal(get(BENCH_TSS + TSS_GPR + 4 * GPR_RBX), 0x1234);
		assert_int_equal(get(BENCH_TSS + TSS_GPR + 4 * GPR_RSP), BENCH_STACK);
		assert_int_equal(get(BENCH_TSS + TSS_CS) & 0xffff, BENCH_CODE0);
		assert_int_equal(get64(OLD_DESCRIPTOR) & BUSY, 0);
		assert_int_equal(get64(NEW_DESCRIPTOR) & BUSY, BUSY);
		assert_int_equal(get(NEW_TSS + TSS_LINK) & 0xffff, 0);
		finish();
	}
}

/* The new task has its own address space. */
static void the_new_address_space(void **state)
{
	static const char *const mechanisms[] = { "ept", "shadow", "vtlb", "brute" };
	uint8_t directory[4096];

	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		prepare_as(mechanisms[m]);
		bench_peek(BENCH_TABLES, directory, sizeof(directory));
		bench_poke(BENCH_DATA + 0x4000, directory, sizeof(directory));
		put(TSS_CR3, BENCH_DATA + 0x4000);
		STEP(switch_by(SOURCE_CALL));
		EXPECT_NEW_TASK();
		assert_int_equal(bench.v->mmu.regs.cr3, BENCH_DATA + 0x4000);
		finish();
	}
}

static void call(void **state)
{
	(void)state;
	prepare();
	STEP(switch_by(SOURCE_CALL));
	EXPECT_NEW_TASK();
	assert_int_equal(bench.entry.rflags, 0x4202); /* NT */
	assert_int_equal(get(NEW_TSS + TSS_LINK) & 0xffff, BENCH_TSS1);
	assert_int_equal(get64(OLD_DESCRIPTOR) & BUSY, BUSY);
	finish();
}

static void iret(void **state)
{
	(void)state;
	prepare();
	put64(NEW_DESCRIPTOR, get64(NEW_DESCRIPTOR) | BUSY);
	vmcs_put(VMCS_GUEST_RFLAGS, 0x4002);
	STEP(switch_by(SOURCE_IRET));
	EXPECT_NEW_TASK();
	assert_int_equal(get(BENCH_TSS + TSS_EFLAGS), 0x0002); /* NT is clear in the image */
	assert_int_equal(get64(OLD_DESCRIPTOR) & BUSY, 0);
	assert_int_equal(get64(NEW_DESCRIPTOR) & BUSY, BUSY);
	finish();
}

static void gates(void **state)
{
	(void)state;
	/* An exception: the old task goes on at the instruction. */
	prepare();
	STEP(switch_by_event(EXCEPTION(6), 0, 0));
	EXPECT_NEW_TASK();
	assert_int_equal(get(BENCH_TSS + TSS_EIP), BENCH_CODE);
	assert_int_equal(get(BENCH_TSS + TSS_EFLAGS), 0x10002);
	assert_int_equal(get(NEW_TSS + TSS_LINK) & 0xffff, BENCH_TSS1);
	finish();
	/* A double fault: its error code is on the new stack. */
	prepare();
	STEP(switch_by_event(EXCEPTION_ERROR(8), 0, 0));
	EXPECT_NEW_TASK();
	assert_int_equal(vmcs_get(VMCS_GUEST_RSP), BENCH_STACK - 0x104);
	assert_int_equal(get(BENCH_STACK - 0x104), 0);
	finish();
	prepare();
	STEP(switch_by_event(EXCEPTION_ERROR(13), 0xfffc, 0));
	assert_int_equal(get(BENCH_STACK - 0x104), 0xfffc);
	finish();
	/* INT n: behind it. */
	prepare();
	STEP(switch_by_event(INFO(INFO_TYPE_SOFTWARE_INTERRUPT, 0x80), 0, 2));
	EXPECT_NEW_TASK();
	assert_int_equal(get(BENCH_TSS + TSS_EIP), BENCH_CODE + 2);
	assert_int_equal(get(BENCH_TSS + TSS_EFLAGS), 2);
	finish();
	/* An NMI blocks those after it. */
	prepare();
	STEP(switch_by_event(INFO(INFO_TYPE_NMI, 2), 0, 0));
	EXPECT_NEW_TASK();
	assert_int_equal(bench.entry.interruptibility, BLOCKING_NMI);
	finish();
}

/* Interrupts are blocked by STI and MOV SS no more, and EIP of what follows the end of the 4 GiB wraps. */
static void what_the_old_task_leaves(void **state)
{
	(void)state;
	prepare();
	vmcs_put(VMCS_GUEST_RFLAGS, 0x202);
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI);
	vmcs_put(VMCS_GUEST_RIP, 0xfffffffd);
	STEP(switch_by(SOURCE_JMP));
	EXPECT_NEW_TASK();
	assert_int_equal(bench.entry.interruptibility, 0);
	assert_int_equal(get(BENCH_TSS + TSS_EIP), 4);
	finish();
	/* The new task's reserved flags do not get into RFLAGS. */
	prepare();
	put(TSS_EFLAGS, 0xffc08028);
	STEP(switch_by(SOURCE_JMP));
	assert_int_equal(bench.entry.rflags, 2);
	finish();
}

/* ---- refusals: the exception is raised, and nothing has changed ---- */

static void refused(enum bench_at at, uint32_t vector, uint32_t error, int line)
{
	step_to_entry(at, line);
	expect_event(EXCEPTION_ERROR(vector), error, line);
	if (bench.entry.rip != BENCH_CODE || vmcs_get(VMCS_GUEST_TR_SELECTOR) != BENCH_TSS1 || !(get64(OLD_DESCRIPTOR) & BUSY))
		fail_msg("line %d: an exception, and yet something changed", line);
	finish();
}
#define REFUSED(at, vector, error) refused(at, vector, error, __LINE__)

static void the_new_tss(void **state)
{
	(void)state;
	prepare();
	put64(NEW_DESCRIPTOR, get64(NEW_DESCRIPTOR) | BUSY);
	REFUSED(switch_by(SOURCE_JMP), 13, BENCH_TSS2);
	prepare();
	REFUSED(switch_by(SOURCE_IRET), 10, BENCH_TSS2); /* not busy */
	prepare();
	put64(NEW_DESCRIPTOR, get64(NEW_DESCRIPTOR) & ~BIT(47));
	REFUSED(switch_by(SOURCE_JMP), 11, BENCH_TSS2);
	prepare();
	put64(NEW_DESCRIPTOR, get64(NEW_DESCRIPTOR) & ~1ull); /* a limit of 0x66 */
	REFUSED(switch_by(SOURCE_JMP), 10, BENCH_TSS2);
	/* For an event of no instruction the error code says so (EXT). */
	prepare();
	put64(NEW_DESCRIPTOR, get64(NEW_DESCRIPTOR) & ~BIT(47));
	REFUSED(switch_by_event(INFO(INFO_TYPE_EXTERNAL, 0x41), 0, 0), 11, BENCH_TSS2 | 1);
	prepare();
	put64(NEW_DESCRIPTOR, get64(NEW_DESCRIPTOR) & ~BIT(47));
	REFUSED(switch_by_event(INFO(INFO_TYPE_SOFTWARE_INTERRUPT, 0x80), 0, 2), 11, BENCH_TSS2);
	prepare();
	bench_poke(BENCH_TABLES + 0x1000 + (NEW_TSS >> 12) * 4, "\0\0\0\0", 4);
	step_to_entry(switch_by(SOURCE_JMP), __LINE__);
	EXPECT_EVENT(EXCEPTION_ERROR(14), 2); /* implicit, supervisor, a write */
	finish();
}

static void set_page(uint32_t at, uint32_t flags)
{
	bench_poke(BENCH_TABLES + 0x1000 + (at >> 12) * 4, &(uint32_t){ (at & ~0xfffu) | flags }, 4);
}

/* The new TSS where it is read-only: a page fault where it would be linked to the old one, none where it is only read. */
static void a_new_tss_that_is_read_only(void **state)
{
	uint8_t tss[104];

	(void)state;
	for (unsigned source = SOURCE_CALL; source <= SOURCE_JMP; source++) {
		prepare();
		bench_peek(NEW_TSS, tss, sizeof(tss));
		bench_poke(BENCH_DATA, tss, sizeof(tss));
		put64(NEW_DESCRIPTOR, (get64(NEW_DESCRIPTOR) & 0x00fffd000000ffff) | (uint64_t)BENCH_DATA << 16 |
				       (source == SOURCE_IRET ? BUSY : 0));
		set_page(BENCH_DATA, 0x25);
		step_to_entry(switch_by(source), __LINE__);
		if (source == SOURCE_CALL)
			EXPECT_EVENT(EXCEPTION_ERROR(14), 3);
		else
			EXPECT_EVENT(0, 0);
		assert_int_equal(vmcs_get(VMCS_GUEST_TR_SELECTOR), source == SOURCE_CALL ? BENCH_TSS1 : BENCH_TSS2);
		finish();
	}
}

/* Two descriptors of one TSS: what the old task leaves there is what the new one begins with. */
static void the_same_tss_under_another_name(void **state)
{
	(void)state;
	for (unsigned source = SOURCE_CALL; source <= SOURCE_JMP; source += SOURCE_JMP) {
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
		assert_int_equal(get(BENCH_TSS + TSS_LINK) & 0xffff, source == SOURCE_CALL ? BENCH_TSS1 : 0);
		finish();
	}
}

/* The GDT may have changed since TR was loaded: CALL does not look for the old TSS in it. */
static void the_old_descriptor_is_gone(void **state)
{
	(void)state;
	prepare();
	vmcs_put(VMCS_GUEST_TR_SELECTOR, 0xff00);
	STEP(switch_by(SOURCE_CALL));
	EXPECT_NEW_TASK();
	assert_int_equal(get(NEW_TSS + TSS_LINK) & 0xffff, 0xff00);
	finish();
	prepare();
	vmcs_put(VMCS_GUEST_TR_SELECTOR, 0xff00);
	step_to_entry(switch_by(SOURCE_JMP), __LINE__);
	EXPECT_EVENT(EXCEPTION_ERROR(10), 0xff00);
	finish();
}

/* IRET finds it busy, and writes nothing there. */
static void a_busy_descriptor_that_is_read_only(void **state)
{
	uint64_t raw;

	(void)state;
	prepare();
	raw = get64(NEW_DESCRIPTOR) | BUSY;
	vmcs_put(VMCS_GUEST_GDTR_LIMIT, 0x1fff);
	put64(BENCH_GDT + 0x1000, raw);
	set_page(BENCH_GDT + 0x1000, 0x25);
	STEP(bench_exit(&(struct bench_exit){ .reason = EXIT_TASK_SWITCH, .qualification = QUALIFICATION(SOURCE_IRET, 0x1000),
					      .length = 7 }));
	EXPECT_EVENT(0, 0);
	assert_int_equal(vmcs_get(VMCS_GUEST_TR_SELECTOR), 0x1000);
	finish();
}

/* ---- what is wrong with its segments is an exception of the new task ---- */

static void raised_in_the_new_task(enum bench_at at, uint32_t vector, uint32_t error, int line)
{
	step_to_entry(at, line);
	expect_event(EXCEPTION_ERROR(vector), error, line);
	if (bench.entry.rip != BENCH_CODE + 0x1000 || vmcs_get(VMCS_GUEST_TR_SELECTOR) != BENCH_TSS2 || !(get64(NEW_DESCRIPTOR) & BUSY))
		fail_msg("line %d: not the new task's exception", line);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_SELECTOR + 2 * SEG_CS), get(NEW_TSS + TSS_CS));
	finish();
}
#define RAISED(at, vector, error) raised_in_the_new_task(at, vector, error, __LINE__)

static void bad_selector(uint32_t offset, uint16_t selector, uint32_t vector, int line)
{
	prepare();
	put(offset, selector);
	raised_in_the_new_task(switch_by(SOURCE_JMP), vector, selector & 0xfffcu, line);
}
#define BAD(offset, selector, vector) bad_selector(offset, selector, vector, __LINE__)

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
	RAISED(switch_by(SOURCE_JMP), 10, LDT_DESCRIPTOR - BENCH_GDT);
	BAD(TSS_DS, BENCH_DATA0 | 4, 10);   /* there is no LDT */
	BAD(TSS_LDT, 0x14, 10);             /* an LDT in the LDT */
	prepare();
	put(TSS_CS, BENCH_CODE3); /* the SS of the kernel */
	RAISED(switch_by(SOURCE_JMP), 10, BENCH_DATA0);
	prepare();
	put64(BENCH_GDT + 0x68, 0x00cf93000000ffff); /* a good one, but just beyond the table's limit */
	put(TSS_DS, 0x68);
	RAISED(switch_by(SOURCE_JMP), 10, 0x68);
	prepare();
	put64(BENCH_GDT + CODE16, 0x000099000000ffff); /* code that cannot be read, as data */
	put(TSS_DS, CODE16);
	RAISED(switch_by(SOURCE_JMP), 10, CODE16);
	prepare();
	put(TSS_CS, BENCH_CODE3);
	put(TSS_SS, BENCH_DATA3);
	put(TSS_DS, BENCH_DATA0); /* of the kernel, at CPL 3 */
	RAISED(switch_by(SOURCE_JMP), 10, BENCH_DATA0);
	BAD(TSS_LDT, BENCH_DATA0, 10);
	prepare();
	put64(BENCH_GDT + CODE16, 0x00001b000000ffff); /* not present */
	put(TSS_CS, CODE16);
	RAISED(switch_by(SOURCE_JMP), 11, CODE16);
	prepare();
	put64(BENCH_GDT + CODE16, 0x000013000000ffff);
	put(TSS_SS, CODE16);
	RAISED(switch_by(SOURCE_JMP), 12, CODE16);
}

/* Null selectors make unusable segments, descriptors that were never used are marked. */
static void good_segments(void **state)
{
	(void)state;
	prepare();
	put(TSS_DS, 3);
	put(TSS_FS, CODE16);
	put64(BENCH_GDT + CODE16, 0x000092000000ffff);
	STEP(switch_by(SOURCE_JMP));
	EXPECT_NEW_TASK();
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_ACCESS + 2 * SEG_DS) & BIT(16), BIT(16));
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_SELECTOR + 2 * SEG_DS), 3);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_ACCESS + 2 * SEG_FS), 0x93);
	assert_int_equal(get64(BENCH_GDT + CODE16), 0x000093000000ffff);
	finish();
	/* To user mode, with an LDT. */
	prepare();
	put64(LDT_DESCRIPTOR, 0x0000820000000fff | (uint64_t)(LDT_AT & 0xffffff) << 16);
	put64(LDT_AT + 8, 0x00cff3000000ffff);
	put(TSS_LDT, LDT_DESCRIPTOR - BENCH_GDT);
	put(TSS_CS, BENCH_CODE3);
	put(TSS_SS, BENCH_DATA3);
	put(TSS_DS, 0xf);
	put(TSS_ES, 0);
	STEP(switch_by(SOURCE_JMP));
	EXPECT_NEW_TASK();
	assert_int_equal(vmcs_get(VMCS_GUEST_CS_ACCESS), 0xc0fb);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_SELECTOR + 2 * SEG_DS), 0xf);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_LIMIT + 2 * SEG_DS), 0xffffffff);
	assert_int_equal(vmcs_get(VMCS_GUEST_LDTR_LIMIT), 0xfff);
	finish();
	/* One that has to be marked, and cannot be: it is not loaded. */
	prepare();
	put64(LDT_DESCRIPTOR, 0x0000820000000fff | (uint64_t)(LDT_AT & 0xffffff) << 16);
	put64(LDT_AT + 8, 0x00cf92000000ffff);
	bench_poke(BENCH_TABLES + 0x1000 + (LDT_AT >> 12) * 4, &(uint32_t){ (LDT_AT & ~0xfffu) | 0x25 }, 4);
	put(TSS_LDT, LDT_DESCRIPTOR - BENCH_GDT);
	put(TSS_DS, 0xc);
	step_to_entry(switch_by(SOURCE_JMP), __LINE__);
	EXPECT_EVENT(EXCEPTION_ERROR(14), 3);
	assert_int_equal(read_cr2(), LDT_AT + 8);
	assert_int_equal(vmcs_get(VMCS_GUEST_TR_SELECTOR), BENCH_TSS2);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_ACCESS + 2 * SEG_DS) & BIT(16), BIT(16));
	finish();
}

/* A double fault has an address space of its own, and its error code goes to a stack there. */
static void the_error_code_in_the_new_address_space(void **state)
{
	static const char *const mechanisms[] = { "ept", "shadow", "vtlb", "brute" };
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
		STEP(switch_by_event(EXCEPTION_ERROR(13), 0xfffc, 0));
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
		RAISED(switch_by_event(EXCEPTION_ERROR(17), 0, 0), 12, 1);
	}
	/* A page fault behind a page fault. */
	prepare();
	bench_poke(entry, "\0\0\0\0", 4);
	RAISED(switch_by_event(EXCEPTION_ERROR(14), 0, 0), 8, 0);
	/* A supervisor's page for a task of level 3. */
	prepare();
	bench_poke(entry, &(uint32_t){ ((BENCH_STACK - 0x104) & ~0xfffu) | 3 }, 4);
	put(TSS_CS, BENCH_CODE3);
	for (uint32_t at = TSS_SS; at <= TSS_DS; at += 4)
		put(at, BENCH_DATA3);
	RAISED(switch_by_event(EXCEPTION_ERROR(17), 0, 0), 14, 7);
}

/* What the exception finds: selectors, and of the registers no more than what had been loaded. */
static void segments_half_loaded(void **state)
{
	(void)state;
	prepare_as("ept");
	put(TSS_SS, BENCH_DATA0 | 3); /* with unrestricted guest it may stay as it is */
	STEP(switch_by(SOURCE_JMP));
	EXPECT_EVENT(EXCEPTION_ERROR(10), BENCH_DATA0);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_SELECTOR + 2 * SEG_SS), BENCH_DATA0 | 3);
	finish();
	prepare();
	put(TSS_ES, 0xfff8);
	STEP(switch_by(SOURCE_JMP));
	EXPECT_EVENT(EXCEPTION_ERROR(10), 0xfff8);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_SELECTOR), 0xfff8);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_ACCESS) & BIT(16), BIT(16));
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_ACCESS + 2 * SEG_DS) & BIT(16), 0);
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
	STEP(switch_by(SOURCE_JMP));
	EXPECT_EVENT(EXCEPTION_ERROR(14), 0);
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
	STEP(switch_by(SOURCE_JMP));
	EXPECT_NOTHING();
	assert_int_equal(bench.entry.rip, 0x100);
	assert_int_equal(bench.entry.rflags, 0x20202);
	assert_int_equal(vmcs_get(VMCS_GUEST_CS_ACCESS), 0xf3);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_BASE + 2 * SEG_CS), 0x18000);
	finish();
}

static void the_trap_flag_of_a_task(void **state)
{
	(void)state;
	prepare();
	put(TSS_TRAP, 1);
	STEP(switch_by(SOURCE_JMP));
	EXPECT_EVENT(EXCEPTION(1), 0);
	assert_int_equal(bench.entry.rip, BENCH_CODE + 0x1000);
	assert_true(read_dr6() & BIT(15));
	finish();
}

/* A fault while the task gate of an exception is being gone through: contributory on contributory is a double fault. */
static void faults_on_the_way_to_a_gate(void **state)
{
	(void)state;
	prepare();
	put64(NEW_DESCRIPTOR, get64(NEW_DESCRIPTOR) & ~BIT(47));
	STEP(switch_by_event(EXCEPTION_ERROR(13), 0, 0));
	EXPECT_EVENT(EXCEPTION_ERROR(8), 0);
	finish();
	prepare();
	put64(NEW_DESCRIPTOR, get64(NEW_DESCRIPTOR) & ~BIT(47));
	STEP(switch_by_event(EXCEPTION_ERROR(14), 0, 0));
	EXPECT_EVENT(EXCEPTION_ERROR(8), 0);
	finish();
	prepare();
	put64(NEW_DESCRIPTOR, get64(NEW_DESCRIPTOR) & ~BIT(47));
	STEP(switch_by_event(EXCEPTION(6), 0, 0));
	EXPECT_EVENT(EXCEPTION_ERROR(11), BENCH_TSS2 | 1);
	finish();
	prepare();
	put64(NEW_DESCRIPTOR, get64(NEW_DESCRIPTOR) & ~BIT(47));
	EXPECT_END(switch_by_event(EXCEPTION_ERROR(8), 0, 0), "triple fault");
	bench_delete();
}

/* The same while the new task's segments are loaded; an interrupt is delivered by then. */
static void faults_behind_a_gate(void **state)
{
	(void)state;
	prepare();
	put(TSS_DS, 0xfff8);
	RAISED(switch_by_event(EXCEPTION_ERROR(13), 0, 0), 8, 0);
	prepare();
	put(TSS_DS, 0xfff8);
	RAISED(switch_by_event(EXCEPTION(6), 0, 0), 10, 0xfff8 | 1);
	prepare();
	put(TSS_DS, 0xfff8);
	vmcs_put(VMCS_GUEST_RFLAGS, 0x202);
	step_to_entry(switch_by_event(INFO(INFO_TYPE_EXTERNAL, 0x41), 0, 0), __LINE__);
	EXPECT_EVENT(EXCEPTION_ERROR(10), 0xfff8 | 1);
	assert_false(bench.entry.proc & PROC_INTERRUPT_WINDOW);
	finish();
}

static void what_is_no_tss(void **state)
{
	(void)state;
	prepare();
	put64(NEW_DESCRIPTOR, 0x0000820000000067 | (uint64_t)NEW_TSS << 16); /* an LDT */
	REFUSED(switch_by(SOURCE_JMP), 13, BENCH_TSS2);
	prepare();
	put64(NEW_DESCRIPTOR, 0x0000820000000067 | (uint64_t)NEW_TSS << 16);
	REFUSED(switch_by(SOURCE_IRET), 10, BENCH_TSS2);
}

static void put16(uint32_t offset, uint16_t v) { bench_poke(NEW_TSS + offset, &v, 2); }

/* To a task with a TSS of 16 bits, and back from it to one of 32. */
static void a_tss_of_16_bits(void **state)
{
	(void)state;
	prepare();
	put64(NEW_DESCRIPTOR, 0x000081000000002b | (uint64_t)NEW_TSS << 16);
	put16(0x0e, 0x1234);
	put16(0x10, 0x202);
	for (unsigned n = 0; n < 8; n++)
		put16(0x12 + 2 * n, (uint16_t)(0x101 * n));
	put16(0x22, 0);
	put16(0x24, BENCH_CODE0);
	put16(0x26, BENCH_DATA0);
	put16(0x28, BENCH_DATA0);
	put16(0x2a, 0);
	STEP(switch_by(SOURCE_CALL));
	EXPECT_NOTHING();
	assert_int_equal(bench.entry.rip, 0x1234);
	assert_int_equal(*bench_gpr(GPR_RDI) & 0xffff, 0x707);
	assert_int_equal(vmcs_get(VMCS_GUEST_CR3), bench.vm[0]->vcpu->mmu.root.cr3);
	assert_int_equal(vmcs_get(VMCS_GUEST_TR_ACCESS) & 0x1f, 3);
	assert_true(vmcs_get(VMCS_GUEST_ES_ACCESS + 2 * SEG_FS) & BIT(16));
	assert_int_equal(get(NEW_TSS) & 0xffff, BENCH_TSS1);
	finish();
	prepare();
	put64(NEW_DESCRIPTOR, 0x000081000000002a | (uint64_t)NEW_TSS << 16);
	REFUSED(switch_by(SOURCE_JMP), 10, BENCH_TSS2);
	/* What the old task leaves in a TSS of 16 bits. */
	prepare();
	vmcs_put(VMCS_GUEST_TR_ACCESS, 0x83);
	*bench_gpr(GPR_RDI) = 0xabcd1234;
	STEP(switch_by(SOURCE_JMP));
	EXPECT_NEW_TASK();
	assert_int_equal(get(BENCH_TSS + 0x20) & 0xffff, 0x1234);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jump), cmocka_unit_test(the_new_address_space), cmocka_unit_test(call), cmocka_unit_test(iret),
		cmocka_unit_test(gates),
		cmocka_unit_test(what_the_old_task_leaves), cmocka_unit_test(the_new_tss), cmocka_unit_test(the_new_segments),
		cmocka_unit_test(good_segments), cmocka_unit_test(segments_half_loaded),
		cmocka_unit_test(descriptors_in_the_new_address_space), cmocka_unit_test(the_error_code_in_the_new_address_space),
		cmocka_unit_test(no_place_for_the_error_code), cmocka_unit_test(faults_behind_a_gate),
		cmocka_unit_test(to_virtual_8086_mode), cmocka_unit_test(the_trap_flag_of_a_task),
		cmocka_unit_test(faults_on_the_way_to_a_gate), cmocka_unit_test(what_is_no_tss),
		cmocka_unit_test(a_new_tss_that_is_read_only), cmocka_unit_test(the_same_tss_under_another_name),
		cmocka_unit_test(the_old_descriptor_is_gone),
		cmocka_unit_test(a_busy_descriptor_that_is_read_only), cmocka_unit_test(a_tss_of_16_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
