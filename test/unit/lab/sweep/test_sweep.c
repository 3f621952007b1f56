/* Sweeps by the commands, as they are used: interrupted, killed, in parts, with a run that crashes; and what comes out.
 * The program is its own `vellum lab`, over a lab_run() that costs nothing (test/unit/lab/fake.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "lab/lab.h"
#include "test/unit/lab/own_command.h"
#include "test/unit/xml.h"

/* ---- the commands ---- */

/* Eighteen cells, three of which cannot be. */
#define SWEEP "\"$V\" lab sweep --vary mmu=ept,shadow --vary pages=4k,2m,1g --vary seed=1,2,3 "

static void test_sweep(void **state)
{
	char *before, *after;

	(void)state;
	assert_int_equal(0, shell(SWEEP "--workload fake: -o s.jsonl >s.out 2>s.err"));
	look("s.err",
	     "3 cells left out (the first one: hv.mmu=shadow hv.pages=1g seed=1): shadow tables have no 1g pages",
	     true);
	look("s.err", "15 cells in ", true);
	look("s.out", "hv.mmu  hv.pages  seed", true);
	before = slurp("s.jsonl");
	/* A second time: nothing to do, and nothing done. */
	assert_int_equal(0, shell(SWEEP "--workload fake: -o s.jsonl >s2.out 2>s.err"));
	look("s.err", "0 cells in ", true);
	look("s.err", "15 were there already", true);
	after = slurp("s.jsonl");
	assert_string_equal(before, after);
	assert_int_equal(0, shell("cmp s.out s2.out"));
	/* More of it: only that. */
	assert_int_equal(0, shell(SWEEP "--pair hv.vms=\"1;2\" --workload fake: -o s.jsonl >s2.out 2>s.err"));
	look("s.err", "15 cells in ", true);
	free(before);
	free(after);
}

/* Natively, what the hypervisor does is nothing: one run, and "-" where its settings are shown. */
static void test_native(void **state)
{
	(void)state;
	assert_int_equal(0,
			 shell("\"$V\" lab sweep --vary mmu=native,ept --vary pages=4k,2m --workload fake: -o n.jsonl "
			       "--csv n.csv >n.out 2>n.err"));
	look("n.err", "3 cells in ", true);
	look("n.err", "1 cell is the same as another", true);
	assert_int_equal(0, shell("[ $(grep -c '^ept  ' n.out) = 2 ] && [ $(grep -c '^native  -  ' n.out) = 1 ]"));
	assert_int_equal(0, shell("[ $(wc -l <n.csv) = 4 ] && [ $(grep -c ',native,fake:,-,' n.csv) = 1 ]"));
	assert_int_equal(0,
			 shell("\"$V\" lab sweep --vary mmu=native,ept --vary pages=4k,2m --workload fake: -o n.jsonl "
			       "--list | grep -q 'native hv.pages=2m  is one of those before'"));
	assert_int_equal(0, shell("\"$V\" lab merge n.jsonl -o n2.jsonl 2>n.err"));
	look("n.err", "3 results from 1 file\n", true);
}

