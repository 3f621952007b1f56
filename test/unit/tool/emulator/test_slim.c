/* The kernel's copy for the boot image loads what the kernel itself would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tool/emulator/slim.h"
#include "lib/multiboot.h"

enum { BASE = 0x1000000, MEMORY = 4 << 20, IMAGE = 3 << 20 };

/* What a loader puts in memory from BASE on; everything else stays 0xcc. */
static unsigned char *loaded(const struct bytes *image)
{
	unsigned char *memory = malloc(MEMORY);
	Elf64_Ehdr header;

	assert_non_null(memory);
	memset(memory, 0xcc, MEMORY);
	memcpy(&header, image->data, sizeof header);
	assert_int_equal(header.e_entry, BASE + 0x40);
	for (unsigned i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr part;

		assert_true(header.e_phoff + (i + 1) * sizeof part <= image->length);
		memcpy(&part, image->data + header.e_phoff + i * sizeof part, sizeof part);
		if (part.p_type != PT_LOAD)
			continue;
		assert_true(part.p_offset + part.p_filesz <= image->length && part.p_filesz <= part.p_memsz);
		assert_true(part.p_paddr >= BASE && part.p_paddr + part.p_memsz <= BASE + MEMORY);
		assert_int_equal(part.p_vaddr - part.p_paddr, 0xffffffff80000000u);
		memset(memory + (part.p_paddr - BASE), 0, part.p_memsz);
		memcpy(memory + (part.p_paddr - BASE), image->data + part.p_offset, part.p_filesz);
	}
	return memory;
}

static void segment(struct bytes *image, unsigned number, Elf64_Word type, size_t offset, size_t address, size_t filesz,
		    size_t memsz)
{
	Elf64_Phdr part = { .p_type = type,
			    .p_flags = PF_R,
			    .p_offset = offset,
			    .p_vaddr = 0xffffffff80000000u + BASE + address,
			    .p_paddr = BASE + address,
			    .p_filesz = filesz,
			    .p_memsz = memsz,
			    .p_align = 4096 };

	memcpy(image->data + sizeof(Elf64_Ehdr) + number * sizeof part, &part, sizeof part);
}

/* A kernel with holes inside and behind, a note in its first segment, an empty segment, and symbols behind it all. */
static struct bytes kernel(void)
{
	struct bytes image = { 0 };
	Elf64_Ehdr header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			      .e_type = ET_EXEC,
			      .e_machine = EM_X86_64,
			      .e_entry = BASE + 0x40,
			      .e_phoff = sizeof header,
			      .e_phentsize = sizeof(Elf64_Phdr),
			      .e_phnum = 4,
			      .e_shoff = IMAGE - 100,
			      .e_shnum = 3 };

	image.data = calloc(1, IMAGE + 1);
	assert_non_null(image.data);
	image.length = image.room = IMAGE;
	memcpy(image.data, &header, sizeof header);
	segment(&image, 0, PT_LOAD, 0x1000, 0, 0x180000, 0x180000);
	segment(&image, 1, PT_LOAD, 0x200000, 0x200000, 0x5000, 0x100000);
	segment(&image, 2, PT_LOAD, 0x205000, 0x380000, 0, 0x1000);
	segment(&image, 3, PT_NOTE, 0x1000 + 0x100, 0x100, 16, 16);
	memset(image.data + 0x1000, 1, 0x2000);
	memset(image.data + 0x3000 + 100, 2, 50);
	memset(image.data + 0x150000, 3, 0x1000);
	memset(image.data + 0x200000, 4, 0x3333);
	memset(image.data + IMAGE - 1000, 5, 1000);
	return image;
}

static void the_same_memory_from_a_smaller_file(void **state)
{
	struct bytes image = kernel(), small = { 0 };
	unsigned char *before, *after;

	(void)state;
	assert_true(slim_elf(&image, &small));
	assert_true(small.length < 0x8000);
	before = loaded(&image);
	after = loaded(&small);
	assert_memory_equal(before, after, MEMORY);
	free(before);
	free(after);
	bytes_free(&small);
	bytes_free(&image);
}

static void the_note_moves_with_its_segment(void **state)
{
	struct bytes image = kernel(), small = { 0 };
	Elf64_Ehdr header;
	Elf64_Phdr part = { 0 };
	bool found = false;

	(void)state;
	memcpy(image.data + 0x1100, "a note of a test", 16);
	assert_true(slim_elf(&image, &small));
	memcpy(&header, small.data, sizeof header);
	for (unsigned i = 0; i < header.e_phnum && !found; i++) {
		memcpy(&part, small.data + header.e_phoff + i * sizeof part, sizeof part);
		found = part.p_type == PT_NOTE;
	}
	assert_true(found);
	assert_memory_equal(small.data + part.p_offset, "a note of a test", 16);
	bytes_free(&small);
	bytes_free(&image);
}

static void what_is_no_sound_kernel_is_left_alone(void **state)
{
	struct bytes image = kernel(), small = { 0 }, cut;

	(void)state;
	/* Cut short anywhere: the hypervisor is to say so, not we. */
	for (size_t length = 0; length < 0x205000; length += length < 400 ? 1 : 65536) {
		cut = (struct bytes){ .data = malloc(length + 1), .length = length };
		assert_non_null(cut.data);
		memcpy(cut.data, image.data, length);
		assert_false(slim_elf(&cut, &small));
		free(cut.data);
	}
	image.data[EI_CLASS] = ELFCLASS32;
	assert_false(slim_elf(&image, &small));
	image.data[EI_CLASS] = ELFCLASS64;
	segment(&image, 0, PT_LOAD, 0x1000, 0, 0x180000, 0x17ffff);
	assert_false(slim_elf(&image, &small));
	segment(&image, 0, PT_LOAD, ~(size_t)0, 0, 0x180000, 0x180000);
	assert_false(slim_elf(&image, &small));
	assert_int_equal(small.length, 0);
	bytes_free(&image);
	bytes_free(&small);
}

/* A Multiboot header with address fields counts file offsets from itself; without them the ELF headers are all that
 * counts. */
static void a_kernel_with_multiboot_addresses_is_left_alone(void **state)
{
	uint32_t header[3] = { MULTIBOOT_HEADER_MAGIC, MULTIBOOT_ADDRESSES, 0 };
	struct bytes image = kernel(), small = { 0 };

	(void)state;
	header[2] = 0u - header[0] - header[1];
	memcpy(image.data + 0x1200, header, sizeof header);
	assert_false(slim_elf(&image, &small));
	header[1] = 0;
	header[2] = 0u - header[0];
	memcpy(image.data + 0x1200, header, sizeof header);
	assert_true(slim_elf(&image, &small));
	bytes_free(&small);
	bytes_free(&image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kernel_with_multiboot_addresses_is_left_alone),
		cmocka_unit_test(the_same_memory_from_a_smaller_file),
		cmocka_unit_test(the_note_moves_with_its_segment),
		cmocka_unit_test(what_is_no_sound_kernel_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
