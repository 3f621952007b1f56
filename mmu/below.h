/* mmu/below.h - the one interface through which the heart reaches what lies below it: the hypervisor's frames and the
 * CPU's flushes, or the model's. Every function may be called with the VM's lock held, and none may call back into
 * mmu/. */
#ifndef VELLUM_MMU_BELOW_H
#define VELLUM_MMU_BELOW_H

#include "mmu/addr.h"

struct mmu_vm;
struct mmu_vcpu;

/* Flushes of what is cached under a virtual CPU's tag (its VPID), and of what nested tables (EPT) say. The numbers are
 * those of INVVPID's and INVEPT's register operand. */
enum tag_flush {
	TAG_FLUSH_ADDRESS = 0,
	TAG_FLUSH_SINGLE = 1,
	TAG_FLUSH_ALL = 2,
	TAG_FLUSH_NONGLOBAL = 3,
};
enum nested_flush {
	NESTED_FLUSH_SINGLE = 1,
	NESTED_FLUSH_ALL = 2,
};

struct mmu_below {
	/* A zeroed host frame for tables or bookkeeping, owned by the caller until frame_free; HFN_NONE when there is
	 * none. */
	hfn_t (*frame_alloc)(void *ctx);
	void (*frame_free)(void *ctx, hfn_t frame);
	/* A frame is no longer in use, though the VM keeps it in its reserve: nothing walks it, and nothing of what is
	 * in it counts. May be NULL; tests look, and write into it what nobody must read. */
	void (*frame_idle)(void *ctx, hfn_t frame);
	/* Where the frame can be read and written; valid for as long as the frame is. Never NULL for a frame that
	 * exists. */
	void *(*frame_ptr)(void *ctx, hfn_t frame);
	/* Returns when vcpu is not executing guest code and will pass through mmu_enter() before it does again. Must be
	 * cheap when it is not running; it may be the vCPU on whose behalf the caller runs, which is not running
	 * then. */
	void (*kick)(void *ctx, struct mmu_vcpu *vcpu);
	/* On the logical CPU that calls. Only types that struct mmu_caps offers are asked for. false: the CPU did not
	 * do it (VMfail: SDM, INVVPID and INVEPT), and nothing is flushed; the next wider type is then asked for. */
	bool (*flush_tag)(void *ctx, enum tag_flush type, uint16_t tag, gva_t gva);
	bool (*flush_nested)(void *ctx, enum nested_flush type, uint64_t root);
	/* The VM's MMU lock (order: docs/architecture.md). The model may leave both NULL. */
	void (*lock)(void *ctx, struct mmu_vm *vm);
	void (*unlock)(void *ctx, struct mmu_vm *vm);
	/* Returns when *flag, which is true, has been seen false: another CPU is about to make it so, which waits for
	 * nothing. May be NULL: mmu/ looks itself. */
	void (*wait)(void *ctx, const bool *flag);
	/* As frame_alloc, but below 4 GBytes, where CR3 can name it under PAE paging. NULL: all frames of frame_alloc
	 * are. */
	hfn_t (*frame_alloc_low)(void *ctx);
	void *ctx;
};

#endif
