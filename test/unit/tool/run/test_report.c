/* What the command makes of a run's records: the JSON with its stable names, and the table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "tool/run/json.h"
#include "tool/run/report.h"

static void tell(struct run_result *result, const char *const *lines)
{
	char copy[200];
	struct record record;

	for (; *lines != NULL; lines++) {
		snprintf(copy, sizeof copy, "%s", *lines);
		assert_true(record_parse(copy, &record));
		result_apply(result, &record);
	}
}

static const char *const one_machine[] = {
	"vellum 1",
	"host cpus 2",
	"host cpu_brand A CPU",
	"vm 0 start guest",
	"vm 0 set mmu ept",
	"vm 0 set vpid on",
	"vm 0 set pages 2m",
	"vm 0 set mode long",
	"stat 0 exits.total 1000",
	"stat 0 exits.by_reason.cpuid.count 250",
	"stat 0 exits.by_reason.cpuid.ticks 25000",
	"stat 0 exits.by_reason.io_instruction.count 750",
	"stat 0 exits.by_reason.io_instruction.ticks 75375",
	"stat 0 exits.by_reason.hlt.count 0",
	"stat 0 instructions.guest 9007199254740993",
	"stat 0 instructions.hypervisor 100375",
	"stat 0 mmu_counters.ept_violations 45",
	"stat 0 mmu_counters.mapped_2m 128",
	"stat 0 mmu_counters.invvpid_single 2",
	"stat 0 mmu_counters.invvpid_all 1",
	"stat 0 tables.pages 6",
	"vm 0 end 3 debug exit",
	"end 3",
	NULL,
};

/* What was looked at one by one is told with what each was about. */
static void detail(void **state)
{
	static const char *const lines[] = {
		"vm 0 start guest", "stat 0 exits.total 4", "stat 0 instructions.guest 10",
		"stat 0 detail.io_instruction.count 4", "stat 0 detail.io_instruction.ticks 400",
		"stat 0 detail.io_instruction.min 50", "stat 0 detail.io_instruction.max 250",
		"stat 0 detail.io_instruction.histogram.32 4",
		"stat 0 detail.io_instruction.by_number.in_0x61.count 3",
		"stat 0 detail.io_instruction.by_number.in_0x61.ticks 330",
		"stat 0 detail.io_instruction.by_number.in_0x61.min 50",
		"stat 0 detail.io_instruction.by_number.in_0x61.max 250", "vm 0 end 0 off", NULL,
	};
	struct run_result result = { 0 };
	char *data = NULL;
	size_t length;
	FILE *out;

	(void)state;
	tell(&result, lines);
	out = open_memstream(&data, &length);
	report_print(out, &result);
	fclose(out);
	assert_non_null(strstr(data,
		"\n  io_instruction                            4         50        100        250\n"
		"    in_0x61                                 3         50        110        250\n"));
	free(data);
	result_free(&result);
}

static cJSON *json_of(const struct run_result *result, int status)
{
	char *text = json_text(result, status);
	cJSON *root = cJSON_Parse(text);

	assert_non_null(root);
	/* A double cannot hold this one: the text must. */
	if (result->vm_count == 1 && result->vms[0].stat_count > 3)
		assert_non_null(strstr(text, "9007199254740993"));
	free(text);
	return root;
}

static cJSON *at(cJSON *object, const char *path)
{
	char copy[200], *state, *name;

	snprintf(copy, sizeof copy, "%s", path);
	for (name = strtok_r(copy, ".", &state); name != NULL; name = strtok_r(NULL, ".", &state)) {
		object = cJSON_GetObjectItemCaseSensitive(object, name);
		if (object == NULL)
			fail_msg("%s is missing in the JSON", path);
	}
	return object;
}