static void test_bad_commands(void **state)
{
	static const char *const cases[][2] = {
		{"--vary mmu=ept", "no workload 'gups:size=64M'"},
		{"--frob", "has no option '--frob'"},
		{"--jobs 0", "--jobs takes a number from 1 to 1000000, not '0'"},
		{"--workload fake: --array 4000002", "--array takes a number from 1 to 4000001, not '4000002'"},
		{"--workload fake: --chunk 1000001", "--chunk takes a number from 1 to 1000000, not '1000001'"},
		{"--workload fake: --cells 7-9", "the sweep has 1 cells"},
		{"--cells 3-2", "--cells takes A-B"},
		{"--vary", "--vary needs a value"},
		{"--workload fake: --columns walks,frob", "no column 'frob'"},
		{"--workload fake: --array x", "--array takes a number"},
		{"--workload fake: --vary seed=1,2,3,4,5 --jobs-for slurm --chunk 2 --array 2",
		 "take --chunk 3, or none"},
		{"--workload fake: --jobs-for condor", "parallel or slurm, not 'condor'"},
		{"--workload fake: -o .", "cannot write the results file ."},
		{"--workload fake: --preset haswell --vary preset=abacus", "no preset"},
		{"--workload fake: -o /dev/null", "not a regular file"},
		{"--set workload=trace:gone", "gone"},
		{"--set x", "key=value"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(2, shell("\"$V\" lab sweep %s >b.out 2>b.err", cases[i][0]));
		look("b.err", cases[i][1], true);
		/* One sentence, unless a note comes before it. */
		assert_int_equal(0, shell("[ $(grep -c '^vellum: ' b.err) -le 2 ] && ! grep -qv '^vellum: ' b.err"));
	}
	assert_int_equal(2, shell("\"$V\" lab merge x >b.out 2>b.err"));
	look("b.err", "needs -o FILE", true);
	assert_int_equal(2, shell("\"$V\" lab merge gone.jsonl -o m >b.out 2>b.err"));
	look("b.err", "cannot read the results gone.jsonl", true);
	assert_int_equal(2, shell("\"$V\" lab report >b.out 2>b.err"));
	assert_int_equal(2, shell("\"$V\" lab report /dev/null >b.out 2>b.err"));
	look("b.err", "there are no results", true);
}

/* One run dies, one fails: the others are there, the status says so, and the next start runs only these. */
static void test_crash(void **state)
{
	(void)state;
	assert_int_equal(1, shell("\"$V\" lab sweep --vary seed=1,2,3,4,5,6 --workload fake:crash=2,fail=4 -o c.jsonl "
				  ">c.out 2>c.err"));
	look("c.err", "cell seed=2 failed: its process was ended by signal 9", true);
	look("c.err", "cell seed=4 failed: this seed was not to be", true);
	look("c.err", "4 cells in ", true);
	look("c.err", "2 FAILED", true);
	assert_int_equal(0, shell("[ $(grep -c '\"cell\"' c.jsonl) = 4 ]"));
	assert_int_equal(1, shell("\"$V\" lab sweep --vary seed=1,2,3,4,5,6 --workload fake:crash=2,fail=4 -o c.jsonl "
				  ">c.out 2>c.err"));
	look("c.err", "0 cells in ", true);
	assert_int_equal(1, shell("\"$V\" lab merge c.jsonl -o m.jsonl 2>c.err"));
	look("c.err", "missing: seed=2", true);
	look("c.err", "2 of the sweep's 6 cells are missing", true);
}

/* Four cells come to their end; the others wait for the file "go". */
#define HELD "\"$V\" lab sweep --vary seed=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16 --workload fake:hold=5 --jobs 2 "
/* Waits until four cells are in the file $1, and then sends the signal $2 to process $3. */
#define STRIKE \
	"strike() { until [ -e $1 ] && [ $(grep -c '\"cell\"' $1) = 4 ]; do sleep 0.01; done; kill -$2 $3; }; rm -f " \
	"go; "

/* Killed in the middle, started again: the same results as without. */
static void test_kill(void **state)
{
	(void)state;
	assert_int_equal(0, shell("touch go; " HELD "-o whole.jsonl >k.out 2>k.err; sort whole.jsonl >w.sorted"));
	assert_int_equal(0,
			 shell(STRIKE HELD "-o k.jsonl >k2.out 2>k2.err & strike k.jsonl 9 $!; wait $!; [ $? = 137 ]"));
	/* And a last line that is only half there. */
	assert_int_equal(0, shell("tail -n 1 whole.jsonl | head -c 100 >>k.jsonl; touch go"));
	assert_int_equal(0, shell(HELD "-o k.jsonl >k2.out 2>k2.err"));
	look("k2.err", "the last line of k.jsonl was half written", true);
	look("k2.err", "4 were there already", true);
	assert_int_equal(0, shell("sort k.jsonl | cmp - w.sorted && cmp k.out k2.out"));
}

/* The first Ctrl-C lets the two that run finish. */
static void test_interrupt(void **state)
{
	(void)state;
	assert_int_equal(0, shell("set -m; " STRIKE HELD "-o i.jsonl >i.out 2>i.err & strike i.jsonl INT $!; "
				  "until grep -q 'will be finished and kept' i.err; do sleep 0.01; done; touch go; "
				  "wait $!; [ $? = 130 ]"));
	look("i.err", "vellum: 6 cells in ", true);
	look("i.err", "10 are left, which the same command runs", true);
	assert_int_equal(0, shell("[ $(grep -c '\"cell\"' i.jsonl) = 6 ]"));
	/* Of two at once, one is refused, while the other one waits. */
	assert_int_equal(0, shell("rm go; " HELD "-o i.jsonl >i.out 2>i.err & a=$!; " HELD
				  "-o i.jsonl >j.out 2>j.err & b=$!; "
				  "until cat i.err j.err | grep -q 'another sweep'; do sleep 0.01; done; touch go; "
				  "wait $a; a=$?; wait $b; b=$?; [ \"$a $b\" = '0 2' ] || [ \"$a $b\" = '2 0' ]"));
	assert_int_equal(
		0,
		shell("cat i.err j.err | grep -q 'another sweep is writing i.jsonl' && sort i.jsonl | cmp - w.sorted"));
	/* SIGTERM does not wait. */
	assert_int_equal(
		0, shell(STRIKE HELD "-o t.jsonl >t.out 2>t.err & strike t.jsonl TERM $!; wait $!; [ $? = 130 ]"));
	assert_int_equal(0, shell("touch go; " HELD "-o t.jsonl >t.out 2>t.err; sort t.jsonl | cmp - w.sorted"));
}

static void test_progress(void **state)
{
	(void)state;
	assert_int_equal(
		0,
		shell("script -qec \"$V lab sweep --vary seed=1,2,3 --workload fake:ms=700 --jobs 2 -o p.jsonl\" p.log "
		      ">/dev/null </dev/null"));
	look("p.log", "of 3 cells done, 2 running, 1 waiting", true);
	look("p.log", " left", true);
	look("p.log", "M accesses a second", true);
	assert_int_equal(0, shell("\"$V\" lab sweep --vary seed=4,5 --workload fake: --quiet -o p.jsonl >p.out 2>&1; [ "
				  "$? = 0 ] && [ "
				  "! -s p.out ]"));
	/* What is asked for by name is written all the same. */
	assert_int_equal(0, shell("\"$V\" lab sweep --vary seed=4,5 --workload fake: --quiet -o p.jsonl --csv p.csv "
				  "--html p.html --json p.json >p.out 2>&1; [ $? = 0 ] && [ ! -s p.out ] && "
				  "[ $(wc -l <p.csv) = 3 ] && grep -q '<svg' p.html && grep -q cells p.json"));
}

/* ---- in parts ---- */

/* No more tasks than the cluster takes, or than it is told. */
static void test_array(void **state)
{
	(void)state;
	spill("scontrol", "#!/bin/sh\necho 'MaxArraySize            = 4'\n");
	assert_int_equal(0, shell("chmod +x scontrol; PATH=$PWD:$PATH; " SWEEP
				  "--workload fake: --jobs-for slurm -o sa.jsonl >jobs.out"));
	look("sa.jsonl.sbatch", "#SBATCH --array=0-3\n", true);
	look("sa.jsonl.sbatch", "# A task is 5 of 18 cells", true);
	assert_int_equal(0, shell(SWEEP "--workload fake: --jobs-for slurm --array 2 -o sa.jsonl >jobs.out"));
	look("sa.jsonl.sbatch", "#SBATCH --array=0-1\n", true);
	spill("scontrol", "#!/bin/sh\necho 'MaxArraySize            = 0'\n");
	assert_int_equal(2, shell("PATH=$PWD:$PATH; " SWEEP
				  "--workload fake: --jobs-for slurm -o sa.jsonl 2>jobs.err"));
	look("jobs.err", "this cluster has no arrays", true);
	spill("scontrol", "#!/bin/sh\nexit 1\n");
	assert_int_equal(0, shell("PATH=$PWD:$PATH; " SWEEP
				  "--workload fake: --jobs-for slurm -o sa.jsonl >jobs.out 2>jobs.err"));
	look("jobs.err", "note: no Slurm here says its MaxArraySize; 1001 is taken", true);
}

/* Outputs are apart from each other and from what is read, by the file and not only by its name. */
#define FAKE "sweep --vary mmu=ept --workload fake: "
static void test_files(void **state)
{
	static const char *const cases[][2] = {
		{ FAKE "-o fi.jsonl --csv ./fi.jsonl", "--csv and -o (the results) are" },
		{ FAKE "-o new.jsonl --csv ./new.jsonl", "--csv and -o (the results) are" },
		{ FAKE "-o new.jsonl --csv fo --html fo", "--csv and --html are" },
		{ FAKE "-o new.jsonl --csv fo --html fi.d/../fo", "--csv and --html are" },
		{ "report fi.jsonl --html fi.link", "--html and a results file are" },
		{ "merge fi.jsonl -o new.jsonl --json fi.jsonl", "--json and a results file are" },
	};

	(void)state;
	assert_int_equal(0, shell("\"$V\" lab " FAKE "--quiet -o fi.jsonl && "
				  "cp fi.jsonl fi.kept && ln fi.jsonl fi.link && mkdir fi.d"));
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(2, shell("\"$V\" lab %s >f.out 2>f.err", cases[i][0]));
		look("f.err", cases[i][1], true);
		assert_int_equal(0, shell("cmp fi.jsonl fi.kept && [ ! -e fo ] && [ ! -e new.jsonl ] && "
					  "[ $(wc -l <f.err) = 1 ]"));
	}
	/* What is joined may take the place of a part. */
	assert_int_equal(0, shell("\"$V\" lab merge fi.jsonl -o fi.jsonl 2>f.err && cmp fi.jsonl fi.kept"));
	/* The same name in two directories. */
	assert_int_equal(0, shell("\"$V\" lab report fi.jsonl --html fo --csv fi.d/fo 2>f.err && "
				  "[ -s fo ] && [ -s fi.d/fo ]"));
}

