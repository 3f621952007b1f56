/* mmu/tag.h - VPIDs, and the bookkeeping that decides when INVVPID and INVEPT are due.
 *
 * Nobody flushes in passing: whoever changes a table or a register *requests* a flush of the vCPUs concerned, and the
 * request is consumed before the vCPU's next entry (tag_consume). A change that must be visible at once (T2) kicks the
 * running vCPUs after having requested.
 *
 * T1  (SDM, "Caching Translation Information") VPID 0 is the host's. A vCPU without a VPID runs untagged: the CPU
 *     itself drops the linear and combined mappings of VPID 0 at every entry and exit, and no INVVPID is due; INVEPT
 *     still is.
 * T2  A flush is in force before anyone relies on it: request, then tag_synchronize, then rely. */
#ifndef VELLUM_MMU_TAG_H
#define VELLUM_MMU_TAG_H

#include "mmu/addr.h"

struct mmu_caps;
struct mmu_vcpu;
struct mmu_vm;

#define VPID_COUNT 65536u
#define TAG_ADDRESSES_MAX 8 /* more single addresses than this become one whole-context flush */
#define TAG_CPUS_MAX 256
#define TAG_NO_CPU (~0u)
#define TAG_ELSEWHERE (~0u - 1) /* no CPU's number either: where a vCPU was that comes back as from another CPU */

/* The allocator: first come, first served, the lowest free one; 0 is never handed out. Has its own lock inside (a spin
 * lock, a leaf in the lock order). */
struct vpid_pool {
	uint64_t used[VPID_COUNT / 64];
	uint32_t hint;      /* no free VPID below this */
	uint32_t in_use;
	uint32_t limit;     /* VPIDs 1 .. limit - 1 may be given; tests make it small */
	bool lock;
};

/* VPIDs 1 to limit - 1, at most VPID_COUNT - 1, may be given. */
void vpid_pool_init(struct vpid_pool *pool, uint32_t limit);
/* 0 when exhausted. */
uint16_t vpid_alloc(struct vpid_pool *pool);
void vpid_free(struct vpid_pool *pool, uint16_t vpid);

/* Logical CPUs, by their numbers. Changed with the VM's lock; read without. */
struct tag_cpus {
	uint64_t word[TAG_CPUS_MAX / 64];
};

/* Why a flush is due. The first two are nobody's request: the vCPU is new on the CPU. */
enum tag_reason {
	TAG_CREATION,  /* it has run on none: what another had under the VPID may be there */
	TAG_MIGRATION, /* it was on another meanwhile */
	TAG_TABLES,    /* shadow tables have changed, or others are used: for EFER, or another mechanism */
	TAG_REGISTER,  /* the guest has written CR0, CR3 or CR4, and that exited */
	TAG_ADDRESS,   /* the guest's INVLPG, or a page fault of its own */
};

struct tag_state {
	uint16_t vpid;
	unsigned last_cpu;        /* TAG_NO_CPU: never ran; or TAG_ELSEWHERE */
	bool flush_vpid;          /* all linear and combined mappings of this vCPU */
	bool flush_nonglobal;     /* the same, but global ones may stay */
	uint8_t address_count;
	gva_t address[TAG_ADDRESSES_MAX];
	/* enum tag_reason, of flush_vpid, and of each address; that of flush_nonglobal is TAG_REGISTER */
	uint8_t why, address_why[TAG_ADDRESSES_MAX];
};

/* True where this CPU can flush what it tags; without that, vCPUs run untagged. */
bool tag_usable(const struct mmu_caps *caps);

/* A CPU that has no place in it is never in it. */
static inline bool tag_cpus_have(const struct tag_cpus *s, unsigned cpu)
{
	return cpu < TAG_CPUS_MAX && (__atomic_load_n(&s->word[cpu / 64], __ATOMIC_ACQUIRE) >> cpu % 64 & 1);
}

static inline void tag_cpus_add(struct tag_cpus *s, unsigned cpu)
{
	if (cpu < TAG_CPUS_MAX)
		__atomic_or_fetch(&s->word[cpu / 64], BIT(cpu % 64), __ATOMIC_ACQ_REL);
}

static inline void tag_cpus_clear(struct tag_cpus *s)
{
	for (unsigned i = 0; i < TAG_CPUS_MAX / 64; i++)
		__atomic_store_n(&s->word[i], 0, __ATOMIC_RELEASE);
}

/* Requests, for one vCPU, with the VM's lock held. Idempotent; merged into the widest. */
void tag_request_address(struct mmu_vcpu *vcpu, gva_t gva, enum tag_reason why);
void tag_request_nonglobal(struct mmu_vcpu *vcpu);
void tag_request_all(struct mmu_vcpu *vcpu, enum tag_reason why);
/* Has the vCPU leave its guest for something else than a flush, which it finds before it enters again. */
void tag_request_look(struct mmu_vcpu *vcpu);
/* Requests an INVEPT on every CPU that has run the VM's EPT root, before the VM is entered there again. */
void tag_request_ept(struct mmu_vm *vm);
/* Kicks every running vCPU of the VM but self, so that the requests made so far are in force (T2). */
void tag_synchronize(struct mmu_vm *vm, struct mmu_vcpu *self);

/* Consumes the requests, under the VM's lock: issues the INVVPIDs and INVEPTs that are due on this CPU, each counted
 * twice: by its type, and by its reason. */
void tag_consume(struct mmu_vcpu *vcpu, unsigned cpu);

#endif
