/* Snapshots as they are taken (vm/snapshot/save.c, vm/control/save.c): what leaves, what is refused, and that whoever
 * was asked for one goes on as before. */
#include "test/unit/vm/snapshot/taken.h"

#include "host/memory/frames.h"

static void write_page(unsigned page)
{
	uint64_t at = BENCH_DATA + page * PAGE_SIZE;

	EXIT(.reason = EXIT_EPT_VIOLATION, .qualification = WRITE_KNOWN, .gpa = at, .gva = at);
}

/* SN1: pages that were written since leave again, and no others; by the channel. */
static void pages_that_are_written(void **state)
{
	(void)state;
	bench_new(&(struct bench_config){ .mmu = "ept", .description = "dirty wp\n" });
	assert_true(bench_mode(BENCH_LONG64, 0));
	ask_and_hear("1 save 0 memory\n", "done 1 error no snapshot of test0 can be taken: none was begun\n");
	ask_and_hear("2 save 0 begin\n",
		     "\"pages\":1024,\"high_pages\":0,\"display_pages\":0,\"disk\":false,\"cpus\":1,");
	for (unsigned n = 0; bench.vm[0]->save.left; n++) {
		assert_in_range(n, 0, 300);
		STEP(ask("m save 0 memory\n"));
	}
	ask_and_hear("3 save 0 collect\n", "reply 3 {\"vm\":\"test0\",\"state\":\"running\",\"left\":0}");
	write_page(3);
	write_page(4);
	ask_and_hear("4 save 0 collect\n", "reply 4 {\"vm\":\"test0\",\"state\":\"running\",\"left\":2}");
	/* They are zero, which must be told now. */
	ask_and_hear("5 save 0 memory\n", "\"left\":0,\"pages\":[],\"zero\":[451,2]}");
	ask_and_hear("6 save 0 nonsense\n", "done 6 error save nonsense: there are begin, memory,");
	ask_and_hear("7 save 0 machine\n", "done 7 error no snapshot of test0 can be taken: it does not stand still\n");
	ask_and_hear("8 save 0 cpu\n", "done 8 error no snapshot of test0 can be taken: it does not stand still\n");
	ask_and_hear("9 save 0 prepare\n", "done 9 error no snapshot of test0 can be taken: it runs: pause it first\n");
	ask_and_hear("10 save 0 send\n", "done 10 error no snapshot of test0 can be taken: the machine has no disk");
	ask_and_hear("11 save 0 machine x\n", "done 11 error x is not a number\n");
	ask_and_hear("12 save 0 end\n", "done 12 ok");
	assert_null(bench.vm[0]->mmu.slots.slot[0].dirty);
	finish();
}

/* By the CPU's own log, which is nothing of a snapshot's: one that goes on has none, and begins one as any other. */
static void cpu_logs(unsigned page)
{
	uint64_t index = vmcs_get(VMCS_PML_INDEX), *entry = frames_ptr(hpa_hfn(HPA(vmcs_get(VMCS_PML_ADDRESS))));

	assert_true(vmcs_get(VMCS_PROC_CONTROLS2) & PROC2_PML);
	assert_in_range(index, 0, MMU_LOG_ENTRIES - 1);
	entry[index] = BENCH_DATA + page * PAGE_SIZE;
	vmcs_put(VMCS_PML_INDEX, index - 1);
}

static void logged_by_the_cpu(void **state)
{
	struct bench_config config = { .cpu = BENCH_MODERN, .mmu = "ept", .guest_clock = true };

	(void)state;
	bench_new(&config);
	assert_true(bench_mode(BENCH_LONG64, 0));
	ask_and_hear("1 save 0 begin\n", "done 1 ok");
	while (bench.vm[0]->save.left)
		STEP(ask("m save 0 memory\n"));
	cpu_logs(3);
	cpu_logs(3);
	cpu_logs(5);
	ask_and_hear("2 save 0 collect\n", "\"left\":2}");
	cpu_logs(6);
	ask_and_hear("3 save 0 end\n", "done 3 ok");
	assert_false(vmcs_get(VMCS_PROC_CONTROLS2) & PROC2_PML);
	take();
	finish();
	restore_as(config);
	assert_false(vmcs_get(VMCS_PROC_CONTROLS2) & PROC2_PML);
	ask_and_hear("4 save 0 begin\n", "done 4 ok");
	assert_int_equal(vmcs_get(VMCS_PML_INDEX), MMU_LOG_ENTRIES - 1);
	cpu_logs(7);
	assert_int_equal(dirty_log_collect(bench.vm[0], NULL, NULL), 1);
	finish();
}

/* RAM of which pages from some on were never touched. */
#define TOUCHED 900u
static struct backing *all;

static bool touched(struct backing *b, uint64_t index, struct backing_page *out)
{
	(void)b;
	return index < TOUCHED && all->page(all, index, out);
}

static enum populated is_never_asked(struct backing *b, uint64_t index, bool write)
{
	(void)b;
	fail_msg("page %lu is brought in%s", index, write ? " to be written" : "");
	return POPULATE_NONE;
}

