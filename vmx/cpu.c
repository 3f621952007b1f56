#include "vmx/cpu.h"

#include "host/cpu/percpu.h"
#include "host/cpu/x86.h"
#include "host/memory/frames.h"
#include "hvm/common.h"
#include "mmu/below.h"
#include "mmu/walk.h"
#include "vmx/ops.h"

/* After a VMREAD that failed the error is not read: that VMREAD might fail as well, and come here without end. */
_Noreturn void vmx_access_failed(enum vmcs_field field, bool write)
{
	console_panic("%s of VMCS field 0x%x failed (error %u)", write ? "VMWRITE" : "VMREAD", field,
		      write ? (unsigned)vmread(VMCS_INSTRUCTION_ERROR) : 0u);
}

/* VMXON is #GP until the MSR is locked with VMX enabled; a reset alone unlocks it (SDM, "Enabling and Entering VMX
 * Operation"). */
static const char *unlock_feature(void)
{
	uint64_t v = rdmsr(MSR_FEATURE_CONTROL);

	if (!(v & FEATURE_CONTROL_LOCK))
		wrmsr(MSR_FEATURE_CONTROL, v | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX);
	else if (!(v & FEATURE_CONTROL_VMX))
		return "the firmware has disabled VT-x on one of the CPUs and locked it";
	return NULL;
}

const char *vmx_cpu_enable(const struct vmx_caps *caps)
{
	struct percpu *cpu = this_cpu();
	const char *why = unlock_feature();
	hfn_t region;

	if (why)
		return why;
	region = frames_alloc();
	if (hfn_is_none(region))
		return "there is no memory for the VMXON region";
	*(uint32_t *)frames_ptr(region) = caps->revision; /* SDM, "VMXON Region" */
	cpu->vmxon_region = hfn_hpa(region);
	/* VMXON is #GP while a fixed bit is not as it must be (SDM, "Restrictions on VMX Operation"). */
	write_cr0((read_cr0() | caps->cr0_fixed0) & caps->cr0_fixed1);
	write_cr4((read_cr4() | caps->cr4_fixed0 | CR4_VMXE | hvm_host_cr4()) & caps->cr4_fixed1);
	if (!vmxon(cpu->vmxon_region))
		return "VMXON failed";
	/* What an earlier owner of this machine cached under the same tags outlives VMXOFF and VMXON. Nobody flushes
	 * for it here: a VPID and a root are flushed on each CPU before they are first used there (T1a, T1c in
	 * mmu/tag.c; SDM, "Guidelines for Use of the INVVPID Instruction" and "Guidelines for Use of the INVEPT
	 * Instruction"). */
	return NULL;
}
