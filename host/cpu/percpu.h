/* host/cpu/percpu.h - what belongs to one logical CPU, reached through GS.
 *
 * PC1  A structure is written by its own CPU only, but for `arrivals`, which others write too. What of it others read
 *      while its CPU runs is read and written by atomic operations: `arrivals`, `fair_floor` and `fair_least`. */
#ifndef VELLUM_HOST_PERCPU_H
#define VELLUM_HOST_PERCPU_H

#include "lib/heap.h"
#include "mmu/addr.h"

#define CPUS_MAX 256
#define CPU_STACK_PAGES 4 /* of the stack that a CPU works on; boot.S has the first CPU's */

struct vcpu;

/* The stacks of a CPU: the one it works on, and one each for what may come at any instruction, whatever RSP is then
 * (SDM, "Interrupt Stack Table": entry n of the table is stack n here). The page below each is not mapped (H3,
 * host/memory/paging.h). */
enum { STACK_MAIN, STACK_NMI, STACK_DF, STACK_MC, STACKS };

struct stack {
	char *guard; /* the page that is not mapped */
	void *top;
};

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map_base;
} __attribute__((packed));

struct percpu {
	struct percpu *self; /* at GS:0 */
	unsigned id;         /* 0 .. cpus_count() - 1, the boot CPU is 0 */
	uint32_t apic_id;
	struct stack stack[STACKS];
	uint64_t gdt[6];
	struct tss tss;

	uint64_t timer_armed;   /* TSC at which the CPU's timer will fire; UINT64_MAX: not armed */
	bool timer_fired;       /* the timer interrupt was taken and not yet looked at */

	hpa_t vmxon_region;
	struct vcpu *loaded;    /* whose state the virtualization extension of this CPU works with */
	struct vcpu *resident; /* whose FPU, debug and system-call registers the CPU holds */
	/* the vCPUs that live here and do not sleep, a ring; the one that runs, or ran last */
	struct vcpu *run_queue;
	struct heap sleepers; /* and those that sleep, by when they are to be looked at (vm/sched/sleep.c) */
	/* Those that have come here and are not on the ring yet (CQ2 in vm/sched/schedule.h): others put them here. */
	struct vcpu *arrivals;
	/* virtual machines whose last vCPU has ended here, but whose account has not been written */
	struct vm *untold;
	uint64_t slice_end;     /* TSC: when another vCPU of the ring has its turn */
	/* the least vcpu.fair of those that want the CPU, when one of them left it; never goes back. Others read
	 * it, for a new vCPU. */
	uint64_t fair_floor;
	/* For locks, and what is waited for like one, since this vCPU has its turn (WL1 in host/cpu/spinlock.h). */
	uint64_t lock_waits, lock_ticks;
	/* Others read it: the least vcpu.fair of those that could run when the CPU last looked; UINT64_MAX: none */
	uint64_t fair_least;
};

/* After percpu_install() on this CPU. */
static inline struct percpu *this_cpu(void)
{
	struct percpu *p;
	__asm__("mov %%gs:0, %0" : "=r"(p));
	return p;
}

/* Makes the stacks of a CPU but for STACK_MAIN. false: no memory. */
bool percpu_make_stacks(struct percpu *p);
/* "stack for double faults", and so on. */
const char *stack_name(unsigned n);
/* Loads GDT, TSS and GS for the calling CPU; p->stack and p->id are set. */
void percpu_install(struct percpu *p);
/* The structure of CPU id; NULL if there is none. */
struct percpu *percpu_of(unsigned id);
void percpu_register(struct percpu *p);
unsigned cpus_count(void);

#endif
