/* The account of a virtual machine (vm/account/stats.c) and of its phases (vm/account/phases.c): what is counted where,
 * and that it leaves in pieces. */
#include "test/unit/vm/fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "host/device/console.h"
#include "host/memory/frames.h"

#define LINES_AT_ONCE 32 /* AC1 */

static void ends(void) { assert_int_equal(bench_exit_simple(EXIT_TRIPLE_FAULT, 0), BENCH_OVER); }

/* The value of a line that there is once; -1: there is none. */
static int64_t told(const char *name)
{
	char line[100];
	const char *p;

	snprintf(line, sizeof(line), "\nstat 0 %s ", name);
	assert_in_range(occurrences(bench_log(), line), 0, 1);
	p = strstr(bench_log(), line);
	return p ? strtoll(p + strlen(line), NULL, 10) : -1;
}
#define EXPECT_TOLD(name, value) assert_int_equal(told(name), value)

/* ---- what is counted ---- */

/* A panic tells what has been counted so far, in the middle of a turn. */
static void last_words(void **state)
{
	(void)state;
	start();
	bench_wait(5000000);
	again();
	again();
	stats_last_words();
	EXPECT_TOLD("exits.by_reason.cpuid.count", 2);
	EXPECT_TOLD("exits.total", 2);
	assert_in_range(told("instructions.guest"), 5000000, 5001000);
	assert_in_range(told("instructions.hypervisor"), 1, 1000);
	EXPECT_TOLD("console.dropped", 0);
	EXPECT_TOLD("lapic.tpr_reads", 0);
	EXPECT_TOLD("lapic.methods.trap.tpr_exits", 0);
	assert_int_equal(occurrences(bench_log(), "vm 0 end"), 0);
	finish();
}

/* The longest names there are. */
static void names_are_whole(void **state)
{
	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .tpr = "flexpriority" });
	stats_last_words();
	EXPECT_TOLD("lapic.methods.flexpriority.virtualized_eoi_exits", 0);
	EXPECT_TOLD("lapic.methods.flexpriority.threshold_exits", 0);
	finish();
}

/* Who has told its account says nothing more. */
static void no_last_words(void **state)
{
	(void)state;
	start();
	again();
	ends();
	EXPECT_TOLD("exits.total", 2);
	stats_last_words();
	EXPECT_TOLD("exits.total", 2);
	finish();
}

static void exits_and_ticks(void **state)
{
	uint64_t guest, hypervisor, ran;

	(void)state;
	start();
	bench_wait(5000000);
	again();
	again();
	again();
	/* In the middle of a turn, too. */
	stats_ticks(bench.v, &guest, &hypervisor);
	assert_in_range(guest, 5000000, 5001000);
	assert_in_range(hypervisor, 1, 1000);
	EXIT(.reason = EXIT_EPT_VIOLATION, .qualification = READ_KNOWN, .gpa = BENCH_DATA, .gva = BENCH_DATA);
	ends();
	/* Another CPU may look when the turn is counted, and .running has not fallen yet. */
	ran = stats_ran(bench.v);
	assert_false(bench.v->running);
	bench.v->running = true;
	assert_int_equal(stats_ran(bench.v), ran);
	bench.v->running = false;
	EXPECT_TOLD("exits.by_reason.cpuid.count", 3);
	EXPECT_TOLD("exits.by_reason.ept_violation.count", 1);
	EXPECT_TOLD("exits.by_reason.hlt.count", -1);
	EXPECT_TOLD("exits.mechanism.count", 1);
	EXPECT_TOLD("exits.mechanism.ticks", told("exits.by_reason.ept_violation.ticks"));
	EXPECT_TOLD("exits.total", 5);
	assert_in_range(told("instructions.guest"), 5000000, 5002000);
	assert_in_range(told("instructions.hypervisor"), 1, 2000);
	/* What did not happen is a result, too, but its reader knows which counters there are. */
	EXPECT_TOLD("mmu_counters.cr3_loads", -1);
	EXPECT_TOLD("console.dropped", 0);
	finish();
}

