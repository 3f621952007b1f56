/* test/vm/insn_slot.c - host/cpu/insn_slot.h in a process: FPU and vector instructions run on the host's CPU, with
 * registers of their own. */
#include "host/cpu/insn_slot.h"

#include "test/unit/emulate/cpu.h"

unsigned insn_run(const uint8_t *code, unsigned length, struct insn_registers *s)
{
	static struct cpu_area area;
	static bool ready;
	struct emulate e = { .mode = EMULATE_LONG64 };
	struct emulate_native n = {
		.length = (uint8_t)length,
		.operand = (void *)(uintptr_t)s->rdi,
		.rax = s->rax,
		.rcx = s->rcx,
		.rdx = s->rdx,
		.rbx = s->rbx,
		.rflags = s->rflags,
	};

	if (!ready) {
		cpu_setup();
		cpu_reset(&area);
		ready = true;
	}
	memcpy(n.code, code, length);
	if (cpu_native(&e, &area, &n) != EMULATE_ACCESS_OK)
		return e.exception.vector;
	*s = (struct insn_registers){ n.rax, n.rcx, n.rdx, n.rbx, n.rflags, s->rdi, n.rip };
	return 0;
}
