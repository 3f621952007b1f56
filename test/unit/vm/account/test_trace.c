/* Exits one by one (vm/account/trace.c, trace_sums.c, trace_disk.c, vm/control/trace.c): what a record holds, that none
 * is lost without being counted, sums, and who may have them. */
#include "test/unit/vm/fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "host/memory/frames.h"
#include "test/vm/disk.h"
#include "vm/device/disk.h"

static void start_with(const char *description)
{
	memset(&bench_disk, 0, sizeof(bench_disk));
	bench_disk.there = true;
	bench_new(&(struct bench_config){ .mmu = "ept", .description = description });
	assert_int_equal(bench.at, BENCH_ENTRY);
}

static void ends(void)
{
	enum bench_at at = bench_exit_simple(EXIT_TRIPLE_FAULT, 0);

	for (unsigned n = 0; n < 20 && at != BENCH_OVER; n++) {
		bench_disk_finish();
		at = bench_interrupt(VECTOR_KICK);
	}
	assert_int_equal(at, BENCH_OVER);
}

/* Until the next call; the disk's memory need not be aligned. */
static const struct trace_record *on_disk(unsigned chunk)
{
	static struct trace_record records[TRACE_CHUNK / sizeof(struct trace_record)];

	memcpy(records, bench_disk.data[chunk * TRACE_CHUNK / SECTOR_SIZE], sizeof(records));
	return records;
}

static unsigned records_on_disk(unsigned chunk)
{
	struct trace_head head;

	memcpy(&head, on_disk(chunk), sizeof(head));
	if (memcmp(head.magic, TRACE_MAGIC, sizeof(head.magic)) != 0)
		return 0;
	assert_int_equal(head.version, TRACE_VERSION);
	assert_int_equal(head.tsc_hz, machine.tsc_hz);
	return head.records;
}

static int64_t told(const char *name)
{
	char line[100];
	const char *p;

	snprintf(line, sizeof(line), "\nstat 0 %s ", name);
	p = strstr(bench_log(), line);
	return p ? strtoll(p + strlen(line), NULL, 10) : -1;
}
#define EXPECT_TOLD(name, value) assert_int_equal(told(name), value)

static void in(uint16_t port)
{
	EXIT(.reason = EXIT_IO_INSTRUCTION, .qualification = (uint64_t)port << 16 | BIT(3), .length = 2);
}

/* ---- records ---- */

#define EXPECT_RECORD(n, want_code, want_address) \
	do { \
		assert_int_equal(on_disk(0)[n].code, want_code); \
		assert_int_equal(on_disk(0)[n].address, want_address); \
	} while (0)

static void what_a_record_holds(void **state)
{
	uint64_t rip;

	(void)state;
	start_with("trace ide1.0\n");
	rip = vmcs_get(VMCS_GUEST_RIP);
	*bench_gpr(GPR_RAX) = 7;
	again();
	in(0x61);
	out(0x80, 7);
	STEP(bench_wrmsr(MSR_TSC_DEADLINE, 1));
	EXIT(.reason = EXIT_CR_ACCESS, .qualification = 4 | GPR_RAX << 8, .length = 3);
	EXIT(.reason = EXIT_EPT_VIOLATION, .qualification = READ_KNOWN, .gpa = BENCH_DATA, .gva = BENCH_DATA);
	EXIT(.reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION(VECTOR_DB));
	STEP(bench_interrupt(VECTOR_KICK));
	ends();
	assert_int_equal(records_on_disk(0), 9);
	EXPECT_RECORD(1, EXIT_CPUID, 7);
	assert_int_equal(on_disk(0)[1].rip, rip);
	assert_in_range(on_disk(0)[1].ticks, 1, 1000);
	EXPECT_RECORD(2, EXIT_IO_INSTRUCTION, 0x61 | 1 << TRACE_PORT_SIZE_SHIFT | TRACE_PORT_IN);
	EXPECT_RECORD(3, EXIT_IO_INSTRUCTION, 0x80 | 1 << TRACE_PORT_SIZE_SHIFT);
	EXPECT_RECORD(4, EXIT_WRMSR, MSR_TSC_DEADLINE);
	EXPECT_RECORD(5, EXIT_CR_ACCESS, 4 | HVM_CR_TO << TRACE_CR_HOW_SHIFT);
	EXPECT_RECORD(6, EXIT_EPT_VIOLATION, BENCH_DATA);
	EXPECT_RECORD(7, TRACE_EXCEPTION | VECTOR_DB, 0);
	EXPECT_RECORD(8, EXIT_EXTERNAL_INTERRUPT, VECTOR_KICK);
	assert_int_equal(on_disk(0)[9].code, EXIT_TRIPLE_FAULT);
	for (unsigned n = 1; n < 9; n++)
		assert_true(on_disk(0)[n].tsc < on_disk(0)[n + 1].tsc);
	EXPECT_TOLD("trace.records", 9);
	EXPECT_TOLD("trace.lost", 0);
	EXPECT_TOLD("exits.total", 9);
	assert_int_equal(told("detail.cpuid.count"), -1);
	finish();
}

