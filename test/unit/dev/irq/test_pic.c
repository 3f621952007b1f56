/* The two 8259As. */
#include "test/unit/dev/fixture.h"

static int setup_pics(void **state)
{
	setup(state);
	pc_program_pics(pc);
	outb(pc, 0x21, 0);
	outb(pc, 0xa1, 0);
	return 0;
}

static void pulse(unsigned pin)
{
	pic_set_pin(&pc->pic, pin, false);
	pic_set_pin(&pc->pic, pin, true);
}

static uint8_t isr(uint16_t port)
{
	outb(pc, port, 0x0b);
	uint8_t v = inb(pc, port);
	outb(pc, port, 0x0a);
	return v;
}

static uint8_t irr(uint16_t port)
{
	outb(pc, port, 0x0a);
	return inb(pc, port);
}

static void test_silent_before_programming(void **state)
{
	(void)state;
	pic_reset(&pc->pic);
	pulse(1);
	pulse(12);
	assert_false(pic_output(&pc->pic));
}

/* A guest that does not program them gets the BIOS' vectors. */
static void test_after_bios(void **state)
{
	(void)state;
	pic_reset(&pc->pic);
	pic_after_bios(&pc->pic);
	assert_int_equal(inb(pc, 0x21), 0xb8);
	assert_int_equal(inb(pc, 0xa1), 0x8f);
	pulse(3);
	pulse(8);
	assert_false(pic_output(&pc->pic));
	pulse(1);
	assert_int_equal(pic_ack(&pc->pic), 0x09);
	outb(pc, 0x20, 0x20);
	outb(pc, 0xa1, 0xfe);
	assert_int_equal(pic_ack(&pc->pic), 0x70);
}

static void test_priority_and_nesting(void **state)
{
	(void)state;
	pulse(4);
	pulse(1);
	assert_true(pic_output(&pc->pic));
	assert_int_equal(irr(0x20), 0x12);
	assert_int_equal(pic_ack(&pc->pic), 0x31);
	assert_int_equal(isr(0x20), 0x02);
	assert_false(pic_output(&pc->pic)); /* 4 waits behind 1 */
	pulse(0);
	assert_true(pic_output(&pc->pic)); /* 0 nests in it */
	assert_int_equal(pic_ack(&pc->pic), 0x30);
	outb(pc, 0x20, 0x20);
	assert_int_equal(isr(0x20), 0x02);
	assert_false(pic_output(&pc->pic));
	outb(pc, 0x20, 0x61); /* specific EOI */
	assert_true(pic_output(&pc->pic));
	assert_int_equal(pic_ack(&pc->pic), 0x34);
	outb(pc, 0x20, 0x20);
	assert_int_equal(isr(0x20), 0);
	assert_false(pic_output(&pc->pic));
}

static void test_cascade(void **state)
{
	(void)state;
	pulse(14);
	pulse(8);
	assert_true(pic_output(&pc->pic));
	assert_int_equal(pic_ack(&pc->pic), 0x38);
	assert_int_equal(isr(0x20), 0x04);
	assert_int_equal(isr(0xa0), 0x01);
	outb(pc, 0xa0, 0x20);
	outb(pc, 0x20, 0x62);
	assert_true(pic_output(&pc->pic)); /* 14 follows */
	assert_int_equal(pic_ack(&pc->pic), 0x3e);
	outb(pc, 0xa0, 0x66);
	outb(pc, 0x20, 0x62);
	assert_false(pic_output(&pc->pic));
	assert_int_equal(isr(0x20) | isr(0xa0), 0);
}

static void test_mask_and_lost_request(void **state)
{
	(void)state;
	outb(pc, 0x21, 0x10);
	pulse(4);
	assert_false(pic_output(&pc->pic));
	outb(pc, 0x21, 0x00);
	assert_true(pic_output(&pc->pic)); /* the edge was kept */
	pic_set_pin(&pc->pic, 4, false);   /* the device takes it back before the acknowledge */
	assert_false(pic_output(&pc->pic));
	assert_int_equal(pic_ack(&pc->pic), 0x37); /* spurious, nothing in service */
	assert_int_equal(isr(0x20), 0);
	pulse(9);
	outb(pc, 0xa1, 0xff);
	assert_false(pic_output(&pc->pic));
	outb(pc, 0xa1, 0);
	assert_true(pic_output(&pc->pic));
}

static void test_edge_needs_an_edge(void **state)
{
	(void)state;
	pulse(3);
	assert_int_equal(pic_ack(&pc->pic), 0x33);
	outb(pc, 0x20, 0x20);
	assert_false(pic_output(&pc->pic)); /* still high: no new request */
	pic_set_pin(&pc->pic, 3, true);
	assert_false(pic_output(&pc->pic));
	pulse(3);
	assert_true(pic_output(&pc->pic));
}

