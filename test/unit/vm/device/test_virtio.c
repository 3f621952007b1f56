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

/* ---- the balloon ---- */

static void pages_back(const uint32_t *pfn, unsigned n)
{
	put(DATA, pfn, 4 * n);
	describe_buffer(VIRTIO_BALLOON_IN, 0, DATA, 4 * n, 0, 0);
	offer(VIRTIO_BALLOON_IN, 0);
}

static void a_balloon(void **state)
{
	/* A page that is touched, one that is not, and what is no RAM. */
	static const uint32_t pfn[] = { 0x301, 0x302, 0xfee00, 0x80000000 };
	struct virtio_balloon *b;
	uint64_t resident;

	(void)state;
	begin("balloon on\n", 1);
	b = virtio_balloon_of(bench.v->vm);
	use_device(bench.v->vm, &bench.v->vm->virtio->balloon_pci);
	put(0x301000, "text", 5);
	put(0x303000, "more", 5);
	resident = ram_resident(of);
	pages_back(pfn, 4);
	tell(VIRTIO_BALLOON_IN);
	assert_int_equal(used_count(VIRTIO_BALLOON_IN), 1);
	assert_int_equal(ram_resident(of), resident - 2); /* of a block that was in one piece */
	assert_int_equal(b->account.inflated, 4);
	assert_int_equal(b->account.freed, 2);
	assert_int_equal(*ram(0x301000), 0);
	assert_string_equal(ram(0x303000), "more");
	/* Free pages, of more than a turn. */
	describe_buffer(VIRTIO_BALLOON_FREE, 0, 0x300000, 0x100000, VIRTQ_DESC_F_WRITE, 0);
	describe_buffer(VIRTIO_BALLOON_FREE, 1, 0x80000000, 0x40000000, VIRTQ_DESC_F_WRITE, 0);
	offer(VIRTIO_BALLOON_FREE, 0);
	offer(VIRTIO_BALLOON_FREE, 1);
	tell(VIRTIO_BALLOON_FREE);
	for (unsigned n = 0; n < 1000 && used_count(VIRTIO_BALLOON_FREE) < 2; n++)
		again();
	assert_int_equal(used_count(VIRTIO_BALLOON_FREE), 2);
	assert_int_equal(*ram(0x303000), 0);
	/* Who is no bus master is not served. */
	pages_back(pfn, 4);
	b->wants = true;
	device->pci.config[PCI_COMMAND] &= (uint8_t)~PCI_COMMAND_MASTER;
	virtio_serve(of);
	assert_int_equal(used_count(VIRTIO_BALLOON_IN), 1);
	finish();
}

static void asked_of_it(void **state)
{
	static const struct { uint16_t tag; uint64_t value; } __attribute__((packed)) s = { 4, 12345 };
	uint32_t pages;

	(void)state;
	begin("balloon oom\n", 1);
	STEP(ask("1 balloon 0 2097152\n"));
	assert_true(said("done 1 error test0 cannot give memory back so: its guest has no driver for its balloon, "
			 "or not yet (Linux: virtio_balloon)\n"));
	use_device(bench.v->vm, &bench.v->vm->virtio->balloon_pci);
	assert_true(virtio_has(device->device, VIRTIO_BALLOON_F_DEFLATE_ON_OOM));
	STEP(ask("2 balloon 0 2097152\n"));
	assert_true(answered("2", "\"mem_bytes\":4194304,"));
	assert_true(answered("2", "\"driver\":true,\"wanted_bytes\":2097152,\"balloon_bytes\":0,"));
	pages = (uint32_t)platform_mmio_read(of->vcpu[0], device->pci.bar[VIRTIO_BAR].at + VIRTIO_CONFIG, 4);
	assert_int_equal(pages, 512);
	STEP(ask("3 balloon 0 4198400\n"));
	assert_true(said("done 3 error test0 cannot give memory back so: it must have some of its RAM, in pages of 4K, "
			 "and can have all of it, but no more\n"));
	STEP(ask("4 balloon 0 4097\n"));
	assert_true(said("done 4 error test0 cannot give memory back so: it must"));
	STEP(ask("5 balloon 0 0\n"));
	assert_true(said("done 5 error a guest has from 1 byte of RAM on, not 0\n"));
	/* Its statistics, and that others are asked for. */
	put(DATA, &s, sizeof(s));
	describe_buffer(VIRTIO_BALLOON_STATISTICS, 0, DATA, sizeof(s), 0, 0);
	offer(VIRTIO_BALLOON_STATISTICS, 0);
	tell(VIRTIO_BALLOON_STATISTICS);
	assert_int_equal(used_count(VIRTIO_BALLOON_STATISTICS), 0);
	STEP(ask("6 balloon 0\n"));
	assert_true(answered("6", "\"statistics\":1,\"memory\":{\"free_bytes\":12345}}"));
	assert_int_equal(used_count(VIRTIO_BALLOON_STATISTICS), 1);
	finish();
	begin("", 1);
	STEP(ask("7 balloon 0\n"));
	assert_true(said("done 7 error test0 cannot give memory back so: it has no balloon: begin it with balloon on "
			 "(--balloon)\n"));
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers), cmocka_unit_test(numbers_without_source),
		cmocka_unit_test(the_first_console), cmocka_unit_test(the_first_without_room),
		cmocka_unit_test(much), cmocka_unit_test(another_console),
		cmocka_unit_test(a_balloon), cmocka_unit_test(asked_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
