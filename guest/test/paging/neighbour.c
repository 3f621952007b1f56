/* 64 bits: a neighbour that must notice nothing. It fills its memory with a pattern, checks all of it over and over,
 * and measures its share of the CPU with the host's clock (clock host): what goes by between two readings of the TSC,
 * beyond the few instructions between them, is time that it did not have. mega=N: for N million ticks; mhz=N: ticks of
 * the TSC in a microsecond; share=N: at least that percentage of the time that it was awake (0: not checked); slices=N:
 * no gap longer than N slices of 10 ms; duty=N: awake N percent of the time. */
#include "guest/test/base/apic.h"

const char test_name[] = "neighbour";

#define FIRST 0x200000ul
#define STEP 64u
/* What may go by between two looks at the clock without anybody else having the CPU. */
#define OWN_TICKS 2000u

static uint64_t seed, passes, wrong;
static uint64_t last, lost, longest, gaps, begin, end, asleep, until, awake_ticks, sleep_ticks;

static uint64_t pattern(word at) { return (at ^ seed) * 0x9e3779b97f4a7c15ull + seed; }

static void look_at_clock(void)
{
	uint64_t now = rdtsc(), gap = now - last;

	last = now;
	if (gap <= OWN_TICKS)
		return;
	gaps++;
	lost += gap;
	if (gap > longest)
		longest = gap;
}

/* ---- sleep ---- */

#define TIMER 0x50u

static void on_timer(void) { apic_write(APIC_EOI, 0); }

/* The timer ticks 500 times in a second, whatever its clock is. */
static void init_timer(uint64_t mhz)
{
	uint64_t start;

	irq_hook[TIMER] = on_timer;
	apic_write(APIC_SVR, SVR_ENABLED | 0xff);
	apic_write(APIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
	apic_write(APIC_LVT_TIMER, LVT_MASKED | TIMER);
	apic_write(APIC_TIMER_INITIAL, ~0u);
	start = rdtsc();
	while (rdtsc() - start < 2000 * mhz)
		;
	start = ~apic_read(APIC_TIMER_CURRENT);
	apic_write(APIC_LVT_TIMER, TIMER | LVT_TIMER_PERIODIC);
	apic_write(APIC_TIMER_INITIAL, (uint32_t)start);
}

static void sleep_a_while(void)
{
	uint64_t start = last;

	while (rdtsc() < start + sleep_ticks)
		__asm__ volatile("hlt");
	last = rdtsc();
	asleep += last - start;
	until = last + awake_ticks;
}

static void fill(word limit)
{
	for (word at = FIRST; at < limit; at += 8)
		*(volatile uint64_t *)at = pattern(at);
}

/* A few words at a time, so that the clock is looked at often. false: the time is over. */
static bool check(word limit)
{
	for (word at = FIRST; at < limit; at += STEP) {
		for (unsigned i = 0; i < STEP; i += 8)
			if (*(volatile uint64_t *)(at + i) != pattern(at + i))
				wrong++;
		look_at_clock();
		if (last >= end)
			return false;
		if (sleep_ticks && last >= until)
			sleep_a_while();
	}
	passes++;
	return true;
}

void test_main(void)
{
	word limit = 0x100000 + (word)info()->mem_upper * 1024;
	uint64_t mega = parameter_number("mega", 500), mhz = parameter_number("mhz", 50), had, awake;
	unsigned share = parameter_number("share", 45), slices = parameter_number("slices", 5);
	unsigned duty = parameter_number("duty", 100);

	seed = parameter_number("seed", 1) * 0x100000001ull;
	sti();
	fill(limit);
	if (duty && duty < 100) {
		init_timer(mhz);
		awake_ticks = 100000 * mhz;
		sleep_ticks = awake_ticks * (100 - duty) / duty;
	}
	begin = last = rdtsc();
	until = begin + awake_ticks;
	end = begin + mega * 1000000;
	while (check(limit))
		;
	awake = last - begin - asleep;
	had = (awake - lost) * 100 / awake;
	print("neighbour: share %lu percent of %lu Mticks, longest gap %lu us, %lu gaps, %lu passes and a part\n",
	      (word)had, (word)(awake / 1000000), (word)(longest / mhz), (word)gaps, (word)passes);
	CHECK(wrong == 0, "%lu words of its memory changed", (word)wrong);
	CHECK(had >= share, "it had %lu percent of the time, not %u", (word)had, share);
	CHECK(longest <= slices * 10000 * mhz, "it waited %lu us for the CPU, longer than %u slices",
	      (word)(longest / mhz), slices);
}
