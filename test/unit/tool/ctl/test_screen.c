/* How the command draws a guest's screen (tool/ctl/screen.c, tool/ctl/png.c): what it unpacks, what it asks for, and
 * what it writes; and the names of keys (tool/ctl/keys.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dev/input/i8042.h"
#include "tool/ctl/screen.h"

/* ---- in place of a run: what it answers ---- */

static char asked[20][200];
static unsigned requests;
static const char *answers[20];

char *ctl_ask(struct ctl *ctl, const char *request, char *error, size_t size)
{
	(void)ctl;
	assert_in_range(requests, 0, 19);
	snprintf(asked[requests], sizeof asked[0], "%s", request);
	if (answers[requests] == NULL) {
		snprintf(error, size, "refused");
		requests++;
		return NULL;
	}
	return text("%s", answers[requests++]);
}

cJSON *ctl_ask_json(struct ctl *ctl, const char *request, char **raw, char *error, size_t size)
{
	char *answer = ctl_ask(ctl, request, error, size);
	cJSON *parsed = answer != NULL ? cJSON_Parse(answer) : NULL;

	(void)raw;
	free(answer);
	return parsed;
}

/* ---- memory ---- */

static void unpacking(void **state)
{
	static const uint8_t bytes[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
	static const char *const bad[] = { "", "8AE", "8AEBBQkNAgYKDgMHCw8ECAw", "8AEBBQkNAgYKDgMHCw8ECAwQAAAA", "!",
					   "////" };
	uint8_t to[16];

	(void)state;
	assert_true(screen_unpack("8AEBBQkNAgYKDgMHCw8ECAwQ", to, 16));
	assert_memory_equal(to, bytes, 16);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(screen_unpack(bad[i], to, 16));
	assert_false(screen_unpack("8AEBBQkNAgYKDgMHCw8ECAwQ", to, 12));
	assert_false(screen_unpack("8AEBBQkNAgYKDgMHCw8ECAwQ", to, 1 << 20));
}

static void mode_3(struct vga *vga)
{
	*vga = (struct vga){ .attribute_index = VGA_ATTRIBUTE_SHOW, .doublewords = 4 << 20 };
	vga->crtc[VGA_CRTC_SHOWN] = 79;
	vga->crtc[VGA_CRTC_SHOWN_LINES] = 0x8f;
	vga->crtc[VGA_CRTC_OVERFLOW] = 0x02;
	vga->crtc[VGA_CRTC_ROW_HEIGHT] = 15;
	vga->crtc[VGA_CRTC_OFFSET] = 40;
	vga->crtc[VGA_CRTC_MODE] = 0xa3;
}

static void needs(void **state)
{
	struct screen_range range[SCREEN_RANGES];
	struct vga_picture p;
	struct vga vga;

	(void)state;
	mode_3(&vga);
	vga.crtc[VGA_CRTC_START_HIGH] = 0x08; /* 2048 */
	vga.sequencer[VGA_SEQ_FONTS] = 0x04;
	vga_picture(&vga, &p);
	assert_int_equal(screen_needs(&vga, &p, range), 3);
	assert_true(range[0].from <= 2048 * 8 && range[0].to >= (2048 + 2000) * 8 && range[0].to < (2048 + 2300) * 8);
	assert_int_equal(range[1].from, 0);
	assert_int_equal(range[1].to, 32768);
	assert_int_equal(range[2].from, 65536);
	vga.graphics[VGA_GC_MISC] = VGA_GC_MISC_GRAPHICS;
	vga_picture(&vga, &p);
	assert_int_equal(screen_needs(&vga, &p, range), 1);
	assert_int_equal(range[0].to, 262144);
	vga.dispi[DISPI_ENABLE] = DISPI_ENABLED;
	vga.dispi[DISPI_XRES] = vga.dispi[DISPI_VIRT_WIDTH] = 640;
	vga.dispi[DISPI_YRES] = 480;
	vga.dispi[DISPI_BPP] = 16;
	vga.dispi[DISPI_Y_OFFSET] = 10;
	vga_picture(&vga, &p);
	assert_int_equal(screen_needs(&vga, &p, range), 1);
	assert_int_equal(range[0].from, 12800);
	assert_int_equal(range[0].to, 12800 + 640 * 480 * 2);
	vga.attribute_index = 0;
	vga_picture(&vga, &p);
	assert_int_equal(screen_needs(&vga, &p, range), 0);
}

/* ---- keeping up ---- */

static char registers[2 * VGA_STATE_BYTES + 1];

static const char *first_answer(const char *pages)
{
	static char answer[4096];
	uint8_t bytes[VGA_STATE_BYTES];
	struct vga vga;

	mode_3(&vga);
	vga_state_save(&vga, bytes);
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(registers + 2 * i, 3, "%02x", bytes[i]);
	snprintf(answer, sizeof answer, "{\"number\":7,\"bytes\":16777216,\"registers\":\"%s\",\"pages\":%s}",
		 registers, pages);
	return answer;
}

static void updates(void **state)
{
	struct screen screen;
	char error[300];
	unsigned width, height;
	uint32_t *pixels;

	(void)state;
	screen_init(&screen, "g");
	requests = 0;
	answers[0] = first_answer("[5,2]"); /* of the fonts */
	answers[1] = "{\"planes\":\"FAABAFpQAAAAAAA=\"}"; /* not what was asked for */
	assert_false(screen_update(&screen, NULL, error, sizeof error));
	assert_non_null(strstr(error, "makes no sense"));
	assert_string_equal(asked[0], "screen g 0");
	assert_string_equal(asked[1], "video g 20480 8192");
	requests = 0;
	answers[0] = "{\"number\":8,\"bytes\":16777216,\"pages\":[]}";
	answers[1] = NULL;
	assert_false(screen_update(&screen, NULL, error, sizeof error));
	assert_string_equal(asked[0], "screen g 7");
	assert_string_equal(error, "refused");
	memset(screen.stale, 0, screen.pages);
	requests = 0;
	assert_true(screen_update(&screen, NULL, error, sizeof error));
	assert_false(screen.changed);
	assert_int_equal(requests, 1);
	pixels = screen_picture(&screen, &width, &height);
	assert_int_equal(width, 720);
	assert_int_equal(height, 400);
	assert_int_equal(pixels[720 * 400 - 1], 0);
	free(pixels);
	screen_free(&screen);
}

static void nonsense(void **state)
{
	static const char *const bad[] = {
		"{}", "{\"bytes\":5,\"pages\":[]}", "{\"bytes\":33554432,\"pages\":[]}", "{\"bytes\":16777216}",
		"{\"bytes\":16777216,\"pages\":[1]}", "{\"bytes\":16777216,\"pages\":[4095,2]}",
		"{\"bytes\":16777216,\"pages\":[-1,1]}", "{\"bytes\":16777216,\"pages\":[],\"registers\":\"00\"}",
		"{\"bytes\":3000000,\"pages\":[]}", "{\"bytes\":16777216,\"pages\":[1e300,1e300]}",
	};
	struct screen screen;
	char error[300];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		screen_init(&screen, "g");
		requests = 0;
		answers[0] = bad[i];
		assert_false(screen_update(&screen, NULL, error, sizeof error));
		screen_free(&screen);
	}
}

