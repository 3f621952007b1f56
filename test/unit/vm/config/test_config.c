#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "vm/config/config.h"
#include "lib/xorshift.h"

#define MAX 4

static struct vm_config vms[MAX];
static const struct config_files own = { NULL, NULL, NULL, NULL, NULL, NULL }, staged = { .kernel = "kernel0" };

static int parse(const char *text, size_t n, char *error, size_t error_size)
{
	/* Without a NUL behind it, so that the sanitizer sees reads beyond. */
	char *copy = malloc(n ? n : 1);
	int count;

	memcpy(copy, text, n);
	memset(vms, 0x5a, sizeof(vms));
	count = config_parse(copy, n, vms, MAX, error, error_size);
	free(copy);
	return count;
}

static void good(const char *text, int count)
{
	char error[200] = "";

	if (parse(text, strlen(text), error, sizeof(error)) != count)
		fail_msg("%s", error);
}

static void bad(const char *text, const char *sentence)
{
	char error[200] = "";

	assert_int_equal(parse(text, strlen(text), error, sizeof(error)), -1);
	assert_string_equal(error, sentence);
}

static void test_defaults(void **state)
{
	(void)state;
	good("vm a\nkernel k", 1);
	assert_string_equal(vms[0].name, "a");
	assert_string_equal(vms[0].kernel, "k");
	assert_string_equal(vms[0].initrd, "");
	assert_string_equal(vms[0].append, "");
	assert_string_equal(vms[0].mmu, "");
	assert_int_equal(vms[0].mem, 256 << 20);
	assert_int_equal(vms[0].vcpus, 1);
	assert_int_equal(vms[0].page_bits, 0);
	assert_int_equal(vms[0].vpid, CONFIG_DEFAULT);
	assert_false(vms[0].guest_clock);
	assert_false(vms[0].testdev);
}

/* One that goes on as a snapshot has it begins with nothing of its own. */
static void test_all(void **state)
{
	(void)state;
	good("# two machines\n\n  vm first \t\r\nkernel\tpath with blanks/bzImage  \ninitrd i\nappend console=ttyS0  "
	     "quiet # not a comment\n"
	     "mem 6G\nvcpus 1\nmmu ept\npages 2m\nvpid off\ntestdev on\nclock guest\n   # indented\nvm Sec-on_d2\nmem "
	     "1028K\nclock host\nkernel z\nvpid on\npages 1g\nept-levels 5\n",
	     2);
	assert_string_equal(vms[0].name, "first");
	assert_string_equal(vms[0].kernel, "path with blanks/bzImage");
	assert_string_equal(vms[0].initrd, "i");
	assert_string_equal(vms[0].append, "console=ttyS0  quiet # not a comment");
	assert_int_equal(vms[0].mem, 6ull << 30);
	assert_string_equal(vms[0].mmu, "ept");
	assert_int_equal(vms[0].page_bits, 21);
	assert_int_equal(vms[0].vpid, CONFIG_OFF);
	assert_true(vms[0].testdev);
	assert_true(vms[0].guest_clock);
	assert_false(vms[1].guest_clock);
	assert_string_equal(vms[1].name, "Sec-on_d2");
	assert_int_equal(vms[1].mem, 1028 << 10);
	assert_int_equal(vms[1].page_bits, 30);
	assert_int_equal(vms[0].ept_levels, 0);
	assert_int_equal(vms[1].ept_levels, 5);
	assert_int_equal(vms[1].vpid, CONFIG_ON);
}

