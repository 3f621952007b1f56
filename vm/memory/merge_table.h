/* vm/memory/merge_table.h - the machine-wide table of what pages hold, by their hash: where the next one that holds the
 * same may lie.
 *
 * MT1  What it says is a hint. A frame that it names may have been freed since, or hold something else: who wants to
 *      lie in it has it counted (owner_join()), and then compares.
 * MT2  It is there as long as somebody uses it (merge_table_take()). */
#ifndef VELLUM_VM_MEMORY_MERGE_TABLE_H
#define VELLUM_VM_MEMORY_MERGE_TABLE_H

#include "mmu/addr.h"

enum merge_found {
	MERGE_NOTHING, /* nobody else's page has been seen that holds this; it is seen now */
	MERGE_SEEN,    /* another page has */
	MERGE_FRAME,   /* a frame may hold it */
};

/* One more uses it; it is made for the first. false: there is no memory for it. Any CPU, no lock held. */
bool merge_table_take(void);
void merge_table_give(void);
/* Its size in bytes; 0: nobody uses it. */
uint64_t merge_table_bytes(void);

/* What is known of that hash, by who looks at the page gfn of the VM with that number. */
enum merge_found merge_table_find(uint64_t hash, unsigned vm, gfn_t gfn, hfn_t *frame);
/* The frame holds what has that hash, and is shared. */
void merge_table_offer(uint64_t hash, hfn_t frame);
/* It does not. */
void merge_table_forget(uint64_t hash, hfn_t frame);

/* Of a page; 0 if it is all zero, and of few others. */
uint64_t merge_hash(const void *page);

#endif
