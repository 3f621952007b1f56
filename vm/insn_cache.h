/* vm/insn_cache.h - what is kept of an instruction that was decoded for the guest (DC1 in vm/exit/decoded.h). */
#ifndef VELLUM_VM_INSN_CACHE_H
#define VELLUM_VM_INSN_CACHE_H

#include "emulate/emulate.h"

#define INSN_CACHE_BITS 6
#define INSN_CACHE_SETS (1u << INSN_CACHE_BITS)
#define INSN_CACHE_WAYS 4

#define ASIDE_RSP 1u
#define ASIDE_BY_RSP 4u /* rSP is the register (insn_uses_rsp) */
#define ASIDE_BIT 2u /* a bit's number (insn_is_displaced) */

/* Of a plain instruction: it pushes, pops, divides or branches. No register's offset has the bit. */
enum { ODD_FORM = 1 };

/* Decoded instructions that touched MMIO, so that the next time they only need to be compared. */
struct insn_cache {
	uint64_t rip;
	/* hvm_sync_number() and mmu_fetch_noted() when its bytes were found at .at, in memory that lies in one piece,
	 * by that walk; the latter is 0: never */
	uint64_t number, noted;
	const uint8_t *at;
	const struct walk_memo *walk;
	uint64_t mask; /* of the first 8 bytes, those that are the instruction's */
	/* the walk that its operand's page was found by in the state of that number, when it was noted (struct
	 * walk_memo); operand_noted is 0: none is known */
	const struct walk_memo *operand;
	uint64_t operand_noted;
	uint8_t bytes[16];
	uint8_t mode;
	uint8_t plain; /* enum insn_plain */
	uint8_t size;  /* of a plain one's operand in memory, bytes */
	uint8_t odd;   /* of its offset, the bits that would make it an access to each of two registers; ODD_FORM */
	uint8_t aside; /* ASIDE_*: what where that is takes beside registers in gpr[] */
	uint8_t string; /* insn_string() */
	uint8_t stack; /* enum insn_stack */
	uint8_t byte;  /* of a plain one: insn_byte_register() */
	uint8_t left;  /* 1 + enum patch_left: why its access to the TPR is not patched (PX8); 0: not known */
	uint8_t since; /* accesses, until that is looked at all the same */
	struct insn insn;
};

#endif
