#include "vmx/caps.h"

#include "host/cpu/x86.h"
#include "host/trap/interrupt.h"
#include "hvm/common.h"
#include "lib/memtype.h"
#include "lib/mutants/mutate.h"
#include "vmx/vmcs.h"

/* IA32_VMX_BASIC (SDM, "Basic VMX Information"). */
#define BASIC_MEMTYPE_SHIFT 50

static struct vmx_control_caps control_caps(uint32_t msr)
{
	uint64_t v = rdmsr(msr);

	return (struct vmx_control_caps){ (uint32_t)v, (uint32_t)(v >> 32) };
}

/* SDM, "Reserved Controls and Default Settings": a reserved bit that is not as the CPU wants it fails VM entry. */
uint32_t vmx_control(struct vmx_control_caps caps, uint32_t wanted)
{
	VM_MUTANT(CONTROL_MAY, wanted &= caps.may);
	VM_MUTANT(CONTROL_MUST, wanted |= caps.must);
	return wanted;
}

static void read_ept(struct mmu_caps *m, uint32_t proc2_may)
{
	/* The MSR exists only with one of the two controls (SDM, "VPID and EPT Capabilities"). */
	uint64_t cap = proc2_may & (PROC2_EPT | PROC2_VPID) ? rdmsr(MSR_VMX_EPT_VPID_CAP) : 0;

	m->invept = cap & CAP_INVEPT;
	m->invept_single = cap & CAP_INVEPT_SINGLE;
	m->invept_all = cap & CAP_INVEPT_ALL;
	/* The tables have four levels at least, and a change of them must be able to reach the TLBs (T1). */
	m->ept = VM_LEFT_OUT_OR(EPT_CONTROL, proc2_may & PROC2_EPT) && VM_LEFT_OUT_OR(EPT_WALK, cap & CAP_WALK_4) &&
		 VM_LEFT_OUT_OR(EPT_INVEPT, m->invept) &&
		 VM_LEFT_OUT_OR(EPT_INVEPT_TYPE, m->invept_single || m->invept_all);
	m->ept_execute_only = cap & CAP_EXECUTE_ONLY;
	m->ept_wb = cap & CAP_EPT_WB;
	m->ept_2m = cap & CAP_EPT_2M;
	m->ept_1g = cap & CAP_EPT_1G;
	m->ept_5level = cap & CAP_WALK_5;
	m->ept_ad = cap & CAP_EPT_AD;
	/* Without these flags nothing is logged (SDM, "Page-Modification Logging"). */
	m->pml = VM_LEFT_OUT_OR(PML_CONTROL, proc2_may & PROC2_PML) && VM_LEFT_OUT_OR(PML_FLAGS, m->ept && m->ept_ad);
	m->invvpid = cap & CAP_INVVPID;
	m->invvpid_address = cap & CAP_INVVPID_ADDRESS;
	m->invvpid_single = cap & CAP_INVVPID_SINGLE;
	m->invvpid_all = cap & CAP_INVVPID_ALL;
	m->invvpid_single_retaining_globals = cap & CAP_INVVPID_RETAINING;
	/* A tag that cannot be flushed cannot be used again (T1). */
	m->vpid = VM_LEFT_OUT_OR(VPID_CONTROL, proc2_may & PROC2_VPID) && VM_LEFT_OUT_OR(VPID_INVVPID, m->invvpid) &&
		  VM_LEFT_OUT_OR(VPID_INVVPID_TYPE, m->invvpid_single || m->invvpid_all);
	/* Only with EPT (SDM, "Checks on VMX Controls"). */
	m->unrestricted_guest = VM_LEFT_OUT_OR(UNRESTRICTED_EPT, m->ept) && (proc2_may & PROC2_UNRESTRICTED);
}