static void json_has_the_stable_names(void **state)
{
	struct run_result result = { .machine = { .machine = "bochs",
						  .cpu = "haswell",
						  .emulator = "Bochs",
						  .emulator_version = "3.0",
						  .cpus = 1,
						  .memory = 1 << 29,
						  .ips = 10000000 } };
	cJSON *root;

	(void)state;
	tell(&result, one_machine);
	result_console_line(&result, 0, "[1.0] VELLUM-RESULT ok checksum=0123 kernel=6.1");
	root = json_of(&result, 3);
	assert_string_equal(at(root, "machine")->valuestring, "bochs");
	assert_string_equal(at(root, "cpu")->valuestring, "haswell");
	assert_string_equal(at(root, "mmu")->valuestring, "ept");
	assert_true(cJSON_IsTrue(at(root, "vpid")));
	assert_string_equal(at(root, "pages")->valuestring, "2m");
	assert_string_equal(at(root, "mode")->valuestring, "long");
	assert_int_equal(at(root, "guest.status")->valueint, 3);
	assert_string_equal(at(root, "guest.result")->valuestring, "ok checksum=0123 kernel=6.1");
	assert_string_equal(at(root, "guest.end")->valuestring, "debug exit");
	assert_int_equal(at(root, "exits.total")->valueint, 1000);
	assert_int_equal(at(root, "exits.by_reason.cpuid.count")->valueint, 250);
	assert_int_equal(at(root, "exits.by_reason.cpuid.ticks")->valueint, 25000);
	assert_int_equal(at(root, "instructions.hypervisor")->valueint, 100375);
	assert_int_equal(at(root, "mmu_counters.ept_violations")->valueint, 45);
	/* What the hypervisor leaves out for it is 0. */
	assert_non_null(at(root, "mmu_counters.cr3_loads"));
	assert_int_equal(at(root, "mmu_counters.cr3_loads")->valueint, 0);
	assert_int_equal(at(root, "tables.pages")->valueint, 6);
	assert_int_equal(at(root, "host.cpus")->valueint, 2);
	assert_string_equal(at(root, "host.cpu_brand")->valuestring, "A CPU");
	assert_string_equal(at(root, "emulator.version")->valuestring, "3.0");
	assert_int_equal(at(root, "emulator.ips")->valueint, 10000000);
	cJSON_Delete(root);
	result_free(&result);
}

static void json_says_what_was_run(void **state)
{
	struct run_result result = { .command = "vellum run --mem 16M", .description = "vm guest\n" };
	cJSON *root;

	(void)state;
	result_vm(&result, 0)->made_of = (struct guest_facts){ .kernel = "/vmlinux", .debian = "amd64",
							       .workload = "fork:700", .command_line = "quiet" };
	root = json_of(&result, 0);
	assert_string_equal(at(root, "version")->valuestring, "0.1");
	assert_string_equal(at(root, "command")->valuestring, "vellum run --mem 16M");
	assert_string_equal(at(root, "description")->valuestring, "vm guest\n");
	assert_string_equal(at(root, "guest.kernel")->valuestring, "/vmlinux");
	assert_string_equal(at(root, "guest.debian_kernel")->valuestring, "amd64");
	assert_string_equal(at(root, "guest.workload")->valuestring, "fork:700");
	assert_string_equal(at(root, "guest.command_line")->valuestring, "quiet");
	assert_true(cJSON_IsNull(at(root, "guest.initrd")));
	cJSON_Delete(root);
	result_free(&result);
}

static void json_of_a_run_that_told_nothing(void **state)
{
	struct run_result result = { .machine = { .machine = "bochs" } };
	cJSON *root = json_of(&result, 70);

	(void)state;
	assert_int_equal(at(root, "status")->valueint, 70);
	assert_true(cJSON_IsNull(at(root, "guest.status")));
	assert_true(cJSON_IsNull(at(root, "guest.result")));
	assert_true(cJSON_IsNull(at(root, "mmu")));
	cJSON_Delete(root);
	result_free(&result);
}

static void names_that_contradict_each_other(void **state)
{
	static const char *const lines[] = { "stat 0 a 1",     "stat 0 a.b 2",	       "stat 0 c.d 3",
					     "stat 0 c 4",     "stat 0 .e 5",	       "stat 0 f. 6",
					     "stat 0 guest 7", "stat 0 exits.total 8", NULL };
	struct run_result result = { .panic = NULL };
	cJSON *root;
	char *text;

	(void)state;
	tell(&result, lines);
	text = json_text(&result, 0);
	root = cJSON_Parse(text);
	free(text);
	assert_int_equal(at(root, "a")->valueint, 1);
	assert_int_equal(at(root, "c.d")->valueint, 3);
	assert_true(cJSON_IsObject(at(root, "guest")));
	assert_int_equal(at(root, "exits.total")->valueint, 8);
	cJSON_Delete(root);
	result_free(&result);
}

