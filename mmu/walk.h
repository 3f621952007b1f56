/* mmu/walk.h - the guest walker: what a linear address means under the guest's own page tables. A pure function of the
 * registers and of guest memory (but for the A/D bits it is asked to set); it is the specification that the mechanisms
 * follow.
 *
 * Implements SDM, "Paging": 32-bit paging (with and without PSE, PSE-36), PAE, 4-level and 5-level paging, access
 * rights, page-fault error codes, accessed and dirty flags, reserved bits. */
#ifndef VELLUM_MMU_WALK_H
#define VELLUM_MMU_WALK_H

#include "lib/x86.h"
#include "lib/x86_rules.h"
#include "mmu/slots.h"

#define WALK_LEVELS_MAX 5

/* The guest's registers as far as paging goes, and what its CPU is (CPUID as the guest sees it). */
struct walk_regs {
	uint64_t cr0, cr3, cr4, efer;
	uint64_t pdpte[4];  /* under PAE: as loaded, not as memory has them now */
	uint32_t pkru;
	bool ac;            /* RFLAGS.AC, for SMAP */
	uint8_t cpl;
	uint8_t maxphyaddr; /* of the guest's CPU */
	bool has_1g;        /* CPUID: 1-GByte pages */
	bool cs_l;          /* CS.L: 64-bit code; only mmu_set_cr0 looks at it, when paging is switched */
	/* Bits that the guest's CPU does not have, so that setting them is #GP. 0: the caller has checked. */
	uint64_t cr4_reserved, efer_reserved;
};

enum paging_mode {
	PAGING_NONE,
	PAGING_32BIT,
	PAGING_PAE,
	PAGING_4LEVEL,
	PAGING_5LEVEL,
};

struct access {
	bool write;
	bool fetch;
	bool user;     /* a user-mode access: CPL 3 and not implicit supervisor */
	bool implicit; /* an implicit supervisor access (descriptor tables, TSS): SMAP applies whatever AC says */
};

/* How the walker reads and updates guest-physical entries. size: 4 or 8. */
struct walk_memory {
	/* false: gpa is no readable memory (the entry then reads as all ones, as from an absent device). */
	bool (*read)(void *ctx, gpa_t gpa, unsigned size, uint64_t *value);
	/* Compare-and-exchange. false with *lost set: the entry changed since it was read. false with *lost clear: not
	 * writable memory. */
	bool (*update)(void *ctx, gpa_t gpa, unsigned size, uint64_t old, uint64_t new, bool *lost);
	void *ctx;
	/* Memory that can be read without asking: from gpa linear_base on, so many bytes (a multiple of 8), at linear,
	 * or, where that is NULL, what of it is in .slot's blocks. 0: none. */
	uint64_t linear_base, linear_bytes;
	const char *linear;
	const struct slot *slot;
};

struct walk_entry {
	gpa_t gpa;      /* where the entry is; for a PAE PDPTE, which is a register: all ones */
	uint64_t value; /* as read, or as it is after the A/D update */
	uint8_t level;  /* 1: PTE, 2: PDE, 3: PDPTE, 4: PML4E, 5: PML5E */
};

struct walk_result {
	bool ok;
	bool retry;           /* !ok: too many updates lost their race; not a fault: run the instruction again */
	uint32_t error;       /* !ok: the page-fault error code */
	gpa_t gpa;            /* ok: the translation of the address itself */
	uint8_t page_shift;   /* 12, 21, 22 or 30; without paging: 30 */
	bool writable;        /* the AND of W over the walk (not yet combined with CR0.WP) */
	bool user;            /* the AND of U */
	bool executable;      /* no NX on the walk, or NX off */
	bool global;          /* G of the leaf, where CR4.PGE is set */
	bool dirty;           /* D of the leaf, after the update */
	uint8_t pkey;
	uint8_t pat_index;    /* PAT, PCD, PWT of the leaf */
	uint8_t count;        /* entries read, in order from the root; also after a fault */
	struct walk_entry entry[WALK_LEVELS_MAX];
};

enum paging_mode walk_mode(const struct walk_regs *r);

/* Translates gva for the access. Bits of gva that the paging mode does not translate are ignored: canonicality is the
 * segment unit's matter. set_ad: when the whole walk succeeds, accessed flags are set and, for a write, the dirty flag;
 * where an update loses a race the walk begins anew. Flags in memory that cannot be written stay as they are, and count
 * as set. Without it the walk changes nothing. */
struct walk_result walk(const struct walk_regs *r, const struct walk_memory *m, gva_t gva, struct access access,
			bool set_ad);

#endif
