/* What becomes of instructions that are emulated (vm/exit/emulation.c): bounds, breakpoints, the FPU, and what is not
 * known. */
#include "test/unit/vm/fixture.h"

#define ABSENT 0x30000000u /* no memory, no device */
#define DR7_WRITE4 0xd0401u /* breakpoint 0: writes of 4 bytes; accesses of 4 bytes */
#define DR7_ACCESS4 0xf0401u

#define CODE(bytes) code(bytes, sizeof(bytes) - 1)

/* So many iterations for each exit; the rest is taken up again at the same instruction. */
static void a_repeated_instruction_is_bounded(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	*bench_gpr(GPR_RDI) = ABSENT;
	*bench_gpr(GPR_RCX) = 300;
	CODE("\xf3\xaa"); /* rep stosb */
	for (unsigned left = 300 - 128; left < 300; left -= 128) {
		STEP(violation(MMU_WRITE | GVA_KNOWN, ABSENT));
		EXPECT_NOTHING();
		assert_int_equal(*bench_gpr(GPR_RCX), left);
		assert_int_equal(bench.entry.rip, BENCH_CODE);
	}
	STEP(violation(MMU_WRITE | GVA_KNOWN, ABSENT));
	assert_int_equal(*bench_gpr(GPR_RCX), 0);
	assert_int_equal(bench.entry.rip, BENCH_CODE + 2);
	finish();
}

/* One trap for each iteration. */
static void a_repeated_instruction_is_stepped(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	*bench_gpr(GPR_RDI) = ABSENT;
	*bench_gpr(GPR_RCX) = 2;
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_TF);
	CODE("\xf3\xaa");
	for (unsigned left = 2; left-- > 0;) {
		vmcs_put(VMCS_GUEST_PENDING_DEBUG, 0);
		STEP(violation(MMU_WRITE | GVA_KNOWN, ABSENT));
		assert_int_equal(*bench_gpr(GPR_RCX), left);
		assert_int_equal(bench.entry.rip, left ? BENCH_CODE : BENCH_CODE + 2);
		assert_int_equal(bench.entry.pending_debug, PENDING_DEBUG_BS);
	}
	finish();
}

static void watched_data(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	bench.v->saved_dr[0] = ABSENT + 4;
	*bench_gpr(GPR_RBX) = ABSENT;
	vmcs_put(VMCS_GUEST_DR7, DR7_WRITE4);
	CODE("\x8b\x43\x04"); /* mov eax, [rbx + 4] */
	STEP(violation(MMU_READ | GVA_KNOWN, ABSENT + 4));
	assert_int_equal(bench.entry.pending_debug, 0);
	CODE("\x88\x43\x03"); /* mov [rbx + 3], al: beside it */
	STEP(violation(MMU_WRITE | GVA_KNOWN, ABSENT + 3));
	assert_int_equal(bench.entry.pending_debug, 0);
	CODE("\x48\x89\x03"); /* mov [rbx], rax: over it */
	STEP(violation(MMU_WRITE | GVA_KNOWN, ABSENT));
	assert_int_equal(bench.entry.pending_debug, HIT(0));
	vmcs_put(VMCS_GUEST_PENDING_DEBUG, 0);
	vmcs_put(VMCS_GUEST_DR7, DR7_ACCESS4);
	CODE("\x8b\x43\x04");
	STEP(violation(MMU_READ | GVA_KNOWN, ABSENT + 4));
	assert_int_equal(bench.entry.pending_debug, HIT(0));
	/* A repeated instruction stops where it hits. */
	vmcs_put(VMCS_GUEST_PENDING_DEBUG, 0);
	*bench_gpr(GPR_RDI) = ABSENT + 3;
	*bench_gpr(GPR_RCX) = 9;
	CODE("\xf3\xaa");
	STEP(violation(MMU_WRITE | GVA_KNOWN, ABSENT + 3));
	assert_int_equal(*bench_gpr(GPR_RCX), 7);
	assert_int_equal(bench.entry.pending_debug, HIT(0));
	finish();
}

/* A HLT that is done for the guest is one: it sleeps, and for good where nothing can wake it. */
static void halt(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	x2apic_on();
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	CODE("\xf4");
	assert_int_equal(violation(MMU_READ | GVA_KNOWN, ABSENT), BENCH_IDLE);
	bench_delete();
	at_mode("ept", BENCH_LONG64, 0);
	CODE("\xf4");
	EXPECT_END(violation(MMU_READ | GVA_KNOWN, ABSENT), "halted for good: HLT with interrupts disabled at rip 0x");
	bench_delete();
}

