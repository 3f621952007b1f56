/* ELF executables for the tests of the loaders: the header, and program headers right behind it. */
#ifndef VELLUM_TEST_LOAD_ELF_FILE_H
#define VELLUM_TEST_LOAD_ELF_FILE_H

#include "test/unit/vm/load/ram.h"

#define MB (1ull << 20)

/* Where segment n's program header is; with n = their number: where they end. */
#define SEGMENT32(n) (52 + 32u * (n))
#define SEGMENT64(n) (64 + 56u * (n))

static inline void put_elf32(uint8_t *file, uint32_t entry, uint16_t segments)
{
	memcpy(file, "\177ELF\1\1\1", 7);
	put16(file + 16, 2);
	put16(file + 18, 3);
	put32(file + 24, entry);
	put32(file + 28, SEGMENT32(0));
	put16(file + 42, 32);
	put16(file + 44, segments);
}

static inline void put_elf64(uint8_t *file, uint64_t entry, uint16_t segments)
{
	memcpy(file, "\177ELF\2\1\1", 7);
	put16(file + 16, 2);
	put16(file + 18, 62);
	put64(file + 24, entry);
	put64(file + 32, SEGMENT64(0));
	put16(file + 54, 56);
	put16(file + 56, segments);
}

static inline void put_segment32(uint8_t *file, unsigned n, uint32_t offset, uint32_t vaddr, uint32_t paddr,
				 uint32_t file_size, uint32_t mem_size)
{
	uint8_t *ph = file + SEGMENT32(n);

	put32(ph, 1);
	put32(ph + 4, offset);
	put32(ph + 8, vaddr);
	put32(ph + 12, paddr);
	put32(ph + 16, file_size);
	put32(ph + 20, mem_size);
}

static inline void put_segment64(uint8_t *file, unsigned n, uint64_t offset, uint64_t vaddr, uint64_t paddr,
				 uint64_t file_size, uint64_t mem_size)
{
	uint8_t *ph = file + SEGMENT64(n);

	put32(ph, 1);
	put64(ph + 8, offset);
	put64(ph + 16, vaddr);
	put64(ph + 24, paddr);
	put64(ph + 32, file_size);
	put64(ph + 40, mem_size);
}

#endif
