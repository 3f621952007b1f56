/* vm/exit/emulation_unknown.c - what becomes of bytes that the emulator does not know, where no CPU can be given them
 * instead (vm/cpu/emulated.c). Most are no instruction, or one that the guest's CPU does not have: #UD. The few that it
 * has, and that nobody executes in such a place, are listed; they stop the virtual machine. SDM, "Opcode Map" and each
 * instruction's "Real-Address Mode Exceptions". And what becomes of a guest whose instruction cannot be carried out. */
#include "vm/exit/emulation.h"

#include "lib/mutants/mutate.h"

#define UNPROTECTED_MAX 10000

static bool is_prefix(uint8_t byte)
{
	static const uint8_t prefixes[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3 };

	for (unsigned n = 0; n < ARRAY_SIZE(prefixes); n++)
		if (byte == prefixes[n])
			return true;
	return false;
}

/* Of 0F 01 with a register for its operand: VMCALL, XSETBV, CLAC and STAC with SMAP; SWAPGS is for 64-bit code. */
static enum emulation_unknown in_0f01(const struct vcpu *v, uint8_t modrm)
{
	bool smap = (modrm == 0xca || modrm == 0xcb) && (v->vm->cpuid.cr4_offered & CR4_SMAP);

	return modrm == 0xc1 || modrm == 0xd1 || smap || v->emulate.mode == EMULATE_LONG64 ? UNKNOWN_STOPS : UNKNOWN_UD;
}

static enum emulation_unknown in_0f(const struct vcpu *v, const uint8_t *b)
{
	const struct emulate *e = &v->emulate;
	bool memory = b[1] < 0xc0;

	switch (b[0]) {
	case 0x01: return memory ? UNKNOWN_UD : in_0f01(v, b[1]);
	case 0x33: return UNKNOWN_GP; /* RDPMC: there is no counter */
	case 0x34:                    /* SYSENTER, SYSEXIT */
	case 0x35: return e->mode <= EMULATE_REAL32 ? UNKNOWN_GP : UNKNOWN_STOPS;
	case 0x05: /* SYSCALL, SYSRET: of 64-bit code */
	case 0x07: return e->mode == EMULATE_LONG64 ? UNKNOWN_STOPS : UNKNOWN_UD;
	case 0x38: return b[1] == 0x82 ? UNKNOWN_STOPS : UNKNOWN_UD; /* INVPCID */
	case 0xae: return e->mode == EMULATE_LONG64 ? UNKNOWN_STOPS : UNKNOWN_UD; /* FSGSBASE is for 64-bit code */
	case 0xc7: return memory ? UNKNOWN_UD : UNKNOWN_STOPS;       /* RDRAND, RDSEED, RDPID */
	default: return UNKNOWN_UD;
	}
}

enum emulation_unknown emulation_unknown(const struct vcpu *v)
{
	const struct emulate *e = &v->emulate;
	uint8_t b[sizeof(e->bytes) + 3] = { 0 };
	unsigned at = 0;

	memcpy(b, e->bytes, e->length);
	while (at < e->length && is_prefix(b[at]))
		at++;
	if (e->mode == EMULATE_LONG64 && (b[at] & REX_PREFIXES) == REX)
		at++;
	switch (b[at]) {
	case 0x0f: return VM_KEPT(UNKNOWN_0F, true) ? in_0f(v, b + at + 1) : UNKNOWN_STOPS;
	case EVEX_PREFIX: /* not in real and virtual-8086 mode */
	case VEX_3_BYTES:
	case VEX_2_BYTES: return e->mode <= EMULATE_V86 ? UNKNOWN_UD : UNKNOWN_STOPS;
	case 0xc6: /* XABORT, XBEGIN */
	case 0xc7: return b[at + 1] == 0xf8 ? UNKNOWN_STOPS : UNKNOWN_UD;
	/* Far calls and jumps to a task or an inner level, IRET to a task, INT and the flags with CR4.VME. */
	default: return UNKNOWN_STOPS;
	}
}

/* ---- what cannot be carried out ---- */

/* The same instruction with the same registers, so often in a row? It is translated through the table that it accesses:
 * each time, the table is protected again before the instruction has run. */
static bool without_end(struct vcpu *v)
{
	uint64_t state = v->emulate.rip;

	for (unsigned n = 0; n < EMULATE_GPRS; n++)
		state = (state << 7 | state >> 57) ^ v->hvm.gpr[n];
	v->unprotected_count = state == v->unprotected_state ? v->unprotected_count + 1 : 0;
	v->unprotected_state = state;
	return v->unprotected_count > UNPROTECTED_MAX;
}

/* An instruction that cannot be emulated on a guest's page table runs on the CPU, once the table is no longer
 * protected. */
static bool run_unprotected(struct vcpu *v)
{
	return v->emulated_fault && !without_end(v) && mmu_unshadow(&v->vm->mmu, v->emulated_gpa);
}

static void give_up(struct vcpu *v, const char *what)
{
	const struct emulate *e = &v->emulate;
	char bytes[3 * INSTRUCTION_LENGTH_MAX + 1] = "";

	for (unsigned i = 0; i < e->length && i < INSTRUCTION_LENGTH_MAX; i++) {
		static const char digit[] = "0123456789abcdef";

		bytes[3 * i] = ' ';
		bytes[3 * i + 1] = digit[e->bytes[i] >> 4];
		bytes[3 * i + 2] = digit[e->bytes[i] & 15];
		bytes[3 * i + 3] = '\0';
	}
	vm_end(v->vm, VM_STATUS_STOPPED, "stopped: %s at rip 0x%lx:%s", what, e->rip, bytes);
}

/* What is not emulated is no instruction for a program of the guest's: #UD, which ends it, and not the virtual machine.
 * */
void emulation_refuse(struct vcpu *v, const char *what)
{
	if (run_unprotected(v))
		return;
	if (VM_KEPT(EMULATED_UD, v->emulate.cpl == 3))
		event_ud(v);
	else
		give_up(v, what);
}
