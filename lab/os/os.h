/* lab/os/os.h - the guest OS: does what Linux does with the memory of its processes (VMAs, demand paging, zeroing, copy
 * on write, transparent huge pages, hugetlb, context switches with and without PCID, INVLPG or full flush, accessed and
 * dirty flags), on real page tables in guest-physical memory, through lab/os/guestcpu.h. One per virtual machine. */
#ifndef VELLUM_LAB_OS_H
#define VELLUM_LAB_OS_H

#include "lab/config/config.h"
#include "lab/machine/event.h"
#include "lab/os/guestcpu.h"

struct lab_os;

/* Why a page is small. */
#define LAB_OS_SMALL(C) \
	C(os_small_file, "of files and shared memory") \
	C(os_small_stack, "of stacks") \
	C(os_small_advice, "where the program forbids large ones (MADV_NOHUGEPAGE)") \
	C(os_small_off, "because the guest makes no large ones (guest.pages)") \
	C(os_small_edge, "in regions, or ends of regions, that hold no aligned 2 MBytes") \
	C(os_small_shared, "shared since a fork, or not writable") \
	C(os_small_refused, "because no 2 MBytes of memory are free in one piece") \
	C(os_small_waiting, "that khugepaged has not come to (guest.khugepaged, its period)")

/* In pages of which size the processes lie when most is mapped, and why not in larger ones. */
#define LAB_OS_HELD(C) \
	C(os_held_4k, "4-KByte pages of all processes when most was mapped; the following say why not larger") \
	LAB_OS_SMALL(C) \
	C(os_held_2m, "2-MByte pages of all processes when most was mapped") \
	C(os_held_1g, "1-GByte pages of all processes when most was mapped")

/* What the OS counts; lab/sweep/result.h repeats it in the account. */
#define LAB_OS_COUNTERS(C) \
	C(os_faults, "page faults that the guest's kernel handled") \
	C(os_faults_minor, "of these: the page was there, only an entry had to be made") \
	C(os_zeroed_4k, "4-KByte pages zeroed") \
	C(os_zeroed_2m, "2-MByte pages zeroed") \
	C(os_zeroed_1g, "1-GByte pages zeroed") \
	C(os_cow_copies, "pages copied on write") \
	C(os_cow_reuses, "pages written after fork that no one else had any more") \
	C(os_huge_split, "2-MByte pages split into small ones") \
	C(os_collapsed, "2-MByte pages made of small ones afterwards") \
	C(os_huge_refused, "2-MByte pages wanted and not had, for fragmentation or alignment") \
	C(os_pte_writes, "page-table entries written by the kernel") \
	C(os_switches, "context switches that loaded CR3") \
	C(os_forks, "processes forked") \
	C(os_flush_pages, "INVLPGs executed") \
	C(os_flush_full, "full flushes executed instead of more than 33 INVLPGs, or at exit") \
	C(os_implicit, "regions made for accesses to what was never mapped") \
	C(os_pages_4k, "4-KByte pages mapped for users at the end") \
	C(os_pages_2m, "2-MByte pages mapped for users at the end") \
	C(os_pages_1g, "1-GByte pages mapped for users at the end") \
	C(os_table_pages, "pages that the guest's page tables take at the end") \
	LAB_OS_HELD(C)

struct lab_os_counters {
#define C(name, help) uint64_t name;
	LAB_OS_COUNTERS(C)
#undef C
};

/* Lays out guest memory, makes the kernel's map and process 0, and starts the CPU. implicit: as struct lab_source has
 * it. NULL: error. The settings it reads are those of config->guest. */
struct lab_os *lab_os_new(struct lab_cpu *cpu, const struct lab_config *config, bool implicit, struct lab_error *error);
void lab_os_delete(struct lab_os *os);

/* A system call or a switch, from the stream (not LAB_MEASURE). false: the stream asks for what cannot be, or memory is
 * exhausted (error). */
bool lab_os_call(struct lab_os *os, const struct lab_call *call, struct lab_error *error);
/* #PF of the running process or of the kernel, delivered to the guest by the CPU (error_code as the SDM's "Page-Fault
 * Exceptions" has it). On return the access is made again. false: the process touched what it has not mapped
 * (error). */
bool lab_os_page_fault(struct lab_os *os, uint64_t gva, uint32_t error_code, struct lab_error *error);
/* The stream's next accesses are the kernel's own (or the program's again). Matters with page-table isolation, where
 * the kernel is on another CR3. */
void lab_os_mode(struct lab_os *os, bool kernel);
/* A timer tick of the guest: what its scheduler's interrupt does. Called every config->guest.tick accesses where that
 * is not 0. */
void lab_os_tick(struct lab_os *os);
/* khugepaged wakes. Called every config->guest.khugepaged_period accesses where large pages are wanted. */
void lab_os_khugepaged(struct lab_os *os);

struct lab_os_counters lab_os_counters(const struct lab_os *os);
/* After LAB_MEASURE: what counts events starts anew; what counts a state (at the end, or when
 * most is mapped) is of the states from now on. */
void lab_os_reset_counters(struct lab_os *os);

#endif
