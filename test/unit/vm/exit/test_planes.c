/* Accesses to the display's planes by repeated strings, many at once (vm/exit/planes.c). */
#include "test/unit/vm/fixture.h"

#include "test/unit/vm/exit/planes.h"
#include "vm/exit/emulation.h"

static struct vm *vm;
static struct emulate *e;
static uint32_t *memory;

/* Paging is off: linear addresses are the guest's physical ones. */
static void start_planes(void)
{
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .firmware = true,
					  .description = "vga vgabios\n" });
	check_entry(0);
	vm = bench.vm[0];
	memory = vm->video->memory;
	planes_on();
	e = &bench.v->emulate;
	e->opaque = bench.v;
	e->cpl = 0;
	bench.v->breakpoints = 0;
}

static void fills(void **state)
{
	(void)state;
	start_planes();
	indexed(VGA_SEQUENCER, VGA_SEQ_MAP_MASK, 0x05);
	memset(vm->video->stdvga.vga.touched, 0, VGA_PAGES);
	assert_int_equal(emulation_fill(e, VGA_APERTURE + 0x3f0, 0x81, 1, 80), 80);
	assert_int_equal(memory[0x3ef], 0);
	assert_int_equal(memory[0x3f0], 0x00810081);
	assert_int_equal(memory[0x3f0 + 79], 0x00810081);
	assert_int_equal(memory[0x3f0 + 80], 0);
	assert_true(vm->video->stdvga.vga.touched[0] && vm->video->stdvga.vga.touched[1]);
	assert_int_equal(emulation_fill(e, VGA_APERTURE, 0x1122, 2, 2), 2);
	assert_int_equal(memory[0], 0x00220022);
	assert_int_equal(memory[3], 0x00110011);
	assert_int_equal(emulation_fill(e, 0x1000, 0x81, 1, 80), 0); /* memory */
	assert_int_equal(emulation_fill(e, VGA_APERTURE + VGA_APERTURE_SIZE - 8, 0, 1, 80), 0);
	assert_int_equal(emulation_fill(e, VGA_APERTURE + 0xfff0, 0x33, 1, 0x20), 0x20); /* the window ends there */
	assert_int_equal(memory[0xffff], 0x00330033);
	bench.v->breakpoints = 1;
	assert_int_equal(emulation_fill(e, VGA_APERTURE, 0, 1, 80), 0);
	bench.v->breakpoints = 0;
	finish();
}

static void copies(void **state)
{
	uint8_t bytes[600];

	(void)state;
	start_planes();
	for (unsigned n = 0; n < sizeof(bytes); n++)
		bytes[n] = (uint8_t)(n * 7 + 1);
	bench_poke(0x2000, bytes, sizeof(bytes));
	assert_int_equal(emulation_copy(e, VGA_APERTURE, 0x2000, 1, 80), 80);
	for (unsigned n = 0; n < 80; n++)
		assert_int_equal(memory[n], bytes[n] * 0x01010101u);
	assert_int_equal(memory[80], 0);
	assert_int_equal(emulation_copy(e, VGA_APERTURE + 100, VGA_APERTURE, 2, 10), 10);
	assert_int_equal(memory[119], bytes[19] * 0x01010101u);
	assert_int_equal(memory[120], 0);
	assert_int_equal(emulation_copy(e, 0x3000, VGA_APERTURE + 1, 4, 16), 16);
	mmu_guest_read(&vm->mmu, GPA(0x3000), bytes + 100, 64);
	assert_memory_equal(bytes + 100, bytes + 1, 64);
	assert_true(emulation_copy(e, VGA_APERTURE, 0x2000, 1, 600) < 600); /* some at a time */
	assert_int_equal(emulation_copy(e, 0x3000, 0x2000, 1, 80), 0); /* memory to memory */
	assert_int_equal(emulation_copy(e, 0xf0000, VGA_APERTURE, 1, 80), 0); /* to ROM */
	assert_int_equal(vm->video->stdvga.vga.latch, memory[64]); /* which has read nothing */
	bench.v->breakpoints = 1;
	assert_int_equal(emulation_copy(e, VGA_APERTURE, 0x2000, 1, 80), 0);
	bench.v->breakpoints = 0;
	finish();
}

/* While the aperture is the guest's own, and without a display, all of it is the emulator's. */
static void not_planes(void **state)
{
	(void)state;
	start_planes();
	indexed(VGA_SEQUENCER, VGA_SEQ_MEMORY, 0x0e);
	assert_int_equal(vm->video->place.plain, VGA_PLAIN_APERTURE);
	assert_int_equal(emulation_fill(e, VGA_APERTURE, 0x81, 1, 80), 0);
	assert_int_equal(emulation_copy(e, VGA_APERTURE, 0x2000, 1, 80), 0);
	finish();
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .firmware = true });
	e = &bench.v->emulate;
	e->opaque = bench.v;
	assert_int_equal(emulation_fill(e, VGA_APERTURE, 0x81, 1, 80), 0);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fills), cmocka_unit_test(copies), cmocka_unit_test(not_planes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