/* The ticks of a record are those that the account has for its exit. */
static void ticks_are_those_of_the_account(void **state)
{
	(void)state;
	start_with("trace ide1.0\n");
	again();
	in(0x61);
	ends();
	EXPECT_TOLD("exits.by_reason.cpuid.ticks", on_disk(0)[1].ticks);
	EXPECT_TOLD("exits.by_reason.io_instruction.ticks", on_disk(0)[2].ticks);
	finish();
}

static void more_than_a_chunk(void **state)
{
	(void)state;
	start_with("trace ide1.0\n");
	for (unsigned n = 0; n < 3 * TRACE_RECORDS + 5; n++) {
		again();
		if (bench_disk.busy)
			bench_disk_finish();
	}
	ends();
	for (unsigned n = 0; n < 3; n++)
		assert_int_equal(records_on_disk(n), TRACE_RECORDS);
	assert_int_equal(records_on_disk(3), 6);
	EXPECT_TOLD("trace.records", 3 * TRACE_RECORDS + 6);
	EXPECT_TOLD("trace.lost", 0);
	finish();
}

/* TR3: both chunks are on their way, or were not taken. */
static void a_disk_that_is_slow(void **state)
{
	(void)state;
	start_with("trace ide1.0\n");
	for (unsigned n = 0; n < 3 * TRACE_RECORDS + 5; n++)
		again();
	bench_disk_finish();
	ends();
	assert_int_equal(records_on_disk(0), TRACE_RECORDS);
	assert_true(told("trace.lost") >= (int64_t)TRACE_RECORDS);
	EXPECT_TOLD("trace.records", told("exits.total"));
	finish();
}

static void a_disk_that_fails(void **state)
{
	(void)state;
	start_with("trace ide1.0\n");
	again();
	bench_disk.fail = true;
	ends();
	EXPECT_TOLD("trace.records", 2);
	EXPECT_TOLD("trace.lost", 2);
	finish();
}

static void a_disk_that_is_full(void **state)
{
	const unsigned chunks = BENCH_DISK_SECTORS * SECTOR_SIZE / TRACE_CHUNK;

	(void)state;
	start_with("trace ide1.0\n");
	for (unsigned n = 0; n < (chunks + 1) * TRACE_RECORDS; n++) {
		again();
		if (bench_disk.busy)
			bench_disk_finish();
	}
	ends();
	assert_int_equal(records_on_disk(chunks - 1), TRACE_RECORDS);
	EXPECT_TOLD("trace.lost", TRACE_RECORDS + 1);
	finish();
}

/* TR4. */
static void the_end_waits_for_the_disk(void **state)
{
	(void)state;
	start_with("trace ide1.0\n");
	again();
	assert_int_not_equal(bench_exit_simple(EXIT_TRIPLE_FAULT, 0), BENCH_OVER);
	assert_int_equal(told("exits.total"), -1);
	bench_disk_finish();
	assert_int_equal(bench_interrupt(VECTOR_KICK), BENCH_OVER);
	EXPECT_TOLD("exits.total", 2);
	finish();
}

static void memory_comes_back(void **state)
{
	(void)state;
	start_with("detail on\ntrace ide1.0\n");
	again();
	STEP(ask("1 detail 0\n"));
	ends();
	assert_null(strstr(bench_log(), "free frames only"));
	finish();
	assert_null(strstr(bench_log(), "free frames only"));
}

static void places_that_cannot_be(void **state)
{
	static const struct { const char *one, *other, *why; } cases[] = {
		{ "trace ide1.0\n", "trace ide0.0\n", "one disk has all" },
		{ "trace ide1.0\n", "disk ide1.0\n", "a guest's disk" },
		{ "trace ide0.1\n", "", "there is no disk ide0.1" },
	};

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(cases); n++) {
		memset(&bench_disk, 0, sizeof(bench_disk));
		bench_disk.there = true;
		bench_new(&(struct bench_config){ .mmu = "ept", .description = cases[n].one });
		if (cases[n].other[0])
			bench_create(&(struct bench_config){ .mmu = "ept", .description = cases[n].other });
		if (!bench.why_not || !strstr(bench.why_not, cases[n].why))
			fail_msg("case %u: %s", n, bench.why_not ? bench.why_not : "nothing");
		finish();
	}
}

