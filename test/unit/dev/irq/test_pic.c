/* The two 8259As. */
#include "test/unit/dev/fixture.h"
#include "lib/pic.h"

static int setup_pics(void **state)
{
	setup(state);
	pc_program_pics(pc);
	outb(pc, PIC1_DATA, 0);
	outb(pc, PIC2_DATA, 0);
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
	assert_false(pc->pic.out);
}

/* A guest that does not program them gets the BIOS' vectors. */
static void test_after_bios(void **state)
{
	(void)state;
	pic_reset(&pc->pic);
	pic_after_bios(&pc->pic);
	assert_int_equal(inb(pc, PIC1_DATA), 0xb8);
	assert_int_equal(inb(pc, PIC2_DATA), 0x8f);
	pulse(3);
	pulse(8);
	assert_false(pc->pic.out);
	pulse(1);
	assert_int_equal(pic_ack(&pc->pic), 0x09);
	outb(pc, PIC1_COMMAND, OCW2_EOI);
	outb(pc, PIC2_DATA, 0xfe);
	assert_int_equal(pic_ack(&pc->pic), 0x70);
}

static void test_priority_and_nesting(void **state)
{
	(void)state;
	pulse(4);
	pulse(1);
	assert_true(pc->pic.out);
	assert_int_equal(irr(0x20), 0x12);
	assert_int_equal(pic_ack(&pc->pic), 0x31);
	assert_int_equal(isr(0x20), 0x02);
	assert_false(pc->pic.out); /* 4 waits behind 1 */
	pulse(0);
	assert_true(pc->pic.out); /* 0 nests in it */
	assert_int_equal(pic_ack(&pc->pic), 0x30);
	outb(pc, PIC1_COMMAND, OCW2_EOI);
	assert_int_equal(isr(0x20), 0x02);
	assert_false(pc->pic.out);
	outb(pc, PIC1_COMMAND, OCW2_SPECIFIC | OCW2_EOI | 1); /* specific EOI */
	assert_true(pc->pic.out);
	assert_int_equal(pic_ack(&pc->pic), 0x34);
	outb(pc, PIC1_COMMAND, OCW2_EOI);
	assert_int_equal(isr(0x20), 0);
	assert_false(pc->pic.out);
}

static void test_cascade(void **state)
{
	(void)state;
	pulse(14);
	pulse(8);
	assert_true(pc->pic.out);
	assert_int_equal(pic_ack(&pc->pic), 0x38);
	assert_int_equal(isr(0x20), 0x04);
	assert_int_equal(isr(0xa0), 0x01);
	outb(pc, PIC2_COMMAND, OCW2_EOI);
	outb(pc, PIC1_COMMAND, OCW2_SPECIFIC | OCW2_EOI | 2);
	assert_true(pc->pic.out); /* 14 follows */
	assert_int_equal(pic_ack(&pc->pic), 0x3e);
	outb(pc, PIC2_COMMAND, OCW2_SPECIFIC | OCW2_EOI | 6);
	outb(pc, PIC1_COMMAND, OCW2_SPECIFIC | OCW2_EOI | 2);
	assert_false(pc->pic.out);
	assert_int_equal(isr(0x20) | isr(0xa0), 0);
}

static void test_mask_and_lost_request(void **state)
{
	(void)state;
	outb(pc, PIC1_DATA, 0x10);
	pulse(4);
	assert_false(pc->pic.out);
	outb(pc, PIC1_DATA, 0x00);
	assert_true(pc->pic.out); /* the edge was kept */
	pic_set_pin(&pc->pic, 4, false);   /* the device takes it back before the acknowledge */
	assert_false(pc->pic.out);
	assert_int_equal(pic_ack(&pc->pic), 0x37); /* spurious, nothing in service */
	assert_int_equal(isr(0x20), 0);
	pulse(9);
	outb(pc, PIC2_DATA, PIC_ALL);
	assert_false(pc->pic.out);
	outb(pc, PIC2_DATA, 0);
	assert_true(pc->pic.out);
}

static void test_edge_needs_an_edge(void **state)
{
	(void)state;
	pulse(3);
	assert_int_equal(pic_ack(&pc->pic), 0x33);
	outb(pc, PIC1_COMMAND, OCW2_EOI);
	assert_false(pc->pic.out); /* still high: no new request */
	pic_set_pin(&pc->pic, 3, true);
	assert_false(pc->pic.out);
	pulse(3);
	assert_true(pc->pic.out);
}

