/* IN, OUT, INS and OUTS (vm/exit/io.c), and CPUID (vm/exit/dispatch.c with vm/exit/cpuid.c). */
#include "test/unit/vm/fixture.h"

#define QUALIFICATION(port, size, in, string, rep) \
	((uint64_t)(port) << 16 | ((size) - 1) | (in) << 3 | (string) << 4 | (rep) << 5)
#define PORT_NONE 0x9999

static void in_long_mode(void)
{
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "", .description = "testdev on\n" });
	assert_true(bench_mode(BENCH_LONG64, 0));
}

static void io(uint16_t port, unsigned size, bool in, uint64_t rax)
{
	*bench_gpr(GPR_RAX) = rax;
	EXIT(.reason = EXIT_IO_INSTRUCTION, .qualification = QUALIFICATION(port, size, in, 0, 0), .length = 1);
	EXPECT_NOTHING();
}

static void sizes(void **state)
{
	(void)state;
	in_long_mode();
	io(TESTDEV_LATCH, 4, false, 0xffffffff12345678);
	io(TESTDEV_LATCH, 4, true, ~0ull);
	assert_int_equal(*bench_gpr(GPR_RAX), 0x12345678);
	io(TESTDEV_LATCH, 2, true, 0x1111111111111111);
	assert_int_equal(*bench_gpr(GPR_RAX), 0x1111111111115678);
	io(TESTDEV_LATCH, 1, true, 0x1111111111111111);
	assert_int_equal(*bench_gpr(GPR_RAX), 0x1111111111111178);
	assert_int_equal(bench.entry.rip, BENCH_CODE + 4);
	finish();
}

static void ports_without_a_device(void **state)
{
	(void)state;
	in_long_mode();
	io(PORT_NONE, 1, true, 0);
	assert_int_equal(*bench_gpr(GPR_RAX), 0xff);
	io(PORT_NONE, 4, true, 0);
	assert_int_equal(*bench_gpr(GPR_RAX), 0xffffffff);
	io(0xffff, 4, true, 0); /* the last one: across the end of the space */
	io(PORT_NONE, 4, false, 0);
	finish();
}

static void the_console(void **state)
{
	static const char text[] = "hi\n";

	(void)state;
	in_long_mode();
	for (unsigned i = 0; text[i]; i++)
		io(0x3f8, 1, false, (uint8_t)text[i]);
	assert_string_equal(bench_console(), text);
	/* What is typed reaches the receiver at the guest's next look. */
	bench_type(CONSOLE_GUEST, "x", 1);
	io(0x3fd, 1, true, 0);
	io(0x3f8, 1, true, 0);
	assert_int_equal(*bench_gpr(GPR_RAX) & 0xff, 'x');
	finish();
}

/* A string instruction is emulated from its bytes. */
static void string_instruction(const char *bytes, unsigned n, bool in, unsigned size, bool rep)
{
	vmcs_put(VMCS_GUEST_RIP, BENCH_CODE);
	bench_poke(BENCH_CODE, bytes, n);
	EXIT(.reason = EXIT_IO_INSTRUCTION, .length = n,
	     .qualification = QUALIFICATION(TESTDEV_LATCH, size, in, 1, rep),
	     .gva = BENCH_DATA);
}

static void strings(void **state)
{
	uint32_t value = 0xcafebabe, back[2] = { 0 };

	(void)state;
	in_long_mode();
	*bench_gpr(GPR_RDX) = TESTDEV_LATCH;
	*bench_gpr(GPR_RSI) = BENCH_DATA;
	bench_poke(BENCH_DATA, &value, 4);
	string_instruction("\x6f", 1, false, 4, false); /* outsd */
	EXPECT_NOTHING();
	assert_int_equal(*bench_gpr(GPR_RSI), BENCH_DATA + 4);
	assert_int_equal(bench.entry.rip, BENCH_CODE + 1);
	*bench_gpr(GPR_RDI) = BENCH_DATA + 0x100;
	*bench_gpr(GPR_RCX) = 2;
	for (unsigned n = 0; n < 3 && *bench_gpr(GPR_RCX); n++)
		string_instruction("\xf3\x6d", 2, true, 4, true); /* rep insd */
	assert_int_equal(*bench_gpr(GPR_RCX), 0);
	assert_int_equal(bench.entry.rip, BENCH_CODE + 2);
	bench_peek(BENCH_DATA + 0x100, back, 8);
	assert_int_equal(back[0], value);
	assert_int_equal(back[1], value);
	/* To a page that the guest has not mapped. */
	*bench_gpr(GPR_RDI) = 0x40000000;
	string_instruction("\x6d", 1, true, 4, false);
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_PF), 2);
	assert_int_equal(read_cr2(), 0x40000000);
	assert_int_equal(bench.entry.rip, BENCH_CODE);
	assert_int_equal(*bench_gpr(GPR_RDI), 0x40000000);
	finish();
}

