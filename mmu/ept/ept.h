/* mmu/ept/ept.h - what the files of the mechanism share. Its formats: SDM, "EPT Translation Mechanism" and
 * "Extended-Page-Table Pointer (EPTP)" (lib/x86.h). */
#ifndef VELLUM_MMU_EPT_H
#define VELLUM_MMU_EPT_H

#include "mmu/inside.h"
#include "mmu/mutate.h"
#include "mmu/table/detached.h"
#include "mmu/table/ptformat.h"

/* What differs between EPT's tables and AMD's nested ones, whose entries are those of the CPU's own paging: everything
 * else of the mechanism is the same. */
struct nested_form {
	struct pt_format four, five; /* of so many levels; five without levels: there are none */
	uint64_t write;              /* the flag of a leaf that lets it be written */
	/* A leaf (E1); shift: address bits. */
	uint64_t (*leaf)(const struct mmu_page *page, gfn_t gfn, unsigned shift);
	/* The leaf that says that a page is a device's, of the slots' present generation (E4); 0: the CPU has no bits
	 * for it. */
	uint64_t (*mmio)(const struct mmu_vm *vm);
	uint64_t (*mmio_high)(const struct mmu_vm *vm); /* the address bits that are set in it */
	/* What the CPU finds the root by. */
	uint64_t (*pointer)(const struct mmu_vm *vm, const struct pt *pt);
	/* NULL, or what a leaf is that it must not be, but for its frame and its being writable. */
	const char *(*wrong)(const struct mmu_page *page, uint64_t leaf);
	uint64_t whole;              /* the flags of a leaf of 4 KBytes with every right, cached */
};
extern const struct nested_form ept_form, npt_form;

struct ept_vm {
	const struct nested_form *form;
	struct pt pt;
	struct detached detached; /* for the flush of EPT translations */
	hfn_t identity; /* the page that is shown at config.identity_map; HFN_NONE: none */
	hfn_t self; /* the frame that holds this */
};

/* What is said of entries here holds for tables of five levels too. */
extern const struct pt_format ept_format;

/* A page that is never right (E4): W and X without R. */
#define EPT_MMIO (EPT_W | EPT_X)
/* What such an entry has for an address: the last 16 MBytes of what the CPU can address, where no memory is. */
static inline uint64_t ept_mmio_high(const struct mmu_vm *vm) { return MASK(vm->caps->maxphyaddr - 1, 24); }
/* One of the slots' present generation: 9 bits of it in the places of type and flags, 11 in ignored bits, 12 in the
 * lowest of the address. */
static inline uint64_t ept_mmio_leaf(const struct mmu_vm *vm)
{
	uint64_t g = vm->slots.generation, leaf = EPT_MMIO | (g & 0x1ff) << 3 | (g >> 9 & 0x7ff) << 52 | g >> 20 << 12;

	MUTANT(MMIO_HIGH, leaf |= ept_mmio_high(vm));
	return leaf;
}

/* Is it the page that is shown at config.identity_map? */
static inline bool ept_is_identity_map(const struct mmu_vm *vm, gfn_t gfn)
{
	const struct ept_vm *e = vm->priv;

	return !hfn_is_none(e->identity) && gfn.v == gpa_gfn(vm->config.identity_map).v;
}
/* The level of the leaf for gpa, whose page it is, where nothing is in its way (E2). */
static inline unsigned ept_leaf_level(const struct mmu_vm *vm, gpa_t gpa, const struct mmu_page *page)
{
	const struct ept_vm *e = vm->priv;
	unsigned limit = vm->caps->ept_1g ? 30 : vm->caps->ept_2m ? 21 : 12;
	unsigned level = pt_level(mmu_leaf_shift(vm, gpa_gfn(gpa), page, limit));

	/* The identity map's page is no part of a large leaf. */
	while (level > 1 && !hfn_is_none(e->identity) && ((gpa.v ^ vm->config.identity_map.v) >> pt_shift(level)) == 0)
		level--;
	return level;
}

/* E1. shift: of the leaf, address bits. */
static inline uint64_t ept_make_leaf(const struct mmu_page *page, gfn_t gfn, unsigned shift)
{
	uint64_t first = page->hfn.v, leaf = page->no_fetch ? EPT_R : EPT_R | EPT_X;

	if (unlikely(page->no_read))
		MUTANT(OVERLAY_HIDE, leaf = EPT_X);
	MUTANT(EPT_MAP_FIRST, first -= gfn.v & (BIT(shift - PAGE_SHIFT) - 1));
	MUTANT(EPT_MAP_TYPE, leaf |= (uint64_t)page->slot->type << EPT_TYPE_SHIFT);
	leaf |= hfn_hpa(HFN(first)).v;
	if (MUTANT_OR(EPT_MAP_WRITABLE, page->writable))
		leaf |= EPT_W;
	return shift > PAGE_SHIFT ? leaf | EPT_LARGE : leaf;
}

static inline void ept_count_leaf(struct mmu_counters *c, unsigned level)
{
	if (level == 1)
		c->mapped_4k++;
	else if (level == 2)
		c->mapped_2m++;
	else
		c->mapped_1g++;
}

/* What is taken away is flushed; then the tables of detached are freed. */
void ept_flush_and_free(struct mmu_vm *vm);

/* The dirty log by flags, and large leaves behind it (mmu/ept/log.c): log_take and join of struct mmu_ops. */
void ept_log_take(struct mmu_vm *vm, gfn_t first, uint64_t pages, const uint64_t *which, uint64_t *dirty, bool protect);
void ept_join(struct mmu_vm *vm, gfn_t first, uint64_t pages);
/* Accessed flags: age of struct mmu_ops, where the CPU has them. */
bool ept_age(struct mmu_vm *vm, gfn_t first, uint64_t pages, uint64_t *used, bool clear);
/* A leaf was taken away, which was that; tables of detached are about to be freed. */
void ept_log_leaf_gone(struct mmu_vm *vm, uint64_t value, unsigned level, uint64_t addr);
void ept_log_tables_gone(struct mmu_vm *vm);
/* What the parts of the large leaf at that position are made of, which is split for a write to gpa (E8). */
uint64_t ept_log_split(struct mmu_vm *vm, gpa_t gpa, const struct pt_position *at);
/* A leaf for a page, in the place of at: what that says of writes until now stays (LG2). */
static inline uint64_t ept_leaf_instead(uint64_t leaf, const struct pt_position *at)
{
	if (at->leaf)
		MUTANT(LOG_KEEP, leaf |= at->value & EPT_D);
	return leaf;
}

/* Faults without the lock (mmu/ept/beside.c). */
bool ept_beside(struct mmu_vcpu *vcpu, const struct mmu_fault *fault, struct mmu_result *r);

/* The guest's registers under EPT (mmu/ept/regs.c). */

/* The page that is shown at config.identity_map; NULL: none. */
void *ept_identity_map(struct mmu_vm *vm);

/* Sets root and intercepts from vcpu->regs. false: the guest does not page, the CPU cannot run it like that, and there
 * is no identity map. */
bool ept_apply_regs(struct mmu_vcpu *vcpu);
void ept_regs_changed(struct mmu_vcpu *vcpu, const struct walk_regs *old, bool cr3_write, bool keep_tlb);
void ept_invlpg(struct mmu_vcpu *vcpu, gva_t gva);

/* E1, E2, E4 on all tables but the identity map's page (mmu/ept/audit.c). */
bool ept_audit(const struct pt *pt, hfn_t identity, char *why, size_t size);

#endif