/* Reasons that nobody knows yet have a handler, and are recorded as such. */
static void an_unknown_reason(void **state)
{
	(void)state;
	start_with("trace ide1.0\n");
	again();
	bench_exit(&(struct bench_exit){ .reason = 200 });
	for (unsigned n = 0; n < 20 && bench.at != BENCH_OVER; n++) {
		bench_disk_finish();
		bench_interrupt(VECTOR_KICK);
	}
	assert_int_equal(on_disk(0)[2].code, HVM_EXIT_OTHER);
	EXPECT_TOLD("exits.by_reason.other.count", 1);
	finish();
}

static void nothing_when_off(void **state)
{
	(void)state;
	start_with("");
	again();
	assert_null(bench.v->traced.by);
	assert_int_equal(bench.v->traced.codes, HVM_EXIT_CODES);
	bench_exit(&(struct bench_exit){ .reason = 200 });
	EXPECT_TOLD("exits.by_reason.other.count", 1);
	EXPECT_TOLD("trace.records", -1);
	finish();
}

/* ---- sums ---- */

static void sums_of_the_account(void **state)
{
	(void)state;
	start_with("detail on\n");
	for (unsigned n = 0; n < TRACE_RECORDS + 10; n++)
		in(n % 2 ? 0x61 : 0x80);
	out(0x80, 1);
	STEP(bench_wrmsr(MSR_TSC_DEADLINE, 1));
	EXIT(.reason = EXIT_CR_ACCESS, .qualification = 4 | GPR_RAX << 8, .length = 3);
	EXIT(.reason = EXIT_CR_ACCESS, .qualification = 2 << 4, .length = 2);
	EXIT(.reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION(VECTOR_DB));
	EXIT(.reason = EXIT_EPT_VIOLATION, .qualification = READ_KNOWN, .gpa = BENCH_DATA, .gva = BENCH_DATA);
	ends();
	EXPECT_TOLD("detail.io_instruction.count", TRACE_RECORDS + 11);
	EXPECT_TOLD("detail.io_instruction.by_number.in_0x61.count", TRACE_RECORDS / 2 + 5);
	EXPECT_TOLD("detail.io_instruction.by_number.out_0x80.count", 1);
	EXPECT_TOLD("detail.wrmsr.by_number.0x6e0.count", 1);
	EXPECT_TOLD("detail.control_register_access.by_number.mov_to_cr4.count", 1);
	EXPECT_TOLD("detail.control_register_access.by_number.clts.count", 1);
	EXPECT_TOLD("detail.exception_or_nmi.by_number.1.count", 1);
	EXPECT_TOLD("detail.ept_violation.count", 1);
	assert_null(strstr(bench_log(), "detail.ept_violation.by_number")); /* RAM has no numbers */
	EXPECT_TOLD("detail.wrmsr.min", told("detail.wrmsr.max"));
	EXPECT_TOLD("detail.wrmsr.ticks", told("detail.wrmsr.max"));
	assert_true(told("detail.io_instruction.min") <= told("detail.io_instruction.max"));
	EXPECT_TOLD("detail_others", 0);
	finish();
}

/* Each exit is in one bucket, that of its ticks. */
static void buckets(void **state)
{
	int64_t sum = 0, ticks;
	char name[60];

	(void)state;
	start_with("detail on\n");
	for (unsigned n = 0; n < 9; n++)
		again();
	ends();
	for (unsigned n = 1; n < TRACE_BUCKETS; n++) {
		int64_t found;

		snprintf(name, sizeof(name), "detail.cpuid.histogram.%u", 1u << n);
		found = told(name);
		if (found < 0)
			continue;
		sum += found;
		ticks = told("detail.cpuid.max");
		assert_true((1ll << n) <= ticks);
		ticks = told("detail.cpuid.min");
		assert_true((2ll << n) > ticks);
	}
	assert_int_equal(sum, 9);
	finish();
}

