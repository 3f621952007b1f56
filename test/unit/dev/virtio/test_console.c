/* A console for a guest (Virtual I/O Device specification 1.2, "Console Device"). */
#include "test/unit/dev/virtio/box.h"

#include "dev/virtio/console.h"

#define IN VIRTIO_CONSOLE_IN
#define OUT VIRTIO_CONSOLE_OUT

static struct virtio_console console;
static char said[0x10000];
static unsigned used, most, asked, hungry;

static bool room(void *ctx) { return (void)ctx, used < most; }
static void out(void *ctx, uint8_t byte) { (void)ctx, said[used++] = (char)byte; }
static void ask(void *ctx) { (void)ctx, asked++; }
static void is_hungry(void *ctx) { (void)ctx, hungry++; }

static int setup(void **state)
{
	struct virtio_console_host host = { room, out, ask, is_hungry, NULL };
	struct guest_memory memory = box_memory();

	(void)state;
	memset(said, 0, sizeof(said));
	used = asked = hungry = 0;
	most = sizeof(said);
	virtio_console_init(&console, &host, &memory);
	box_begin(&console.device, console.device.offered);
	hungry = 0; /* the first look */
	return 0;
}

static void output(void **state)
{
	(void)state;
	memcpy(box.ram + BOX_DATA, "a line\n", 7);
	box_descriptor(OUT, 0, BOX_DATA, 2, VIRTQ_DESC_F_NEXT, 1);
	box_descriptor(OUT, 1, BOX_DATA + 2, 5, 0, 0);
	box_offer_head(OUT, 0);
	box_offer(OUT, 2, BOX_DATA, 1, 0);
	virtio_notify(&console.device, OUT);
	assert_string_equal(said, "a line\na");
	assert_int_equal(box_used(OUT, 0), 0);
	assert_int_equal(box_used(OUT, 2), 0);
	assert_int_equal(asked, 0);
}

/* VO3. */
static void without_room(void **state)
{
	(void)state;
	memcpy(box.ram + BOX_DATA, "0123456789", 10);
	box_offer(OUT, 0, BOX_DATA, 10, 0);
	box_offer(OUT, 1, BOX_DATA, 3, 0);
	most = 4;
	virtio_notify(&console.device, OUT);
	assert_string_equal(said, "0123");
	assert_true(box_none_used(OUT));
	most = 11;
	virtio_console_serve(&console);
	assert_string_equal(said, "01234567890");
	assert_int_equal(box_used(OUT, 0), 0);
	assert_true(box_none_used(OUT));
	most = 100;
	virtio_console_serve(&console);
	assert_string_equal(said, "0123456789012");
	assert_int_equal(box_used(OUT, 1), 0);
	/* VO2: what was at hand is forgotten. */
	most = used;
	box_offer(OUT, 0, BOX_DATA, 10, 0);
	virtio_notify(&console.device, OUT);
	virtio_set_status(&console.device, 0);
	most = 100;
	virtio_console_serve(&console);
	assert_string_equal(said, "0123456789012");
}

/* VO4. */
static void turns(void **state)
{
	(void)state;
	memset(box.ram + BOX_DATA, 'x', 3 * VIRTIO_CONSOLE_TURN);
	box_offer(OUT, 0, BOX_DATA, VIRTIO_CONSOLE_TURN + 1, 0);
	virtio_notify(&console.device, OUT);
	assert_int_equal(used, VIRTIO_CONSOLE_TURN);
	assert_int_equal(asked, 1);
	virtio_console_serve(&console);
	assert_int_equal(used, VIRTIO_CONSOLE_TURN + 1);
	assert_int_equal(box_used(OUT, 0), 0);
	assert_int_equal(asked, 1);
}

static void input(void **state)
{
	(void)state;
	assert_true(virtio_console_listens(&console));
	assert_false(virtio_console_hungry(&console));
	assert_int_equal(virtio_console_input(&console, (const uint8_t *)"x", 1), 0);
	box_offer(IN, 0, BOX_DATA, 4, VIRTQ_DESC_F_WRITE);
	virtio_notify(&console.device, IN);
	assert_int_equal(hungry, 1);
	assert_true(virtio_console_hungry(&console));
	assert_int_equal(virtio_console_input(&console, (const uint8_t *)"keys!", 5), 4);
	assert_int_equal(box_used(IN, 0), 4);
	assert_memory_equal(box.ram + BOX_DATA, "keys\0", 5);
	assert_int_equal(box.interrupts[IN], 1);
	assert_false(virtio_console_hungry(&console));
	virtio_set_status(&console.device, 0);
	assert_false(virtio_console_listens(&console));
}

static void what_is_refused(void **state)
{
	(void)state;
	box_offer(OUT, 0, BOX_DATA, 4, VIRTQ_DESC_F_WRITE);
	virtio_notify(&console.device, OUT);
	assert_true(box_none_used(OUT) && box_broken());
	setup(NULL);
	box_offer(OUT, 0, BOX_RAM - 2, 4, 0);
	virtio_notify(&console.device, OUT);
	assert_true(box_none_used(OUT) && box_broken());
	assert_true(used <= 2);
	setup(NULL);
	box_offer(IN, 0, BOX_DATA, 4, 0);
	assert_false(virtio_console_hungry(&console));
	assert_true(box_broken());
	setup(NULL);
	box_offer(IN, 0, BOX_ROM, 4, VIRTQ_DESC_F_WRITE);
	virtio_console_input(&console, (const uint8_t *)"x", 1);
	assert_true(box_none_used(IN) && box_broken());
	/* A console without a driver is not looked at. */
	setup(NULL);
	console.device.status = STATUS_AGREED;
	box_offer(OUT, 0, BOX_DATA, 4, 0);
	virtio_console_serve(&console);
	assert_int_equal(used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(output, setup), cmocka_unit_test_setup(without_room, setup),
		cmocka_unit_test_setup(turns, setup), cmocka_unit_test_setup(input, setup),
		cmocka_unit_test_setup(what_is_refused, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