/* What scontrol says is a number that Slurm can have, or it is refused, with the word. */
static void test_array_said(void **state)
{
	static const char *const bad[] = { "-3",      "99999999999999999999", "4294967296",
					   "4000002", "0x5", "+5", "5 x", "" };
	static const char *const good[][2] = { { "4000001", "#SBATCH --array=0-17\n" },
					       { "1", "#SBATCH --array=0-0\n" } };
	char line[100];

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(line, sizeof(line), "#!/bin/sh\necho 'MaxArraySize            = %s'\n", bad[i]);
		spill("scontrol", line);
		assert_int_equal(2, shell("chmod +x scontrol; PATH=$PWD:$PATH; " SWEEP
					  "--workload fake: --jobs-for slurm -o said.jsonl >jobs.out 2>jobs.err"));
		snprintf(line, sizeof(line),
			 "says MaxArraySize = '%s', which is no number from 0 to 4000001: --array N", bad[i]);
		look("jobs.err", line, true);
		assert_int_equal(0, shell("[ $(wc -l <jobs.err) = 1 ] && [ ! -e said.jsonl.sbatch ]"));
	}
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(line, sizeof(line), "#!/bin/sh\necho 'MaxArraySize=%s  '\n", good[i][0]);
		spill("scontrol", line);
		assert_int_equal(0, shell("PATH=$PWD:$PATH; " SWEEP
					  "--workload fake: --jobs-for slurm -o said.jsonl >jobs.out 2>jobs.err"));
		look("said.jsonl.sbatch", good[i][1], true);
	}
	assert_int_equal(0, shell("rm scontrol"));
}

