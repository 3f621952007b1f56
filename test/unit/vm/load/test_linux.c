#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "test/unit/vm/load/bzimage.h"

static void check_tables(struct ram *r, const struct cpu_start *s)
{
	assert_int_equal(s->mode, START_LONG64);
	assert_int_equal(s->cs, 0x10);
	assert_int_equal(s->ds, 0x18);
	assert_true(s->gdt_limit >= 0x1f);
	assert_int_equal(ram_u64(r, s->gdt_base + 0x10), 0x00af9b000000ffff);
	assert_int_equal(ram_u64(r, s->gdt_base + 0x18), 0x00cf93000000ffff);
	/* The first 4 GiB are mapped to themselves by 2 MiB pages. */
	for (uint64_t va = 0; va < 4ull << 30; va += 2 * MB) {
		uint64_t pml4e = ram_u64(r, s->cr3 + (va >> 39) * 8);
		uint64_t pdpte = ram_u64(r, (pml4e & ~0xfffull) + (va >> 30 & 511) * 8);
		uint64_t pde = ram_u64(r, (pdpte & ~0xfffull) + (va >> 21 & 511) * 8);

		assert_int_equal(pml4e & 0xfff, 3);
		assert_int_equal(pdpte & 0xfff, 3);
		assert_int_equal(pde, va | 0x83);
	}
	assert_int_equal(ram_u64(r, s->cr3 + 8), 0);
	assert_true(s->rsp > s->gdt_base + s->gdt_limit);
}

static void test_bzimage(void **state)
{
	size_t n, initrd_size = 3 * 4096 + 5;
	uint8_t *k = make_bzimage(&n), *initrd = malloc(initrd_size);
	struct image_files f = { .kernel = k,
				 .kernel_size = n,
				 .initrd = initrd,
				 .initrd_size = initrd_size,
				 .cmdline = "console=ttyS0 a" };
	struct cpu_start s;
	struct ram r;
	uint64_t at;

	(void)state;
	memset(initrd, 0x5c, initrd_size);
	ram_init(&r, 32 * MB, 5ull << 30, true);
	s = load_ok(&r, &f);
	assert_int_equal(s.rip, 16 * MB + 0x200);
	assert_memory_equal(r.bytes + 16 * MB, k + SETUP, CODE);
	check_tables(&r, &s);
	check_e820(&r, s.rsi, 32 * MB, 5ull << 30);
	assert_memory_equal(r.bytes + s.rsi + 0x206, k + 0x206, 10); /* up to type_of_loader */
	assert_memory_equal(r.bytes + s.rsi + 0x22c, k + 0x22c, 0x26c - 0x22c);
	assert_int_equal(ram_u64(&r, s.rsi + 0x070), 0xe0000);
	assert_int_equal(r.bytes[s.rsi + 0x1ef], 0); /* the sentinel */
	assert_int_equal(r.bytes[s.rsi + 0x290], 0);
	assert_int_equal(r.bytes[s.rsi + 0x210], 0xff);
	assert_string_equal(ram_text(&r, ram_u32(&r, s.rsi + 0x228)), "console=ttyS0 a");
	at = ram_u32(&r, s.rsi + 0x218);
	assert_int_equal(at, 32 * MB - 4 * 4096); /* as high as it fits */
	assert_int_equal(ram_u32(&r, s.rsi + 0x21c), initrd_size);
	assert_memory_equal(r.bytes + at, initrd, initrd_size);
	/* The kernel asks for a lower place: that is where it goes. */
	put32(k + 0x22c, 24 * MB - 1);
	s = load_ok(&r, &f);
	assert_int_equal(ram_u32(&r, s.rsi + 0x218), 24 * MB - 4 * 4096);
	ram_free(&r);
	free(initrd);
	free(k);
}

static void test_bzimage32(void **state)
{
	size_t n;
	uint8_t *k = make_bzimage(&n);
	struct image_files f = {
		.kernel = k, .kernel_size = n, .initrd = "initrd", .initrd_size = 6, .cmdline = "quiet"
	};
	struct cpu_start s;
	struct ram r;

	(void)state;
	ram_init(&r, 32 * MB, 0, true);
	put16(k + 0x236, 0);
	put32(k + 0x22c, 0x37ffffff);
	s = load_ok(&r, &f);
	check_start32(&r, &s);
	assert_int_equal(s.rip, 16 * MB);
	assert_memory_equal(r.bytes + 16 * MB, k + SETUP, CODE);
	check_e820(&r, s.rsi, 32 * MB, 0);
	assert_int_equal(ram_u32(&r, s.rsi + 0x218), 32 * MB - 4096);
	assert_string_equal(ram_text(&r, ram_u32(&r, s.rsi + 0x228)), "quiet");
	ram_free(&r);
	free(k);
}

