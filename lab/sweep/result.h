/* lab/sweep/result.h - the account of one run. All numbers but times are exact counts; the same configuration gives the
 * same account, to the bit, on every computer.
 *
 * Laws, checked at the end of every run (lab_result_check): accesses = hits + walks that ended in a translation or a
 * fault; references = sum over who and where; cycles = sum of the parts. */
#ifndef VELLUM_LAB_RESULT_H
#define VELLUM_LAB_RESULT_H

#include "lab/config/config.h"
#include "lab/os/os.h"
#include "mmu/counters.h"

/* Page sizes, as indices. */
enum { LAB_4K, LAB_2M, LAB_1G, LAB_SIZES };
/* What answered a reference. */
enum { LAB_L1, LAB_L2, LAB_L3, LAB_DRAM, LAB_PLACES };
/* A sample of what the program's data takes has parts that stand for 1, 1, 2, 4, 8, 16, 16 and 16 of a page's 64 lines
 * (lab/machine/sample.h). */
enum { LAB_SAMPLE_PARTS = 8 };
/* Why the guest was left. */
#define LAB_EXITS(E) \
	E(ept_violation, "EPT violation") \
	E(page_fault_fixed, "page fault that the mechanism answered") \
	E(page_fault_guest, "page fault that was the guest's") \
	E(page_fault_emulated, "page fault that ended in the emulator (a write to a guarded table)") \
	E(cr3, "MOV to CR3") \
	E(cr4, "MOV to CR4") \
	E(invlpg, "INVLPG") \
	E(timer, "the guest's timer: its interrupt, the end of it, the next one armed") \
	E(cpuid, "CPUID, of programs that begin") \
	E(hlt, "HLT, of a CPU without work") \
	E(ipi, "interrupt sent to another CPU of the guest (ICR)") \
	E(eoi, "end of such an interrupt (EOI)") \
	E(deadline, "timer armed or stopped by a CPU that wakes or goes to sleep") \
	E(other, "interrupts, I/O and the like (hv.exit_period, quantum)")
enum lab_exit {
#define E(name, help) LAB_EXIT_##name,
	LAB_EXITS(E)
#undef E
	LAB_EXIT_COUNT
};
/* What dropped translations. Refills: walks for pages that had been in a TLB and were dropped by such a flush, and not
 * since. */
#define LAB_FLUSHES(F) \
	F(cr3, "guest load of CR3") \
	F(invlpg, "guest INVLPG or INVPCID of an address") \
	F(cr4, "guest flush of everything") \
	F(transition, "VM exit or entry without VPID") \
	F(invvpid, "INVVPID") \
	F(invept, "INVEPT")
enum lab_flush {
#define F(name, help) LAB_FLUSH_##name,
	LAB_FLUSHES(F)
#undef F
	LAB_FLUSH_COUNT
};

struct lab_result {
	/* What was run, for the reader and for joining results: the workload's description, and the mechanism. */
	struct lab_config config;

	/* The program. */
	uint64_t instructions;        /* of the programs: as many as fetches */
	uint64_t kernel_instructions; /* of the guest's kernel, not modelled access by access */
	uint64_t hypervisor_instructions;
	uint64_t accesses;            /* reads + writes + fetches, the guest kernel's included */
	uint64_t reads, writes, fetches, kernel_accesses;

	/* TLBs, by page size of the translation. tries repeat after a fault or exit, so hits + walks = accesses +
	 * retries. */
	uint64_t retries;
	uint64_t l1_hits[LAB_SIZES], l2_hits[LAB_SIZES];
	uint64_t walks;               /* = completed + faults + exits of the walk */
	uint64_t walks_completed[LAB_SIZES]; /* by the size that the TLB got */
	uint64_t walks_faulted;       /* guest page fault, or one that exits */
	uint64_t walks_exited;        /* EPT violation */
	uint64_t wakeups;             /* of a process on another CPU of the guest, whose own CPU then sleeps */
	uint64_t flag_updates;        /* accessed and dirty flags set by the CPU */

