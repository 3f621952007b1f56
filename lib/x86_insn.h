/* lib/x86_insn.h - RDMSR, WRMSR, RDTSC and CPUID, for the hypervisor and the test kernels, of 64 and of 32 bits. */
#ifndef VELLUM_LIB_X86_INSN_H
#define VELLUM_LIB_X86_INSN_H

#include <stdint.h>

/* RDMSR and RDTSC clear the upper halves of both registers (SDM, RDMSR, RDTSC): lo and hi, as wide as those, say so. */
static inline uint64_t rdmsr(uint32_t msr)
{
	unsigned long lo, hi;
	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

static inline uint64_t rdtsc(void)
{
	unsigned long lo, hi;
	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

/* eax, ebx, ecx, edx; each side has a struct cpuid of its own. */
static inline void cpuid_insn(uint32_t leaf, uint32_t subleaf, uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
	__asm__ volatile("cpuid" : "=a"(*a), "=b"(*b), "=c"(*c), "=d"(*d) : "a"(leaf), "c"(subleaf));
}

#endif
