/* How fast pages are looked at that may hold the same, in the description of virtual machines (vm/config/merge.c). */
#include "test/unit/vm/config/one.h"

#include <stdio.h>

static void test_merging(void **state)
{
	char text[400];
	struct config_files none = { .kernel = NULL };

	(void)state;
	good("vm a\nkernel k");
	assert_int_equal(vms[0].merge, CONFIG_DEFAULT);
	assert_int_equal(vms[0].merge_rate, 0);
	config_print(&vms[0], &none, text, sizeof(text));
	assert_null(strstr(text, "merge"));
	good("vm a\nkernel k\nmerge on\nmerge-rate 10000000\nmerge-share 100");
	assert_int_equal(vms[0].merge, CONFIG_ON);
	assert_int_equal(vms[0].merge_rate, CONFIG_MERGE_RATE_MAX);
	assert_int_equal(vms[0].merge_share, 100);
	config_print(&vms[0], &none, text, sizeof(text));
	assert_non_null(strstr(text, "\nmerge on\nmerge-rate 10000000\nmerge-share 100\n"));
}

#define RATE "line 2: merge-rate must be a number of pages a second from 1 to 10000000, not "
#define SHARE "line 2: merge-share must be a number of per cent from 1 to 100, not "

static void test_refused(void **state)
{
	(void)state;
	bad("vm a\nmerge-rate 0", RATE "\"0\"");
	bad("vm a\nmerge-rate 10000001", RATE "\"10000001\"");
	bad("vm a\nmerge-rate 99999999999999999999999", RATE "\"99999999999999999999999\"");
	bad("vm a\nmerge-rate 5k", RATE "\"5k\"");
	bad("vm a\nmerge-share 101", SHARE "\"101\"");
	bad("vm a\nmerge-share -1", SHARE "\"-1\"");
	bad("vm a\nkernel k\nmerge yes", "line 3: merge must be on or off, not \"yes\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merging),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
