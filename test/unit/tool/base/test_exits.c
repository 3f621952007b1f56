/* Records of exits as files: Perfetto's JSON, CSV, a trace disk with other things behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "tool/base/exits.h"
#include "vmx/vmcs.h"

static const char *const names[] = { "one", "two \"2\"" };
static const struct exits_about about = { .command = "vellum run \"x\"", .cpu = "a cpu", .emulator = "an emulator",
	.ips = 50000000, .vms = names, .vm_count = 2 };

static const struct trace_record some[] = {
	{ 3000, 0xffffffff81000000, 0x3f8 | 1 << TRACE_PORT_SIZE_SHIFT, 120, EXIT_IO_INSTRUCTION, 0, 0 },
	{ 1000, 0x1000, 0x61 | 1 << TRACE_PORT_SIZE_SHIFT | TRACE_PORT_IN, 90, EXIT_IO_INSTRUCTION, 0, 1 },
	{ 2000, 0x1000, 3 | 1 << TRACE_CR_HOW_SHIFT, 70, EXIT_CR_ACCESS, 1, 0 },
	{ 4000, 0x1000, 0xfee00080, 70, TRACE_DEVICE, 1, 0 },
	{ 5000, 0x1000, 0x1234, 70, TRACE_EXCEPTION | 14, 1, 0 },
	{ 6000, 0x1000, 0, 70, TRACE_EXCEPTION | 1, 1, 0 },
	{ 7000, 0x1000, 0, 70, EXIT_HLT, 1, 0 },
};

static char *printed(void (*print)(FILE *, const struct exits *, const struct exits_about *))
{
	struct exits exits = { .tsc_hz = 1000000000 };
	char *data = NULL;
	size_t length;
	FILE *out = open_memstream(&data, &length);

	exits_add(&exits, some, sizeof some / sizeof some[0]);
	exits_sort(&exits);
	print(out, &exits, &about);
	fclose(out);
	exits_free(&exits);
	return data;
}

static void csv(void **state)
{
	char *data = printed(exits_write_csv);

	(void)state;
	assert_non_null(strstr(data, "# command: vellum run \"x\"\n# cpu: a cpu, an emulator, ips 50000000\n"));
	assert_non_null(strstr(data,
		"tsc,microseconds,vm,vcpu,reason,subject,address,rip,ticks\n"
		"1000,1.000,two \"2\",0,io_instruction,in port 0x61 size 1,0x110061,0x1000,90\n"
		"2000,2.000,one,1,control_register_access,mov from cr3,0x103,0x1000,70\n"
		"3000,3.000,one,0,io_instruction,out port 0x3f8 size 1,0x103f8,0xffffffff81000000,120\n"
		"4000,4.000,one,1,exception_or_nmi,mmio 0xfee00080,0xfee00080,0x1000,70\n"
		"5000,5.000,one,1,exception_or_nmi,vector 14 gva 0x1234,0x1234,0x1000,70\n"
		"6000,6.000,one,1,exception_or_nmi,vector 1,0x0,0x1000,70\n"
		"7000,7.000,one,1,hlt,-,0x0,0x1000,70\n"));
	free(data);
}

static void json(void **state)
{
	char *data = printed(exits_write_json);
	cJSON *root = cJSON_Parse(data), *events, *first;

	(void)state;
	assert_non_null(root);
	events = cJSON_GetObjectItem(root, "traceEvents");
	assert_int_equal(cJSON_GetArraySize(events), 2 + 7);
	assert_string_equal(cJSON_GetObjectItem(cJSON_GetObjectItem(root, "otherData"), "command")->valuestring,
			    about.command);
	first = cJSON_GetArrayItem(events, 2);
	assert_string_equal(cJSON_GetObjectItem(first, "name")->valuestring, "io_instruction");
	assert_string_equal(cJSON_GetObjectItem(first, "ph")->valuestring, "X");
	assert_true(cJSON_GetObjectItem(first, "ts")->valuedouble == 1);
	assert_true(cJSON_GetObjectItem(first, "dur")->valuedouble == 0.09);
	assert_int_equal(cJSON_GetObjectItem(first, "pid")->valueint, 1);
	cJSON_Delete(root);
	free(data);
}

static void nothing_is_json_too(void **state)
{
	struct exits exits = { 0 };
	char *data = NULL;
	size_t length;
	FILE *out = open_memstream(&data, &length);
	cJSON *root;

	(void)state;
	exits_write_json(out, &exits, &about);
	fclose(out);
	root = cJSON_Parse(data);
	assert_non_null(root);
	cJSON_Delete(root);
	free(data);
}

static void formats(void **state)
{
	bool is_csv;

	(void)state;
	assert_true(exits_format("a.csv", &is_csv) && is_csv);
	assert_true(exits_format("a.b/c.json", &is_csv) && !is_csv);
	assert_false(exits_format("a.txt", &is_csv));
	assert_false(exits_format("json", &is_csv));
}

static void put_chunk(FILE *file, uint64_t run, unsigned records, uint64_t tsc)
{
	static struct trace_record chunk[TRACE_CHUNK / sizeof(struct trace_record)];
	struct trace_head head = { .run = run, .tsc_hz = 50, .records = (uint16_t)records, .version = TRACE_VERSION };

	memcpy(head.magic, TRACE_MAGIC, sizeof head.magic);
	memcpy(chunk, &head, sizeof head);
	for (unsigned n = 1; n < sizeof chunk / sizeof chunk[0]; n++)
		chunk[n] = (struct trace_record){ .tsc = tsc + n };
	fwrite(chunk, sizeof chunk, 1, file);
}

/* Behind the chunks of a run there may be others, of a run before; and a head may say what it likes. */
static void a_disk(void **state)
{
	char path[] = "/tmp/vellum-exits-XXXXXX";
	struct exits exits = { 0 };
	FILE *file = fdopen(mkstemp(path), "w");

	(void)state;
	put_chunk(file, 7, 511, 1000);
	put_chunk(file, 7, 3, 2000);
	put_chunk(file, 7, 60000, 3000);
	put_chunk(file, 6, 511, 1);
	fclose(file);
	assert_true(exits_read_disk(&exits, path));
	assert_int_equal(exits.count, 511 + 3 + 511);
	assert_int_equal(exits.tsc_hz, 50);
	assert_int_equal(exits.record[511].tsc, 2001);
	exits_free(&exits);
	unlink(path);
	assert_false(exits_read_disk(&exits, path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(csv), cmocka_unit_test(json), cmocka_unit_test(nothing_is_json_too),
		cmocka_unit_test(formats), cmocka_unit_test(a_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
