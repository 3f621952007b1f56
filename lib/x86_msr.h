/* lib/x86_msr.h - model-specific registers: their numbers, named as in the SDM's "Architectural MSRs" but for IA32_,
 * and their bits; for C and for assembly. What is not used has no name. */
#ifndef VELLUM_LIB_X86_MSR_H
#define VELLUM_LIB_X86_MSR_H

#include "bits.h"

#define MSR_TSC 0x10 /* IA32_TIME_STAMP_COUNTER */
#define MSR_PLATFORM_ID 0x17
#define MSR_APIC_BASE 0x1b
#define MSR_FEATURE_CONTROL 0x3a
#define MSR_TSC_ADJUST 0x3b
#define MSR_SPEC_CTRL 0x48
#define MSR_PRED_CMD 0x49
#define MSR_BIOS_UPDT_TRIG 0x79
#define MSR_BIOS_SIGN_ID 0x8b
#define MSR_PMC0 0xc1
#define MSR_PKG_CST_CONFIG_CONTROL 0xe2
#define MSR_MTRRCAP 0xfe
#define MSR_ARCH_CAPABILITIES 0x10a
#define MSR_FLUSH_CMD 0x10b
#define MSR_TSX_CTRL 0x122
#define MSR_SYSENTER_CS 0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176
#define MSR_MCG_CAP 0x179
#define MSR_MCG_STATUS 0x17a
#define MSR_MCG_CTL 0x17b
#define MSR_PERFEVTSEL0 0x186
#define MSR_THERM_STATUS 0x19c
#define MSR_MISC_ENABLE 0x1a0
#define MSR_DEBUGCTL 0x1d9
#define MSR_MTRR_PHYSBASE0 0x200 /* and for each, two on: PHYSBASE, PHYSMASK */
#define MSR_MTRR_FIX64K_00000 0x250
#define MSR_MTRR_FIX16K_80000 0x258
#define MSR_MTRR_FIX16K_A0000 0x259
#define MSR_MTRR_FIX4K_C0000 0x268
#define MSR_MTRR_FIX4K_F8000 0x26f
#define MSR_PAT 0x277
#define MSR_MTRR_DEF_TYPE 0x2ff
#define MSR_FIXED_CTR0 0x309
#define MSR_PERF_CAPABILITIES 0x345
#define MSR_FIXED_CTR_CTRL 0x38d
#define MSR_PERF_GLOBAL_CTRL 0x38f
#define MSR_PERF_GLOBAL_STATUS_RESET 0x390
#define MSR_PEBS_ENABLE 0x3f1
#define MSR_MC0_CTL 0x400 /* and for each bank, four on: CTL, STATUS, ADDR, MISC */
#define MSR_VMX_BASIC 0x480
#define MSR_VMX_PINBASED_CTLS 0x481
#define MSR_VMX_PROCBASED_CTLS 0x482
#define MSR_VMX_EXIT_CTLS 0x483
#define MSR_VMX_ENTRY_CTLS 0x484
#define MSR_VMX_MISC 0x485
#define MSR_VMX_CR0_FIXED0 0x486
#define MSR_VMX_CR0_FIXED1 0x487
#define MSR_VMX_CR4_FIXED0 0x488
#define MSR_VMX_CR4_FIXED1 0x489
#define MSR_VMX_PROCBASED_CTLS2 0x48b
#define MSR_VMX_EPT_VPID_CAP 0x48c
#define MSR_VMX_TRUE_PINBASED_CTLS 0x48d
#define MSR_VMX_TRUE_PROCBASED_CTLS 0x48e
#define MSR_VMX_TRUE_EXIT_CTLS 0x48f
#define MSR_VMX_TRUE_ENTRY_CTLS 0x490
#define MSR_RTIT_OUTPUT_BASE 0x560
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC_FIRST 0x800 /* + offset / 16 of the register in xAPIC mode */
#define MSR_X2APIC(reg) (MSR_X2APIC_FIRST + (reg) / 16) /* of a register of lib/apic.h */
#define MSR_X2APIC_APICID 0x802
#define MSR_X2APIC_VERSION 0x803
#define MSR_X2APIC_TPR 0x808
#define MSR_X2APIC_EOI 0x80b
#define MSR_X2APIC_LDR 0x80d
#define MSR_X2APIC_SIVR 0x80f
#define MSR_X2APIC_ICR 0x830
#define MSR_X2APIC_LVT_TIMER 0x832
#define MSR_X2APIC_INIT_COUNT 0x838
#define MSR_X2APIC_DIV_CONF 0x83e
#define MSR_X2APIC_SELF_IPI 0x83f
#define MSR_X2APIC_LAST 0x8ff
#define MSR_BNDCFGS 0xd90
#define MSR_XSS 0xda0
/* Software's and AMD's, for who tries what there is not. */
#define MSR_HYPERV_GUEST_OS_ID 0x40000000
#define MSR_KVM_WALL_CLOCK_NEW 0x4b564d00
/* Bit maps of MSRs speak of this many from 0, and of as many from the second number ("MSR-Bitmap Address"). */
#define MSR_RANGE 0x2000u
#define MSR_HIGH_FIRST 0xc0000000u
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define STAR_SYSCALL_SHIFT 32 /* where it has the selectors that SYSCALL loads, and SYSRET */
#define STAR_SYSRET_SHIFT 48
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_FMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX 0xc0000103
#define MSR_AMD_SYSCFG 0xc0010010
#define MSR_AMD_HWCR 0xc0010015
#define MSR_AMD_NB_CFG 0xc001001f
#define MSR_AMD_INT_PENDING 0xc0010055
#define MSR_AMD_TSEG_ADDR 0xc0010112
#define MSR_AMD_TSEG_MASK 0xc0010113
#define MSR_VM_CR 0xc0010114       /* AMD's, as the next */
#define MSR_VM_HSAVE_PA 0xc0010117

