/* What emulated instructions and events that are delivered by hand leave in the VMCS (vm/exit/emulation.c). */
#include "test/unit/vm/fixture.h"

#define LAPIC_TPR (LAPIC_DEFAULT_BASE + APIC_TPR)

#define IDT BENCH_DATA
#define HANDLER (BENCH_CODE + 0x800)
/* The test device's memory, a stack here. */
#define DEVICE 0xff000000u
#define STACK_IN_A_DEVICE (DEVICE + 0x800)

static void at_the_tpr(const char *mmu, enum bench_mode mode, unsigned cpl)
{
	at_mode(mmu, mode, cpl);
	*bench_gpr(GPR_RBX) = LAPIC_TPR;
}

#define CODE(bytes) code(bytes, sizeof(bytes) - 1)

static enum bench_at touch(bool write)
{
	return bench_exit(&(struct bench_exit){ .reason = EXIT_EPT_VIOLATION,
						.qualification = write ? WRITE_KNOWN : READ_KNOWN,
						.gpa = LAPIC_TPR,
						.gva = LAPIC_TPR });
}

static void registers_are_taken_over(void **state)
{
	(void)state;
	at_the_tpr("ept", BENCH_PAE, 0);
	STEP(bench_mov_to_cr(8, 3));
	/* RF was for this instruction alone. */
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_RF | RFLAGS_IF);
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI);
	CODE("\xff\x33"); /* push [ebx] */
	STEP(touch(false));
	EXPECT_NOTHING();
	assert_int_equal(vmcs_get(VMCS_GUEST_RSP), BENCH_STACK - 4);
	assert_int_equal(bench.entry.rflags, 2 | RFLAGS_IF);
	assert_int_equal(bench.entry.interruptibility, 0);
	CODE("\x8e\x1b"); /* mov ds, [ebx] */
	STEP(bench_mov_to_cr(8, BENCH_DATA3 >> 4));
	vmcs_put(VMCS_GUEST_RIP, BENCH_CODE);
	STEP(touch(false));
	EXPECT_NOTHING();
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_SELECTOR + 2 * SEG_DS), BENCH_DATA3 & ~3);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_ACCESS + 2 * SEG_DS), SEGMENT_FLAT_DATA | SEGMENT_DPL);
	finish();
}

/* An instruction at the same place that is another one by now. */
static void code_that_changes(void **state)
{
	(void)state;
	at_the_tpr("ept", BENCH_PAE, 0);
	STEP(bench_mov_to_cr(8, 3));
	for (unsigned n = 0; n < 3; n++) {
		CODE("\x8b\x03"); /* mov eax, [ebx] */
		STEP(touch(false));
		assert_int_equal(*bench_gpr(GPR_RAX), 0x30);
		*bench_gpr(GPR_RCX) = 0;
		CODE("\x8b\x0b"); /* mov ecx, [ebx] */
		STEP(touch(false));
		assert_int_equal(*bench_gpr(GPR_RCX), 0x30);
	}
	finish();
}

/* What Vellum does not emulate is no instruction to a program, which so cannot stop its virtual machine; a kernel's
 * stops it, with a sentence. */
static void instructions_that_are_left_out(void **state)
{
	static const char vmovaps_zmm0[] = "\x62\xf1\x7c\x48\x28\x03";

	(void)state;
	at_the_tpr("ept", BENCH_LONG64, 3);
	code(vmovaps_zmm0, sizeof(vmovaps_zmm0) - 1);
	STEP(touch(false));
	EXPECT_UD();
	assert_int_equal(bench.entry.rip, BENCH_CODE);
	finish();
	at_the_tpr("ept", BENCH_LONG64, 0);
	code(vmovaps_zmm0, sizeof(vmovaps_zmm0) - 1);
	EXPECT_END(touch(false), "does not emulate");
	bench_delete();
}

/* IRET out of device memory: NMIs are no longer blocked. The frame is in the test device's memory. */
static void an_emulated_iret(void **state)
{
	uint32_t frame[3] = { HANDLER, BENCH_CODE0, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_RF };

	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .description = "testdev on\n" });
	assert_true(bench_mode(BENCH_PROT32, 0));
	for (unsigned n = 0; n < 3; n++) {
		*bench_gpr(GPR_RAX) = frame[n];
		*bench_gpr(GPR_RBX) = DEVICE + 4 * n;
		CODE("\x89\x03");
		EXIT(.reason = EXIT_EPT_VIOLATION, .qualification = WRITE_KNOWN, .gpa = DEVICE + 4 * n,
		     .gva = DEVICE + 4 * n);
	}
	vmcs_put(VMCS_GUEST_RSP, DEVICE);
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
	CODE("\xcf");
	EXIT(.reason = EXIT_EPT_VIOLATION, .qualification = READ_KNOWN, .gpa = DEVICE, .gva = DEVICE);
	EXPECT_NOTHING();
	assert_int_equal(bench.entry.rip, HANDLER);
	assert_int_equal(bench.entry.rflags, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_RF);
	assert_int_equal(bench.entry.interruptibility, 0);
	assert_int_equal(vmcs_get(VMCS_GUEST_RSP), DEVICE + 12);
	finish();
}