static void data_that_is_not_watched(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	bench.v->saved_dr[0] = ABSENT + 4;
	*bench_gpr(GPR_RBX) = ABSENT;
	/* One that is not enabled, beside one that is; one on ports whose number is the address. */
	bench.v->saved_dr[1] = 0x9990;
	vmcs_put(VMCS_GUEST_DR7, 0xd0404 | 0xdull << 20);
	CODE("\x88\x43\x04");
	STEP(violation(MMU_WRITE | GVA_KNOWN, ABSENT + 4));
	assert_int_equal(bench.entry.pending_debug, 0);
	STEP(bench_mov_to_cr(4, CR4_PAE | CR4_DE));
	vmcs_put(VMCS_GUEST_DR7, 0xe0401);
	CODE("\x88\x43\x04");
	STEP(violation(MMU_WRITE | GVA_KNOWN, ABSENT + 4));
	assert_int_equal(bench.entry.pending_debug, 0);
	finish();
}

/* The same bytes at the same place are another instruction in another mode. */
static void modes(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	*bench_gpr(GPR_RBX) = ABSENT;
	*bench_gpr(GPR_RAX) = 0x100;
	CODE("\x48\x89\x03"); /* mov [rbx], rax; outside 64-bit code dec eax */
	STEP(violation(MMU_WRITE | GVA_KNOWN, ABSENT));
	assert_int_equal(bench.entry.rip, BENCH_CODE + 3);
	vmcs_put(VMCS_GUEST_CS_ACCESS, SEGMENT_FLAT_CODE32);
	vmcs_put(VMCS_GUEST_RIP, BENCH_CODE);
	STEP(violation(MMU_WRITE | GVA_KNOWN, ABSENT));
	assert_int_equal(bench.entry.rip, BENCH_CODE + 1);
	assert_int_equal(*bench_gpr(GPR_RAX), 0xff);
	finish();
	/* CS.L means nothing outside IA-32e mode. */
	at_mode("ept", BENCH_PAE, 0);
	vmcs_put(VMCS_GUEST_CS_ACCESS, 0xe09b);
	CODE("\x48\x89\x03");
	STEP(violation(MMU_WRITE | GVA_KNOWN, ABSENT));
	assert_int_equal(bench.entry.rip, BENCH_CODE + 1);
	finish();
}

/* In real and virtual-8086 mode a segment register is a number. */
static void segments_that_are_numbers(void **state)
{
	static const enum bench_mode small[] = { BENCH_REAL, BENCH_V86 };

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(small); n++) {
		at_mode("ept", small[n], n ? 3 : 0);
		if (n)
			bench_poke(BENCH_TABLES + 0x1000 + 4 * 9, &(uint32_t){ ABSENT | 0x67 }, 4);
		else
			vmcs_put(VMCS_GUEST_ES_BASE + 2 * SEG_DS, ABSENT - 0x9000);
		bench_poke(0x8000, "\x8e\x06\x00\x90", 4); /* mov es, [0x9000]: all ones */
		STEP(bench_exit(&(struct bench_exit){ .reason = EXIT_EPT_VIOLATION,
						      .qualification = MMU_READ | GVA_KNOWN,
						      .gpa = ABSENT,
						      .gva = n ? 0x9000 : ABSENT }));
		EXPECT_NOTHING();
		assert_int_equal(bench.entry.rip, 0x8004);
		assert_int_equal(vmcs_get(VMCS_GUEST_ES_SELECTOR), 0xffff);
		assert_int_equal(vmcs_get(VMCS_GUEST_ES_BASE), 0xffff0);
		finish();
	}
}

#define TPR (LAPIC_DEFAULT_BASE + APIC_TPR)

/* An instruction with two operands: what the exit told of one is not true of the other. */
static void two_operands(void **state)
{
	uint32_t value = 0x50;

	(void)state;
	at_mode("ept", BENCH_PAGED32, 3);
	bench_poke(BENCH_DATA, &value, 4);
	*bench_gpr(GPR_RSI) = BENCH_DATA;
	*bench_gpr(GPR_RDI) = TPR;
	CODE("\xa5"); /* movsd */
	STEP(violation(MMU_WRITE | GVA_KNOWN, TPR));
	EXPECT_NOTHING();
	assert_int_equal(lapic_tpr(&bench.v->lapic), 0x50);
	/* The kernel's page, to a program. */
	bench_poke(BENCH_TABLES + 0x1000 + BENCH_DATA / PAGE_SIZE * 4, &(uint32_t){ BENCH_DATA | 0x63 }, 4);
	*bench_gpr(GPR_RSI) = BENCH_DATA;
	*bench_gpr(GPR_RDI) = TPR;
	CODE("\xa5");
	STEP(violation(MMU_WRITE | GVA_KNOWN, TPR));
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_PF), 5);
	assert_int_equal(read_cr2(), BENCH_DATA);
	finish();
}

