/* 64 bits: one half of all RAM that the map names, the hot one, is written; then the other one, the cold one, piece by
 * piece, with a round through the hot half after each; then come rounds through the hot half alone, so that there are
 * "rounds=" in all. With "others=" so many rounds through the cold half follow. At the end the hot half is read, and
 * with "whole" the cold one too. For what becomes of pages where memory is short (bench/swap.py). */
#include "guest/test/base/pc.h"

const char test_name[] = "halves";

#define WORDS 32 /* of a page that are worked on, in each round */
#define PIECES 32

static uint64_t value(uint64_t page) { return (page ^ page >> 12) * 0x9e3779b97f4a7c15; }

static uint64_t base, end;

/* The largest area above the program. */
static void find_ram(void)
{
	uint64_t at = info()->mmap_addr, last = at + info()->mmap_length;

	while (at < last) {
		const struct multiboot_mmap *m = (const void *)at;
		uint64_t first = m->base < (uint64_t)image_end ? ((uint64_t)image_end + 4095) & ~4095ull : m->base;
		uint64_t top = (m->base + m->length) & ~4095ull;

		if (m->type == 1 && top > first && top - first > end - base) {
			base = first;
			end = top;
		}
		at += m->size + 4;
	}
}

static void fill(uint64_t from, uint64_t to)
{
	for (uint64_t page = from; page < to; page += 4096)
		for (uint64_t i = 0; i < WORDS; i++)
			((volatile uint64_t *)page)[i] = value(page) + i;
}

static void check(uint64_t from, uint64_t to, uint64_t rounds)
{
	for (uint64_t page = from; page < to; page += 4096)
		for (uint64_t i = 0; i < WORDS; i++)
			CHECK(((volatile uint64_t *)page)[i] == value(page) + i + rounds, "at 0x%lx memory reads 0x%lx",
			      (word)(page + 8 * i), (word)((volatile uint64_t *)page)[i]);
}

static void work(uint64_t from, uint64_t to)
{
	for (uint64_t page = from; page < to; page += 4096)
		for (uint64_t i = 0; i < WORDS; i++)
			((volatile uint64_t *)page)[i]++;
}

void test_main(void)
{
	uint64_t rounds = parameter_number("rounds", PIECES), others = parameter_number("others", 0), half;

	find_ram();
	half = (base + (end - base) / 2) & ~4095ull;
	fill(base, half);
	for (uint64_t n = 0; n < rounds; n++) {
		if (n < PIECES)
			fill(half + (((end - half) / PIECES * n) & ~4095ull),
			     n == PIECES - 1 ? end : half + (((end - half) / PIECES * (n + 1)) & ~4095ull));
		work(base, half);
	}
	for (uint64_t n = 0; n < others; n++)
		work(half, end);
	print("halves: %lu pages, %lu of them hot\n", (word)((end - base) >> 12), (word)((half - base) >> 12));
	check(base, half, rounds);
	if (parameter("whole"))
		check(half, end, others);
	print("halves: %lu rounds\n", (word)rounds);
}
