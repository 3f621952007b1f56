#include "dev/serial/uart.h"
#include "lib/mutants/mutate.h"

void uart_state(struct fields *s, struct uart *u)
{
	state_begin(s, "uart", 1);
	state_u8(s, &u->lcr);
	state_u8(s, &u->ier);
	state_u8(s, &u->mcr);
	state_u8(s, &u->lsr);
	state_bool(s, &u->thre_pending);
	state_bool(s, &u->asserted);
	state_bool(s, &u->gated);
	state_u16(s, &u->divisor);
	state_u8(s, &u->fcr);
	state_u8(s, &u->msr);
	state_u8(s, &u->scr);
	state_bytes(s, u->rx, sizeof(u->rx));
	state_u8(s, &u->rx_first);
	state_u8(s, &u->rx_count);
	state_check(s, u->ier < 0x10 && u->mcr < 0x20 &&
		    VM_LEFT_OUT_OR(STATE_UART_FIFO, u->rx_first < UART_FIFO && u->rx_count <= UART_FIFO),
		    "a register holds what it cannot");
	state_end(s);
}
