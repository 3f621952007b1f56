/* What a firmware starts from, and what it loads (vm/load/firmware.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "test/unit/vm/load/bzimage.h"
#include "vm/load/firmware.h"

static char why[300];
static unsigned screen_mode; /* of the last one taken */

static bool firmware_takes(struct image_files *f, uint64_t ram, struct firmware_kernel *k)
{
	static uint8_t setup[LOAD_SETUP_MAX];
	uint8_t *copy = malloc(f->kernel_size ? f->kernel_size : 1);
	struct image_files files = *f;
	bool ok;

	/* Without a byte behind it, so that the sanitizer sees reads beyond. */
	memcpy(copy, f->kernel, f->kernel_size);
	files.kernel = copy;
	ok = load_firmware_kernel(&files, ram, k, setup, why, sizeof(why));
	if (ok) {
		assert_int_equal(setup[0x210], 0xb0);
		assert_int_equal(setup[0x211], 0x81);
		assert_memory_equal(setup + 0x224, "\x00\xfe", 2);
		assert_memory_equal(setup + 0x228, &k->cmdline_at, 4);
		assert_memory_equal(setup + 0x218, &k->initrd_at, 4);
		screen_mode = setup[0x1fa] | (unsigned)setup[0x1fb] << 8;
		assert_memory_equal(setup + 0x22c, copy + 0x22c, k->setup_size - 0x22c);
	}
	free(copy);
	return ok;
}

static void test_by_firmware(void **state)
{
	static uint8_t initrd[3 * 4096 + 5];
	struct firmware_kernel k;
	size_t n;
	uint8_t *p = make_bzimage(&n);
	struct image_files f = { .kernel = p, .kernel_size = n, .cmdline = "a" };

	(void)state;
	assert_true(firmware_takes(&f, 32 * MB, &k));
	assert_true(firmware_takes(&f, 20 * MB + 0x40000, &k));
	assert_false(firmware_takes(&f, 20 * MB, &k)); /* it unpacks itself to 16 MB, and needs 4 there */
	assert_string_equal(why, "the kernel and the firmware need more than the 20 MB of RAM that the machine has");
	put64(p + 0x258, UINT64_MAX);
	assert_false(firmware_takes(&f, 32 * MB, &k));
	put64(p + 0x258, MB);
	put32(p + 0x260, CODE);
	assert_true(firmware_takes(&f, 32 * MB, &k));
	assert_int_equal(k.setup_size, SETUP);
	assert_int_equal(k.kernel_at, MB);
	assert_int_equal(k.initrd_at, 0);
	f.initrd = initrd;
	f.initrd_size = sizeof(initrd);
	assert_true(firmware_takes(&f, 32 * MB, &k));
	assert_int_equal(k.initrd_at, 32 * MB - 0x40000 - 4 * 4096);
	put32(p + 0x22c, 8 * MB - 1);
	assert_true(firmware_takes(&f, 32 * MB, &k));
	assert_int_equal(k.initrd_at, 8 * MB - 4 * 4096);
	put32(p + 0x22c, MB + CODE + 3 * 4096 + 3); /* a byte too low */
	assert_false(firmware_takes(&f, 32 * MB, &k));
	assert_non_null(strstr(why, "with its initrd"));
	put32(p + 0x22c, 0);
	assert_false(firmware_takes(&f, 32 * MB, &k));
	f.initrd_size = 0;
	assert_true(firmware_takes(&f, 2 * MB, &k));
	p[0x1f1] = 0; /* 4 */
	assert_true(firmware_takes(&f, 2 * MB, &k));
	assert_int_equal(k.setup_size, SETUP);
	free(p);
}

