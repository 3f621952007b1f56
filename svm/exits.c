#include "svm/exits.h"

#include "lib/mutants/mutate.h"

_Static_assert(SVM_EXIT_COUNT <= HVM_EXIT_OTHER, "hvm/types.h");

const char *const svm_exit_names[HVM_EXIT_CODES] = {
#define X(name, text, kind) [SVM_EXIT_##name] = #text,
	SVM_EXITS(X)
#undef X
	[HVM_EXIT_OTHER] = "other",
	[HVM_EXIT_EMULATED] = "emulated_instruction",
};

const uint8_t svm_exit_kinds[HVM_EXIT_CODES] = {
#define X(name, text, kind) [SVM_EXIT_##name] = HVM_EXIT_##kind,
	SVM_EXITS(X)
#undef X
};

/* Exit codes that are one exit each; number + 1. */
static const uint8_t single[] = {
	[EXITCODE_INTR] = SVM_EXIT_INTR + 1,
	[EXITCODE_NMI] = SVM_EXIT_NMI + 1,
	[EXITCODE_VINTR] = SVM_EXIT_VINTR + 1,
	[EXITCODE_CR0_SELECTIVE] = SVM_EXIT_CR_WRITE + 1,
	[EXITCODE_RDPMC] = SVM_EXIT_RDPMC + 1,
	[EXITCODE_CPUID] = SVM_EXIT_CPUID + 1,
	[EXITCODE_IRET] = SVM_EXIT_IRET + 1,
	[EXITCODE_INVD] = SVM_EXIT_INVD + 1,
	[EXITCODE_PAUSE] = SVM_EXIT_PAUSE + 1,
	[EXITCODE_HLT] = SVM_EXIT_HLT + 1,
	[EXITCODE_INVLPG] = SVM_EXIT_INVLPG + 1,
	[EXITCODE_INVLPGA] = SVM_EXIT_INVLPGA + 1,
	[EXITCODE_IOIO] = SVM_EXIT_IOIO + 1,
	[EXITCODE_MSR] = SVM_EXIT_RDMSR + 1,
	[EXITCODE_TASK_SWITCH] = SVM_EXIT_TASK_SWITCH + 1,
	[EXITCODE_SHUTDOWN] = SVM_EXIT_SHUTDOWN + 1,
	[EXITCODE_VMRUN] = SVM_EXIT_VMRUN + 1,
	[EXITCODE_VMMCALL] = SVM_EXIT_VMMCALL + 1,
	[EXITCODE_VMLOAD] = SVM_EXIT_VMLOAD + 1,
	[EXITCODE_VMSAVE] = SVM_EXIT_VMSAVE + 1,
	[EXITCODE_STGI] = SVM_EXIT_STGI + 1,
	[EXITCODE_CLGI] = SVM_EXIT_CLGI + 1,
	[EXITCODE_SKINIT] = SVM_EXIT_SKINIT + 1,
	[EXITCODE_RDTSCP] = SVM_EXIT_RDTSCP + 1,
	[EXITCODE_ICEBP] = SVM_EXIT_ICEBP + 1,
	[EXITCODE_WBINVD] = SVM_EXIT_WBINVD + 1,
	[EXITCODE_MONITOR] = SVM_EXIT_MONITOR + 1,
	[EXITCODE_MWAIT] = SVM_EXIT_MWAIT + 1,
	[EXITCODE_MWAIT_ARMED] = SVM_EXIT_MWAIT + 1,
	[EXITCODE_XSETBV] = SVM_EXIT_XSETBV + 1,
	[EXITCODE_RDPRU] = SVM_EXIT_RDPRU + 1,
	[EXITCODE_INVPCID] = SVM_EXIT_INVPCID + 1,
};

unsigned svm_exit_number(const struct vmcb *vmcb)
{
	uint32_t code = (uint32_t)vmcb->exit_code;

	/* By the bit for a reserved one alone: emulators say then that the entry is not present. */
	if (code == EXITCODE_NPF)
		return vmcb->exit_info[0] & PFERR_RSVD ? SVM_EXIT_NPF_RESERVED : SVM_EXIT_NPF;
	if (code == EXITCODE_MSR && VM_KEPT(SVM_EXIT_WRITE, vmcb->exit_info[0] & MSR_EXIT_WRITES))
		return SVM_EXIT_WRMSR;
	if (code < EXITCODE_CR_WRITE)
		return SVM_EXIT_CR_READ;
	if (code < EXITCODE_DR_READ)
		return SVM_EXIT_CR_WRITE;
	if (code < EXITCODE_EXCEPTION)
		return SVM_EXIT_DR_ACCESS;
	if (code < EXITCODE_INTR)
		return SVM_EXIT_EXCEPTION;
	if (code == EXITCODE_INVALID)
		return SVM_EXIT_INVALID;
	return code < ARRAY_SIZE(single) && single[code] ? single[code] - 1u : HVM_EXIT_CODES;
}
