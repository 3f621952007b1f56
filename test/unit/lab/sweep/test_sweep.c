/* Sweeps: expansion, keys, results files, and the commands as they are used: interrupted, killed, in parts, with a run that
 * crashes. The program is its own `vellum lab`, over a lab_run() that costs nothing (test/unit/lab/fake.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "lab/sweep/results.h"
#include "lab/sweep/sweep.h"
#include "lab/show/view.h"
#include "test/unit/lab/fake.h"
#include "test/unit/lab/own_command.h"
#include "test/unit/xml.h"

static void spill(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* The file holds the text. */
static void holds(const char *name, const char *what)
{
	char *text = slurp(name);

	if (!strstr(text, what))
		fail_msg("%s does not hold '%s' but: %s", name, what, text);
	free(text);
}

/* ---- expansion ---- */

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
	const char *common[] = { "machine.l2=512/4", NULL }, *clash[] = { "machine.preset=haswell", "machine.l2=512/4", NULL };
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

static void test_bad_axes(void **state)
{
	static const struct { bool pair; const char *text, *says; } cases[] = {
		{ false, "mmu", "KEY=VALUE" }, { false, "=a", "KEY=VALUE" }, { false, "mmu=", "KEY=VALUE" },
		{ false, "workload=gups:size=1,seed=2", "separate them by ;" }, { true, "hv.mmu,hv.pages=ept", "gives 1 values" },
		{ true, "hv.mmu=ept,4k", "gives 2 values" }, { true, "x", "KEY,KEY" }, { false, "seed=1", "varied twice" },
		{ true, "hv.mmu,seed=ept,1", "varied twice" },
	};
	static const char *const no_cells[][2] = {
		{ "hv.nothing=1", "there is no setting" },
		{ "hv.pages=5k", "hv.pages cannot be '5k'" },
		{ "preset=abacus", "no preset 'abacus'" },
	};
	const char *common[] = { NULL };
	struct lab_error error;
	struct lab_sweep s = { 0 };

	(void)state;
	assert_true(lab_sweep_vary(&s, "seed=1,2", NULL));
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		error.text[0] = '\0';
		assert_false((cases[i].pair ? lab_sweep_pair : lab_sweep_vary)(&s, cases[i].text, &error));
		if (!strstr(error.text, cases[i].says))
			fail_msg("'%s' says '%s'", cases[i].text, error.text);
	}
	lab_sweep_free(&s);
	for (unsigned i = 0; i < sizeof(no_cells) / sizeof(no_cells[0]); i++) {
		error.text[0] = '\0';
		assert_true(lab_sweep_vary(&s, no_cells[i][0], &error));
		assert_false(lab_sweep_expand(&s, base, common, &error));
		assert_non_null(strstr(error.text, no_cells[i][1]));
		lab_sweep_free(&s);
	}
	error.text[0] = '\0';
	for (unsigned i = 0; i < 5; i++) {
		static const char *const axes[] = { "seed=", "limit=", "warmup=", "hv.quantum=", "guest.tick=" };
		char text[200];

		snprintf(text, sizeof(text), "%s1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16", axes[i]);
		assert_true(lab_sweep_vary(&s, text, &error));
	}
	assert_false(lab_sweep_expand(&s, base, common, &error));
	assert_non_null(strstr(error.text, "more than"));
	lab_sweep_free(&s);
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
	assert_true(lab_config_set(&a, "workload", "trace:a.trace", &error) && lab_config_set(&b, "workload", "trace:b.trace", &error));
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

/* ---- results files ---- */

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

/* ---- the commands ---- */

#define SWEEP "\"$V\" lab sweep --vary mmu=ept,shadow --vary pages=4k,2m,1g --vary seed=1,2,3 "

static void test_sweep(void **state)
{
	char *before, *after;

	(void)state;
	assert_int_equal(0, shell(SWEEP "--workload fake: -o s.jsonl >s.out 2>s.err"));
	holds("s.err", "3 cells left out (the first one: hv.mmu=shadow hv.pages=1g seed=1): shadow tables have no 1g pages");
	holds("s.err", "15 cells in ");
	holds("s.out", "hv.mmu  hv.pages  seed");
	before = slurp("s.jsonl");
	/* A second time: nothing to do, and nothing done. */
	assert_int_equal(0, shell(SWEEP "--workload fake: -o s.jsonl >s2.out 2>s.err"));
	holds("s.err", "0 cells in ");
	holds("s.err", "15 were there already");
	after = slurp("s.jsonl");
	assert_string_equal(before, after);
	assert_int_equal(0, shell("cmp s.out s2.out"));
	/* More of it: only that. */
	assert_int_equal(0, shell(SWEEP "--pair hv.vms=\"1;2\" --workload fake: -o s.jsonl >s2.out 2>s.err"));
	holds("s.err", "15 cells in ");
	free(before);
	free(after);
}

