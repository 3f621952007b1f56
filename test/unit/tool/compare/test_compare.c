/* `vellum compare` without its runs: which cells the lists make, what is read of a run, what is written down. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/unit/tool/compare/made.h"
#include "tool/run/session.h"

static void run_is(struct cell *cell, const char *json, int status, const char *said)
{
	cell->run = cJSON_Parse(json);
	compare_read(cell, status, said);
}

static void every_combination_once(void **state)
{
	struct comparison *c = made("--mmu ept,shadow --pages 4k,2m --vpid on,off --workload fork:5");

	(void)state;
	assert_int_equal(c->count, 9);          /* and the bare machine, once */
	assert_true(compare_is_native(&labelled(c, "native")->is));
	assert_string_equal(labelled(c, "shadow 2m VPID off")->is.value[AXIS_PAGES], "2m");
	for (size_t i = 0; i < c->count; i++) {
		assert_string_equal(c->cells[i].is.value[AXIS_WORKLOAD], "fork:5");
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(c->cells[i].label, c->cells[k].label);
	}
	assert_int_equal(made("")->count, 5);
	assert_int_equal(made("--no-native")->count, 4);
	assert_int_equal(made("--workload fork,mmap --no-native --mmu ept")->count, 2);
	/* Each workload has a bare machine of its own. */
	assert_int_equal(made("--workload fork,mmap --mmu ept")->count, 4);
	assert_int_equal(made("--mmu native,ept")->count, 2);
	assert_int_equal(made("--config mmu=vtlb,pages=4k --config mmu=ept --no-native")->count, 2);
	assert_int_equal(made("--preset crossover")->count, 5);
}

static void the_impossible_is_left_out_with_a_note(void **state)
{
	struct comparison *c = made("--guest 686,686-pae --pti on,off --mmu shadow --no-native");

	(void)state;
	assert_int_equal(c->count, 3);
	assert_int_equal(c->note_count, 1);
	assert_non_null(strstr(c->notes[0], "686 has no page-table isolation"));
}

static void check_impossible(const char *cpu, const char *mmu, const char *pages, const char *vpid, const char *wanted)
{
	struct configuration is = { .value = { "", "", "", cpu, "", mmu, pages, vpid } };
	char *why = compare_impossible(&is);

	if (wanted == NULL)
		assert_null(why);
	else
		assert_non_null(strstr(why != NULL ? why : "", wanted));
	free(why);
}

static void what_a_model_lacks(void **state)
{
	(void)state;
	check_impossible("core2_penryn_t9600", "ept", "", "", "no EPT");
	check_impossible("core2_penryn_t9600", "shadow", "", "on", "no VPID");
	check_impossible("core2_penryn_t9600", "shadow", "", "off", NULL);
	check_impossible("core2_penryn_t9600", "native", "", "", NULL);
	check_impossible("corei5_lynnfield_750", "ept", "1g", "", "none of that size");
	check_impossible("corei5_lynnfield_750", "ept", "2m", "on", NULL);
	check_impossible("corei7_haswell_4770", "ept", "1g", "on", NULL);
	check_impossible("", "ept", "1g", "on", NULL);
}

static void words_of_a_run(void **state)
{
	struct comparison *c = made("--mmu ept --pages 4k --vpid off --pti on --workload mix:3 --append quiet");

	(void)state;
	assert_string_equal(words(c, "ept 4k VPID off"),
			    "vellum run --quiet --json out.json --timeout 3600 --ips 50000000 --workload mix:3 "
			    "--mmu ept --pages 4k --no-vpid --no-rdrand --append pti=on quiet ");
	assert_non_null(strstr(words(c, "native"), "--native --append pti=on quiet "));
	assert_null(strstr(words(c, "native"), "--pages"));
	/* Of what goes on; the bare machine cannot. */
	c = made("--mmu ept --from /proc/self/exe --hypervisor h");
	assert_non_null(strstr(words(c, "ept"), " --mmu ept --from /proc/self/exe --workload memory --hypervisor h "));
	assert_null(strstr(words(c, "native"), "--from"));
}

