/* dev/serial/uart.c - the registers of the 16550A. National Semiconductor PC16550D data sheet. */
#include "dev/serial/uart.h"
#include "dev/bus/bytes.h"
#include "lib/mutants/mutate.h"

#define LSR_EMPTY (LSR_THRE | LSR_TEMT)

static unsigned rx_capacity(const struct uart *u)
{
	return u->fcr & FCR_ENABLE ? UART_FIFO : 1;
}

/* The highest-priority pending interrupt's identification, without the FIFO bits. */
static uint8_t uart_iir(const struct uart *u)
{
	static const uint8_t trigger[4] = { 1, 4, 8, 14 };
	if ((u->ier & IER_LINE) && (u->lsr & LSR_ERRORS))
		return IIR_LINE;
	if ((u->ier & IER_RX) && u->rx_count)
		return (u->fcr & FCR_ENABLE) && u->rx_count < trigger[u->fcr >> 6] ? IIR_TIMEOUT : IIR_RX;
	if ((u->ier & IER_THRE) && u->thre_pending)
		return IIR_THRE;
	if ((u->ier & IER_MODEM) && (u->msr & MODEM_DELTAS))
		return IIR_MODEM;
	return IIR_NONE;
}

/* U2 */
static bool lets_out(const struct uart *u)
{
	if (VM_KEPT(UART_LOOP, u->mcr & MCR_LOOP))
		return false;
	return VM_LEFT_OUT_OR(UART_GATE, u->mcr & MCR_OUT2) || VM_KEPT(UART_UNGATED, !u->gated);
}

static void uart_update(struct uart *u)
{
	bool level = uart_iir(u) != IIR_NONE && lets_out(u);
	if (level != u->asserted) {
		u->asserted = level;
		irq_set(&u->irq, level);
	}
}

static void rx_clear(struct uart *u)
{
	u->rx_first = 0;
	u->rx_count = 0;
	u->lsr &= (uint8_t)~LSR_DR;
}

static void rx_put(struct uart *u, uint8_t byte)
{
	u->rx[(u->rx_first + u->rx_count) % UART_FIFO] = byte;
	u->rx_count++;
	u->lsr |= LSR_DR;
}

static uint8_t rx_get(struct uart *u)
{
	uint8_t byte = u->rx[u->rx_first];
	if (u->rx_count) {
		u->rx_first = (u->rx_first + 1) % UART_FIFO;
		if (!--u->rx_count)
			u->lsr &= (uint8_t)~LSR_DR;
		uart_update(u);
	}
	return byte;
}

/* Modem lines: in loopback, MCR's outputs feed MSR's inputs: DTR is DSR, RTS CTS, OUT1 RI, OUT2 DCD. Of RI only the
 * trailing edge is told. */
static void msr_update(struct uart *u)
{
	uint8_t lines = MODEM_READY;
	if (u->mcr & MCR_LOOP)
		lines = (uint8_t)((u->mcr & (MCR_OUT1 | MCR_OUT2)) << 4 | (u->mcr & MCR_RTS) << 3 |
				  (u->mcr & MCR_DTR) << 5);
	uint8_t changed = (u->msr ^ lines) & 0xf0;
	uint8_t deltas = changed >> 4 & (uint8_t)~MODEM_TERI;
	if ((changed & MODEM_RI) && !(lines & MODEM_RI))
		deltas |= MODEM_TERI;
	u->msr = lines | (u->msr & MODEM_DELTAS) | deltas;
}

static void loop_byte(struct uart *u, uint8_t byte)
{
	if (u->rx_count < rx_capacity(u))
		rx_put(u, byte);
	else
		u->lsr |= LSR_OE;
}

/* The holding register was written: transmit. The "empty" interrupt goes away with the write and comes back when the
 * character is gone, which is at once unless the sink is full; an edge-triggered controller must see both. */
static void thr_write(struct uart *u, uint8_t byte)
{
	if (unlikely(u->mcr & MCR_LOOP)) {
		loop_byte(u, byte);
	} else {
		u->tx(u->ctx, byte);
		if (u->tx_room && unlikely(!u->tx_room(u->ctx)))
			u->lsr &= (uint8_t)~LSR_EMPTY;
		if (likely(!(u->ier & IER_THRE)))
			return;
	}
	u->thre_pending = false;
	uart_update(u);
	if (u->lsr & LSR_EMPTY) {
		u->thre_pending = true;
		uart_update(u);
	}
}

void uart_tx_ready(struct uart *u)
{
	if ((u->lsr & LSR_EMPTY) || (u->tx_room && !u->tx_room(u->ctx)))
		return;
	u->lsr |= LSR_EMPTY;
	u->thre_pending = true;
	uart_update(u);
}

