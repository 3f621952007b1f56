/* Snapshots of virtual machines that start at a firmware, with a display (vm/snapshot/firmware.c): memory that is not
 * always where it lies, what is written to it meanwhile, devices; and what is refused. */
#include "test/unit/vm/snapshot/taken.h"

#include "dev/video/vga_state.h"
#include "lib/ports.h"
#include "lib/vga.h"
#include "vm/snapshot/firmware.h"

#define AREA_C 0xc0000u
#define AREA_F 0xf0000u
#define LFB 0xe0000000u

static struct bench_config pc(const char *mmu)
{
	return (struct bench_config){ .mmu = mmu, .firmware = true, .description = "vga vgabios\n" };
}

static void config(unsigned slot, unsigned reg, unsigned size, uint32_t value)
{
	out_sized(PCI_ADDRESS, 4, PCI_ADDRESS_ENABLE | slot << 11 | (reg & 0xfc));
	out_sized((uint16_t)(PCI_DATA + (reg & 3)), size, value);
}

static void set_pam(unsigned n, uint8_t value) { config(0, 0x59 + n, 1, value); }

static void dispi(uint16_t reg, uint16_t value)
{
	out_sized(DISPI_INDEX, 2, reg);
	out_sized(DISPI_DATA, 2, value);
}

static void linear(void)
{
	config(2, PCI_BAR, 4, LFB);
	config(2, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	dispi(DISPI_XRES, 640);
	dispi(DISPI_YRES, 480);
	dispi(DISPI_BPP, 32);
	dispi(DISPI_ENABLE, DISPI_ENABLED | DISPI_LFB);
}

static bool own(uint64_t gpa)
{
	uint8_t byte;

	return mmu_guest_read(&bench.vm[0]->mmu, GPA(gpa), &byte, 1) == 1;
}

static bool sound(void)
{
	char why[200];

	return mmu_audit(&bench.vm[0]->mmu, why, sizeof(why));
}

/* Something in every place that a snapshot must know of. */
static void use(void)
{
	bench_poke(BENCH_DATA, "in its RAM", 11);
	set_pam(0, 0x30);
	poke(AREA_F + 5, 0x12);
	set_pam(1, 0x33);
	poke(AREA_C + 6, 0x34);
	poke(AREA_C + PAM_SIZE, 0x35);
	set_pam(1, 0x20); /* there are nothing, and RAM that is written only */
	linear();
	poke(LFB + 0x23456, 0x78);
	out_sized(0x02, 1, 0x9a); /* DMA's address of channel 1, its lower byte */
	out_sized(0x64, 1, 0xd2); /* as if a key had said that */
	out_sized(0x60, 1, 0xbc);
	out_sized(0x402, 1, 'a');
	config(1, PIIX_PIRQ + 2, 1, 9);
}

static void is_there(void)
{
	struct vm *vm = bench.vm[0];
	char text[12] = "";

	bench_peek(BENCH_DATA, text, 11);
	assert_string_equal(text, "in its RAM");
	assert_int_equal(peek(AREA_F), 0);
	assert_int_equal(peek(AREA_F + 5), 0x12);
	assert_int_equal(peek(AREA_C + 6), 0xff);
	assert_int_equal(peek(0xfffffff0), 0xea); /* the ROM, where it always is */
	assert_true(own(LFB) && own(LFB + VIDEO_BYTES - 1) && !own(VGA_APERTURE));
	assert_int_equal(peek(LFB + 0x23456), 0x78);
	assert_int_equal(vm->dma8237.chip[0].base[2] & 0xff, 0x9a);
	assert_true(vm->i8042.answered);
	assert_int_equal(vm->i8042.answer, 0xbc);
	assert_int_equal(vm->firmware.line_used, 1);
	assert_int_equal(vm->firmware.line[0], 'a');
	assert_int_equal(vm->pci.pirq[2], 9);
	assert_true(sound());
}

/* What only shows when the guest asks for it. */
static void is_behind(void)
{
	set_pam(1, 0x33);
	assert_int_equal(peek(AREA_C + 6), 0x34);
	assert_int_equal(peek(AREA_C + PAM_SIZE), 0x35);
	dispi(DISPI_ENABLE, 0);
	assert_false(own(LFB));
	assert_true(sound());
}

static void under_every_mechanism(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		bench_new(&(struct bench_config){ .mmu = "ept", .firmware = true, .description = "vga vgabios\n" });
		use();
		take();
		finish();
		if (!n)
			assert_string_equal(refusal(pc(mechanisms[n])), "");
		restore_as(pc(mechanisms[n]));
		assert_string_equal(bench.vm[0]->mmu.ops->name, mechanisms[n]);
		is_there();
		if (bench.at == BENCH_ENTRY)
			is_behind();
		finish();
	}
}

