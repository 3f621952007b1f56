/* test/vm/cpu.h - the software CPU of the bench, between its files. */
#ifndef VELLUM_TEST_VM_CPU_H
#define VELLUM_TEST_VM_CPU_H

#include "host/cpu/percpu.h"
#include "test/vm/bench.h"

struct soft_cpu {
	enum bench_cpu model;
	uint64_t tsc, ticks; /* ticks: what a reading of it costs */
	bool stuck;     /* .steps were too many once */
	unsigned steps; /* since the loop went on: readings of the TSC, and windows for interrupts */
	uint64_t cr0, cr2, cr3, cr4, dr6;
	uint32_t pkru;
	uint64_t efer, pat, misc_enable, apic_base, spec_ctrl, fs_base;
	uint64_t resident_msr[6];
	unsigned barriers; /* indirect branch predictor barriers */
	uint64_t (*msr)(uint32_t msr, uint64_t value);
	struct cpuid (*cpuid)(uint32_t leaf, uint32_t subleaf, struct cpuid c);
	struct percpu percpu;      /* the first CPU */
	struct percpu more[BENCH_HOST_CPUS - 1];
	unsigned cpus, at; /* how many there are, which one goes on */
};
extern struct soft_cpu soft;

/* test/vm/cpu.c */
/* B5: whoever goes round without an entry and without sleeping does this again and again. */
void soft_step(void);
/* What a kick of another CPU does; NULL: nothing. */
extern void (*host_kicked)(uint32_t apic_id);
/* What another thread than the test's is taken for. */
extern _Thread_local struct percpu *host_other_cpu;
/* Has the emulator run the guest for as long as the test waits? */
bool soft_emulated_enough(void);
struct percpu *soft_percpu(unsigned cpu);
void bench_cpu_reset(const struct bench_config *config);
bool cpu_has_proc2(uint32_t bit);
const struct vmentry_caps *cpu_vmentry_caps(void);

/* test/vm/vmcs.c */
void vmcs_reset(void);
/* As the CPU itself reads and writes them: also the read-only ones, and no access counted. */
uint64_t vmcs_get(uint32_t field);
void vmcs_put(uint32_t field, uint64_t value);

/* test/vm/bench.c: the test goes on, while the emulator runs the guest. */
void bench_pause_emulation(void);

/* test/vm/apic.c */
const char *bench_apic_rightly(struct vcpu *v); /* of interrupts, at an entry: NULL, or the rule that is broken */
void bench_apic_entered(void); /* what the CPU delivers then */
/* MSRs of x2APIC mode that the CPU serves by itself; false: it does not. */
bool bench_apic_wrmsr(uint32_t msr, uint64_t value, enum bench_at *at);
bool bench_apic_rdmsr(uint32_t msr, uint64_t *value);

/* test/vm/host.c */
/* Do frames_alloc_clear_block()'s come from memory that was cleared ahead? */
extern bool host_blocks_are_clear;
void host_reset(void);
const void *host_memory(uint64_t hpa, unsigned n);
void host_interrupt_pending(uint8_t vector);

/* The host's CPU has no RDRAND. */
extern bool host_no_random;

#endif
