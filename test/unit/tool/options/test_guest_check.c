/* Kernels that are refused before a machine is started (tool/options/guest_check.c): a table of bad ones, each with its
 * sentence, and what RAM good ones need. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "test/unit/vm/load/elf_file.h"
#include "tool/options/guest_check.h"
#include "lib/multiboot.h"

enum { KERNEL_SIZE = 65536, LINUX_CODE = 32768 };

/* ---- good ones ---- */

/* A vmlinux of 64 bits: 1 MB at 16 MB, of which 8 KB are in the file. */
static void vmlinux64(uint8_t *k)
{
	put_elf64(k, 16 * MB, 1);
	put_segment64(k, 0, 8192, 0xffffffff81000000, 16 * MB, 8192, MB);
}

static void vmlinux32(uint8_t *k)
{
	put_elf32(k, 16 * MB, 1);
	put_segment32(k, 0, 8192, 0xc1000000, 16 * MB, 8192, MB);
}

static void put_multiboot(uint8_t *header, uint32_t flags)
{
	put32(header, MULTIBOOT_HEADER_MAGIC);
	put32(header + 4, flags);
	put32(header + 8, 0 - MULTIBOOT_HEADER_MAGIC - flags);
}

static void multiboot(uint8_t *k)
{
	put_elf32(k, 2 * MB, 1);
	put_segment32(k, 0, 4096, 2 * MB, 2 * MB, 8192, 16384);
	put_multiboot(k + 4096, 3);
}

/* GRUB loads such by their program headers. */
static void multiboot64(uint8_t *k)
{
	put_elf64(k, 2 * MB, 1);
	put_segment64(k, 0, 4096, 2 * MB, 2 * MB, 8192, 16384);
	put_multiboot(k + 4096, 3);
}

/* A Multiboot kernel that says itself where it lies: at 1 MB, all of the file from byte 4096 on. */
static void multiboot_addresses(uint8_t *k)
{
	put_multiboot(k + 4096, 0x10003);
	put32(k + 4096 + 12, MB);
	put32(k + 4096 + 16, MB);
	put32(k + 4096 + 28, MB + 64);
}

static void bzimage(uint8_t *k)
{
	k[0x1f1] = 1;
	put32(k + 0x1f4, LINUX_CODE / 16);
	put16(k + 0x1fe, 0xaa55);
	k[0x201] = 0x6a;
	put32(k + 0x202, 0x53726448);
	put16(k + 0x206, 0x20f);
	put32(k + 0x22c, 0x7fffffff);
	put16(k + 0x236, 1);
	put32(k + 0x238, 2047);
	put64(k + 0x258, 16 * MB);
	put32(k + 0x260, 4 * MB);
}

/* ---- bad ones ---- */

