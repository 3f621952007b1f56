/* The virtio console and the source of random numbers of a virtual machine (vm/device/virtio.c). */
#include "test/unit/vm/device/virtio_driver.h"

#include "vm/device/console.h"
#include "vm/device/virtio.h"

#define IN VIRTIO_CONSOLE_IN
#define OUT VIRTIO_CONSOLE_OUT

static void begin(const char *description, unsigned vms)
{
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .vms = vms, .description = description });
	check_entry(0);
}

static void numbers(void **state)
{
	uint64_t got[2];

	(void)state;
	begin("rng on\n", 1);
	use_device(bench.v->vm, &bench.v->vm->virtio->rng_pci);
	describe_buffer(0, 0, DATA, 16, VIRTQ_DESC_F_WRITE, 0);
	offer(0, 0);
	tell(0);
	assert_int_equal(used_count(0), 1);
	memcpy(got, ram(DATA), sizeof(got));
	assert_true(got[0] && got[1] && got[0] != got[1]);
	finish();
}

static void numbers_without_source(void **state)
{
	struct vm *vm;

	(void)state;
	begin("", 1);
	host_no_random = true;
	vm = bench_create(&(struct bench_config){ .mmu = "ept", .description = "rng on\n" });
	host_no_random = false;
	assert_true(vm->ended);
	assert_int_equal(vm->status, VM_STATUS_UNSUPPORTED);
	assert_non_null(strstr(vm->end_text, "they come from RDRAND, which this machine's CPU does not have"));
	finish();
}

static void say(const char *text)
{
	put(DATA, text, strlen(text));
	describe_buffer(OUT, 0, DATA, (uint32_t)strlen(text), 0, 0);
	offer(OUT, 0);
	tell(OUT);
}

static void the_first_console(void **state)
{
	(void)state;
	begin("hvc on\n", 1);
	/* Without a driver input is the serial port's. */
	bench_type(CONSOLE_GUEST, "u", 1);
	again();
	platform_feed_uart(bench.v->vm);
	assert_int_equal(bench.v->vm->uart.rx_count, 1);
	use_device(bench.v->vm, &bench.v->vm->virtio->console_pci);
	say("one line\n");
	assert_non_null(strstr(bench_console(), "one line\n"));
	assert_int_equal(used_count(OUT), 1);
	/* Input waits until there are buffers. */
	bench_type(CONSOLE_GUEST, "keys", 4);
	platform_feed_uart(bench.v->vm);
	assert_int_equal(used_count(IN), 0);
	for (unsigned n = 0; n < 4; n++) {
		describe_buffer(IN, n, DATA + 0x100 * n, 8, VIRTQ_DESC_F_WRITE, 0);
		offer(IN, n);
	}
	tell(IN);
	assert_int_equal(used_count(IN), 4);
	assert_int_equal(*ram(DATA), 'k');
	assert_int_equal(*ram(DATA + 0x300), 's');
	assert_int_equal(bench.v->vm->uart.rx_count, 1);
	/* No other exit looks whether there is some. */
	bench.v->vm->input_waiting = false;
	bench_type(CONSOLE_GUEST, "!", 1);
	platform_feed_uart(bench.v->vm);
	bench.v->vm->input_waiting = false;
	offer(IN, 0);
	tell(IN);
	assert_int_equal(used_count(IN), 5);
	finish();
}

static void fill(unsigned port)
{
	bench.stalled = true;
	if (port == CONSOLE_GUEST)
		while (console_put(CONSOLE_GUEST, '.'))
			;
	else
		while (console_guest_line("con 9 filler"))
			;
}

static void the_first_without_room(void **state)
{
	(void)state;
	begin("hvc on\n", 1);
	use_device(bench.v->vm, &bench.v->vm->virtio->console_pci);
	fill(CONSOLE_GUEST);
	say("one line\n");
	assert_int_equal(used_count(OUT), 0);
	bench.stalled = false;
	for (unsigned n = 0; n < 8 && !used_count(OUT); n++)
		STEP(bench_sent(CONSOLE_GUEST));
	assert_int_equal(used_count(OUT), 1);
	assert_non_null(strstr(bench_console(), "one line\n"));
	finish();
}

/* More than a turn takes goes on in others, before the guest does. */
static void much(void **state)
{
	(void)state;
	begin("hvc on\n", 1);
	use_device(bench.v->vm, &bench.v->vm->virtio->console_pci);
	memset(ram(DATA), 'x', 0x1000);
	for (unsigned n = 0; n < 5; n++) {
		describe_buffer(OUT, n, DATA, 0x1000, 0, 0);
		offer(OUT, n);
	}
	tell(OUT);
	for (unsigned n = 0; n < 40 && used_count(OUT) < 5; n++)
		STEP(bench_sent(CONSOLE_GUEST));
	assert_int_equal(used_count(OUT), 5);
	finish();
}

static void another_console(void **state)
{
	(void)state;
	begin("hvc on\n", 2);
	until(bench.vm[1]->vcpu[0]);
	use_device(bench.v->vm, &bench.v->vm->virtio->console_pci);
	say("50% of\nit\n");
	assert_int_equal(occurrences(bench_log(), "con 1 50%25 of\n"), 1);
	assert_int_equal(occurrences(bench_log(), "con 1 it\n"), 1);
	fill(CONSOLE_STATS);
	say("that waits\nand more\n");
	assert_int_equal(used_count(OUT), 1);
	bench.stalled = false;
	for (unsigned n = 0; n < 8 && used_count(OUT) < 2; n++)
		bench_sent(CONSOLE_STATS);
	assert_int_equal(used_count(OUT), 2);
	assert_int_equal(occurrences(bench_log(), "con 1 that waits\n"), 1);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers), cmocka_unit_test(numbers_without_source),
		cmocka_unit_test(the_first_console), cmocka_unit_test(the_first_without_room),
		cmocka_unit_test(much), cmocka_unit_test(another_console),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
