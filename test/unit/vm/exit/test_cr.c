/* MOV to and from control registers, CLTS, LMSW, XSETBV, INVLPG (vm/exit/cr.c). SDM, the instructions' own pages, and
 * "Control Registers". */
#include "test/unit/vm/fixture.h"

#define LONG_CR0 (CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE)

#define TO(n, gpr) ((n) | (gpr) << 8)
#define FROM(n, gpr) ((n) | 1u << 4 | (gpr) << 8)
#define CLTS (2u << 4)
#define LMSW(value) (3u << 4 | (uint32_t)(value) << 16)

static enum bench_at access(uint32_t qualification)
{
	return bench_exit(
		&(struct bench_exit){ .reason = EXIT_CR_ACCESS, .qualification = qualification, .length = 3 });
}

static enum bench_at mov_to(unsigned n, uint64_t value)
{
	vmcs_put(VMCS_GUEST_RIP, BENCH_CODE);
	*bench_gpr(GPR_RAX) = value;
	return access(TO(n, GPR_RAX));
}

static void expect_refused(unsigned n, uint64_t value, int line)
{
	uint64_t cr0 = bench.v->mmu.regs.cr0, cr3 = bench.v->mmu.regs.cr3, cr4 = bench.v->mmu.regs.cr4;

	step_to_entry(mov_to(n, value), line);
	expect_event(EXCEPTION_ERROR(VECTOR_GP), 0, line);
	if (bench.v->mmu.regs.cr0 != cr0 || bench.v->mmu.regs.cr3 != cr3 || bench.v->mmu.regs.cr4 != cr4 ||
	    bench.entry.rip != BENCH_CODE)
		fail_msg("line %d: #GP, and yet something changed", line);
}
#define REFUSED(n, value) expect_refused(n, value, __LINE__)

static void accepted(unsigned n, uint64_t value, int line)
{
	step_to_entry(mov_to(n, value), line);
	expect_event(0, 0, line);
	if (bench.entry.rip != BENCH_CODE + 3)
		fail_msg("line %d: the instruction was not skipped", line);
}
#define ACCEPTED(n, value) accepted(n, value, __LINE__)

static void cr0(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		at_mode(mechanisms[m], BENCH_LONG64, 0);
		REFUSED(0, LONG_CR0 & ~CR0_PE);          /* paging without protection */
		REFUSED(0, LONG_CR0 | CR0_NW);           /* not write-through, with caches on */
		REFUSED(0, LONG_CR0 | BIT(32));
		REFUSED(0, LONG_CR0 & ~CR0_PG);          /* in 64-bit code */
		ACCEPTED(0, LONG_CR0 | CR0_NW | CR0_CD);
		assert_int_equal(bench.v->mmu.regs.cr0 & (CR0_NW | CR0_CD), CR0_NW | CR0_CD);
		assert_int_equal(vmcs_get(VMCS_GUEST_CR0) & (CR0_NW | CR0_CD), 0); /* caching is the host's */
		ACCEPTED(0, LONG_CR0 & ~CR0_NE);         /* shown to the guest, fixed in the CPU */
		assert_int_equal(vmcs_get(VMCS_CR0_SHADOW) & CR0_NE, 0);
		assert_true(vmcs_get(VMCS_GUEST_CR0) & CR0_NE);
		ACCEPTED(0, LONG_CR0 & ~CR0_ET);         /* ET is 1 for ever */
		assert_true(bench.v->mmu.regs.cr0 & CR0_ET);
		finish();
	}
}

/* Outside 64-bit code the operand has 32 bits. */
static void operands(void **state)
{
	(void)state;
	at_mode("ept", BENCH_PAGED32, 0);
	ACCEPTED(0, 0xffffffff00000000 | LONG_CR0);
	finish();
	at_mode("shadow", BENCH_PAGED32, 0);
	vmcs_put(VMCS_GUEST_RSP, BENCH_TABLES);
	STEP(access(TO(3, GPR_RSP)));
	EXPECT_NOTHING();
	assert_int_equal(bench.v->mmu.regs.cr3, BENCH_TABLES);
	STEP(access(FROM(3, GPR_R15)));
	assert_int_equal(*bench_gpr(GPR_R15), BENCH_TABLES);
	STEP(access(FROM(3, GPR_RSP)));
	assert_int_equal(vmcs_get(VMCS_GUEST_RSP), BENCH_TABLES);
	finish();
}

