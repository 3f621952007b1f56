/* vm/live/inside.h - the move that is under way, for the files that make it (vm/live/live.h). */
#ifndef VELLUM_VM_LIVE_INSIDE_H
#define VELLUM_VM_LIVE_INSIDE_H

#include "vm/live/live.h"
#include "vm/vm.h"

extern struct live {
	bool busy;   /* a step is being made; by atomic exchange (LM5) */
	bool cancel;
	enum live_state state;
	struct vm *from, *to;
	unsigned id; /* of the place; also behind the end */
	bool any;    /* there has been one */
	bool failed, ended; /* the latter: because the VM has */
	char why[200];
	const char *mmu;
	struct live_account account;
	bool follows;      /* LM6 */
	bool stuck;        /* no page that follows has come in the last step */
	struct live_expected expected;
	uint64_t began, stood_from;
	unsigned cpu;   /* of which registers are next */
	struct live_cpu registers[VCPUS_MAX];
} live;

static inline void live_go_on(enum live_state state) { live.state = state; }

static inline bool live_is_over(const struct vm *vm) { return __atomic_load_n(&vm->ended, __ATOMIC_ACQUIRE); }

/* vm/live/steps.c; with .busy taken. The next step is made, on the CPU that is to make it. */
void live_step(void);
/* LM2. What was a step's own says why; a VM that is over has given back what it held. */
void live_fail(const char *why);
/* Nothing of the new container is left, and the move is over. On the first CPU. */
void live_drop(void);
/* The new one is over: while any of its vCPUs may look for a page, the old one's are there. */
void live_stays_behind(void);
/* Where registers of the VM's vCPUs are kept. false: there is no memory; live_drop() gives back. */
bool live_take_registers(const struct vm *vm);

#endif
