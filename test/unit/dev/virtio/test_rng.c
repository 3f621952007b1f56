/* Random numbers for a guest (Virtual I/O Device specification 1.2, "Entropy Device"). */
#include "test/unit/dev/virtio/box.h"

#include "dev/virtio/rng.h"

static struct virtio_rng rng;
static uint64_t value;
static bool none;

static bool source(uint64_t *v)
{
	*v = value;
	value += 0x0101010101010101;
	return !none;
}

static int setup(void **state)
{
	struct guest_memory memory = box_memory();

	(void)state;
	value = 0x0101010101010101;
	none = false;
	virtio_rng_init(&rng, source, &memory);
	box_begin(&rng.device, rng.device.offered);
	return 0;
}

static void numbers(void **state)
{
	(void)state;
	box_offer(0, 0, BOX_DATA, 20, VIRTQ_DESC_F_WRITE);
	box_descriptor(0, 1, BOX_DATA + 0x1000, 3, VIRTQ_DESC_F_WRITE | VIRTQ_DESC_F_NEXT, 2);
	box_descriptor(0, 2, BOX_DATA + 0x2000, 1000, VIRTQ_DESC_F_WRITE, 0);
	box_offer_head(0, 1);
	virtio_notify(&rng.device, 0);
	assert_int_equal(box_used(0, 0), 20);
	assert_int_equal(box_used(0, 1), VIRTIO_RNG_MOST);
	for (unsigned n = 0; n < 20; n++)
		assert_int_equal(box.ram[BOX_DATA + n], n / 8 + 1);
	assert_int_equal(box.ram[BOX_DATA + 20], 0);
	assert_int_equal(box.ram[BOX_DATA + 0x1002], 4);
	assert_int_equal(box.ram[BOX_DATA + 0x2000 + VIRTIO_RNG_MOST - 4], 3 + VIRTIO_RNG_MOST / 8);
	assert_int_equal(box.ram[BOX_DATA + 0x2000 + VIRTIO_RNG_MOST - 3], 0);
	assert_int_equal(box.interrupts[0], 1);
	assert_false(box_broken());
}

static void refused(void)
{
	virtio_notify(&rng.device, 0);
	assert_true(box_none_used(0));
	assert_true(box_broken());
	setup(NULL);
}

static void what_is_refused(void **state)
{
	(void)state;
	box_offer(0, 0, BOX_DATA, 0, VIRTQ_DESC_F_WRITE);
	refused();
	box_descriptor(0, 0, BOX_DATA, 8, VIRTQ_DESC_F_NEXT, 1);
	box_descriptor(0, 1, BOX_DATA, 8, VIRTQ_DESC_F_WRITE, 0);
	box_offer_head(0, 0);
	refused();
	box_offer(0, 0, BOX_ROM - 4, 8, VIRTQ_DESC_F_WRITE);
	refused();
	/* VR1. */
	box_offer(0, 0, BOX_DATA, 8, VIRTQ_DESC_F_WRITE);
	none = true;
	refused();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(numbers, setup), cmocka_unit_test_setup(what_is_refused, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
