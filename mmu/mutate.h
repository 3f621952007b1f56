/* mmu/mutate.h - the names of the flushes, write-protections, syncs, barriers and rechecks, each of which a mutation build can leave out.
 *
 * In every normal build MUTANT(NAME, statement) is the statement. With -DMUTATION it is skipped while NAME is the mutant that was
 * selected at run time; then some test must fail, or the statement is excess. `make mutate` goes through the list. */
#ifndef VELLUM_MMU_MUTATE_H
#define VELLUM_MMU_MUTATE_H

/* M(name, what is left out) */
#define MMU_MUTANTS(M) \
	M(NONE, "nothing") \
	M(WALK_REWALK, "walking again when an accessed or dirty flag lost its race") \
	M(TAG_FIRST_RUN, "INVVPID on the first entry on a CPU") \
	M(TAG_SYNCHRONIZE, "kicking the other vCPUs") \
	M(TAG_ADDRESS, "INVVPID of requested addresses") \
	M(TAG_NONGLOBAL, "INVVPID of a context, globals kept") \
	M(TAG_ALL, "INVVPID of a whole context") \
	M(TAG_EPT, "INVEPT before an entry") \
	M(EPT_UNMAP_FLUSH, "INVEPT after ept took translations away") \
	M(EPT_PROTECT_FLUSH, "INVEPT after ept took write permission away") \
	M(EPT_PROTECT, "clearing W in an EPT leaf") \
	M(EPT_GENERATION, "comparing the generation of an MMIO leaf") \
	M(EPT_REGS_FLUSH, "the flush of an emulated register write under ept") \
	M(EPT_FREE_FLUSH, "INVEPT before table frames are freed") \
	M(SWITCH_FLUSH, "INVVPID after another mechanism took over") \
	M(LOG_PROTECT, "write-protecting a slot when logging starts") \
	M(LOG_COLLECT_PROTECT, "write-protecting reported pages") \
	M(LOG_MARK_EMULATED, "marking pages that the hypervisor writes") \
	M(POPULATE_UNMAP, "dropping the old frame when a page was copied to be written")

#ifdef MUTATION
#define M(name, what) MUTANT_##name,
enum mmu_mutant { MMU_MUTANTS(M) MUTANT_COUNT };
#undef M
extern enum mmu_mutant mmu_mutant_selected;
#define MUTANT(name, ...) \
	do { \
		if (mmu_mutant_selected != MUTANT_##name) { \
			__VA_ARGS__; \
		} \
	} while (0)
/* The same for a condition: true where the mutation leaves the check out. */
#define MUTANT_OR(name, cond) (mmu_mutant_selected == MUTANT_##name || (cond))
#else
#define MUTANT(name, ...) \
	do { \
		__VA_ARGS__; \
	} while (0)
#define MUTANT_OR(name, cond) (cond)
#endif

#endif
