/* The TPR and EOI from several places, each on a page of its own, and EOI behind a write to the I/O APIC: what a kernel
 * does whose code is no loop. */
#include "guest/test/base/apic.h"
#include "guest/test/tpr/tprcost.h"

#define PLACES 8u
#define PAGE 4096u
#define FURTHEST 4u /* pages from place to place */
#define TIMES 20u

static uint8_t code[PLACES * FURTHEST * PAGE] __attribute__((aligned(PAGE)));
static uint32_t sample[TIMES * PLACES];

/* Stores value at *at, by the code at place. */
static inline __attribute__((always_inline)) uint32_t store(const uint8_t *place, volatile uint32_t *at, uint32_t value)
{
	uint64_t start = rdtsc();

	__asm__ volatile("call *%0" : : "r"(place), "a"(value), "b"(at) : "memory");
	return (uint32_t)(rdtsc() - start);
}

static uint8_t *put(uint8_t *place)
{
	static const uint8_t mov_ret[] = { 0x89, 0x03, 0xc3 }; /* mov [rbx], eax; ret */

	for (unsigned n = 0; n < sizeof(mov_ret); n++)
		place[n] = mov_ret[n];
	return place;
}

static void from_places(const char *name, uint32_t offset, unsigned pages)
{
	unsigned n = 0;

	for (unsigned p = 0; p < PLACES; p++)
		put(code + p * pages * PAGE);
	for (unsigned i = 0; i < TIMES + 2; i++) /* the first two are to be decoded, and found again */
		for (unsigned p = 0; p < PLACES; p++) {
			uint32_t cost = store(code + p * pages * PAGE, apic_at(offset), 0);

			if (i >= 2)
				sample[n++] = cost;
		}
	bench_line(name, sample, n, 0);
}

static void behind_ioapic(void)
{
	uint8_t *first = put(code), *second = put(code + 64);
	uint32_t cost;

	for (unsigned i = 0; i < TIMES + 2; i++) {
		store(first, ioapic_at(IOAPIC_SELECT), 0);
		cost = store(second, apic_at(APIC_EOI), 0);
		if (i >= 2)
			sample[i - 2] = cost;
	}
	bench_line("eoi_behind_ioapic", sample, TIMES, 0);
}

void measure_places(void)
{
	from_places("tpr_8_places", APIC_TPR, 1);
	from_places("tpr_8_places_far", APIC_TPR, FURTHEST);
	from_places("eoi_8_places", APIC_EOI, 1);
	from_places("eoi_8_places_far", APIC_EOI, FURTHEST);
	behind_ioapic();
}
