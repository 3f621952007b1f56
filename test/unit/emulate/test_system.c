/* test/unit/emulate/test_system.c - privileged instructions, and those that depend on control registers or on
 * features. */
#include "test/unit/emulate/fixture.h"
#include "lib/x86_msr.h"

#define CR0_SET (CR0_PG | CR0_AM | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE)

static void test_control_registers(void **state)
{
	(void)state;
	w->cr[3] = 0x1234567812345000;
	assert_ok(RUN(w, 0x41, 0x0f, 0x20, 0xd8)); /* mov r8, cr3 */
	assert_int_equal(w->gpr[EMULATE_R8], 0x1234567812345000);
	assert_ok(RUN(w, 0x45, 0x0f, 0x22, 0xc0)); /* mov cr8, r8 */
	assert_int_equal(w->cr[8], 0x1234567812345000);
	assert_ok(RUN(w, 0x0f, 0x20, 0x1b)); /* mov rbx, cr3 with mod = 0: the same as mod = 3 */
	assert_int_equal(w->gpr[EMULATE_RBX], 0x1234567812345000);
	assert_exception(RUN(w, 0x0f, 0x20, 0xc8), EXCEPTION(VECTOR_UD)); /* cr1 */
	w->gpr[EMULATE_RAX] = BIT(31);
	assert_exception(RUN(w, 0x0f, 0x22, 0xe0), EXCEPTION_ERROR(VECTOR_GP, 0)); /* cr4: the callback refuses */
	w->dr[7] = 0x400;
	assert_ok(RUN(w, 0x0f, 0x21, 0xf9)); /* mov rcx, dr7 */
	assert_int_equal(w->gpr[EMULATE_RCX], 0x400);
	w->e.cr0 |= CR0_TS;
	assert_ok(RUN(w, 0x0f, 0x06)); /* clts */
	assert_false(w->e.cr0 & CR0_TS);
}

static void test_machine_status_word(void **state)
{
	(void)state;
	w->e.cr0 = CR0_SET;
	assert_ok(RUN(w, 0x0f, 0x01, 0xe0)); /* smsw eax */
	assert_int_equal(w->gpr[EMULATE_RAX], CR0_SET);
	w->gpr[EMULATE_RAX] = 0xfff8; /* PE cannot be cleared; TS is set, MP and EM are cleared */
	assert_ok(RUN(w, 0x0f, 0x01, 0xf0)); /* lmsw ax */
	assert_int_equal(w->e.cr0, 0x80050039);
}

static void test_user_mode(void **state)
{
	static const uint8_t privileged[][3] = {
		{ 0xf4 },	{ 0x0f, 0x06 }, { 0x0f, 0x20, 0xc0 }, { 0x0f, 0x22, 0xd8 }, { 0x0f, 0x21, 0xc0 },
		{ 0x0f, 0x30 }, { 0x0f, 0x32 }, { 0x0f, 0x01, 0x10 }, { 0x0f, 0x01, 0x38 }, { 0x0f, 0x09 },
		{ 0xfa },	{ 0xec },	{ 0x0f, 0x01, 0xf0 },
	};

	(void)state;
	w->e.cpl = 3;
	for (unsigned n = 0; n < ARRAY_SIZE(privileged); n++)
		assert_exception(world_step(w, privileged[n], 3), EXCEPTION_ERROR(VECTOR_GP, 0));
	assert_ok(RUN(w, 0x0f, 0x31)); /* rdtsc */
	w->e.cr4 |= CR4_TSD | CR4_UMIP;
	assert_exception(RUN(w, 0x0f, 0x31), EXCEPTION_ERROR(VECTOR_GP, 0));
	assert_exception(RUN(w, 0x0f, 0x01, 0x00), EXCEPTION_ERROR(VECTOR_GP, 0)); /* sgdt [rax] */
	w->e.rflags |= RFLAGS_IOPL;
	assert_ok(RUN(w, 0xec));
}

static void test_msr_cpuid_tsc(void **state)
{
	(void)state;
	w->gpr[EMULATE_RCX] = 0xdead00000000080b;
	w->gpr[EMULATE_RAX] = 0xffffffff00000001;
	w->gpr[EMULATE_RDX] = 0xffffffff00000002;
	assert_ok(RUN(w, 0x0f, 0x30));
	assert_int_equal(w->msr, 0x200000001);
	assert_int_equal(w->msr_index, MSR_X2APIC_EOI);
	w->gpr[EMULATE_RAX] = w->gpr[EMULATE_RDX] = ~0ull;
	assert_ok(RUN(w, 0x0f, 0x32));
	assert_int_equal(w->gpr[EMULATE_RAX], 1);
	assert_int_equal(w->gpr[EMULATE_RDX], 2);
	w->gpr[EMULATE_RCX] = 0xbad;
	assert_exception(RUN(w, 0x0f, 0x32), EXCEPTION_ERROR(VECTOR_GP, 0));
	w->gpr[EMULATE_RAX] = 7;
	w->gpr[EMULATE_RCX] = 1;
	assert_ok(RUN(w, 0x0f, 0xa2));
	assert_int_equal(w->gpr[EMULATE_RAX], 8);
	assert_int_equal(w->gpr[EMULATE_RBX], 3);
	assert_ok(RUN(w, 0x0f, 0x31));
	assert_int_equal(w->gpr[EMULATE_RDX], 0x11223344);
}