static void test_bzimage_bad(void **state)
{
	size_t n;
	uint8_t *k = make_bzimage(&n);
	struct image_files f = { .kernel = k, .kernel_size = n, .cmdline = "" };
	char longline[2100];
	struct ram r;

	(void)state;
	ram_init(&r, 32 * MB, 0, false);
	f.kernel_size = n - 16;
	load_bad(&r, &f, "the kernel image is cut short: it has 6640 bytes, its code should end at byte 6641");
	f.kernel_size = 0x220;
	load_bad(&r, &f, "cut short");
	f.kernel_size = n;
	memset(longline, 'x', sizeof(longline) - 1);
	longline[sizeof(longline) - 1] = 0;
	f.cmdline = longline;
	load_bad(&r, &f, "the command line has 2099 characters, this kernel takes 2047");
	f.cmdline = "";
	f.initrd = k;
	f.initrd_size = 15 * MB + 1;
	load_bad(&r, &f, "the kernel with its initrd needs 36 MB of RAM, the machine has 32 MB");
	f.initrd_size = 0;
	put32(k + 0x260, 17 * MB);
	load_bad(&r, &f, "the kernel needs 33 MB of RAM, the machine has 32 MB");
	put32(k + 0x260, 4 * MB);
	put64(k + 0x258, 0x8000);
	load_bad(&r, &f, "it wants to be loaded at 0x8000");
	put64(k + 0x258, 0xfffffffffffff000);
	load_bad(&r, &f, "cannot be loaded");
	put64(k + 0x258, 16 * MB);
	put16(k + 0x206, 0x105);
	load_bad(&r, &f, "its boot protocol is 1.05, at least 2.00 is needed");
	put16(k + 0x206, 0x20f);
	put32(k + 0x1f4, 0);
	load_bad(&r, &f, "damaged");
	put32(k + 0x1f4, CODE / 16);
	r.refuse = true;
	load_bad(&r, &f, "the host has too little memory");
	ram_free(&r);
	free(k);
}

/* Nothing behind the entry; another magic. */
static void test_bzimage_header(void **state)
{
	size_t n;
	uint8_t *k = make_bzimage(&n);
	struct image_files f = { .kernel = k, .kernel_size = n, .cmdline = "" };
	struct ram r;

	(void)state;
	ram_init(&r, 32 * MB, 0, false);
	put32(k + 0x1f4, (0x200 + 16) / 16);
	load_bad(&r, &f, "it holds 528 bytes of code");
	put32(k + 0x1f4, CODE / 16);
	k[0x205] = 'X';
	load_bad(&r, &f, "neither");
	ram_free(&r);
	free(k);
}

/* A vmlinux: text at 16 MiB, data with BSS at 20 MiB, and a segment linked at 0, as the per-CPU variables are. */
static uint8_t *make_vmlinux(size_t *n)
{
	uint8_t *p = calloc(1, 8192);

	put_elf64(p, 16 * MB, 4);
	put_segment64(p, 0, 4096, 0xffffffff81000000, 16 * MB, 2048, 2048);
	put_segment64(p, 1, 6144, 0xffffffff81400000, 20 * MB, 1024, 9000);
	put_segment64(p, 2, 7168, 0, 22 * MB, 1024, 4096);
	put32(p + SEGMENT64(3), 4); /* a note */
	put64(p + SEGMENT64(3) + 8, 0x123456789); /* whose place does not matter */
	memset(p + 4096, 0x11, 2048);
	memset(p + 6144, 0x22, 1024);
	memset(p + 7168, 0x33, 1024);
	*n = 8192;
	return p;
}

