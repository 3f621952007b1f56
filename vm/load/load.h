/* vm/load/load.h - what the loaders of the image formats share. Not for others: vm/load/image.h is the interface. */
#ifndef VELLUM_VM_LOAD_H
#define VELLUM_VM_LOAD_H

#include "vm/load/image.h"
#include "vm/load/linux.h"

/* Parts of RAM that are spoken for: the kernel's segments and what the loader places. */
#define LOAD_CLAIMS_MAX 32

struct load_claim {
	const char *what;
	uint64_t base;
	uint64_t end;
};

struct loader {
	const struct loader_memory *mem;
	const struct image_files *files;
	char *error;
	size_t error_size;
	struct load_claim claim[LOAD_CLAIMS_MAX];
	unsigned claims;
};

/* Sets the error; returns false, so that a check can `return load_fail(...)`. */
bool load_fail(struct loader *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Little-endian fields of the kernel image. The caller has checked that it is long enough. */
uint8_t load_u8(const struct loader *l, size_t offset);
uint16_t load_u16(const struct loader *l, size_t offset);
uint32_t load_u32(const struct loader *l, size_t offset);
uint64_t load_u64(const struct loader *l, size_t offset);

/* false, with the sentence "cut short", when what begins at offset is longer than the kernel image has bytes. */
bool load_in_file(struct loader *l, uint64_t offset, uint64_t n, const char *what);

/* false, with a sentence, when there is no RAM up to the address `end` to load into. */
bool load_reaches(struct loader *l, const char *what, uint64_t end);
/* Claims [base, base + size) of RAM, which must be RAM and unclaimed. An empty range is fine and claims nothing. */
bool load_claim(struct loader *l, const char *what, uint64_t base, uint64_t size);
/* Claims size bytes at the beginning of the highest page within [low, high) where they have room. Without room, false,
 * and the error says how much RAM would do. */
bool load_place(struct loader *l, const char *what, uint64_t size, uint64_t low, uint64_t high, uint64_t *base);

/* Write claimed RAM. */
bool load_write(struct loader *l, uint64_t gpa, const void *data, size_t n);
bool load_write_u16(struct loader *l, uint64_t gpa, uint16_t value);
bool load_write_u32(struct loader *l, uint64_t gpa, uint32_t value);
bool load_write_u64(struct loader *l, uint64_t gpa, uint64_t value);
bool load_zero(struct loader *l, uint64_t gpa, uint64_t n);

/* The memory map of vm/load/image.h, as firmware would tell it. */
#define LOAD_MAP_MAX 5
/* Returns the number of entries. */
unsigned load_map(const struct loader *l, struct e820_entry map[LOAD_MAP_MAX]);

/* ---- ELF ---- */

struct elf {
	bool is64;
	uint64_t entry; /* gpa */
	uint64_t phoff;
	unsigned phnum;
};

struct elf_segment {
	uint64_t offset, file_size;
	uint64_t vaddr, paddr, mem_size;
};

/* Is it an ELF file of this class? ("ELF Identification") */
#define ELFCLASS32 1
#define ELFCLASS64 2
bool elf_is_class(const struct loader *l, unsigned class);
/* Reads and checks the headers, claims the segments' memory, and finds the entry. */
bool elf_claim(struct loader *l, struct elf *elf);
/* The segment i < phnum. false: it is nothing to load. */
bool elf_segment(const struct loader *l, const struct elf *elf, unsigned i, struct elf_segment *out);
/* Writes the segments. */
bool elf_write(struct loader *l, const struct elf *elf);

/* ---- the formats ---- */

/* Where the Multiboot header is, or SIZE_MAX. */
size_t multiboot_header(const struct loader *l);
/* Why there is no such header in what looks like a Multiboot kernel, as a clause; NULL: it does not look so. */
const char *multiboot_almost(const struct loader *l);
bool load_multiboot(struct loader *l, size_t header, struct cpu_start *out);
bool bzimage_is(const struct loader *l);
bool load_bzimage(struct loader *l, struct cpu_start *out);
bool load_vmlinux(struct loader *l, struct cpu_start *out);

#endif
