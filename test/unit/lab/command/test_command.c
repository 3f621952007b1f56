/* The command line of `vellum lab run`, `explain`, `presets` and `workloads`, over the real engine: what they write,
 * and that what cannot be is one sentence and a status. The program is its own `vellum lab`. */
#include <math.h>
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

/* A command line, its output in the files out and err: its status. */
static int run(const char *command) { return shell("exec 2>err >out; %s", command); }

#define SMALL "gups:size=1M,updates=2000"

/* ---- run ---- */

static double account(const cJSON *json, const char *name)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(json, "account"), name);

	assert_true(cJSON_IsNumber(v));
	return v->valuedouble;
}

static void test_json(void **state)
{
	char *text;
	cJSON *json;
	const cJSON *settings;

	(void)state;
	assert_int_equal(0, run("\"$V\" lab run --pages 2m --seed 7 --json - " SMALL));
	text = slurp("out");
	json = cJSON_ParseWithOpts(text, NULL, true);
	assert_non_null(json);
	settings = cJSON_GetObjectItemCaseSensitive(json, "settings");
	assert_string_equal("2m", cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(settings, "hv.pages")));
	assert_string_equal("7", cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(settings, "seed")));
	assert_string_equal(SMALL, cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(settings, "workload")));
	/* A law of the account, by the names that readers of the file use. */
	assert_true(account(json, "accesses") > 2000 && account(json, "accesses") == account(json, "reads") +
											     account(json, "writes") +
											     account(json, "fetches"));
	cJSON_Delete(json);
	free(text);
	/* A file beside the account, and the same again. */
	assert_int_equal(0, run("\"$V\" lab run --pages 2m --seed 7 --json one " SMALL
				  " && \"$V\" lab run --pages 2m --seed 7 --json - " SMALL " >two && cmp one two"));
	look("out", "Predicted run time", true);
}

/* The n-th field of a line of CSV whose fields hold no commas. */
static char *field(const char *line, unsigned n)
{
	while (n--) {
		line = strchr(line, ',');
		assert_non_null(line);
		line++;
	}
	return strndup(line, strcspn(line, ",\n"));
}

static void test_csv(void **state)
{
	char *csv, *text, *values;
	cJSON *json;
	unsigned found = 0;

	(void)state;
	assert_int_equal(0, run("\"$V\" lab run --mmu shadow --json j --csv - gups:size=1M"));
	csv = slurp("out");
	text = slurp("j");
	json = cJSON_Parse(text);
	values = strchr(csv, '\n');
	assert_non_null(json);
	assert_non_null(values);
	assert_int_equal(0, strncmp(csv, "cell,machine.preset,hv.mmu,workload,", 36));
	assert_non_null(strstr(values, ",haswell,shadow,gups:size=1M,"));
	/* Every number of the account, each under its name. */
	for (unsigned i = 4; i < 4 + 400 && lab_result_name(i - 4); i++, found++) {
		char *name = field(csv, i), *value = field(values + 1, i);

		assert_string_equal(lab_result_name(i - 4), name);
		if (*value)
			assert_true(fabs(strtod(value, NULL) - account(json, name)) <=
				    1e-9 * fabs(account(json, name)));
		free(name);
		free(value);
	}
	assert_true(found > 60);
	cJSON_Delete(json);
	free(text);
	free(csv);
}

/* What a page has room for, and a verdict at the end. */
static void test_report(void **state)
{
	static const char *const runs[] = {
		"--mmu shadow boot:processes=3",
		"--guest-pages 2m --set guest.fragmentation=0.5 grow:size=8M,ops=20K",
		"--mmu brute fork:children=3",
		"--set hv.vpid=off --set hv.exit_period=1000 " SMALL,
		"--mmu native " SMALL,
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		assert_int_equal(0, shell("\"$V\" lab run %s >out 2>err", runs[i]));
		assert_int_equal(0, shell("awk 'length > 100 { exit 1 }' out"));
		assert_int_equal(0, shell("tail -9 out | grep -q '^Verdict: of the time, '"));
	}
	look("out", "in pages of 4K", true);
}

/* Where data has no price, the percentages are said to be upper ones, and what they would be: by a sample, and how good
 * that is; without one, what the data takes at most. However little it is. */