static void test_jobs(void **state)
{
	(void)state;
	assert_int_equal(
		0,
		shell(SWEEP
		      "--workload \"fake:a='b c'\" -o whole2.jsonl >/dev/null 2>&1 && sort whole2.jsonl >w2.sorted"));
	/* GNU parallel. */
	assert_int_equal(
		0, shell(SWEEP "--workload \"fake:a='b c'\" --jobs-for parallel --chunk 4 -o 'p q.jsonl' >jobs.out"));
	look("jobs.out", "5 jobs for 18 cells", true);
	assert_int_equal(0, shell("bash -n 'p q.jsonl.jobs' && [ $(wc -l <'p q.jsonl.jobs') = 5 ]"));
	assert_int_equal(0, shell("cd / && parallel --will-cite -j 2 <\"$OLDPWD/p q.jsonl.jobs\""));
	assert_int_equal(0, shell("\"$V\" lab merge 'p q.jsonl.parts'/*.jsonl -o 'p q.jsonl' 2>m.err && sort 'p "
				  "q.jsonl' | cmp - w2.sorted"));
	look("m.err", "15 results from 5 files\n", true);
	/* A Slurm array, each task in a shell as Slurm starts it. */
	assert_int_equal(0,
			 shell(SWEEP "--workload \"fake:a='b c'\" --jobs-for slurm --chunk 7 -o sl.jsonl >jobs.out"));
	look("sl.jsonl.sbatch", "#SBATCH --array=0-2\n", true);
	assert_int_equal(0, shell("bash -n sl.jsonl.sbatch && for t in 0 2; do SLURM_ARRAY_TASK_ID=$t bash "
				  "sl.jsonl.sbatch || exit 1; done"));
	assert_int_equal(1, shell("\"$V\" lab merge sl.jsonl.parts/*.jsonl -o sl.jsonl 2>m.err"));
	look("m.err", "missing: hv.mmu=ept hv.pages=1g seed=2", true);
	assert_int_equal(0, shell("SLURM_ARRAY_TASK_ID=1 bash sl.jsonl.sbatch"));
	assert_int_equal(0, shell("\"$V\" lab merge sl.jsonl.parts/*.jsonl sl.jsonl -o sl.jsonl 2>m.err && sort "
				  "sl.jsonl | cmp - w2.sorted"));
	look("m.err", "came more than once, with the same numbers", true);
	/* A part that says something else. */
	assert_int_equal(0, shell("sed 's/\"accesses\":1000001/\"accesses\":1000009/' sl.jsonl >other.jsonl"));
	assert_int_equal(2, shell("\"$V\" lab merge sl.jsonl other.jsonl -o none.jsonl 2>m.err"));
	look("m.err", "contradicting results: accesses is 1000001 in one and 1000009", true);
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

static void check_csv(void)
{
	char *text = slurp("o.csv"), *line = text;
	unsigned fields = commas(text);

	assert_non_null(strstr(text, ",seconds.least,seconds.most,"));
	assert_non_null(strstr(text, "\"fake:a=1,b=<&\"\"x\"\">\""));
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(fields, commas(line));
		line = strchr(line, '\n') + 1;
	}
	assert_string_equal("", line);
	free(text);
}

