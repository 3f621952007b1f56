/* Disks in the description of virtual machines (vm/config/disk.c). */
#include "test/unit/vm/config/one.h"

static void test_disks(void **state)
{
	char text[1300] = "vm a\nkernel k\ndisk ";

	(void)state;
	good("vm a\nkernel k\ndisk x.img\ndisk a, b.img,ro\ndisk ,ro,snap,snapshot\ndisk ro");
	assert_int_equal(vms[0].disks, 4);
	assert_string_equal(vms[0].disk[0].name, "x.img");
	assert_false(vms[0].disk[0].read_only || vms[0].disk[0].snapshot);
	assert_string_equal(vms[0].disk[1].name, "a, b.img");
	assert_true(vms[0].disk[1].read_only && !vms[0].disk[1].snapshot);
	assert_string_equal(vms[0].disk[2].name, ",ro,snap");
	assert_true(vms[0].disk[2].snapshot && !vms[0].disk[2].read_only);
	assert_string_equal(vms[0].disk[3].name, "ro");
	config_print(&vms[0], &(struct config_files){ .kernel = "k" }, text, sizeof(text));
	assert_non_null(strstr(text, "\ndisk x.img\ndisk a, b.img,ro\ndisk ,ro,snap,snapshot\ndisk ro\n"));
	bad("vm a\nkernel k\ndisk 1\ndisk 2\ndisk 3\ndisk 4\ndisk 5", "line 7: machine a has more than 4 disks");
	bad("vm a\nkernel k\ndisk x,ro,snapshot",
	    "line 3: a disk is ro or snapshot, not both: what cannot be written needs no snapshot");
	bad("vm a\nkernel k\ndisk", "line 3: disk needs the name of a file, of at most 1023 characters");
	strcpy(text, "vm a\nkernel k\ndisk ");
	memset(text + 19, 'x', 1024);
	text[19 + 1024] = 0;
	bad(text, "line 3: disk needs the name of a file, of at most 1023 characters");
}

static void test_places(void **state)
{
	static const char *const wrong[] = { "", "ide", "ide2.0", "ide0.2", "ide00", "ide0.0 ", "IDE0.0", "ide0,1" };
	unsigned channel, unit;

	(void)state;
	assert_true(config_disk_place("ide1.0", &channel, &unit));
	assert_true(channel == 1 && unit == 0);
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_false(config_disk_place(wrong[i], &channel, &unit));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_disks), cmocka_unit_test(test_places) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
