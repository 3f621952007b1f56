/* lib/x86_cpuid.h - bits of what CPUID answers: CPUID_LEAF_REGISTER_FEATURE, the feature as the SDM names it
 * ("CPUID - CPU Identification", "Information Returned by CPUID Instruction"). What is not used has no name. */
#ifndef VELLUM_LIB_X86_CPUID_H
#define VELLUM_LIB_X86_CPUID_H

#include "bits.h"

/* Leaves (EAX), and what they tell. */
#define CPUID_LEAF_BASIC 0x0 /* the highest basic leaf; the vendor */
#define CPUID_LEAF_VERSION 0x1 /* and features */
#define CPUID_LEAF_TLB 0x2
#define CPUID_LEAF_CACHE 0x4
#define CPUID_LEAF_THERMAL 0x6
#define CPUID_LEAF_FEATURES 0x7 /* "Structured Extended Feature Flags" */
#define CPUID_LEAF_PERFMON 0xa
#define CPUID_LEAF_TOPOLOGY 0xb
#define CPUID_LEAF_XSTATE 0xd
#define CPUID_LEAF_TSC 0x15
#define CPUID_LEAF_FREQUENCY 0x16
#define CPUID_LEAF_HYPERVISOR 0x40000000
#define CPUID_LEAF_EXTENDED 0x80000000 /* the highest extended leaf */
#define CPUID_LEAF_EXTENDED_FEATURES 0x80000001
#define CPUID_LEAF_BRAND 0x80000002 /* and two more */
#define CPUID_LEAF_BRAND_LAST 0x80000004
#define CPUID_LEAF_POWER 0x80000007
#define CPUID_LEAF_ADDRESS_SIZES 0x80000008
#define CPUID_LEAF_SVM 0x8000000a /* AMD's: EAX revision, EBX number of ASIDs */

/* Leaf 0. */
#define CPUID_0_ECX_AMD 0x444d4163 /* the last part of "AuthenticAMD" */

/* Leaf 1. */
#define CPUID_1_EAX_FAMILY(eax) ((eax) >> 8 & 15)
#define CPUID_1_EAX_MODEL(eax) (((eax) >> 4 & 15) | ((eax) >> 12 & 0xf0)) /* of families 6 and 15 */
#define CPUID_1_ECX_SSE3 BIT(0)
#define CPUID_1_ECX_PCLMULQDQ BIT(1)
#define CPUID_1_ECX_MONITOR BIT(3)
#define CPUID_1_ECX_VMX BIT(5)
#define CPUID_1_ECX_SMX BIT(6)
#define CPUID_1_ECX_SSSE3 BIT(9)
#define CPUID_1_ECX_FMA BIT(12)
#define CPUID_1_ECX_CMPXCHG16B BIT(13)
#define CPUID_1_ECX_PDCM BIT(15)
#define CPUID_1_ECX_PCID BIT(17)
#define CPUID_1_ECX_SSE4_1 BIT(19)
#define CPUID_1_ECX_SSE4_2 BIT(20)
#define CPUID_1_ECX_X2APIC BIT(21)
#define CPUID_1_ECX_MOVBE BIT(22)
#define CPUID_1_ECX_POPCNT BIT(23)
#define CPUID_1_ECX_TSC_DEADLINE BIT(24)
#define CPUID_1_ECX_AESNI BIT(25)
#define CPUID_1_ECX_XSAVE BIT(26)
#define CPUID_1_ECX_OSXSAVE BIT(27)
#define CPUID_1_ECX_AVX BIT(28)
#define CPUID_1_ECX_F16C BIT(29)
#define CPUID_1_ECX_RDRAND BIT(30)
#define CPUID_1_ECX_HYPERVISOR BIT(31) /* 0 on every CPU, so a hypervisor's to set */
#define CPUID_1_EDX_FPU BIT(0)
#define CPUID_1_EDX_VME BIT(1)
#define CPUID_1_EDX_DE BIT(2)
#define CPUID_1_EDX_PSE BIT(3)
#define CPUID_1_EDX_TSC BIT(4)
#define CPUID_1_EDX_MSR BIT(5)
#define CPUID_1_EDX_PAE BIT(6)
#define CPUID_1_EDX_MCE BIT(7)
#define CPUID_1_EDX_CX8 BIT(8)
#define CPUID_1_EDX_APIC BIT(9)
#define CPUID_1_EDX_SEP BIT(11)
#define CPUID_1_EDX_MTRR BIT(12)
#define CPUID_1_EDX_PGE BIT(13)
#define CPUID_1_EDX_MCA BIT(14)
#define CPUID_1_EDX_CMOV BIT(15)
#define CPUID_1_EDX_PAT BIT(16)
#define CPUID_1_EDX_PSE36 BIT(17)
#define CPUID_1_EDX_CLFSH BIT(19)
#define CPUID_1_EDX_MMX BIT(23)
#define CPUID_1_EDX_FXSR BIT(24)
#define CPUID_1_EDX_SSE BIT(25)
#define CPUID_1_EDX_SSE2 BIT(26)
#define CPUID_1_EDX_SS BIT(27)
#define CPUID_1_EDX_HTT BIT(28) /* the number of logical CPUs counts */