static void test_bad_values(void **state)
{
	(void)state;
	bad("vm a\nkernel k\nmem 0M", "line 3: mem 0M is too little: a machine needs at least 1M");
	bad("vm a\nmem 1023K\n", "line 2: mem 1023K is too little: a machine needs at least 1M");
	bad("vm a\nmem 1026K\n", "line 2: mem 1026K is not a multiple of 4K");
	bad("vm a\nmem 513G\n", "line 2: mem 513G is too much: at most 512G are possible");
	bad("vm a\nmem 17179869184G", "line 2: mem 17179869184G is too much: at most 512G are possible");
	bad("vm a\nmem 99999999999999999999G",
	    "line 2: mem must be a number of megabytes, or with K, M or G, not \"99999999999999999999G\"");
	bad("vm a\nmem 524289", "line 2: mem 524289 is too much: at most 512G are possible");
	bad("vm a\nmem 0", "line 2: mem 0 is too little: a machine needs at least 1M");
	bad("vm a\nmem 256MB", "line 2: mem must be a number of megabytes, or with K, M or G, not \"256MB\"");
	bad("vm a\nmem -1M", "line 2: mem must be a number of megabytes, or with K, M or G, not \"-1M\"");
	bad("vm a\nmem", "line 2: mem must be a number of megabytes, or with K, M or G, not \"\"");
	bad("vm a\nvcpus 33", "line 2: vcpus must be a number from 1 to 32, not \"33\"");
	bad("vm a\nvcpus 0", "line 2: vcpus must be a number from 1 to 32, not \"0\"");
	bad("vm a\nweight 0", "line 2: weight must be a number from 1 to 10000, not \"0\"");
	bad("vm a\nweight 10001", "line 2: weight must be a number from 1 to 10000, not \"10001\"");
	bad("vm a\nweight 1x", "line 2: weight must be a number from 1 to 10000, not \"1x\"");
	bad("vm a\nmigrate-every 99us",
	    "line 2: migrate-every must be from 100us to 1000000 ms, such as 20 or 500us, not \"99us\"");
	bad("vm a\nmigrate-every 1000001",
	    "line 2: migrate-every must be from 100us to 1000000 ms, such as 20 or 500us, not \"1000001\"");
	bad("vm a\nmigrate-every 5s",
	    "line 2: migrate-every must be from 100us to 1000000 ms, such as 20 or 500us, not \"5s\"");
	bad("vm a\nvcpus 2x", "line 2: vcpus must be a number from 1 to 32, not \"2x\"");
	bad("vm a\nkernel k\nvcpus 2\nclock guest",
	    "line 4: machine a has clock guest and 2 vcpus: only the clock of a machine with one can stand still; "
	    "use clock host");
	bad("vm a\nmmu magic", "line 2: there is no mmu mechanism \"magic\"; there is: ept, npt, shadow, vtlb, brute");
	bad("vm a\nept-levels 3", "line 2: ept-levels must be 4, 5 or auto, not \"3\"");
	bad("vm a\npages 3m", "line 2: pages must be 4k, 2m, 1g or auto, not \"3m\"");
	bad("vm a\nvpid maybe", "line 2: vpid must be on or off, not \"maybe\"");
	bad("vm a\non-reset again", "line 2: on-reset must be boot or end, not \"again\"");
	bad("vm a\nstart later", "line 2: start must be on or off, not \"later\"");
	bad("vm a\non-panic reboot", "line 2: on-panic must be stop, pause or none, not \"reboot\"");
	bad("vm a\ntpr fast", "line 2: tpr must be trap, patch, flexpriority, apicv or auto, not \"fast\"");
	bad("vm a\ntestdev", "line 2: testdev must be on or off, not \"\"");
	bad("vm a\nclock mine", "line 2: clock must be guest or host, not \"mine\"");
	bad("vm a\nkernel", "line 2: kernel needs the name of a file");
	bad("vm a\nappend a\x01", "line 2: the value of append holds a control character");
}

static void test_bad_methods(void **state)
{
	(void)state;
	bad("vm a\ndirty fast", "line 2: dirty must be wp, ad, pml or auto, not \"fast\"");
}

/* The list of features that --hide takes. */
static void test_features(void **state)
{
	char error[240];
	uint32_t set = 1;

	(void)state;
	assert_true(config_read_features(&set, "tpr-shadow", error, sizeof(error)));
	assert_int_equal(set, BIT(CONFIG_TPR_SHADOW));
	assert_true(config_read_features(&set, "vpid,ept,unrestricted-guest,apic-access,ept,apic-register-virt,"
						"virtual-interrupt-delivery,ept-ad,pml", error, sizeof(error)));
	assert_int_equal(set, (BIT(CONFIG_FEATURES) - 1) & ~BIT(CONFIG_TPR_SHADOW));
	assert_false(config_read_features(&set, "ept,", error, sizeof(error)));
	assert_string_equal(error, "there is no feature \"\"; to be hidden there are ept, vpid, unrestricted-guest, "
				   "tpr-shadow, apic-access, apic-register-virt, virtual-interrupt-delivery, ept-ad "
				   "and pml");
	assert_false(config_read_features(&set, "ep", error, sizeof(error)));
	assert_false(config_read_features(&set, "ept vpid", error, sizeof(error)));
}