static void test_unpriced(void **state)
{
	(void)state;
	assert_int_equal(0, shell("\"$V\" lab run --html u.html gups:size=256M,updates=20K >out 2>err"));
	look("u.html", "own cache misses have no price", true);
	look("out", "these are upper ones", true);
	look("out", "(machine.data_cache=off)", true);
	look("out", "(its upper end waits for data, by a sample of the caches' sets, sampling error ", true);
	assert_int_equal(0, shell("awk 'length > 100 { exit 1 }' out"));
	assert_int_equal(0, shell("\"$V\" lab run --set machine.data_cache=on gups:size=256M,updates=20K "
				  ">out 2>err"));
	look("out", "upper", false);
	assert_int_equal(0, shell("\"$V\" lab run seq:size=4K,passes=4000 >out 2>err"));
	look("out", "these are upper ones", true);
	assert_int_equal(0, shell("\"$V\" lab run --set machine.l1_cache=32K/full gups:size=4M,updates=2M >out "
				  "2>err"));
	look("out", "(its upper end waits for data, by a look at all of it)", true);
	assert_int_equal(0, shell("\"$V\" lab run --guest-pages 2m --pages 2m gups:size=256M,updates=20K >out 2>err"));
	look("out", "these are upper ones", true);
	assert_int_equal(0, shell("\"$V\" lab run --set machine.data_sample=off gups:size=256M,updates=20K "
				  ">out 2>err"));
	look("out", "these are upper ones", true);
	look("out", "its upper end waits", false);
	assert_int_equal(0, shell("tr -s '\\n ' ' ' <out | grep -q 'times as long at most (each access from memory)'"));
}

/* The same of tables. */
static void test_unpriced_table(void **state)
{
	(void)state;
	assert_int_equal(0, shell("\"$V\" lab sweep --vary pages=4k,2m --workload gups:size=256M,updates=20K "
				  "-o u.jsonl >out 2>err"));
	look("out", "(The program's own cache misses have no price", true);
	assert_int_equal(0, shell("tr -s '\\n ' ' ' <out | grep -q \" more by a sample of the caches' sets, sampling "
				  "error [0-9.]* %%; perc\""));
	assert_int_equal(0, shell("awk 'length > 100 { exit 1 }' out"));
	assert_int_equal(0, shell("\"$V\" lab sweep --vary pages=4k,2m --workload gups:size=256M,updates=20K "
				  "--set machine.data_sample=off -o u2.jsonl >out 2>err"));
	look("out", "(The program's own cache misses have no price", true);
	assert_int_equal(0, shell("tr -s '\\n ' ' ' <out | grep -q 'times as long at most'"));
	assert_int_equal(0, shell("\"$V\" lab sweep --vary machine.data_sample=on,off --workload "
				  "gups:size=16M,updates=20K -o u3.jsonl >out 2>err"));
	look("out", "No verdict over machine.data_sample", true);
	look("out", "the fastest is", false);
}

/* What is in the way of large pages stands under tables and in HTML, of the guest and of the host. */
static void test_small(void **state)
{
	(void)state;
	assert_int_equal(0, shell("\"$V\" lab sweep --guest-pages 2m --set hv.fragmentation=0.5 --workload "
				  "grow:size=4M,ops=5K --vary guest.khugepaged_period=0,1K -o s.jsonl --html s.html "
				  ">out 2>err"));
	look("out", "guest.khugepaged_period=0: 100 % of the guest's memory lay in 4K at its peak:", true);
	look("out", "that khugepaged", true);
	look("out", "(hv.fragmentation=0.5)", true);
	look("s.html", "that khugepaged", true);
	assert_int_equal(0, shell("awk 'length > 100 { exit 1 }' out"));
	assert_int_equal(0, shell("\"$V\" lab report s.jsonl >out 2>err"));
	look("out", "that khugepaged", true);
	assert_int_equal(0, shell("\"$V\" lab run --guest-pages 2m --set guest.khugepaged_period=0 grow:size=4M,ops=5K "
				  ">out 2>err"));
	look("out", "khugepaged is off", true);
	assert_int_equal(0, shell("\"$V\" lab run --guest-pages 2m grow:size=4M,ops=5K >out 2>err"));
	look("out", "khugepaged is off", false);
	/* What is the same of several is said once. */
	assert_int_equal(0, shell("\"$V\" lab sweep --guest-pages 2m --set guest.khugepaged_period=0 --vary "
				  "mmu=native,ept,shadow --workload grow:size=4M,ops=5K -o same.jsonl >out 2>err"));
	look("out", "native; ept; shadow: 100 % of the guest's memory lay in 4K at its peak:", true);
	assert_int_equal(0, shell("[ $(grep -c \"the guest's memory lay\" out) = 1 ]"));
}