static void check_json(void)
{
	char *text = slurp("o.json");
	cJSON *json = cJSON_Parse(text), *cell;

	assert_non_null(json);
	free(text);
	assert_int_equal(4, cJSON_GetArraySize(cJSON_GetObjectItem(json, "cells")));
	cell = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "cells"), 3);
	assert_string_equal("shadow",
			    cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetObjectItem(cell, "settings"), "hv.mmu")));
	assert_true(cJSON_GetObjectItem(cJSON_GetObjectItem(cell, "account"), "exits.cr3")->valuedouble == 5000);
	assert_string_equal("2m",
			    cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "common"), "hv.pages")));
	cJSON_Delete(json);
}

static void check_html(void)
{
	char *text = slurp("o.html");

	xml_check(text);
	assert_null(strstr(text, "src="));
	assert_non_null(strstr(text, "Predicted time"));
	assert_non_null(strstr(text, "VM exits"));
	assert_non_null(strstr(text, "<b>Verdict: the fastest is "));
	assert_non_null(strstr(text, "fake:a=1,b=&lt;&amp;&quot;x&quot;&gt;, shadow"));
	free(text);
}

static void test_outputs(void **state)
{
	(void)state;
	assert_int_equal(0, shell("\"$V\" lab sweep --vary 'workload=fake:a=1,b=<&\"x\">;fake:b=2' --vary "
				  "mmu=ept,shadow --pages 2m "
				  "-o o.jsonl --csv o.csv "
				  "--json o.json --html o.html >o.out 2>o.err"));
	check_csv();
	check_json();
	check_html();
}

static void test_columns(void **state)
{
	(void)state;
	assert_int_equal(0, shell("\"$V\" lab report o.jsonl --columns hv.mmu,seconds,walks,exits.cr3 >o.out 2>o.err"));
	look("o.out", "hv.mmu", true);
	/* A range, not one number. */
	assert_int_equal(0, shell("grep -q '^shadow  *[0-9.e-]*\\.\\.[0-9.e-]*  *[0-9]*  *5000$' o.out"));
	assert_int_equal(0, shell("\"$V\" lab report --columns list | grep -q '^  seconds  '"));
	assert_int_equal(0, shell("\"$V\" lab report o.jsonl --csv - 2>/dev/null | head -1 | grep -q "
				  "'^cell,machine.preset,hv.mmu,workload,'"));
}

/* Rows that differ in what makes no difference are one; the table ends with what is the fastest, if that is known. */
static void test_table(void **state)
{
	(void)state;
	assert_int_equal(0, shell("\"$V\" lab sweep --vary guest-pages=4k,2m --vary mmu=ept,shadow --workload fake: "
				  "-o v.jsonl >v.out 2>v.err"));
	look("v.out", "4k,2m", true);
	look("v.out", "shown as one", true);
	look("v.out", "Verdict: ", true);
	/* The same numbers, so the same time; and shadow has 5000 exits more. */
	look("v.out", "  with 1 that takes as long", true);
	look("v.out", "shadow, guest.pages=4k takes +", true);
	assert_int_equal(0, shell("awk '{ if (length > 100) exit 1 }' v.out"));
	/* All columns that are asked for are there, however wide. */
	assert_int_equal(0, shell("\"$V\" lab report v.jsonl --columns workload,machine.l1d_4k,guest.memory,"
				  "hv.path_violation,machine.preset,seconds_bounds,seconds,estimate,cycles,"
				  "walk_share >v.out 2>v.err && grep -q 'walk cycles %%$' v.out"));
}

