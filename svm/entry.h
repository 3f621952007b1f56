/* svm/entry.h - what svm/entry.S and C share: offsets in struct svm_vcpu. */
#ifndef VELLUM_SVM_ENTRY_H
#define VELLUM_SVM_ENTRY_H

#define SVM_OFFSET_VMCB 160
#define SVM_OFFSET_HOST 168

#endif
