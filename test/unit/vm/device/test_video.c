/* A virtual machine's screen (vm/device/video.c, vm/control/screen.c): where the guest has its memory, what of it has
 * changed, and what the control channel tells; its keyboard and mouse. */
#include "test/unit/vm/fixture.h"

#include <stdio.h>

#include "dev/video/vga_state.h"
#include "lib/ports.h"
#include "lib/vga.h"
#include "vm/control/control.h"

#define LFB 0xe0000000u

static struct vm *vm;

static void start_screen(const char *mmu)
{
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = mmu, .firmware = true,
					  .description = "vga vgabios\n" });
	check_entry(0);
	vm = bench.vm[0];
	assert_non_null(vm->video);
}

static void indexed(uint16_t port, uint8_t index, uint8_t value)
{
	out_sized(port, 2, (uint32_t)value << 8 | index);
}

static void dispi(uint16_t reg, uint16_t value)
{
	out_sized(DISPI_INDEX, 2, reg);
	out_sized(DISPI_DATA, 2, value);
}

static void config(unsigned reg, unsigned size, uint32_t value)
{
	out_sized(PCI_ADDRESS, 4, PCI_ADDRESS_ENABLE | 2u << 11 | (reg & 0xfc));
	out_sized((uint16_t)(PCI_DATA + (reg & 3)), size, value);
}

/* Is it the guest's own memory? */
static bool own(uint64_t gpa)
{
	uint8_t byte;

	return mmu_guest_read(&vm->mmu, GPA(gpa), &byte, 1) == 1;
}

static void mode_13h(void)
{
	out_sized(VGA_MISC_WRITE, 1, 0x63);
	indexed(VGA_SEQUENCER, VGA_SEQ_MAP_MASK, 0x0f);
	indexed(VGA_SEQUENCER, VGA_SEQ_MEMORY, 0x0e);
	indexed(VGA_GRAPHICS, VGA_GC_MODE, 0x40);
	indexed(VGA_GRAPHICS, VGA_GC_MISC, 0x05);
}

static void planes(void)
{
	indexed(VGA_SEQUENCER, VGA_SEQ_MEMORY, 0x06);
	indexed(VGA_GRAPHICS, VGA_GC_MODE, 0x00);
}

static void linear(void)
{
	config(PCI_BAR, 4, LFB);
	config(PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	dispi(DISPI_XRES, 640);
	dispi(DISPI_YRES, 480);
	dispi(DISPI_BPP, 32);
	dispi(DISPI_ENABLE, DISPI_ENABLED | DISPI_LFB);
}

static bool sound(void)
{
	char why[200];

	return mmu_audit(&vm->mmu, why, sizeof(why));
}

/* VV1, under each mechanism: in the aperture while that is plain, at the linear frame buffer, and nowhere. */
static void where_it_is(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		start_screen(mechanisms[m]);
		if (bench.at == BENCH_ENTRY) {
			assert_false(own(VGA_APERTURE));
			mode_13h();
			assert_true(own(VGA_APERTURE) && own(VGA_APERTURE + 0xffff));
			assert_false(own(VGA_APERTURE + 0x10000));
			poke(VGA_APERTURE + 5, 0x77);
			assert_int_equal(((uint8_t *)vm->video->memory)[5], 0x77);
			planes();
			assert_false(own(VGA_APERTURE));
			indexed(VGA_GRAPHICS, VGA_GC_READ_MAP, 1);
			assert_int_equal(peek(VGA_APERTURE + 1), 0x77); /* byte 5 is offset 1 of plane 1 */
			linear();
			assert_true(own(LFB) && own(LFB + VIDEO_BYTES - 1));
			assert_false(own(VGA_APERTURE));
			poke(LFB + 0x123456, 0x12);
			assert_int_equal(((uint8_t *)vm->video->memory)[0x123456], 0x12);
			assert_true(sound());
			dispi(DISPI_ENABLE, 0);
			assert_false(own(LFB));
			assert_int_equal(peek(LFB + 0x123456), 0x12); /* by the device */
			assert_true(sound());
		}
		finish();
	}
}