static void nothing(uint8_t *k) { (void)k; }
static void elf_other_machine(uint8_t *k) { vmlinux64(k), put16(k + 18, 183); }
static void elf_relocatable(uint8_t *k) { vmlinux32(k), put16(k + 16, 1); }
static void elf_shared(uint8_t *k) { vmlinux64(k), put16(k + 16, 3); }
static void elf_big_endian(uint8_t *k) { vmlinux64(k), k[5] = 2; }
static void elf_no_segments(uint8_t *k) { put_elf64(k, 16 * MB, 0); }
static void elf_odd_headers(uint8_t *k) { vmlinux64(k), put16(k + 54, 64); }
static void elf_headers_outside(uint8_t *k) { vmlinux64(k), put64(k + 32, KERNEL_SIZE - 8); }
static void elf_headers_wrap(uint8_t *k) { vmlinux64(k), put64(k + 32, UINT64_MAX - 8); }
static void elf_nothing_to_load(uint8_t *k) { vmlinux64(k), put32(k + 64, 4); }
static void elf_cut(uint8_t *k) { vmlinux64(k), put64(k + 64 + 32, MB); }
static void elf32_cut(uint8_t *k) { vmlinux32(k), put32(k + 52 + 16, MB); }
static void elf_more_in_file(uint8_t *k) { vmlinux64(k), put64(k + 64 + 40, 100); }
static void elf_entry_outside(uint8_t *k) { vmlinux64(k), put64(k + 24, 64 * MB); }
static void elf32_entry_outside(uint8_t *k) { multiboot(k), put32(k + 24, 64 * MB); }
static void elf_overlap(uint8_t *k)
{
	put_elf64(k, 16 * MB, 2);
	put_segment64(k, 0, 8192, 0xffffffff81000000, 16 * MB, 8192, MB);
	put_segment64(k, 1, 8192, 0xffffffff81080000, 16 * MB + MB / 2, 8192, MB);
}
static void elf_too_high(uint8_t *k) { vmlinux64(k), put64(k + 64 + 24, 5ull << 30), put64(k + 24, 5ull << 30); }
static void elf_in_the_hole(uint8_t *k) { multiboot(k), put32(k + 52 + 12, 0x9e000), put32(k + 24, 0x9e000); }
static void elf_wraps(uint8_t *k) { vmlinux64(k), put64(k + 64 + 24, UINT64_MAX - 4095); }
static void a_program(uint8_t *k)
{
	put_elf64(k, 0x400000, 1);
	put_segment64(k, 0, 8192, 0x400000, 0x400000, 8192, 8192);
}
static void a_program32(uint8_t *k)
{
	put_elf32(k, 0x400000, 1);
	put_segment32(k, 0, 8192, 0x400000, 0x400000, 8192, 8192);
}
static void elf_over_the_tables(uint8_t *k)
{
	put_elf64(k, 0x8000, 1);
	put_segment64(k, 0, 8192, 0xffffffff81000000, 0x8000, 8192, 8192);
}

static void multiboot_unknown(uint8_t *k) { multiboot(k), put_multiboot(k + 4096, 0x23); }
static void multiboot_video(uint8_t *k) { multiboot(k), put_multiboot(k + 4096, 7); }
static void multiboot_begins_before(uint8_t *k) { multiboot_addresses(k), put32(k + 4096 + 16, MB - 8192); }
static void multiboot_ends_before(uint8_t *k) { multiboot_addresses(k), put32(k + 4096 + 20, MB - 1); }
static void multiboot_entry(uint8_t *k) { multiboot_addresses(k), put32(k + 4096 + 28, 4 * MB); }
static void multiboot_cut(uint8_t *k) { multiboot_addresses(k), put32(k + 4096 + 20, 2 * MB); }
static void multiboot_header_cut(uint8_t *k) { put_multiboot(k, 0x10000); }
static void multiboot_nowhere(uint8_t *k) { put_multiboot(k + 4096, 3); }

static void multiboot_checksum(uint8_t *k) { multiboot(k), put32(k + 4096 + 8, 1); }
static void multiboot2(uint8_t *k) { put32(k + 4096, MULTIBOOT2_HEADER_MAGIC); }
static void multiboot2_elf(uint8_t *k) { a_program(k), put32(k + 8192, MULTIBOOT2_HEADER_MAGIC); }

static void bzimage_old(uint8_t *k) { bzimage(k), put16(k + 0x206, 0x105); }
static void bzimage_before_3_8(uint8_t *k) { bzimage(k), put16(k + 0x206, 0x20b); }
static void bzimage_empty(uint8_t *k) { bzimage(k), put32(k + 0x1f4, 0); }
static void bzimage_cut(uint8_t *k) { bzimage(k), put32(k + 0x1f4, MB / 16); }
static void bzimage_place(uint8_t *k) { bzimage(k), put64(k + 0x258, 0x1234); }
static void bzimage_too_high(uint8_t *k) { bzimage(k), put64(k + 0x258, 4ull << 30); }