/* Lists are not wider than a page, and settings that are printed in more lines are read again as they were. */
static void test_width(void **state)
{
	static const char *const lists[] = { "run --settings", "workloads", "presets haswell", "help", "figure --list",
					     "explain --cold --workload gups:size=64M" };

	(void)state;
	for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		assert_int_equal(0, shell("\"$V\" lab %s >out 2>err && awk 'length > 100 { exit 1 }' out", lists[i]));
	assert_int_equal(0, shell("\"$V\" lab run --set hv.in_sync=on --set workload=trace:/a/%s/b.vtrace "
				  "--settings >w1.conf && \"$V\" lab run --config w1.conf --settings >w2.conf && "
				  "cmp w1.conf w2.conf",
				  "directory/whose/name/is/longer/than/a/page/and/of/one/word/and/longer/than/it"));
	assert_int_equal(0, shell("grep -q '^ *# ' w1.conf"));
}

static void test_html(void **state)
{
	char *html;

	(void)state;
	assert_int_equal(0, run("\"$V\" lab run --mmu shadow --html page.html " SMALL));
	look("out", "Predicted run time", true);
	html = slurp("page.html");
	xml_check(html);
	assert_non_null(strstr(html, "<svg"));
	assert_non_null(strstr(html, "vellum lab run"));
	assert_non_null(strstr(html, SMALL));
	assert_non_null(strstr(html, ">microseconds; the range of the estimate<"));
	assert_non_null(strstr(html, "@media print"));
	free(html);
}

static void test_settings(void **state)
{
	(void)state;
	/* What --settings prints is a configuration that makes the same run. */
	assert_int_equal(0,
			 run("\"$V\" lab run --preset nehalem --mmu vtlb --settings " SMALL
			     " >conf && \"$V\" lab run --config conf --json a >b && "
			     "\"$V\" lab run --preset nehalem --mmu vtlb --json c " SMALL " >d && cmp a c && cmp b d"));
	assert_int_equal(0, run("\"$V\" lab run --help"));
	look("out", "--html FILE", true);
}

/* ---- explain, presets, workloads ---- */

static void test_explain(void **state)
{
	(void)state;
	assert_int_equal(0, run("\"$V\" lab explain --cold --pages 4k --guest-pages 4k --set machine.ntlb=0 --set "
				"machine.npsc_pml4=0 "
				"--set machine.npsc_pdpt=0 --set machine.npsc_pd=0 --workload " SMALL));
	look("out", "nothing cached", true);
	look("out", "; 24 references, ", true);
	assert_int_equal(
		0, run("\"$V\" lab explain --cold --pages 4k --guest-pages 4k --preset icelake --set machine.ntlb=0 "
		       "--set machine.npsc_pml5=0 --set machine.npsc_pml4=0 --set machine.npsc_pdpt=0 --set "
		       "machine.npsc_pd=0 "
		       "--set guest.levels=5 --set hv.ept_levels=5 --workload " SMALL));
	look("out", "; 35 references, ", true);
	look("out", "EPT   PML5  at 0x", true);
	assert_int_equal(0, run("\"$V\" lab explain --mmu native --cold --write --workload " SMALL));
	look("out", "write of 0x", true);
	look("out", "; 4 references, ", true);
	look("out", "EPT", false);
	assert_int_equal(0, run("\"$V\" lab explain --fetch --workload " SMALL " 0x123456789000 0"));
	look("out", "fetch of 0x123456789000 by the program", true);
	look("out", "page fault, error code 0x1", true);
}

static void test_presets(void **state)
{
	(void)state;
	for (const struct lab_preset *p = lab_presets; p->name; p++) {
		char command[300];

		assert_int_equal(0, run("\"$V\" lab presets"));
		look("out", p->name, true);
		snprintf(command, sizeof(command),
			 "\"$V\" lab presets %s >conf && \"$V\" lab run --config conf --settings | "
			 "sed -n '/^machine/,$p' | diff conf -",
			 p->name);
		assert_int_equal(0, run(command));
	}
	assert_int_equal(0, run("\"$V\" lab workloads"));
	look("out", "gups", true);
	assert_int_equal(0, run("\"$V\" lab workloads gups"));
	look("out", "updates", true);
	assert_int_equal(0, run("\"$V\" lab help"));
	look("out", "explain [OPTION]... [GVA]...", true);
}

