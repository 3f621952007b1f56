/* hvm/common.h - what vmx/ and svm/ do alike: how a virtual CPU begins, what of the CPU paging sees, what always exits
 * and what never does. */
#ifndef VELLUM_HVM_COMMON_H
#define VELLUM_HVM_COMMON_H

#include "host/cpu/x86.h"
#include "hvm/guards.h"
#include "hvm/types.h"
#include "lib/mutants/mutate.h"
#include "lib/x86.h"
#include "lib/x86_cpuid.h"
#include "lib/x86_msr.h"

/* Exceptions that exit whatever the guest does; see vm/exit/exception.c. */
#define HVM_EXCEPTIONS_ALWAYS (BIT(VECTOR_DB) | BIT(VECTOR_AC) | BIT(VECTOR_MC))

/* PAUSEs with no more ticks of the TSC between them are a loop. */
#define HVM_PAUSE_GAP 128

/* MSRs that the guest reads and writes without an exit, where the CPU has them: entries and exits switch them, or they
 * change hands with the vCPU (vm/cpu/resident.c). A WRMSR that does not exit is checked by the CPU itself: an address
 * that is not canonical is the guest's #GP, and no WRMSR of the host's (CVE-2014-3610). Beside them IA32_TSC_AUX, and
 * reads of the TSC, to which the CPU adds the offset. */
#define HVM_FREE_MSRS \
	MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_STAR, \
	MSR_LSTAR, MSR_CSTAR, MSR_FMASK

/* ---- what the CPU can do ---- */

/* SDM, "Enumeration of Paging Features by CPUID": 36 bits where no leaf says the width. A basic leaf above the highest
 * answers as the highest does, and so is not asked for. */
static inline struct cpuid hvm_features(void)
{
	if (VM_LEFT_OUT_OR(CAPS_LEAF7, cpuid(CPUID_LEAF_BASIC, 0).eax >= CPUID_LEAF_FEATURES))
		return cpuid(CPUID_LEAF_FEATURES, 0);
	return (struct cpuid){ 0 };
}

static inline void hvm_read_paging(struct mmu_caps *m)
{
	uint32_t max_extended = cpuid(CPUID_LEAF_EXTENDED, 0).eax;
	struct cpuid l1 = cpuid(CPUID_LEAF_VERSION, 0), e1 = cpuid(CPUID_LEAF_EXTENDED_FEATURES, 0);
	struct cpuid l7 = hvm_features();

	m->maxphyaddr = VM_LEFT_OUT_OR(CAPS_WIDTH, max_extended >= CPUID_LEAF_ADDRESS_SIZES) ?
				(uint8_t)cpuid(CPUID_LEAF_ADDRESS_SIZES, 0).eax : 36;
	m->nx = e1.edx & CPUID_80000001_EDX_NX;
	m->page_1g = e1.edx & CPUID_80000001_EDX_PAGE1GB;
	m->pcid = l1.ecx & CPUID_1_ECX_PCID;
	m->smep = l7.ebx & CPUID_7_EBX_SMEP;
	m->smap = l7.ebx & CPUID_7_EBX_SMAP;
	m->pku = l7.ecx & CPUID_7_ECX_PKU;
	m->la57 = l7.ecx & CPUID_7_ECX_LA57;
}

/* What the hypervisor itself needs in CR4: the guest's FPU and vector state is switched whole, and its PKRU is read
 * where it stays in the CPU. Keys are for user-mode pages, and the hypervisor has none (SDM, "Protection Keys"). */
static inline uint64_t hvm_host_cr4(void)
{
	return CR4_OSFXSR | CR4_OSXMMEXCPT |
	       (cpuid(CPUID_LEAF_VERSION, 0).ecx & CPUID_1_ECX_XSAVE ? CR4_OSXSAVE : 0) |
	       (hvm_features().ecx & CPUID_7_ECX_PKU ? CR4_PKE : 0);
}

/* ---- how a virtual CPU begins ---- */

/* Of real mode's 256 vectors, at address 0 (SDM, "Interrupt and Exception Handling"). */
#define REAL_MODE_IDT_LIMIT (256u * 4 - 1)

struct hvm_first {
	struct segment_state segment[SEG_TR + 1];
	struct table_register gdtr, idtr;
};

/* TR must be usable, of a busy TSS; LDTR need not be (SDM, "Checks on Guest Segment Registers"). In protected mode IDTR
 * is still the firmware's, of real mode, where a kernel may go back to with it. */
static inline struct hvm_first hvm_first_protected(const struct hvm_start *s)
{
	struct segment_state data = { s->ds, 0xffffffff, SEGMENT_FLAT_DATA, 0 };
	struct segment_state code = { s->cs, 0xffffffff, s->long_mode ? SEGMENT_FLAT_CODE64 : SEGMENT_FLAT_CODE32, 0 };

	return (struct hvm_first){
		.segment = { data, code, data, data, data, data, { 0, 0, SEGMENT_NO_LDT, 0 },
			     { 0, TSS_LIMIT_LEAST, SEGMENT_TSS_BUSY, 0 } },
		.gdtr = { s->gdt_base, s->gdt_limit },
		.idtr = { 0, s->long_mode ? 0 : REAL_MODE_IDT_LIMIT },
	};
}

/* SDM, "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT"; APM, "Processor Initialization
 * State". */
static inline struct hvm_first hvm_first_reset(const struct hvm_start *s)
{
	struct segment_state data = { 0, 0xffff, SEGMENT_DATA16, 0 };
	struct segment_state code = { s->cs, 0xffff, SEGMENT_CODE16, s->cs_base };

	return (struct hvm_first){
		.segment = { data, code, data, data, data, data, { 0, 0xffff, SEGMENT_LDT, 0 },
			     { 0, 0xffff, SEGMENT_TSS_BUSY, 0 } },
		.gdtr = { 0, 0xffff },
		.idtr = { 0, 0xffff },
	};
}

static inline struct hvm_first hvm_first(const struct hvm_start *s)
{
	return s->real_mode ? hvm_first_reset(s) : hvm_first_protected(s);
}

static inline void hvm_write_gpr(struct hvm_vcpu *v, const struct hvm_start *start)
{
	memset(v->gpr, 0, sizeof(v->gpr));
	v->gpr[GPR_RAX] = start->rax;
	v->gpr[GPR_RBX] = start->rbx;
	v->gpr[GPR_RDX] = start->rdx;
	v->gpr[GPR_RSI] = start->rsi;
}

/* The vCPU gets the CPU, which may have the host's value of IA32_SPEC_CTRL for another one, whose guards are others. */
static inline void hvm_load_guards(const struct hvm_vcpu *v)
{
	if (VM_KEPT(LOAD_SPEC_CTRL, v->guards & GUARD_SPEC_CTRL))
		wrmsr(MSR_SPEC_CTRL, v->spec_host);
	if (VM_KEPT(LOAD_IBPB, v->guards & GUARD_IBPB))
		wrmsr(MSR_PRED_CMD, PRED_CMD_IBPB);
}

#endif