static const struct {
	const char *name;
	void (*make)(uint8_t *k);
	size_t size; /* 0: KERNEL_SIZE */
	const char *sentence;
} bad[] = {
	{ "zeros", nothing, 0, "(65536 bytes) is neither a Linux bzImage or vmlinux nor a Multiboot 1 kernel" },
	{ "one byte", nothing, 1, "(1 bytes) is neither" },
	{ "ELF header cut", vmlinux64, 40, "cut short: it has 40 bytes, its ELF header should end at byte 64" },
	{ "ELF32 header cut", vmlinux32, 40, "cut short: it has 40 bytes, its ELF header should end at byte 52" },
	{ "another machine's", elf_other_machine, 0, "an ELF file, but not a 64-bit executable for x86" },
	{ "an object", elf_relocatable, 0, "an ELF file, but not a 32-bit executable for x86" },
	{ "a shared object", elf_shared, 0, "an ELF file, but not a 64-bit executable for x86" },
	{ "big-endian", elf_big_endian, 0, "not a 64-bit executable for x86" },
	{ "no segments", elf_no_segments, 0, "without usable program headers (0 of 56 bytes)" },
	{ "odd headers", elf_odd_headers, 0, "without usable program headers (1 of 64 bytes)" },
	{ "headers outside", elf_headers_outside, 0, "cut short: it has 65536 bytes, its table of program headers" },
	{ "headers that wrap", elf_headers_wrap, 0, "its table of program headers would begin at byte 1844" },
	{ "nothing to load", elf_nothing_to_load, 0, "in which there is nothing to load" },
	{ "ELF64 cut", elf_cut, 0, "cut short: it has 65536 bytes, its segment should end at byte 1056768" },
	{ "ELF32 cut", elf32_cut, 0, "cut short: it has 65536 bytes, its segment should end at byte 1056768" },
	{ "more in the file", elf_more_in_file, 0, "has 8192 bytes in the file but 100 in memory" },
	{ "entry outside", elf_entry_outside, 0, "its entry 0x4000000 is in none of its segments" },
	{ "Multiboot entry outside", elf32_entry_outside, 0, "its entry 0x4000000 is in none of its segments" },
	{ "overlap", elf_overlap, 0, "cannot be loaded at 0x1080000 to 0x1180000: the kernel is there" },
	{ "too high", elf_too_high, 0, "it reaches to 5121 MB, a machine has RAM to load into only up to 3072 MB" },
	{ "in the hole", elf_in_the_hole, 0, "there is no RAM from 0x9fc00 to 0x100000" },
	{ "wraps", elf_wraps, 0, "it would begin at 0xfffffffffffff000 and be 1048576 bytes long" },
	{ "a program", a_program, 0, "a 64-bit ELF program, but not a Linux kernel" },
	{ "a 32-bit program", a_program32, 0, "not a Linux kernel, nor has it a Multiboot header" },
	{ "over the loader's tables", elf_over_the_tables, 0, "the loader's tables is there" },
	{ "Multiboot: unknown", multiboot_unknown, 0, "demands what no loader knows (header flags 0x20)" },
	{ "Multiboot: video", multiboot_video, 0, "demands a video mode, and the machine has no screen" },
	{ "Multiboot: before the file", multiboot_begins_before, 0, "says that it begins before the file" },
	{ "Multiboot: ends first", multiboot_ends_before, 0, "its Multiboot header contradict each other" },
	{ "Multiboot: entry", multiboot_entry, 0, "its Multiboot header contradict each other" },
	{ "Multiboot: cut", multiboot_cut, 0, "cut short: it has 65536 bytes, its code should end at byte 1052672" },
	{ "Multiboot: header cut", multiboot_header_cut, 16, "its Multiboot header should end at byte 32" },
	{ "Multiboot: nowhere", multiboot_nowhere, 0, "its header does not say where it is loaded" },
	{ "Multiboot: checksum", multiboot_checksum, 0, "there is a Multiboot header in it, but its checksum" },
	{ "Multiboot 2", multiboot2, 0, "cannot be loaded: it is a Multiboot 2 kernel, of which there is no loader" },
	{ "Multiboot 2, ELF", multiboot2_elf, 0, "a 64-bit ELF program, but not a Linux kernel: it is a Multiboot 2" },
	{ "bzImage: header cut", bzimage, 0x240, "cut short: it has 576 bytes, its setup header should end" },
	{ "bzImage: old", bzimage_old, 0, "its boot protocol is 1.05, at least 2.00 is needed" },
	{ "bzImage: empty", bzimage_empty, 0, "its header says that it holds 0 bytes of code" },
	{ "bzImage: cut", bzimage_cut, 0, "cut short: it has 65536 bytes, its code should end at byte" },
	{ "bzImage: place", bzimage_place, 0, "it wants to be loaded at 0x1234" },
	{ "bzImage: too high", bzimage_too_high, 0, "it reaches to 4100 MB" },
};

