/* Instructions that access the display's planes, by which the guest exits (vm/exit/planes.c, DC2 in vm/exit/decoded.h):
 * the first is decoded, the next are known. */
#include "test/unit/vm/tpr/lapic.h"

#include "test/unit/vm/exit/planes.h"
#include "mmu/inside.h"

#define PT32 (BENCH_TABLES + 0x1000)
#define ALIAS 0x300000u /* a linear address, and the page of its own that is there else */
#define STORE_CL "\x88\x0b"     /* mov [ebx], cl */
#define LOAD_DL "\x8a\x13"      /* mov dl, [ebx] */
#define RESERVED (PFERR_P | PFERR_RSVD)

static struct vm *vm;
static uint32_t *memory;

/* It begins in real mode, which the CPU runs by itself under one mechanism only. */
static void start_planes(const char *mmu, enum bench_mode mode, unsigned cpl)
{
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .firmware = true,
					  .tpr = "trap", .description = "vga vgabios\n" });
	check_entry(0);
	STEP(bench_mov_to_cr(0, CR0_PE | CR0_NE | CR0_ET));
	assert_true(bench_mode(BENCH_PROT32, 0));
	vm = bench.vm[0];
	assert_null(vm_switch(vm, mmu_mechanism_by_name(mmu)));
	again();
	assert_true(bench_mode(mode, cpl));
	memory = vm->video->memory;
	planes_on();
}

static bool nested(void) { return bench.v->mmu.intercepts.ept; }

/* The instruction at BENCH_CODE has been stopped at gva, which is gpa; known: as when the heart has seen the page. */
static void stopped(uint64_t gva, uint64_t gpa, bool write, bool known)
{
	uint32_t error = (write ? PFERR_W : 0u) | (known ? RESERVED : 0u) | (bench.v->mmu.regs.cpl ? PFERR_U : 0u);

	if (nested() && known)
		STEP(misconfig(gpa));
	else if (nested())
		STEP(bench_exit(&(struct bench_exit){ .reason = EXIT_EPT_VIOLATION, .gpa = gpa, .gva = gva,
						      .qualification = write ? WRITE_KNOWN : READ_KNOWN }));
	else
		STEP(page_fault(error, gva));
}

static void store(uint64_t gva, uint64_t gpa, uint8_t value, bool known)
{
	CODE(STORE_CL);
	*bench_gpr(GPR_RBX) = gva;
	*bench_gpr(GPR_RCX) = 0x1100 | value;
	vmcs_put(VMCS_GUEST_RFLAGS, vmcs_get(VMCS_GUEST_RFLAGS) | RFLAGS_RF);
	stopped(gva, gpa, true, known);
}

static void load(uint64_t gva, uint64_t gpa, bool known)
{
	CODE(LOAD_DL);
	*bench_gpr(GPR_RBX) = gva;
	*bench_gpr(GPR_RDX) = 0x8765432112345600;
	stopped(gva, gpa, false, known);
}

static void done(unsigned length)
{
	EXPECT_NOTHING();
	assert_int_equal(bench.entry.rip, BENCH_CODE + length);
	assert_false(bench.entry.rflags & RFLAGS_RF);
}

static void bytes_in(const char *mmu, enum bench_mode mode)
{
	uint64_t exits;

	start_planes(mmu, mode, 0);
	exits = mmu_counters(&vm->mmu).outcome_emulate;
	for (unsigned n = 0; n < 5; n++) {
		store(VGA_APERTURE + n, VGA_APERTURE + n, (uint8_t)(0x31 + n), n);
		done(2);
		assert_int_equal(memory[n], (0x31 + n) * 0x01010101u);
		load(VGA_APERTURE + n, VGA_APERTURE + n, true);
		done(2);
		assert_int_equal(*bench_gpr(GPR_RDX), 0x8765432112345631 + n);
	}
	assert_int_equal(mmu_counters(&vm->mmu).outcome_emulate - exits, 10);
	finish();
}

static void bytes_moved(void **state)
{
	static const enum bench_mode modes[] = { BENCH_PROT32, BENCH_PAGED32 };

	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++)
		for (unsigned n = 0; n < ARRAY_SIZE(modes); n++)
			bytes_in(mechanisms[m], modes[n]);
}

