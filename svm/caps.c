#include "svm/caps.h"

#include "host/trap/interrupt.h"
#include "hvm/common.h"
#include "host/cpu/x86.h"
#include "lib/mutants/mutate.h"

#define ASIDS_LEAST 4 /* two guests', besides the host's and that of the untagged */

static uint32_t extended_max(void) { return cpuid(CPUID_LEAF_EXTENDED, 0).eax; }

bool svm_offered(void)
{
	return extended_max() >= CPUID_LEAF_SVM &&
	       (cpuid(CPUID_LEAF_EXTENDED_FEATURES, 0).ecx & CPUID_80000001_ECX_SVM);
}

/* Nested tables have the form of the host's own (APM, "Nested Paging"): the flags that EPT has as options are always
 * there. An ASID does for both what VPID and EPTP do: INVLPGA drops an address, TLB_CONTROL all of a tag or of the CPU
 * ("TLB Management"). */
static void read_nested(struct svm_caps *c, uint32_t edx)
{
	struct mmu_caps *m = &c->hvm.mmu;

	m->npt = edx & CPUID_8000000A_EDX_NP;
	m->ept_wb = m->ept_2m = m->npt; /* ept_ad: of flags that a log could be read from; here they are always set */
	m->ept_1g = m->npt && m->page_1g;
	m->invept = m->invept_all = m->npt;
	m->vpid = m->invvpid = m->invvpid_address = m->invvpid_all = true;
	m->invvpid_single = m->invvpid_single_retaining_globals = c->flush_by_asid;
	/* APM, "Nested Paging and VMRUN/#VMEXIT" and "Paged Real Mode". */
	m->unrestricted_guest = m->paged_real_mode = true;
}

/* The bits of CR4 that the CPU has (APM, "CR4 Register"). XSETBV exits on CPUs that have it, which all have NRIPS; an
 * emulator without does not know that intercept either, so that XCR0 would be the guest's to change. */
static uint64_t cr4_may(const struct svm_caps *c)
{
	const struct mmu_caps *m = &c->hvm.mmu;
	uint64_t may = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE |
		       CR4_OSFXSR | CR4_OSXMMEXCPT;
	struct cpuid l7 = hvm_features();

	may |= l7.ebx & CPUID_7_EBX_FSGSBASE ? CR4_FSGSBASE : 0;
	may |= l7.ecx & CPUID_7_ECX_UMIP ? CR4_UMIP : 0;
	if (VM_LEFT_OUT_OR(SVM_XSETBV_EXITS, c->next_rip))
		may |= cpuid(CPUID_LEAF_VERSION, 0).ecx & CPUID_1_ECX_XSAVE ? CR4_OSXSAVE : 0;
	may |= m->pcid ? CR4_PCIDE : 0;
	may |= m->smep ? CR4_SMEP : 0;
	may |= m->smap ? CR4_SMAP : 0;
	may |= m->pku ? CR4_PKE : 0;
	return may | (m->la57 ? CR4_LA57 : 0);
}

static const char *missing(const struct svm_caps *c)
{
	if (VM_KEPT(SVM_LACKS_ASIDS, c->asids < ASIDS_LEAST))
		return "this CPU's AMD-V has fewer than 4 ASIDs; Vellum needs a CPU that has more, as all real ones";
	return NULL;
}

const char *svm_caps_read(struct svm_caps *c)
{
	uint64_t vm_cr;
	uint32_t edx;

	*c = (struct svm_caps){ 0 };
	if (VM_KEPT(SVM_LACKS, !svm_offered()))
		return "this CPU has neither VT-x nor AMD-V (CPUID says no VMX and no SVM); use a CPU that has one of "
		       "them, or an emulator or hypervisor that offers it";
	/* EFER.SVME cannot be set with this bit, which the lock makes final (APM, "Enabling SVM"). */
	rdmsr_safe(MSR_VM_CR, &vm_cr);
	if (VM_KEPT(SVM_LACKS_UNLOCKED, vm_cr & VM_CR_SVMDIS))
		return "the firmware has disabled AMD-V (VM_CR.SVMDIS); enable SVM in the firmware's setup";
	c->asids = cpuid(CPUID_LEAF_SVM, 0).ebx;
	edx = cpuid(CPUID_LEAF_SVM, 0).edx;
	c->flush_by_asid = edx & CPUID_8000000A_EDX_FLUSH_BY_ASID;
	c->next_rip = edx & CPUID_8000000A_EDX_NRIPS;
	c->pause_filter = edx & CPUID_8000000A_EDX_PAUSE_FILTER;
	c->pause_threshold = edx & CPUID_8000000A_EDX_PAUSE_THRESHOLD;
	c->cr4_host = read_cr4() & CR4_MCE;
	c->efer_may = EFER_SCE | EFER_LME | EFER_LMA | EFER_SVME;
	hvm_read_paging(&c->hvm.mmu);
	read_nested(c, edx);
	c->efer_may |= c->hvm.mmu.nx ? EFER_NXE : 0;
	c->hvm.rdtscp = cpuid(CPUID_LEAF_EXTENDED_FEATURES, 0).edx & CPUID_80000001_EDX_RDTSCP;
	c->hvm.cr4_may = cr4_may(c);
	return missing(c);
}