static void test_vmlinux(void **state)
{
	size_t n;
	uint8_t *k = make_vmlinux(&n);
	struct image_files f = { .kernel = k, .kernel_size = n, .cmdline = "x" };
	struct cpu_start s;
	struct ram r;

	(void)state;
	ram_init(&r, 32 * MB, 0, true);
	s = load_ok(&r, &f);
	assert_int_equal(s.rip, 16 * MB);
	check_tables(&r, &s);
	check_e820(&r, s.rsi, 32 * MB, 0);
	assert_memory_equal(r.bytes + 16 * MB, k + 4096, 2048);
	assert_memory_equal(r.bytes + 20 * MB, k + 6144, 1024);
	for (unsigned i = 1024; i < 9000; i++)
		assert_int_equal(r.bytes[20 * MB + i], 0);
	assert_int_equal(r.bytes[20 * MB + 9000], 0xaa);
	assert_memory_equal(r.bytes + 22 * MB, k + 7168, 1024);
	assert_int_equal(ram_u32(&r, s.rsi + 0x202), 0x53726448);
	assert_int_equal(ram_u16(&r, s.rsi + 0x1fe), 0xaa55);
	assert_true(ram_u16(&r, s.rsi + 0x206) >= 0x20c);
	assert_int_equal(ram_u32(&r, s.rsi + 0x218), 0); /* no initrd */
	assert_string_equal(ram_text(&r, ram_u32(&r, s.rsi + 0x228)), "x");
	/* A note's place does not matter, whatever it says. */
	put64(k + SEGMENT64(3) + 24, 0xfffffffffffff000);
	put64(k + SEGMENT64(3) + 40, 0x2000);
	load_ok(&r, &f);
	/* The entry as a virtual address means the same place. */
	put64(k + 24, 0xffffffff81000040);
	s = load_ok(&r, &f);
	assert_int_equal(s.rip, 16 * MB + 0x40);
	ram_free(&r);
	free(k);
}

static void bad_sizes(struct ram *r, struct image_files *f)
{
	size_t n = f->kernel_size;

	f->kernel_size = 7000;
	load_bad(r, f, "the kernel image is cut short: it has 7000 bytes, its segment should end at byte 7168");
	f->kernel_size = 100;
	load_bad(r, f, "its table of program headers should end at byte 288");
	f->kernel_size = 20;
	load_bad(r, f, "its ELF header should end at byte 64");
	f->kernel_size = 0;
	load_bad(r, f, "empty");
	f->kernel_size = 3;
	load_bad(r, f, "neither");
	f->kernel_size = n;
}

static void bad_segments(struct ram *r, const struct image_files *f, uint8_t *k)
{
	put_segment64(k, 2, 7168, 0, 20 * MB + 8, 1024, 4096);
	load_bad(r, f, "the kernel is there");
	put_segment64(k, 2, 7168, 0, 0x7000, 1024, 4096);
	load_bad(r, f, "the loader's tables is there");
	put_segment64(k, 2, 7168, 0, 0x9f000, 1024, 0x1000);
	load_bad(r, f, "there is no RAM from 0x9fc00 to 0x100000");
	put_segment64(k, 2, 7168, 0, 22 * MB, 1024, 512);
	load_bad(r, f, "damaged");
	put_segment64(k, 2, 0xfffffffffffffff0, 0, 22 * MB, 1024, 4096);
	load_bad(r, f, "damaged");
	put_segment64(k, 2, 0, 0, 0xfffffffffffff000, 1024, 8192);
	load_bad(r, f, "cannot be loaded");
	put_segment64(k, 2, 0, 0, 4ull << 30, 1024, 8192);
	load_bad(r, f, "only up to 3072 MB");
}

static void test_vmlinux_bad(void **state)
{
	size_t n;
	uint8_t *k = make_vmlinux(&n);
	struct image_files f = { .kernel = k, .kernel_size = n, .cmdline = "" };
	struct ram r;

	(void)state;
	ram_init(&r, 16 * MB, 0, false);
	load_bad(&r, &f, "the kernel needs 23 MB of RAM, the machine has 16 MB");
	ram_free(&r);
	ram_init(&r, 32 * MB, 0, false);
	bad_sizes(&r, &f);
	put64(k + 24, 0x999999);
	load_bad(&r, &f, "damaged: its entry 0x999999 is in none");
	put64(k + 24, 16 * MB);
	bad_segments(&r, &f, k);
	put16(k + 56, 2);
	put_segment64(k, 0, 4096, 0x400000, 16 * MB, 2048, 2048);
	put_segment64(k, 1, 6144, 0x600000, 20 * MB, 1024, 9000);
	load_bad(&r, &f, "not a Linux kernel");
	put16(k + 56, 0);
	load_bad(&r, &f, "without usable program headers");
	put16(k + 18, 183);
	load_bad(&r, &f, "not a 64-bit executable for x86");
	free(k);
}