static void test_bad_structure(void **state)
{
	char error[200];

	(void)state;
	bad("", "the description has no machine in it: it must begin with \"vm NAME\"");
	bad("# nothing\n\n", "the description has no machine in it: it must begin with \"vm NAME\"");
	bad("\nkernel k\nvm a", "line 2: \"kernel\" stands before the first \"vm NAME\"");
	bad("vm a\n\n", "line 2: machine a has no kernel");
	bad("vm a\nvm b\nkernel k", "line 2: machine a has no kernel");
	bad("vm a\nkernel k\nvm a", "line 3: there are two machines named a");
	bad("vm a\nkernel k\nconsole on\nvm b\nkernel k\nconsole on",
	    "line 6: a and b both have console on: the machine has one");
	bad("vm a\nkernel k\ncolour red", "line 3: unknown key \"colour\"");
	bad("vm a\nkernel k\nkernel k", "line 3: kernel is given twice for machine a");
	bad("vm", "line 1: a machine's name has 1 to 31 characters, not 0");
	bad("vm 01234567890123456789012345678901", "line 1: a machine's name has 1 to 31 characters, not 32");
	bad("vm a b", "line 1: a machine's name is made of letters, digits, - and _, not \"a b\"");
	bad("vm a\x1b", "line 1: a machine's name holds a control character");
	bad("vm a\nkernel k\nvm b\nkernel k\nvm c\nkernel k\nvm d\nkernel k\nvm e\n",
	    "line 9: there are more than 4 machines");
	assert_int_equal(parse("vm a\nkernel a\0b", 15, error, sizeof(error)), -1);
	assert_string_equal(error, "line 2: the value of kernel holds a control character");
	assert_int_equal(parse("\0\0\0\0", 4, error, sizeof(error)), -1);
	assert_string_equal(error, "line 1: the line holds a control character: this is not a text");
}

/* Room for as many as are counted is enough. */
static void test_count(void **state)
{
	static const struct { const char *text; unsigned count; } texts[] = {
		{ "", 0 }, { "vm", 0 }, { "vm a", 1 },
		{ "vm a\nkernel k\n\t vm\tb\n# vm c\nkernel vm x\nvmx y\n vm c", 3 },
	};
	static const char three[] = "vm a\nkernel k\n vm b\nkernel k\nvm c\nkernel k";
	static struct vm_config vm[3];
	char error[200];

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(texts); n++)
		assert_int_equal(config_count(texts[n].text, strlen(texts[n].text)), texts[n].count);
	assert_int_equal(config_parse(three, strlen(three), vm, config_count(three, strlen(three)), error,
				      sizeof(error)), 3);
}

static void test_switching(void **state)
{
	char text[1000];

	(void)state;
	good("vm a\nkernel k\nswitch-every 20\nswitch-among ept,brute,ept", 1);
	assert_int_equal(vms[0].switch_every, 20000);
	assert_int_equal(vms[0].switch_exits, 0);
	assert_string_equal(vms[0].switch_among, "ept,brute,ept");
	assert_int_equal(vms[0].may_switch, CONFIG_DEFAULT);
	good("vm a\nkernel k\nswitch-every 100us\nswitch on", 1);
	assert_int_equal(vms[0].switch_every, 100);
	good("vm a\nkernel k\nswitch-every 1000000ms", 1);
	good("vm a\nkernel k\nswitch-every 32exits", 1);
	assert_int_equal(vms[0].switch_exits, 32);
	config_print(&vms[0], &own, text, sizeof(text));
	good(text, 1);
	assert_int_equal(vms[0].switch_exits, 32);
	good("vm a\nkernel k\nswitch off", 1);
	assert_int_equal(vms[0].may_switch, CONFIG_OFF);
}

