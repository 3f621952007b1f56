/* svm/entry_check.h - would a CPU enter with the VMCB? APM, "Canonicalization and Consistency Checks" of "VMRUN
 * Instruction". */
#ifndef VELLUM_SVM_ENTRY_CHECK_H
#define VELLUM_SVM_ENTRY_CHECK_H

#include "svm/vcpu.h"

/* NULL, or the manual's rule that it breaks. */
const char *svm_entry_check(const struct svm_vcpu *v);

#endif
