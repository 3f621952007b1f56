/* test/unit/vm/live/moving.h - a virtual machine of the bench that is moved (vm/live/live.h), step by step. */
#ifndef VELLUM_TEST_VM_MOVING_H
#define VELLUM_TEST_VM_MOVING_H

#include "test/unit/vm/fixture.h"

#include <stdio.h>

#include "host/memory/frames.h"
#include "vm/device/net.h"
#include "vm/device/virtio.h"
#include "vm/live/live.h"

/* What the guest sees of the VMCS. */
static const enum vmcs_field fields[] = {
	VMCS_GUEST_RIP, VMCS_GUEST_RSP, VMCS_GUEST_RFLAGS, VMCS_GUEST_DR7, VMCS_CR0_SHADOW, VMCS_CR4_SHADOW,
	VMCS_GUEST_ES_SELECTOR + 2 * SEG_CS, VMCS_GUEST_ES_BASE + 2 * SEG_CS, VMCS_GUEST_ES_ACCESS + 2 * SEG_CS,
	VMCS_GUEST_ES_SELECTOR + 2 * SEG_SS, VMCS_GUEST_ES_BASE + 2 * SEG_FS, VMCS_GUEST_ES_BASE + 2 * SEG_GS,
	VMCS_GUEST_ES_SELECTOR + 2 * SEG_TR, VMCS_GUEST_ES_BASE + 2 * SEG_TR, VMCS_GUEST_GDTR_BASE,
	VMCS_GUEST_GDTR_LIMIT, VMCS_GUEST_IDTR_BASE, VMCS_GUEST_IDTR_LIMIT, VMCS_GUEST_SYSENTER_CS,
	VMCS_GUEST_SYSENTER_ESP, VMCS_GUEST_SYSENTER_EIP, VMCS_GUEST_INTERRUPTIBILITY,
};
static uint64_t before[ARRAY_SIZE(fields)], gpr[GPR_COUNT], cr3;

static inline void remember(void)
{
	for (unsigned n = 0; n < ARRAY_SIZE(fields); n++)
		before[n] = vmcs_get(fields[n]);
	memcpy(gpr, bench.v->hvm.gpr, sizeof(gpr));
	cr3 = bench.v->mmu.regs.cr3;
}

static inline void is_the_same(void)
{
	assert_int_equal(bench.at, BENCH_ENTRY);
	check_entry(0);
	for (unsigned n = 0; n < ARRAY_SIZE(fields); n++)
		if (vmcs_get(fields[n]) != before[n])
			fail_msg("field 0x%x: 0x%lx, not 0x%lx", fields[n], vmcs_get(fields[n]), before[n]);
	assert_memory_equal(bench.v->hvm.gpr, gpr, sizeof(gpr));
	assert_int_equal(bench.v->mmu.regs.cr3, cr3);
}

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

static inline void begin_move(const char *mmu)
{
	char request[40];

	snprintf(request, sizeof(request), "b move 0 begin %s\n", mmu);
	ask(request);
	for (unsigned n = 0; n < 10 && !said("done b "); n++)
		bench_interrupt(VECTOR_KICK); /* an answer before it leaves first */
	check_entry(__LINE__);
	if (!said("done b ok\n"))
		fail_msg("it does not begin: %s", bench_log());
}

static inline void move_to(const char *mmu)
{
	const struct vm *old = bench.vm[0];
	struct live_told told;

	begin_move(mmu);
	is_over();
	assert_true(live_tell(bench.vm[0], &told));
	if (told.failed)
		fail_msg("it was not moved: %s", told.why);
	assert_ptr_not_equal(bench.vm[0], old);
}

/* Until the guest is about to go on, or sleeps. */
static inline void goes_on(void)
{
	for (unsigned n = 0; n < 5 && bench.at == BENCH_IDLE; n++)
		bench_interrupt(VECTOR_KICK);
	check_entry(__LINE__);
}

static inline void begin_under(const char *mmu, enum bench_mode mode)
{
	bench_new(&(struct bench_config){ .mmu = mmu, .guest_clock = true });
	assert_true(bench_mode(mode, 0));
	for (unsigned n = 0; n < GPR_COUNT; n++)
		if (n != GPR_RSP)
			*bench_gpr((enum gpr)n) = 0x1111111111111111ull * n;
	bench_poke(BENCH_DATA + 5, "found again", 11);
	bench.v->saved_cr2 = 0x1234567;
	bench.v->saved_msr[1] = 0xffffffff81000000;
	bench.v->misc_enable ^= MISC_ENABLE_LIMIT_CPUID;
}

#endif
