/* Network cards in the description of virtual machines (vm/config/net.c). */
#include "test/unit/vm/config/one.h"

#include <stdio.h>

static void test_nets(void **state)
{
	static const uint8_t address[6] = { 0x52, 0x54, 0, 0xaB, 0xCd, 0xef };
	char text[400];
	struct config_files none = { .kernel = NULL };

	(void)state;
	good("vm a\nkernel k\nnet lan\nnet users,mac=52:54:00:aB:Cd:ef\nrng on\nhvc on");
	assert_int_equal(vms[0].nets, 2);
	assert_string_equal(vms[0].net[0].name, "lan");
	assert_false(vms[0].net[0].address_given);
	assert_string_equal(vms[0].net[1].name, "users");
	assert_true(vms[0].net[1].address_given);
	assert_memory_equal(vms[0].net[1].address, address, 6);
	assert_int_equal(vms[0].rng, CONFIG_ON);
	assert_int_equal(vms[0].hvc, CONFIG_ON);
	config_print(&vms[0], &none, text, sizeof(text));
	assert_non_null(strstr(text, "\nnet lan\nnet users,mac=52:54:00:ab:cd:ef\nrng on\nhvc on\n"));
}

#define NAME "net needs the name of a network, of 1 to 31 letters, digits, - and _, and behind it perhaps ,mac= and " \
	     "an address, not "
#define MAC "mac must be the address of one station, as 52:54:00:12:34:56, not "

static void test_refused(void **state)
{
	static const struct { const char *value, *sentence; } cases[] = {
		{ "a b", NAME "\"a b\"" },
		{ "", NAME "\"\"" },
		{ ",mac=52:54:00:12:34:56", NAME "\",mac=52:54:00:12:34:56\"" },
		{ "lan,ro", NAME "\"lan,ro\"" },
		{ "abcdefghijklmnopqrstuvwxyz123456", NAME "\"abcdefghijklmnopqrstuvwxyz123456\"" },
		{ "lan,mac=52:54:00:12:34", MAC "\"52:54:00:12:34\"" },
		{ "lan,mac=52:54:00:12:34:5g", MAC "\"52:54:00:12:34:5g\"" },
		{ "lan,mac=52-54-00-12-34-56", MAC "\"52-54-00-12-34-56\"" },
		{ "lan,mac=53:54:00:12:34:56", MAC "\"53:54:00:12:34:56\"" },
		{ "lan,mac=00:00:00:00:00:00", MAC "\"00:00:00:00:00:00\"" },
	};
	char text[200], sentence[300];

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(cases); n++) {
		snprintf(text, sizeof(text), "vm a\nkernel k\nnet %s", cases[n].value);
		snprintf(sentence, sizeof(sentence), "line 3: %s", cases[n].sentence);
		bad(text, sentence);
	}
	bad("vm a\nkernel k\nnet a\nnet a\nnet a\nnet a\nnet a", "line 7: machine a has more than 4 network cards");
	bad("vm a\nkernel k\nrng maybe", "line 3: rng must be on or off, not \"maybe\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_nets), cmocka_unit_test(test_refused) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
