/* model/cpu.h - one logical processor's memory side, with VT-x: translation, faults, VM exits, and everything that
 * caching of translations makes visible.
 *
 * Implements SDM, "Paging", "Caching Translation Information" (in both places: of paging and of VMX), "The Extended
 * Page Table Mechanism (EPT)", and of VM entries and exits what concerns them.
 *
 * M3: what is cached is used only while its tags are current: linear mappings without EPT, guest-physical and combined
 *     ones with it.
 * M4: nothing is cached from an entry that is not present, has a reserved bit, or whose accessed flag is clear.
 *     Neither flushes nor accesses change what SDM, "Virtualizing Memory-Mapped APIC Accesses", says: it is the
 *     physical address that counts, however it was come by.
 * M5: an adversarial CPU drops nothing before the architecture demands it, serves any of the versions it may serve, and
 *     reads ahead. */
#ifndef VELLUM_MODEL_CPU_H
#define VELLUM_MODEL_CPU_H

#include "mmu/caps.h"
#include "model/cache.h"
#include "model/format.h"
#include "model/phys.h"

/* The caches of a CPU: translations by page size, and paging-structure caches by the level of the entry that they keep;
 * the same for guest-physical mappings. 4-MByte pages share M_TLB_2M. */
enum m_class {
	M_TLB_4K, M_TLB_2M, M_TLB_1G,
	M_PSC_2, M_PSC_3, M_PSC_4, M_PSC_5,
	M_NTLB_4K, M_NTLB_2M, M_NTLB_1G,
	M_NPSC_2, M_NPSC_3, M_NPSC_4, M_NPSC_5,
	M_CLASSES
};

struct m_geometry {
	struct { uint16_t sets, ways; } of[M_CLASSES]; /* 0 ways: the CPU has no such cache */
	bool adversarial;
};
extern const struct m_geometry m_geometry_adversarial;
extern const struct m_geometry m_geometry_plain;

/* What a VM entry loads and a VM exit saves. */
struct m_vmcs {
	struct x_regs guest;
	bool ept;
	uint64_t eptp;
	uint16_t vpid; /* 0: "enable VPID" off */
	bool pf_intercept;
	uint32_t pf_mask, pf_match;
	uint64_t cr0_mask, cr0_shadow, cr4_mask, cr4_shadow;
	bool cr3_load_exiting, cr3_store_exiting, invlpg_exiting;
	/* SDM, "Page-Modification Logging": where entries are written; 0: "enable PML" off. And the PML index. */
	uint64_t pml;
	uint16_t pml_index;
	uint64_t pml_kept; /* not the CPU's: the address that the index is for */
	uint64_t apic_access; /* the APIC-access address, none of whose registers is virtualized; 0: there is none */
};

enum m_event {
	M_OK,   /* done */
	M_PF,   /* #PF, delivered in the guest: error, gla */
	M_GP,   /* #GP(0), delivered in the guest */
	M_EXIT, /* a VM exit: exit, and what goes with it; the CPU is outside the guest now */
};
enum m_exit {
	M_EXIT_PF,
	M_EXIT_EPT_VIOLATION,
	M_EXIT_EPT_MISCONFIG,
	M_EXIT_CR0,
	M_EXIT_CR3,
	M_EXIT_CR4,
	M_EXIT_INVLPG,
	M_EXIT_INVPCID,
	/* qualification: bits 15:12 are 0 for a read, 1 a write, 2 a fetch, 15 a guest-physical access */
	M_EXIT_APIC_ACCESS,
	M_EXIT_LOG_FULL /* of page modifications */
};

struct m_result {
	enum m_event event;
	enum m_exit exit;
	uint64_t gla, gpa;      /* of a fault or exit */
	uint32_t error;
	uint64_t qualification;
	uint64_t hpa;           /* M_OK: where the access went */
	uint8_t ept_type;       /* M_OK with EPT: memory type, and 8 for "ignore PAT" */
	uint8_t pat;
	bool cached;            /* M_OK: a TLB answered */
};

