#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "test/unit/vm/load/elf_file.h"
#include "lib/multiboot.h"

static void put_header(uint8_t *p, uint32_t flags)
{
	put32(p, MULTIBOOT_HEADER_MAGIC);
	put32(p + 4, flags);
	put32(p + 8, 0u - MULTIBOOT_HEADER_MAGIC - flags);
}

/* ELF32, linked at 0xc0100000, loaded at 1 MiB, with BSS. */
static uint8_t *make_elf(size_t *n)
{
	uint8_t *p = calloc(1, 8192);

	put_elf32(p, 0xc0100010, 1);
	put_segment32(p, 0, 4096, 0xc0100000, MB, 4096, 3 * 4096);
	memset(p + 4096, 0x42, 4096);
	put_header(p + 4096, 3);
	*n = 8192;
	return p;
}

/* A flat image that its header places at 2 MiB. */
static uint8_t *make_flat(size_t *n)
{
	uint8_t *p = calloc(1, 4096);

	memset(p, 0x43, 4096);
	put_header(p + 64, 0x10003);
	put32(p + 64 + 12, 2 * MB + 32); /* the first 32 bytes of the file are not loaded */
	put32(p + 64 + 16, 2 * MB);
	put32(p + 64 + 20, 2 * MB + 2048);
	put32(p + 64 + 24, 2 * MB + 8192);
	put32(p + 64 + 28, 2 * MB + 100);
	*n = 4096;
	return p;
}

static void check_mmap(struct ram *r, uint64_t info)
{
	uint64_t at = ram_u32(r, info + 48), end = at + ram_u32(r, info + 44), sum = 0;

	while (at < end) {
		if (ram_u32(r, at + 20) == 1)
			sum += ram_u64(r, at + 12);
		at += ram_u32(r, at) + 4;
	}
	assert_int_equal(at, end);
	assert_int_equal(sum, 0x9fc00 + r->mem.low_ram_end - MB + r->mem.high_ram);
}

static void check_start(struct ram *r, const struct cpu_start *s)
{
	assert_int_equal(s->mode, START_PROT32);
	assert_int_equal(s->rax, MULTIBOOT_BOOT_MAGIC);
	assert_int_equal(ram_u64(r, s->gdt_base + s->cs), 0x00cf9b000000ffff);
	assert_int_equal(ram_u64(r, s->gdt_base + s->ds), 0x00cf93000000ffff);
	assert_int_equal(ram_u32(r, s->rbx), 0x24d);
	assert_int_equal(ram_u32(r, s->rbx + 4), 639);
	assert_int_equal(ram_u32(r, s->rbx + 8), (r->mem.low_ram_end - MB) >> 10);
	check_mmap(r, s->rbx);
	/* Page 0 and the pages that start further CPUs are the guest's. */
	for (uint64_t a = 0; a < 0x10000; a++)
		assert_int_equal(r->bytes[a], 0xaa);
}

static void test_elf(void **state)
{
	size_t n;
	uint8_t *k = make_elf(&n);
	struct image_files f = {
		.kernel = k, .kernel_size = n, .cmdline = "a=1 b", .kernel_name = "/tmp/dir/test kernel.elf"
	};
	struct cpu_start s;
	struct ram r;

	(void)state;
	ram_init(&r, 8 * MB, 1 << 30, true);
	s = load_ok(&r, &f);
	check_start(&r, &s);
	assert_int_equal(s.rip, MB + 0x10);
	assert_memory_equal(r.bytes + MB, k + 4096, 4096);
	for (unsigned i = 4096; i < 3 * 4096; i++)
		assert_int_equal(r.bytes[MB + i], 0);
	assert_string_equal(ram_text(&r, ram_u32(&r, s.rbx + 16)), "test a=1 b");
	assert_int_equal(ram_u32(&r, s.rbx + 20), 0);
	f.cmdline = "";
	f.kernel_name = NULL;
	s = load_ok(&r, &f);
	assert_string_equal(ram_text(&r, ram_u32(&r, s.rbx + 16)), "kernel");
	ram_free(&r);
	free(k);
}

static void test_module(void **state)
{
	size_t n;
	uint8_t *k = make_elf(&n);
	struct image_files f = { .kernel = k,
				 .kernel_size = n,
				 .cmdline = "",
				 .initrd = "NR_CPUS=1\n",
				 .initrd_size = 10,
				 .initrd_name = "env" };
	struct cpu_start s;
	struct ram r;
	uint64_t mods;

	(void)state;
	ram_init(&r, 8 * MB, 0, true);
	s = load_ok(&r, &f);
	check_start(&r, &s);
	assert_int_equal(ram_u32(&r, s.rbx + 20), 1);
	mods = ram_u32(&r, s.rbx + 24);
	assert_int_equal(ram_u32(&r, mods) % 4096, 0);
	assert_int_equal(ram_u32(&r, mods + 4) - ram_u32(&r, mods), 10);
	assert_memory_equal(r.bytes + ram_u32(&r, mods), "NR_CPUS=1\n", 10);
	assert_string_equal(ram_text(&r, ram_u32(&r, mods + 8)), "env");
	ram_free(&r);
	free(k);
}