/* What else has one operand there; what memory is pushed is the emulator's. */
static void other_instructions(void **state)
{
	static const struct {
		const char *code;
		uint8_t length;
		uint32_t ecx, planes; /* of the first two bytes, 0x11 in all; in front of it ECX is 0x2244 */
	} others[] = {
		{ "\x00\x0b", 2, 0x2244, 0x55 },             /* add [ebx], cl */
		{ "\x8a\x0b", 2, 0x2211, 0x11 },             /* mov cl, [ebx] */
		{ "\x88\x2b", 2, 0x2244, 0x22 },             /* mov [ebx], ch */
		{ "\x66\x89\x0b", 3, 0x2244, 0x2244 },       /* mov [ebx], cx */
		{ "\xc6\x03\x77", 3, 0x2244, 0x77 },         /* mov byte [ebx], 0x77 */
		{ "\x86\x0b", 2, 0x2211, 0x44 },             /* xchg [ebx], cl */
		{ "\x0f\xb6\x0b", 3, 0x11, 0x11 },           /* movzx ecx, byte [ebx] */
		{ "\xff\x33", 2, 0x2244, 0x11 },             /* push dword [ebx] */
	};

	(void)state;
	start_planes("ept", BENCH_PAGED32, 0);
	store(VGA_APERTURE, VGA_APERTURE, 0x11, false);
	for (unsigned n = 0; n < 3 * ARRAY_SIZE(others); n++) {
		memory[0] = 0x11111111;
		memory[1] = 0;
		*bench_gpr(GPR_RCX) = 0x2244;
		vmcs_put(VMCS_GUEST_RSP, BENCH_STACK);
		code(others[n / 3].code, others[n / 3].length);
		STEP(misconfig(VGA_APERTURE));
		done(others[n / 3].length);
		assert_int_equal(*bench_gpr(GPR_RCX), others[n / 3].ecx);
		assert_int_equal(vmcs_get(VMCS_GUEST_RSP), BENCH_STACK - (others[n / 3].code[0] == '\xff' ? 4 : 0));
		assert_int_equal((memory[0] & 0xff) | (memory[1] & 0xff) << 8, others[n / 3].planes);
	}
	assert_int_equal(stacked(4), 0x00000011);
	finish();
}

/* ---- what is looked at each time ---- */

static void map(uint32_t linear, uint32_t entry) { bench_poke(PT32 + (linear >> PAGE_SHIFT) * 4, &entry, 4); }

/* One instruction, decoded and known at the alias of the planes' first page. */
static void known_at_the_alias(const char *mmu, unsigned cpl)
{
	start_planes(mmu, BENCH_PAGED32, cpl);
	map(ALIAS, VGA_APERTURE | 0x67);
	map(ALIAS + PAGE_SIZE, (VGA_APERTURE + PAGE_SIZE) | 0x67);
	for (unsigned n = 0; n < 3; n++) {
		store(ALIAS, VGA_APERTURE, (uint8_t)(0x10 + n), n);
		done(2);
	}
	assert_int_equal(memory[0], 0x12121212);
}

/* The same instruction in another page: it goes there. */
static void another_page(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		known_at_the_alias(mechanisms[m], 0);
		store(ALIAS + PAGE_SIZE, VGA_APERTURE + PAGE_SIZE, 0x55, true);
		done(2);
		assert_int_equal(memory[0], 0x12121212);
		assert_int_equal(memory[PAGE_SIZE], 0x55555555);
		finish();
	}
}

/* The page is elsewhere now: it was something else that the exit met. */
static void another_entry(void **state)
{
	uint8_t found;

	(void)state;
	known_at_the_alias("ept", 0);
	map(ALIAS, ALIAS | 0x67);
	store(ALIAS, VGA_APERTURE, 0x55, true);
	assert_int_equal(memory[0], 0x12121212);
	bench_peek(ALIAS, &found, 1);
	assert_int_equal(found, 0x55);
	finish();
}