/* Single-step: one trap for each iteration of a repeated instruction (SDM, "Single-Step Exception Condition"). */
static void a_repeated_instruction_under_single_step(void **state)
{
	(void)state;
	in_long_mode();
	*bench_gpr(GPR_RDX) = TESTDEV_LATCH;
	*bench_gpr(GPR_RSI) = BENCH_DATA;
	*bench_gpr(GPR_RCX) = 3;
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_TF);
	string_instruction("\xf3\x6f", 2, false, 4, true);
	assert_int_equal(*bench_gpr(GPR_RCX), 2);
	assert_int_equal(bench.entry.rip, BENCH_CODE);
	assert_int_equal(bench.entry.pending_debug, DR6_BS);
	finish();
}

#define DR7_PORTS(size) (0x20401u | ((size) - 1ul) << 18) /* breakpoint 0: ports */

static void watched(uint16_t port, unsigned size, bool in, uint64_t pending)
{
	vmcs_put(VMCS_GUEST_PENDING_DEBUG, 0);
	io(port, size, in, 0);
	assert_int_equal(bench.entry.pending_debug, pending);
}

/* SDM, "Breakpoint Field Recognition": by the port's number, where CR4.DE is set. */
static void watched_ports(void **state)
{
	(void)state;
	in_long_mode();
	bench.v->saved_dr[0] = TESTDEV_LATCH + 2;
	STEP(bench_mov_to_cr(4, CR4_PAE | CR4_DE));
	watched(TESTDEV_LATCH, 4, false, 0);
	vmcs_put(VMCS_GUEST_DR7, DR7_PORTS(2));
	watched(TESTDEV_LATCH + 2, 1, false, HIT(0));
	watched(TESTDEV_LATCH + 3, 1, true, HIT(0));
	watched(TESTDEV_LATCH, 4, true, HIT(0));
	watched(TESTDEV_LATCH, 2, true, 0);
	watched(TESTDEV_LATCH + 4, 1, true, 0);
	/* Together with a single-step trap; and a repeated instruction stops where it hits. */
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_TF);
	watched(TESTDEV_LATCH + 2, 2, false, HIT(0) | DR6_BS);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	vmcs_put(VMCS_GUEST_PENDING_DEBUG, 0);
	*bench_gpr(GPR_RDX) = TESTDEV_LATCH;
	*bench_gpr(GPR_RSI) = BENCH_DATA;
	*bench_gpr(GPR_RCX) = 3;
	string_instruction("\xf3\x6f", 2, false, 4, true);
	assert_int_equal(*bench_gpr(GPR_RCX), 2);
	assert_int_equal(bench.entry.pending_debug, HIT(0));
	/* Without CR4.DE, and breakpoints of another kind. */
	vmcs_put(VMCS_GUEST_RIP, BENCH_CODE);
	STEP(bench_mov_to_cr(4, CR4_PAE));
	watched(TESTDEV_LATCH + 2, 2, false, 0);
	STEP(bench_mov_to_cr(4, CR4_PAE | CR4_DE));
	vmcs_put(VMCS_GUEST_DR7, 0xf0401);
	watched(TESTDEV_LATCH + 2, 2, false, 0);
	finish();
}

static void ways_to_end(uint16_t port, unsigned size, uint64_t value, int status, const char *text)
{
	in_long_mode();
	*bench_gpr(GPR_RAX) = value;
	EXPECT_END(bench_exit(&(struct bench_exit){ .reason = EXIT_IO_INSTRUCTION, .length = 1,
						    .qualification = QUALIFICATION(port, size, 0, 0, 0) }), text);
	assert_int_equal(bench.vm[0]->status, status);
	bench_delete();
}

