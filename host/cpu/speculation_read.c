/* host/cpu/speculation_read.c - what this CPU says of itself that the choice of measures depends on. */
#include "host/cpu/speculation.h"

#include "host/cpu/x86.h"

struct speculation_cpu speculation_read(void)
{
	struct speculation_cpu cpu = { 0 };
	struct cpuid l7;

	if (cpuid(CPUID_LEAF_BASIC, 0).eax < CPUID_LEAF_FEATURES)
		return cpu;
	l7 = cpuid(CPUID_LEAF_FEATURES, 0);
	cpu.l7_edx = l7.edx;
	cpu.rtm = l7.ebx & CPUID_7_EBX_RTM;
	if (l7.edx & CPUID_7_EDX_ARCH_CAPABILITIES)
		cpu.arch_capabilities = rdmsr(MSR_ARCH_CAPABILITIES);
	return cpu;
}
