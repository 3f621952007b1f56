/* What the cells of a sweep are, and the keys by which they are known again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lab/sweep/sweep.h"
#include "test/unit/lab/own_command.h"

static bool base(void *ctx, struct lab_config *config, struct lab_error *error)
{
	const char *const *assignments = ctx;

	for (; *assignments; assignments++)
		if (!lab_config_assign(config, *assignments, error))
			return false;
	return true;
}

static void test_expansion(void **state)
{
	const char *common[] = { "workload=fake:", "machine.l2=512/4", NULL };
	struct lab_sweep s = { 0 };
	struct lab_error error = { "" };

	(void)state;
	assert_true(lab_sweep_vary(&s, "mmu=ept,shadow", &error));
	assert_true(lab_sweep_pair(&s, "hv.pages,guest.pages=4k,4k;2m,4k;1g,2m", &error));
	assert_true(lab_sweep_vary(&s, "seed=1,2", &error));
	assert_true(lab_sweep_expand(&s, base, common, &error));
	assert_int_equal(12, s.cells);
	assert_string_equal("hv.mmu=ept hv.pages=4k guest.pages=4k seed=1", s.cell[0].label);
	assert_string_equal("hv.mmu=ept hv.pages=4k guest.pages=4k seed=2", s.cell[1].label);
	assert_string_equal("hv.mmu=shadow hv.pages=1g guest.pages=2m seed=2", s.cell[11].label);
	assert_int_equal(30, s.cell[4].config.hv.pages);
	assert_int_equal(21, s.cell[4].config.guest.pages);
	assert_int_equal(512, s.cell[4].config.machine.l2.entries);
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(i >= 10, s.cell[i].why != NULL);
	lab_sweep_free(&s);
}

/* A machine that is varied comes before what is set of it, and is not set besides. */
static void test_preset_axis(void **state)
{
	const char *common[] = { "machine.l2=512/4", NULL },
		   *clash[] = { "machine.preset=haswell", "machine.l2=512/4", NULL };
	struct lab_sweep s = { 0 };
	struct lab_error error = { "" };

	(void)state;
	assert_true(lab_sweep_vary(&s, "preset=haswell", &error));
	assert_true(lab_sweep_expand(&s, base, common, &error));
	assert_int_equal(512, s.cell[0].config.machine.l2.entries);
	lab_sweep_free(&s);
	/* The same machine as is varied is no contradiction. */
	assert_true(lab_sweep_vary(&s, "preset=haswell", &error));
	assert_true(lab_sweep_expand(&s, base, clash, &error));
	lab_sweep_free(&s);
}

static const struct { bool pair; const char *text, *says;
} bad_axes[] = {
	{ false, "mmu", "KEY=VALUE" },
	{ false, "=a", "KEY=VALUE" },
	{ false, "mmu=", "KEY=VALUE" },
	{ false, "workload=gups:size=1,seed=2", "separate them by ;" },
	{ true, "hv.mmu,hv.pages=ept", "names 2 settings, and 'ept' gives 1 value" },
	{ true, "hv.mmu=ept,4k", "gives 2 values" },
	{ true, "x", "KEY,KEY" },
	{ false, "seed=1", "varied twice" },
	{ true, "hv.mmu,seed=ept,1", "varied twice" },
	{ false, "hv.pages=4k,2m,4k", "hv.pages is to be 4k twice" },
	{ true, "hv.mmu,hv.pages=ept,4k;shadow,4k;ept,4k", "hv.mmu is to be ept with the same others twice" },
};

/* Axes whose cells cannot be. */
static const char *const no_cells[][2] = {
	{ "hv.nothing=1", "there is no setting" },
	{ "hv.pages=5k", "hv.pages cannot be '5k'" },
	{ "preset=abacus", "no preset 'abacus'" },
};

static const char *nothing_common[] = { NULL };

static void check_no_cells(const char *axis, const char *says)
{
	struct lab_sweep s = { 0 };
	struct lab_error error = { "" };

	assert_true(lab_sweep_vary(&s, axis, &error));
	assert_false(lab_sweep_expand(&s, base, nothing_common, &error));
	assert_non_null(strstr(error.text, says));
	lab_sweep_free(&s);
}

static void check_too_many_cells(void)
{
	static const char *const axes[] = { "seed=", "limit=", "warmup=", "hv.quantum=", "guest.tick=" };
	struct lab_sweep s = { 0 };
	struct lab_error error = { "" };

	for (unsigned i = 0; i < 5; i++) {
		char text[200];

		snprintf(text, sizeof(text), "%s1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16", axes[i]);
		assert_true(lab_sweep_vary(&s, text, &error));
	}
	assert_false(lab_sweep_expand(&s, base, nothing_common, &error));
	assert_non_null(strstr(error.text, "more than"));
	lab_sweep_free(&s);
}

static void test_bad_axes(void **state)
{
	struct lab_error error;
	struct lab_sweep s = { 0 };

	(void)state;
	assert_true(lab_sweep_vary(&s, "seed=1,2", NULL));
	for (unsigned i = 0; i < sizeof(bad_axes) / sizeof(bad_axes[0]); i++) {
		error.text[0] = '\0';
		assert_false((bad_axes[i].pair ? lab_sweep_pair : lab_sweep_vary)(&s, bad_axes[i].text, &error));
		if (!strstr(error.text, bad_axes[i].says))
			fail_msg("'%s' says '%s'", bad_axes[i].text, error.text);
	}
	lab_sweep_free(&s);
	for (unsigned i = 0; i < sizeof(no_cells) / sizeof(no_cells[0]); i++)
		check_no_cells(no_cells[i][0], no_cells[i][1]);
	check_too_many_cells();
}

static void test_keys(void **state)
{
	struct lab_identities known = { 0 };
	struct lab_config a, b;
	struct lab_error error = { "" };
	char one[LAB_KEY_SIZE], two[LAB_KEY_SIZE];

	(void)state;
	lab_config_init(&a);
	lab_config_init(&b);
	assert_true(lab_cell_key(&a, &known, one, &error) && lab_cell_key(&b, &known, two, &error));
	assert_string_equal(one, two);
	b.guest.path_page++;
	assert_true(lab_cell_key(&b, &known, two, &error));
	assert_string_not_equal(one, two);
	/* A trace counts by what is in it. */
	spill("a.trace", "content");
	spill("b.trace", "content");
	spill("c.trace", "contents");
	assert_true(lab_config_set(&a, "workload", "trace:a.trace", &error) &&
		    lab_config_set(&b, "workload", "trace:b.trace", &error));
	b.guest.path_page--;
	assert_true(lab_cell_key(&a, &known, one, &error) && lab_cell_key(&b, &known, two, &error));
	assert_string_equal(one, two);
	assert_true(lab_config_set(&b, "workload", "trace:c.trace", &error) && lab_cell_key(&b, &known, two, &error));
	assert_string_not_equal(one, two);
	assert_true(lab_config_set(&b, "workload", "trace:none.trace", &error));
	assert_false(lab_cell_key(&b, &known, two, &error));
	assert_non_null(strstr(error.text, "none.trace"));
	lab_identities_free(&known);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expansion), cmocka_unit_test(test_preset_axis),
		cmocka_unit_test(test_bad_axes), cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, own_command_setup, own_command_teardown);
}