/* IA32_APIC_BASE: "Local APIC Status and Location", "x2APIC Mode". */
#define APIC_BASE_BSP BIT(8)
#define APIC_BASE_EXTD BIT(10)
#define APIC_BASE_EN BIT(11)
#define APIC_BASE_ADDRESS MASK(51, 12) /* up to the CPU's width */

/* IA32_FEATURE_CONTROL: "Enabling and Entering VMX Operation". */
#define FEATURE_CONTROL_LOCK BIT(0)
#define FEATURE_CONTROL_VMX BIT(2) /* outside SMX operation */

/* VM_CR: APM, "VM_CR MSR". */
#define VM_CR_LOCK BIT(3)
#define VM_CR_SVMDIS BIT(4)

/* "Memory Type Range Registers (MTRRs)": IA32_MTRRCAP, _DEF_TYPE, _PHYSBASEn, _PHYSMASKn; "Page Attribute
 * Table (PAT)". */
#define MTRRCAP_FIX BIT(8)
#define MTRRCAP_VCNT MASK(7, 0)
#define MTRR_DEF_TYPE_FE BIT(10)
#define MTRR_DEF_TYPE_E BIT(11)
#define MTRR_PHYSBASE_RESERVED MASK(11, 8)
#define MTRR_PHYSMASK_V BIT(11)
#define MTRR_PHYSMASK_RESERVED MASK(10, 0)
#define MTRR_FIXED(type) (0x0101010101010101 * (type)) /* all eight ranges of one */
#define PAT_AFTER_RESET 0x0007040600070406

/* IA32_MISC_ENABLE. */
#define MISC_ENABLE_FAST_STRING BIT(0)
#define MISC_ENABLE_THERMAL_CONTROL BIT(3)
#define MISC_ENABLE_PERFMON BIT(7)
#define MISC_ENABLE_BTS_UNAVAILABLE BIT(11)
#define MISC_ENABLE_PEBS_UNAVAILABLE BIT(12)
#define MISC_ENABLE_SPEEDSTEP BIT(16)
#define MISC_ENABLE_MONITOR BIT(18)
#define MISC_ENABLE_LIMIT_CPUID BIT(22)
#define MISC_ENABLE_XTPR_DISABLE BIT(23)
#define MISC_ENABLE_XD_DISABLE BIT(34)

/* IA32_SPEC_CTRL, IA32_PRED_CMD, IA32_FLUSH_CMD; IA32_ARCH_CAPABILITIES (Intel's guidance on speculative
 * execution, "CPUID Enumeration and Architectural MSRs"). */
#define SPEC_CTRL_IBRS BIT(0)
#define SPEC_CTRL_STIBP BIT(1)
#define SPEC_CTRL_SSBD BIT(2)
#define PRED_CMD_IBPB BIT(0)
#define FLUSH_CMD_L1D BIT(0)
#define ARCH_RDCL_NO BIT(0)
#define ARCH_IBRS_ALL BIT(1)
#define ARCH_RSBA BIT(2)
#define ARCH_SKIP_L1DFL BIT(3)
#define ARCH_SSB_NO BIT(4)
#define ARCH_MDS_NO BIT(5)
#define ARCH_PSCHANGE_MC_NO BIT(6)
#define ARCH_TAA_NO BIT(8)
#define ARCH_SBDR_SSDP_NO BIT(13)
#define ARCH_FBSDP_NO BIT(14)
#define ARCH_PSDP_NO BIT(15)
#define ARCH_FB_CLEAR BIT(17)
#define ARCH_RRSBA BIT(19)
#define ARCH_BHI_NO BIT(20)
#define ARCH_PBRSB_NO BIT(24)
#define ARCH_RFDS_NO BIT(27)
#define ARCH_RFDS_CLEAR BIT(28)

/* "Machine-Check Architecture": IA32_MCG_CAP, IA32_MCG_STATUS, IA32_MCi_STATUS. */
#define MCG_CAP_COUNT MASK(7, 0)
#define MCG_CAP_CTL BIT(8)
#define MCG_CAP_SER_P BIT(24)
#define MCG_STATUS_RIPV BIT(0) /* what was interrupted can go on at the saved RIP */
#define MCG_STATUS_EIPV BIT(1) /* the saved RIP has to do with the error */
#define MCG_STATUS_MCIP BIT(2)
#define MCI_STATUS_AR BIT(55)
#define MCI_STATUS_S BIT(56)
#define MCI_STATUS_PCC BIT(57)
#define MCI_STATUS_ADDRV BIT(58)
#define MCI_STATUS_UC BIT(61)
#define MCI_STATUS_OVER BIT(62)
#define MCI_STATUS_VAL BIT(63)

#endif
