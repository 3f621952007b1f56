/* vm/tpr/patch_insn.h - the instructions that can be replaced so that they need no exit to access the TPR, and what
 * replaces them. Pure functions of bytes; vm/tpr/patch.c says when. 32-bit code, with flat segments.
 *
 * PJ1 The set is closed: an opcode that is listed, without prefixes, whose memory operand is an absolute address and
 *     nothing else. It is replaced by one instruction of the same length, so that it begins and ends where the other
 *     does, whoever is interrupted in front of it or behind.
 * PJ2 A read becomes the same instruction with another address.
 * PJ3 A write becomes a CALL of a stub. After it all that the guest can see is as after the original: registers, flags,
 *     the TPR, what is at and above ESP. Below ESP up to 12 bytes are overwritten, as by any interrupt.
 * PJ4 At each instruction of a stub it is known what is on the stack (struct patch_stack), so that the write can be
 *     begun anew. To do it twice does no harm: MOV, AND and OR give the same.
 * PJ5 A patched access is at most 15 instructions. */
#ifndef VELLUM_VM_PATCH_INSN_H
#define VELLUM_VM_PATCH_INSN_H

#include "lib/base.h"

#define MODRM_ABSOLUTE 5u /* mod 0, r/m 5: an address and nothing else */

enum patch_op { PATCH_READ, PATCH_MOV, PATCH_AND, PATCH_OR };

struct patch_insn {
	uint8_t op;        /* enum patch_op */
	uint8_t length;    /* bytes, 5 to 15 */
	uint8_t at;        /* where in it the address is, 4 bytes */
	bool immediate;    /* what is written: .imm, else register .reg */
	uint8_t reg;
	uint32_t imm;
	uint32_t address;  /* linear */
};

/* The instruction in n bytes, if it is one of the set. */
bool patch_decode(const uint8_t *bytes, unsigned n, struct patch_insn *insn);

/* Bytes in front of an instruction that say whether it may be in the shadow of the one before it. */
#define PATCH_BEFORE 7u
/* Do the last bytes of before look like an STI or a load of SS, behind which no interrupt comes for one instruction?
 * The end of another instruction may look so, too. */
bool patch_shadowed(const uint8_t before[PATCH_BEFORE]);

/* A read of address tpr: .length bytes at out, made of the original's. */
void patch_read(uint8_t *out, const uint8_t *original, const struct patch_insn *insn, uint32_t tpr);
/* The CALL, of .length bytes, for the instruction at linear address site. stub: of its code; pointer: of four bytes
 * that hold that. An instruction of five bytes has room for the distance only. */
void patch_call(uint8_t *out, const struct patch_insn *insn, uint32_t site, uint32_t stub, uint32_t pointer);

/* ---- stubs ---- */

#define PATCH_STUB_MAX 40

/* What stubs are equal by. */
struct patch_key {
	uint8_t op;
	bool immediate;
	uint8_t reg;
	uint32_t imm;
};
struct patch_key patch_key_of(const struct patch_insn *insn);
static inline bool patch_key_same(struct patch_key a, struct patch_key b)
{
	return a.op == b.op && a.immediate == b.immediate && a.reg == b.reg && a.imm == b.imm;
}

/* What a stub has pushed, in words; the return address is above that. At -1: it is not among them, and still in its
 * register. */
struct patch_stack {
	uint8_t words;
	int8_t eax_at, flags_at;
};

struct patch_stub {
	uint8_t code[PATCH_STUB_MAX];
	uint8_t length;
	/* where in it the TPR's address is */
	uint8_t tpr_at[2], tprs;
	uint8_t tell_at; /* where in it the instruction is that tells the hypervisor */
};

/* The stub of key. tpr, threshold: linear addresses of the bytes; the second holds the class of what waits, in bits
 * 7:4, as long as it is a TPR below that which would let it in. */
void patch_stub(struct patch_stub *stub, struct patch_key key, uint32_t tpr, uint32_t threshold);
/* What is on the stack in front of the instruction at offset. false: no instruction of the stub begins there. */
bool patch_stack_at(struct patch_key key, unsigned offset, struct patch_stack *stack);

#endif
