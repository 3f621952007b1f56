/* The control channel's end in `vellum run` (tool/run/control.c), and what its answers tell of counters
 * (tool/run/answer.c). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tool/run/answer.h"
#include "tool/run/control.h"

static struct {
	unsigned count;
	bool own;
	char json[1000];
} heard;

static void hears(void *context, bool own, const char *json)
{
	assert_ptr_equal(context, &heard);
	heard.count++;
	heard.own = own;
	snprintf(heard.json, sizeof heard.json, "%s", json);
}

/* A control with one client, whose other end is returned. */
static int with_client(struct control *control)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	*control = (struct control){ .listener = -1, .active = -1, .heard = hears, .context = &heard };
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		control->client[i].file = -1;
	control->client[0].file = ends[0];
	memset(&heard, 0, sizeof heard);
	return ends[1];
}

static void write_to(int file, const char *text)
{
	assert_int_equal(write(file, text, strlen(text)), strlen(text));
}

static void expect_from(int file, const char *wanted)
{
	char got[1000] = "";

	if (read(file, got, sizeof got - 1) < 0)
		got[0] = 0;
	assert_string_equal(got, wanted);
}

/* The next request for the hypervisor, "" for none. */
static void expect_request(struct control *control, const char *wanted)
{
	struct bytes out = { 0 };
	bool any = control_next(control, &out);

	assert_string_equal(out.length != 0 ? out.data : "", wanted);
	assert_int_equal(any, *wanted != 0);
	bytes_free(&out);
}

static void a_clients_counters_are_heard(void **state)
{
	struct control control;
	int file = with_client(&control);

	(void)state;
	write_to(file, "stats 0\nlist\n");
	control_exchange(&control);
	expect_request(&control, "r1 stats 0\n");
	expect_request(&control, "");
	assert_true(control_answer(&control, "reply r1 {\"a\":"));
	assert_true(control_answer(&control, "reply r1 1}"));
	assert_int_equal(heard.count, 0);
	assert_true(control_answer(&control, "done r1 ok"));
	assert_int_equal(heard.count, 1);
	assert_false(heard.own);
	assert_string_equal(heard.json, "{\"a\":1}");
	/* The client has them too; what it asks next is no business of the run's. */
	control_exchange(&control);
	expect_from(file, "reply {\"a\":\nreply 1}\ndone ok\n");
	expect_request(&control, "r2 list\n");
	assert_true(control_answer(&control, "reply r2 {}"));
	assert_true(control_answer(&control, "done r2 ok"));
	assert_int_equal(heard.count, 1);
	close(file);
	control_close(&control);
}

static void an_answer_that_is_no_one(void **state)
{
	struct control control;
	int file = with_client(&control);

	(void)state;
	write_to(file, "stats 7\n");
	control_exchange(&control);
	expect_request(&control, "r1 stats 7\n");
	assert_true(control_answer(&control, "done r1 error there is no virtual machine 7"));
	assert_int_equal(heard.count, 0);
	assert_false(control_answer(&control, "vm 0 end 0 powered off"));
	close(file);
	control_close(&control);
}

/* The run's own request does not wait for a client's that is not answered; the late answer reaches nobody. */
static void the_runs_own_goes_first(void **state)
{
	struct control control;
	int file = with_client(&control);

	(void)state;
	write_to(file, "audit 0\nlist\n");
	control_exchange(&control);
	expect_request(&control, "r1 audit 0\n");
	assert_true(control.slow);
	assert_false(control_asking(&control));
	control_ask(&control, "stats 0");
	assert_true(control_asking(&control));
	expect_request(&control, "r2 stats 0\n");
	assert_false(control.slow);
	assert_true(control_answer(&control, "done r1 ok"));
	assert_true(control_asking(&control));
	assert_true(control_answer(&control, "reply r2 {}"));
	assert_true(control_answer(&control, "done r2 ok"));
	assert_false(control_asking(&control));
	assert_int_equal(heard.count, 1);
	assert_true(heard.own);
	control_exchange(&control);
	expect_from(file, "done error the hypervisor does not answer\n");
	expect_request(&control, "r3 list\n");
	close(file);
	control_close(&control);
}

