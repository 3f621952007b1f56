/* The keys of a machine that starts at a firmware (vm/config/firmware.c), or goes on with a snapshot. */
#include "test/unit/vm/config/one.h"

static void test_firmware(void **state)
{
	struct config_files names = { .kernel = "k0", .bios = "b0", .option_rom = "r0", .vga = "v0" };
	char text[3000];

	(void)state;
	good("vm a\nbios seabios");
	assert_string_equal(vms[0].bios, "seabios");
	assert_string_equal(vms[0].kernel, "");
	good("vm a\nbios b\noption-rom r\nvga v\nkernel k\nappend x\ninitrd i\nmem 2M");
	config_print(&vms[0], &names, text, sizeof(text));
	good(text);
	assert_string_equal(vms[0].bios, "b0");
	assert_string_equal(vms[0].option_rom, "r0");
	assert_string_equal(vms[0].vga, "v0");
	assert_string_equal(vms[0].kernel, "k0");
	assert_string_equal(vms[0].initrd, "i");
	bad("vm a\nbios", "line 2: bios needs the name of a file");
	bad("vm a\nbios b\nbios b", "line 3: bios is given twice for machine a");
	bad("vm a\nkernel k\noption-rom r", "line 3: machine a has an option-rom, and no bios that would run it");
	bad("vm a\nkernel k\nvga v",
	    "line 3: machine a has vga, and no bios that would set it up: give it bios seabios, too");
	bad("vm a\nbios b\ninitrd i", "line 3: machine a has an initrd, and no kernel for it");
	bad("vm a\nbios b\nappend x", "line 3: machine a has a command line, and no kernel for it");
	bad("vm a\nbios b\nmem 1M",
	    "line 3: machine a has bios, and 1024K of RAM: a firmware needs at least 2M");
	bad("vm a\nbios b\ntpr patch",
	    "line 3: machine a has bios, and tpr patch, whose stubs lie where a firmware has option ROMs: "
	    "use another method");
}

static void test_flash(void **state)
{
	char text[3000];

	(void)state;
	good("vm a\nbios b\ndisk x,if=pflash,snapshot\ndisk y\n");
	assert_true(vms[0].disk[0].flash && vms[0].disk[0].snapshot && !vms[0].disk[0].ide && !vms[0].disk[1].flash);
	config_print(&vms[0], &(struct config_files){ .bios = "b" }, text, sizeof(text));
	assert_non_null(strstr(text, "\ndisk x,if=pflash,snapshot\ndisk y\n"));
	good(text);
	bad("vm a\nbios b\ndisk x,if=pflash,if=ide",
	    "line 3: a disk has one interface, if=ide or if=pflash, not both");
	bad("vm a\nkernel k\ndisk x,if=pflash",
	    "line 3: machine a has a disk with if=pflash, and no bios that would keep anything there");
	bad("vm a\nbios b\ndisk x,if=pflash\ndisk y,if=pflash",
	    "line 4: machine a has 2 disks with if=pflash: one can be");
}

static void test_restore(void **state)
{
	struct config_files names = { .restore = "s0" };
	char text[3000];

	(void)state;
	good("vm a\nrestore some file.snap\n");
	assert_string_equal(vms[0].restore, "some file.snap");
	config_print(&vms[0], &names, text, sizeof(text));
	good(text);
	assert_string_equal(vms[0].restore, "s0");
	bad("vm a\nrestore s\nkernel k", "line 3: machine a has restore, and what it would begin with anew (kernel, "
	    "initrd, module, append): a snapshot goes on by itself");
	bad("vm a\nrestore s\nvga v", "line 3: machine a has vga, and no bios that would set it up: give it bios "
	    "seabios, too");
	good("vm a\nrestore s\nbios b\nkernel k\ninitrd i\nappend x\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_firmware), cmocka_unit_test(test_flash),
					    cmocka_unit_test(test_restore) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
