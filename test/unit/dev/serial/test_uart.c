/* The serial port, by the register sequences that Linux's 8250 driver uses. */
#include "test/unit/dev/fixture.h"
#include "lib/pic.h"

enum { DATA = 0x3f8, IER, IIR, LCR, MCR, LSR, MSR, SCR };

static bool line(void) { return pc->hub.levels >> 4 & 1; }

/* autoconfig(): scratch and IER tests, loopback test, FIFO detection. */
static void test_probe(void **state)
{
	(void)state;
	outb(pc, IER, 0);
	assert_int_equal(inb(pc, IER) & 0x0f, 0);
	outb(pc, IER, IER_RX | IER_THRE | IER_LINE | IER_MODEM);
	assert_int_equal(inb(pc, IER), 0x0f);
	outb(pc, IER, 0xff);
	assert_int_equal(inb(pc, IER), 0x0f); /* no sleep mode, no UUE */
	outb(pc, IER, 0);
	outb(pc, SCR, 0xae);
	assert_int_equal(inb(pc, SCR), 0xae);

	outb(pc, MCR, MCR_LOOP | MCR_OUT2 | MCR_RTS);
	assert_int_equal(inb(pc, MSR) & 0xf0, 0x90);
	outb(pc, MCR, 0);
	assert_int_equal(inb(pc, MSR) & 0xf0, 0xb0);

	outb(pc, LCR, 0);
	outb(pc, IIR, 0x01);
	assert_int_equal(inb(pc, IIR) >> 6, 3); /* 16550A */
	outb(pc, LCR, LCR_DLAB);
	assert_int_equal(inb(pc, IIR) >> 6, 3);
	outb(pc, LCR, 0xbf); /* no extended features: the divisor is still there */
	outb(pc, DATA, 0x01);
	outb(pc, IER, IER_THRE);
	assert_int_equal(inb(pc, DATA), 0x01);
	assert_int_equal(inb(pc, IER), 0x02);
	outb(pc, LCR, LCR_8N1);
	assert_int_equal(inb(pc, LCR), 0x03);
	assert_int_equal(inb(pc, IER), 0);
	outb(pc, IIR, 0x00);
	assert_int_equal(inb(pc, IIR), 0x01);
	assert_int_equal(pc->sent_count, 0);
	assert_int_equal(inw(pc, LSR), 0xb060); /* wider accesses: byte by byte */
}

static void test_polled_output(void **state)
{
	static const char text[] = "Linux version 6.1\r\n";
	(void)state;
	for (unsigned i = 0; text[i]; i++) {
		assert_int_equal(inb(pc, LSR), 0x60);
		outb(pc, DATA, (uint8_t)text[i]);
	}
	assert_int_equal(pc->sent_count, sizeof(text) - 1);
	assert_memory_equal(pc->sent, text, sizeof(text) - 1);
}

static void test_sink_without_room(void **state)
{
	(void)state;
	pc->sent_room = 2;
	outb(pc, DATA, 'a');
	assert_int_equal(inb(pc, LSR), 0x60);
	outb(pc, DATA, 'b');
	assert_int_equal(inb(pc, LSR), 0x00);
	outb(pc, MCR, MCR_OUT2);
	outb(pc, IER, IER_THRE);
	assert_false(line()); /* not empty: no interrupt on enabling */
	uart_tx_ready(&pc->uart);
	assert_false(line()); /* still no room */
	pc->sent_room = 5;
	uart_tx_ready(&pc->uart);
	assert_true(line());
	assert_int_equal(inb(pc, IIR), 0x02);
	assert_int_equal(inb(pc, LSR), 0x60);
	pc->sent_room = 1;
	outb(pc, DATA, 'c');
	pc->sent_room = 1;
	assert_int_equal(inb(pc, LSR), 0x60); /* polling finds the room by itself */
}

static void test_thre_interrupt(void **state)
{
	(void)state;
	outb(pc, IIR, 0x01);
	outb(pc, MCR, MCR_OUT2);
	assert_int_equal(inb(pc, IIR), 0xc1);
	outb(pc, IER, IER_THRE); /* enabling while empty raises it */
	assert_true(line());
	assert_int_equal(inb(pc, IIR), 0xc2);
	assert_false(line()); /* reading IIR takes it back */
	assert_int_equal(inb(pc, IIR), 0xc1);
	outb(pc, DATA, 'x');
	assert_true(line());
	outb(pc, MCR, 0x00); /* OUT2 gates the line */
	assert_false(line());
	outb(pc, MCR, MCR_OUT2 | MCR_LOOP); /* in loopback it is driven inactive */
	assert_false(line());
	outb(pc, MCR, MCR_OUT2);
	assert_true(line());
	outb(pc, IER, 0x00);
	assert_false(line());
	assert_int_equal(inb(pc, IIR), 0xc1);
}

/* A kernel that leaves OUT2 alone gets its interrupts, as under QEMU; one that has set it once has a PC's gate. */
static void test_gate(void **state)
{
	(void)state;
	outb(pc, MCR, 0);
	outb(pc, IER, IER_RX);
	assert_false(line());
	assert_true(uart_receive(&pc->uart, 'a'));
	assert_true(line());
	outb(pc, MCR, MCR_DTR | MCR_RTS);
	assert_true(line());
	outb(pc, MCR, MCR_LOOP); /* in loopback it is driven inactive all the same */
	assert_false(line());
	outb(pc, MCR, MCR_OUT2);
	assert_true(line());
	outb(pc, MCR, MCR_DTR | MCR_RTS);
	assert_false(line());
	outb(pc, MCR, MCR_OUT2 | MCR_LOOP);
	assert_false(line());
	outb(pc, MCR, 0);
	assert_false(line());
	uart_reset(&pc->uart);
	outb(pc, IER, IER_RX);
	assert_true(uart_receive(&pc->uart, 'b'));
	assert_true(line());
	/* Set in loopback it has been set, too: so do who look for the port. */
	outb(pc, MCR, MCR_OUT2 | MCR_LOOP);
	outb(pc, MCR, 0);
	assert_false(line());
}

