/* lib/mutants/svm.h - the mutants of svm/ (lib/mutants/mutate.h). */
#ifndef VELLUM_LIB_MUTANTS_SVM_H
#define VELLUM_LIB_MUTANTS_SVM_H

#define VM_MUTANTS_SVM(M) \
	M(SVM_LACKS, "looking in CPUID whether there is AMD-V") \
	M(SVM_LACKS_UNLOCKED, "looking whether the firmware has disabled it") \
	M(SVM_LACKS_ASIDS, "the least number of ASIDs") \
	M(SVM_XSETBV_EXITS, "no XSAVE where XSETBV does not exit") \
	M(SVM_LENGTH_LACKS, "looking for the length of what an exception exits of, without NRIPS") \
	M(SVM_MAP_HIGH, "the ranges of MSR numbers in the permission map") \
	M(SVM_MAP_IO, "that every port exits") \
	M(SVM_MAP_MSR, "that MSRs exit that nobody keeps apart") \
	M(SVM_MAP_AUX, "TSC_AUX without an exit only where guests may have RDTSCP") \
	M(SVM_FLUSH_FIRST, "the flush of what an earlier owner of the machine cached") \
	M(SVM_FLUSH_SECOND, "flushing all where two tags are to be flushed") \
	M(SVM_FLUSH_OTHER, "flushing all where VMRUN has another tag than the one to be flushed") \
	M(SVM_EXIT_WRITE, "telling WRMSR from RDMSR") \
	M(SVM_EXCEPTIONS, "which exceptions exit") \
	M(SVM_CR0_CACHING, "that the caches are the host's") \
	M(SVM_CR0_WRITE, "that all writes of CR0 exit where the hardware's is another than the guest's") \
	M(SVM_CR0_READ, "that reads of CR0 exit where the hardware's is another") \
	M(SVM_CR4_READ, "the same of CR4") \
	M(SVM_SYNC_PKRU, "taking PKRU, with protection keys") \
	M(SVM_ROOT, "the mechanism's CR3") \
	M(SVM_CHECKED, "that an illegal VMCB is not entered") \
	M(SVM_DR6_SINCE, "what the guest has written to DR6 since the entry, where a #DB exits") \
	M(SVM_SOFT_BACK, "going back to the instruction whose event was interrupted") \
	M(SVM_SOFT_LENGTH, "that a software event returns behind its instruction") \
	M(SVM_SOFT_AGAIN, "that a software event is not injected again") \
	M(SVM_SOFT_TYPE, "that the task which INT3 or INTO leaves goes on behind it") \
	M(SVM_INT1_TYPE, "that the #DB of an INT1 is one where an exit interrupts it") \
	M(SVM_BACK_LENGTH, "the length of the instruction whose event an exit interrupts") \
	M(SVM_SOFT_KNOWN, "that a fault came while an instruction delivered its event") \
	M(SVM_INJECT_ERROR, "the error code of what is injected") \
	M(SVM_NMI_IRET, "that IRET exits while NMIs are blocked") \
	M(SVM_WINDOW, "that the window's virtual interrupt exits") \
	M(SVM_CHECK_SVME, "the check of EFER.SVME") \
	M(SVM_CHECK_CR0_CACHE, "that of CR0.NW without CD") \
	M(SVM_CHECK_CR0_HIGH, "that of CR0's upper half") \
	M(SVM_CHECK_CR3, "that of CR3") \
	M(SVM_CHECK_CR4, "that of CR4") \
	M(SVM_CHECK_DR6, "that of DR6") \
	M(SVM_CHECK_DR7, "that of DR7") \
	M(SVM_CHECK_EFER, "that of EFER") \
	M(SVM_CHECK_PAE, "that of long mode without PAE") \
	M(SVM_CHECK_PE, "that of long mode without protection") \
	M(SVM_CHECK_CS, "that of CS.L with CS.D") \
	M(SVM_CHECK_VMRUN, "that of the VMRUN intercept") \
	M(SVM_CHECK_ASID, "that of the ASID") \
	M(SVM_CHECK_MAPS, "that of the permission maps' addresses") \
	M(SVM_CHECK_NESTED, "that of the nested root") \
	M(SVM_CHECK_PAT, "that of the guest's PAT") \
	M(SVM_CHECK_VECTOR, "that of an exception's vector") \
	M(SVM_CHECK_TYPE, "that of an event's type") \
	M(MSR_VENDOR, "that registers of AMD's are there on its CPUs only")

#endif