static void giving_up(void **state)
{
	struct control control;
	int file = with_client(&control);

	(void)state;
	write_to(file, "stats 0\n");
	control_exchange(&control);
	expect_request(&control, "r1 stats 0\n");
	control_give_up(&control);
	control_exchange(&control);
	expect_from(file, "done error the hypervisor does not answer\n");
	assert_true(control_answer(&control, "reply r1 {}"));
	assert_true(control_answer(&control, "done r1 ok"));
	assert_int_equal(heard.count, 0);
	expect_request(&control, "");
	close(file);
	control_close(&control);
}

/* ---- counters out of an answer ---- */

static void tell(struct run_result *result, const char *line)
{
	char copy[200];
	struct record record;

	snprintf(copy, sizeof copy, "%s", line);
	assert_true(record_parse(copy, &record));
	result_apply(result, &record);
}

static const char answer[] = "{\"vm\":\"b\",\"state\":\"running\",\"mmu\":\"ept\",\"ticks\":77,"
			     "\"instructions\":{\"guest\":1000,\"hypervisor\":20},"
			     "\"exits\":{\"by_reason\":{\"cpuid\":{\"count\":3,\"ticks\":9}},\"total\":3},"
			     "\"mmu_counters\":{\"faults\":4},\"tables\":{\"pages\":5,\"text\":\"no number\"},"
			     "\"lapic\":{\"tpr_reads\":6},\"disks\":{\"1\":{\"reads\":7}}}";

static void counters_of_an_answer(void **state)
{
	struct run_result result = { 0 };

	(void)state;
	tell(&result, "vm 0 start a");
	tell(&result, "vm 1 start b");
	assert_true(answer_apply(&result, answer, COUNTERS_STOP));
	assert_int_equal(result.vms[0].counters, COUNTERS_NONE);
	assert_int_equal(result.vms[1].counters, COUNTERS_STOP);
	assert_int_equal(stat_find(&result.vms[1], "instructions.guest"), 1000);
	assert_int_equal(stat_find(&result.vms[1], "exits.by_reason.cpuid.ticks"), 9);
	assert_int_equal(stat_find(&result.vms[1], "mmu_counters.faults"), 4);
	assert_int_equal(stat_find(&result.vms[1], "tables.pages"), 5);
	assert_int_equal(stat_find(&result.vms[1], "lapic.tpr_reads"), 6);
	assert_int_equal(stat_find(&result.vms[1], "disks.1.reads"), 7);
	/* Only counters are: no time of the machine's, no text. */
	assert_int_equal(result.vms[1].stat_count, 9);
	result_free(&result);
}

/* A virtual machine that has ended has said it all. */
static void too_late(void **state)
{
	struct run_result result = { 0 };

	(void)state;
	tell(&result, "vm 0 start b");
	tell(&result, "stat 0 instructions.guest 2000");
	assert_int_equal(result.vms[0].counters, COUNTERS_STOP);
	tell(&result, "vm 0 end 0 powered off");
	assert_int_equal(result.vms[0].counters, COUNTERS_END);
	assert_false(answer_apply(&result, answer, COUNTERS_EARLIER));
	assert_int_equal(stat_find(&result.vms[0], "instructions.guest"), 2000);
	result_free(&result);
}

static void nonsense(void **state)
{
	static const char *const texts[] = { "", "{", "[]", "{\"vm\":3}", "{\"vm\":\"c\",\"exits\":{\"total\":1}}",
					     "{\"vm\":\"b\",\"exits\":[1]}", "{\"vm\":\"b\"}" };
	struct run_result result = { 0 };

	(void)state;
	tell(&result, "vm 0 start b");
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_false(answer_apply(&result, texts[i], COUNTERS_STOP));
	assert_int_equal(result.vms[0].stat_count, 0);
	assert_int_equal(result.vms[0].counters, COUNTERS_NONE);
	/* Negative numbers, and those that are too large, are none. */
	assert_true(answer_apply(&result, "{\"vm\":\"b\",\"exits\":{\"total\":-1,\"x\":1e30}}", COUNTERS_STOP));
	assert_int_equal(result.vms[0].stat_count, 0);
	result_free(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clients_counters_are_heard),
		cmocka_unit_test(an_answer_that_is_no_one),
		cmocka_unit_test(the_runs_own_goes_first),
		cmocka_unit_test(giving_up),
		cmocka_unit_test(counters_of_an_answer),
		cmocka_unit_test(too_late),
		cmocka_unit_test(nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