static const char one_run[] =
	"{\"guest\":{\"result\":\"ok checksum=12 "
	"kernel=6.1\",\"status\":0},\"instructions\":{\"guest\":900,\"hypervisor\":800},"
	"\"emulator\":{\"cpu_seconds\":2.5},\"phases\":{\"1\":{\"name\":\"edits-0\",\"steps\":10,"
	"\"instructions\":{\"guest\":100,\"hypervisor\":200},"
	"\"exits\":{\"total\":5}},\"2\":{\"name\":\"edits-8\",\"steps\":5,\"instructions\":{\"guest\":50,"
	"\"hypervisor\":300}}},"
	"\"workload\":{\"instructions\":{\"guest\":150,\"hypervisor\":500},\"exits\":{\"total\":9,\"by_"
	"reason\":{\"cpuid\":{\"count\":2,\"ticks\":50},"
	"\"invlpg\":{\"count\":7,\"ticks\":90}}},\"tables\":{\"pages\":11},\"mmu_counters\":{\"invvpid_"
	"single\":3,\"invvpid_all\":1}}}";

static void what_is_read_of_a_run(void **state)
{
	struct comparison *c = made("--mmu shadow");
	struct cell *cell = labelled(c, "shadow");
	const struct measure *m = &cell->measure;

	(void)state;
	run_is(cell, one_run, 0, "");
	assert_int_equal(cell->state, CELL_OK);
	assert_true(m->phases_only);
	assert_int_equal(m->all.guest, 150);
	assert_int_equal(m->all.hypervisor, 500);
	assert_int_equal(m->all.exits, 9);
	assert_int_equal(m->all.mechanism_exits, 7);
	assert_int_equal(m->all.table_pages, 11);
	assert_int_equal(m->all.invvpid, 4);
	assert_string_equal(m->result, "ok checksum=12");
	assert_string_equal(m->reasons[0].name, "invlpg");
	assert_int_equal(m->phase_count, 2);
	assert_int_equal(m->phases[1].steps, 5);
}

static void why_a_run_failed(void **state)
{
	struct comparison *c = made("");

	(void)state;
	run_is(&c->cells[0], "{\"guest\":{\"end\":\"stopped: triple fault\",\"status\":65}}", 65, "vellum: no\n");
	assert_string_equal(c->cells[0].why, "stopped: triple fault (status 65)");
	run_is(&c->cells[1],
	       "{\"guest\":{\"end\":\"debug exit with value 1\",\"status\":3,\"result\":\"FAIL a page\"}}", 3, "");
	assert_string_equal(c->cells[1].why, "the guest: a page");
	run_is(&c->cells[2], "", 124, "vellum: one\nvellum: timeout: no end\n  last lines\n");
	assert_string_equal(c->cells[2].why, "timeout: no end (status 124)");
	run_is(&c->cells[3], "", 9, "");
	assert_string_equal(c->cells[3].why, "ended with status 9 and said nothing");
	run_is(&c->cells[4], "{", 0, "");
	assert_string_equal(c->cells[4].why, "the run left no JSON that can be read");
	assert_int_equal(compare_failed(c), 5);
}

static void another_result_is_a_failure(void **state)
{
	struct comparison *c = made("--no-native --mmu ept,shadow,vtlb");

	(void)state;
	run_is(&c->cells[0], one_run, 0, "");
	run_is(&c->cells[1], "{\"guest\":{\"result\":\"ok checksum=13 kernel=6.1\"}}", 0, "");
	run_is(&c->cells[2], "{\"guest\":{\"result\":\"ok checksum=12 kernel=6.9\"}}", 0, "");
	compare_results(c);
	assert_int_equal(c->cells[0].state, CELL_OK);
	assert_int_equal(c->cells[1].state, CELL_FAILED);
	assert_string_equal(c->cells[1].why, "its result is \"ok checksum=13\", that of ept \"ok checksum=12\"");
	assert_int_equal(c->cells[2].state, CELL_OK);
}

