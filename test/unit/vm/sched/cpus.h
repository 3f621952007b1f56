/* test/unit/vm/sched/cpus.h - what the unit tests with several CPUs share. */
#ifndef VELLUM_TEST_VM_CPUS_H
#define VELLUM_TEST_VM_CPUS_H

#include "test/unit/vm/fixture.h"

#include "host/trap/interrupt.h"

/* vms virtual machines of one virtual CPU each, which are all given to the first CPU. */
static inline void begin(unsigned cpus, unsigned vms)
{
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .vms = vms, .host_cpus = cpus });
	check_entry(__LINE__);
}

static inline struct vcpu *vcpu_of(unsigned vm) { return vm_boot_vcpu(bench.vm[vm]); }
static inline struct percpu *cpu(unsigned n) { return soft_percpu(n); }

/* The CPU takes the kick that it was sent. */
static inline enum bench_at kicked(unsigned n)
{
	assert_true(bench.kicks[n] > 0);
	bench_on(n);
	return bench_interrupt(VECTOR_KICK);
}

#endif