/* mods_addr's entry i is of these bytes and this string, on a page of its own. */
static void check_module(struct ram *r, const struct cpu_start *s, unsigned i, const char *bytes, const char *string)
{
	uint64_t entry = ram_u32(r, s->rbx + 24) + i * 16, at = ram_u32(r, entry);

	assert_int_equal(at % 4096, 0);
	assert_int_equal(ram_u32(r, entry + 4) - at, strlen(bytes));
	assert_memory_equal(r->bytes + at, bytes, strlen(bytes));
	assert_string_equal(ram_text(r, ram_u32(r, entry + 8)), string);
	assert_int_equal(ram_u32(r, entry + 12), 0);
}

static void test_modules(void **state)
{
	size_t n;
	uint8_t *k = make_elf(&n);
	static const char bytes[] = "abcdefghi";
	static char longest[2048];
	struct image_files f = { .kernel = k, .kernel_size = n, .cmdline = "", .modules = IMAGE_MODULES_MAX };
	struct cpu_start s;
	struct ram r;

	(void)state;
	memset(longest, 'l', sizeof(longest) - 1);
	for (unsigned i = 0; i < IMAGE_MODULES_MAX; i++)
		f.module[i] = (struct image_module){ &bytes[i], sizeof(bytes) - 1 - i, longest };
	f.module[0].string = "vmlinuz root=/dev/sda  ro";
	f.module[7].string = "";
	ram_init(&r, 8 * MB, 0, true);
	s = load_ok(&r, &f);
	check_start(&r, &s);
	assert_int_equal(ram_u32(&r, s.rbx + 20), 8);
	check_module(&r, &s, 0, "abcdefghi", "vmlinuz root=/dev/sda  ro");
	check_module(&r, &s, 6, "ghi", longest);
	check_module(&r, &s, 7, "hi", "");
	/* The initrd is the first of them. */
	f.initrd = "NR_CPUS=1\n";
	f.initrd_size = 10;
	f.initrd_name = "env";
	s = load_ok(&r, &f);
	check_start(&r, &s);
	assert_int_equal(ram_u32(&r, s.rbx + 20), 9);
	check_module(&r, &s, 0, "NR_CPUS=1\n", "env");
	check_module(&r, &s, 8, "hi", "");
	f.module[3].size = 8 * MB;
	load_bad(&r, &f, "the kernel with its modules needs 16 MB of RAM, the machine has 8 MB");
	ram_free(&r);
	free(k);
}

static void test_flat(void **state)
{
	size_t n;
	uint8_t *k = make_flat(&n);
	struct image_files f = { .kernel = k, .kernel_size = n, .cmdline = "" };
	struct cpu_start s;
	struct ram r;

	(void)state;
	ram_init(&r, 8 * MB, 0, true);
	s = load_ok(&r, &f);
	check_start(&r, &s);
	assert_int_equal(s.rip, 2 * MB + 100);
	assert_memory_equal(r.bytes + 2 * MB, k + 32, 2048);
	for (unsigned i = 2048; i < 8192; i++)
		assert_int_equal(r.bytes[2 * MB + i], 0);
	assert_int_equal(r.bytes[2 * MB + 8192], 0xaa);
	/* No ends given: the rest of the file, and no BSS. */
	put32(k + 64 + 20, 0);
	put32(k + 64 + 24, 0);
	load_ok(&r, &f);
	assert_memory_equal(r.bytes + 2 * MB, k + 32, 4096 - 32);
	ram_free(&r);
	free(k);
}

/* A kernel that takes all of the first megabyte: what the loader adds goes elsewhere. */
static void test_low_kernel(void **state)
{
	size_t n;
	uint8_t *k = make_elf(&n);
	struct image_files f = { .kernel = k, .kernel_size = n, .cmdline = "" };
	struct cpu_start s;
	struct ram r;

	(void)state;
	put_segment32(k, 0, 4096, 0x1000, 0x1000, 4096, 0x9e000);
	put32(k + 24, 0x1010);
	ram_init(&r, 8 * MB, 0, true);
	s = load_ok(&r, &f);
	assert_true(s.rbx >= MB && s.gdt_base >= MB);
	ram_free(&r);
	/* A machine that has nothing else says what it would take. */
	ram_init(&r, 1 * MB, 0, true);
	load_bad(&r, &f, "needs 2 MB of RAM, the machine has 1 MB");
	ram_free(&r);
	free(k);
}