static void test_bad_switching(void **state)
{
	(void)state;
	bad("vm a\nkernel k\nprealloc 1", "line 3: prealloc must be on or off, not \"1\"");
	bad("vm a\nkernel k\nrdrand seldom", "line 3: rdrand must be on or off, not \"seldom\"");
	bad("vm a\nkernel k\nswitch maybe", "line 3: switch must be on or off, not \"maybe\"");
	bad("vm a\nkernel k\nswitch-every 99us", "line 3: switch-every must be from 100us to 1000000 ms, not 99us");
	bad("vm a\nkernel k\nswitch-every 99999999999999999999",
	    "line 3: switch-every must be from 100us to 1000000 ms, not 99999999999999999999");
	bad("vm a\nkernel k\nswitch-every 31exits",
	    "line 3: switch-every must be milliseconds, microseconds or VM exits (at least 32), "
	    "such as 20, 500us or 100exits, not \"31exits\"");
	bad("vm a\nkernel k\nswitch-every 1000000001exits",
	    "line 3: switch-every must be milliseconds, microseconds or VM exits (at least 32), "
	    "such as 20, 500us or 100exits, not \"1000000001exits\"");
	bad("vm a\nkernel k\nswitch-every 5\nswitch-among ept,,brute",
	    "line 4: switch-among must be mechanisms with commas between them, among ept, npt, shadow, vtlb and brute, "
	    "such as ept,shadow, not \"ept,,brute\"");
	bad("vm a\nkernel k\nswitch-every 5\nswitch-among ept,eptshadowvtlbbrute",
	    "line 4: switch-among must be mechanisms with commas between them, among ept, npt, shadow, vtlb and brute, "
	    "such as ept,shadow, not \"ept,eptshadowvtlbbrute\"");
	bad("vm a\nkernel k\nswitch-every 5\nswitch-among "
	    "ept,ept,ept,ept,ept,ept,ept,ept,ept,ept,ept,ept,ept,ept,ept,ept,ept",
	    "line 4: switch-among names 17 mechanisms, at most 16 are possible");
	bad("vm a\nkernel k\nswitch-among ept",
	    "line 3: machine a has switch-among, but no switch-every that would go through the list");
	bad("vm a\nkernel k\nswitch off\nswitch-every 5",
	    "line 4: machine a has switch-every, and switch off, which forbids it");
}

/* A name that is longer than any is cut, not written beyond its place. */
static void test_names_of_a_list(void **state)
{
	char name[40];
	const char *rest;

	(void)state;
	memset(name, '#', sizeof(name));
	rest = config_next_among("a-name-that-is-longer,b", name);
	assert_string_equal(rest, "b");
	assert_string_equal(name, "a-name-that-is-");
	assert_int_equal(name[16], '#');
	assert_null(config_next_among(rest, name));
	assert_string_equal(name, "b");
}

static void test_long_values(void **state)
{
	char text[4000], error[200];
	size_t n;

	(void)state;
	strcpy(text, "vm a\nkernel k\nappend ");
	n = strlen(text);
	memset(text + n, 'x', 2047);
	text[n + 2047] = 0;
	good(text, 1);
	assert_int_equal(strlen(vms[0].append), 2047);
	text[n + 2047] = 'x';
	assert_int_equal(parse(text, n + 2048, error, sizeof(error)), -1);
	assert_string_equal(error, "line 3: the command line is too long: 2048 characters, at most 2047 are possible");
	memcpy(text, "vm a\nmmu ", 9);
	assert_int_equal(parse(text, 3000, error, sizeof(error)), -1);
}

static void test_mitigations(void **state)
{
	static const struct { const char *text; bool chosen; uint32_t set; const char *printed;
	} values[] = {
		{ "auto", false, 0, NULL },
		{ "off", true, 0, "off" },
		{ "l1d", true, 2, "l1d" },
		{ "guest,registers", true, 65, "registers,guest" },
		{ "registers,l1d,verw,ibrs,rsb,ibpb,guest", true, 127, "registers,l1d,verw,ibrs,rsb,ibpb,guest" },
	};
	static const char *const wrong[] = { "", "on", "l1d,", ",", "l1d,off", "auto,l1d", "l1dd", "L1D" };
	static const char text[] =
		"mitigations must be auto, off, or some of registers,l1d,verw,ibrs,rsb,ibpb,guest, not \"";
	char error[200], printed[100];
	struct vm_config vm;

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		assert_true(config_init(&vm, "guest", error, sizeof(error)));
		assert_true(config_set(&vm, "mitigations", values[i].text, error, sizeof(error)));
		assert_int_equal(vm.mitigations_chosen, values[i].chosen);
		assert_int_equal(vm.mitigations, values[i].set);
		if (!values[i].printed)
			continue;
		config_print_measures(vm.mitigations, printed, sizeof(printed));
		assert_string_equal(printed, values[i].printed);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_true(config_init(&vm, "guest", error, sizeof(error)));
		assert_false(config_set(&vm, "mitigations", wrong[i], error, sizeof(error)));
		assert_false(vm.mitigations_chosen);
		assert_memory_equal(error, text, strlen(text));
	}
}