static void test_level(void **state)
{
	(void)state;
	outb(pc, 0x4d0, 0xff);
	outb(pc, 0x4d1, 0xff);
	assert_int_equal(inb(pc, 0x4d0), 0xf8); /* 0, 1 and 2 are edges always, 8 and 13 too */
	assert_int_equal(inb(pc, 0x4d1), 0xde);
	pic_set_pin(&pc->pic, 5, true);
	assert_int_equal(pic_ack(&pc->pic), 0x35);
	outb(pc, 0x20, 0x20);
	assert_true(pic_output(&pc->pic)); /* still asserted */
	pic_set_pin(&pc->pic, 5, false);
	assert_false(pic_output(&pc->pic));
	pic_set_pin(&pc->pic, 10, true);
	assert_int_equal(pic_ack(&pc->pic), 0x3a);
	outb(pc, 0xa0, 0x20);
	outb(pc, 0x20, 0x20);
	assert_true(pic_output(&pc->pic));
	assert_int_equal(pic_ack(&pc->pic), 0x3a);
	pic_set_pin(&pc->pic, 10, false);
	outb(pc, 0xa0, 0x20);
	outb(pc, 0x20, 0x20);
	assert_false(pic_output(&pc->pic));
	outb(pc, 0x4d0, 0);
	outb(pc, 0x4d1, 0);
}

static void test_auto_eoi_and_rotation(void **state)
{
	(void)state;
	outb(pc, 0x20, 0x11);
	outb(pc, 0x21, 0x30);
	outb(pc, 0x21, 0x04);
	outb(pc, 0x21, 0x03); /* AEOI */
	pulse(6);
	assert_int_equal(pic_ack(&pc->pic), 0x36);
	assert_int_equal(isr(0x20), 0);
	outb(pc, 0x20, 0x80); /* rotate in automatic EOI mode */
	pulse(0);
	assert_int_equal(pic_ack(&pc->pic), 0x30); /* 0 is lowest now */
	pulse(0);
	pulse(7);
	assert_int_equal(pic_ack(&pc->pic), 0x37);
	assert_int_equal(pic_ack(&pc->pic), 0x30);
	outb(pc, 0x20, 0x00);
	outb(pc, 0x20, 0xc3); /* set priority: 3 lowest, 4 highest */
	pulse(3);
	pulse(4);
	assert_int_equal(pic_ack(&pc->pic), 0x34);
	assert_int_equal(pic_ack(&pc->pic), 0x33);
}

/* A slave without EOIs asks again as soon as it has been acknowledged: the master must see a new edge. */
static void test_slave_auto_eoi(void **state)
{
	(void)state;
	outb(pc, 0xa0, 0x11);
	outb(pc, 0xa1, 0x38);
	outb(pc, 0xa1, 0x02);
	outb(pc, 0xa1, 0x03);
	pulse(14);
	pulse(9);
	assert_int_equal(pic_ack(&pc->pic), 0x39);
	outb(pc, 0x20, 0x20);
	assert_true(pic_output(&pc->pic));
	outb(pc, 0x20, 0x0c); /* and the same by polling: the master, then the slave */
	assert_int_equal(inb(pc, 0x20), 0x82);
	pulse(8);
	outb(pc, 0xa0, 0x0c);
	assert_int_equal(inb(pc, 0xa0), 0x80);
	outb(pc, 0x20, 0x20);
	assert_true(pic_output(&pc->pic));
	assert_int_equal(pic_ack(&pc->pic), 0x3e);
}

static void test_rotate_on_eoi(void **state)
{
	(void)state;
	pulse(4);
	pulse(6);
	assert_int_equal(pic_ack(&pc->pic), 0x34);
	outb(pc, 0x20, 0xa0); /* rotate on non-specific EOI: 4 becomes lowest */
	pulse(4);
	assert_int_equal(pic_ack(&pc->pic), 0x36);
	outb(pc, 0x20, 0xe6); /* rotate on specific EOI */
	assert_int_equal(pic_ack(&pc->pic), 0x34);
	outb(pc, 0x20, 0x20);
	pulse(5);
	pulse(7);
	assert_int_equal(pic_ack(&pc->pic), 0x37); /* 7 is first after 6 */
}

