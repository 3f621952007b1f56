/* test/unit/lab/os_cpu.h - a CPU for the guest OS: memory, page walks, and a TLB that forgets nothing by itself, so
 * that a flush that is missing is found. */
#ifndef VELLUM_TEST_LAB_OS_CPU_H
#define VELLUM_TEST_LAB_OS_CPU_H

#include "lab/os/guestcpu.h"

enum { CPU_TLB = 4096, CPUS = 3 };

struct cpu_entry {
	bool valid, global;
	unsigned pcid;
	uint64_t page;  /* of 4 KBytes, whatever the mapping */
	uint64_t value; /* frame and rights */
	unsigned shift; /* of the page that the tables held: one INVLPG in it drops all of it */
};

struct lab_cpu {
	struct lab_guest_features features;
	uint64_t cr3, cr4;
	uint64_t *frame[1 << 20]; /* contents, where something was stored */
	uint64_t tag[1 << 20];    /* what a program wrote to the page last; 0: zeros */
	struct cpu_entry *tlb;    /* of the one that runs */
	struct cpu_entry tlbs[CPUS][CPU_TLB];
	unsigned on;
	uint64_t cr3_of[CPUS];    /* of the others */
	uint64_t ipis, ended, armed, moves;
	uint64_t faults, pages_flushed, loads, kept;
};

/* One access by the user. true: made, and frame says where. false: #PF with *error. */
bool cpu_access(struct lab_cpu *cpu, uint64_t va, bool write, uint64_t *frame, uint32_t *error);
/* Nothing that is cached for the running process, on the CPU that runs, is wrong. */
void cpu_check(struct lab_cpu *cpu);
void cpu_reset(struct lab_cpu *cpu, unsigned levels, bool pcid, uint64_t memory);

#endif
