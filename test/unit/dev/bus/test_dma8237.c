/* The DMA controllers' registers (dev/bus/dma8237.c). */
#include "test/unit/dev/fixture.h"
#include "dev/bus/dma8237.h"

static void test_registers(void **state)
{
	struct dma8237 d;

	(void)state;
	assert_true(dma8237_init(&d, &pc->pio));
	outb(pc, DMA1_BASE + 0xc, 0); /* the flip-flop */
	outb(pc, DMA1_BASE + 0x4, 0x34);
	outb(pc, DMA1_BASE + 0x4, 0x12);
	assert_int_equal(d.chip[0].base[4], 0x1234);
	assert_int_equal(inb(pc, DMA1_BASE + 0x4), 0x34);
	assert_int_equal(inb(pc, DMA1_BASE + 0x4), 0x12);
	inb(pc, DMA1_BASE + 0x5);
	outb(pc, DMA1_BASE + 0xc, 0);
	assert_int_equal(inb(pc, DMA1_BASE + 0x4), 0x34);
	assert_int_equal(inb(pc, DMA1_BASE + 0xf), 0xff);
	outb(pc, DMA1_BASE + 0xa, 0x02);
	assert_int_equal(inb(pc, DMA1_BASE + 0xf), 0xfb);
	outb(pc, DMA1_BASE + 0xe, 0);
	assert_int_equal(inb(pc, DMA1_BASE + 0xf), 0xf0);
	outb(pc, DMA1_BASE + 0x9, 0x05);
	assert_int_equal(inb(pc, DMA1_BASE + 0x8), 0x20);
	outb(pc, DMA1_BASE + 0xb, 0x46);
	assert_int_equal(d.chip[0].mode[2], 0x46);
	outb(pc, DMA1_BASE + 0xd, 0);
	assert_int_equal(inb(pc, DMA1_BASE + 0xf), 0xff);
	assert_int_equal(inb(pc, DMA1_BASE + 0x8), 0);
	/* The second: every second port. */
	outb(pc, DMA2_BASE + 0x16, 0xc0);
	assert_int_equal(d.chip[1].mode[0], 0xc0);
	outb(pc, DMA2_BASE + 0x14, 0x00);
	assert_int_equal(inb(pc, DMA2_BASE + 0x1e), 0xfe);
	outb(pc, DMA2_BASE + 0x15, 0xff);
	assert_int_equal(inb(pc, DMA2_BASE + 0x15), 0xff);
	outw(pc, DMA2_BASE + 0x2, 0x7756); /* bytes: the second is a port without a register */
	assert_int_equal(d.chip[1].base[1], 0x56);
}

#define T(f) PC_TEST(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_registers) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
