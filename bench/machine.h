/* bench/machine.h - the smallest machine that a mechanism can be watched on: one CPU of the model, one VM with one vCPU
 * and one slot of RAM, and a guest in 4-level paging whose tables are made on demand. Nothing is checked here;
 * test/oracle does that.
 *
 * The functions that begin with machine_below_ are what lies below mmu/; callgrind is told to leave them out. */
#ifndef VELLUM_BENCH_MACHINE_H
#define VELLUM_BENCH_MACHINE_H

#include "mmu/backing.h"
#include "mmu/mmu.h"
#include "model/cpu.h"

#define MACHINE_RAM_HFN 0x40000ull   /* guest frame n is host frame this + n */
#define MACHINE_TABLE_HFN 0x1000ull  /* the first frame that mechanisms get */
#define MACHINE_DIRECT 0xffff888000000000ull /* where the guest's kernel maps all of its memory, by 2-MByte pages */

#define MACHINE_RW (PTE_P | PTE_W | PTE_A | PTE_D)
#define MACHINE_USER (MACHINE_RW | PTE_U)

struct machine {
	struct phys phys;
	struct mmu_caps caps;
	struct mmu_below below;
	struct m_cpu cpu;
	struct vpid_pool vpids;
	struct extent extent;
	struct backing_extents backing;
	struct mmu_vm vm;
	struct mmu_vcpu vcpu;
	struct m_vmcs vmcs;
	struct x_regs regs;       /* the guest's, as the guest sees them */
	uint64_t pages;           /* of guest RAM */
	uint64_t next_hfn;
	uint64_t *spare;          /* freed table frames */
	size_t spares, spare_room;
	uint64_t next_gfn;        /* the guest's own allocator */
	uint64_t guest_tables;    /* pages that it gave to tables */
	uint64_t exits;
	uint64_t emulated;        /* of the exits, those that ended in the emulator */
};

/* What an access came to. */
struct machine_access {
	enum { MACHINE_DIRECTLY, MACHINE_EMULATED, MACHINE_FAULT } how;
	uint64_t hpa; /* MACHINE_DIRECTLY */
	uint64_t gpa; /* MACHINE_EMULATED */
};

/* A machine with that much guest RAM; exits the program where that cannot be had. */
struct machine *machine_new(const struct mmu_ops *ops, uint64_t pages, enum page_limit limit);
void machine_delete(struct machine *m);

/* A page of guest RAM, zeroed; its frame number. */
uint64_t machine_page(struct machine *m);
/* A root table. */
uint64_t machine_root(struct machine *m);
/* The kernel's map of all memory in root. */
void machine_map_direct(struct machine *m, uint64_t root);
/* Puts gfn | flags at va, with what tables that takes; as a loader, not as guest code. */
void machine_map(struct machine *m, uint64_t root, uint64_t va, uint64_t gfn, uint64_t flags);
/* The guest-physical address of the last-level entry for va. */
uint64_t machine_pte(struct machine *m, uint64_t root, uint64_t va);
/* What guest memory holds; and the loader's write. */
uint64_t machine_peek(struct machine *m, uint64_t gpa);
void machine_poke(struct machine *m, uint64_t gpa, uint64_t value);

/* Begins to run, in long mode, with CR3 = root. */
void machine_start(struct machine *m, uint64_t root);

/* What guest code does. */
struct machine_access machine_touch(struct machine *m, uint64_t va, bool write, bool user);
void machine_store(struct machine *m, uint64_t va, uint64_t value); /* by the kernel */
void machine_cr3(struct machine *m, uint64_t root);
void machine_invlpg(struct machine *m, uint64_t va);

#endif