static struct vm_config machine_of(uint64_t mem)
{
	struct vm_config vm;
	char error[100];

	assert_true(config_init(&vm, "guest", error, sizeof error));
	vm.mem = mem;
	return vm;
}

static bool check(const struct vm_config *vm, void (*make)(uint8_t *k), size_t size, size_t initrd,
		  struct guest_needs *needs, char *error, size_t error_size)
{
	uint8_t *whole = calloc(1, KERNEL_SIZE), *kernel;
	struct image_files files = { .initrd = initrd != 0 ? calloc(1, 1) : NULL, .initrd_size = initrd };
	bool good;

	make(whole);
	files.kernel_size = size != 0 ? size : KERNEL_SIZE;
	/* It ends where its allocation ends: the sanitizer sees what reads behind. */
	files.kernel = kernel = malloc(files.kernel_size);
	memcpy(kernel, whole, files.kernel_size);
	error[0] = 0;
	good = guest_check(vm, &files, false, needs, error, error_size);
	free(kernel);
	free(whole);
	free((void *)files.initrd);
	return good;
}

static void bad_kernels(void **state)
{
	struct vm_config vm = machine_of(256 * MB);
	struct guest_needs needs;
	struct timespec t;
	char error[300];
	double start;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &t);
	start = (double)t.tv_sec + (double)t.tv_nsec / 1e9;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (check(&vm, bad[i].make, bad[i].size, 0, &needs, error, sizeof error) ||
		    strstr(error, bad[i].sentence) == NULL)
			fail_msg("%s: \"%s\"", bad[i].name, error);
	clock_gettime(CLOCK_MONOTONIC, &t);
	assert_true((double)t.tv_sec + (double)t.tv_nsec / 1e9 - start < 1);
}

/* What is wrong with a kernel is said also where there is too little RAM for it. */
static void bad_and_too_big(void **state)
{
	struct vm_config vm = machine_of(MB);
	struct guest_needs needs;
	char error[300];

	(void)state;
	assert_false(check(&vm, elf_entry_outside, 0, 0, &needs, error, sizeof error));
	assert_non_null(strstr(error, "is in none of its segments"));
}

static const struct {
	void (*make)(uint8_t *k);
	size_t initrd;
	uint64_t load, run; /* MB */
	const char *sentence;
} good[] = {
	{ vmlinux64, 0, 17, 25, "the kernel needs about 25 MB of RAM, and guest has 16 MB (mem)" },
	/* It fits below the kernel; it does not. */
	{ vmlinux64, 5 * MB, 17, 30, "the kernel with its initrd needs about 30 MB of RAM, and guest has 16 MB (mem)" },
	{ vmlinux64, 20 * MB, 37, 65, "the kernel with its initrd needs about 65 MB of RAM, and guest has 36 MB" },
	{ vmlinux32, 0, 17, 25, "the kernel needs about 25 MB" },
	{ bzimage, 0, 20, 28, "the kernel needs about 28 MB of RAM, and guest has 19 MB (mem)" },
	{ multiboot, 0, 3, 3, "the kernel needs 3 MB of RAM, and guest has 2 MB (mem)" },
	{ multiboot64, 0, 3, 3, "the kernel needs 3 MB of RAM, and guest has 2 MB (mem)" },
	{ multiboot, 4 * MB, 7, 7, "the kernel with its module needs 7 MB of RAM, and guest has 6 MB (mem)" },
	{ multiboot_addresses, 0, 2, 2, "the kernel needs 2 MB of RAM, and guest has 1 MB (mem)" },
};

