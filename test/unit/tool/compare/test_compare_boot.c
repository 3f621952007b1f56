/* `vellum compare`: which runs go on with the snapshot of one boot, and what is said of these. */
#include "test/unit/tool/compare/made.h"

static void is_told(char *value, const char *wanted)
{
	assert_string_equal(value, wanted);
	free(value);
}

/* Runs of one guest on one CPU model go on with the snapshot of a boot; what has no such snapshot boots. */
static void one_boot_for_several(void **state)
{
	struct comparison *c = made("--workload fork:5,boot --mmu ept,shadow --guest amd64,686 --mem 64M --append q");
	struct cell *cell = labelled(c, "ept fork:5 686");

	(void)state;
	assert_int_equal(compare_sharing(c, cell), 2);
	assert_int_equal(compare_sharing(c, labelled(c, "ept boot 686")), 0);
	assert_int_equal(compare_sharing(c, labelled(c, "native fork:5 686")), 0);
	labelled(c, "shadow fork:5 686")->state = CELL_OK; /* of before */
	assert_int_equal(compare_sharing(c, cell), 1);
	cell->from = text("a.snap");
	cell->booted = cJSON_Parse("{\"guest\":{\"debian_kernel\":\"686\",\"kernel\":\"k\","
				   "\"command_line\":\"w q\"}}");
	assert_string_equal(words(c, "ept fork:5 686"),
			    "vellum run --quiet --json out.json --timeout 3600 --ips 50000000 --workload fork:5 "
			    "--mmu ept --from a.snap ");
	cell->run = cJSON_Parse("{\"guest\":{\"debian_kernel\":null,\"kernel\":\"\",\"command_line\":\"\"}}");
	is_told(compare_value(cell, AXIS_GUEST), "686");
	is_told(compare_value(cell, AXIS_KERNEL), "k");
	is_told(compare_command_line(cell), "w q");
	c = made("--mmu ept,shadow --pti on,off");
	assert_int_equal(compare_sharing(c, labelled(c, "shadow PTI on")), 2);
	c = made("--mmu ept,shadow --boots");
	assert_int_equal(compare_sharing(c, labelled(c, "ept")), 0);
	c = made("--mmu ept,shadow --from /proc/self/exe");
	assert_int_equal(compare_sharing(c, labelled(c, "ept")), 0);
	c = made("--mmu ept,shadow --kernel /proc/self/exe");
	assert_int_equal(compare_sharing(c, labelled(c, "ept")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_boot_for_several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
