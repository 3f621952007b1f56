/* How much a guest dirties in some seconds (vm/memory/dirty.c, vm/control/dirty.c): what is counted, when it ends, and
 * what it leaves behind. */
#include "test/unit/vm/fixture.h"

#include "host/device/console.h"
#include "host/memory/frames.h"
#include "host/trap/interrupt.h"

static void start_under(const char *mmu)
{
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = mmu, .guest_clock = true,
					 .description = "dirty wp\n" });
	assert_true(bench_mode(BENCH_LONG64, 0));
}

/* The guest writes to a page of its data, which the tables do not let it do yet. */
static void write_page(unsigned page)
{
	uint64_t at = BENCH_DATA + page * PAGE_SIZE;

	if (bench.vm[0]->mmu.ops->nested)
		EXIT(.reason = EXIT_EPT_VIOLATION, .qualification = WRITE_KNOWN, .gpa = at, .gva = at);
	else
		EXIT(PAGE_FAULT_EXIT, .error = PFERR_W,
		     .qualification = at);
}

static void seconds_pass(unsigned seconds)
{
	for (unsigned n = 0; n < seconds * 100 + 100 && bench.vm[0]->dirty.state == DIRTY_MEASURING; n++)
		STEP(bench_timer());
}

static const struct dirty_rate *measured(void) { return &bench.vm[0]->dirty; }

/* DY2: what is written before and behind is not counted; twice counts once. */
static void what_is_written_meanwhile(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(mechanisms); n++) {
		uint64_t frames;

		start_under(mechanisms[n]);
		write_page(0);
		write_page(7);
		frames = frames_available() + mmu_table_pages(&bench.vm[0]->mmu);
		STEP(ask("1 dirty 0 1\n"));
		assert_true(said("\"measurement\":1,\"measured\":false,"));
		for (unsigned page = 1; page < 9; page++)
			write_page(page);
		write_page(3);
		seconds_pass(1);
		assert_int_equal(measured()->state, DIRTY_MEASURED);
		assert_in_range(measured()->ticks, machine.tsc_hz, machine.tsc_hz + machine.tsc_hz / 10);
		/* Shadow tables may have set accessed and dirty flags in the guest's own table. */
		assert_in_range(measured()->pages, 8, bench.vm[0]->mmu.ops->nested ? 8 : 9);
		write_page(10);
		STEP(ask("2 dirty 0\n"));
		assert_true(said("\"measured\":true,\"seconds\":1,"));
		assert_true(said("\"ram_pages\":1024,"));
		assert_in_range(measured()->pages, 8, 9);
		assert_null(bench.vm[0]->mmu.slots.slot[0].dirty);
		assert_true(frames_available() + mmu_table_pages(&bench.vm[0]->mmu) >= frames - 1);
		finish();
	}
}

static void refusals(void **state)
{
	(void)state;
	start_under("ept");
	STEP(ask("1 dirty 0\n"));
	assert_true(said("done 1 error the memory of test0 has not been measured yet: say for how many seconds\n"));
	STEP(ask("2 dirty 0 2\n"));
	STEP(ask("3 dirty 0 1\n"));
	assert_true(said("done 3 error the memory of test0 cannot be measured now: a measurement goes on\n"));
	seconds_pass(2);
	assert_int_equal(measured()->seconds, 2);
	assert_int_equal(measured()->number, 1);
	bench.vm[0]->paused = true;
	assert_non_null(dirty_begin(bench.vm[0], 1));
	bench.vm[0]->paused = false;
	finish();
}

/* DY3: also of one that does not see the end of it. */
static void one_that_ends_meanwhile(void **state)
{
	(void)state;
	start_under("shadow");
	STEP(ask("1 dirty 0 60\n"));
	write_page(1);
	assert_int_equal(bench_exit_simple(EXIT_TRIPLE_FAULT, 0), BENCH_OVER);
	assert_null(bench.vm[0]->dirty.log[0].bits);
	vm_release_all();
	assert_int_equal(frames_available(), machine.frames_before);
}

/* The log is the slot's, not the tables': no write is missed, and none is counted that was before. */
static void another_mechanism_meanwhile(void **state)
{
	(void)state;
	start_under("ept");
	write_page(0);
	STEP(ask("1 dirty 0 1\n"));
	write_page(1);
	STEP(ask("2 mmu 0 shadow\n"));
	write_page(2);
	seconds_pass(1);
	assert_int_equal(measured()->switches, 1);
	assert_in_range(measured()->pages, 2, 3);
	finish();
}

/* ---- a watch (DY4) ---- */

static void periods_pass(unsigned periods)
{
	uint64_t until = measured()->watch.periods + periods;

	for (unsigned n = 0; n < periods * 100 && measured()->watch.periods < until; n++)
		STEP(bench_timer());
	assert_int_equal(measured()->watch.periods, until);
}

