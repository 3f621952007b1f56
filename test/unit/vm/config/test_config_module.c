/* Modules in the description of virtual machines (vm/config/module.c). */
#include "test/unit/vm/config/one.h"

static void test_modules(void **state)
{
	char text[1300];

	(void)state;
	good("vm a\nkernel k\nmodule vmlinuz  console=hvc0 \tro\nmodule initrd.img\nmodule\tx y z");
	assert_int_equal(vms[0].modules, 3);
	assert_string_equal(vms[0].module[0].name, "vmlinuz");
	assert_string_equal(vms[0].module[0].text, "console=hvc0 \tro");
	assert_string_equal(vms[0].module[1].name, "initrd.img");
	assert_string_equal(vms[0].module[1].text, "");
	assert_string_equal(vms[0].module[2].name, "x");
	assert_string_equal(vms[0].module[2].text, "y z");
	config_print(&vms[0], &(struct config_files){ .kernel = "k" }, text, sizeof(text));
	assert_non_null(strstr(text, "\nmodule vmlinuz console=hvc0 \tro\nmodule initrd.img\nmodule x y z\n"));
	bad("vm a\nkernel k\nmodule 1\nmodule 2\nmodule 3\nmodule 4\nmodule 5\nmodule 6\nmodule 7\nmodule 8\nmodule 9",
	    "line 11: machine a has more than 8 modules");
	bad("vm a\nbios b\nmodule m", "line 3: machine a has a module, and no kernel for it");
	bad("vm a\nbios b\nkernel k\nmodule m", "line 4: machine a has modules, and bios: a firmware loads none");
}

static void test_long(void **state)
{
	static char text[3300];

	(void)state;
	bad("vm a\nkernel k\nmodule", "line 3: module needs the name of a file, of at most 1023 characters");
	strcpy(text, "vm a\nkernel k\nmodule ");
	memset(text + 21, 'x', 1023);
	good(text);
	text[21 + 1023] = 'x';
	bad(text, "line 3: module needs the name of a file, of at most 1023 characters");
	strcpy(text + 21, "m ");
	memset(text + 23, 'x', 2047);
	good(text);
	text[23 + 2047] = 'x';
	bad(text, "line 3: what module m is given is too long: 2048 characters, at most 2047 are possible");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_modules), cmocka_unit_test(test_long) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