/* Without an IIR read between, the controller must still see an edge for each character. */
static void test_thre_edges(void **state)
{
	(void)state;
	pc_program_pics(pc);
	outb(pc, PIC1_DATA, 0xef & 0xfb);
	outb(pc, MCR, MCR_OUT2);
	outb(pc, IER, IER_THRE);
	for (unsigned i = 0; i < 5; i++) {
		assert_true(pc->pic.out);
		assert_int_equal(pic_ack(&pc->pic), 0x34);
		outb(pc, DATA, 'y');
		outb(pc, PIC1_COMMAND, OCW2_SPECIFIC | OCW2_EOI | 4);
	}
	assert_true(pc->pic.out);
}

static void test_receive(void **state)
{
	(void)state;
	outb(pc, MCR, MCR_OUT2);
	outb(pc, IER, IER_RX | IER_LINE);
	assert_true(uart_receive(&pc->uart, 'q')); /* no FIFO: room for one */
	assert_false(uart_rx_room(&pc->uart));
	assert_false(uart_receive(&pc->uart, 'r'));
	assert_true(line());
	assert_int_equal(inb(pc, IIR), 0x04);
	assert_int_equal(inb(pc, LSR), 0x61);
	assert_int_equal(inb(pc, DATA), 'q');
	assert_false(line());
	assert_int_equal(inb(pc, LSR), 0x60);

	outb(pc, IIR, 0x81); /* FIFO, trigger 8 */
	for (unsigned i = 0; i < 16; i++) {
		assert_true(uart_receive(&pc->uart, (uint8_t)('A' + i)));
		assert_int_equal(inb(pc, IIR), i < 7 ? 0xcc : 0xc4);
	}
	assert_false(uart_receive(&pc->uart, '!'));
	for (unsigned i = 0; i < 16; i++) {
		assert_int_equal(inb(pc, LSR), 0x61);
		assert_int_equal(inb(pc, DATA), 'A' + i);
	}
	assert_false(line());
	assert_int_equal(inb(pc, LSR), 0x60);
	assert_true(uart_receive(&pc->uart, 'z'));
	outb(pc, IIR, 0x83); /* clears the receiver */
	assert_int_equal(inb(pc, LSR), 0x60);
	assert_false(line());
}

static void test_loopback(void **state)
{
	(void)state;
	outb(pc, IIR, 0x01);
	outb(pc, MCR, MCR_DTR | MCR_RTS | MCR_OUT1 | MCR_OUT2 | MCR_LOOP);
	assert_int_equal(inb(pc, MSR) & 0xf0, 0xf0);
	inb(pc, MSR);
	outb(pc, MCR, MCR_DTR | MCR_RTS | MCR_OUT2 | MCR_LOOP); /* OUT1 off: RI's trailing edge */
	assert_int_equal(inb(pc, MSR), 0xb4);
	outb(pc, MCR, MCR_RTS | MCR_OUT2 | MCR_LOOP); /* DTR off: DSR changed */
	assert_int_equal(inb(pc, MSR), 0x92);
	assert_int_equal(inb(pc, MSR), 0x90);
	for (unsigned i = 0; i < 17; i++)
		outb(pc, DATA, (uint8_t)i);
	assert_int_equal(inb(pc, LSR), 0x63); /* overrun */
	assert_int_equal(inb(pc, LSR), 0x61); /* reading clears it */
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(inb(pc, DATA), i);
	assert_int_equal(pc->sent_count, 0);
	assert_false(uart_receive(&pc->uart, 'x')); /* the line is disconnected: keep it for later */
	outb(pc, MCR, MCR_DTR | MCR_RTS | MCR_OUT2);
	assert_true(uart_receive(&pc->uart, 'x'));
}

static void test_interrupt_priority(void **state)
{
	(void)state;
	outb(pc, IIR, 0x01);
	outb(pc, MCR, MCR_LOOP); /* make an overrun in loopback, and modem deltas */
	for (unsigned i = 0; i < 17; i++)
		outb(pc, DATA, 'o');
	outb(pc, MCR, MCR_OUT2);
	outb(pc, IER, IER_RX | IER_THRE | IER_LINE | IER_MODEM);
	assert_true(line());
	assert_int_equal(inb(pc, IIR), 0xc6);
	inb(pc, LSR);
	assert_int_equal(inb(pc, IIR), 0xc4);
	outb(pc, IIR, 0x03);
	assert_int_equal(inb(pc, IIR), 0xc2);
	assert_int_equal(inb(pc, IIR), 0xc0);
	assert_true(line());
	assert_int_equal(inb(pc, MSR) & 0x0f, 0x0f & ~0x04);
	assert_int_equal(inb(pc, IIR), 0xc1);
	assert_false(line());
}

static void test_reset(void **state)
{
	(void)state;
	outb(pc, MCR, MCR_OUT2);
	outb(pc, IER, IER_THRE);
	assert_true(line());
	uart_reset(&pc->uart);
	assert_false(line());
	assert_int_equal(inb(pc, IER), 0);
	assert_int_equal(inb(pc, LSR), 0x60);
}

#define T(f) PC_TEST(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_probe),		T(test_polled_output),	    T(test_sink_without_room),
		T(test_thre_interrupt), T(test_thre_edges),	    T(test_receive),
		T(test_loopback),	T(test_interrupt_priority), T(test_reset),
		T(test_gate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
