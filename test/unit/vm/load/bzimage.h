/* test/unit/vm/load/bzimage.h - a kernel for the tests of who loads one. */
#ifndef VELLUM_TEST_LOAD_BZIMAGE_H
#define VELLUM_TEST_LOAD_BZIMAGE_H

#include "test/unit/vm/load/elf_file.h"

#define SETUP (5 * 512)
#define CODE 4096

/* A bzImage as small as one can be: the setup header, and code that is a pattern. */
static inline uint8_t *make_bzimage(size_t *n)
{
	uint8_t *p = calloc(1, SETUP + CODE);

	p[0x1f1] = 4;
	put32(p + 0x1f4, CODE / 16);
	put16(p + 0x1fe, 0xaa55);
	p[0x200] = 0xeb;
	p[0x201] = 0x6a;
	memcpy(p + 0x202, "HdrS", 4);
	put16(p + 0x206, 0x20f);
	p[0x211] = 1;
	put32(p + 0x22c, 0x7fffffff);
	put32(p + 0x230, 2 * MB);
	p[0x234] = 1;
	put16(p + 0x236, 0x3f);
	put32(p + 0x238, 2047);
	put64(p + 0x258, 16 * MB);
	put32(p + 0x260, 4 * MB);
	p[0x290] = 0xee; /* beyond the header */
	for (size_t i = 0; i < CODE; i++)
		p[SETUP + i] = (uint8_t)(i * 7);
	*n = SETUP + CODE;
	return p;
}

static inline void check_e820(struct ram *r, uint64_t zp, uint64_t low, uint64_t high)
{
	unsigned n = r->bytes[zp + 0x1e8];
	uint64_t at = zp + 0x2d0, ram = 0, end = 0;

	for (unsigned i = 0; i < n; i++, at += 20) {
		uint64_t base = ram_u64(r, at), size = ram_u64(r, at + 8);

		assert_true(base >= end && size > 0);
		end = base + size;
		if (ram_u32(r, at + 16) == 1)
			ram += size;
		else
			assert_int_equal(ram_u32(r, at + 16), 2);
	}
	assert_int_equal(ram, 0x9fc00 + low - MB + high);
}

/* A kernel of 32 bits: protected mode, flat segments of 32 bits, no paging. */
static inline void check_start32(struct ram *r, const struct cpu_start *s)
{
	assert_int_equal(s->mode, START_PROT32);
	assert_int_equal(s->cr3, 0);
	assert_int_equal(s->cs, 0x10);
	assert_int_equal(s->ds, 0x18);
	assert_int_equal(s->rbx, 0);
	assert_true(s->gdt_limit >= 0x1f);
	assert_int_equal(ram_u64(r, s->gdt_base + 0x10), 0x00cf9b000000ffff);
	assert_int_equal(ram_u64(r, s->gdt_base + 0x18), 0x00cf93000000ffff);
	assert_true(s->rsp > s->gdt_base + s->gdt_limit);
}

#endif