/* Each period counts for itself, in the region where the page is; it ends when it is told to, with no alarm left. */
static void a_watch(void **state)
{
	const struct dirty_watch *w;

	(void)state;
	start_under("ept");
	STEP(ask("1 dirty 0 show\n"));
	assert_true(said("error the memory of test0 cannot be watched: it is not watched"));
	STEP(ask("2 dirty 0 on wp\n"));
	assert_true(said("\"method\":\"wp\","));
	w = &measured()->watch;
	write_page(0);
	write_page(1);
	periods_pass(1);
	assert_int_equal(w->last_pages, 2);
	write_page(1);
	periods_pass(1);
	assert_int_equal(w->last_pages, 1);
	assert_int_equal(w->pages, 3);
	assert_int_equal(w->heat[(BENCH_DATA >> PAGE_SHIFT) / w->region_pages], 3);
	STEP(ask("3 dirty 0 1\n"));
	assert_true(said("done 3 error the memory of test0 cannot be measured now: it is watched"));
	STEP(ask("4 dirty 0 show\n"));
	assert_true(said("\"periods\":2,\"pages\":3,\"last_pages\":1,"));
	assert_true(said("\"faults\":3,\"log_full\":0,"));
	STEP(ask("5 dirty 0 off\n"));
	assert_true(said("\"periods\":2,"));
	assert_int_equal(measured()->user, DIRTY_NOBODY);
	assert_false(measured()->timer.armed);
	assert_null(bench.vm[0]->mmu.slots.slot[0].dirty);
	STEP(ask("6 dirty 0 on pml\n"));
	assert_true(said("done 6 error the memory of test0 cannot be watched: the CPU has no page-modification "
			 "logging"));
	finish();
}

/* ---- the CPU's own log ---- */

static uint64_t *cpus_log(void) { return frames_ptr(hpa_hfn(HPA(vmcs_get(VMCS_PML_ADDRESS)))); }

/* The CPU writes to page n of the guest's data: its leaf's flag is clear. */
static void cpu_logs(unsigned n)
{
	uint64_t index = vmcs_get(VMCS_PML_INDEX);

	assert_in_range(index, 0, MMU_LOG_ENTRIES - 1);
	cpus_log()[index] = BENCH_DATA + n * PAGE_SIZE;
	vmcs_put(VMCS_PML_INDEX, index - 1);
}

/* VC4: from the VMCS to the count, beside a full log. */
static void logged_by_the_cpu(void **state)
{
	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_MODERN, .mmu = "ept", .guest_clock = true });
	assert_true(bench_mode(BENCH_LONG64, 0));
	assert_int_equal(vmcs_get(VMCS_PROC_CONTROLS2) & PROC2_PML, 0);
	STEP(ask("1 dirty 0 on\n"));
	assert_true(said("\"method\":\"pml\","));
	assert_int_equal(vmcs_get(VMCS_PROC_CONTROLS2) & PROC2_PML, PROC2_PML);
	assert_int_equal(vmcs_get(VMCS_PML_INDEX), MMU_LOG_ENTRIES - 1);
	cpu_logs(1);
	cpu_logs(2);
	periods_pass(1);
	assert_int_equal(measured()->watch.last_pages, 2);
	for (unsigned n = 0; n < MMU_LOG_ENTRIES - 2; n++)
		cpu_logs(n % 8);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	EXIT(.reason = EXIT_PML_FULL, .vectoring = INFO(EVENT_TYPE_EXTERNAL, 0x55));
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 0x55), 0);
	assert_int_equal(vmcs_get(VMCS_PML_INDEX), MMU_LOG_ENTRIES - 1);
	periods_pass(1);
	assert_int_equal(measured()->watch.last_pages, 8);
	STEP(ask("2 dirty 0 show\n"));
	assert_true(said("\"log_full\":1,"));
	/* An IRET has unblocked NMIs already. */
	EXIT(.reason = EXIT_PML_FULL, .qualification = BIT(12));
	assert_true(vmcs_get(VMCS_GUEST_INTERRUPTIBILITY) & BLOCKING_NMI);
	/* Another log goes on where the first ended. */
	cpu_logs(3);
	STEP(ask("3 dirty 0 off\n"));
	assert_int_equal(vmcs_get(VMCS_PROC_CONTROLS2) & PROC2_PML, 0);
	STEP(ask("4 dirty 0 on pml\n"));
	assert_int_equal(vmcs_get(VMCS_PML_INDEX), MMU_LOG_ENTRIES - 2);
	cpu_logs(4);
	periods_pass(1);
	assert_int_equal(measured()->watch.last_pages, 1);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_watch),
		cmocka_unit_test(logged_by_the_cpu),
		cmocka_unit_test(what_is_written_meanwhile),
		cmocka_unit_test(refusals),
		cmocka_unit_test(one_that_ends_meanwhile),
		cmocka_unit_test(another_mechanism_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