/* It follows its BAR, and stays away from where other memory is. */
static void it_moves(void **state)
{
	(void)state;
	start_screen("ept");
	linear();
	config(PCI_BAR, 4, LFB + VIDEO_BYTES);
	assert_false(own(LFB));
	assert_true(own(LFB + VIDEO_BYTES));
	config(PCI_COMMAND, 2, PCI_COMMAND_IO);
	assert_false(own(LFB + VIDEO_BYTES));
	config(PCI_BAR, 4, 0); /* where RAM is */
	config(PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	poke(0x1000, 0x31);
	assert_int_equal(((uint8_t *)vm->video->memory)[0x1000], 0);
	config(PCI_BAR, 4, 0xff000000); /* where the firmware's ROM is */
	assert_int_equal(peek(0xfffff000), 0x3f);
	assert_true(sound());
	config(PCI_BAR, 4, LFB);
	assert_true(own(LFB));
	finish();
}

/* A bank of more than 64 KBytes' memory is seen in the aperture. */
static void banks(void **state)
{
	(void)state;
	start_screen("ept");
	mode_13h();
	dispi(DISPI_XRES, 640);
	dispi(DISPI_YRES, 480);
	dispi(DISPI_ENABLE, DISPI_ENABLED);
	assert_true(own(VGA_APERTURE));
	poke(VGA_APERTURE, 1);
	dispi(DISPI_BANK, 3);
	assert_int_equal(peek(VGA_APERTURE), 0);
	poke(VGA_APERTURE, 2);
	assert_int_equal(((uint8_t *)vm->video->memory)[3 * VGA_BANK], 2);
	dispi(DISPI_BANK, 0);
	assert_int_equal(peek(VGA_APERTURE), 1);
	dispi(DISPI_BANK, 256); /* there is none */
	assert_int_equal(peek(VGA_APERTURE), 1);
	finish();
}

/* ---- what has changed ---- */

static uint32_t now_at(void)
{
	video_changes(vm);
	return vm->video->number;
}

static bool changed_since(uint32_t number, uint32_t page)
{
	video_changes(vm);
	return vm->video->page_number[page] > number;
}

/* VV2. */
static void what_changes(void **state)
{
	uint32_t n;

	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		start_screen(mechanisms[m]);
		if (bench.at == BENCH_ENTRY) {
			mode_13h();
			n = now_at();
			assert_true(changed_since(0, 0) && changed_since(0, VIDEO_PAGES - 1));
			assert_false(changed_since(n, 3));
			poke(VGA_APERTURE + 0x3800, 1);
			assert_true(changed_since(n, 3));
			assert_false(changed_since(n, 2));
			n = now_at();
			assert_false(changed_since(n, 3));
			poke(VGA_APERTURE + 0x5000, 1); /* and then it goes */
			planes();
			assert_true(changed_since(n, 5));
			n = now_at();
			poke(VGA_APERTURE + 0x400, 0xff); /* of each plane that byte: doubleword 0x400 */
			assert_true(changed_since(n, 1));
			assert_false(changed_since(n, 0));
			linear();
			n = now_at();
			poke(LFB + 0x200000, 1);
			assert_true(changed_since(n, 0x200));
			assert_false(changed_since(n, 0x201));
		}
		finish();
	}
}

/* ---- the control channel ---- */

static char answer_text[65536];
static struct json json;
static char error[300];

static bool say(struct vm *to, const struct control_request *r)
{
	json_init(&json, answer_text, sizeof(answer_text));
	return control_of_screen(to, r, &json, error, sizeof(error));
}

static bool ask_screen(struct vm *of, enum control_command command, uint64_t address, uint64_t length)
{
	return say(of, &(struct control_request){ .command = command, .address = address, .length = length });
}