/* ---- events that the CPU cannot deliver, because their stack is in a device ---- */

static void prepare_delivery(void)
{
	uint64_t gate =
		(HANDLER & 0xffff) | (uint64_t)BENCH_CODE0 << 16 | 0x8e00ull << 32 | (uint64_t)(HANDLER >> 16) << 48;

	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .description = "testdev on\n" });
	assert_true(bench_mode(BENCH_PROT32, 0));
	for (unsigned vector = 0; vector < 0x90; vector++)
		bench_poke(IDT + 8 * vector, &gate, 8);
	vmcs_put(VMCS_GUEST_IDTR_BASE, IDT);
	vmcs_put(VMCS_GUEST_IDTR_LIMIT, 0x47f);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	vmcs_put(VMCS_GUEST_RSP, STACK_IN_A_DEVICE);
}

static enum bench_at delivery_faults(uint32_t vectoring, uint32_t error, uint32_t length)
{
	return bench_exit(&(struct bench_exit){ .reason = EXIT_EPT_VIOLATION,
						.qualification = WRITE_KNOWN,
						.gpa = STACK_IN_A_DEVICE - 4,
						.gva = STACK_IN_A_DEVICE - 4,
						.vectoring = vectoring,
						.vectoring_error = error,
						.length = length });
}

static uint32_t pushed(unsigned n) { return (uint32_t)platform_mmio_read(bench.v, STACK_IN_A_DEVICE - 4 * n, 4); }

static void deliver(uint32_t vectoring, uint32_t error, uint32_t length, int line)
{
	step_to_entry(delivery_faults(vectoring, error, length), line);
	expect_event(0, 0, line);
	if (bench.entry.rip != HANDLER)
		fail_msg("line %d: not delivered", line);
}
#define DELIVER(vectoring, error, length) deliver(vectoring, error, length, __LINE__)

static void deliveries_by_hand(void **state)
{
	(void)state;
	prepare_delivery();
	DELIVER(EXCEPTION_ERROR(VECTOR_GP), 0x18, 0);
	assert_int_equal(bench.entry.rflags & RFLAGS_IF, 0);
	assert_int_equal(pushed(1), 2 | RFLAGS_IF);
	assert_int_equal(pushed(2), BENCH_CODE0);
	assert_int_equal(pushed(3), BENCH_CODE);
	assert_int_equal(pushed(4), 0x18);
	assert_int_equal(vmcs_get(VMCS_GUEST_RSP), STACK_IN_A_DEVICE - 16);
	/* Once. */
	STEP(bench_interrupt(0xf1));
	EXPECT_NOTHING();
	finish();
	/* INT n: the address behind it. */
	prepare_delivery();
	DELIVER(INFO(EVENT_TYPE_SOFTWARE_INTERRUPT, 0x80), 0, 2);
	assert_int_equal(pushed(3), BENCH_CODE + 2);
	finish();
	/* An interrupt has no error code. */
	prepare_delivery();
	DELIVER(INFO(EVENT_TYPE_EXTERNAL, 0x41), 0, 0);
	assert_int_equal(vmcs_get(VMCS_GUEST_RSP), STACK_IN_A_DEVICE - 12);
	finish();
}

static void an_nmi_by_hand(void **state)
{
	(void)state;
	prepare_delivery();
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
	DELIVER(INFO(EVENT_TYPE_NMI, 2), 0, 0);
	assert_int_equal(bench.entry.interruptibility, BLOCKING_NMI);
	finish();
}

/* What held events back before is over with one that was delivered, and traps that were pending are dropped. */
static void what_a_delivery_ends(void **state)
{
	(void)state;
	prepare_delivery();
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_TF);
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_MOV_SS);
	vmcs_put(VMCS_GUEST_PENDING_DEBUG, PENDING_DEBUG_BS);
	DELIVER(EXCEPTION(VECTOR_UD), 0, 0);
	assert_int_equal(bench.entry.rflags & RFLAGS_TF, 0);
	assert_int_equal(bench.entry.interruptibility, 0);
	assert_int_equal(bench.entry.pending_debug, 0);
	finish();
}

/* The gate is none: #GP, and for a contributory exception before it a double fault. */
static void a_delivery_that_faults(void **state)
{
	(void)state;
	prepare_delivery();
	vmcs_put(VMCS_GUEST_IDTR_LIMIT, 0x7f); /* vectors below 16 */
	STEP(delivery_faults(INFO(EVENT_TYPE_SOFTWARE_INTERRUPT, 0x80), 0, 2));
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_GP), 0x402);
	finish();
	prepare_delivery();
	vmcs_put(VMCS_GUEST_IDTR_LIMIT, 0x47); /* vectors below 9 */
	STEP(delivery_faults(EXCEPTION_ERROR(VECTOR_GP), 0, 0));
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_DF), 0);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_are_taken_over),
		cmocka_unit_test(code_that_changes),
		cmocka_unit_test(instructions_that_are_left_out),
		cmocka_unit_test(an_emulated_iret),
		cmocka_unit_test(deliveries_by_hand),
		cmocka_unit_test(an_nmi_by_hand),
		cmocka_unit_test(what_a_delivery_ends),
		cmocka_unit_test(a_delivery_that_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