static void test_tables(void **state)
{
	(void)state;
	w->gpr[EMULATE_RAX] = 0x5000;
	world_store(w, 0x5000, 2, 0x7f);
	world_store(w, 0x5002, 8, 0xffff800000001000);
	assert_ok(RUN(w, 0x0f, 0x01, 0x10)); /* lgdt [rax] */
	assert_int_equal(w->dtr[EMULATE_GDTR].base, 0xffff800000001000);
	assert_int_equal(w->dtr[EMULATE_GDTR].limit, 0x7f);
	w->gpr[EMULATE_RAX] = 0x5100;
	assert_ok(RUN(w, 0x0f, 0x01, 0x00)); /* sgdt [rax] */
	assert_memory_equal(w->memory + 0x5000, w->memory + 0x5100, 10);
	world_store(w, 0x5108, 2, 0x1234);
	assert_exception(RUN(w, 0x0f, 0x01, 0x18), EXCEPTION_ERROR(VECTOR_GP, 0)); /* lidt: the base is not canonical */
	assert_int_equal(w->dtr[EMULATE_IDTR].limit, 0x3ff);
}

static void test_invlpg(void **state)
{
	(void)state;
	w->gpr[EMULATE_RBX] = 0xffff888000001234;
	assert_ok(RUN(w, 0x0f, 0x01, 0x7b, 0x10)); /* invlpg [rbx+0x10] */
	assert_int_equal(w->invalidated, 0xffff888000001244);
	assert_int_equal(w->events, 1); /* the address is not accessed */
	w->gpr[EMULATE_RBX] = 0x1234567890000000;
	assert_ok(RUN(w, 0x0f, 0x01, 0x3b));
	assert_int_equal(w->invalidated, 0xffff888000001244);
}

static void test_absent_callbacks(void **state)
{
	static const uint8_t needy[][4] = {
		{ 0x0f, 0x20, 0xc0 },
		{ 0x0f, 0x22, 0xc0 },
		{ 0x0f, 0x21, 0xc0 },
		{ 0x0f, 0x23, 0xc0 },
		{ 0x0f, 0x30 },
		{ 0x0f, 0x32 },
		{ 0x0f, 0xa2 },
		{ 0x0f, 0x31 },
		{ 0xec },
		{ 0xee },
		{ 0x6c },
		{ 0x6e },
		{ 0x0f, 0x10, 0x00 },
		{ 0x0f, 0x01, 0x00 },
		{ 0x0f, 0x01, 0x38 },
	};
	struct emulate_ops only_memory = { .fetch = w->e.ops->fetch, .read = w->e.ops->read, .write = w->e.ops->write,
					   .probe = w->e.ops->probe };

	(void)state;
	w->e.ops = &only_memory;
	for (unsigned n = 0; n < ARRAY_SIZE(needy); n++) {
		assert_int_equal(world_step(w, needy[n], 4), EMULATE_UNKNOWN);
		assert_int_equal(w->e.rip, 0x7c00);
		assert_true(w->e.length >= 4);
		assert_memory_equal(w->e.bytes, needy[n], 4);
	}
	/* Without an atomic compare-and-exchange, locked instructions read and write. */
	w->gpr[EMULATE_RDI] = 0x5000;
	assert_ok(RUN(w, 0xf0, 0xff, 0x07));
	assert_int_equal(world_load(w, 0x5000, 4), 1);
}

static void test_vector_unit(void **state)
{
	(void)state;
	w->gpr[EMULATE_RAX] = 0x5000;
	assert_ok(RUN(w, 0x0f, 0x10, 0x00)); /* movups xmm0, [rax] */
	w->e.cr0 |= CR0_TS;
	assert_exception(RUN(w, 0x0f, 0x10, 0x00), EXCEPTION(VECTOR_NM));
	assert_exception(RUN(w, 0xc5, 0xfc, 0x10, 0x00), EXCEPTION(VECTOR_NM)); /* vmovups ymm0, [rax] */
	w->e.cr0 |= CR0_EM;
	assert_exception(RUN(w, 0x0f, 0x10, 0x00), EXCEPTION(VECTOR_UD));
	w->e.cr0 &= ~(uint64_t)(CR0_EM | CR0_TS);
	w->e.cr4 &= ~CR4_OSFXSR;
	assert_exception(RUN(w, 0x0f, 0x10, 0x00), EXCEPTION(VECTOR_UD));
	assert_ok(RUN(w, 0xc5, 0xfc, 0x10, 0x00));
	w->e.xcr0 = 3;
	assert_exception(RUN(w, 0xc5, 0xfc, 0x10, 0x00), EXCEPTION(VECTOR_UD));
	w->e.xcr0 = 7;
	w->e.cr4 &= ~CR4_OSXSAVE;
	assert_exception(RUN(w, 0xc5, 0xfc, 0x10, 0x00), EXCEPTION(VECTOR_UD));
}

