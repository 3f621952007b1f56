/* What a hypervisor costs besides faults: timer exits, CPUID at each exec, memory that the host gives at first touch,
 * shadow tables that stay in sync. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/lab.h"

static struct lab_config config;

static void set(const char *assignment)
{
	struct lab_error error = { "" };

	if (!lab_config_assign(&config, assignment, &error))
		fail_msg("%s", error.text);
}

static struct lab_result *run(void)
{
	struct lab_result *r = malloc(sizeof(*r));
	struct lab_error error = { "" };

	assert_non_null(r);
	if (!lab_run(&config, r, NULL, NULL, &error))
		fail_msg("%s", error.text);
	return r;
}

/* In sync, each write to a guest table is emulated, and no table goes out of sync. */
static void test_in_sync(void **state)
{
	struct lab_result *out, *in;

	(void)state;
	lab_config_init(&config);
	set("workload=boot:kernel=1M,processes=6,work=500");
	set("hv.mmu=shadow");
	out = run();
	set("hv.in_sync=on");
	in = run();
	assert_true(out->mmu.unsynced > 0);
	assert_int_equal(in->mmu.unsynced, 0);
	assert_true(in->exits[LAB_EXIT_page_fault_emulated] > 2 * out->exits[LAB_EXIT_page_fault_emulated]);
	assert_true(in->cycles_most > out->cycles_most);
	assert_int_equal(out->os.os_pte_writes, in->os.os_pte_writes);
	free(out);
	free(in);
}

/* Each 4-KByte page that an EPT violation brings in is one that the host gives; of 2 MBytes there are fewer, and more
 * to zero. */
static void test_populate(void **state)
{
	struct lab_result *small, *large, *there;

	(void)state;
	lab_config_init(&config);
	set("workload=gups:size=8M,updates=1000,init=0");
	set("hv.pages=4k");
	set("guest.tick=0");
	small = run();
	assert_int_equal(small->populated[LAB_4K], small->exits[LAB_EXIT_ept_violation]);
	assert_true(fabs(small->cycles_populate - (double)small->populated[LAB_4K] * (1500 + 4096 * 0.1)) < 1);
	set("hv.pages=2m");
	large = run();
	assert_true(large->populated[LAB_2M] > 0 && large->populated[LAB_2M] <= 6);
	assert_int_equal(large->populated[LAB_4K], 0);
	set("hv.populate=off");
	there = run();
	assert_true(there->cycles_populate == 0);
	assert_true(fabs(large->cycles_most - large->cycles_populate - there->cycles_most) < 1);
	/* What the set-up has touched is there when the account begins. */
	set("hv.populate=on");
	set("workload=gups:size=8M,updates=1000,init=1");
	free(there);
	there = run();
	assert_true(there->populated[LAB_2M] <= 1);
	free(small);
	free(large);
	free(there);
}

/* A guest of less than a GByte has no page of one, whatever the host's backing. */
static void test_less_than_a_page(void **state)
{
	struct lab_result *r;

	(void)state;
	lab_config_init(&config);
	set("workload=gups:size=8M,updates=1000,init=0");
	set("guest.memory=192M");
	set("hv.pages=1g");
	r = run();
	assert_int_equal(r->mmu.mapped_1g, 0);
	assert_true(r->mmu.mapped_2m > 0);
	free(r);
}

static void test_exits(void **state)
{
	struct lab_result *r;

	(void)state;
	lab_config_init(&config);
	set("workload=gups:size=1M,updates=20K,init=0");
	set("guest.tick=10K");
	r = run();
	assert_int_equal(r->exits[LAB_EXIT_timer] % 3, 0);
	assert_in_range(r->exits[LAB_EXIT_timer] / 3, (r->accesses - r->kernel_accesses) / 10240 - 1,
			(r->accesses - r->kernel_accesses) / 10240 + 1);
	free(r);
	set("guest.tick=0");
	set("workload=fork:children=5,size=1M,exec=1");
	r = run();
	assert_int_equal(r->exits[LAB_EXIT_timer], 0);
	assert_int_equal(r->exits[LAB_EXIT_cpuid], 5 * 65);
	free(r);
	/* Natively there are none of these. */
	set("hv.mmu=native");
	set("guest.tick=10K");
	r = run();
	assert_int_equal(r->exits_all, 0);
	assert_true(r->cycles_populate == 0);
	free(r);
}