static void test_by_firmware_bad(void **state)
{
	static char words[3000];
	struct firmware_kernel k;
	size_t n;
	uint8_t *p = make_bzimage(&n);
	struct image_files f = { .kernel = p, .kernel_size = n, .cmdline = words };

	(void)state;
	memset(words, 'x', 2048);
	assert_false(firmware_takes(&f, 32 * MB, &k));
	assert_string_equal(why, "the command line has 2048 characters, this kernel takes 2047");
	words[256] = '\0';
	put16(p + 0x206, 0x205); /* before there was a field for it */
	assert_false(firmware_takes(&f, 32 * MB, &k));
	assert_string_equal(why, "the command line has 256 characters, this kernel takes 255");
	words[255] = '\0';
	assert_true(firmware_takes(&f, 32 * MB, &k));
	put16(p + 0x206, 0x202);
	assert_false(firmware_takes(&f, 32 * MB, &k));
	assert_non_null(strstr(why, "too old"));
	put16(p + 0x206, 0x20f);
	p[0x211] = 0; /* a zImage */
	assert_false(firmware_takes(&f, 32 * MB, &k));
	p[0x211] = 1;
	p[0x1f1] = 200;
	assert_false(firmware_takes(&f, 32 * MB, &k));
	assert_non_null(strstr(why, "its setup code has 102912 bytes"));
	p[0x1f1] = 4;
	for (f.kernel_size = 0; f.kernel_size <= SETUP; f.kernel_size++)
		assert_false(firmware_takes(&f, 32 * MB, &k));
	assert_true(firmware_takes(&f, 32 * MB, &k));
	f.kernel_size = n;
	p[0x202] = 'h';
	assert_false(firmware_takes(&f, 32 * MB, &k));
	assert_non_null(strstr(why, "bzImage"));
	free(p);
}

/* "Special Command Line Options": vga=. */
static void test_screen(void **state)
{
	static const struct { const char *words; int mode; } cases[] = {
		{ "", 0x1234 }, { "vga", 0x1234 }, { "xvga=1", 0x1234 }, { "vga=0x317", 0x317 },
		{ "vga=791 quiet", 791 }, { "quiet vga=0X31B", 0x31b }, { "vga=017", 15 }, { "vga=0", 0 },
		{ "a  vga=normal b", 0xffff }, { "vga=ext", 0xfffe }, { "vga=ask", 0xfffd },
		{ "vga=1 vga=0xffff", 0xffff }, { "vga=65535", 0xffff }, { "vga=", -1 }, { "vga=65536", -1 },
		{ "vga=0x", -1 }, { "vga=0x10000", -1 }, { "vga=08", -1 }, { "vga=12a", -1 }, { "vga=askx", -1 },
		{ "vga=-1", -1 }, { "vga=99999999999999999999", -1 },
	};
	struct firmware_kernel k;
	size_t n;
	uint8_t *p = make_bzimage(&n);
	struct image_files f = { .kernel = p, .kernel_size = n };

	(void)state;
	put16(p + 0x1fa, 0x1234);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		f.cmdline = cases[i].words;
		assert_int_equal(firmware_takes(&f, 32 * MB, &k), cases[i].mode >= 0);
		if (cases[i].mode >= 0)
			assert_int_equal(screen_mode, cases[i].mode);
		else
			assert_non_null(strstr(why, "on the command line names no video mode"));
	}
	free(p);
}

static void test_roms(void **state)
{
	static const size_t good[] = { 0x1000, 0x10000, 0x20000, 0x40000, 0x37c000, 0x800000 },
			    bad[] = { 0, 1, 0xffff, 0x10001, 0x801000, SIZE_MAX };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(load_firmware_fits(good[i], why, sizeof(why)));
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(load_firmware_fits(bad[i], why, sizeof(why)));
	assert_non_null(strstr(why, "a multiple of 4 KB, and at most 8 MB"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_by_firmware), cmocka_unit_test(test_by_firmware_bad),
					    cmocka_unit_test(test_screen), cmocka_unit_test(test_roms) };

	return cmocka_run_group_tests_name("load_firmware", tests, NULL, NULL);
}