/* VM entry wants the shadow with all the others (SDM, "Checks on VMX Controls"). */
static void read_lapic(struct vmx_caps *c)
{
	c->hvm.steps = c->proc.may & PROC_MONITOR_TRAP;
	c->hvm.tpr_shadow = VM_LEFT_OUT_OR(TPR_SHADOW_CONTROL, c->proc.may & PROC_TPR_SHADOW);
	c->hvm.apic_access = c->hvm.tpr_shadow &&
			     VM_LEFT_OUT_OR(APIC_ACCESS_CONTROL, c->proc2.may & PROC2_APIC_ACCESS);
	c->hvm.x2apic_tpr = c->hvm.tpr_shadow && VM_LEFT_OUT_OR(X2APIC_CONTROL, c->proc2.may & PROC2_X2APIC);
	c->hvm.apic_registers = c->hvm.tpr_shadow &&
				VM_LEFT_OUT_OR(REGISTERS_CONTROL, c->proc2.may & PROC2_APIC_REGISTERS);
	c->hvm.virtual_interrupts = c->hvm.tpr_shadow &&
				    VM_LEFT_OUT_OR(DELIVERY_CONTROL, c->proc2.may & PROC2_VIRTUAL_INTERRUPTS);
}

/* What every entry of Vellum's asks for (SDM, "VM-Execution Control Fields", "VM-Exit Controls", "VM-Entry
 * Controls"). */
static const char *missing_control(const struct vmx_caps *c)
{
	if (VM_KEPT(LACKS_PIN, ~c->pin.may & (PIN_EXTERNAL_INTERRUPT | PIN_NMI | PIN_VIRTUAL_NMI)) ||
	    VM_KEPT(LACKS_NMI_WINDOW, ~c->proc.may & PROC_NMI_WINDOW))
		return "this CPU's VT-x cannot make interrupts exit; Vellum needs external-interrupt and NMI exiting, "
		       "and virtual NMIs";
	if (VM_KEPT(LACKS_PROC, ~c->proc.may & (PROC_HLT | PROC_TSC_OFFSETTING | PROC_IO_BITMAPS | PROC_MSR_BITMAPS |
						PROC_INVLPG | PROC_CR8_LOAD)))
		return "this CPU's VT-x lacks I/O or MSR bitmaps, TSC offsetting or HLT, INVLPG or CR8 exiting; Vellum "
		       "needs them all";
	if (VM_KEPT(LACKS_EXIT, ~c->exit.may & (EXIT_HOST_64 | EXIT_ACK_INTERRUPT)))
		return "this CPU's VT-x has no 64-bit host or no acknowledgement of interrupts on exit; Vellum needs a "
		       "64-bit CPU of 2006 or later";
	if (VM_KEPT(LACKS_ENTRY, ~c->entry.may & ENTRY_IA32E))
		return "this CPU's VT-x cannot enter 64-bit guests; Vellum needs a 64-bit CPU of 2006 or later";
	return NULL;
}

/* SDM, "VM-Exit Controls" and "VM-Entry Controls": Nehalem and later; else the MSR areas do it (vmx/msrs.c). IA32_EFER
 * is saved because LMA follows CR0.PG, which an unrestricted guest changes without an exit; a write of IA32_PAT
 * exits. */
static bool switches_msrs(const struct vmx_caps *c)
{
	return VM_LEFT_OUT_OR(SWITCHES_EXIT, !(~c->exit.may & (EXIT_SAVE_EFER | EXIT_LOAD_EFER | EXIT_LOAD_PAT))) &&
	       VM_LEFT_OUT_OR(SWITCHES_ENTRY, !(~c->entry.may & (ENTRY_LOAD_EFER | ENTRY_LOAD_PAT)));
}

static bool has_rdtscp(const struct vmx_caps *c)
{
	uint32_t edx = cpuid(CPUID_LEAF_EXTENDED_FEATURES, 0).edx;

	return VM_LEFT_OUT_OR(RDTSCP_CONTROL, c->proc2.may & PROC2_RDTSCP) &&
	       VM_LEFT_OUT_OR(RDTSCP_CPUID, edx & CPUID_80000001_EDX_RDTSCP);
}