static void clts_and_lmsw(void **state)
{
	(void)state;
	at_mode("shadow", BENCH_LONG64, 0);
	ACCEPTED(0, LONG_CR0 | CR0_TS);
	STEP(access(CLTS));
	EXPECT_NOTHING();
	assert_int_equal(bench.v->mmu.regs.cr0, LONG_CR0);
	STEP(access(LMSW(0xe)));
	EXPECT_NOTHING();
	/* It does not clear PE. */
	assert_int_equal(bench.v->mmu.regs.cr0, LONG_CR0 | 0xe);
	STEP(access(LMSW(0xfff0)));
	assert_int_equal(bench.v->mmu.regs.cr0, LONG_CR0);
	finish();
}

static void real_mode_where_it_cannot_be(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		start_as(BENCH_LYNNFIELD, mechanisms[m]);
		assert_int_equal(mov_to(0, CR0_NE | CR0_ET), BENCH_EMULATED);
		assert_true(bench.v->emulated);
		assert_int_equal(bench.v->mmu.regs.cr0 & CR0_PE, 0);
		finish();
	}
}

static void cr4(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		at_mode(mechanisms[m], BENCH_LONG64, 0);
		REFUSED(4, CR4_PAE | CR4_VMXE); /* not offered */
		REFUSED(4, CR4_PAE | BIT(31));
		REFUSED(4, CR4_PAE | BIT(40));
		REFUSED(4, 0);                           /* PAE in IA-32e mode */
		REFUSED(4, CR4_PAE | CR4_LA57);
		ACCEPTED(4, CR4_PAE | CR4_PGE);
		assert_int_equal(bench.v->mmu.regs.cr4, CR4_PAE | CR4_PGE);
		finish();
	}
	/* PCIDE outside IA-32e mode. */
	at_mode("ept", BENCH_PAE, 0);
	REFUSED(4, CR4_PAE | CR4_PCIDE);
	finish();
}

static void cr3_of_64_bits(void **state)
{
	(void)state;
	at_mode("shadow", BENCH_LONG64, 0);
	REFUSED(3, BIT(40) | BENCH_TABLES);
	REFUSED(3, BIT(63) | BENCH_TABLES);
	ACCEPTED(3, (BENCH_TABLES + 0x5000) | 0x18);
	finish();
}

/* SDM, "PAE Paging": PDPTEs are loaded, and checked, by MOV to CR3. */
static void cr3_under_pae(void **state)
{
	static const uint64_t bad = 0x200021;

	(void)state;
	for (unsigned m = 1; m < ARRAY_SIZE(mechanisms); m++) {
		at_mode(mechanisms[m], BENCH_PAE, 0);
		bench_poke(BENCH_DATA + 0x20 + 16, &bad, 8);
		REFUSED(3, BENCH_DATA + 0x20);
		/* Where no memory is, ones are read. */
		REFUSED(3, 0x80000000);
		ACCEPTED(3, BENCH_TABLES + 0x2000);
		finish();
	}
}

/* Under EPT the CPU reads the PDPT; where it meets no memory there is a violation of the access by MOV to CR3 (bit 7
 * clear). */
static void cr3_under_pae_and_ept(void **state)
{
	(void)state;
	at_mode("ept", BENCH_PAE, 0);
	vmcs_put(VMCS_GUEST_RIP, BENCH_CODE);
	bench_poke(BENCH_CODE, "\x0f\x22\xd8", 3); /* mov cr3, eax */
	*bench_gpr(GPR_RAX) = 0x80000000;
	EXIT(.reason = EXIT_EPT_VIOLATION, .qualification = 0x1, .gpa = 0x80000000);
	EXPECT_GP();
	assert_int_equal(bench.entry.rip, BENCH_CODE);
	assert_int_equal(vmcs_get(VMCS_GUEST_CR3), BENCH_TABLES + 0x2000);
	finish();
}

static void cr8(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	ACCEPTED(8, 15);
	STEP(access(FROM(8, GPR_RBX)));
	assert_int_equal(*bench_gpr(GPR_RBX), 15);
	REFUSED(8, 16);
	REFUSED(8, BIT(32));
	finish();
}

static void long_mode_on_and_off(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		at_mode(mechanisms[m], BENCH_COMPAT, 0);
		assert_true(vmcs_get(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E);
		ACCEPTED(0, LONG_CR0 & ~CR0_PG);
		assert_false(bench.v->mmu.regs.efer & EFER_LMA);
		ACCEPTED(0, LONG_CR0);
		assert_true(bench.v->mmu.regs.efer & EFER_LMA);
		/* Not with 64-bit code before the switch. */
		ACCEPTED(0, LONG_CR0 & ~CR0_PG);
		vmcs_put(VMCS_GUEST_CS_ACCESS, SEGMENT_FLAT_CODE64);
		vmcs_put(VMCS_GUEST_RIP, BENCH_CODE);
		REFUSED(0, LONG_CR0);
		finish();
	}
}

