/* test/unit/vm/memory/out.h - pages of the far RAM (far.h) that are aged, begin to go, and are in an area of some
 * places: what tests of that take for it. */
#ifndef VELLUM_TEST_VM_OUT_H
#define VELLUM_TEST_VM_OUT_H

#include "test/unit/vm/memory/far.h"

#include "test/vm/disk.h"
#include "vm/memory/swap.h"

#define PLACES 128u

static struct vm *vm;
static struct ram *far;
static struct ram_going list[SWAP_MOST];
static unsigned going;

static inline void start_described(const char *mmu, const char *description)
{
	memset(&bench_disk, 0, sizeof(bench_disk));
	bench_disk.there = true;
	bench_disk.small = BENCH_DISK_SECTORS - 8 * PLACES;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = mmu, .description = description });
	far_map();
	vm = bench.vm[0];
	far = ram_of(vm, GFN(FAR_GFN));
	going = 0;
}

static inline void start_under(const char *mmu) { start_described(mmu, "mem 8M\nswap ide1.0\n"); }

/* The first block of the far RAM, with a text in so many of its pages. */
static inline void fill(unsigned pages)
{
	for (unsigned n = 0; n < pages; n++)
		far_poke(n, "text");
}

static inline gfn_t page_gfn(unsigned page) { return GFN(FAR_GFN + page); }

/* Pages from this one on, of those that are aged, begin to go. */
static inline unsigned begin_to_take(unsigned page, unsigned most)
{
	vm_freeze(vm);
	while (going < most && page < 512)
		page += ram_take(far, page_gfn(page), false, list, &going, most);
	vm_thaw(vm);
	return going;
}

static inline void age_block(void)
{
	vm_freeze(vm);
	for (unsigned page = 0; page < 512;)
		page += ram_age(far, page_gfn(page), false);
	vm_thaw(vm);
}

static inline unsigned put_out(void)
{
	unsigned n = going;

	going = 0;
	return put_out_wholly(far, list, n);
}

/* A virtual machine that has written so many pages, of which some, from this one on, are out. */
static inline void start_with_out(const char *mmu, unsigned written, unsigned page, unsigned count)
{
	start_under(mmu);
	fill(written);
	age_block();
	begin_to_take(page, count);
	put_out();
}

#endif