static void phases(void **state)
{
	(void)state;
	start();
	again();
	mark(1);
	again();
	again();
	bench_wait(1000000);
	mark(2);
	again();
	mark(1);
	again();
	mark(0);
	bench_wait(3000000);
	again();
	ends();
	/* The OUT that begins a phase counts with what was before, the one that ends it with the phase. */
	EXPECT_TOLD("phases.1.exits.by_reason.cpuid.count", 3);
	EXPECT_TOLD("phases.1.exits.by_reason.io_instruction.count", 2);
	EXPECT_TOLD("phases.2.exits.by_reason.cpuid.count", 1);
	EXPECT_TOLD("phases.2.exits.by_reason.io_instruction.count", 1);
	assert_in_range(told("phases.1.instructions.guest"), 1000000, 1001000);
	assert_in_range(told("phases.2.instructions.guest"), 1, 1000);
	assert_in_range(told("phases.1.instructions.hypervisor"), 1, 1000);
	assert_int_equal(occurrences(bench_log(), "stat 0 phases.3."), 0);
	/* Zeros are left out here. */
	EXPECT_TOLD("phases.1.mmu_counters.cr3_loads", -1);
	finish();
}

static void a_phase_that_the_end_closes(void **state)
{
	(void)state;
	start();
	mark(3);
	bench_wait(70000);
	again();
	ends();
	EXPECT_TOLD("phases.3.exits.by_reason.cpuid.count", 1);
	EXPECT_TOLD("phases.3.exits.by_reason.triple_fault.count", 1);
	assert_in_range(told("phases.3.instructions.guest"), 70000, 71000);
	finish();
}

/* What was before the first change is the first mechanism's. */
static void by_mechanism(void **state)
{
	(void)state;
	start();
	bench_wait(1000000);
	again();
	again();
	assert_null(vm_switch(bench.v->vm, mmu_mechanism_by_name("shadow")));
	bench_wait(3000000);
	again();
	assert_null(vm_switch(bench.v->vm, mmu_mechanism_by_name("ept")));
	again();
	again();
	again();
	ends();
	EXPECT_TOLD("mechanisms.ept.exits.by_reason.cpuid.count", 5);
	EXPECT_TOLD("mechanisms.shadow.exits.by_reason.cpuid.count", 1);
	EXPECT_TOLD("mechanisms.ept.exits.by_reason.triple_fault.count", 1);
	assert_in_range(told("mechanisms.ept.instructions.guest"), 1000000, 1010000);
	assert_in_range(told("mechanisms.shadow.instructions.guest"), 3000000, 3010000);
	EXPECT_TOLD("mmu_counters.switches", 2);
	assert_int_equal(occurrences(bench_log(), "stat 0 mechanisms.vtlb."), 0);
	finish();
}

/* Who stays with one has no such accounts. */
static void by_one_mechanism(void **state)
{
	(void)state;
	start();
	again();
	ends();
	assert_int_equal(occurrences(bench_log(), "stat 0 mechanisms."), 0);
	finish();
}

/* Any other number ends the phase, and reaches no memory that is not the accounts'. */
static void a_number_that_is_no_phase(void **state)
{
	static uint8_t pattern[PAGE_SIZE];
	uint8_t *above, *dirty;
	hfn_t f, g;

	(void)state;
	start();
	memset(pattern, 0x5a, sizeof(pattern));
	/* The next run of frames lies below this one, where something has been before. */
	g = frames_alloc_run(64, 1);
	dirty = frames_ptr(g);
	memset(dirty, 0xff, 64 * PAGE_SIZE);
	frames_free(g, 64);
	f = frames_alloc_run(1, 1);
	above = frames_ptr(f);
	memcpy(above, pattern, sizeof(pattern));
	mark(1);
	again();
	mark(PHASES_MAX);
	again();
	mark(255);
	again();
	assert_memory_equal(above, pattern, sizeof(pattern));
	frames_free(f, 1);
	ends();
	EXPECT_TOLD("phases.1.exits.by_reason.cpuid.count", 1);
	finish();
}

/* ---- in pieces (AC1) ---- */

/* Lines that were told, and those that were left out, with the end's. */
static unsigned lines(void)
{
	unsigned n = 1 + occurrences(bench_log(), "\nstat 0 ");

#define C(name, help) n += told("mmu_counters." #name) == -1;
	MMU_COUNTERS(C)
#undef C
	return n;
}

/* A few lines each slice, each once, the end last; the neighbour runs on. What comes to something after it was left out
 * moves none of the others. */