/* A program's page has become the kernel's, and it is somebody else's walk that is remembered of it. */
static void another_walk(void **state)
{
	const struct access access = { .write = true, .implicit = true };
	uint32_t error;
	gpa_t gpa;

	(void)state;
	known_at_the_alias("shadow", 3);
	map(ALIAS, VGA_APERTURE | 0x63);
	mmu_invlpg(&bench.v->mmu, GVA(ALIAS));
	assert_true(mmu_translate(&bench.v->mmu, GVA(ALIAS), access, 0, &gpa, &error));
	store(ALIAS, VGA_APERTURE, 0x55, true);
	assert_int_equal(bench.entry.event & (EVENT_VALID | EVENT_VECTOR), EVENT_VALID | VECTOR_PF);
	assert_int_equal(memory[0], 0x12121212);
	finish();
}

/* Where the operand does not lead to the planes, it was not the instruction's access. */
static void not_its_operand(void **state)
{
	uint8_t found;

	(void)state;
	known_at_the_alias("ept", 0);
	for (unsigned n = 0; n < 3; n++) {
		store(BENCH_DATA, VGA_APERTURE, 0x44, true);
		bench_peek(BENCH_DATA, &found, 1);
		assert_int_equal(found, 0x44);
		assert_int_equal(memory[0], 0x12121212);
	}
	finish();
	known_at_the_alias("shadow", 0);
	CODE(STORE_CL);
	*bench_gpr(GPR_RBX) = ALIAS;
	*bench_gpr(GPR_RCX) = 0x44;
	STEP(page_fault(RESERVED | PFERR_W, BENCH_DATA)); /* which the guest's own tables did not mean */
	assert_int_equal(memory[0], 0x12121212);
	finish();
}

/* The delivery of an event came there: it is not lost, and the instruction not executed. */
static void of_an_event(void **state)
{
	(void)state;
	for (unsigned m = 0; m < 2; m++) {
		known_at_the_alias(mechanisms[m], 0);
		CODE(STORE_CL);
		*bench_gpr(GPR_RCX) = 0x44;
		if (nested())
			EXIT(.reason = EXIT_EPT_MISCONFIG, .gpa = VGA_APERTURE, .vectoring = EXTERNAL(0x51));
		else
			EXIT(PAGE_FAULT_EXIT, .error = RESERVED | PFERR_W, .qualification = ALIAS,
			     .vectoring = EXTERNAL(0x51));
		assert_true(bench.entry.event & EVENT_VALID || bench.entry.rip != BENCH_CODE + 2);
		assert_int_equal(memory[0], 0x12121212);
		finish();
	}
}

/* A local APIC over the planes is in front of them. */
static void behind_a_local_apic(void **state)
{
	(void)state;
	known_at_the_alias("ept", 0);
	STEP(bench_wrmsr(MSR_APIC_BASE, VGA_APERTURE | APIC_BASE_EN | APIC_BASE_BSP));
	for (unsigned n = 0; n < 3; n++)
		store(ALIAS + TPR, VGA_APERTURE + TPR, (uint8_t)(0x20 + n), n);
	assert_int_equal(memory[TPR], 0);
	assert_int_equal(lapic_tpr(&bench.v->lapic), 0x22);
	finish();
}

/* While chain-4 with all planes makes the aperture the guest's own memory, nothing of it is trapped. */
static void memory_of_its_own(void **state)
{
	uint8_t found;

	(void)state;
	known_at_the_alias("ept", 0);
	indexed(VGA_SEQUENCER, VGA_SEQ_MEMORY, 0x0e);
	store(ALIAS, VGA_APERTURE, 0x66, true); /* a leaf of before */
	bench_peek(VGA_APERTURE, &found, 1);
	assert_int_equal(found, memory[0] & 0xff);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_moved), cmocka_unit_test(other_instructions),
		cmocka_unit_test(another_page), cmocka_unit_test(another_entry),
		cmocka_unit_test(another_walk), cmocka_unit_test(not_its_operand),
		cmocka_unit_test(of_an_event), cmocka_unit_test(behind_a_local_apic),
		cmocka_unit_test(memory_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
