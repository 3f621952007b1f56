/* dev/serial/uart.h - a 16550A serial port.
 *
 * Characters take no time: what is written goes to the sink at once while the sink has room, so that the transmitter is
 * always empty then; what arrives is reported at once (the receiver's time-out interrupt does not wait for four
 * character times).
 *
 * U1  lsr's THRE and TEMT are set unless the last transmitted byte left the sink without room.
 * U2  the line is asserted if and only if an enabled interrupt is pending and MCR lets it out: no loopback, and OUT2,
 *     once the guest has set that since the reset. On a PC that output gates the interrupt, and who knows so sets it.
 *     Kernels that have only ever seen QEMU, which has no gate there, never set it, and get theirs all the same. */
#ifndef VELLUM_DEV_UART_H
#define VELLUM_DEV_UART_H

#include "dev/dev.h"
#include "lib/uart.h"

struct uart {
	/* what the hot path needs, together */
	uint8_t lcr, ier, mcr, lsr;
	bool thre_pending; /* the "transmitter empty" interrupt, until IIR is read or THR is written */
	bool asserted;     /* the level of the line */
	bool gated;        /* OUT2 has been set since the reset */
	void (*tx)(void *ctx, uint8_t byte);
	bool (*tx_room)(void *ctx); /* NULL: there is always room */
	void *ctx;

	struct irq_line irq;
	uint16_t port;
	uint16_t divisor;
	uint8_t fcr; /* bit 0 FIFOs on, bits 7..6 trigger */
	uint8_t msr, scr;
	uint8_t rx[UART_FIFO];
	uint8_t rx_first, rx_count;
};

/* port: 0x3f8 for COM1. false: the port range is taken. */
bool uart_init(struct uart *u, struct pio_space *pio, uint16_t port, struct irq_line irq,
	       void (*tx)(void *ctx, uint8_t byte), bool (*tx_room)(void *ctx), void *ctx);
FOR_TESTS void uart_reset(struct uart *u);
/* dev/serial/uart_state.c */
void uart_state(struct fields *s, struct uart *u);
/* A byte arrives. false: no room for it (nothing changed): offer it again later. */
bool uart_receive(struct uart *u, uint8_t byte);
/* The receiver would take a byte. */
bool uart_rx_room(const struct uart *u);
/* The sink has room again after tx_room() said no. Harmless at any time. */
void uart_tx_ready(struct uart *u);

#endif
