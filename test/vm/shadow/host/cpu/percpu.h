/* test/vm/shadow/host/cpu/percpu.h - host/cpu/percpu.h for the bench: which CPU a process is on is a variable
 * (test/vm/host.c). */
#ifndef VELLUM_TEST_VM_PERCPU_H
#define VELLUM_TEST_VM_PERCPU_H

#define this_cpu insn_this_cpu
#include_next "host/cpu/percpu.h"
#undef this_cpu

struct percpu *this_cpu(void);

#endif