/* Outside protected mode C4 and C5 are LES and LDS, which need memory. */
static void test_vex_in_real_mode(void **state)
{
	(void)state;
	world_free(w);
	w = world_new(EMULATE_REAL);
	assert_exception(RUN(w, 0xc5, 0xfc, 0x10, 0x00), EXCEPTION(VECTOR_UD));
	world_free(w);
	w = world_new(EMULATE_PROT16);
	w->gpr[EMULATE_RSI] = 0x5000;
	world_store(w, 0x5000, 8, 0x1234);
	assert_ok(RUN(w, 0xc5, 0xf8, 0x10, 0x04)); /* vmovups xmm0, [si] */
	assert_int_equal(cpu_xmm(&w->cpu, 0)[0], 0x34);
}

static void test_features(void **state)
{
	(void)state;
	w->e.features = 0;
	w->gpr[EMULATE_RCX] = 0x100;
	assert_ok(RUN(w, 0xf3, 0x0f, 0xbd, 0xc1)); /* lzcnt, or bsr, eax, ecx */
	assert_int_equal(w->gpr[EMULATE_RAX], 8);
	w->gpr[EMULATE_RCX] = 0;
	w->gpr[EMULATE_RAX] = 99;
	assert_ok(RUN(w, 0xf3, 0x0f, 0xbc, 0xc1)); /* tzcnt, or bsf */
	assert_int_equal(w->gpr[EMULATE_RAX], 99);
	assert_exception(RUN(w, 0xf3, 0x0f, 0xb8, 0xc1), EXCEPTION(VECTOR_UD)); /* popcnt */
	assert_exception(RUN(w, 0x0f, 0x38, 0xf0, 0x01), EXCEPTION(VECTOR_UD)); /* movbe */
	w->e.features = EMULATE_HAS_ALL;
	assert_ok(RUN(w, 0xf3, 0x0f, 0xbd, 0xc1));
	assert_int_equal(w->gpr[EMULATE_RAX], 32);
}

static void test_software_interrupts(void **state)
{
	(void)state;
	assert_int_equal(RUN(w, 0xcc), EMULATE_EXCEPTION);
	assert_int_equal(w->e.exception.kind, EMULATE_SOFTWARE_EXCEPTION);
	assert_int_equal(w->e.exception.vector, 3);
	assert_int_equal(w->e.exception.length, 1);
	assert_int_equal(RUN(w, 0xf1), EMULATE_EXCEPTION);
	assert_int_equal(w->e.exception.kind, EMULATE_PRIVILEGED_SOFTWARE_EXCEPTION);
	assert_int_equal(RUN(w, 0xcd, 0x80), EMULATE_EXCEPTION);
	assert_int_equal(w->e.exception.kind, EMULATE_SOFTWARE_INTERRUPT);
	assert_exception(RUN(w, 0x0f, 0x0b), EXCEPTION(VECTOR_UD));
	assert_int_equal(w->e.exception.kind, EMULATE_HARDWARE_EXCEPTION);
	assert_exception(RUN(w, 0xce), EXCEPTION(VECTOR_UD)); /* INTO does not exist in 64-bit mode */
}

static void test_unknown(void **state)
{
	static const uint8_t unknown[][4] = {
		/* MONITOR, SWAPGS, RDRAND, SYSCALL, SYSENTER, RDFSBASE, XRSTORS, KMOVW, EVEX-encoded VMOVUPS */
		{ 0x0f, 0x01, 0xc8 },
		{ 0x0f, 0x01, 0xf8 },
		{ 0x0f, 0xc7, 0xf0 },
		{ 0x0f, 0x05 },
		{ 0x0f, 0x34 },
		{ 0xf3, 0x0f, 0xae, 0xc0 },
		{ 0x0f, 0xc7, 0x18 },
		{ 0xc5, 0xf8, 0x90, 0x00 },
		{ 0x62, 0xf1, 0x7c, 0x48 },
	};

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(unknown); n++)
		assert_int_equal(world_step(w, unknown[n], 4), EMULATE_UNKNOWN);
	assert_int_equal(w->e.rip, 0x7c00);
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up_long, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_control_registers),
		T(test_machine_status_word),
		T(test_user_mode),
		T(test_msr_cpuid_tsc),
		T(test_tables),
		T(test_invlpg),
		T(test_absent_callbacks),
		T(test_vector_unit),
		T(test_vex_in_real_mode),
		T(test_features),
		T(test_software_interrupts),
		T(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