static void sums_of_two(void **state)
{
	struct trace_sums *one = calloc(1, sizeof(*one)), *other = calloc(1, sizeof(*other));

	(void)state;
	one->reason[10] = (struct trace_sum){ 2, 30, 10, 20 };
	other->reason[10] = (struct trace_sum){ 1, 5, 5, 5 };
	other->number[3].key = 31ull << 56 | 7;
	other->number[3].sum = (struct trace_sum){ 4, 40, 10, 10 };
	other->others = 3;
	trace_sums_add(one, other);
	trace_sums_add(one, other);
	assert_int_equal(one->reason[10].count, 4);
	assert_int_equal(one->reason[10].min, 5);
	assert_int_equal(one->reason[10].max, 20);
	assert_int_equal(one->others, 6);
	for (unsigned n = 0; n < TRACE_NUMBERS; n++)
		if (one->number[n].key)
			assert_int_equal(one->number[n].sum.count, 8);
	/* One number more than there is room for. */
	for (unsigned n = 0; n < TRACE_NUMBERS; n++)
		one->number[n].key = n + 1;
	trace_sums_add(one, other);
	assert_int_equal(one->others, 6 + 3 + 4);
	free(one);
	free(other);
}

/* ---- asked for ---- */

static void detail_on_and_off(void **state)
{
	(void)state;
	start_with("");
	STEP(ask("1 detail 0\n"));
	assert_true(said("done 1 error the exits of"));
	STEP(ask("2 detail 0 on\n"));
	again();
	again();
	STEP(ask("3 detail 0\n"));
	assert_non_null(strstr(answer_to("3"), "\"on\":true"));
	assert_non_null(strstr(answer_to("3"), "\"cpuid\":{\"count\":2,"));
	STEP(ask("4 detail 0 off\n"));
	assert_int_equal(bench.v->traced.codes, HVM_EXIT_CODES);
	again();
	STEP(ask("5 detail 0\n"));
	assert_non_null(strstr(answer_to("5"), "\"on\":false"));
	assert_non_null(strstr(answer_to("5"), "\"cpuid\":{\"count\":2,"));
	STEP(ask("6 detail 0 perhaps\n"));
	assert_true(said("done 6 error detail is on or off"));
	finish();
}

static void some_are_kept(void **state)
{
	(void)state;
	start_with("");
	STEP(ask("1 traced 0.0 0\n"));
	assert_true(said("done 1 error the exits of"));
	STEP(ask("2 trace 0 16385\n"));
	assert_true(said("done 2 error 16385 is not a number of exits"));
	STEP(ask("3 trace 0 3\n"));
	assert_non_null(strstr(answer_to("3"), "\"count\":3"));
	again();
	STEP(ask("4 traced 0.0 0\n"));
	assert_non_null(strstr(answer_to("4"), "\"recorded\":1,\"complete\":false,\"from\":0,\"records\":1,"));
	for (unsigned n = 0; n < 5; n++)
		again();
	assert_int_equal(bench.v->traced.codes, HVM_EXIT_CODES);
	STEP(ask("5 traced 0.0 0\n"));
	assert_non_null(strstr(answer_to("5"), "\"recorded\":3,\"complete\":true,\"from\":0,\"records\":3,"));
	assert_int_equal(bench.v->traced.by->kept[1].code, EXIT_CPUID);
	STEP(ask("6 traced 0.0 7\n"));
	assert_non_null(strstr(answer_to("6"), "\"records\":0,"));
	/* Again, and given up. */
	STEP(ask("7 trace 0 100\n"));
	again();
	STEP(ask("8 trace 0 0\n"));
	again();
	STEP(ask("9 traced 0.0 0\n"));
	assert_non_null(strstr(answer_to("9"), "\"recorded\":1,\"complete\":true"));
	assert_int_equal(bench.v->traced.codes, HVM_EXIT_CODES);
	finish();
}

static void not_beside_the_disk(void **state)
{
	(void)state;
	start_with("trace ide1.0\n");
	STEP(ask("1 trace 0 3\n"));
	assert_true(said("done 1 error the exits of"));
	ends();
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_record_holds), cmocka_unit_test(ticks_are_those_of_the_account),
		cmocka_unit_test(more_than_a_chunk), cmocka_unit_test(a_disk_that_is_slow),
		cmocka_unit_test(a_disk_that_fails), cmocka_unit_test(a_disk_that_is_full),
		cmocka_unit_test(the_end_waits_for_the_disk), cmocka_unit_test(memory_comes_back),
		cmocka_unit_test(places_that_cannot_be), cmocka_unit_test(an_unknown_reason),
		cmocka_unit_test(nothing_when_off), cmocka_unit_test(sums_of_the_account),
		cmocka_unit_test(buckets), cmocka_unit_test(sums_of_two), cmocka_unit_test(detail_on_and_off),
		cmocka_unit_test(some_are_kept), cmocka_unit_test(not_beside_the_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
