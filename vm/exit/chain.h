/* vm/exit/chain.h - which exceptions a triple fault is made of. */
#ifndef VELLUM_VM_EXIT_CHAIN_H
#define VELLUM_VM_EXIT_CHAIN_H

#include "lib/base.h"

#define CHAIN_MAX 6u
#define CHAIN_NO_ADDRESS (~0ull)

struct vcpu;

/* Of a virtual CPU. */
struct vcpu_chain {
	bool looks;      /* it goes that way once more, to be looked at */
	bool over;       /* it has gone it */
	uint8_t count;
	uint8_t exits;   /* since it began */
	uint8_t last;    /* vcpu.last.next, when it did */
	struct {
		uint32_t delivered; /* EVENT_*: in the delivery of what; 0: of an instruction */
		uint32_t info, error;
		uint64_t cr2;       /* of a page fault; CHAIN_NO_ADDRESS: is not known */
	} of[CHAIN_MAX];
	uint64_t rflags, blocking, codes; /* that it had before */
	bool trapped;    /* it has had a trap of its own TF, last at trap_rip */
	uint64_t trap_rip;
};

/* A triple fault: the VM ends, or is reset; where the CPU can tell which exceptions it is made of, a little later. */
void chain_triple_fault(struct vcpu *v);
/* While v->chain.looks: an exit; and an exception, which is about to be queued. */
void chain_exit(struct vcpu *v, uint64_t code);
/* A trap of the guest's own TF has exited, and is about to be queued. */
void chain_trap(struct vcpu *v);
/* Raised for a vCPU that the emulator runs, in the delivery of v->event. */
void chain_emulated(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error);
void chain_note(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error);

#endif
