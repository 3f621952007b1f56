/* emulate/raise.c - exceptions that the emulator itself finds. */
#include "emulate/internal.h"

enum emulate_result raise(struct emulate *e, unsigned vector)
{
	e->exception = (struct emulate_exception){ .vector = vector, .kind = EMULATE_HARDWARE_EXCEPTION };
	return EMULATE_EXCEPTION;
}

enum emulate_result raise_error(struct emulate *e, unsigned vector, uint32_t error)
{
	raise(e, vector);
	/* In real mode the CPU pushes none (SDM, "Interrupt and Exception Handling" of 8086 emulation). */
	if (!is_real(e)) {
		e->exception.has_error = true;
		e->exception.error = error;
	}
	return EMULATE_EXCEPTION;
}

enum emulate_result raise_software(struct emulate *e, const struct insn *i, unsigned vector,
				   enum emulate_exception_kind kind)
{
	e->exception = (struct emulate_exception){ .vector = vector, .kind = kind, .length = i->length };
	return EMULATE_EXCEPTION;
}