static char *written(const struct comparison *c, void (*write)(const struct comparison *, FILE *))
{
	char *content = NULL;
	size_t length;
	FILE *out = open_memstream(&content, &length);

	write(c, out);
	fclose(out);
	return content;
}

static struct comparison *three_rows(void)
{
	struct comparison *c = made("--mmu shadow,vtlb --append a<b&c");

	run_is(labelled(c, "native"),
	       "{\"guest\":{\"result\":\"ok checksum=12 kernel=6.1\"},\"workload\":{\"instructions\":{\"guest\":100}}}",
	       0, "");
	run_is(labelled(c, "shadow"), one_run, 0, "");
	run_is(labelled(c, "vtlb"), "", 70, "vellum: it said \"<no>\", and stopped\n");
	return c;
}

static void the_table(void **state)
{
	char *table = written(three_rows(), compare_table);

	(void)state;
	assert_non_null(strstr(
		table, "shadow              0.00        0.00     6.50           9           7        44           "
		       "4       0\n"));
	assert_non_null(strstr(table, "vtlb          FAILED: it said \"<no>\", and stopped (status 70)\n"));
	free(table);
}

/* Only what failed has such, where its numbers would be. */
static bool empty_cell(const char *line)
{
	const char *end = strstr(line, "\r\n"), *empty = strstr(line, ",,");

	return empty != NULL && empty < end;
}

static void the_csv(void **state)
{
	char *csv = written(three_rows(), compare_csv), *line = csv;
	unsigned lines = 0;

	(void)state;
	/* One header; the bare machine; all, and two phases, of shadow; the failure. */
	for (; *line != 0; line = strstr(line, "\r\n") + 2, lines++) {
		unsigned commas = 0;
		bool quoted = false;

		for (const char *p = line; *p != '\r'; p++) {
			quoted ^= *p == '"';
			commas += *p == ',' && !quoted;
		}
		assert_int_equal(commas, 26);
		assert_int_equal(empty_cell(line), strncmp(line, "vtlb,", 5) == 0);
	}
	assert_int_equal(lines, 6);
	assert_non_null(strstr(csv, ",failed,\"it said \"\"<no>\"\", and stopped (status 70)\",none,,"));
	assert_non_null(strstr(csv, "shadow,memory:1,amd64,default,default,off,shadow,default,default,default,ok,none,"
				    "all,0,150,500,9,7,11,4,0,ok checksum=12,0.1,50000000,268435456,unknown,"));
	free(csv);
}

static void the_json_and_back(void **state)
{
	char path[] = "/tmp/vellum-compare-test-XXXXXX", *json = compare_json(three_rows());
	struct comparison *again = made("--mmu shadow,vtlb --append a<b&c");
	cJSON *root = cJSON_Parse(json);
	int file = mkstemp(path);

	(void)state;
	assert_non_null(root);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(root, "cells")), 3);
	cJSON_Delete(root);
	close(file);
	file_write(path, json, strlen(json));
	compare_resume(again, path);
	unlink(path);
	assert_int_equal(labelled(again, "shadow")->state, CELL_OK);
	assert_int_equal(labelled(again, "shadow")->measure.all.hypervisor, 500);
	assert_int_equal(labelled(again, "vtlb")->state, CELL_WAITING);
	free(json);
}

