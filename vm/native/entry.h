/* vm/native/entry.h - what vm/native/native.c hands to vm/native/entry.S. */
#ifndef VELLUM_VM_NATIVE_ENTRY_H
#define VELLUM_VM_NATIVE_ENTRY_H

#include "lib/base.h"

struct native_plan {
	uint64_t cr3, stack;                      /* of the code that moves: neither is moved over */
	uint64_t low_from, low_to, low_words;     /* RAM that is moved, in two parts */
	uint64_t high_from, high_to, high_words;
	uint64_t code32;                          /* where that code's 32-bit part is */
	/* the kernel starts in 64-bit mode, else in protected mode without paging */
	uint64_t long_mode;
	uint64_t start_cr3, rip, rsp, rax, rbx, rsi, cs, ds;
	uint64_t gdt[4];                          /* null, 64-bit code, data, 32-bit code */
	uint8_t own_gdt[16], start_gdt[16];       /* operands of LGDT: a limit and a base */
	uint8_t idt[16];                          /* an operand of LIDT: real mode's, or none */
};

/* Offsets for the assembly. */
_Static_assert(offsetof(struct native_plan, code32) == 64 && offsetof(struct native_plan, start_cr3) == 80 &&
		       offsetof(struct native_plan, cs) == 128 && offsetof(struct native_plan, own_gdt) == 176,
	       "vm/native/entry.S knows these");

static inline void native_pointer(uint8_t operand[16], uint16_t limit, uint64_t base)
{
	memcpy(operand, &limit, sizeof(limit));
	memcpy(operand + 2, &base, sizeof(base));
}

typedef void native_code_fn(const struct native_plan *plan);
extern const uint8_t native_code[], native_code32[], native_code_end[];

#endif