	/* Of the walks: references by table level [1 .. 5] and by what answered. guest: the tables that CR3 names (the
	 * guest's own, or shadow tables); ept: those that EPTP names. */
	uint64_t references;
	uint64_t guest_references[6][LAB_PLACES];
	uint64_t ept_references[6][LAB_PLACES];
	/* walks that began below the root, by the level of the entry that was cached; [0]: at the root */
	uint64_t psc_hits[6];
	uint64_t npsc_hits[6];        /* the same for each translation of a guest-physical address */
	uint64_t ntlb_hits, ntlb_misses;
	uint64_t data[LAB_PLACES];    /* machine.data_cache */

	/* Cycles. */
	double cycles_base;           /* instructions at machine.cpi */
	/* the guest kernel's instructions, faults' delivery, CR3 loads, INVLPG, zeroing */
	double cycles_kernel;
	double cycles_khugepaged;     /* its copying, which is in none of the sums */
	double cycles_data;           /* machine.data_cache: what data took beyond an L1 hit */
	/* machine.data_cache=off: what data would take, and walks more, as a sample says (lab/machine/sample.h); and
	 * the estimate with both. None of them is in any other number but in cycles_high. */
	double cycles_unpriced_data, cycles_unpriced_walks, cycles_priced;
	/* How many of a page's 64 lines are in the sample; what each of its parts adds to cycles_unpriced_data, and how
	 * far off that may be, as a part of it. */
	uint64_t sample_lines;
	double sample_part[LAB_SAMPLE_PARTS];
	double sample_error;
	double cycles_l2_tlb;
	double cycles_walk_guest, cycles_walk_ept; /* if nothing overlaps */
	double cycles_exits;          /* exits and entries */
	double cycles_hypervisor;     /* the hypervisor's instructions */
	double cycles_flushes;        /* INVVPID and INVEPT */
	double cycles_wakeups;        /* of hardware: interrupts between CPUs, and leaving HLT */
	double cycles_beside;         /* what one CPU does while another wakes: counted, but not part of the time */
	double cycles_populate;       /* the host's page faults for memory that the guest touches first, and zeroing */
	/* The prediction: walks wholly hidden behind other work, and not at all. */
	double cycles_least, cycles_most;
	double seconds_least, seconds_most;
	/* ... and between them, what is likely (lab/machine/estimate.h). */
	double cycles_estimate, cycles_low, cycles_high;
	double seconds_estimate, seconds_low, seconds_high;
	double cycles_walks_dram;     /* of the walks' cycles, what memory took */
	double dependence, dependence_low, dependence_high;

	/* Exits and flushes. */
	uint64_t exits[LAB_EXIT_COUNT], exits_all;
	double exit_cycles[LAB_EXIT_COUNT]; /* with the hypervisor's instructions */
	uint64_t flushes[LAB_FLUSH_COUNT], flushed_entries[LAB_FLUSH_COUNT], refills[LAB_FLUSH_COUNT];
	double refill_cycles[LAB_FLUSH_COUNT];

	/* Of hv.populate: pages that the host gave at their first touch. */
	uint64_t populated[LAB_SIZES];

	/* Table memory at the end, pages. */
	uint64_t guest_table_pages, host_table_pages;

	struct mmu_counters mmu;      /* of all virtual machines */
	struct lab_os_counters os;
};

/* The laws. false: one is broken, and which; that is an error of the lab. */
bool lab_result_check(const struct lab_result *result, struct lab_error *error);
/* The account as tables for people. */
void lab_result_print(const struct lab_result *result, FILE *out);
/* As JSON (docs/lab.md); one object and a newline. */
void lab_result_json(const struct lab_result *result, FILE *out);

/* The scalars by name ("walks", "cycles_most", "exits.cr3", "refs_per_walk", ...), for sweeps and figures: NULL after
 * the last. lab_result_value of an unknown name is NAN. */
const char *lab_result_name(unsigned index);
double lab_result_value(const struct lab_result *result, const char *name);

#endif
