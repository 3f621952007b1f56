/* The memory of virtual machines in their description (vm/config/memory.c): what one keeps of it, may have, and where
 * the rest goes. */
#include "test/unit/vm/config/one.h"

#include <stdio.h>

static void bad_size(const char *key, const char *value)
{
	char text[120], sentence[200];

	snprintf(text, sizeof(text), "vm a\nkernel k\n%s %s", key, value);
	snprintf(sentence, sizeof(sentence), "line 3: %s must be a number of megabytes, or with K, M or G, in pages of "
		 "4K and up to 512G, not \"%s\"", key, value);
	bad(text, sentence);
}

static void test_memory(void **state)
{
	struct config_files none = { .kernel = NULL };
	char text[400];

	(void)state;
	good("vm a\nkernel k\nmem 64M\nreservation 8M\nlimit 32768K\nswap ide1.0\nzpool 4M");
	config_print(&vms[0], &none, text, sizeof(text));
	good(text);
	assert_int_equal(vms[0].reservation, 8 << 20);
	assert_int_equal(vms[0].limit, 32 << 20);
	assert_int_equal(vms[0].zpool, 4 << 20);
	assert_string_equal(vms[0].swap, "ide1.0");
	good("vm a\nkernel k\nmem 64M\nreservation 64M");
	assert_int_equal(vms[0].balloon, CONFIG_BALLOON_OFF);
	good("vm a\nkernel k\nballoon oom");
	config_print(&vms[0], &none, text, sizeof(text));
	good(text);
	assert_int_equal(vms[0].balloon, CONFIG_BALLOON_OOM);
	good("vm a\nkernel k\nballoon on\nprealloc off");
	assert_int_equal(vms[0].balloon, CONFIG_BALLOON_ON);
}

#define TOO_MUCH "a is to keep 9M by reservation, which is more than it may have"

static void test_refused(void **state)
{
	(void)state;
	bad_size("reservation", "8MB");
	bad_size("limit", "3K");
	bad_size("zpool", "5K");
	bad_size("limit", "513G");
	bad_size("reservation", "99999999999999999999999");
	bad("vm a\nkernel k\nlimit 512K", "line 3: limit 512K is too little: a machine needs at least 1M");
	bad("vm a\nkernel k\nswap ide2.0",
	    "line 3: swap is the place of a disk, ide0.0 to ide1.1, sata0 to sata7, not \"ide2.0\"");
	bad("vm a\nkernel k\nmem 8M\nreservation 9M", "line 4: " TOO_MUCH);
	bad("vm a\nkernel k\nlimit 8M\nreservation 9M", "line 4: " TOO_MUCH);
	good("vm a\nkernel k\nmem 8M\nlimit 8M");
	bad("vm a\nkernel k\nmem 8M\nlimit 9M", "line 4: a has 8M of RAM, and may have 9M of it in memory by limit: "
	    "give it less, or no limit");
	bad("vm a\nkernel k\nswap ide1.0\nprealloc on", "line 4: a has prealloc, so its RAM stays where it is: "
	    "swap, limit and balloon are for others");
	bad("vm a\nkernel k\nballoon on\nprealloc on", "line 4: a has prealloc, so its RAM stays where it is: "
	    "swap, limit and balloon are for others");
	bad("vm a\nkernel k\nballoon yes", "line 3: balloon must be on, off or oom, not \"yes\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