static void test_bad(void **state)
{
	size_t n;
	uint8_t *k = make_elf(&n);
	struct image_files f = { .kernel = k, .kernel_size = n, .cmdline = "" };
	struct ram r;

	(void)state;
	ram_init(&r, 8 * MB, 0, false);
	f.kernel_size = 6000;
	load_bad(&r, &f, "the kernel image is cut short: it has 6000 bytes, its segment should end at byte 8192");
	f.kernel_size = n;
	put_segment32(k, 0, 4096, 0xc0100000, MB, 4096, 7 * MB + 1);
	load_bad(&r, &f, "the kernel needs 9 MB of RAM, the machine has 8 MB");
	put_segment32(k, 0, 4096, 0xc0100000, MB, 4096, 4096);
	f.initrd = k;
	f.initrd_size = 8 * MB;
	load_bad(&r, &f, "the kernel with its module needs 10 MB of RAM, the machine has 8 MB");
	f.initrd_size = 0;
	put_header(k + 4096, 4);
	load_bad(&r, &f, "no screen");
	put_header(k + 4096, 8);
	load_bad(&r, &f, "header flags 0x8");
	put_header(k + 4096, 0);
	k[4] = 2;
	load_bad(&r, &f, "not a 64-bit executable for x86");
	k[4] = 3;
	load_bad(&r, &f, "is no ELF file, and its header does not say where it is loaded");
	put32(k + 4096 + 8, 0);
	k[4] = 1;
	/* Linked where it is loaded, as no Linux kernel is. */
	put_segment32(k, 0, 4096, MB, MB, 4096, 4096);
	put32(k + 24, MB + 16);
	load_bad(&r, &f, "there is a Multiboot header in it, but its checksum is wrong");
	free(k);
}

/* A command line that is too long for its place; a name that is cut. */
static void test_texts(void **state)
{
	static char text[9000], path[400];
	size_t n;
	uint8_t *k = make_elf(&n);
	struct image_files f = { .kernel = k, .kernel_size = n, .cmdline = text, .kernel_name = path };
	struct cpu_start s;
	struct ram r;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	memset(path, 'k', sizeof(path) - 1);
	ram_init(&r, 8 * MB, 0, true);
	load_bad(&r, &f, "the command line has 8999 characters");
	text[10] = 0;
	s = load_ok(&r, &f);
	assert_int_equal(strlen(ram_text(&r, ram_u32(&r, s.rbx + 16))), 255 + 1 + 10);
	ram_free(&r);
	free(k);
}

static void test_flat_bad(void **state)
{
	size_t n;
	uint8_t *k = make_flat(&n);
	struct image_files f = { .kernel = k, .kernel_size = n, .cmdline = "" };
	struct ram r;

	(void)state;
	ram_init(&r, 8 * MB, 0, false);
	f.kernel_size = 2000;
	load_bad(&r, &f, "cut short");
	f.kernel_size = 80;
	load_bad(&r, &f, "its Multiboot header should end at byte 96");
	f.kernel_size = n;
	put32(k + 64 + 12, 2 * MB + 65);
	load_bad(&r, &f, "begins before the file");
	put32(k + 64 + 12, 2 * MB - 1);
	load_bad(&r, &f, "begins before the file");
	put32(k + 64 + 12, 2 * MB + 32);
	put32(k + 64 + 20, MB);
	load_bad(&r, &f, "contradict");
	put32(k + 64 + 20, 0);
	put32(k + 64 + 28, 3 * MB);
	load_bad(&r, &f, "contradict");
	put32(k + 64 + 28, 2 * MB);
	put32(k + 64 + 24, 0xffffffff);
	load_bad(&r, &f, "cannot be loaded");
	free(k);
}

static void test_mutations(void **state)
{
	struct image_files f = { .initrd = "0123456", .initrd_size = 8, .cmdline = "x" };
	unsigned loaded;
	uint8_t *k;
	struct ram r;

	(void)state;
	ram_init(&r, 8 * MB, 0, false);
	f.kernel = k = make_elf(&f.kernel_size);
	loaded = load_mutations(&r, &f, SEGMENT32(1), 20000);
	assert_true(loaded > 1000 && loaded < 19000);
	free(k);
	f.kernel = k = make_flat(&f.kernel_size);
	loaded = load_mutations(&r, &f, 96, 20000);
	assert_true(loaded > 1000 && loaded < 19000);
	free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_elf),	   cmocka_unit_test(test_module), cmocka_unit_test(test_flat),
		cmocka_unit_test(test_modules),
		cmocka_unit_test(test_low_kernel), cmocka_unit_test(test_bad),	  cmocka_unit_test(test_flat_bad),
		cmocka_unit_test(test_texts), cmocka_unit_test(test_mutations),
	};
	return cmocka_run_group_tests_name("load_multiboot", tests, NULL, NULL);
}
