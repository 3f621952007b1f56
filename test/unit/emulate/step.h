/* test/unit/emulate/step.h - one instruction by the emulator. */
#ifndef VELLUM_TEST_EMULATE_STEP_H
#define VELLUM_TEST_EMULATE_STEP_H

#include "emulate/emulate.h"

static inline enum emulate_result emulate_step(struct emulate *e)
{
	struct insn insn;
	enum emulate_result result = emulate_fetch(e, &insn);

	return result == EMULATE_OK ? emulate_execute(e, &insn) : result;
}

#endif
