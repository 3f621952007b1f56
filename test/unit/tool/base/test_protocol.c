/* The command's reader of the statistics protocol, and its reader of sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tool/base/protocol.h"
#include "tool/base/size.h"

static char seen[8000];

static void note(void *context, char *line)
{
	size_t length = strlen(seen);

	assert_ptr_equal(context, seen);
	snprintf(seen + length, sizeof seen - length, "<%s>", line);
}

static void feed(struct line_cutter *cutter, const char *data)
{
	lines_feed(cutter, data, strlen(data), note, seen);
}

static void lines_are_cut_wherever_the_bytes_are(void **state)
{
	static struct line_cutter cutter;

	(void)state;
	seen[0] = 0;
	feed(&cutter, "one\ntw");
	assert_string_equal(seen, "<one>");
	feed(&cutter, "o\r");
	feed(&cutter, "\n\n\nthree");
	assert_string_equal(seen, "<one><two>");
	lines_end(&cutter, note, seen);
	lines_end(&cutter, note, seen);
	assert_string_equal(seen, "<one><two><three>");
}

static void a_long_line_loses_its_end(void **state)
{
	static struct line_cutter cutter;
	static char longer[3 * sizeof cutter.line];

	(void)state;
	seen[0] = 0;
	memset(longer, 'x', sizeof longer);
	lines_feed(&cutter, longer, sizeof longer, note, seen);
	assert_int_equal(cutter.length, sizeof cutter.line - 1);
	feed(&cutter, "\nnext\n");
	assert_string_equal(seen + strlen(seen) - 6, "<next>");
}

static struct record parsed(const char *line)
{
	static char copy[200];
	struct record record;

	snprintf(copy, sizeof copy, "%s", line);
	assert_true(record_parse(copy, &record));
	return record;
}

static void each_record_is_understood(void **state)
{
	struct record r;

	(void)state;
	r = parsed("vellum 1");
	assert_true(r.kind == RECORD_VERSION && r.value == 1);
	r = parsed("log two words");
	assert_int_equal(r.kind, RECORD_LOG);
	assert_string_equal(r.text, "two words");
	r = parsed("log");
	assert_string_equal(r.text, "");
	r = parsed("host cpu_brand A CPU @ 1 GHz");
	assert_int_equal(r.kind, RECORD_HOST);
	assert_string_equal(r.name, "cpu_brand");
	assert_string_equal(r.text, "A CPU @ 1 GHz");
	r = parsed("vm 3 start guest");
	assert_true(r.kind == RECORD_VM_START && r.vm == 3);
	assert_string_equal(r.name, "guest");
	r = parsed("vm 0 set mmu ept");
	assert_true(r.kind == RECORD_VM_SET && r.vm == 0);
	assert_string_equal(r.text, "ept");
	r = parsed("con 1 100%25 %41%zz%");
	assert_true(r.kind == RECORD_CON && r.vm == 1);
	assert_string_equal(r.text, "100% A%zz%");
	r = parsed("stat 0 exits.total 18446744073709551615");
	assert_true(r.kind == RECORD_STAT && r.value == UINT64_MAX);
	assert_string_equal(r.name, "exits.total");
	r = parsed("vm 0 end 65 stopped: triple fault");
	assert_true(r.kind == RECORD_VM_END && r.value == 65);
	assert_string_equal(r.text, "stopped: triple fault");
	r = parsed("panic no memory left");
	assert_int_equal(r.kind, RECORD_PANIC);
	assert_string_equal(r.text, "no memory left");
	r = parsed("end 3");
	assert_true(r.kind == RECORD_END && r.value == 3);
}

static void anything_else_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"vellum",
		"vellum x",
		"vellum 1 2",
		"vellum1",
		"logs x",
		"host",
		"vm",
		"vm 0",
		"vm x start g",
		"vm 65536 start g",
		"vm 0 start",
		"vm 0 begin g",
		"vm 0 set",
		"vm 0 end",
		"vm 0 end x",
		"con",
		"con x y",
		"con 99999 y",
		"stat 0 name",
		"stat 0 name -1",
		"stat 0 name 1 2",
		"stat 0 name 18446744073709551616",
		"stat name 1",
		"end",
		"end x",
		"end 0 0",
	};
	char copy[100];
	struct record record;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		snprintf(copy, sizeof copy, "%s", bad[i]);
		if (record_parse(copy, &record))
			fail_msg("\"%s\" was taken for a record", bad[i]);
	}
}

static void sizes_and_numbers(void **state)
{
	static const char *const bad[] = { "",	  "M",	 "K12", "1.5M",	       "-1M",  "1MB",
					   "1M ", " 1M", "0M", "17179869184G", "0x10M" };
	uint64_t value;

	(void)state;
	assert_true(parse_size("256M", &value) && value == 256u << 20);
	assert_true(parse_size("1k", &value) && value == 1024);
	assert_true(parse_size("12", &value) && value == 12u << 20);
	assert_false(parse_size("0", &value));
	assert_true(parse_size("17179869183G", &value) && value == 17179869183u * (1ull << 30));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (parse_size(bad[i], &value))
			fail_msg("\"%s\" was taken for a size", bad[i]);
	assert_true(parse_number("18446744073709551615", &value) && value == UINT64_MAX);
	assert_false(parse_number("18446744073709551616", &value));
	assert_false(parse_number("99999999999999999999", &value));
	assert_false(parse_number("", &value));
	assert_false(parse_number("1 ", &value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_cut_wherever_the_bytes_are), cmocka_unit_test(a_long_line_loses_its_end),
		cmocka_unit_test(each_record_is_understood), cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(sizes_and_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
