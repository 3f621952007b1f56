/* The consoles of virtual machines, as they are seen from afar (vm/device/console.c, vm/control/console.c). */
#include "test/unit/vm/fixture.h"

#include "vm/control/control.h"
#include "vm/device/console.h"

static char answer_text[8192], wanted[100];
static struct json json;

static void begin(unsigned vms)
{
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .vms = vms });
	check_entry(0);
}

static void said_by(struct vm *vm, const char *text)
{
	struct vm_console_ends ends = console_ends(vm);

	for (; *text; text++)
		ends.out(vm, (uint8_t)*text);
}

static void ask_console(struct vm *vm, uint64_t since)
{
	json_init(&json, answer_text, sizeof(answer_text));
	assert_true(control_console(vm, &(struct control_request){ .address = since }, &json));
}

static void expect(uint64_t from, uint64_t next, const char *base64)
{
	snprintf(wanted, sizeof(wanted), "\"from\":%lu,\"next\":%lu,\"bytes\":\"%s", from, next, base64);
	if (!strstr(answer_text, wanted))
		fail_msg("%.200s, not %s", answer_text, wanted);
}

static void what_was_said(void **state)
{
	(void)state;
	begin(2);
	for (unsigned n = 0; n < 2; n++) {
		ask_console(bench.vm[n], 0);
		expect(0, 0, "\"");
		said_by(bench.vm[n], "abc\r\n");
		ask_console(bench.vm[n], 0);
		expect(0, 5, "YWJjDQo=\"");
		ask_console(bench.vm[n], 3);
		expect(3, 5, "DQo=\"");
		ask_console(bench.vm[n], 5);
		expect(5, 5, "\"");
		/* A number that is none of ours: all that there is. */
		ask_console(bench.vm[n], 6);
		expect(0, 5, "YWJjDQo=\"");
	}
	finish();
}

/* Only so much is kept; an answer has only so much of it. */
static void what_was_said_long_ago(void **state)
{
	struct vm *vm;

	(void)state;
	begin(1);
	vm = bench.vm[0];
	for (unsigned n = 0; n < CONSOLE_KEPT; n++)
		said_by(vm, "a");
	ask_console(vm, 0);
	expect(0, CONTROL_SAID_MAX, "YWFh");
	said_by(vm, "bcd");
	ask_console(vm, 0);
	expect(3, 3 + CONTROL_SAID_MAX, "YWFh");
	ask_console(vm, CONSOLE_KEPT);
	expect(CONSOLE_KEPT, CONSOLE_KEPT + 3, "YmNk\"");
	finish();
}

static unsigned typed_at(struct vm *vm, const char *text)
{
	struct control_request r = { .command = CONTROL_INPUT, .count = (unsigned)strlen(text) };
	unsigned taken;

	memcpy(r.bytes, text, r.count);
	json_init(&json, answer_text, sizeof(answer_text));
	assert_true(control_input(vm, &r, &json));
	assert_int_equal(sscanf(strstr(answer_text, "\"taken\":"), "\"taken\":%u", &taken), 1);
	return taken;
}

/* As much as the serial port has room for; what it has not taken is to be typed again. */
static void what_is_typed(void **state)
{
	(void)state;
	begin(2);
	for (unsigned n = 0; n < 2; n++) {
		struct uart *uart = &bench.vm[n]->uart;
		unsigned first = typed_at(bench.vm[n], "0123456789abcdef0123");

		assert_true(first >= 1 && first <= 16);
		assert_int_equal(uart->rx_count, first);
		while (uart_rx_room(uart))
			assert_int_equal(typed_at(bench.vm[n], "z"), 1);
		assert_int_equal(typed_at(bench.vm[n], "z"), 0);
	}
	finish();
}

/* The machine's own console is that of the one whose description says so. */
static void another_is_first(void **state)
{
	(void)state;
	begin(2);
	machine.console = 1;
	assert_false(console_is_first(bench.vm[0]));
	said_by(bench.vm[0], "zero\n");
	said_by(bench.vm[1], "one\n");
	assert_int_equal(occurrences(bench_log(), "con 0 zero\n"), 1);
	assert_non_null(strstr(bench_console(), "one\n"));
	assert_null(strstr(bench_console(), "zero"));
	bench_type(CONSOLE_GUEST, "k", 1);
	platform_console_event(CONSOLE_GUEST);
	assert_int_equal(bench.vm[0]->uart.rx_count, 0);
	assert_int_equal(bench.vm[1]->uart.rx_count, 1);
	machine.console = 0;
	finish();
}

/* Of one that has ended, what it has said can still be had, and how it ended. */
static void one_that_ended(void **state)
{
	(void)state;
	begin(1);
	said_by(bench.vm[0], "bye");
	ask_console(bench.vm[0], 0);
	assert_null(strstr(answer_text, "over"));
	vm_end(bench.vm[0], VM_STATUS_OK, "powered off");
	ask_console(bench.vm[0], 0);
	expect(0, 3, "Ynll\"");
	assert_non_null(strstr(answer_text, "\"over\":\"powered off\""));
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_said), cmocka_unit_test(what_was_said_long_ago),
		cmocka_unit_test(what_is_typed), cmocka_unit_test(another_is_first), cmocka_unit_test(one_that_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
