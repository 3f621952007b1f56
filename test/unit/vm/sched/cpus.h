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

/* The one that the CPU runs; NULL: none. */
static inline struct vcpu *runs_on(unsigned n)
{
	bench_on(n);
	return bench.at == BENCH_ENTRY ? bench.v : NULL;
}

/* A slice goes by on all CPUs. */
static inline void slice(void)
{
	bench_wait(schedule_slice());
	for (unsigned n = soft.cpus; n--;) {
		bench_on(n);
		if (bench.at != BENCH_OVER)
			bench_interrupt(bench.at == BENCH_ENTRY ? VECTOR_TIMER : VECTOR_KICK);
		check_entry(__LINE__);
	}
}

/* One machine with two virtual CPUs that run, and others beside it. The second one. */
static inline struct vcpu *begin_with_two(unsigned cpus, unsigned others)
{
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .description = "vcpus 2\n",
					  .host_cpus = cpus });
	check_entry(__LINE__);
	STEP(bench_wrmsr(MSR_APIC_BASE, 0xfee00000 | APIC_BASE_EN | APIC_BASE_EXTD | APIC_BASE_BSP));
	STEP(bench_wrmsr(MSR_X2APIC_FIRST + 0x30, 1ull << 32 | 0x4610)); /* a start-up IPI */
	while (others--)
		bench_create(&(struct bench_config){ .mmu = "ept" });
	for (unsigned n = 0; n < 4; n++)
		slice();
	return bench.vm[0]->vcpu[1];
}

#endif