/* A description whose keys are set one by one. */
static void set_all(struct vm_config *vm)
{
	static const char *const keys[][2] = {
		{ "kernel", "/boot/my kernel" },
		{ "initrd", "/i" },
		{ "append", "a b" },
		{ "mem", "64M" },
		{ "pages", "4k" },
		{ "mmu", "ept" },
		{ "vpid", "off" },
		{ "unrestricted", "off" },
		{ "rdrand", "off" }, { "prealloc", "on" },
		{ "testdev", "on" },
		{ "clock", "guest" },
		{ "ept-levels", "4" },
		{ "mitigations", "ibpb,registers" },
		{ "on-panic", "pause" }, { "on-reset", "boot" }, { "start", "off" },
		{ "tpr", "trap" }, { "dirty", "ad" }, { "console", "on" },
	};
	char error[200];

	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		assert_true(config_set(vm, keys[i][0], keys[i][1], error, sizeof(error)));
}

/* What is read back of it, printed with another name for the kernel. */
static void check_all_but_kernel(const struct vm_config *vm)
{
	assert_string_equal(vm->initrd, "/i");
	assert_string_equal(vm->append, "a b");
	assert_int_equal(vm->mem, 64 << 20);
	assert_int_equal(vm->page_bits, 12);
	assert_int_equal(vm->ept_levels, 4);
	assert_true(vm->mitigations_chosen);
	assert_int_equal(vm->mitigations, 1 | 1 << 5);
	assert_string_equal(vm->mmu, "ept");
	assert_int_equal(vm->rdrand, CONFIG_OFF);
	assert_int_equal(vm->prealloc, CONFIG_ON);
	assert_int_equal(vm->vpid, CONFIG_OFF);
	assert_int_equal(vm->unrestricted, CONFIG_OFF);
	assert_true(vm->testdev);
	assert_true(vm->guest_clock);
	assert_int_equal(vm->on_panic, CONFIG_PANIC_PAUSE);
	assert_int_equal(vm->tpr, CONFIG_TPR_TRAP);
	assert_int_equal(vm->dirty, CONFIG_DIRTY_AD);
	assert_int_equal(vm->console, CONFIG_ON);
}

/* Options of the command: the same checks, and the text that config_print() writes says the same. */
static void test_options(void **state)
{
	struct vm_config vm;
	char error[200], text[6000], small[10];
	size_t n;

	(void)state;
	assert_true(config_init(&vm, "guest", error, sizeof(error)));
	assert_false(config_complete(&vm, error, sizeof(error)));
	assert_string_equal(error, "machine guest has no kernel");
	assert_false(config_set(&vm, "mem", "0", error, sizeof(error)));
	assert_false(config_set(&vm, "nonsense", "0", error, sizeof(error)));
	set_all(&vm);
	assert_false(config_set(&vm, "mem", "64M", error, sizeof(error)));
	assert_string_equal(error, "mem is given twice for machine guest");
	assert_true(config_complete(&vm, error, sizeof(error)));
	n = config_print(&vm, &staged, text, sizeof(text));
	assert_int_equal(n, strlen(text));
	assert_int_equal(config_print(&vm, &staged, small, sizeof(small)), n);
	assert_int_equal(config_print(&vm, &staged, NULL, 0), n);
	good(text, 1);
	assert_string_equal(vms[0].kernel, "kernel0");
	check_all_but_kernel(&vms[0]);
	/* C1: a machine cannot be made with a name that the text form does not have. */
	assert_false(config_init(&vm, "a b", error, sizeof(error)));
}

/* Any bytes: a count or one line of text, nothing else. */
static void test_mutations(void **state)
{
	static const char text[] = "vm a\nkernel k\nmem 64M\nappend x y\nvm b\nkernel k\npages 2m\nvpid on\n";
	uint64_t random = 88172645463325252;
	unsigned parsed = 0;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		char copy[sizeof(text)], error[200] = "";

		memcpy(copy, text, sizeof(text));
		for (unsigned j = 0; j < 1 + i % 3; j++) {
			xorshift(&random);
			copy[random % (sizeof(text) - 1)] = (char)(random >> 32);
		}
		if (parse(copy, sizeof(text) - 1 - (i % 5 ? 0 : random % sizeof(text) % 60), error, sizeof(error)) >
		    0) {
			parsed++;
			continue;
		}
		assert_true(strlen(error) > 10);
		for (const char *p = error; *p; p++)
			assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
	}
	assert_true(parsed > 1000 && parsed < 19000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_all),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_bad_methods),  cmocka_unit_test(test_count),
		cmocka_unit_test(test_bad_structure),
		cmocka_unit_test(test_features), cmocka_unit_test(test_switching),
		cmocka_unit_test(test_bad_switching),
		cmocka_unit_test(test_names_of_a_list),
		cmocka_unit_test(test_long_values), cmocka_unit_test(test_options),
		cmocka_unit_test(test_mitigations), cmocka_unit_test(test_mutations),
	};
	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
