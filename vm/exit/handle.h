/* vm/exit/handle.h - an exit as the run loop meets it: noted, counted, and given to its handler. Each instruction here
 * is one of every exit. */
#ifndef VELLUM_VM_EXIT_HANDLE_H
#define VELLUM_VM_EXIT_HANDLE_H

#include "vm/vm.h"

#include "lib/mutants/mutate.h"

/* Also of what is traced, whose records may have just gone to the disk. */
static inline void note_exit(struct vcpu *v, uint64_t code)
{
	uint64_t n = v->last.next;

	v->last.code[n] = (uint16_t)code;
	hvm_rip_to(&v->hvm, &v->last.rip[n]);
	__asm__("incb %0" : "+m"(v->last.next)); /* the compiler would make two of what it has read */
}

/* &v->exits[code], as the compiler would compute it twice, and by one instruction more. */
static inline struct exit_stat *exit_stat(struct vcpu *v, uint64_t code)
{
	struct exit_stat *exit;

	_Static_assert(sizeof(struct exit_stat) == 16, "twice the scale that an address may have");
	__asm__("lea (%1,%2,8), %0\n\tlea %c3(%0,%2,8), %0" :
		"=&r"(exit) : "r"(v), "r"(code), "i"(offsetof(struct vcpu, exits)));
	return exit;
}

static inline void handle_exit(struct vcpu *v)
{
	uint64_t reason = hvm_exit_code(&v->hvm);
	struct exit_stat *exit;

	VM_MUTANT(NOTE_EXIT, note_exit(v, reason));
	if (unlikely(reason >= v->traced.codes)) {
		(v->chain.looks ? chain_exit : trace_handle)(v, reason);
		return;
	}
	exit = exit_stat(v, reason);
	exit->count++;
	v->exit = exit;
	exit_handlers[reason](v);
}

static inline void account_exit(struct vcpu *v, uint64_t now)
{
	/* The compiler would add twice, not in memory, and to a copy. */
	__asm__("sub %1, %0" : "+d"(now) : "m"(v->exit_tsc) : "cc");
	VM_MUTANT(EXIT_TICKS, v->exit->ticks += now);
}

#endif