static void test_bad_commands(void **state)
{
	static const char *const cases[][2] = {
		{ "--vary mmu=ept", "no workload 'gups:size=64M'" },
		{ "--frob", "has no option '--frob'" },
		{ "--jobs 0", "--jobs takes a number" },
		{ "--workload fake: --cells 7-9", "the sweep has 1 cells" },
		{ "--cells 3-2", "--cells takes A-B" },
		{ "--vary", "--vary needs a value" },
		{ "--workload fake: --columns walks,frob", "no column 'frob'" },
		{ "--workload fake: --jobs-for condor", "parallel or slurm, not 'condor'" },
		{ "--workload fake: -o .", "cannot write the results file ." },
		{ "--workload fake: --preset haswell --vary preset=abacus", "no preset" },
		{ "--workload fake: -o /dev/null", "not a regular file" },
		{ "--set workload=trace:gone", "gone" },
		{ "--set x", "key=value" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(2, shell("\"$V\" lab sweep %s >b.out 2>b.err", cases[i][0]));
		holds("b.err", cases[i][1]);
		/* One sentence, unless a note comes before it. */
		assert_int_equal(0, shell("[ $(grep -c '^vellum: ' b.err) -le 2 ] && ! grep -qv '^vellum: ' b.err"));
	}
	assert_int_equal(2, shell("\"$V\" lab merge x >b.out 2>b.err"));
	holds("b.err", "needs -o FILE");
	assert_int_equal(2, shell("\"$V\" lab merge gone.jsonl -o m >b.out 2>b.err"));
	holds("b.err", "cannot read the results gone.jsonl");
	assert_int_equal(2, shell("\"$V\" lab report >b.out 2>b.err"));
	assert_int_equal(2, shell("\"$V\" lab report /dev/null >b.out 2>b.err"));
	holds("b.err", "there are no results");
}

/* One run dies, one fails: the others are there, the status says so, and the next start runs only these. */
static void test_crash(void **state)
{
	(void)state;
	assert_int_equal(1, shell("\"$V\" lab sweep --vary seed=1,2,3,4,5,6 --workload fake:crash=2,fail=4 -o c.jsonl >c.out 2>c.err"));
	holds("c.err", "cell seed=2 failed: its process was ended by signal 9");
	holds("c.err", "cell seed=4 failed: this seed was not to be");
	holds("c.err", "4 cells in ");
	holds("c.err", "2 FAILED");
	assert_int_equal(0, shell("[ $(grep -c '\"cell\"' c.jsonl) = 4 ]"));
	assert_int_equal(1, shell("\"$V\" lab sweep --vary seed=1,2,3,4,5,6 --workload fake:crash=2,fail=4 -o c.jsonl >c.out 2>c.err"));
	holds("c.err", "0 cells in ");
	assert_int_equal(1, shell("\"$V\" lab merge c.jsonl -o m.jsonl 2>c.err"));
	holds("c.err", "missing: seed=2");
	holds("c.err", "2 of the sweep's 6 cells are missing");
}

/* Four cells come to their end; the others wait for the file "go". */
#define HELD "\"$V\" lab sweep --vary seed=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16 --workload fake:hold=5 --jobs 2 "
/* Waits until four cells are in the file $1, and then sends the signal $2 to process $3. */
#define STRIKE \
	"strike() { until [ -e $1 ] && [ $(grep -c '\"cell\"' $1) = 4 ]; do sleep 0.01; done; kill -$2 $3; }; rm -f go; "

/* Killed in the middle, started again: the same results as without. */
static void test_kill(void **state)
{
	(void)state;
	assert_int_equal(0, shell("touch go; " HELD "-o whole.jsonl >k.out 2>k.err; sort whole.jsonl >w.sorted"));
	assert_int_equal(0, shell(STRIKE HELD "-o k.jsonl >k2.out 2>k2.err & strike k.jsonl 9 $!; wait $!; [ $? = 137 ]"));
	/* And a last line that is only half there. */
	assert_int_equal(0, shell("tail -n 1 whole.jsonl | head -c 100 >>k.jsonl; touch go"));
	assert_int_equal(0, shell(HELD "-o k.jsonl >k2.out 2>k2.err"));
	holds("k2.err", "the last line of k.jsonl was half written");
	holds("k2.err", "4 were there already");
	assert_int_equal(0, shell("sort k.jsonl | cmp - w.sorted && cmp k.out k2.out"));
}

/* The first Ctrl-C lets the two that run finish. */
static void test_interrupt(void **state)
{
	(void)state;
	assert_int_equal(0, shell("set -m; " STRIKE HELD "-o i.jsonl >i.out 2>i.err & strike i.jsonl INT $!; "
				  "until grep -q 'will be finished and kept' i.err; do sleep 0.01; done; touch go; wait $!; [ $? = 130 ]"));
	holds("i.err", "vellum: 6 cells in ");
	holds("i.err", "10 are left, which the same command runs");
	assert_int_equal(0, shell("[ $(grep -c '\"cell\"' i.jsonl) = 6 ]"));
	/* Of two at once, one is refused. */
	assert_int_equal(0, shell("rm go; " HELD "-o i.jsonl >i.out 2>i.err & " HELD
				  "-o i.jsonl >j.out 2>j.err & wait -n; [ $? = 2 ] || exit 1; "
				  "touch go; wait -n"));
	assert_int_equal(0, shell("cat i.err j.err | grep -q 'another sweep is writing i.jsonl' && sort i.jsonl | cmp - w.sorted"));
	/* SIGTERM does not wait. */
	assert_int_equal(0, shell(STRIKE HELD "-o t.jsonl >t.out 2>t.err & strike t.jsonl TERM $!; wait $!; [ $? = 130 ]"));
	assert_int_equal(0, shell("touch go; " HELD "-o t.jsonl >t.out 2>t.err; sort t.jsonl | cmp - w.sorted"));
}

static void test_progress(void **state)
{
	(void)state;
	assert_int_equal(0, shell("script -qec \"$V lab sweep --vary seed=1,2,3 --workload fake:ms=700 --jobs 2 -o p.jsonl\" p.log "
				  ">/dev/null </dev/null"));
	holds("p.log", "of 3 cells done, 2 running, 1 waiting");
	holds("p.log", " left");
	holds("p.log", "M accesses a second");
	assert_int_equal(0, shell("\"$V\" lab sweep --vary seed=4,5 --workload fake: --quiet -o p.jsonl >p.out 2>&1; [ $? = 0 ] && [ "
				  "! -s p.out ]"));
}

/* ---- in parts ---- */

static void test_jobs(void **state)
{
	(void)state;
	assert_int_equal(0, shell(SWEEP "--workload \"fake:a='b c'\" -o whole2.jsonl >/dev/null 2>&1 && sort whole2.jsonl >w2.sorted"));
	/* GNU parallel. */
	assert_int_equal(0, shell(SWEEP "--workload \"fake:a='b c'\" --jobs-for parallel --chunk 4 -o 'p q.jsonl' >jobs.out"));
	holds("jobs.out", "5 jobs for 18 cells");
	assert_int_equal(0, shell("bash -n 'p q.jsonl.jobs' && [ $(wc -l <'p q.jsonl.jobs') = 5 ]"));
	assert_int_equal(0, shell("cd / && parallel --will-cite -j 2 <\"$OLDPWD/p q.jsonl.jobs\""));
	assert_int_equal(
		0, shell("\"$V\" lab merge 'p q.jsonl.parts'/*.jsonl -o 'p q.jsonl' 2>m.err && sort 'p q.jsonl' | cmp - w2.sorted"));
	holds("m.err", "15 results from 5 files\n");
	/* A Slurm array, each task in a shell as Slurm starts it. */
	assert_int_equal(0, shell(SWEEP "--workload \"fake:a='b c'\" --jobs-for slurm --chunk 7 -o sl.jsonl >jobs.out"));
	holds("sl.jsonl.sbatch", "#SBATCH --array=0-2\n");
	assert_int_equal(
		0, shell("bash -n sl.jsonl.sbatch && for t in 0 2; do SLURM_ARRAY_TASK_ID=$t bash sl.jsonl.sbatch || exit 1; done"));
	assert_int_equal(1, shell("\"$V\" lab merge sl.jsonl.parts/*.jsonl -o sl.jsonl 2>m.err"));
	holds("m.err", "missing: hv.mmu=ept hv.pages=1g seed=2");
	assert_int_equal(0, shell("SLURM_ARRAY_TASK_ID=1 bash sl.jsonl.sbatch"));
	assert_int_equal(
		0, shell("\"$V\" lab merge sl.jsonl.parts/*.jsonl sl.jsonl -o sl.jsonl 2>m.err && sort sl.jsonl | cmp - w2.sorted"));
	holds("m.err", "came more than once, with the same numbers");
	/* A part that says something else. */
	assert_int_equal(0, shell("sed 's/\"accesses\":1000001/\"accesses\":1000009/' sl.jsonl >other.jsonl"));
	assert_int_equal(2, shell("\"$V\" lab merge sl.jsonl other.jsonl -o none.jsonl 2>m.err"));
	holds("m.err", "contradicting results: accesses is 1000001 in one and 1000009");
	assert_int_equal(0, shell("[ ! -e none.jsonl ] && [ $(wc -l <m.err) = 1 ]"));
}

/* ---- what comes out ---- */

static unsigned commas(const char *line)
{
	unsigned n = 0;
	bool quoted = false;

	for (; *line && *line != '\n'; line++) {
		quoted ^= *line == '"';
		n += *line == ',' && !quoted;
	}
	return n;
}

static void test_outputs(void **state)
{
	char *text, *line;
	cJSON *json, *cell;
	unsigned fields;

	(void)state;
	assert_int_equal(0, shell("\"$V\" lab sweep --vary 'workload=fake:a=1,b=<&\"x\">;fake:b=2' --vary mmu=ept,shadow --pages 2m "
				  "-o o.jsonl --csv o.csv "
				  "--json o.json --html o.html >o.out 2>o.err"));
	text = slurp("o.csv");
	fields = commas(text);
	assert_non_null(strstr(text, ",seconds.least,seconds.most,"));
	assert_non_null(strstr(text, "\"fake:a=1,b=<&\"\"x\"\">\""));
	line = text;
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(fields, commas(line));
		line = strchr(line, '\n') + 1;
	}
	assert_string_equal("", line);
	free(text);

	text = slurp("o.json");
	json = cJSON_Parse(text);
	assert_non_null(json);
	free(text);
	assert_int_equal(4, cJSON_GetArraySize(cJSON_GetObjectItem(json, "cells")));
	cell = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "cells"), 3);
	assert_string_equal("shadow", cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetObjectItem(cell, "settings"), "hv.mmu")));
	assert_true(cJSON_GetObjectItem(cJSON_GetObjectItem(cell, "account"), "exits.cr3")->valuedouble == 5000);
	assert_string_equal("2m", cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "common"), "hv.pages")));
	cJSON_Delete(json);

	text = slurp("o.html");
	xml_check(text);
	assert_null(strstr(text, "src="));
	assert_non_null(strstr(text, "Predicted time"));
	assert_non_null(strstr(text, "VM exits"));
	assert_non_null(strstr(text, "fake:a=1,b=&lt;&amp;&quot;x&quot;&gt;, shadow"));
	free(text);
}

