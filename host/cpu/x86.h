/* host/cpu/x86.h - the instructions that C has no words for; the bits and MSRs that they are about. */
#ifndef VELLUM_HOST_X86_H
#define VELLUM_HOST_X86_H

#include "lib/base.h"
#include "lib/port_io.h"
#include "lib/x86.h"
#include "lib/x86_cpuid.h"
#include "lib/x86_insn.h"
#include "lib/x86_msr.h"

struct cpuid { uint32_t eax, ebx, ecx, edx; };

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;

	cpuid_insn(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);
	return r;
}

#define DEFINE_CR(n) \
	static inline uint64_t read_cr##n(void) \
	{ \
		uint64_t v; \
		__asm__ volatile("mov %%cr" #n ", %0" : "=r"(v)); \
		return v; \
	} \
	static inline void write_cr##n(uint64_t v) { __asm__ volatile("mov %0, %%cr" #n : : "r"(v) : "memory"); }
DEFINE_CR(0)
DEFINE_CR(2)
DEFINE_CR(3)
DEFINE_CR(4)
#undef DEFINE_CR

static inline uint64_t read_dr6(void)
{
	uint64_t v;
	__asm__ volatile("mov %%dr6, %0" : "=r"(v));
	return v;
}
static inline void write_dr6(uint64_t v) { __asm__ volatile("mov %0, %%dr6" : : "r"(v)); }

static inline void xsetbv(uint32_t index, uint64_t v)
{
	__asm__ volatile("xsetbv" : : "c"(index), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

/* CR4.PKE is set (SDM, RDPKRU). */
static inline uint32_t rdpkru(void)
{
	uint32_t pkru;

	__asm__ volatile("rdpkru" : "=a"(pkru) : "c"(0) : "edx");
	return pkru;
}

static inline void cpu_relax(void) { __asm__ volatile("pause" : : : "memory"); }
static inline void irq_disable(void) { __asm__ volatile("cli" : : : "memory"); }
/* Takes the interrupts that are pending, if any, and goes on with interrupts off. STI holds them back for one
 * instruction: the NOP's end is where they come, and none comes between STI and HLT below (SDM, STI). */
static inline void irq_window(void) { __asm__ volatile("sti; nop; cli" : : : "memory"); }
/* Sleeps until an interrupt was taken. */
static inline void irq_wait(void) { __asm__ volatile("sti; hlt; cli" : : : "memory"); }

#endif