/* Every command says what it takes. */
static void test_help(void **state)
{
	(void)state;
	for (const struct lab_command *c = lab_commands; c->name; c++) {
		for (unsigned i = 0; i < 3; i++) {
			char command[100], usage[100];

			snprintf(command, sizeof(command), "\"$V\" lab %s %s %s", i < 2 ? "" : "help", c->name,
				 i == 2 ? "" : i ? "-h" : "--help");
			snprintf(usage, sizeof(usage), "usage: vellum lab %s", c->name);
			assert_int_equal(0, run(command));
			look("out", usage, true);
			assert_int_equal(0, shell("[ ! -s err ]"));
		}
	}
}

/* ---- what cannot be ---- */

static const struct { const char *args, *says; int status; } bad[] = {
	{ "frob", "there is no command 'lab frob'; 'vellum lab help' lists them", 2 },
	{ "help frob", "there is no command 'lab frob'; 'vellum lab help' lists them", 2 },
	{ "run --set machine.cpi=1e300 " SMALL, "machine.cpi cannot be '1e300': it takes a number from 0 to 1e12", 2 },
	{ "run --set machine.window=0 " SMALL, "machine.window must be at least 1", 2 },
	{ "run --set machine.walkers=0 " SMALL, "machine.walkers must be at least 1", 2 },
	{ "run --set hv.quantum=0 " SMALL, "hv.quantum must be at least 1", 2 },
	{ "run --set machine.ghz=0 " SMALL, "machine.ghz must be more than 0", 2 },
	{ "run --set machine.cpi=0 " SMALL, "machine.cpi must be more than 0", 2 },
	{ "run --set hv.cpi=0 " SMALL, "hv.cpi must be more than 0", 2 },
	{ "run --set machine.cpi=-1 " SMALL, "machine.cpi cannot be '-1': it takes a number from 0 to 1e12", 2 },
	{ "run --set machine.dram_cycles=5 " SMALL,
	  "machine.dram_cycles must be at least machine.l3_cycles, which is 36", 2 },
	{ "run --set guest.cpuids=1T " SMALL, "guest.cpuids must be at most 65536", 2 },
	{ "run --set hv.tick_exits=1T " SMALL, "hv.tick_exits must be at most 65536", 2 },
	{ "run --frob", "vellum lab run has no option '--frob'; vellum lab run --help lists them", 2 },
	{ "run --json", "--json needs a file, or - for the standard output", 2 },
	{ "run --html", "--html needs a file, or - for the standard output", 2 },
	{ "run --csv - --json - " SMALL, "only one of --json, --csv and --html can be -", 2 },
	{ "run --csv /nowhere/x " SMALL, "cannot write /nowhere/x: No such file or directory", 2 },
	{ "run --json /nowhere/x " SMALL, "cannot write /nowhere/x: No such file or directory", 2 },
	{ "run --html /nowhere/x " SMALL, "cannot write /nowhere/x: No such file or directory", 2 },
	/* Before the run: the workload, which is none, is not looked at. */
	{ "run --html /nowhere/x nothing", "cannot write /nowhere/x: No such file or directory", 2 },
	{ "run --html . nothing", "cannot write .: Is a directory", 2 },
	{ "run --config bad.conf --json bad.conf", "bad.conf, line 2", 2 },
	{ "run --json bad.conf trace:bad.conf",
	  "--json and the trace are the same file, bad.conf, and one would be lost: name another for --json", 2 },
	{ "run --csv ./bad.conf trace:bad.conf,skip=10M", "--csv and the trace are the same file, ./bad.conf", 2 },
	{ "run --csv new --html ./new " SMALL, "--csv and --html are the same file, new", 2 },
	{ "run --csv ../new --html /nowhere/new " SMALL, "cannot write /nowhere/new", 2 },
	{ "run --html /dev/full " SMALL, "cannot write /dev/full: No space left on device", 1 },
	{ "run --json /dev/full " SMALL, "cannot write /dev/full: No space left on device", 1 },
	{ "run --set", "--set needs a value", 2 },
	{ "run --set hv.pages", "'hv.pages' is not of the form key=value", 2 },
	{ "run --set hv.page=4k", "there is no setting 'hv.page' (perhaps hv.pages was meant)", 2 },
	{ "run --pages 3k", "hv.pages cannot be '3k': it takes 4k, 2m or 1g", 2 },
	{ "run --set machine.l2=1000/7", "where the ways divide the entries", 2 },
	{ "run --mmu magic " SMALL, "magic", 2 },
	{ "run --preset 80386", "there is no preset '80386'; there are penryn, nehalem", 2 },
	{ "run --preset penryn " SMALL, "EPT", 2 },
	{ "run --config nowhere.conf", "cannot read the configuration nowhere.conf: No such file or directory", 2 },
	{ "run --config bad.conf", "bad.conf, line 2: there is no setting 'machine.l9'", 2 },
	{ "run nothing", "nothing", 2 },
	{ "run gups:size=wide", "size", 2 },
	{ "run trace:nowhere.vtrace", "nowhere.vtrace", 2 },
	{ "run trace:bad.conf", "bad.conf", 2 },
	{ "explain --frob", "'--frob' is neither an option nor an address like 0x10000000000", 2 },
	{ "explain 0xzz", "'0xzz' is neither an option nor an address", 2 },
	{ "explain --set hv.vms=2 --workload " SMALL, "explain shows one virtual machine: hv.vms must be 1", 2 },
	{ "explain --workload nothing", "nothing", 2 },
	{ "explain --pages", "--pages needs a value", 2 },
	{ "presets 80386", "there is no preset '80386'; there are penryn", 2 },
	{ "presets haswell zen1", "usage: vellum lab presets [NAME]", 2 },
	{ "workloads nothing", "nothing", 2 },
	{ "explain 0xfffffffffffffffff", "'0xfffffffffffffffff' is neither an option nor an address", 2 },
	{ "run --config zero.conf", "zero.conf, line 1: it holds a zero byte: this is not a text", 2 },
	{ "sweep", "sweep: what is to be varied? --vary KEY=VALUE,VALUE,... (vellum lab sweep --help)", 2 },
	{ "merge", "merge: which results are to be joined? FILE... -o FILE (vellum lab merge --help)", 2 },
	{ "report", "report: which results are to be shown? FILE... (vellum lab report --help)", 2 },
	{ "figure", "figure: which figure? NAME..., or --list (vellum lab figure --help)", 2 },
	{ "record", "which program? -- PROGRAM (vellum lab record --help)", 2 },
	{ "record --frob", "--frob is no option of record", 2 },
	{ "import bad.conf", "where should the trace go? -o TRACE (vellum lab import --help)", 2 },
	{ "import --level 3x -o new bad.conf", "--level goes from 1 to 19", 2 },
	{ "record --level 99999999999999999999 -- true", "--level goes from 1 to 19", 2 },
	{ "import --frob", "--frob is no option of import (vellum lab import --help)", 2 },
};

