/* The machine's own disk (vm/snapshot/exchange.c): pages leave by it while the guest runs, to their places. */
#include "test/unit/vm/fixture.h"

#include "host/memory/frames.h"
#include "test/vm/disk.h"
#include "vm/device/disk.h"
#include "vm/snapshot/exchange.h"

#define PAGE_SECTORS (PAGE_SIZE / SECTOR_SIZE)

static void start_with_disk(bool small, unsigned vms)
{
	memset(&bench_disk, 0, sizeof(bench_disk));
	bench_disk.there = true;
	bench_disk.small = small;
	bench_new(&(struct bench_config){ .mmu = "ept", .vms = vms });
	assert_null(disks_begin(true));
	assert_null(exchange_begin("ide1.0"));
}

static void end_it(void)
{
	ask_and_hear("e save 0 end\n", "done e ok");
	exchange_begin(NULL);
	finish();
}

/* Those that are zero need not leave, the first time. */
static void pages_leave(void **state)
{
	char page[11] = "";

	(void)state;
	start_with_disk(false, 1);
	assert_true(bench_mode(BENCH_LONG64, 0));
	bench_poke(BENCH_DATA, "first time", 10);
	ask_and_hear("1 save 0 begin\n", "\"disk\":true");
	ask_and_hear("2 save 0 scan\n", "\"scanned\":false}");
	ask_and_hear("3 save 0 scan\n", "\"scanned\":true}");
	assert_in_range(bench.vm[0]->save.left, 1, 100);
	ask_and_hear("4 save 0 send\n", "\"sent\":false}");
	ask_and_hear("5 save 0 send\n", "\"sent\":false}"); /* again: nothing else begins */
	bench_disk_finish();
	ask_and_hear("6 save 0 sent\n", "\"left\":0,\"sent\":true}");
	memcpy(page, bench_disk.data[BENCH_DATA / SECTOR_SIZE], 10);
	assert_string_equal(page, "first time");
	/* What is written behind that leaves again, zero or not. */
	bench_poke(BENCH_DATA, "then again", 10);
	mmu_guest_write(&bench.vm[0]->mmu, GPA(BENCH_DATA), "then again", 10);
	ask_and_hear("7 save 0 collect\n", "reply 7 {\"vm\":\"test0\",\"state\":\"running\",\"left\":");
	ask_and_hear("8 save 0 scan\n", "\"scanned\":true}");
	ask_and_hear("9 save 0 send\n", "reply 9 ");
	bench_disk_finish();
	memcpy(page, bench_disk.data[BENCH_DATA / SECTOR_SIZE], 10);
	assert_string_equal(page, "then again");
	ask_and_hear("10 save 0 sent\n", "reply 10 {\"vm\":\"test0\",\"state\":\"running\",\"left\":0,\"sent\":true}");
	end_it();
}

static void a_disk_that_fails(void **state)
{
	(void)state;
	start_with_disk(false, 1);
	ask_and_hear("1 save 0 begin\n", "done 1 ok");
	bench_disk.fail = true;
	ask_and_hear("2 save 0 send\n", "done 2 ok");
	bench_disk_finish();
	ask_and_hear("3 save 0 sent\n",
		     "done 3 error no snapshot of test0 can be taken: the machine's own disk has failed\n");
	bench_disk.fail = false;
	end_it();
}

/* EX1, and one that is too small. */
static void one_at_a_time(void **state)
{
	(void)state;
	start_with_disk(false, 2);
	assert_null(save_begin(bench.vm[0]));
	assert_string_equal(save_begin(bench.vm[1]), "another is just being taken");
	assert_false(bench.vm[1]->save.on);
	save_end(bench.vm[0]);
	assert_null(save_begin(bench.vm[1]));
	save_end(bench.vm[1]);
	exchange_begin(NULL);
	finish();
	start_with_disk(true, 1);
	assert_string_equal(save_begin(bench.vm[0]), "the machine's own disk is smaller than its RAM");
	exchange_begin(NULL);
	finish();
	start_with_disk(false, 1);
	assert_non_null(strstr(exchange_begin("ide0.1"), "there is no disk ide0.1"));
	finish();
}

/* It ends in the middle of a transfer: nothing of it is touched then. */
static void in_the_middle(void **state)
{
	(void)state;
	start_with_disk(false, 1);
	ask_and_hear("1 save 0 begin\n", "done 1 ok");
	ask_and_hear("2 save 0 send\n", "\"sent\":false}");
	ask_and_hear("3 save 0 end\n", "done 3 ok");
	bench_disk_finish();
	assert_false(exchange_taken(bench.vm[0]));
	exchange_begin(NULL);
	finish();
}

/* SN2: what a disk of the guest's has under way ends first. */
static void disks_come_to_rest(void **state)
{
	struct block_request r = { .op = BLOCK_FLUSH };
	const char *why;

	(void)state;
	memset(&bench_disk, 0, sizeof(bench_disk));
	bench_disk.there = true;
	bench_new(&(struct bench_config){ .mmu = "ept", .description = "disk ide1.0\n" });
	assert_null(save_begin(bench.vm[0]));
	vm_pause(bench.vm[0], true);
	bench_interrupt(VECTOR_KICK);
	bench.vm[0]->disks[0].block.first = &r;
	assert_false(save_prepare(bench.vm[0], &why));
	assert_null(why);
	bench.vm[0]->disks[0].block.first = NULL;
	assert_true(save_prepare(bench.vm[0], &why));
	assert_null(why);
	save_end(bench.vm[0]);
	finish();
	bench_new(&(struct bench_config){ .mmu = "ept", .description = "disk ide1.0,snapshot\n" });
	assert_string_equal(save_begin(bench.vm[0]),
			    "what it writes to a disk with snapshot is in this machine's memory alone");
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_leave), cmocka_unit_test(a_disk_that_fails), cmocka_unit_test(one_at_a_time),
		cmocka_unit_test(in_the_middle), cmocka_unit_test(disks_come_to_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