static void test_level(void **state)
{
	(void)state;
	outb(pc, PIC_ELCR1, 0xff);
	outb(pc, PIC_ELCR2, 0xff);
	assert_int_equal(inb(pc, PIC_ELCR1), 0xf8); /* 0, 1 and 2 are edges always, 8 and 13 too */
	assert_int_equal(inb(pc, PIC_ELCR2), 0xde);
	pic_set_pin(&pc->pic, 5, true);
	assert_int_equal(pic_ack(&pc->pic), 0x35);
	outb(pc, PIC1_COMMAND, OCW2_EOI);
	assert_true(pc->pic.out); /* still asserted */
	pic_set_pin(&pc->pic, 5, false);
	assert_false(pc->pic.out);
	pic_set_pin(&pc->pic, 10, true);
	assert_int_equal(pic_ack(&pc->pic), 0x3a);
	outb(pc, PIC2_COMMAND, OCW2_EOI);
	outb(pc, PIC1_COMMAND, OCW2_EOI);
	assert_true(pc->pic.out);
	assert_int_equal(pic_ack(&pc->pic), 0x3a);
	pic_set_pin(&pc->pic, 10, false);
	outb(pc, PIC2_COMMAND, OCW2_EOI);
	outb(pc, PIC1_COMMAND, OCW2_EOI);
	assert_false(pc->pic.out);
	outb(pc, PIC_ELCR1, 0);
	outb(pc, PIC_ELCR2, 0);
}

static void test_auto_eoi_and_rotation(void **state)
{
	(void)state;
	outb(pc, PIC1_COMMAND, ICW1 | ICW1_NEED_ICW4);
	outb(pc, PIC1_DATA, 0x30);
	outb(pc, PIC1_DATA, 0x04);
	outb(pc, PIC1_DATA, 0x03); /* AEOI */
	pulse(6);
	assert_int_equal(pic_ack(&pc->pic), 0x36);
	assert_int_equal(isr(0x20), 0);
	outb(pc, PIC1_COMMAND, OCW2_ROTATE); /* rotate in automatic EOI mode */
	pulse(0);
	assert_int_equal(pic_ack(&pc->pic), 0x30); /* 0 is lowest now */
	pulse(0);
	pulse(7);
	assert_int_equal(pic_ack(&pc->pic), 0x37);
	assert_int_equal(pic_ack(&pc->pic), 0x30);
	outb(pc, PIC1_COMMAND, 0x00);
	outb(pc, PIC1_COMMAND, OCW2_ROTATE | OCW2_SPECIFIC | 3); /* set priority: 3 lowest, 4 highest */
	pulse(3);
	pulse(4);
	assert_int_equal(pic_ack(&pc->pic), 0x34);
	assert_int_equal(pic_ack(&pc->pic), 0x33);
}

/* A slave without EOIs asks again as soon as it has been acknowledged: the master must see a new edge. */
static void test_slave_auto_eoi(void **state)
{
	(void)state;
	outb(pc, PIC2_COMMAND, ICW1 | ICW1_NEED_ICW4);
	outb(pc, PIC2_DATA, 0x38);
	outb(pc, PIC2_DATA, 0x02);
	outb(pc, PIC2_DATA, 0x03);
	pulse(14);
	pulse(9);
	assert_int_equal(pic_ack(&pc->pic), 0x39);
	outb(pc, PIC1_COMMAND, OCW2_EOI);
	assert_true(pc->pic.out);
	outb(pc, PIC1_COMMAND, OCW3 | OCW3_POLL); /* and the same by polling: the master, then the slave */
	assert_int_equal(inb(pc, PIC1_COMMAND), 0x82);
	pulse(8);
	outb(pc, PIC2_COMMAND, OCW3 | OCW3_POLL);
	assert_int_equal(inb(pc, PIC2_COMMAND), 0x80);
	outb(pc, PIC1_COMMAND, OCW2_EOI);
	assert_true(pc->pic.out);
	assert_int_equal(pic_ack(&pc->pic), 0x3e);
}

static void test_rotate_on_eoi(void **state)
{
	(void)state;
	pulse(4);
	pulse(6);
	assert_int_equal(pic_ack(&pc->pic), 0x34);
	outb(pc, PIC1_COMMAND, OCW2_ROTATE | OCW2_EOI); /* rotate on non-specific EOI: 4 becomes lowest */
	pulse(4);
	assert_int_equal(pic_ack(&pc->pic), 0x36);
	outb(pc, PIC1_COMMAND, OCW2_ROTATE | OCW2_SPECIFIC | OCW2_EOI | 6); /* rotate on specific EOI */
	assert_int_equal(pic_ack(&pc->pic), 0x34);
	outb(pc, PIC1_COMMAND, OCW2_EOI);
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
	assert_false(pc->pic.out);
	outb(pc, PIC1_COMMAND, OCW3 | OCW3_SET_SPECIAL_MASK | OCW3_SPECIAL_MASK); /* special mask mode */
	assert_false(pc->pic.out);
	outb(pc, PIC1_DATA, 0x02); /* 1 masked: it no longer blocks lower ones */
	assert_true(pc->pic.out);
	assert_int_equal(pic_ack(&pc->pic), 0x35);
	outb(pc, PIC1_COMMAND, OCW2_EOI); /* does not see the masked 1 */
	assert_int_equal(isr(0x20), 0x02);
	outb(pc, PIC1_COMMAND, OCW2_SPECIFIC | OCW2_EOI | 1);
	assert_int_equal(isr(0x20), 0x00);
	outb(pc, PIC1_COMMAND, OCW3 | OCW3_SET_SPECIAL_MASK);
}

