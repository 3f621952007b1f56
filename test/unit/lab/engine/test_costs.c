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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_sync), cmocka_unit_test(test_populate), cmocka_unit_test(test_exits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
