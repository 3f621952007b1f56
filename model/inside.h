/* model/inside.h - what the model's files share among themselves. */
#ifndef VELLUM_MODEL_INSIDE_H
#define VELLUM_MODEL_INSIDE_H

#include "model/cpu.h"

/* MT_RESTART: only inside of a walk. */
enum m_translated { MT_OK, MT_VIOLATION, MT_MISCONFIG, MT_LOG_FULL, MT_ABORT, MT_RESTART };

/* What one guest-physical address is needed for. */
struct m_need {
	bool r, w, x;
	bool table;       /* a guest paging-structure entry, not the data itself */
	bool speculative; /* change nothing, raise nothing */
	bool gla_valid;
};

struct m_nested {
	enum m_translated how;
	uint64_t hpa;
	uint8_t shift;
	uint16_t flags;   /* MF_E* */
	uint8_t ept_type;
	uint64_t qualification;
};

/* EPT: translates gpa. One beyond what the tables' levels translate is a violation. */
struct m_nested m_nested(struct m_cpu *cpu, uint64_t gpa, struct m_need need);
/* The exit qualification of a violation that the rights in flags (MF_E*) bring about. */
uint64_t m_qualification(const struct m_cpu *cpu, struct m_need need, uint16_t flags);
static inline enum m_exit m_nested_exit(enum m_translated how)
{
	return how == MT_MISCONFIG  ? M_EXIT_EPT_MISCONFIG
	       : how == MT_LOG_FULL ? M_EXIT_LOG_FULL
				    : M_EXIT_EPT_VIOLATION;
}
/* What an EPT violation invalidates by itself. */
void m_violation_drops(struct m_cpu *cpu, uint64_t gpa, bool gla_valid, uint64_t gla);
/* What a page fault invalidates by itself. */
void m_fault_drops(struct m_cpu *cpu, uint64_t va);
/* The PDPTEs of PAE paging are loaded from cr3 for the registers r. M_OK, M_GP, or M_EXIT (not yet out of the
 * guest). */
struct m_result m_load_pdptes(struct m_cpu *cpu, const struct x_regs *r, uint64_t pdpte[4]);

static inline bool m_ept(const struct m_cpu *cpu) { return cpu->vmcs->ept; }
static inline uint64_t m_ep4ta(const struct m_cpu *cpu)
{
	return cpu->vmcs->ept ? cpu->vmcs->eptp & X_ADDRESS_MASK : 0;
}
/* Nested tables of AMD's: in the format of the CPU's own, always with flags, as the walk here sees them in EPT's. */
static inline bool m_npt(const struct m_cpu *cpu) { return cpu->caps->npt; }
uint64_t m_npt_as_ept(const struct m_cpu *cpu, unsigned level, uint64_t e);
static inline uint64_t m_nested_entry(const struct m_cpu *cpu, unsigned level, uint64_t e)
{
	return m_npt(cpu) ? m_npt_as_ept(cpu, level, e) : e;
}
static inline unsigned m_ept_top(const struct m_cpu *cpu)
{
	if (m_npt(cpu))
		return cpu->vmcs->ept ? 4 : 0;
	return cpu->vmcs->ept ? (cpu->vmcs->eptp >> X_EPTP_LENGTH_SHIFT & 7) + 1 : 0;
}
/* Is the physical address in the APIC-access page? */
static inline bool m_apic_access(const struct m_cpu *cpu, uint64_t hpa)
{
	return cpu->vmcs->apic_access && cpu->vmcs->apic_access >> PAGE_SHIFT == hpa >> PAGE_SHIFT;
}
static inline bool m_ept_ad(const struct m_cpu *cpu) { return m_npt(cpu) || (cpu->vmcs->eptp & X_EPTP_AD); }

static inline enum m_class m_tlb_class(unsigned shift)
{
	return shift == 12 ? M_TLB_4K : shift == 30 ? M_TLB_1G : M_TLB_2M;
}
static inline enum m_class m_ntlb_class(unsigned shift)
{
	return shift == 12 ? M_NTLB_4K : shift == 30 ? M_NTLB_1G : M_NTLB_2M;
}
static inline bool m_is_psc(enum m_class c) { return (c >= M_PSC_2 && c <= M_PSC_5) || c >= M_NPSC_2; }

/* Picks among cached entries that may serve: filled by m_find, which also says "none" by chance on an adversarial
 * CPU. */
const struct m_entry *m_find(struct m_cpu *cpu, enum m_class class, const struct m_entry *key);
static inline void m_cache(struct m_cpu *cpu, enum m_class class, struct m_entry *e)
{
	e->stamp = ++cpu->clock;
	m_cache_insert(&cpu->cache[class], e, cpu->adversarial, cpu->adversarial ? m_random(cpu) >> 8 : 0);
}

/* True where current tables no longer back the entry. */
bool m_entry_wrong(struct m_cpu *cpu, enum m_class class, const struct m_entry *e);

#endif