/* Two processes on two CPUs: each turn is a wake-up, with an interrupt, its end, two writes to the timer, and a HLT. */
static void test_wakeups(void **state)
{
	static const struct { const char *interrupts; unsigned ipis, ends; } of[] = {
		{ "hv.interrupts=trap", 1, 1 }, { "hv.interrupts=apicv", 1, 0 }, { "hv.interrupts=ipiv", 0, 0 },
	};
	double before = 0;

	(void)state;
	lab_config_init(&config);
	set("workload=ring:processes=2,pages=0,switches=1000");
	set("guest.cpus=2");
	for (unsigned i = 0; i < 3; i++) {
		struct lab_result *r;

		set(of[i].interrupts);
		r = run();
		assert_int_equal(r->wakeups, 1000);
		assert_int_equal(r->exits[LAB_EXIT_ipi], 1000 * of[i].ipis);
		assert_int_equal(r->exits[LAB_EXIT_eoi], 1000 * of[i].ends);
		assert_int_equal(r->exits[LAB_EXIT_deadline], 2000);
		assert_int_equal(r->exits[LAB_EXIT_hlt], 1000);
		assert_int_equal(r->os.os_switches, 0); /* each CPU keeps the tables of its process */
		assert_true(i == 0 || r->cycles_most < before);
		before = r->cycles_most;
		free(r);
	}
}

/* What a guest that polls, a host that does not, and no hypervisor make of it. */
static void test_sleep(void **state)
{
	struct lab_result *halts, *polls, *slow, *native, *one;

	(void)state;
	lab_config_init(&config);
	set("workload=ring:processes=2,pages=0,switches=1000");
	one = run();
	assert_int_equal(one->wakeups + one->exits[LAB_EXIT_hlt], 0);
	assert_int_equal(one->os.os_switches, 1000);
	set("guest.cpus=2");
	halts = run();
	set("guest.idle=poll");
	polls = run();
	assert_int_equal(polls->wakeups, 1000);
	assert_int_equal(polls->exits_all, 0);
	assert_true(polls->cycles_wakeups == 0 && polls->cycles_most < halts->cycles_most);
	set("guest.idle=halt");
	set("hv.halt_poll=off");
	slow = run();
	assert_true(fabs(slow->cycles_most - halts->cycles_most - 1000 * (2000 + 2000)) < 1);
	set("hv.mmu=native");
	native = run();
	assert_int_equal(native->exits_all, 0);
	assert_int_equal(native->wakeups, 1000);
	assert_true(fabs(native->cycles_wakeups - 1000 * (1000 + 2000)) < 1);
	free(one);
	free(halts);
	free(polls);
	free(slow);
	free(native);
}

/* Each CPU has TLBs of its own: what two processes touch by turns fits two of them, and not one. */
static void test_own_tlbs(void **state)
{
	struct lab_result *one, *two;

	(void)state;
	lab_config_init(&config);
	set("workload=ring:processes=2,pages=800,switches=200");
	one = run();
	set("guest.cpus=2");
	two = run();
	assert_true(one->walks > 100 * 800);
	assert_true(two->walks < one->walks / 10);
	free(one);
	free(two);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_sync), cmocka_unit_test(test_populate), cmocka_unit_test(test_exits),
		cmocka_unit_test(test_less_than_a_page),
		cmocka_unit_test(test_wakeups), cmocka_unit_test(test_sleep), cmocka_unit_test(test_own_tlbs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