static void test_special_fully_nested(void **state)
{
	(void)state;
	outb(pc, PIC1_COMMAND, ICW1 | ICW1_NEED_ICW4);
	outb(pc, PIC1_DATA, 0x30);
	outb(pc, PIC1_DATA, 0x04);
	outb(pc, PIC1_DATA, 0x11);
	pulse(12);
	assert_int_equal(pic_ack(&pc->pic), 0x3c);
	pulse(9); /* of higher priority in the slave: nests although the cascade pin is in service */
	assert_true(pc->pic.out);
	assert_int_equal(pic_ack(&pc->pic), 0x39);
}

static void test_poll(void **state)
{
	(void)state;
	outb(pc, PIC1_COMMAND, OCW3 | OCW3_POLL);
	assert_int_equal(inb(pc, PIC1_COMMAND), 0);
	pulse(3);
	pulse(11);
	outb(pc, PIC1_COMMAND, OCW3 | OCW3_POLL);
	assert_int_equal(inb(pc, PIC1_COMMAND), 0x82); /* the cascade pin comes before 3 */
	outb(pc, PIC2_COMMAND, OCW3 | OCW3_POLL);
	assert_int_equal(inb(pc, PIC2_COMMAND), 0x83);
	assert_int_equal(isr(0x20), 0x04);
	assert_int_equal(isr(0xa0), 0x08);
	outb(pc, PIC2_COMMAND, OCW2_EOI);
	outb(pc, PIC1_COMMAND, OCW2_EOI);
	outb(pc, PIC1_COMMAND, OCW3 | OCW3_POLL);
	assert_int_equal(inb(pc, PIC1_COMMAND), 0x83);
	assert_false(pc->pic.out);
}

static void test_icw1_clears(void **state)
{
	(void)state;
	pulse(2);
	pulse(3);
	pic_ack(&pc->pic);
	pulse(4);
	outb(pc, PIC1_COMMAND, ICW1 | ICW1_NEED_ICW4);
	assert_false(pc->pic.out); /* edges before ICW1 are forgotten, the pins may still be high */
	outb(pc, PIC1_DATA, 0x40);
	outb(pc, PIC1_DATA, 0x04);
	outb(pc, PIC1_DATA, 0x01);
	assert_int_equal(inb(pc, PIC1_DATA), 0);
	assert_int_equal(isr(0x20), 0);
	pulse(4);
	assert_int_equal(pic_ack(&pc->pic), 0x44);
	/* a single 8259 without ICW3 and ICW4 */
	outb(pc, PIC1_COMMAND, 0x12);
	outb(pc, PIC1_DATA, 0x50);
	outb(pc, PIC1_DATA, 0xfb);
	assert_int_equal(inb(pc, PIC1_DATA), 0xfb);
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
			bool asked = pc->pic.out;
			uint8_t vector = pic_ack(&pc->pic);
			assert_true(vector >= 0x30 && vector < 0x40);
			if (!asked)
				assert_int_equal(vector, 0x37);
		}
		}
		assert_int_equal(pc->lapic[0].lint[0], pc->pic.out);
	}
}

static unsigned told;

static void tell(void *ctx, bool level)
{
	(void)ctx;
	(void)level;
	told++;
}

/* PI1. */
static void test_tells_of_changes_only(void **state)
{
	static struct pio_space pio;
	struct pic p;

	(void)state;
	assert_true(pic_init(&p, &pio, tell, NULL));
	pic_after_bios(&p);
	told = 0;
	pic_set_pin(&p, 3, true); /* masked */
	pic_set_pin(&p, 3, false);
	assert_int_equal(told, 0);
	pic_set_pin(&p, 0, true);
	pic_set_pin(&p, 1, true);
	assert_int_equal(told, 1);
	pic_set_pin(&p, 0, false);
	pic_set_pin(&p, 1, false);
	assert_int_equal(told, 2);
}

#define T(f) PC_TEST(f, setup_pics)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_tells_of_changes_only),
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
