/* test/vm/shadow/vmx/vcpu.h - vmx/vcpu.h for the bench: to enter the guest is to come back to the test
 * (test/vm/bench.c). */
#ifndef VELLUM_TEST_VM_VCPU_H
#define VELLUM_TEST_VM_VCPU_H

#define vmx_enter insn_vmx_enter
#include_next "vmx/vcpu.h"
#undef vmx_enter

struct vmx_vcpu *vmx_enter(struct vmx_vcpu *v, uint32_t *failed);

#endif