/* However many dimensions there are, and however long a value: a page's width, and the end of a path. */
static void test_width(void **state)
{
	(void)state;
	assert_int_equal(0, shell("\"$V\" lab sweep --vary guest.fragmentation=0,0.5 --vary "
				  "hv.fragmentation=0,0.5 --vary machine.l2=1024/8,512/4 --vary "
				  "guest.flush_ceiling=33,1 --vary preset=haswell,skylake --vary "
				  "'workload=fake:a=1,/a/long/path/to/some/directory/of/a/measurement/with/many/"
				  "levels/below/it/one.vtrace;fake:a=2,/a/long/path/to/some/directory/of/a/measurement/"
				  "with/many/levels/below/it/two.vtrace' -o w.jsonl >v.out 2>v.err"));
	assert_int_equal(0, shell("awk '{ if (length > 100) exit 1 }' v.out"));
	look("v.out", "stands for the middle", true);
	look("v.out", "one.vtrace, haswell", true);
	assert_int_equal(0, shell("\"$V\" lab sweep --columns list | awk '{ if (length > 100) exit 1 }'"));
}

/* What is assumed is not compared: within each assumption there is a fastest, and over them a range. */
static void test_assumptions(void **state)
{
	(void)state;
	assert_int_equal(0, shell("\"$V\" lab sweep --vary machine.cpi=0.3,0.7 --workload fake: -o a1.jsonl "
				  ">v.out 2>v.err"));
	look("v.out", "Verdict:", false);
	look("v.out", "No verdict over machine.cpi: this is an assumption of the model", true);
	look("v.out", "  ept: ", true);
	assert_int_equal(0, shell("\"$V\" lab sweep --vary machine.cpi=0.3,0.7 --vary hv.path_exit=50,60 --vary "
				  "mmu=native,shadow,ept --workload fake: -o a2.jsonl >v.out 2>v.err"));
	/* Two of the machine times two of the hypervisor, and natively what is of the machine. */
	assert_int_equal(0, shell("test $(grep -c '^Verdict: the fastest is native, machine.cpi=' v.out) = 4"));
	look("v.out", "No verdict over hv.path_exit, machine.cpi: these are assumptions", true);
	assert_int_equal(0, shell("test $(grep -c 's by the estimate' v.out) = 3"));
	assert_int_equal(0, shell("awk '{ if (length > 100) exit 1 }' v.out"));
	/* Where the machine itself is the fastest, those under a hypervisor are compared, too. */
	assert_int_equal(0, shell("\"$V\" lab sweep --vary mmu=native,shadow,ept --workload fake: -o a4.jsonl "
				  ">v.out 2>v.err"));
	look("v.out", "Verdict: the fastest is native,", true);
	look("v.out", "  shadow takes +", true);
	look("v.out", " ms (+", true);
	look("v.out", "estimate, ms       range, ms", true);
	look("v.out", "Verdict: under a hypervisor the fastest is ept; the next,", true);
	/* What can be chosen is compared still. */
	assert_int_equal(0, shell("\"$V\" lab sweep --vary mmu=shadow,ept --workload fake: -o a3.jsonl >v.out "
				  "2>v.err"));
	look("v.out", "Verdict: the fastest is ept", true);
	look("v.out", "No verdict", false);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sweep),	 cmocka_unit_test(test_native), cmocka_unit_test(test_bad_commands),
		cmocka_unit_test(test_crash),	 cmocka_unit_test(test_kill),	cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_progress), cmocka_unit_test(test_jobs),
		cmocka_unit_test(test_array),	cmocka_unit_test(test_outputs),
		cmocka_unit_test(test_array_said), cmocka_unit_test(test_files),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_table), cmocka_unit_test(test_assumptions), cmocka_unit_test(test_width),
	};

	if (argc > 2 && !strcmp(argv[1], "lab"))
		return !strcmp(argv[2], "sweep")   ? lab_command_sweep(argc - 2, argv + 2)
		       : !strcmp(argv[2], "merge") ? lab_command_merge(argc - 2, argv + 2)
						   : lab_command_report(argc - 2, argv + 2);
	return cmocka_run_group_tests(tests, own_command_setup, own_command_teardown);
}
