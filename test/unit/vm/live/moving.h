/* test/unit/vm/live/moving.h - a virtual machine of the bench that is moved (vm/live/live.h), step by step. */
#ifndef VELLUM_TEST_VM_MOVING_H
#define VELLUM_TEST_VM_MOVING_H

#include <stdio.h>

#include "host/memory/frames.h"
#include "test/unit/vm/snapshot/same.h"
#include "vm/device/net.h"
#include "vm/device/virtio.h"
#include "vm/live/live.h"

static inline enum live_state state_now(void)
{
	struct live_told told;

	assert_true(live_tell(vm_at(0), &told));
	return told.state;
}

/* The next step, wherever it is. */
static inline void next_step(void)
{
	if (live_turn.cpu)
		bench_on(live_turn.cpu - 1);
	soft.tsc = max_u64(soft.tsc, live_turn.due);
	/* The old one's vCPUs have their last turns when slices end. */
	if (state_now() == LIVE_ENDS && bench.at == BENCH_ENTRY)
		bench_slice();
	else
		bench_interrupt(VECTOR_KICK);
	check_entry(__LINE__);
}

/* Or past it. */
static inline void until_state(enum live_state state)
{
	for (unsigned n = 0; state_now() != LIVE_NONE && (state == LIVE_NONE || state_now() < state); n++) {
		if (n == 2000)
			fail_msg("it has stuck in state %u", state_now());
		next_step();
	}
}

/* Behind it bench.vm[0] is the new container. */
static inline void is_over(void)
{
	until_state(LIVE_NONE);
	bench.vm[0] = vm_at(0);
	assert_int_equal(live_turn.cpu, 0);
}

static inline void begin_by(const char *way, const char *mmu)
{
	char request[40];

	snprintf(request, sizeof(request), "b move 0 %s %s\n", way, mmu);
	ask(request);
	for (unsigned n = 0; n < 10 && !said("done b "); n++)
		bench_interrupt(VECTOR_KICK); /* an answer before it leaves first */
	check_entry(__LINE__);
	if (!said("done b ok\n"))
		fail_msg("it does not begin: %s", bench_log());
}

static inline void begin_move(const char *mmu) { begin_by("begin", mmu); }

/* It runs in its new container, which is bench.vm[0], and its memory is to follow. */
static inline void until_it_follows(void)
{
	until_state(LIVE_FOLLOWS);
	assert_int_equal(state_now(), LIVE_FOLLOWS);
	bench.vm[0] = vm_at(0);
}

static inline void move_by(const char *way, const char *mmu)
{
	const struct vm *old = bench.vm[0];
	struct live_told told;

	begin_by(way, mmu);
	is_over();
	assert_true(live_tell(bench.vm[0], &told));
	if (told.failed)
		fail_msg("it was not moved: %s", told.why);
	assert_ptr_not_equal(bench.vm[0], old);
}

static inline void move_to(const char *mmu) { move_by("begin", mmu); }

/* Until the guest is about to go on, or sleeps. */
static inline void goes_on(void)
{
	for (unsigned n = 0; n < 5 && bench.at == BENCH_IDLE; n++)
		bench_interrupt(VECTOR_KICK);
	check_entry(__LINE__);
}

static inline void works_there(void)
{
	assert_ptr_equal(bench.v->vm, bench.vm[0]);
	again();
	assert_true(audits());
}

#endif
