/* test/unit/vm/live/following.h - a virtual machine whose far RAM (test/unit/vm/memory/far.h) is to follow it to
 * another container. */
#ifndef VELLUM_TEST_VM_FOLLOWING_H
#define VELLUM_TEST_VM_FOLLOWING_H

#include "test/unit/vm/live/moving.h"
#include "test/unit/vm/memory/out.h"
#include "vm/memory/ram_elsewhere.h"
#include "vm/memory/ram_inside.h"

static struct vm *old;

/* vm and far are of the new one from now on. */
static inline void it_follows(void)
{
	until_it_follows();
	old = vm;
	vm = bench.vm[0];
	assert_ptr_not_equal(vm, old);
	far = ram_of(vm, GFN(FAR_GFN));
}

/* With something in each of so many pages of its far RAM, which has not come yet. */
static inline void start_and_move(const char *mmu, const char *to, const char *description)
{
	bench_new(&(struct bench_config){ .mmu = mmu, .description = description });
	far_map();
	vm = bench.vm[0];
	fill(60);
	begin_by("postcopy", to);
	it_follows();
	goes_on();
}

static inline uint64_t word(unsigned page) { return word_now(far, page_gfn(page)); }

static inline void has_all(unsigned pages)
{
	char want[8];

	for (unsigned page = 0; page < pages; page++) {
		snprintf(want, sizeof(want), "%s", page == 5 ? "five" : page == 7 ? "seven" : "text");
		if (strcmp(far_peek(page), want) != 0)
			fail_msg("page %u has \"%s\", not \"%s\"", page, far_peek(page), want);
	}
}

#endif
