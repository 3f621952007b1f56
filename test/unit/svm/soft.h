/* test/unit/svm/soft.h - a CPU with AMD-V for the tests of svm/: what its registers say, and a VMRUN that does what the
 * test has told it. */
#ifndef VELLUM_TEST_SVM_SOFT_H
#define VELLUM_TEST_SVM_SOFT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/x86.h"
#include "lib/x86_cpuid.h"
#include "lib/x86_msr.h"
#include "svm/cpu.h"
#include "svm/entry_check.h"
#include "svm/exits.h"
#include "svm/maps.h"
#include "svm/vcpu.h"

struct soft_svm {
	struct cpuid_leaf { uint32_t eax, ebx, ecx, edx; } basic, version, features, extended, extended_features, sizes,
		svm;
	uint64_t cr2, cr4, dr6, efer, hsave, pat, vm_cr, spec_ctrl;
	uint32_t pkru;
	unsigned cpu;               /* which it is */
	unsigned frames;            /* how many there still are */
	uint64_t invlpga_gva;       /* the last INVLPGA */
	uint32_t invlpga_asid;
	unsigned invlpgas, runs;
	void (*run)(struct vmcb *c); /* what the guest does; NULL: nothing, and it exits by HLT */
	struct vmcb entered;        /* as it was at the last VMRUN */
	uint64_t pat_inside;        /* IA32_PAT then */
	uint64_t pdptes[4];         /* what the guest's memory has */
	uint64_t pdptes_at;         /* and where it was last read */
};
extern struct soft_svm soft_svm;

/* A CPU with everything that Vellum uses, and one virtual CPU that has begun in 64-bit mode. */
void soft_svm_new(void);
/* The same, whose guest has begun as start says, with these intercepts. */
extern struct svm_caps svm_test_caps;
extern struct svm_vcpu svm_test;
extern struct mmu_vcpu svm_test_mmu;
void soft_svm_start(const struct mmu_intercepts *intercepts);
static inline struct vmcb *vmcb_of_test(void) { return svm_test.vmcb; }

#endif
