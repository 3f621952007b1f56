/* Files of results: torn, foreign, contradicting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lab/show/view.h"
#include "lab/sweep/results.h"
#include "lab/sweep/sweep.h"
#include "test/unit/lab/fake.h"
#include "test/unit/lab/own_command.h"

static char *a_line(uint64_t seed, const char *key)
{
	struct lab_result *result = calloc(1, sizeof(*result));
	struct lab_config config;
	char *line;

	lab_config_init(&config);
	config.seed = seed;
	lab_fake_result(&config, result);
	line = lab_record_line(key, "b", result);
	free(result);
	return line;
}

static void test_results_file(void **state)
{
	struct lab_results results = { 0 };
	struct lab_store store;
	struct lab_error error = { "" };
	char *one = a_line(1, "00000000000000aa"), *two = a_line(2, "00000000000000bb"), *text;

	(void)state;
	unlink("r.jsonl");
	assert_true(lab_store_open(&store, "r.jsonl", &results, &error));
	assert_true(lab_store_append(&store, one, &error) && lab_store_append(&store, two, &error));
	lab_store_close(&store);
	/* Cut anywhere in the last line, it is a torn one; the first stays. */
	for (size_t cut = 0; cut < strlen(two); cut += cut < 30 ? 1 : 501) {
		assert_int_equal(0, truncate("r.jsonl", (off_t)(strlen(one) + cut)));
		assert_true(lab_store_open(&store, "r.jsonl", &results, &error));
		assert_int_equal(cut > 0, store.torn);
		assert_int_equal(1, results.count);
		assert_true(lab_store_append(&store, two, &error));
		lab_store_close(&store);
		text = slurp("r.jsonl");
		assert_int_equal(strlen(one) + strlen(two), strlen(text));
		free(text);
	}
	lab_results_free(&results);
	assert_true(lab_results_read(&results, "r.jsonl", NULL, &error));
	assert_int_equal(2, results.count);
	assert_true(lab_record_number(&results.record[1], "accesses") == 1000002);
	assert_string_equal("haswell", lab_record_setting(&results.record[1], "machine.preset"));
	lab_results_free(&results);
	free(one);
	free(two);
}

/* A file that is something else is left alone, with or without a newline at its end. */
static void test_foreign_file(void **state)
{
	static const char *const texts[] = { "my thesis\n",
					     "my thesis",
					     "{\"cell\":\"1\"}\n",
					     "{\"cell\":\"xyz\",\"settings\":{},\"account\":{}}\n",
					     "{}",
					     "[]\n",
					     "{\"sweep\":{\"cells\":[[1,2]]}}\n",
					     "\x01" };

	(void)state;
	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct lab_results results = { 0 };
		struct lab_error error = { "" };
		struct lab_store store;
		char *text;

		spill("foreign", texts[i]);
		assert_false(lab_store_open(&store, "foreign", &results, &error));
		assert_non_null(strstr(error.text, "foreign, line 1: "));
		lab_results_free(&results);
		text = slurp("foreign");
		assert_string_equal(texts[i], text);
		free(text);
	}
}

static void test_contradiction(void **state)
{
	struct lab_results results = { 0 };
	struct lab_error error = { "" };
	char *one = a_line(1, "00000000000000aa"), *two = a_line(2, "00000000000000aa");

	(void)state;
	*strchr(one, '\n') = *strchr(two, '\n') = '\0';
	assert_true(lab_results_take(&results, one, &error) && lab_results_take(&results, one, &error));
	assert_int_equal(1, results.repeated);
	assert_int_equal(1, results.count);
	assert_false(lab_results_take(&results, two, &error));
	assert_non_null(strstr(error.text, "contradicting"));
	assert_non_null(strstr(error.text, "accesses is 1000001 in one and 1000002"));
	lab_results_free(&results);
	free(one);
	free(two);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_results_file), cmocka_unit_test(test_foreign_file),
		cmocka_unit_test(test_contradiction),
	};

	return cmocka_run_group_tests(tests, own_command_setup, own_command_teardown);
}
