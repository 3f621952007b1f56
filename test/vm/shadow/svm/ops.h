/* test/vm/shadow/svm/ops.h - svm/ops.h for a process: the SVM instructions are functions of the test's
 * (test/unit/svm/soft.c). */
#ifndef VELLUM_TEST_SVM_OPS_H
#define VELLUM_TEST_SVM_OPS_H

#include "mmu/addr.h"

void vmsave(hpa_t vmcb);
void invlpga(uint64_t gva, uint32_t asid);

#endif
