/* vm/live/account.h - what a virtual machine has of moves to other containers, and what they have come to
 * (vm/live/live.h). */
#ifndef VELLUM_VM_LIVE_ACCOUNT_H
#define VELLUM_VM_LIVE_ACCOUNT_H

#include "lib/base.h"

/* Of a move, and of all together; docs/move.md says what each is. Ticks are the TSC's. */
#define LIVE_ACCOUNT(A) A(rounds) A(pages) A(used) A(ticks) A(stood) A(faults) A(pushed) A(kept)

struct live_account {
	uint64_t count;
#define A(name) uint64_t name;
	LIVE_ACCOUNT(A)
#undef A
	uint64_t longest; /* that it stood for one */
};

/* Of a VM, or container. */
struct live_part {
	bool stands, paused; /* vm_stand(); and whether it is paused beside that */
	bool second; /* a guest is to come to it: it says nothing of itself, and is on no network (LM3) */
	bool left;   /* its guest has left it: its account is the other's */
	bool source; /* its RAM is kept beyond its end, for the other's pages that are there (ram_elsewhere.h) */
	bool given;  /* not any more */
	struct live_account account;
};

#endif