static void what_was_never_touched(void **state)
{
	struct backing part = { .page = touched, .populate = is_never_asked };
	static uint8_t bytes[SAVE_PIECE];
	struct save_pages p = { .bytes = bytes };
	struct vm *vm;
	struct slot kept, *slot;

	(void)state;
	bench_new(&plainly);
	assert_true(bench_mode(BENCH_LONG64, 0));
	vm = bench.vm[0];
	slot = slots_find(&vm->mmu.slots, GFN(TOUCHED));
	kept = *slot;
	all = slot->backing;
	slot->backing = &part;
	slot->linear = NULL;
	slot->linear_frame = HFN(0);
	slot->block = NULL;
	vm->ram[0].vm = NULL; /* nor is it this RAM that tells of it */
	assert_null(save_begin(vm));
	while (save_scan(vm))
		;
	assert_in_range(vm->save.left, 1, TOUCHED);
	for (unsigned n = TOUCHED; n < BENCH_RAM / PAGE_SIZE; n++)
		assert_false(vm->save.range[0].pending[n / 64] & BIT(n % 64));
	/* By the channel, without that. */
	assert_null(save_begin(vm));
	for (unsigned n = 0; vm->save.left; n++) {
		assert_in_range(n, 0, 300);
		save_pages(vm, &p);
		for (unsigned i = 0; i < p.count; i++)
			assert_in_range(p.gfn[i], 0, TOUCHED - 1);
	}
	save_end(vm);
	*slot = kept;
	vm->ram[0].vm = vm;
	finish();
}

/* SN3: nothing is left of it, and how the TPR is virtualized is as it was. */
static void nothing_is_left(void **state)
{
	uint64_t frames;

	(void)state;
	bench_new(&(struct bench_config){ .mmu = "ept", .tpr = "apicv" });
	assert_true(bench_mode(BENCH_LONG64, 0));
	frames = frames_available() + mmu_table_pages(&bench.vm[0]->mmu);
	take();
	assert_int_equal(bench.vm[0]->tpr.method, CONFIG_TPR_TRAP);
	ask_and_hear("e save 0 end\n", "done e ok");
	assert_int_equal(bench.vm[0]->tpr.method, CONFIG_TPR_APICV);
	assert_int_equal(frames_available() + mmu_table_pages(&bench.vm[0]->mmu), frames);
	ask_and_hear("r resume 0\n", "done r ok");
	assert_int_equal(bench.at, BENCH_ENTRY);
	check_entry(0);
	/* Also where it is over before. */
	take();
	vm_end(bench.vm[0], VM_STATUS_OK, "over");
	bench_interrupt(VECTOR_KICK);
	assert_int_equal(bench.at, BENCH_OVER);
	vm_release_all();
	assert_int_equal(frames_available(), machine.frames_before);
}

/* It goes on in another run, and is over here: but not when it was let go on meanwhile, for however short a time. */
static void it_leaves(void **state)
{
	static const char let_go[] = "error test0 does not leave: it was let go on since it stood for that";

	(void)state;
	bench_new(&plainly);
	assert_true(bench_mode(BENCH_LONG64, 0));
	ask_and_hear("1 save 0 leave\n", let_go);
	take();
	ask_and_hear("2 resume 0\n", "done 2 ok");
	ask_and_hear("3 pause 0\n", "done 3 ok");
	ask_and_hear("4 save 0 leave\n", let_go);
	assert_false(bench.vm[0]->ended);
	ask_and_hear("5 save 0 end\n", "done 5 ok");
	ask_and_hear("6 save 0 leave\n", let_go);
	take();
	ask("7 save 0 leave\n");
	if (bench.at != BENCH_OVER)
		bench_interrupt(VECTOR_KICK);
	assert_true(bench.vm[0]->ended && bench.vm[0]->for_good);
	assert_string_equal(bench.vm[0]->end_text, "went to another run");
	assert_int_equal(bench.at, BENCH_OVER);
	vm_release_all();
	assert_int_equal(frames_available(), machine.frames_before);
}

static void what_cannot_be_taken(void **state)
{
	(void)state;
	bench_new(&plainly);
	bench.vm[0]->debug.attached = true;
	assert_string_equal(save_begin(bench.vm[0]), "a debugger is attached to it");
	bench.vm[0]->debug.attached = false;
	STEP(ask("1 dirty 0 1\n"));
	assert_string_equal(save_begin(bench.vm[0]), "a measurement goes on");
	finish();
	bench_new(&plainly);
	STEP(ask("1 dirty 0 on\n"));
	assert_string_equal(save_begin(bench.vm[0]), "it is watched: \"dirty VM off\" ends that");
	STEP(ask("2 dirty 0 off\n"));
	STEP(ask("3 save 0 begin\n"));
	STEP(ask("4 dirty 0 on\n"));
	assert_true(said("done 4 error the memory of test0 cannot be watched: its memory is being copied\n"));
	STEP(ask("5 dirty 0 1\n"));
	assert_true(said("done 5 error the memory of test0 cannot be measured now: its memory is being copied\n"));
	STEP(ask("6 save 0 end\n"));
	STEP(ask("7 dirty 0 1\n"));
	assert_true(said("\"measurement\":1,"));
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_that_are_written), cmocka_unit_test(logged_by_the_cpu),
		cmocka_unit_test(what_was_never_touched), cmocka_unit_test(nothing_is_left),
		cmocka_unit_test(it_leaves),
		cmocka_unit_test(what_cannot_be_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