/* Leaf 4. */
#define CPUID_4_EAX_TYPE MASK(4, 0) /* 0: there are no more caches */
#define CPUID_4_EAX_LEVEL(eax) ((eax) >> 5 & 7)
#define CPUID_4_EAX_SHARED_SHIFT 14
#define CPUID_4_EAX_CORES_SHIFT 26
#define CPUID_4_EAX_SHARING MASK(31, 14) /* logical CPUs that share the cache, and cores; less 1 */

/* Leaf 6. */
#define CPUID_6_EAX_ARAT BIT(2) /* the APIC timer always runs */

/* Leaf 7, subleaf 0. */
#define CPUID_7_EBX_FSGSBASE BIT(0)
#define CPUID_7_EBX_TSC_ADJUST BIT(1)
#define CPUID_7_EBX_SGX BIT(2)
#define CPUID_7_EBX_BMI1 BIT(3)
#define CPUID_7_EBX_AVX2 BIT(5)
#define CPUID_7_EBX_SMEP BIT(7)
#define CPUID_7_EBX_BMI2 BIT(8)
#define CPUID_7_EBX_ERMS BIT(9)
#define CPUID_7_EBX_INVPCID BIT(10)
#define CPUID_7_EBX_RTM BIT(11)
#define CPUID_7_EBX_AVX512F BIT(16)
#define CPUID_7_EBX_AVX512DQ BIT(17)
#define CPUID_7_EBX_RDSEED BIT(18)
#define CPUID_7_EBX_ADX BIT(19)
#define CPUID_7_EBX_SMAP BIT(20)
#define CPUID_7_EBX_AVX512_IFMA BIT(21)
#define CPUID_7_EBX_CLFLUSHOPT BIT(23)
#define CPUID_7_EBX_CLWB BIT(24)
#define CPUID_7_EBX_AVX512CD BIT(28)
#define CPUID_7_EBX_SHA BIT(29)
#define CPUID_7_EBX_AVX512BW BIT(30)
#define CPUID_7_EBX_AVX512VL BIT(31)
#define CPUID_7_ECX_AVX512_VBMI BIT(1)
#define CPUID_7_ECX_UMIP BIT(2)
#define CPUID_7_ECX_PKU BIT(3)
#define CPUID_7_ECX_OSPKE BIT(4)
#define CPUID_7_ECX_AVX512_VBMI2 BIT(6)
#define CPUID_7_ECX_CET_SS BIT(7)
#define CPUID_7_ECX_GFNI BIT(8)
#define CPUID_7_ECX_VAES BIT(9)
#define CPUID_7_ECX_VPCLMULQDQ BIT(10)
#define CPUID_7_ECX_AVX512_VNNI BIT(11)
#define CPUID_7_ECX_AVX512_BITALG BIT(12)
#define CPUID_7_ECX_AVX512_VPOPCNTDQ BIT(14)
#define CPUID_7_ECX_LA57 BIT(16) /* 5-level paging */
#define CPUID_7_ECX_KL BIT(23)
#define CPUID_7_ECX_PKS BIT(31)
#define CPUID_7_EDX_MD_CLEAR BIT(10)
#define CPUID_7_EDX_CET_IBT BIT(20)
#define CPUID_7_EDX_SPEC_CTRL BIT(26) /* IBRS and IBPB */
#define CPUID_7_EDX_STIBP BIT(27)
#define CPUID_7_EDX_L1D_FLUSH BIT(28)
#define CPUID_7_EDX_ARCH_CAPABILITIES BIT(29)
#define CPUID_7_EDX_SSBD BIT(31)

