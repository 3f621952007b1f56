/* test/unit/emulate/units.c - random FPU and vector registers, in which the corners of floating point are likely. */
#include <string.h>

#include "test/unit/emulate/encode.h"

#define FSW_ES 0x8080u

static void put16(uint8_t *at, unsigned v)
{
	memcpy(at, &(uint16_t){ v }, 2);
}

/* Mostly as programs have it: all exceptions masked, none flagged. */
static void random_control(uint8_t *fx)
{
	unsigned masks = chance(80) ? 0x3f : random_below(64), flags = chance(75) ? 0 : random_below(128);
	unsigned fcw = 0x40 | masks | random_below(4) << 8 | random_below(4) << 10;
	unsigned fsw = flags | random_below(8) << 11 | (random_below(0x100) & 0x47) << 8;
	uint32_t mxcsr = (chance(85) ? 0x1f80 : random_below(64) << 7) | random_below(4) << 13, mask = 0xffff;

	if (flags & ~masks & 0x3f)
		fsw |= FSW_ES;
	put16(fx, fcw);
	put16(fx + 2, fsw);
	fx[4] = chance(50) ? 0xff : random64();
	put16(fx + 6, random_below(0x800));
	mxcsr |= (chance(10) ? 0x8000 : 0) | (chance(10) ? 0x40 : 0) | (chance(30) ? random_below(64) : 0);
	memcpy(fx + 24, &mxcsr, 4);
	memcpy(fx + 28, &mask, 4);
}

/* A number of 80 bits: zero, denormal, infinite, NaN, unnormal, integer, or anything of moderate size. */
static void random_extended(uint8_t *at)
{
	uint64_t significand = random64() | 1ull << 63;
	unsigned exponent = 0x3fff + random_below(80) - 40;

	switch (random_below(8)) {
	case 0:
		significand = exponent = 0;
		break;
	case 1:
		exponent = chance(50) ? 0x7fff : 0;
		break;
	case 2:
		significand = chance(50) ? 1ull << 63 : random64() >> random_below(64);
		exponent = chance(50) ? 0x7fff : random_below(0x8000);
		break;
	case 3:
		significand = ~0ull << random_below(64);
		break;
	}
	memcpy(at, &significand, 8);
	put16(at + 8, exponent | (chance(50) ? 0x8000 : 0));
}

/* Floating-point numbers of moderate size, of either width, or just bits. */
static void random_vector(uint8_t *v)
{
	unsigned kind = random_below(4);

	for (unsigned n = 0; n < 32; n += 4) {
		uint32_t word = random64();
		uint64_t wide = (random64() & 0x800fffffffffffffull) | (uint64_t)(1003 + random_below(40)) << 52;

		if (kind == 0)
			word = (word & 0x807fffff) | (107 + random_below(40)) << 23;
		memcpy(v + n, &word, 4);
		if (kind == 1 && n % 8 == 4)
			memcpy(v + n - 4, &wide, 8);
	}
}

void random_units(struct case_ *c)
{
	uint8_t *fx = c->in.fx;
	uint64_t address = c->layout == LAYOUT_LONG64 ? random64() >> 17 : (uint32_t)random64();

	memset(fx, 0, CPU_FX_BYTES);
	random_control(fx);
	memcpy(fx + 8, &address, 8);
	address ^= 0x5555;
	memcpy(fx + 16, &address, 8);
	for (unsigned n = 0; n < 8; n++)
		random_extended(fx + 32 + 16 * n);
	for (unsigned n = 0; n < 16; n++) {
		random_vector(c->in.vec[n]);
		if (!cpu_has_avx())
			memset(c->in.vec[n] + 16, 0, 16);
	}
}

/* Mostly an area that can be loaded; XSAVE and the like of x87, SSE and AVX only. */
void prepare_area(struct case_ *c, uint64_t at)
{
	uint8_t fx[32] = { 0 };
	uint64_t header[8] = { random_below(8) };

	c->in.gpr[EMULATE_RAX] = chance(90) ? random_below(8) : 7;
	c->in.gpr[EMULATE_RDX] = 0;
	random_control(fx);
	if (chance(30))
		header[1] = 1ull << 63 | random_below(8) | header[0];
	/* The host's XCR0 may enable components that the emulated one does not: those up to 18 are left out. */
	if (chance(5))
		header[random_below(8)] ^= 1ull << (19 + random_below(45));
	machine_poke(at, fx, chance(95) ? 32 : 24);
	machine_poke(at + CPU_FX_BYTES, header, sizeof(header));
}

/* Mostly without reserved bits. */
void prepare_mxcsr(uint64_t at)
{
	uint32_t mxcsr = chance(90) ? random64() & 0xffff : random64();

	machine_poke(at, &mxcsr, sizeof(mxcsr));
}