static void test_columns(void **state)
{
	(void)state;
	assert_int_equal(0, shell("\"$V\" lab report o.jsonl --columns hv.mmu,seconds,walks,exits.cr3 >o.out 2>o.err"));
	holds("o.out", "hv.mmu");
	/* A range, not one number. */
	assert_int_equal(0, shell("grep -q '^shadow  *[0-9.e-]*\\.\\.[0-9.e-]*  *[0-9]*  *5000$' o.out"));
	assert_int_equal(0, shell("\"$V\" lab report --columns list | grep -q '^  seconds  '"));
	assert_int_equal(
		0, shell("\"$V\" lab report o.jsonl --csv - 2>/dev/null | head -1 | grep -q '^cell,machine.preset,hv.mmu,workload,'"));
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expansion),     cmocka_unit_test(test_preset_axis),  cmocka_unit_test(test_bad_axes),
		cmocka_unit_test(test_keys),	      cmocka_unit_test(test_results_file), cmocka_unit_test(test_foreign_file),
		cmocka_unit_test(test_contradiction), cmocka_unit_test(test_sweep),	   cmocka_unit_test(test_bad_commands),
		cmocka_unit_test(test_crash),	      cmocka_unit_test(test_kill),	   cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_progress),      cmocka_unit_test(test_jobs),	   cmocka_unit_test(test_outputs),
		cmocka_unit_test(test_columns),
	};

	if (argc > 2 && !strcmp(argv[1], "lab"))
		return !strcmp(argv[2], "sweep") ? lab_command_sweep(argc - 2, argv + 2) : !strcmp(argv[2], "merge") ?
		       lab_command_merge(argc - 2, argv + 2) : lab_command_report(argc - 2, argv + 2);
	return cmocka_run_group_tests(tests, own_command_setup, own_command_teardown);
}
