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

static void test_drives(void **state)
{
	char text[1300];

	(void)state;
	good("vm a\nkernel k\ndisk x.img,if=ide,snapshot\ncdrom y, z.iso,ro\ndisk w,ro,if=virtio\ncdrom c");
	assert_int_equal(vms[0].disks, 4);
	assert_true(vms[0].disk[0].ide && vms[0].disk[0].snapshot && !vms[0].disk[0].cd);
	assert_string_equal(vms[0].disk[0].name, "x.img");
	assert_true(vms[0].disk[1].ide && vms[0].disk[1].cd && vms[0].disk[1].read_only);
	assert_string_equal(vms[0].disk[1].name, "y, z.iso,ro");
	assert_true(!vms[0].disk[2].ide && !vms[0].disk[2].cd && vms[0].disk[2].read_only);
	config_print(&vms[0], &(struct config_files){ .kernel = "k" }, text, sizeof(text));
	assert_non_null(strstr(text, "\ndisk x.img,if=ide,snapshot\ncdrom y, z.iso,ro\ndisk w,ro\ncdrom c\n"));
	good(text);
	bad("vm a\nkernel k\ndisk x,if=scsi", "line 3: a disk's interface is if=virtio, if=ide or if=pflash, not "
	    "\"x,if=scsi\"");
	bad("vm a\nkernel k\ncdrom", "line 3: cdrom needs the name of a file, of at most 1023 characters");
	bad("vm a\nkernel k\ndisk 1\ndisk 2\ndisk 3\ndisk 4\ncdrom 5", "line 7: machine a has more than 4 disks");
}

static void test_boot(void **state)
{
	static const char *const orders[] = { "c", "d", "n", "dc", "ndc" };
	static const char *const wrong[] = { "cc", "a", "cdnc", "c d" };
	char text[1300];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(orders); i++) {
		strcpy(text, "vm a\nbios b\nboot ");
		strcat(text, orders[i]);
		good(text);
		assert_string_equal(vms[0].boot, orders[i]);
	}
	config_print(&vms[0], &(struct config_files){ .bios = "b" }, text, sizeof(text));
	assert_non_null(strstr(text, "\nboot ndc\n"));
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		char sentence[200] = "line 3: boot is an order of c (disks), d (CD drives) and n (network), each once, "
				     "not \"";

		strcpy(text, "vm a\nbios b\nboot ");
		strcat(text, wrong[i]);
		strcat(strcat(sentence, wrong[i]), "\"");
		bad(text, sentence);
	}
	bad("vm a\nkernel k\nboot d", "line 3: machine a has boot, and no bios that would look for what to boot");
}

static void test_places(void **state)
{
	static const char *const wrong[] = { "", "ide", "ide2.0", "ide0.2", "ide00", "ide0.0 ", "IDE0.0", "ide0,1",
					     "sata", "sata8", "sata00", "sata-1", "SATA0" };
	unsigned channel, unit;

	(void)state;
	assert_true(config_disk_place("ide1.0", &channel, &unit));
	assert_true(channel == 1 && unit == 0);
	assert_true(config_disk_place("sata7", &channel, &unit));
	assert_true(channel == 9 && unit == 0);
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_false(config_disk_place(wrong[i], &channel, &unit));
}

static void test_trace(void **state)
{
	char text[1300];

	(void)state;
	good("vm a\nkernel k\ndetail on\ntrace ide0.1\n");
	assert_string_equal(vms[0].trace, "ide0.1");
	assert_int_equal(vms[0].detail, CONFIG_ON);
	config_print(&vms[0], &(struct config_files){ .kernel = "k" }, text, sizeof(text));
	assert_non_null(strstr(text, "\ndetail on\ntrace ide0.1\n"));
	good(text);
	bad("vm a\nkernel k\ntrace x.json",
	    "line 3: trace is the place of a disk, ide0.0 to ide1.1, sata0 to sata7, not \"x.json\"");
	bad("vm a\nkernel k\ndetail 1", "line 3: detail must be on or off, not \"1\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_disks), cmocka_unit_test(test_drives), cmocka_unit_test(test_boot),
		cmocka_unit_test(test_trace), cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
