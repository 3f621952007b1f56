/* The lab's settings: what they take and refuse, files, presets, and that what is written can be read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lab/config/config.h"

/* Settings, their values, and how they are told. */
static const char *const good[][3] = {
	{ "limit", "1500k", "1500k" },
	{ "limit", "0.5M", "512k" },
	{ "limit", "123", "123" },
	{ "machine.l2", "1536/12", "1536/12" },
	{ "machine.l2", "64/64", "64/full" },
	{ "machine.l2", "0", "0" },
	{ "machine.l3_cache", "24M/12", "24M/12" },
	{ "machine.l2_holds", "4k+1g", "4k+1g" },
	{ "machine.l2_holds", "none", "none" },
	{ "hv.pages", "1G", "1g" },
	{ "hv.fragmentation", "25%", "0.25" },
	{ "hv.vpid", "no", "off" },
	{ "machine.cpi", "0.75", "0.75" },
	{ "workload", "gups:size=1M", "gups:size=1M" },
};

static const char *const bad[][2] = {
	{ "limit", "-1" },
	{ "limit", "1X" },
	{ "limit", "" },
	{ "limit", "99999999999999999999" },
	{ "limit", "0.3" },
	{ "machine.l2", "1536/7" },
	{ "machine.l2", "12" },
	{ "machine.l2", "0/4" },
	{ "machine.l3_cache", "100/2" },
	{ "machine.l2_holds", "4k+" },
	{ "machine.l2_holds", "8k" },
	{ "hv.pages", "3m" },
	{ "hv.fragmentation", "1.5" },
	{ "hv.vpid", "maybe" },
	{ "machine.cpi", "nan" },
	{ "machine.cpi", "-2" },
	{ "no.such", "1" },
	{ "machine.preset", "i486" },
};

static void test_values(void **state)
{
	struct lab_config c;

	(void)state;
	lab_config_init(&c);
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct lab_error error = { "" };
		char *text;

		if (!lab_config_set(&c, good[i][0], good[i][1], &error))
			fail_msg("%s", error.text);
		text = lab_config_get(&c, good[i][0]);
		assert_string_equal(text, good[i][2]);
		free(text);
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct lab_config before = c;
		struct lab_error error = { "" };

		if (lab_config_set(&c, bad[i][0], bad[i][1], &error))
			fail_msg("%s = %s was taken", bad[i][0], bad[i][1]);
		assert_int_not_equal(strlen(error.text), 0);
		assert_memory_equal(&before, &c, sizeof(c));
	}
}

static void same(const struct lab_config *a, const struct lab_config *b)
{
	const char *key;

	for (unsigned i = 0; (key = lab_config_key(i)); i++) {
		char *left = lab_config_get(a, key), *right = lab_config_get(b, key);

		assert_string_equal(left, right);
		free(left);
		free(right);
	}
}

/* Every preset, written as a file and read again over another one. */
static void test_files(void **state)
{
	(void)state;
	for (const struct lab_preset *p = lab_presets; p->name; p++) {
		char path[] = "/tmp/lab-config-XXXXXX";
		struct lab_error error = { "" };
		struct lab_config a, b;
		FILE *f = fdopen(mkstemp(path), "w");

		assert_non_null(f);
		lab_config_init(&a);
		lab_config_init(&b);
		assert_true(lab_config_set(&a, "machine.preset", p->name, &error));
		assert_true(lab_config_set(&a, "seed", "77", &error));
		lab_config_write(&a, "", f);
		fclose(f);
		assert_true(lab_config_set(&b, "machine.preset", "zen4", &error));
		if (!lab_config_read(&b, path, &error))
			fail_msg("%s", error.text);
		same(&a, &b);
		unlink(path);
	}
}

static void test_broken_file(void **state)
{
	char path[] = "/tmp/lab-config-XXXXXX";
	struct lab_error error = { "" }, missing = { "" };
	struct lab_config c;
	FILE *f = fdopen(mkstemp(path), "w");

	(void)state;
	assert_non_null(f);
	lab_config_init(&c);
	fputs("# a machine\n\nseed = 5   # five\nworkload = trace:a#b\nmachine.l2 = many\n", f);
	fclose(f);
	assert_false(lab_config_read(&c, path, &error));
	assert_non_null(strstr(error.text, "line 5"));
	assert_int_equal(c.seed, 5);
	assert_string_equal(c.workload, "trace:a#b");
	unlink(path);
	assert_false(lab_config_read(&c, path, &missing));
	assert_non_null(strstr(missing.text, "cannot read"));
}

/* Which of two was meant nobody knows. What comes from elsewhere may be set anew. */
static void test_twice(void **state)
{
	char path[] = "/tmp/lab-config-XXXXXX";
	struct lab_error error = { "" };
	struct lab_config c;
	FILE *f = fdopen(mkstemp(path), "w");

	(void)state;
	assert_non_null(f);
	lab_config_init(&c);
	assert_true(lab_config_set(&c, "seed", "3", &error));
	fputs("machine.preset = zen4\nmachine.l2 = 2048/16\nseed = 5\nseed = 6\n", f);
	fclose(f);
	assert_false(lab_config_read(&c, path, &error));
	assert_non_null(strstr(error.text, "line 4: seed is set twice"));
	assert_int_equal(c.seed, 5);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values), cmocka_unit_test(test_files), cmocka_unit_test(test_broken_file),
		cmocka_unit_test(test_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
