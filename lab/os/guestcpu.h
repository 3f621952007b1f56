/* lab/os/guestcpu.h - the CPU as the guest's kernel sees it. The guest OS (lab/os/os.c) does everything to the machine
 * through these functions; behind them are the modelled CPU and the hypervisor's own mmu/, so that a write to a page
 * table is caught where the mechanism catches it, costs what it costs, and natively costs nothing but a store.
 *
 * Guest-physical memory has content only where something was stored (page tables, in practice). Everything else reads
 * as zero and takes no memory of ours.
 *
 * The kernel reaches guest-physical memory through its *direct map*: gpa is mapped at LAB_DIRECT_MAP + gpa
 * (LAB_DIRECT_MAP_5LEVEL with five levels). The OS must have mapped it there, in every address space, before
 * lab_cpu_start. */
#ifndef VELLUM_LAB_GUESTCPU_H
#define VELLUM_LAB_GUESTCPU_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/for_tests.h"

#define LAB_DIRECT_MAP 0xffff888000000000ull        /* as Linux; 64 TBytes */
#define LAB_DIRECT_MAP_5LEVEL 0xff11000000000000ull
#define LAB_KERNEL_TEXT 0xffffffff81000000ull       /* where handlers are fetched from */

struct lab_cpu;

/* ---- before the guest runs: the boot loader's work. Costs nothing and is not traced. */

void lab_cpu_poke(struct lab_cpu *cpu, uint64_t gpa, uint64_t value);
/* The guest goes on in long mode with these registers. 5 levels where cr4 has LA57. false: the mechanism or the CPU
 * cannot run such a guest; lab_cpu_why() says why in one clause. */
bool lab_cpu_start(struct lab_cpu *cpu, uint64_t cr3, uint64_t cr4);
const char *lab_cpu_why(const struct lab_cpu *cpu);

/* ---- while it runs: what kernel code does. All are supervisor accesses or privileged instructions. */

/* One 8-byte access to a page-table entry at gpa, through the direct map: TLB, walk, exits and all. The caller
 * flushes. */
uint64_t lab_cpu_read_pte(struct lab_cpu *cpu, uint64_t gpa);
void lab_cpu_write_pte(struct lab_cpu *cpu, uint64_t gpa, uint64_t value);
/* Zeroes, or copies to, [gpa, gpa + bytes) through the direct map: one access a 4-KByte page for the translation
 * (source too), and the configured time a byte. Page tables that were there before read as zero afterwards. */
void lab_cpu_zero(struct lab_cpu *cpu, uint64_t gpa, uint64_t bytes);
void lab_cpu_copy(struct lab_cpu *cpu, uint64_t to, uint64_t from, uint64_t bytes);
/* An access of the kernel to gva, not further described. */
FOR_TESTS void lab_cpu_touch(struct lab_cpu *cpu, uint64_t gva, bool write);
/* Instructions of kernel code that is not modelled access by access; counted, with one fetch of the page at
 * LAB_KERNEL_TEXT + 4096 * (which % 512). */
void lab_cpu_work(struct lab_cpu *cpu, unsigned which, uint64_t instructions);

/* The instructions (SDM, "Operations that Invalidate TLBs and Paging-Structure Caches"). MOV to CR3: bit 63 keeps the
 * TLB, where CR4.PCIDE is set. */
void lab_cpu_load_cr3(struct lab_cpu *cpu, uint64_t value);
void lab_cpu_invlpg(struct lab_cpu *cpu, uint64_t gva);
void lab_cpu_invpcid(struct lab_cpu *cpu, unsigned type, unsigned pcid, uint64_t gva);

/* ---- several CPUs, of which one runs at a time (lab/os/smp.c). All but the last are done by the one that runs. */

/* An interrupt for another one: a write to the ICR of the local APIC. */
void lab_cpu_send_ipi(struct lab_cpu *cpu);
void lab_cpu_end_interrupt(struct lab_cpu *cpu);
/* The timer is armed, or stopped (the MSR of the TSC deadline). */
void lab_cpu_arm_timer(struct lab_cpu *cpu);
/* CPU `to` runs from here on; the one that ran has nothing to do, and halts, or polls. */
void lab_cpu_run_on(struct lab_cpu *cpu, unsigned to, bool halts);

/* ---- what the guest may know of its CPU. */
struct lab_guest_features {
	unsigned levels;       /* of paging: 4 or 5 */
	unsigned cpus;         /* 1 or more */
	bool pcid, invpcid;
	bool pages_1g;
	uint64_t memory;       /* bytes of guest-physical memory, from 0 on */
};
struct lab_guest_features lab_cpu_features(const struct lab_cpu *cpu);

/* What memory holds, unnoticed by the modelled machine: for the OS's own bookkeeping checks and for tests. */
uint64_t lab_cpu_peek(const struct lab_cpu *cpu, uint64_t gpa);

#endif