static void a_picture(void **state)
{
	static const uint32_t pixels[6] = { 0x123456, 0xff0000, 0x00ff00, 0x0000ff, 0xffffff, 0 };
	char path[] = "/tmp/vellum-png-XXXXXX";
	png_image image = { .version = PNG_IMAGE_VERSION };
	uint8_t rgb[18];

	(void)state;
	close(mkstemp(path));
	assert_true(screen_write_png(path, pixels, 3, 2));
	assert_true(png_image_begin_read_from_file(&image, path));
	assert_int_equal(image.width, 3);
	assert_int_equal(image.height, 2);
	image.format = PNG_FORMAT_RGB;
	assert_true(png_image_finish_read(&image, NULL, rgb, 0, NULL));
	assert_memory_equal(rgb, "\x12\x34\x56\xff\x00\x00\x00\xff\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00", 18);
	unlink(path);
	assert_false(screen_write_png("/nowhere/x.png", pixels, 3, 2));
}

/* ---- keys ---- */

static void names(void **state)
{
	uint8_t how, code;

	(void)state;
	assert_true(key_named("a", 1, &how, &code));
	assert_int_equal(code, 0x1c);
	assert_int_equal(how, 0);
	assert_true(key_named("delete-x", 6, &how, &code));
	assert_int_equal(code, 0x71);
	assert_int_equal(how, I8042_KEY_EXTENDED);
	assert_false(key_named("delet", 5, &how, &code));
	assert_false(key_named("", 0, &how, &code));
	assert_true(key_of_keysym('A', &how, &code));
	assert_int_equal(code, 0x1c);
	assert_true(key_of_keysym('!', &how, &code));
	assert_int_equal(code, 0x16);
	assert_true(key_of_keysym(0xff51, &how, &code));
	assert_int_equal(code, 0x6b);
	assert_false(key_of_keysym(0, &how, &code));
}

static void sending(void **state)
{
	static const uint8_t bytes[] = { 0, 0x1c, 2, 0x1c };
	char error[300];

	(void)state;
	requests = 0;
	answers[0] = "{\"taken\":0}";
	answers[1] = "{\"taken\":1}";
	answers[2] = "{\"taken\":1}";
	assert_true(keys_send(NULL, "g", bytes, 2, error, sizeof error));
	assert_string_equal(asked[0], "keys g 001c021c");
	assert_string_equal(asked[1], "keys g 001c021c");
	assert_string_equal(asked[2], "keys g 021c");
	requests = 0;
	answers[0] = "{\"taken\":true}";
	assert_true(mouse_send(NULL, "g", 5, 258, 1, -1, error, sizeof error));
	assert_string_equal(asked[0], "mouse g 050201ffffff");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unpacking), cmocka_unit_test(needs),	  cmocka_unit_test(updates),
		cmocka_unit_test(nonsense),  cmocka_unit_test(a_picture), cmocka_unit_test(names),
		cmocka_unit_test(sending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