/* One line on what is wrong, and a status. */
static void check_bad(const char *args, const char *says, int expected)
{
	char command[300], *said;
	int status;

	snprintf(command, sizeof(command), "\"$V\" lab %s", args);
	status = run(command);
	said = slurp("err");
	if (status != expected || !strstr(said, says) || strchr(said, '\n') != said + strlen(said) - 1)
		fail_msg("lab %s: status %d, \"%s\"; expected status %d and one line with \"%s\"", args, status, said,
			 expected, says);
	free(said);
}

static void test_bad_commands(void **state)
{
	static const char *const standard[] = { "", "--json - ", "--csv - ", "--html - " };

	(void)state;
	assert_int_equal(0, shell("printf 'machine.l2=8/8\\000\\n' > zero.conf"));
	spill("bad.conf", "machine.l2 = 2048/16\nmachine.l9 = 1\n");
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_bad(bad[i].args, bad[i].says, bad[i].status);
	/* What could not be written is not lost: it is on the terminal. */
	assert_int_equal(1, run("\"$V\" lab run --csv /dev/full " SMALL));
	look("out", "Predicted run time", true);
	for (unsigned i = 0; i < sizeof(standard) / sizeof(standard[0]); i++) {
		assert_int_equal(1, shell("exec 2>err >out; \"$V\" lab run %s" SMALL " >/dev/full", standard[i]));
		look("err", "cannot write the standard output: No space left on device", true);
		assert_int_equal(0, shell("test $(wc -l <err) = 1"));
	}
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json),	     cmocka_unit_test(test_csv),     cmocka_unit_test(test_html),
		cmocka_unit_test(test_report), cmocka_unit_test(test_unpriced), cmocka_unit_test(test_unpriced_table),
		cmocka_unit_test(test_small), cmocka_unit_test(test_width),
		cmocka_unit_test(test_settings),     cmocka_unit_test(test_explain), cmocka_unit_test(test_presets),
		cmocka_unit_test(test_help),	     cmocka_unit_test(test_bad_commands),
	};

	if (argc > 1 && !strcmp(argv[1], "lab"))
		return lab_main(argc - 1, argv + 1);
	return cmocka_run_group_tests(tests, own_command_setup, own_command_teardown);
}