/* A device is accessed as it wants to be: in pieces that are aligned. */
static void a_wide_access_to_a_device(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	platform_mmio_write(bench.v, TPR, 4, 0x60);
	*bench_gpr(GPR_RBX) = TPR - 4;
	CODE("\x48\x8b\x03"); /* mov rax, [rbx] */
	STEP(violation(MMU_READ | GVA_KNOWN, TPR - 4));
	EXPECT_NOTHING();
	assert_int_equal(*bench_gpr(GPR_RAX) >> 32, 0x60);
	finish();
}

static uint64_t counting_read(void *dev, uint64_t offset, unsigned size)
{
	uint64_t *reads = dev;

	(void)offset;
	(void)size;
	return ++*reads;
}

static void counting_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	uint64_t *registers = dev;

	(void)offset;
	(void)size;
	registers[1] = value;
}

/* A register that reads differently each time: a locked instruction reads it once, writes it once, and is done. */
static void a_locked_access_to_a_device(void **state)
{
	static const struct mmio_ops counting = { counting_read, counting_write };
	uint64_t registers[2] = { 0 };

	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	assert_true(mmio_add(&bench.vm[0]->mmio, ABSENT, PAGE_SIZE, &counting, registers));
	*bench_gpr(GPR_RBX) = ABSENT;
	*bench_gpr(GPR_RAX) = 0x10;
	CODE("\xf0\x0f\xc1\x03"); /* lock xadd [rbx], eax */
	STEP(violation(MMU_WRITE | GVA_KNOWN, ABSENT));
	EXPECT_NOTHING();
	assert_int_equal(bench.entry.rip, BENCH_CODE + 4);
	assert_int_equal(registers[0], 1);
	assert_int_equal(registers[1], 0x11);
	assert_int_equal(*bench_gpr(GPR_RAX), 1);
	/* What differs is written back as it was. */
	CODE("\xf0\x0f\xb1\x0b"); /* lock cmpxchg [rbx], ecx */
	STEP(violation(MMU_WRITE | GVA_KNOWN, ABSENT));
	assert_int_equal(bench.entry.rip, BENCH_CODE + 4);
	assert_int_equal(registers[0], 2);
	assert_int_equal(registers[1], 2);
	assert_int_equal(*bench_gpr(GPR_RAX), 2);
	finish();
}

/* AVX-512 is not emulated: a program gets #UD, a kernel's VM stops. */
static void what_is_not_known(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 3);
	*bench_gpr(GPR_RBX) = ABSENT;
	CODE("\x62\xf1\x7c\x48\x11\x03"); /* vmovups [rbx], zmm0 */
	STEP(violation(MMU_WRITE | GVA_KNOWN, ABSENT));
	EXPECT_UD();
	finish();
	at_mode("ept", BENCH_LONG64, 0);
	*bench_gpr(GPR_RBX) = ABSENT;
	CODE("\x62\xf1\x7c\x48\x11\x03");
	EXPECT_END(violation(MMU_WRITE | GVA_KNOWN, ABSENT), "does not emulate");
	finish();
}

/* The FPU's instructions run on the CPU, and a descriptor table is stored by hand. */
static void fpu_and_system_instructions(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	*bench_gpr(GPR_RBX) = ABSENT;
	CODE("\xdd\x03"); /* fld qword [rbx] */
	STEP(violation(MMU_READ | GVA_KNOWN, ABSENT));
	EXPECT_NOTHING();
	assert_int_equal(bench.entry.rip, BENCH_CODE + 2);
	CODE("\x0f\xae\x3b"); /* clflush [rbx] */
	STEP(violation(MMU_READ | GVA_KNOWN, ABSENT));
	EXPECT_NOTHING();
	CODE("\x0f\x01\x03"); /* sgdt [rbx] */
	STEP(violation(MMU_WRITE | GVA_KNOWN, ABSENT));
	EXPECT_NOTHING();
	assert_int_equal(bench.entry.rip, BENCH_CODE + 3);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_repeated_instruction_is_bounded),
		cmocka_unit_test(a_repeated_instruction_is_stepped),
		cmocka_unit_test(watched_data),
		cmocka_unit_test(halt), cmocka_unit_test(data_that_is_not_watched),
		cmocka_unit_test(modes),
		cmocka_unit_test(segments_that_are_numbers),
		cmocka_unit_test(two_operands),
		cmocka_unit_test(a_wide_access_to_a_device),
		cmocka_unit_test(a_locked_access_to_a_device),
		cmocka_unit_test(what_is_not_known),
		cmocka_unit_test(fpu_and_system_instructions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
