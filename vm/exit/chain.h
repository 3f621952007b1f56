/* vm/exit/chain.h - which exceptions a triple fault is made of. */
#ifndef VELLUM_VM_EXIT_CHAIN_H
#define VELLUM_VM_EXIT_CHAIN_H

#include "lib/base.h"

#define CHAIN_MAX 6u

struct vcpu;

/* Of a virtual CPU. */
struct vcpu_chain {
	bool looks;      /* it goes that way once more, to be looked at */
	bool over;       /* it has gone it */
	uint8_t count;
	uint8_t exits;   /* since it began */
	struct {
		uint32_t delivered; /* EVENT_*: in the delivery of what; 0: of an instruction */
		uint32_t info, error;
		uint64_t cr2;       /* of a page fault */
	} of[CHAIN_MAX];
	uint64_t rflags, blocking, codes; /* that it had before */
};

/* A triple fault: the VM ends, or is reset; where the CPU can tell which exceptions it is made of, a little later. */
void chain_triple_fault(struct vcpu *v);
/* While v->chain.looks: an exit; and an exception, which is about to be queued. */
void chain_exit(struct vcpu *v, uint64_t code);
void chain_note(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error);

#endif
