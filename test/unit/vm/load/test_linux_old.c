/* Kernels of boot protocols before 2.12 (vm/load/linux.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "test/unit/vm/load/bzimage.h"

/* Each version by what it was the first to have: a kernel of 64 bits too is entered in protected mode then. */
struct old {
	unsigned version, zero_page, cmdline_max;
	uint64_t at, initrd;
};

static void load_old(const struct old *o)
{
	size_t n;
	uint8_t *k = make_bzimage(&n);
	char line[1002];
	struct image_files f = { .kernel = k, .kernel_size = n, .initrd = "initrd", .initrd_size = 6, .cmdline = line };
	struct cpu_start s;
	struct ram r;

	memset(line, 'x', sizeof(line));
	line[o->cmdline_max] = 0;
	put16(k + 0x206, (uint16_t)o->version);
	put32(k + 0x22c, 24 * MB - 1);
	put32(k + 0x238, 1000);
	if (o->version < 0x204)
		put32(k + 0x1f4, 0); /* not looked at */
	ram_init(&r, 32 * MB, 0, true);
	s = load_ok(&r, &f);
	check_start32(&r, &s);
	assert_int_equal(s.rip, o->at);
	assert_memory_equal(r.bytes + o->at, k + SETUP, CODE);
	assert_int_equal(s.rsi, o->zero_page);
	assert_int_equal(ram_u32(&r, s.rsi + 0x218), o->initrd);
	assert_int_equal(ram_u32(&r, s.rsi + 0x228), s.rsi + 0x1000);
	assert_string_equal(ram_text(&r, s.rsi + 0x1000), line);
	assert_int_equal(ram_u32(&r, s.rsi + 0x20), o->version < 0x202 ? 0x1000a33f : 0);
	assert_int_equal(ram_u32(&r, s.rsi + 0x1e0), 31 * 1024);
	assert_int_equal(ram_u32(&r, s.rsi) >> 16, 31 * 1024);
	check_e820(&r, s.rsi, 32 * MB, 0);
	line[o->cmdline_max] = 'x';
	line[o->cmdline_max + 1] = 0;
	load_bad(&r, &f, "the command line has");
	ram_free(&r);
	free(k);
}

static void test_old_bzimage(void **state)
{
	static const struct old of[] = {
		{ 0x200, 0x90000, 255, MB, 32 * MB - 4096 },
		{ 0x202, 0x7000, 255, MB, 32 * MB - 4096 },
		{ 0x203, 0x7000, 255, MB, 24 * MB - 4096 },
		{ 0x206, 0x7000, 1000, MB, 24 * MB - 4096 },
		{ 0x20a, 0x7000, 1000, 16 * MB, 24 * MB - 4096 },
		{ 0x20b, 0x7000, 1000, 16 * MB, 24 * MB - 4096 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
		load_old(&of[i]);
}

/* Not loaded high. Its code may not reach the zero page. */
static void test_zimage(void **state)
{
	size_t n, most = 0x90000 - 0x10000;
	uint8_t *k = make_bzimage(&n), *big = calloc(1, SETUP + most + 1);
	struct image_files f = { .kernel = k, .kernel_size = n, .cmdline = "" };
	struct cpu_start s;
	struct ram r;

	(void)state;
	put16(k + 0x206, 0x200);
	k[0x211] = 0;
	ram_init(&r, 32 * MB, 0, true);
	s = load_ok(&r, &f);
	check_start32(&r, &s);
	assert_int_equal(s.rip, 0x10000);
	assert_memory_equal(r.bytes + 0x10000, k + SETUP, CODE);
	memcpy(big, k, n);
	f.kernel = big;
	f.kernel_size = SETUP + most;
	load_ok(&r, &f);
	f.kernel_size++;
	load_bad(&r, &f, "the kernel is there");
	/* A newer one says where it wants to be, which is not there. */
	put16(k + 0x206, 0x20a);
	put64(k + 0x258, 0x10000);
	f.kernel = k;
	f.kernel_size = n;
	load_bad(&r, &f, "it wants to be loaded at 0x10000");
	ram_free(&r);
	free(big);
	free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_old_bzimage), cmocka_unit_test(test_zimage),
	};

	return cmocka_run_group_tests_name("load_linux_old", tests, NULL, NULL);
}