/* Real mode, by virtual-8086 mode and by the emulator, with segments that no selector stands for. */
static void in_real_mode(void **state)
{
	static const enum bench_cpu cpus[] = { BENCH_HASWELL, BENCH_LYNNFIELD, BENCH_PENRYN };
	struct segment_state big = { 0, 0xffffffff, SEGMENT_G | 0x93, 0x1000 };
	uint64_t rip;
	uint32_t limit;

	(void)state;
	for (unsigned n = 0; n < 4; n++) {
		struct bench_config to = pc("shadow");

		bench_new(&(struct bench_config){ .cpu = BENCH_PENRYN, .mmu = "shadow", .firmware = true, .vm86 = n & 1,
						  .description = "vga vgabios\n" });
		if (bench.at == BENCH_EMULATED) /* virtual-8086 mode has no such */
			hvm_set_segment(&bench.v->hvm, SEG_DS, &big);
		limit = hvm_segment(&bench.v->hvm, SEG_DS).limit;
		take();
		rip = hvm_rip(&bench.v->hvm);
		finish();
		to.cpu = cpus[n % ARRAY_SIZE(cpus)];
		to.vm86 = n & 2;
		restore_as(to);
		assert_int_equal(hvm_segment(&bench.v->hvm, SEG_DS).limit, limit);
		assert_int_equal(bench.v->mmu.regs.cr0 & CR0_PE, 0);
		assert_true(hvm_rip(&bench.v->hvm) >= rip);
		finish();
	}
}

static unsigned in_list(unsigned range, uint64_t page)
{
	const struct save_range *r = &bench.vm[0]->save.range[range];

	return r->pending[page / 64] >> page % 64 & 1;
}

/* SN1 and SN5: of the display what was written since leaves again; the areas, when all stands. */
static void what_is_written_since(void **state)
{
	struct vm *vm;

	(void)state;
	bench_new(&(struct bench_config){ .mmu = "ept", .firmware = true, .description = "vga vgabios\ndirty wp\n" });
	vm = bench.vm[0];
	use();
	memset(taken.ram, 0, sizeof(taken.ram));
	memset(taken.display, 0, sizeof(taken.display));
	ask_and_hear("1 save 0 begin\n", "\"pages\":1024,\"high_pages\":0,\"display_pages\":4096,");
	for (uint64_t n = PAM_HOLE >> PAGE_SHIFT; n < PAM_BASE >> PAGE_SHIFT; n++)
		assert_false(in_list(0, n));
	assert_true(in_list(0, AREA_F >> PAGE_SHIFT) && in_list(2, 0));
	take_pages();
	save_collect(vm);
	assert_false(in_list(2, 0x23) || in_list(0, AREA_F >> PAGE_SHIFT));
	/* By the guest in its own memory, as the log tells; and by the device. */
	EXIT(.reason = EXIT_EPT_VIOLATION, .qualification = WRITE_KNOWN, .gpa = LFB + 0x24000, .gva = LFB + 0x24000);
	poke(LFB + 0x24000, 0x79);
	vm->video->stdvga.vga.touched[0x31] = 1;
	((uint8_t *)vm->video->memory)[0x31000] = 0x7a;
	save_collect(vm);
	assert_true(in_list(2, 0x24) && in_list(2, 0x31));
	assert_false(in_list(2, 0x23));
	take_pages();
	poke(AREA_F + 7, 0x13);
	set_pam(0, 0);
	take();
	finish();
	restore_as(pc("ept"));
	assert_int_equal(peek(AREA_F + 7), 0x30); /* the ROM's */
	set_pam(0, 0x30);
	assert_int_equal(peek(AREA_F + 5), 0x12);
	assert_int_equal(peek(AREA_F + 7), 0x13);
	assert_int_equal(peek(LFB + 0x24000), 0x79);
	assert_int_equal(peek(LFB + 0x31000), 0x7a);
	finish();
}