/* Leaf 0xa. */
#define CPUID_A_EAX_VERSION MASK(7, 0) /* of architectural performance monitoring; 0: none */

/* Leaf 0xd, subleaf 1; and subleaf n > 1, of the state component n. */
#define CPUID_D_1_EAX_XSAVEOPT BIT(0)
#define CPUID_D_1_EAX_XSAVEC BIT(1)
#define CPUID_D_1_EAX_XGETBV1 BIT(2)
#define CPUID_D_1_EAX_XSAVES BIT(3)
#define CPUID_D_N_ECX_ALIGNED BIT(1) /* in the compacted format at a multiple of 64 bytes */

/* Leaf 0x80000001. */
#define CPUID_80000001_ECX_LAHF BIT(0)
#define CPUID_80000001_ECX_SVM BIT(2) /* AMD's */
#define CPUID_80000001_ECX_LZCNT BIT(5)
#define CPUID_80000001_ECX_PREFETCHW BIT(8)
#define CPUID_80000001_EDX_SYSCALL BIT(11)
#define CPUID_80000001_EDX_NX BIT(20) /* "execute disable bit" */
#define CPUID_80000001_EDX_PAGE1GB BIT(26)
#define CPUID_80000001_EDX_RDTSCP BIT(27)
#define CPUID_80000001_EDX_LM BIT(29) /* Intel 64 */

/* Leaf 0x80000007. */
#define CPUID_80000007_EDX_INVARIANT_TSC BIT(8) /* it never stops and never changes its rate */

/* Leaf 0x8000000a (APM, volume 3, "Function 8000_000Ah - SVM Features"). */
#define CPUID_8000000A_EDX_NP BIT(0)            /* nested paging */
#define CPUID_8000000A_EDX_NRIPS BIT(3)         /* an exit tells the next RIP */
#define CPUID_8000000A_EDX_FLUSH_BY_ASID BIT(6)
#define CPUID_8000000A_EDX_PAUSE_FILTER BIT(10)
#define CPUID_8000000A_EDX_PAUSE_THRESHOLD BIT(12)

/* What works with the state components of AVX-512 only (XCR0_AVX512). */
#define CPUID_7_EBX_AVX512 \
	(CPUID_7_EBX_AVX512F | CPUID_7_EBX_AVX512DQ | CPUID_7_EBX_AVX512_IFMA | CPUID_7_EBX_AVX512CD | \
	 CPUID_7_EBX_AVX512BW | CPUID_7_EBX_AVX512VL)
#define CPUID_7_ECX_AVX512 \
	(CPUID_7_ECX_AVX512_VBMI | CPUID_7_ECX_AVX512_VBMI2 | CPUID_7_ECX_AVX512_VNNI | CPUID_7_ECX_AVX512_BITALG | \
	 CPUID_7_ECX_AVX512_VPOPCNTDQ)

#endif