/* SDM, MOV to CR0: IA-32e mode is not entered with a TSS of 16 bits, and not left while CR4.PCIDE is set. */
static void what_long_mode_demands(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		at_mode(mechanisms[m], BENCH_COMPAT, 0);
		ACCEPTED(0, LONG_CR0 & ~CR0_PG);
		vmcs_put(VMCS_GUEST_TR_ACCESS, 0x83);
		REFUSED(0, LONG_CR0);
		assert_false(bench.v->mmu.regs.efer & EFER_LMA);
		vmcs_put(VMCS_GUEST_TR_ACCESS, SEGMENT_TSS_BUSY);
		ACCEPTED(0, LONG_CR0);
		finish();
	}
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .description = "switch off\n" });
	assert_true(bench_mode(BENCH_COMPAT, 0));
	assert_true(bench.vm[0]->cpuid.cr4_offered & CR4_PCIDE);
	STEP(bench_mov_to_cr(4, CR4_PAE | CR4_PCIDE));
	hvm_sync_paging(&bench.v->hvm, &bench.v->mmu);
	REFUSED(0, LONG_CR0 & ~CR0_PG);
	finish();
}

static void try_xsetbv(uint64_t rcx, uint64_t value)
{
	vmcs_put(VMCS_GUEST_RIP, BENCH_CODE);
	*bench_gpr(GPR_RCX) = rcx;
	*bench_gpr(GPR_RAX) = 0xffffffff00000000 | (uint32_t)value;
	*bench_gpr(GPR_RDX) = value >> 32;
	STEP(bench_exit_simple(EXIT_XSETBV, 3));
}

static void xcr0(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	try_xsetbv(0xffffffff00000000, 7);
	EXPECT_NOTHING();
	assert_int_equal(bench.entry.rip, BENCH_CODE + 3);
	assert_int_equal(bench.v->xcr0, 7);
	try_xsetbv(1, 7);
	EXPECT_GP();
	try_xsetbv(0, 6);
	EXPECT_GP();
	try_xsetbv(0, 5);
	EXPECT_GP();
	try_xsetbv(0, 7 | BIT(8));
	EXPECT_GP();
	try_xsetbv(0, 7 | BIT(63));
	EXPECT_GP();
	assert_int_equal(bench.v->xcr0, 7);
	assert_int_equal(bench.entry.rip, BENCH_CODE);
	finish();
}

static void xcr0_of_a_program(void **state)
{
	uint64_t before;

	(void)state;
	at_mode("ept", BENCH_LONG64, 3);
	before = bench.v->xcr0;
	try_xsetbv(0, 7);
	EXPECT_GP();
	assert_int_equal(bench.v->xcr0, before);
	assert_int_equal(bench.entry.rip, BENCH_CODE);
	finish();
}

/* SDM, INVLPG: nothing happens where the address is not canonical. */
static void invlpg(void **state)
{
	static const uint64_t addresses[] = { 0,     BENCH_DATA,	0x800000000000, 0xffff7fffffffffff,
					      ~0ull, 0x123456789abcdef0 };

	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		at_mode(mechanisms[m], BENCH_LONG64, 0);
		for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++) {
			vmcs_put(VMCS_GUEST_RIP, BENCH_CODE);
			EXIT(.reason = EXIT_INVLPG, .length = 3, .qualification = addresses[i]);
			EXPECT_NOTHING();
			assert_int_equal(bench.entry.rip, BENCH_CODE + 3);
		}
		finish();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cr0),
		cmocka_unit_test(operands),
		cmocka_unit_test(clts_and_lmsw),
		cmocka_unit_test(real_mode_where_it_cannot_be),
		cmocka_unit_test(cr4),
		cmocka_unit_test(cr3_of_64_bits),
		cmocka_unit_test(cr3_under_pae),
		cmocka_unit_test(cr3_under_pae_and_ept),
		cmocka_unit_test(cr8),
		cmocka_unit_test(long_mode_on_and_off),
		cmocka_unit_test(what_long_mode_demands),
		cmocka_unit_test(xcr0),
		cmocka_unit_test(xcr0_of_a_program),
		cmocka_unit_test(invlpg),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