static void the_page(void **state)
{
	char *html = written(three_rows(), compare_html), *p = html;
	unsigned charts = 0;

	(void)state;
	assert_true(!strstr(html, "<no>") && strstr(html, "failed: it said &quot;&lt;no&gt;&quot;, and stopped"));
	assert_true(strstr(html, "a&lt;b&amp;c") && strstr(html, "<td>6.50</td>") &&
		    strstr(html, "<tr><th>workload</th><td>memory:1</td></tr>") &&
		    strstr(html, "<tr><th>guest's RAM</th><td>256 MB</td></tr>"));
	/* Nothing comes from outside. */
	assert_true(!strstr(html, "src=") && !strstr(html, "href=") && !strstr(html, "url("));
	for (; (p = strstr(p, "<svg ")) != NULL; p++)
		charts++;
	assert_int_equal(charts, 4);
	free(html);
}

/* Where methods of the priority register are compared, it has a chart; the method may have been changed meanwhile. */
static void the_page_of_methods(void **state)
{
	struct comparison *c = made("--no-native --mmu ept --tpr trap");
	char *html;

	(void)state;
	run_is(&c->cells[0], "{\"lapic\":{\"methods\":{\"trap\":{\"tpr_reads\":7001,\"tpr_writes\":6002},\"apicv\":"
	       "{\"tpr_reads\":3,\"threshold_exits\":5004,\"virtualized_eoi_exits\":8005}}}}", 0, "");
	html = written(c, compare_html);
	assert_true(strstr(html, ": reads 7,004") && strstr(html, ": writes 6,002") &&
		    strstr(html, ": at the threshold 5,004") && strstr(html, ": EOIs that the CPU did 8,005"));
	free(html);
}

static void nothing_but_failures(void **state)
{
	struct comparison *c = made("--no-native --mmu ept");

	(void)state;
	run_is(&c->cells[0], "", 1, "vellum: no\n");
	free(written(c, compare_html));
	free(written(c, compare_csv));
	free(written(c, compare_table));
}

static void where_they_cross(void **state)
{
	static const char shadow[] =
		"{\"phases\":{\"1\":{\"name\":\"edits-0\",\"steps\":10,\"instructions\":{\"hypervisor\":100}},"
		"\"2\":{\"name\":\"edits-8\",\"steps\":10,\"instructions\":{\"hypervisor\":900}}},"
		"\"workload\":{}}";
	static const char vtlb[] =
		"{\"phases\":{\"1\":{\"name\":\"edits-0\",\"steps\":10,\"instructions\":{\"hypervisor\":500}},"
		"\"2\":{\"name\":\"edits-8\",\"steps\":10,\"instructions\":{\"hypervisor\":500}}},"
		"\"workload\":{}}";
	struct comparison *c = made("--preset crossover --no-native --mmu shadow,vtlb");
	struct crossing x;
	char *sentence;

	(void)state;
	run_is(&c->cells[0], shadow, 0, "");
	run_is(&c->cells[1], vtlb, 0, "");
	assert_true(compare_crossing(c, &crossing_kinds[0], &x));
	assert_int_equal(x.points, 2);
	assert_int_equal(x.edits[1], 8);
	assert_true(fabs(x.per_turn[0][1] - 90) < 1e-9);
	sentence = crossing_sentence(&x);
	assert_non_null(strstr(sentence, "cross at about 4 edits of entries in a turn"));
	free(sentence);
	sentence = crossing_prices(&x);
	assert_non_null(strstr(sentence, "in a turn with 0, and for each one more between 0 and 8: "));
	assert_non_null(strstr(sentence, " 10 and 10; "));
	assert_non_null(strstr(sentence, " 50 and 0."));
	free(sentence);
	assert_false(compare_crossing(c, &crossing_kinds[1], &x));
	assert_true(compare_crossing(c, &crossing_kinds[0], &x));
	x.per_turn[0][1] = 20;
	sentence = crossing_sentence(&x);
	assert_non_null(strstr(sentence, "do not cross between 0 and 8 edits of entries in a turn: shadow costs less"));
	free(sentence);
	x.per_turn[1][0] = NAN;
	sentence = crossing_sentence(&x);
	assert_non_null(strstr(sentence, "do not cross between"));
	free(sentence);
	sentence = crossing_prices(&x);
	assert_non_null(strstr(sentence, "not measured"));
	free(sentence);
}

