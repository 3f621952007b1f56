/* test/unit/vm/exit/task_fixture.h - two tasks, and a switch from one to the other, for test_task_switch.c and
 * test_task_segment.c. */
#ifndef VELLUM_TEST_TASK_FIXTURE_H
#define VELLUM_TEST_TASK_FIXTURE_H

#include "test/unit/vm/fixture.h"

#define HVM_TASK_CALL 0u
#define HVM_TASK_IRET 1u
#define HVM_TASK_JMP 2u
#define HVM_TASK_GATE 3u
#define QUALIFICATION(source, selector) ((uint64_t)(source) << 30 | (selector))

#define NEW_TSS (BENCH_TSS + 0x100)
#define NEW_DESCRIPTOR (BENCH_GDT + BENCH_TSS2)
#define OLD_DESCRIPTOR (BENCH_GDT + BENCH_TSS1)
#define CODE16 0x58
#define LDT_DESCRIPTOR (BENCH_GDT + 0x60) /* of the 16-bit data, here an LDT's */
#define LDT_AT (BENCH_DATA + 0x800)

enum { TSS_LINK = 0, TSS_CR3 = 0x1c, TSS_EIP = 0x20, TSS_EFLAGS = 0x24, TSS_GPR = 0x28, TSS_ES = 0x48, TSS_CS = 0x4c,
       TSS_SS = 0x50,
       TSS_DS = 0x54, TSS_FS = 0x58, TSS_GS = 0x5c, TSS_LDT = 0x60, TSS_TRAP = 0x64 };

static inline void put(uint32_t offset, uint32_t v) { bench_poke(NEW_TSS + offset, &v, 4); }

static inline uint32_t get(uint64_t gpa)
{
	uint32_t v;

	bench_peek(gpa, &v, 4);
	return v;
}

static inline uint64_t get64(uint64_t gpa) { return get(gpa) | (uint64_t)get(gpa + 4) << 32; }
static inline void put64(uint64_t gpa, uint64_t v) { bench_poke(gpa, &v, 8); }

/* A guest in paged mode, with a second task that it could go to. */
static inline void prepare_as(const char *mmu)
{
	static const uint8_t zero[104];

	start_as(BENCH_HASWELL, mmu);
	assert_true(bench_mode(BENCH_PAGED32, 0));
	bench_poke(NEW_TSS, zero, sizeof(zero));
	put(TSS_CR3, BENCH_TABLES);
	put(TSS_EIP, BENCH_CODE + 0x1000);
	put(TSS_EFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	for (unsigned n = 0; n < 8; n++)
		put(TSS_GPR + 4 * n, n == GPR_RSP ? BENCH_STACK - 0x100 : 0x1000 * (n + 1));
	put(TSS_CS, BENCH_CODE0);
	for (uint32_t at = TSS_SS; at <= TSS_DS; at += 4)
		put(at, BENCH_DATA0);
	*bench_gpr(GPR_RBX) = 0x1234;
	vmcs_put(VMCS_GUEST_DR7, 0x455);
}

static inline void prepare(void) { prepare_as("shadow"); }

static inline enum bench_at switch_by(unsigned source)
{
	return bench_exit(&(struct bench_exit){
		.reason = EXIT_TASK_SWITCH, .qualification = QUALIFICATION(source, BENCH_TSS2), .length = 7 });
}

static inline enum bench_at switch_by_event(uint32_t vectoring, uint32_t error, uint32_t length)
{
	return bench_exit(&(struct bench_exit){ .reason = EXIT_TASK_SWITCH,
						.qualification = QUALIFICATION(HVM_TASK_GATE, BENCH_TSS2),
						.vectoring = vectoring,
						.vectoring_error = error,
						.length = length });
}

static inline void expect_new_task(int line)
{
	expect_event(0, 0, line);
	if (bench.entry.rip != BENCH_CODE + 0x1000 || *bench_gpr(GPR_RAX) != 0x1000 || *bench_gpr(GPR_RDI) != 0x8000 ||
	    vmcs_get(VMCS_GUEST_TR_SELECTOR) != BENCH_TSS2 || vmcs_get(VMCS_GUEST_TR_BASE) != NEW_TSS)
		fail_msg("line %d: not the new task", line);
	/* TS is set, local breakpoints are off. */
	if (!(vmcs_get(VMCS_GUEST_CR0) & CR0_TS) || (vmcs_get(VMCS_GUEST_DR7) & DR7_LOCAL))
		fail_msg("line %d: CR0.TS or DR7", line);
}
#define EXPECT_NEW_TASK() expect_new_task(__LINE__)

#endif
