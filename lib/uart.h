/* lib/uart.h - the 16550A's registers and their bits, and where a PC has its serial ports; for who drives them (host/)
 * and who plays them (dev/serial/), for C and for assembly. National Semiconductor PC16550D data sheet. */
#ifndef VELLUM_LIB_UART_H
#define VELLUM_LIB_UART_H

#define COM1_PORT 0x3f8
#define COM2_PORT 0x2f8
#define COM1_IRQ 4
#define COM2_IRQ 3

/* From the base port. */
#define UART_DATA 0 /* with LCR_DLAB: the divisor's low byte */
#define UART_IER 1  /* with LCR_DLAB: its high byte */
#define UART_IIR 2  /* reading */
#define UART_FCR 2  /* writing */
#define UART_LCR 3
#define UART_MCR 4
#define UART_LSR 5
#define UART_MSR 6
#define UART_SCR 7

#define UART_FIFO 16 /* bytes */

#define IER_RX 0x01
#define IER_THRE 0x02
#define IER_LINE 0x04
#define IER_MODEM 0x08

#define IIR_MODEM 0x00
#define IIR_NONE 0x01
#define IIR_THRE 0x02
#define IIR_RX 0x04
#define IIR_LINE 0x06
#define IIR_TIMEOUT 0x0c
#define IIR_FIFOS 0xc0

#define FCR_ENABLE 0x01
#define FCR_CLEAR_RX 0x02
#define FCR_CLEAR_TX 0x04
#define FCR_TRIGGER 0xc0

#define LCR_8N1 0x03
#define LCR_DLAB 0x80

#define MCR_DTR 0x01
#define MCR_RTS 0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08 /* lets the interrupt out, on a PC */
#define MCR_LOOP 0x10

#define LSR_DR 0x01
#define LSR_OE 0x02
#define LSR_ERRORS 0x1e
#define LSR_THRE 0x20
#define LSR_TEMT 0x40

/* The modem status register's. */
#define MODEM_DELTAS 0x0f
#define MODEM_TERI 0x04
#define MODEM_RI 0x40
#define MODEM_READY 0xb0 /* CTS, DSR, DCD: a terminal is attached */

#endif