static void each_kind_for_itself(void **state)
{
	static const char both[] =
		"{\"phases\":{\"1\":{\"name\":\"edits-0\",\"steps\":1,\"instructions\":{\"hypervisor\":1}},"
		"\"2\":{\"name\":\"edits-1\",\"steps\":1,\"instructions\":{\"hypervisor\":2}},"
		"\"3\":{\"name\":\"tables-0\",\"steps\":1,\"instructions\":{\"hypervisor\":3}},"
		"\"4\":{\"name\":\"tables-2\",\"steps\":1,\"instructions\":{\"hypervisor\":7}}},"
		"\"workload\":{}}";
	struct comparison *c = made("--preset crossover --no-native --mmu shadow,vtlb");
	struct crossing x;

	(void)state;
	assert_string_equal(c->ips, "50000000");
	assert_string_equal(made("--preset crossover --ips 70000000")->ips, "70000000");
	run_is(&c->cells[0], both, 0, "");
	run_is(&c->cells[1], both, 0, "");
	assert_true(compare_crossing(c, &crossing_kinds[0], &x));
	assert_int_equal(x.edits[1], 1);
	assert_true(fabs(x.per_turn[1][1] - 2) < 1e-9);
	assert_true(compare_crossing(c, &crossing_kinds[1], &x));
	assert_int_equal(x.edits[1], 2);
	assert_true(fabs(x.per_turn[1][1] - 7) < 1e-9);
}

static void lines_that_touch_again_and_again(void **state)
{
	static const char name[] = "{\"phases\":{\"1\":{\"name\":\"tables-0\",\"steps\":1},"
				   "\"2\":{\"name\":\"tables-10\",\"steps\":1},"
				   "\"3\":{\"name\":\"tables-20\",\"steps\":1}},\"workload\":{}}";
	struct comparison *c = made("--preset crossover --no-native --mmu shadow,vtlb");
	const double shadow[] = { 10, 110, 190 }, vtlb[] = { 100, 100, 200 };
	struct crossing x;
	char *sentence;

	(void)state;
	run_is(&c->cells[0], name, 0, "");
	run_is(&c->cells[1], name, 0, "");
	assert_true(compare_crossing(c, &crossing_kinds[1], &x));
	memcpy(x.per_turn[0], shadow, sizeof shadow);
	memcpy(x.per_turn[1], vtlb, sizeof vtlb);
	sentence = crossing_sentence(&x);
	assert_non_null(strstr(sentence, "cross 2 times between 9 and 15 page tables that come and go"));
	assert_non_null(strstr(sentence, "neither more than 10% more"));
	free(sentence);
	/* One point where they are equal is one crossing. */
	x.per_turn[0][1] = 100;
	x.per_turn[0][2] = 300;
	sentence = crossing_sentence(&x);
	assert_non_null(strstr(sentence, "cross at about 10 page tables that come and go in a turn"));
	free(sentence);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_combination_once),
		cmocka_unit_test(the_impossible_is_left_out_with_a_note),
		cmocka_unit_test(what_a_model_lacks),
		cmocka_unit_test(words_of_a_run),
		cmocka_unit_test(what_is_read_of_a_run),
		cmocka_unit_test(why_a_run_failed),
		cmocka_unit_test(another_result_is_a_failure),
		cmocka_unit_test(the_table),
		cmocka_unit_test(the_csv),
		cmocka_unit_test(the_json_and_back),
		cmocka_unit_test(the_page),
		cmocka_unit_test(the_page_of_methods),
		cmocka_unit_test(nothing_but_failures),
		cmocka_unit_test(where_they_cross),
		cmocka_unit_test(each_kind_for_itself),
		cmocka_unit_test(lines_that_touch_again_and_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
