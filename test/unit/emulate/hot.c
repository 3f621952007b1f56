/* test/unit/emulate/hot.c - the hot path of MMIO, for an instruction counter: COUNT times `mov [rdi+0x30], eax`,
 * decoded once. `make emulate-hot` runs it under valgrind with two counts; the difference is what one takes. */
#include <stdio.h>
#include <stdlib.h>

#include "emulate/emulate.h"

static uint64_t device;

static enum emulate_access access_device(struct emulate *e, uint64_t linear, const void *buf, unsigned size,
					 unsigned how)
{
	(void)e;
	(void)size;
	(void)how;
	device += linear + *(const uint8_t *)buf;
	return EMULATE_ACCESS_OK;
}

int main(int argc, char **argv)
{
	static const struct emulate_ops ops = { .write = access_device };
	static const uint8_t code[3] = { 0x89, 0x47, 0x30 };
	uint64_t gpr[EMULATE_GPRS] = { [EMULATE_RDI] = 0xfee00000 };
	struct emulate e = { .ops = &ops, .gpr = gpr, .mode = EMULATE_LONG64, .rflags = RFLAGS_FIXED,
			     .cr0 = CR0_PG | CR0_NE | CR0_ET | CR0_MP | CR0_PE };
	unsigned count = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;
	bool decode = argc > 2;
	struct insn i;

	if (emulate_decode(code, sizeof(code), EMULATE_LONG64, &i) != INSN_OK)
		return 1;
	for (unsigned n = 0; n < count; n++) {
		if (decode)
			emulate_decode(code, sizeof(code), EMULATE_LONG64, &i);
		if (emulate_execute(&e, &i) != EMULATE_OK)
			return 1;
	}
	return device == 0;
}