static void ports_that_end_it(void **state)
{
	(void)state;
	ways_to_end(0xf4, 4, 5, 11, "debug exit");
	ways_to_end(0xcf9, 1, 6, 0, "reset");
	ways_to_end(0x64, 1, 0xfe, 0, "reset");
}

/* ---- CPUID ---- */

static void cpuid_of(uint64_t leaf, uint64_t subleaf)
{
	*bench_gpr(GPR_RAX) = leaf;
	*bench_gpr(GPR_RCX) = subleaf;
	STEP(bench_exit_simple(EXIT_CPUID, 2));
	EXPECT_NOTHING();
	assert_int_equal(*bench_gpr(GPR_RAX) >> 32 | *bench_gpr(GPR_RBX) >> 32 | *bench_gpr(GPR_RCX) >> 32 |
				 *bench_gpr(GPR_RDX) >> 32,
			 0);
}

static void cpuid_leaves(void **state)
{
	uint64_t highest[4];

	(void)state;
	in_long_mode();
	cpuid_of(0xffffffff00000000, 0xffffffff00000000);
	assert_int_equal(*bench_gpr(GPR_RBX), 0x756e6547);
	/* Above the highest basic leaf: its answer. */
	cpuid_of(*bench_gpr(GPR_RAX), 0);
	memcpy(highest, bench.v->hvm.gpr, sizeof(highest));
	cpuid_of(0x3fffffff, 0);
	assert_memory_equal(highest, bench.v->hvm.gpr, sizeof(highest));
	cpuid_of(CPUID_LEAF_HYPERVISOR, 0);
	assert_int_equal(*bench_gpr(GPR_RBX), 0x6c6c6556);
	cpuid_of(CPUID_LEAF_ADDRESS_SIZES, 0);
	assert_int_equal(*bench_gpr(GPR_RAX) & 0xff, 40);
	finish();
}

/* Bits that mirror registers of the CPU. */
static void cpuid_mirrors(void **state)
{
	(void)state;
	in_long_mode();
	cpuid_of(CPUID_LEAF_VERSION, 0);
	assert_true(*bench_gpr(GPR_RCX) & CPUID_1_ECX_XSAVE);
	assert_false(*bench_gpr(GPR_RCX) & CPUID_1_ECX_OSXSAVE);
	assert_false(*bench_gpr(GPR_RCX) & (CPUID_1_ECX_VMX | CPUID_1_ECX_MONITOR));
	assert_true(*bench_gpr(GPR_RDX) & CPUID_1_EDX_APIC);
	STEP(bench_mov_to_cr(4, CR4_PAE | CR4_OSXSAVE));
	cpuid_of(CPUID_LEAF_VERSION, 0);
	assert_true(*bench_gpr(GPR_RCX) & CPUID_1_ECX_OSXSAVE);
	STEP(bench_wrmsr(MSR_APIC_BASE, LAPIC_DEFAULT_BASE));
	cpuid_of(CPUID_LEAF_VERSION, 0);
	assert_false(*bench_gpr(GPR_RDX) & CPUID_1_EDX_APIC);
	/* The size of the XSAVE area follows XCR0. */
	cpuid_of(CPUID_LEAF_XSTATE, 0);
	assert_int_equal(*bench_gpr(GPR_RBX), 576);
	assert_int_equal(*bench_gpr(GPR_RCX), 832);
	*bench_gpr(GPR_RCX) = *bench_gpr(GPR_RDX) = 0;
	*bench_gpr(GPR_RAX) = 7;
	STEP(bench_exit_simple(EXIT_XSETBV, 3));
	cpuid_of(CPUID_LEAF_XSTATE, 0);
	assert_int_equal(*bench_gpr(GPR_RBX), 832);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(ports_without_a_device),
		cmocka_unit_test(the_console),
		cmocka_unit_test(strings),
		cmocka_unit_test(a_repeated_instruction_under_single_step),
		cmocka_unit_test(watched_ports),
		cmocka_unit_test(ports_that_end_it),
		cmocka_unit_test(cpuid_leaves),
		cmocka_unit_test(cpuid_mirrors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