static void several_machines_are_in_a_list(void **state)
{
	static const char *const lines[] = { "vm 0 start a",
					     "vm 2 start c",
					     "stat 2 exits.total 7",
					     "con 2 VELLUM-RESULT ok",
					     "vm 2 end 0 powered off",
					     "vm 0 end 64 bad image",
					     "end 64",
					     NULL };
	struct run_result result = { .panic = NULL };
	cJSON *root;

	(void)state;
	tell(&result, lines);
	assert_true(result.ended && result.status == 64);
	root = json_of(&result, 64);
	assert_string_equal(at(root, "guest.name")->valuestring, "a");
	assert_int_equal(cJSON_GetArraySize(at(root, "vms")), 3);
	assert_int_equal(at(cJSON_GetArrayItem(at(root, "vms"), 2), "exits.total")->valueint, 7);
	assert_string_equal(at(cJSON_GetArrayItem(at(root, "vms"), 2), "guest.result")->valuestring, "ok");
	cJSON_Delete(root);
	result_free(&result);
}

/* What is told of one that began again is of the last time. */
static void one_that_begins_again(void **state)
{
	static const char *const lines[] = { "vm 0 start a", "vm 0 set mmu ept", "stat 0 exits.total 7",
					     "stat 0 exits.by_reason.hlt.count 7", "vm 0 end 0 reset (port 0xcf9)",
					     "vm 0 start a", "vm 0 set mmu shadow", "stat 0 exits.total 9",
					     "vm 0 end 65 stopped: triple fault at rip 0x1", "end 65", NULL };
	struct run_result result = { .panic = NULL };
	cJSON *root;

	(void)state;
	tell(&result, lines);
	root = json_of(&result, 65);
	assert_int_equal(at(root, "guest.starts")->valueint, 2);
	assert_int_equal(at(root, "guest.status")->valueint, 65);
	assert_string_equal(at(root, "mmu")->valuestring, "shadow");
	assert_int_equal(at(root, "exits.total")->valueint, 9);
	assert_false(cJSON_HasObjectItem(at(root, "exits"), "by_reason"));
	cJSON_Delete(root);
	result_free(&result);
}

static char *report_of(const struct run_result *result)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	report_print(out, result);
	fclose(out);
	return text;
}

static cJSON *parsed(const struct run_result *result)
{
	char *text = json_text(result, 0);
	cJSON *root = cJSON_Parse(text);

	free(text);
	return root;
}

/* Phases: what the guest told of them, what was counted in them, and their sum. */
static void phases_are_named_and_added_up(void **state)
{
	static const char *const lines[] = { "vellum 1",
					     "vm 0 start a",
					     "stat 0 exits.total 100",
					     "stat 0 instructions.guest 5000",
					     "stat 0 phases.1.exits.total 7",
					     "stat 0 phases.1.instructions.guest 300",
					     "stat 0 phases.1.tables.pages 9",
					     "stat 0 phases.2.exits.total 5",
					     "stat 0 phases.2.instructions.guest 200",
					     "stat 0 phases.2.tables.pages 4",
					     "vm 0 end 0 powered off",
					     "end 0",
					     NULL };
	struct run_result result = { .machine = { .ips = 10000000 } };
	char *shown;
	cJSON *root;

	(void)state;
	tell(&result, lines);
	result_console_line(&result, 0, "VELLUM-PHASE 1 first ticks=310 steps=4");
	result_console_line(&result, 0, "VELLUM-PHASE 2 second ticks=205 steps=0");
	result_console_line(&result, 0, "VELLUM-PHASE 3 third steps=0");
	result_sum_phases(&result.vms[0]);
	root = parsed(&result);
	assert_string_equal(at(root, "phases.1.name")->valuestring, "first");
	assert_int_equal(at(root, "phases.1.ticks")->valueint, 310);
	assert_int_equal(at(root, "phases.1.steps")->valueint, 4);
	assert_int_equal(at(root, "phases.2.exits.total")->valueint, 5);
	assert_int_equal(at(root, "workload.exits.total")->valueint, 12);
	assert_int_equal(at(root, "workload.instructions.guest")->valueint, 500);
	assert_int_equal(at(root, "workload.tables.pages")->valueint, 9);
	assert_null(cJSON_GetObjectItem(at(root, "phases"), "3"));
	cJSON_Delete(root);
	shown = report_of(&result);
	assert_non_null(
		strstr(shown, "  first                                       300                0            7\n"));
	free(shown);
	result_free(&result);
}

