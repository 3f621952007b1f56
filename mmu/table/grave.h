/* mmu/table/grave.h - hardware tables that nothing walks any more, freed little by little: a guest can make so many
 * that freeing all of them at once would take too long (S16).
 *
 * GR1  What is buried has been unlinked, and the flush that makes it unreachable has been requested before (S11).
 * GR2  A grave holds one tree. Its root is a frame of the grave's own. */
#ifndef VELLUM_MMU_GRAVE_H
#define VELLUM_MMU_GRAVE_H

#include "mmu/table/ptformat.h"

struct grave {
	hfn_t root;
	const struct pt_format *format; /* of the tree */
	/* tables on the way to the one that is being freed, the root included; 0: empty */
	unsigned depth;
	struct {
		hfn_t table;
		uint16_t next; /* entry to be looked at */
	} way[PT_LEVELS_MAX];
};

/* Takes a frame. false: no memory. */
bool grave_init(struct grave *g, struct mmu_vm *vm);
/* Frees what is left, and the frame. */
void grave_destroy(struct grave *g, struct mmu_vm *vm);
/* Takes over all that the root of pt names; the root is empty then. What the grave held is freed first: it is never
 * much, where each fault that adds a table frees some. */
void grave_bury(struct grave *g, struct pt *pt);
/* Frees tables until about so many entries were looked at, or all are freed. */
void grave_free(struct grave *g, struct mmu_vm *vm, uint64_t steps);

#endif