static uint8_t *make_vmlinux32(size_t *n)
{
	uint8_t *p = calloc(1, 8192);

	put_elf32(p, 16 * MB, 2);
	put_segment32(p, 0, 4096, 0xc1000000, 16 * MB, 2048, 2048);
	put_segment32(p, 1, 6144, 0xc1400000, 20 * MB, 1024, 9000);
	memset(p + 4096, 0x11, 2048);
	memset(p + 6144, 0x22, 1024);
	*n = 8192;
	return p;
}

static void test_vmlinux32(void **state)
{
	size_t n;
	uint8_t *k = make_vmlinux32(&n);
	struct image_files f = { .kernel = k, .kernel_size = n, .initrd = "initrd", .initrd_size = 6, .cmdline = "x" };
	struct cpu_start s;
	struct ram r;

	(void)state;
	ram_init(&r, 32 * MB, 0, true);
	s = load_ok(&r, &f);
	check_start32(&r, &s);
	assert_int_equal(s.rip, 16 * MB);
	assert_memory_equal(r.bytes + 16 * MB, k + 4096, 2048);
	assert_memory_equal(r.bytes + 20 * MB, k + 6144, 1024);
	assert_int_equal(r.bytes[20 * MB + 8999], 0);
	assert_int_equal(ram_u32(&r, s.rsi + 0x202), 0x53726448);
	assert_int_equal(ram_u16(&r, s.rsi + 0x236) & 1, 0);
	assert_int_equal(ram_u32(&r, s.rsi + 0x22c), 0x37ffffff);
	ram_free(&r);
	/* The initrd lies in what the kernel maps at its start, however much RAM there is. */
	ram_init(&r, 2048 * MB, 0, true);
	s = load_ok(&r, &f);
	assert_int_equal(ram_u32(&r, s.rsi + 0x218), 0x38000000 - 4096);
	/* Linked where it is loaded: an ordinary program. */
	put_segment32(k, 0, 4096, 16 * MB, 16 * MB, 2048, 2048);
	put_segment32(k, 1, 6144, 20 * MB, 20 * MB, 1024, 9000);
	load_bad(&r, &f, "a 32-bit ELF program, but not a Linux kernel, nor has it a Multiboot header");
	ram_free(&r);
	free(k);
}

static void test_mutations(void **state)
{
	struct image_files f = { .initrd = "0123456", .initrd_size = 8, .cmdline = "console=ttyS0" };
	unsigned loaded;
	uint8_t *k;
	struct ram r;

	(void)state;
	ram_init(&r, 32 * MB, 1ull << 30, false);
	f.kernel = k = make_bzimage(&f.kernel_size);
	loaded = load_mutations(&r, &f, 0x270, 20000);
	assert_true(loaded > 1000 && loaded < 19000);
	free(k);
	f.kernel = k = make_vmlinux(&f.kernel_size);
	loaded = load_mutations(&r, &f, SEGMENT64(4), 20000);
	assert_true(loaded > 1000 && loaded < 19000);
	free(k);
	f.kernel = k = make_vmlinux32(&f.kernel_size);
	loaded = load_mutations(&r, &f, SEGMENT32(2), 20000);
	assert_true(loaded > 1000 && loaded < 19000);
	free(k);
}

static void test_no_modules(void **state)
{
	size_t n;
	uint8_t *k = make_bzimage(&n);
	struct image_files f = { .kernel = k, .kernel_size = n, .cmdline = "", .modules = 1,
				 .module = { { "m", 1, "m" } } };
	struct ram r;

	(void)state;
	ram_init(&r, 64 * MB, 0, false);
	load_bad(&r, &f, "a Linux kernel takes no modules: give it one file as its initrd");
	f.modules = 0;
	load_ok(&r, &f);
	ram_free(&r);
	free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bzimage),	    cmocka_unit_test(test_bzimage_header),
		cmocka_unit_test(test_bzimage_bad), cmocka_unit_test(test_vmlinux),
		cmocka_unit_test(test_vmlinux_bad), cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_no_modules),
		cmocka_unit_test(test_bzimage32),   cmocka_unit_test(test_vmlinux32),
	};
	return cmocka_run_group_tests_name("load_linux", tests, NULL, NULL);
}