/* Without a hypervisor the guest's clock is all there is; what it slept is not work. */
static void a_native_run_is_counted_by_the_guest(void **state)
{
	static const char *const lines[] = { "vellum 1", "vm 0 start a", "stat 0 native.start_ticks 1000", NULL };
	struct run_result result = { .machine = { .ips = 1000000 } };
	cJSON *root;

	(void)state;
	tell(&result, lines);
	result_console_line(&result, 0, "VELLUM-PHASE 1 first ticks=310 steps=4");
	result_console_line(&result, 0, "VELLUM-CLOCK ticks=61000 idle_ms=20");
	result_native(&result.vms[0], 1000000);
	result_sum_phases(&result.vms[0]);
	root = parsed(&result);
	assert_int_equal(at(root, "instructions.guest")->valueint, 40000);
	assert_int_equal(at(root, "phases.1.instructions.guest")->valueint, 310);
	assert_int_equal(at(root, "workload.instructions.guest")->valueint, 310);
	cJSON_Delete(root);
	result_free(&result);
}

static void disks_that_did_something_have_a_line(void **state)
{
	static const char *const lines[] = { "vm 0 start guest", "stat 0 exits.total 1", "stat 0 disks.0.reads 0",
					     "stat 0 disks.1.reads 12", "stat 0 disks.1.bytes_read 6144",
					     "stat 0 disks.1.failures 2", NULL };
	struct run_result result = { .panic = NULL };
	char *text;
	cJSON *root;

	(void)state;
	tell(&result, lines);
	text = report_of(&result);
	assert_null(strstr(text, "disk 0"));
	assert_non_null(strstr(text, "  disk 1: reads 12 (6,144 bytes), writes 0 (0 bytes), flushes 0, failed 2\n"));
	free(text);
	root = parsed(&result);
	assert_int_equal(at(root, "disks.1.bytes_read")->valueint, 6144);
	cJSON_Delete(root);
	result_free(&result);
}

static void the_table_is_sorted_and_adds_up(void **state)
{
	struct run_result result = { .machine = { .ips = 10000000 } };
	char *text, *io, *cpuid;

	(void)state;
	tell(&result, one_machine);
	text = report_of(&result);
	io = strstr(text, "io_instruction                          750    75.0%           75,375       101\n");
	cpuid = strstr(text, "cpuid                                   250    25.0%           25,000       100\n");
	assert_non_null(io);
	assert_non_null(cpuid);
	assert_true(io < cpuid);
	assert_null(strstr(text, "hlt"));               /* none: not a row */
	assert_non_null(
		strstr(text, "total                                 1,000   100.0%          100,375       100\n"));
	assert_non_null(strstr(text, "EPT violations 45"));
	assert_non_null(strstr(text, "128 of 2M"));
	assert_non_null(strstr(text, "INVVPID 3, INVEPT 0"));
	assert_non_null(strstr(text, "tables 6 pages (24 KB)"));
	assert_non_null(strstr(text, "status 3, debug exit"));
	free(text);
	result_free(&result);
}

static void grouping(void **state)
{
	char buffer[32];

	(void)state;
	assert_string_equal(grouped(0, buffer), "0");
	assert_string_equal(grouped(999, buffer), "999");
	assert_string_equal(grouped(1000, buffer), "1,000");
	assert_string_equal(grouped(UINT64_MAX, buffer), "18,446,744,073,709,551,615");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_has_the_stable_names),
		cmocka_unit_test(json_says_what_was_run),
		cmocka_unit_test(json_of_a_run_that_told_nothing),
		cmocka_unit_test(names_that_contradict_each_other),
		cmocka_unit_test(several_machines_are_in_a_list),
		cmocka_unit_test(one_that_begins_again),
		cmocka_unit_test(phases_are_named_and_added_up),
		cmocka_unit_test(a_native_run_is_counted_by_the_guest),
		cmocka_unit_test(disks_that_did_something_have_a_line),
		cmocka_unit_test(the_table_is_sorted_and_adds_up),
		cmocka_unit_test(detail), cmocka_unit_test(grouping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
