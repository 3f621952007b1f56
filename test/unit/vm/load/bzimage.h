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

#endif
