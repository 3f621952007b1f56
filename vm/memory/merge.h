/* vm/memory/merge.h - pages that hold the same come to lie in one frame, of one virtual machine or of several that
 * allow it; who writes to one gets a frame of its own (vm/memory/ram.h).
 *
 * Each VM looks at its own pages, some at a time, by an alarm of its clock (MERGE_BATCH). One that holds what it did at
 * the last look is looked up by its hash in a table of all VMs (merge_table.h). Where another page has been seen that
 * held the same, this one's frame is offered: it is read-only and shared from then on, by it alone as yet. Where a
 * frame is offered, the page goes there. So no VM touches another's pages, and the other comes to the offered frame
 * when it next looks at its own. A page that is all zero is given back: it is nothing, which reads as zeroes.
 *
 * MG1  A page is protected, on all CPUs, before it is compared with the frame where it is to go, whole.
 * MG2  That frame has counted it before, so it is not written to meanwhile, and is not freed.
 * MG3  It is unmapped before the frame that it had is free.
 * MG4  As many pages a second are looked at as the description says, at most; and while the VM, or another at the same
 *      CPU, has something to do, no more of the time is taken than it says.
 * MG5  Memory for it is taken when it begins, and given back when it ends or with the VM.
 *
 * The boot processor's CPU alone touches it (RA2). */
#ifndef VELLUM_VM_MEMORY_MERGE_H
#define VELLUM_VM_MEMORY_MERGE_H

#include "dev/dev.h"
#include "mmu/addr.h"

#define MERGE_BATCH 64u

enum merge_state {
	MERGE_OFF,
	MERGE_ON,
	MERGE_ENDING, /* each page that is shared gets a frame of its own */
};

/* What is counted; docs/memory.md says what each is. */
#define MERGE_ACCOUNT(A) \
	A(scanned) A(unsteady) A(zero) A(offered) A(merged) A(refused) A(rounds) A(ticks) \
	A(parted) /* also by other CPUs: atomically */

struct merge_account {
#define A(name) uint64_t name;
	MERGE_ACCOUNT(A)
#undef A
};

struct merge {
	enum merge_state state;
	bool short_of_memory; /* it could not end for all pages */
	unsigned which;       /* of vm.ram, where it goes on, at: */
	uint64_t at;          /* page from its base on */
	uint64_t bytes;       /* that are held, without the table that all share */
	uint32_t *sum[2];     /* of each page of vm.ram when it was last looked at; NULL: none */
	struct merge_account account;
	struct timer timer;
};

struct vm;

/* The VM has been made: where its description says so, it begins. false: the VM has ended, with a sentence. */
bool merge_init(struct vm *vm);
/* Pages are looked at from now on. Called on the CPU of the VM's boot processor, or while none of its CPUs runs, with
 * no lock held; so are the next two. NULL, or one clause that says why not. */
const char *merge_begin(struct vm *vm);
/* Everything shared is its own again, by and by (MERGE_ENDING), and then it is off. */
void merge_end(struct vm *vm);
/* Serves REQUEST_MERGE. */
void merge_serve(struct vm *vm);
/* MG4: pages a second; and in how many ticks to look next, behind a look that has taken so many. */
unsigned merge_rate(const struct vm *vm);
FOR_TESTS uint64_t merge_pause(const struct vm *vm, uint64_t ticks);
/* The VM is over: gives back what is held. */
void merge_free(struct vm *vm);
#endif
