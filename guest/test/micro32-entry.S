/* The processors of micro32, without a stack: from the start-up IPI to 32 bits; each counts itself, and sleeps. */
#include "guest/test/base/entry.h"
#include "guest/test/micro32.h"

	from_real_mode micro
	lock incl micro_started
1:	cli
	hlt
	jmp	1b
	.section .note.GNU-stack, "", @progbits