static void a_long_account(void **state)
{
	unsigned before;
	struct vm *vm;

	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .vms = 2 });
	for (unsigned n = 0; n < 8 && bench.v->vm->id; n++)
		STEP(bench_timer());
	vm = bench.v->vm;
	assert_int_equal(vm->id, 0);
	for (unsigned n = 1; n < PHASES_MAX; n++)
		mark(n);
	assert_int_equal(bench_exit_simple(EXIT_TRIPLE_FAULT, 0), BENCH_ENTRY);
	assert_in_range(occurrences(bench_log(), "\nstat 0 "), 0, LINES_AT_ONCE);
	for (unsigned n = 0; n < 100 && !vm->all_told; n++) {
		before = occurrences(bench_log(), "\nstat 0 ");
		assert_int_equal(occurrences(bench_log(), "vm 0 end"), 0);
		next_slice();
		assert_in_range(occurrences(bench_log(), "\nstat 0 ") - before, 0, LINES_AT_ONCE);
		vm->mmu.counters.outcome_retry = 1;
	}
	assert_true(vm->all_told);
	EXPECT_TOLD("mmu_counters.outcome_retry", -1);
	assert_int_equal(lines(), vm->told);
	assert_int_equal(occurrences(bench_log(), "\nvm 0 end 65 "), 1);
	for (unsigned n = 1; n < PHASES_MAX - 1; n++) {
		char name[60];

		snprintf(name, sizeof(name), "phases.%u.exits.by_reason.io_instruction.count", n);
		EXPECT_TOLD(name, 1);
	}
	finish();
}

/* Fills the stalled port with lines of one byte, up to so many. */
static unsigned fill(unsigned most)
{
	unsigned n = 0;

	bench.stalled = true;
	while (n < most && console_account_line(""))
		n++;
	return n;
}

/* Where the port has no room it waits, in order, and so does the machine's end; nothing is lost. */
static void an_account_without_room(void **state)
{
	unsigned room;
	uint64_t before;

	(void)state;
	start();
	again();
	room = fill(UINT32_MAX);
	finish();
	start();
	again();
	/* For a short line, but the first is longer. */
	fill(room - 30);
	assert_int_equal(bench_exit_simple(EXIT_TRIPLE_FAULT, 0), BENCH_IDLE);
	assert_int_equal(bench.vm[0]->told, 0);
	before = bench.vm[0]->told;
	assert_in_range(soft.percpu.timer_armed, soft.tsc, soft.tsc + schedule_slice());
	assert_int_equal(bench_timer(), BENCH_IDLE);
	assert_int_equal(bench.vm[0]->told, before);
	assert_false(bench.vm[0]->all_told);
	bench.stalled = false;
	for (unsigned n = 0; n < 2000 && bench.at != BENCH_OVER; n++)
		bench_sent(CONSOLE_STATS);
	assert_int_equal(bench.at, BENCH_OVER);
	EXPECT_TOLD("exits.by_reason.cpuid.count", 1);
	EXPECT_TOLD("exits.total", 2);
	EXPECT_TOLD("console.dropped", 0);
	assert_int_equal(lines(), bench.vm[0]->told);
	assert_int_equal(occurrences(bench_log(), "\nvm 0 end 65 "), 1);
	finish();
}

/* One that has never run has nothing to tell but its end. */
static void one_that_has_not_run(void **state)
{
	struct vm *other = start_one_of_two();

	(void)state;
	vm_end(other, VM_STATUS_OK, "enough");
	for (unsigned n = 0; n < 8 && !other->all_told; n++)
		stats_vm(other);
	assert_int_equal(other->told, 1);
	other->told = 0;
	other->all_told = false;
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exits_and_ticks),
		cmocka_unit_test(by_mechanism),
		cmocka_unit_test(by_one_mechanism),
		cmocka_unit_test(last_words), cmocka_unit_test(names_are_whole),
		cmocka_unit_test(no_last_words),
		cmocka_unit_test(phases),
		cmocka_unit_test(a_phase_that_the_end_closes),
		cmocka_unit_test(a_number_that_is_no_phase),
		cmocka_unit_test(a_long_account),
		cmocka_unit_test(an_account_without_room),
		cmocka_unit_test(one_that_has_not_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
