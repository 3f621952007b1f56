/* What the loaders of ELF kernels have in common (vm/load/load.c, vm/load/elf.c): the bounds of what is claimed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "test/unit/vm/load/elf_file.h"

/* More segments than there is room to remember; none at all. */
static void test_vmlinux_segments(void **state)
{
	uint8_t *k = calloc(1, 16384);
	struct image_files f = { .kernel = k, .kernel_size = 16384, .cmdline = "" };
	struct ram r;

	(void)state;
	put_elf64(k, 16 * MB, 20);
	for (unsigned n = 0; n < 40; n++)
		put_segment64(k, n, 8192, 0xffffffff81000000 + 4096 * n, 16 * MB + 4096 * n, 64, 64);
	ram_init(&r, 32 * MB, 0, false);
	load_ok(&r, &f);
	put16(k + 56, 40);
	load_bad(&r, &f, "too many segments");
	put16(k + 56, 1);
	put32(k + 64, 4);
	load_bad(&r, &f, "nothing to load");
	ram_free(&r);
	free(k);
}

/* RAM below 4 GBytes as no machine has it. */
static void test_ram(void **state)
{
	static const uint64_t ends[] = { 0, MB - 4096, 16 * MB + 1, 0xd0000000 };
	static const uint8_t k[64];
	struct image_files f = { .kernel = k, .kernel_size = sizeof(k), .cmdline = "" };
	struct ram r;

	(void)state;
	ram_init(&r, 32 * MB, 0, false);
	for (unsigned i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		r.mem.low_ram_end = ends[i];
		load_bad(&r, &f, "a machine cannot have");
	}
	ram_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_vmlinux_segments), cmocka_unit_test(test_ram) };

	return cmocka_run_group_tests_name("load_elf", tests, NULL, NULL);
}
