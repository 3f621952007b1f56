/* A virtual machine at its start (vm/create.c): its memory, its clock, what it may set. */
#include "test/unit/vm/fixture.h"

#include "host/memory/frames.h"
#include "lib/multiboot.h"
#include "lib/vga.h"

static const uint8_t *ram(uint64_t gpa) { return mmu_guest_ptr(&bench.v->vm->mmu, GPA(gpa), 1, false); }

/* Whatever was in the host's memory before is not the guest's to read. */
static void memory_is_clear(void **state)
{
	hfn_t f;
	struct vm *vm;

	(void)state;
	start();
	f = frames_alloc_run(2048, 1);
	memset(frames_ptr(f), 0xa5, 2048 * PAGE_SIZE);
	frames_free(f, 2048);
	vm = bench_create(&(struct bench_config){ .mmu = "ept" });
	assert_false(vm->ended);
	for (uint64_t gpa = 0x200000; gpa < BENCH_RAM; gpa += PAGE_SIZE) {
		const uint64_t *p = mmu_guest_ptr(&vm->mmu, GPA(gpa), PAGE_SIZE, false);

		assert_non_null(p);
		for (unsigned n = 0; n < PAGE_SIZE / 8; n++)
			assert_int_equal(p[n], 0);
	}
	finish();
}

static void what_is_loaded(void **state)
{
	struct vm *vm;

	(void)state;
	start();
	assert_int_equal(bench.entry.rip, 0x100010);
	assert_int_equal(*ram(0x100010), 0x90);
	assert_int_equal(*bench_gpr(GPR_RAX), MULTIBOOT_BOOT_MAGIC);
	assert_memory_equal(ram(0xf0000), "_MP_", 4);
	/* The BIOS data area, and interrupt vectors that lead to an IRET. */
	assert_memory_equal(ram(0x400), "\xf8\x03", 2);
	assert_memory_equal(ram(0x40e), "\xc0\x9f", 2);
	assert_memory_equal(ram(0x413), "\x7f\x02", 2);
	/* A text screen of colour in mode 3, empty, its cursor at the beginning. */
	assert_memory_equal(ram(0x410), "\x22\x02", 2);
	assert_memory_equal(ram(0x449), "\3\x50\0\0\x10\0\0", 7);
	for (unsigned n = 0x450; n < 0x460; n++)
		assert_int_equal(*ram(n), 0);
	assert_memory_equal(ram(0x460), "\7\6\0\xd4\3", 5);
	assert_memory_equal(ram(0x484), "\x18\x10\0", 3);
	for (unsigned n = 0; n < 80 * 25; n++)
		assert_memory_equal(ram(0xb8000 + 2 * n), " \7", 2);
	assert_int_equal(*ram(0xb8000 + 2 * 80 * 25), 0);
	out_sized(VGA_CRTC, 2, 0x5a00 | VGA_CRTC_CURSOR_LOW);
	assert_int_equal(pio_in(&bench.v->vm->pio, VGA_CRTC + 1, 1), 0x5a);
	for (unsigned n = 0; n < 256; n++)
		assert_memory_equal(ram(4 * n), "\x53\xff\x00\xf0", 4);
	assert_int_equal(*ram(0xfff53), 0xcf);
	vm = bench_create(&(struct bench_config){ .mmu = "ept", .description = "initrd nowhere\n" });
	assert_true(vm->ended);
	assert_int_equal(vm->status, VM_STATUS_BAD_IMAGE);
	assert_non_null(strstr(vm->end_text, "nowhere"));
	vm = bench_create(&(struct bench_config){ .mmu = "ept", .description = "module kernel x\nmodule lost y\n" });
	assert_true(vm->ended);
	assert_int_equal(vm->status, VM_STATUS_BAD_IMAGE);
	assert_string_equal(vm->end_text, "its module, lost, is not on the boot image");
	finish();
}

/* The guest's TSC begins with its virtual machine. */
static void the_tsc_begins_at_0(void **state)
{
	(void)state;
	start();
	assert_in_range(soft.tsc + vmcs_get(VMCS_TSC_OFFSET), 0, 100000);
	finish();
}

/* What CPUID does not offer is reserved. */
static void bits_that_are_not_offered(void **state)
{
	static const unsigned bits[] = { 11, 12, 13, 14, 15, 17, 19, 22, 23, 31 };

	(void)state;
	for (unsigned m = 0; m < 2; m++) {
		start_as(BENCH_HASWELL, mechanisms[m]);
		assert_true(bench_mode(BENCH_PAE, 0));
		for (unsigned n = 0; n < ARRAY_SIZE(bits); n++) {
			STEP(bench_mov_to_cr(4, CR4_PAE | BIT(bits[n])));
			EXPECT_GP();
		}
		STEP(bench_wrmsr(MSR_EFER, EFER_SVME));
		EXPECT_GP();
		STEP(bench_wrmsr(MSR_EFER, EFER_FFXSR));
		EXPECT_GP();
		STEP(bench_wrmsr(MSR_EFER, EFER_NXE));
		EXPECT_NOTHING();
		finish();
	}
}

static struct cpuid no_nx(uint32_t leaf, uint32_t subleaf, struct cpuid c)
{
	(void)subleaf;
	if (leaf == CPUID_LEAF_EXTENDED_FEATURES)
		c.edx &= ~(uint32_t)CPUID_80000001_EDX_NX;
	return c;
}

static void a_cpu_without_nx(void **state)
{
	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .cpuid = no_nx });
	STEP(bench_wrmsr(MSR_EFER, EFER_LME));
	EXPECT_NOTHING();
	STEP(bench_wrmsr(MSR_EFER, EFER_LME | EFER_NXE));
	EXPECT_GP();
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_clear),     cmocka_unit_test(what_is_loaded),
		cmocka_unit_test(the_tsc_begins_at_0), cmocka_unit_test(bits_that_are_not_offered),
		cmocka_unit_test(a_cpu_without_nx),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