struct m_stats {
	uint64_t accesses, tlb_hits, walks, references, speculations;
	/* accessed and dirty flags written into paging-structure entries of linear paging */
	uint64_t flags_set;
	uint64_t flushes, flushes_idle; /* by software, outside the guest; those that dropped nothing that was wrong */
};

struct m_cpu {
	struct phys *phys;
	const struct mmu_caps *caps;
	struct x_regs regs;     /* valid in the guest */
	struct m_vmcs *vmcs;    /* NULL: outside the guest */
	struct m_cache cache[M_CLASSES];
	bool adversarial;
	bool account;           /* judge every INVVPID and INVEPT (slow) */
	uint64_t chance;        /* state of the random choices; never 0 */
	uint64_t clock;
	struct m_stats stats;
};

bool m_cpu_init(struct m_cpu *cpu, struct phys *phys, const struct mmu_caps *caps, const struct m_geometry *g);
void m_cpu_fini(struct m_cpu *cpu);
/* Starts the random choices anew, so that a step's choices do not depend on the steps before. */
static inline void m_cpu_seed(struct m_cpu *cpu, uint64_t seed) { cpu->chance = seed * 2 + 1; }
uint64_t m_random(struct m_cpu *cpu);

/* VM entry. NULL, or one clause that says what the entry checks refuse. */
const char *m_entry(struct m_cpu *cpu, struct m_vmcs *vmcs);
/* A VM exit for a reason of the outside's (an interrupt, say). */
void m_exit(struct m_cpu *cpu);

/* What the guest does. va is canonical (or 32 bits wide, by mode), but for INVLPG; nothing crosses a page. */
struct m_result m_access(struct m_cpu *cpu, uint64_t va, struct x_access access);
struct m_result m_mov_cr0(struct m_cpu *cpu, uint64_t value);
struct m_result m_mov_cr3(struct m_cpu *cpu, uint64_t value);
struct m_result m_mov_cr4(struct m_cpu *cpu, uint64_t value);
struct m_result m_invlpg(struct m_cpu *cpu, uint64_t va);
struct m_result m_invpcid(struct m_cpu *cpu, unsigned type, uint16_t pcid, uint64_t va);
/* The CPU translates ahead of any access: fills caches as the architecture lets it, and changes nothing else. */
void m_speculate(struct m_cpu *cpu, uint64_t va);

/* Can this CPU, in the guest as it is now, still get to the frame through what it has cached, or by its root? */
bool m_reaches(const struct m_cpu *cpu, uint64_t frame);

/* What the hypervisor executes (SDM, INVVPID and INVEPT), outside the guest, on tables of four levels. false: VMfail,
 * nothing was invalidated. */
bool m_invvpid(struct m_cpu *cpu, unsigned type, uint16_t vpid, uint64_t va);
bool m_invept(struct m_cpu *cpu, unsigned type, uint64_t eptp);

/* The entries that tables hold now for va (without EPT) or gpa (with), as text. */
void m_describe(struct phys *p, const struct m_vmcs *v, uint64_t va, uint64_t gpa, char *buf, size_t room);

/* The model's own: invalidations by what they cover. */
struct m_cover {
	bool linear, guest_physical, combined;
	bool all_vpids, all_vpids_but_0, all_pcids, all_ep4ta;
	bool keep_globals;     /* of translations; paging-structure caches have none */
	bool one_address;
	bool psc_all;          /* with one_address: paging-structure caches wholly, as INVLPG */
	bool globals_any_pcid; /* with one_address: a global translation goes whatever its PCID */
	uint64_t va;
	uint16_t vpid, pcid;
	uint64_t ep4ta;
};
/* Returns how many entries went; *wrong, when not NULL, counts those that current tables do not back. */
unsigned m_invalidate(struct m_cpu *cpu, const struct m_cover *cover, unsigned *wrong);

#endif
