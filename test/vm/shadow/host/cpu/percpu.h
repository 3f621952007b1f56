/* test/vm/shadow/host/percpu.h - host/percpu.h for the bench: which CPU a process is on is a variable
 * (test/vm/host.c). */
#ifndef VELLUM_TEST_VM_PERCPU_H
#define VELLUM_TEST_VM_PERCPU_H

#define this_cpu insn_this_cpu
#include_next "host/percpu.h"
#undef this_cpu

struct percpu *this_cpu(void);

#endif