/* VM entry wants the timer where exits save it (SDM, "Checks on VMX Controls"). */
static bool has_alarm(const struct vmx_caps *c)
{
	return VM_LEFT_OUT_OR(ALARM_TIMER, c->pin.may & PIN_PREEMPTION_TIMER) &&
	       VM_LEFT_OUT_OR(ALARM_SAVED, c->exit.may & EXIT_SAVE_TIMER);
}

const char *vmx_caps_read(struct vmx_caps *c)
{
	uint64_t basic, feature_control;
	uint32_t true_offset;

	*c = (struct vmx_caps){ 0 };
	if (VM_KEPT(LACKS_VMX, !(cpuid(CPUID_LEAF_VERSION, 0).ecx & CPUID_1_ECX_VMX)))
		return "this CPU has no VT-x (CPUID says no VMX); use an Intel CPU with VT-x, or an emulator or "
		       "hypervisor that offers it";
	/* VMXON is #GP without this bit, which the lock makes final (SDM, "Enabling and Entering VMX Operation"). */
	rdmsr_safe(MSR_FEATURE_CONTROL, &feature_control);
	if (VM_KEPT(LACKS_UNLOCKED, feature_control & FEATURE_CONTROL_LOCK) && !(feature_control & FEATURE_CONTROL_VMX))
		return "the firmware has disabled VT-x and locked it; enable Intel Virtualization Technology in the "
		       "firmware's setup";
	basic = rdmsr(MSR_VMX_BASIC);
	if (VM_KEPT(LACKS_CACHE, (basic >> BASIC_MEMTYPE_SHIFT & 15) != MEMTYPE_WB))
		return "this CPU wants its VMCS in uncached memory; Vellum needs one that keeps it write-back (any "
		       "since 2006)";
	c->revision = (uint32_t)(basic & BASIC_REVISION);
	true_offset = VM_LEFT_OUT_OR(TRUE_CONTROLS, basic & BASIC_TRUE_CONTROLS) ?
			      MSR_VMX_TRUE_PINBASED_CTLS - MSR_VMX_PINBASED_CTLS : 0;
	c->pin = control_caps(MSR_VMX_PINBASED_CTLS + true_offset);
	c->proc = control_caps(MSR_VMX_PROCBASED_CTLS + true_offset);
	c->exit = control_caps(MSR_VMX_EXIT_CTLS + true_offset);
	c->entry = control_caps(MSR_VMX_ENTRY_CTLS + true_offset);
	if (VM_LEFT_OUT_OR(SECONDARY, c->proc.may & PROC_SECONDARY))
		c->proc2 = control_caps(MSR_VMX_PROCBASED_CTLS2);
	c->cr0_fixed0 = rdmsr(MSR_VMX_CR0_FIXED0);
	c->cr0_fixed1 = rdmsr(MSR_VMX_CR0_FIXED1);
	c->cr4_fixed0 = rdmsr(MSR_VMX_CR4_FIXED0);
	c->cr4_fixed1 = rdmsr(MSR_VMX_CR4_FIXED1);
	c->cr4_host = read_cr4() & CR4_MCE;
	hvm_read_paging(&c->hvm.mmu);
	read_ept(&c->hvm.mmu, c->proc2.may);
	c->hvm.invpcid = c->proc2.may & PROC2_INVPCID;
	c->hvm.cr4_may = c->cr4_fixed1;
	c->preemption_shift = rdmsr(MSR_VMX_MISC) & 31; /* SDM, "Miscellaneous Data" */
	c->hvm.rdtscp = has_rdtscp(c);
	c->hvm.alarm = has_alarm(c);
	read_lapic(c);
	c->switches_msrs = switches_msrs(c);
	return missing_control(c);
}