static void what_is_told(void **state)
{
	char wanted[40];

	(void)state;
	start_screen("ept");
	mode_13h();
	assert_true(ask_screen(vm, CONTROL_SCREEN, 0, 0));
	assert_non_null(strstr(answer_text, "\"bytes\":16777216"));
	assert_non_null(strstr(answer_text, "\"registers\":\"63"));
	assert_non_null(strstr(answer_text, "\"pages\":[0,4096]"));
	snprintf(wanted, sizeof(wanted), "\"number\":%u", vm->video->number);
	assert_non_null(strstr(answer_text, wanted));
	poke(VGA_APERTURE + 0x2000, 9);
	poke(VGA_APERTURE + 0x4000, 9);
	poke(VGA_APERTURE + 0x5000, 9);
	assert_true(ask_screen(vm, CONTROL_SCREEN, vm->video->number, 0));
	assert_null(strstr(answer_text, "registers"));
	assert_non_null(strstr(answer_text, "\"pages\":[2,1,4,2]"));
	out_sized(VGA_DAC_MASK, 1, 0xfe);
	assert_true(ask_screen(vm, CONTROL_SCREEN, vm->video->number, 0));
	assert_non_null(strstr(answer_text, "registers"));
	assert_non_null(strstr(answer_text, "\"pages\":[]"));
	/* 16 bytes, none of which LZ4 can save: a token, a length, and they, by planes. */
	for (unsigned n = 0; n < 16; n++)
		poke(VGA_APERTURE + n, (uint8_t)(n + 1));
	assert_true(ask_screen(vm, CONTROL_VIDEO, 0, 16));
	assert_non_null(strstr(answer_text, "\"planes\":\"8AEBBQkNAgYKDgMHCw8ECAwQ\""));
	finish();
}

static void what_is_refused(void **state)
{
	(void)state;
	start_screen("ept");
	assert_false(ask_screen(vm, CONTROL_VIDEO, VIDEO_BYTES, 4));
	assert_false(ask_screen(vm, CONTROL_VIDEO, VIDEO_BYTES - 4, 8));
	assert_false(ask_screen(vm, CONTROL_VIDEO, UINT64_MAX - 3, 8));
	assert_false(ask_screen(vm, CONTROL_VIDEO, 2, 4));
	assert_true(ask_screen(vm, CONTROL_VIDEO, VIDEO_BYTES - 4, 4));
	finish();
	start();
	assert_false(ask_screen(bench.vm[0], CONTROL_SCREEN, 0, 0));
	assert_non_null(strstr(error, "has no screen"));
	assert_false(say(bench.vm[0], &(struct control_request){ .command = CONTROL_KEYS, .count = 2 }));
	assert_non_null(strstr(error, "has no keyboard"));
	assert_false(say(bench.vm[0], &(struct control_request){ .command = CONTROL_MOUSE, .count = 6 }));
	finish();
}

static void keys_and_mouse(void **state)
{
	struct control_request keys = { .command = CONTROL_KEYS, .bytes = { 0, 0x1c, 2, 0x1c }, .count = 4 };
	struct control_request mouse = { .command = CONTROL_MOUSE, .bytes = { 1, 5, 0, 0xfe, 0xff, 0 }, .count = 6 };

	(void)state;
	start_screen("ept");
	assert_true(say(vm, &keys));
	assert_non_null(strstr(answer_text, "\"taken\":2"));
	assert_int_equal(vm->i8042.count, 3); /* 1c f0 1c */
	for (unsigned n = 0; n < 10; n++)
		assert_true(say(vm, &keys));
	assert_non_null(strstr(answer_text, "\"taken\":0"));
	assert_true(say(vm, &mouse));
	assert_int_equal(vm->i8042.mouse.x, 5);
	assert_int_equal(vm->i8042.mouse.y, -2);
	mouse.count = 5;
	assert_false(say(vm, &mouse));
	finish();
}

static const char *refused_with(const char *description)
{
	struct vm *other = bench_create(&(struct bench_config){ .mmu = "ept", .firmware = true,
								.description = description });

	assert_true(other->ended);
	return other->end_text;
}

static void no_screen(void **state)
{
	(void)state;
	start();
	assert_non_null(strstr(refused_with("vga nowhere\n"), "nowhere"));
	assert_non_null(strstr(refused_with("vga firmware\n"), "a display has room for 65536"));
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(where_it_is), cmocka_unit_test(it_moves), cmocka_unit_test(banks),
		cmocka_unit_test(what_changes), cmocka_unit_test(what_is_told), cmocka_unit_test(what_is_refused),
		cmocka_unit_test(keys_and_mouse), cmocka_unit_test(no_screen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