static void test_special_mask(void **state)
{
	(void)state;
	pulse(1);
	assert_int_equal(pic_ack(&pc->pic), 0x31);
	pulse(5);
	assert_false(pic_output(&pc->pic));
	outb(pc, 0x20, 0x68); /* special mask mode */
	assert_false(pic_output(&pc->pic));
	outb(pc, 0x21, 0x02); /* 1 masked: it no longer blocks lower ones */
	assert_true(pic_output(&pc->pic));
	assert_int_equal(pic_ack(&pc->pic), 0x35);
	outb(pc, 0x20, 0x20); /* does not see the masked 1 */
	assert_int_equal(isr(0x20), 0x02);
	outb(pc, 0x20, 0x61);
	assert_int_equal(isr(0x20), 0x00);
	outb(pc, 0x20, 0x48);
}

static void test_special_fully_nested(void **state)
{
	(void)state;
	outb(pc, 0x20, 0x11);
	outb(pc, 0x21, 0x30);
	outb(pc, 0x21, 0x04);
	outb(pc, 0x21, 0x11);
	pulse(12);
	assert_int_equal(pic_ack(&pc->pic), 0x3c);
	pulse(9); /* of higher priority in the slave: nests although the cascade pin is in service */
	assert_true(pic_output(&pc->pic));
	assert_int_equal(pic_ack(&pc->pic), 0x39);
}

static void test_poll(void **state)
{
	(void)state;
	outb(pc, 0x20, 0x0c);
	assert_int_equal(inb(pc, 0x20), 0);
	pulse(3);
	pulse(11);
	outb(pc, 0x20, 0x0c);
	assert_int_equal(inb(pc, 0x20), 0x82); /* the cascade pin comes before 3 */
	outb(pc, 0xa0, 0x0c);
	assert_int_equal(inb(pc, 0xa0), 0x83);
	assert_int_equal(isr(0x20), 0x04);
	assert_int_equal(isr(0xa0), 0x08);
	outb(pc, 0xa0, 0x20);
	outb(pc, 0x20, 0x20);
	outb(pc, 0x20, 0x0c);
	assert_int_equal(inb(pc, 0x20), 0x83);
	assert_false(pic_output(&pc->pic));
}

static void test_icw1_clears(void **state)
{
	(void)state;
	pulse(2);
	pulse(3);
	pic_ack(&pc->pic);
	pulse(4);
	outb(pc, 0x20, 0x11);
	assert_false(pic_output(&pc->pic)); /* edges before ICW1 are forgotten, the pins may still be high */
	outb(pc, 0x21, 0x40);
	outb(pc, 0x21, 0x04);
	outb(pc, 0x21, 0x01);
	assert_int_equal(inb(pc, 0x21), 0);
	assert_int_equal(isr(0x20), 0);
	pulse(4);
	assert_int_equal(pic_ack(&pc->pic), 0x44);
	/* a single 8259 without ICW3 and ICW4 */
	outb(pc, 0x20, 0x12);
	outb(pc, 0x21, 0x50);
	outb(pc, 0x21, 0xfb);
	assert_int_equal(inb(pc, 0x21), 0xfb);
}

/* PI1: the output callback follows the output exactly. */
static void test_output_reaches_lint0(void **state)
{
	uint64_t seed = 3;
	(void)state;
	for (unsigned step = 0; step < 20000; step++) {
		unsigned r = pc_random(&seed);
		switch (r % 5) {
		case 0:
		case 1: pic_set_pin(&pc->pic, r >> 8 & 15, r >> 16 & 1); break;
		case 2: outb(pc, r & 0x100 ? 0x20 : 0xa0, (uint8_t)(r >> 16 & ~0x18)); break;
		case 3: outb(pc, r & 0x100 ? 0x21 : 0xa1, (uint8_t)(r >> 16)); break;
		default: {
			bool asked = pic_output(&pc->pic);
			uint8_t vector = pic_ack(&pc->pic);
			assert_true(vector >= 0x30 && vector < 0x40);
			if (!asked)
				assert_int_equal(vector, 0x37);
		}
		}
		assert_int_equal(pc->lapic[0].lint[0], pic_output(&pc->pic));
	}
}

#define T(f) PC_TEST(f, setup_pics)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_after_bios),
		T(test_silent_before_programming),
		T(test_priority_and_nesting),
		T(test_cascade),
		T(test_mask_and_lost_request),
		T(test_edge_needs_an_edge),
		T(test_level),
		T(test_special_mask),
		T(test_auto_eoi_and_rotation),
		T(test_rotate_on_eoi),
		T(test_slave_auto_eoi),
		T(test_special_fully_nested),
		T(test_poll),
		T(test_icw1_clears),
		T(test_output_reaches_lint0),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