static uint8_t lsr_read(struct uart *u)
{
	if (unlikely(!(u->lsr & LSR_EMPTY)))
		uart_tx_ready(u);
	uint8_t lsr = u->lsr;
	if (unlikely(lsr & LSR_ERRORS)) {
		u->lsr &= (uint8_t)~LSR_ERRORS;
		uart_update(u);
	}
	return lsr;
}

static uint8_t iir_read(struct uart *u)
{
	uint8_t id = uart_iir(u);
	if (id == IIR_THRE) {
		u->thre_pending = false;
		uart_update(u);
	}
	return id | (u->fcr & FCR_ENABLE ? IIR_FIFOS : 0);
}

static uint8_t msr_read(struct uart *u)
{
	uint8_t msr = u->msr;
	u->msr &= (uint8_t)~MODEM_DELTAS;
	uart_update(u);
	return msr;
}

static __attribute__((noinline)) uint8_t read_register(struct uart *u, uint16_t port)
{
	switch (port & 7) {
	case UART_LSR:
		return lsr_read(u);
	case UART_DATA:
		return u->lcr & LCR_DLAB ? (uint8_t)u->divisor : rx_get(u);
	case UART_IER:
		return u->lcr & LCR_DLAB ? (uint8_t)(u->divisor >> 8) : u->ier;
	case UART_IIR:
		return iir_read(u);
	case UART_LCR:
		return u->lcr;
	case UART_MCR:
		return u->mcr;
	case UART_MSR:
		return msr_read(u);
	default:
		return u->scr;
	}
}

/* A driver looks for each character that it sends whether it may: a path without anything to save. */
static uint8_t uart_read(void *dev, uint16_t port)
{
	struct uart *u = dev;

	if (likely((port & 7) == UART_LSR) && likely((u->lsr & (LSR_EMPTY | LSR_ERRORS)) == LSR_EMPTY))
		return u->lsr;
	return read_register(u, port);
}

static void ier_write(struct uart *u, uint8_t value)
{
	value &= 0x0f;
	/* Enabling the interrupt while the transmitter is empty raises it: drivers rely on that to start sending. */
	if ((value & ~u->ier & IER_THRE) && (u->lsr & LSR_EMPTY))
		u->thre_pending = true;
	u->ier = value;
	uart_update(u);
}

static void fcr_write(struct uart *u, uint8_t value)
{
	if (((value ^ u->fcr) & FCR_ENABLE) || (value & FCR_CLEAR_RX))
		rx_clear(u);
	u->fcr = value & FCR_ENABLE ? value & (FCR_ENABLE | FCR_TRIGGER) : 0; /* without bit 0 no other is programmed */
	uart_update(u);
}

static void uart_write(void *dev, uint16_t port, uint8_t value)
{
	struct uart *u = dev;
	bool dlab = u->lcr & LCR_DLAB;

	if (likely((port & 7) == UART_DATA && !dlab)) {
		thr_write(u, value);
		return;
	}
	switch (port & 7) {
	case UART_DATA:
		u->divisor = (uint16_t)((u->divisor & 0xff00) | value);
		break;
	case UART_IER:
		if (dlab)
			u->divisor = (uint16_t)((u->divisor & 0x00ff) | value << 8);
		else
			ier_write(u, value);
		break;
	case UART_FCR:
		fcr_write(u, value);
		break;
	case UART_LCR:
		u->lcr = value;
		break;
	case UART_MCR:
		u->mcr = value & 0x1f;
		u->gated |= (value & MCR_OUT2) != 0;
		msr_update(u);
		uart_update(u);
		break;
	case UART_SCR:
		u->scr = value;
		break;
	default: /* LSR and MSR are read-only */
		break;
	}
}

BYTE_PORTS(uart)

bool uart_rx_room(const struct uart *u)
{
	return u->rx_count < rx_capacity(u) && !(u->mcr & MCR_LOOP);
}

bool uart_receive(struct uart *u, uint8_t byte)
{
	if (!uart_rx_room(u))
		return false;
	rx_put(u, byte);
	uart_update(u);
	return true;
}

void uart_reset(struct uart *u)
{
	u->lcr = 0;
	u->ier = 0;
	u->mcr = 0;
	VM_MUTANT(UART_RESET, u->gated = false);
	u->lsr = LSR_EMPTY;
	u->msr = MODEM_READY;
	u->fcr = 0;
	u->scr = 0;
	u->divisor = 12; /* 9600 baud; nothing depends on it */
	u->thre_pending = false;
	rx_clear(u);
	uart_update(u);
}

bool uart_init(struct uart *u, struct pio_space *pio, uint16_t port, struct irq_line irq,
	       void (*tx)(void *ctx, uint8_t byte), bool (*tx_room)(void *ctx), void *ctx)
{
	static const struct pio_ops ops = { uart_in, uart_out };
	*u = (struct uart){ .tx = tx, .tx_room = tx_room, .ctx = ctx, .irq = irq, .port = port };
	uart_reset(u);
	return pio_add(pio, port, 8, &ops, u);
}