/* The least RAM is told at once, whatever is short first: with it, it is loaded, and with 1 MB less it is not. */
static void least_ram(void **state)
{
	struct guest_needs needs;
	struct vm_config vm;
	char error[300];

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		vm = machine_of(good[i].load * MB);
		if (!check(&vm, good[i].make, 0, good[i].initrd, &needs, error, sizeof error))
			fail_msg("%zu: %s", i, error);
		assert_int_equal(needs.load / MB, good[i].load);
		assert_int_equal(needs.run / MB, good[i].run);
		vm = machine_of((good[i].load - 1) * MB);
		assert_false(check(&vm, good[i].make, 0, good[i].initrd, &needs, error, sizeof error));
		if (strstr(error, good[i].sentence) == NULL)
			fail_msg("%zu: %s", i, error);
	}
}

static void expect_kind(void (*make)(uint8_t *k), enum guest_kind kind)
{
	char path[] = "/tmp/vellum-guest-test-XXXXXX";
	uint8_t *k = calloc(1, KERNEL_SIZE);
	int file = mkstemp(path);

	assert_true(file >= 0);
	make(k);
	assert_int_equal(write(file, k, KERNEL_SIZE), KERNEL_SIZE);
	close(file);
	assert_int_equal(guest_kind(path), kind);
	unlink(path);
	free(k);
}

/* Not every ELF file of 64 bits is Linux. */
static void kinds(void **state)
{
	(void)state;
	expect_kind(vmlinux64, GUEST_LINUX_64);
	expect_kind(vmlinux32, GUEST_LINUX_32);
	expect_kind(bzimage, GUEST_LINUX_64);
	expect_kind(bzimage_before_3_8, GUEST_OTHER);
	expect_kind(multiboot, GUEST_OTHER);
	expect_kind(multiboot64, GUEST_OTHER);
	expect_kind(multiboot_addresses, GUEST_OTHER);
	expect_kind(a_program, GUEST_OTHER);
	expect_kind(nothing, GUEST_OTHER);
	assert_int_equal(guest_kind("/nonexistent"), GUEST_OTHER);
}

/* An initrd that no RAM is enough for. */
static void too_much(void **state)
{
	struct vm_config vm = machine_of(8ull << 30);
	struct guest_needs needs;
	char error[300];

	(void)state;
	assert_false(check(&vm, multiboot, 0, 4ull << 30, &needs, error, sizeof error));
	assert_non_null(strstr(error, "cannot be loaded: it reaches to 4096 MB"));
}

static void command_line(void **state)
{
	struct vm_config vm = machine_of(64 * MB);
	struct guest_needs needs;
	char error[300];

	(void)state;
	memset(vm.append, 'x', CONFIG_APPEND_MAX);
	assert_true(check(&vm, vmlinux64, 0, 0, &needs, error, sizeof error));
	memset(vm.append, 0, sizeof vm.append);
	memset(vm.append, 'x', 300);
	assert_true(check(&vm, bzimage, 0, 0, &needs, error, sizeof error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_kernels), cmocka_unit_test(bad_and_too_big), cmocka_unit_test(least_ram),
		cmocka_unit_test(too_much),    cmocka_unit_test(command_line),
		cmocka_unit_test(kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