/* ---- what is not believed ---- */

static void begin_pc(void)
{
	struct bench_config c = pc("ept");

	bench_new(&c);
	use();
}

#define BAD(statement, what) \
	do { \
		begin_pc(); \
		take(); \
		statement; \
		take_state(); \
		finish(); \
		expect(what, pc("ept")); \
	} while (0)

static void state_that_cannot_be(void **state)
{
	(void)state;
	BAD(bench.vm[0]->pci.pirq[1] = 5, "section firmware, an interrupt goes where no register says");
	BAD(bench.vm[0]->firmware.line_used = 99, "its log has a line that is too long");
	BAD(bench.vm[0]->firmware.line[0] = '\n', "its log has what is no character");
	BAD(bench.vm[0]->video->stdvga.vga.dispi[DISPI_XRES] = 9999, "section display, the display interface has a");
	BAD(((char *)(uintptr_t)firmware_rom(bench.vm[0]))[7]++, "its firmware is another: give --bios as it began");
	BAD(bench.vm[0]->video->stdvga.rom_bytes--, "its display's BIOS is another: give --vga");
	BAD(bench.vm[0]->fw_cfg.item[3].size = 1, "its firmware reads another kernel, or initrd");
	BAD(taken.ram[PAM_HOLE] = 1, "memory where it has no RAM");
	/* A machine without a display has none of its memory. */
	begin_pc();
	take();
	finish();
	expect("memory where it has no RAM", (struct bench_config){ .mmu = "ept", .firmware = true });
	/* Nor is one without a firmware such a machine. */
	memset(taken.display, 0, sizeof(taken.display));
	expect("cannot be restored: in its snapshot", plainly);
}

/* The pages that are no RAM, by their addresses. */
static void where_memory_is(void **state)
{
	struct vm *vm;

	(void)state;
	begin_pc();
	vm = bench.vm[0];
	assert_true(save_is_memory(vm, 0x9f) && !save_is_memory(vm, 0xa0) && !save_is_memory(vm, 0xbf) &&
		    save_is_memory(vm, 0xc0));
	assert_true(save_is_memory(vm, SNAPSHOT_DISPLAY_GFN) && save_is_memory(vm, SNAPSHOT_DISPLAY_GFN + 4095));
	assert_false(save_is_memory(vm, SNAPSHOT_DISPLAY_GFN + 4096) || save_is_memory(vm, BENCH_RAM / PAGE_SIZE));
	assert_false(save_is_memory(vm, ~0ull >> PAGE_SHIFT));
	assert_null(save_own_page(vm, GFN(0x9f)));
	assert_ptr_equal(save_own_page(vm, GFN(0xff)), firmware_behind(vm, 0xff000));
	assert_null(save_own_page(vm, GFN(0x100)));
	finish();
	bench_new(&plainly);
	assert_true(save_is_memory(bench.vm[0], 0xa0));
	assert_null(save_own_page(bench.vm[0], GFN(0xc0)));
	assert_int_equal(save_display_bytes(bench.vm[0]), 0);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(under_every_mechanism), cmocka_unit_test(in_real_mode),
		cmocka_unit_test(what_is_written_since), cmocka_unit_test(state_that_cannot_be),
		cmocka_unit_test(where_memory_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
