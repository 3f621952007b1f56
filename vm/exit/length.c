/* vm/exit/length.c - the length of the instruction that has exited, on CPUs that do not tell it: by its bytes, where
 * the CPU has just fetched them. */
#include "vm/exit/length.h"

#include "vm/exit/decoded.h"

#include "lib/mutants/mutate.h"

#define TWO_BYTES 0x0f
#define GROUP_7 0x01 /* with registers: VMMCALL, XSETBV, which the emulator does not know */

static bool is_prefix(uint8_t byte, bool long_mode)
{
	return byte == 0x66 || byte == 0x67 || byte == 0xf0 || byte == 0xf2 || byte == 0xf3 || (byte & 0xe7) == 0x26 ||
	       byte == 0x64 || byte == 0x65 || (long_mode && (byte & 0xf0) == 0x40);
}

/* Of one that the emulator has no name for: prefixes, two bytes of opcode, ModRM. 0: it is none of these. */
static unsigned length_of_unknown(const struct emulate *e)
{
	unsigned at = 0;

	while (at < e->length && VM_KEPT(LENGTH_PREFIXES, is_prefix(e->bytes[at], e->mode == EMULATE_LONG64)))
		at++;
	return at + 3 <= e->length && VM_LEFT_OUT_OR(LENGTH_GROUP, e->bytes[at] == TWO_BYTES &&
		e->bytes[at + 1] == GROUP_7) ? at + 3 : 0;
}

unsigned exit_length_by_bytes(struct vcpu *v)
{
	struct emulate *e = &v->emulate;
	struct insn insn;

	decoded_find(v, hvm_rip(&v->hvm));
	emulation_fill_access(v);
	return emulate_fetch(e, &insn) == EMULATE_OK ? insn.length : length_of_unknown(e);
}
