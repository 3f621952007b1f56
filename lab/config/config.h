/* lab/config/config.h - one run's configuration: every setting has a name, a default and a help line, and can be set
 * from a text file (`key = value`, # begins a comment), from `--set key=value`, and by the sweep, all through
 * lab_config_set(). */
#ifndef VELLUM_LAB_CONFIG_H
#define VELLUM_LAB_CONFIG_H

#include <stdint.h>
#include <stdio.h>

#include "lab/error.h"

/* A cache or TLB: a set has `ways` entries. ways divides entries; entries 0: it is not there.
 * Text: "1536/12", "64/full", "0". Caches for memory give bytes: "32K/8". */
struct lab_geometry {
	uint32_t entries, ways;
};

/* The types of settings:
 *   COUNT  uint64_t         "1000000", "256M" (k, M, G, T are powers of 1024)
 *   CYCLES double           "35", "0.5"
 *   RATIO  double           0 to 1: "0.25" or "25%"
 *   FLAG   bool             "on", "off" (also yes/no, 1/0)
 *   SHAPE  struct lab_geometry
 *   BYTES  struct lab_geometry, in bytes: "32K/8"
 *   PAGES  uint8_t          a page size, "4k", "2m" or "1g", held as 12, 21 or 30
 *   HOLDS  uint8_t          which page sizes a TLB holds: "4k", "4k+2m", "none"; bit 0: 4K, bit 1: 2M, bit 2: 1G
 *   NAME   char[64]         text
 *   TEXT   char[512]        text
 *
 * S(type, field, "key", "default", "help") */
#define LAB_MACHINE_SETTINGS(S) \
	S(NAME, preset, "machine.preset", "haswell", "the preset that the machine's settings come from") \
	S(CYCLES, ghz, "machine.ghz", "3.4", "cycles in a nanosecond") \
	S(SHAPE, l1d_4k, "machine.l1d_4k", "64/4", "L1 data TLB for 4K pages") \
	S(SHAPE, l1d_2m, "machine.l1d_2m", "32/4", "L1 data TLB for 2M pages") \
	S(SHAPE, l1d_1g, "machine.l1d_1g", "4/full", \
	  "L1 data TLB for 1G pages; 0: they lie in the one for 2M pages, in pieces") \
	S(FLAG, l1d_unified, "machine.l1d_unified", "off", "pages of all sizes share machine.l1d_4k") \
	S(SHAPE, l1i_4k, "machine.l1i_4k", "128/4", "L1 instruction TLB for 4K pages") \
	S(SHAPE, l1i_2m, "machine.l1i_2m", "8/full", "L1 instruction TLB for 2M pages") \
	S(FLAG, l1i_unified, "machine.l1i_unified", "off", "pages of all sizes share machine.l1i_4k") \
	S(SHAPE, l2, "machine.l2", "1024/8", "L2 TLB, shared by data and instructions") \
	S(HOLDS, l2_holds, "machine.l2_holds", "4k+2m", "page sizes that the L2 TLB holds") \
	S(SHAPE, l2_1g, "machine.l2_1g", "0", "a separate L2 TLB for 1G pages") \
	S(CYCLES, l2_hit, "machine.l2_hit", "8", "cycles that a hit in the L2 TLB costs over one in the L1") \
	S(SHAPE, psc_pml5, "machine.psc_pml5", "0", "paging-structure cache for PML5 entries") \
	S(SHAPE, psc_pml4, "machine.psc_pml4", "2/full", "paging-structure cache for PML4 entries") \
	S(SHAPE, psc_pdpt, "machine.psc_pdpt", "4/full", "paging-structure cache for PDPT entries") \
	S(SHAPE, psc_pd, "machine.psc_pd", "32/4", "paging-structure cache for PD entries") \
	S(SHAPE, npsc_pml5, "machine.npsc_pml5", "0", "the same for EPT: PML5 entries") \
	S(SHAPE, npsc_pml4, "machine.npsc_pml4", "2/full", "the same for EPT: PML4 entries") \
	S(SHAPE, npsc_pdpt, "machine.npsc_pdpt", "4/full", "the same for EPT: PDPT entries") \
	S(SHAPE, npsc_pd, "machine.npsc_pd", "32/4", "the same for EPT: PD entries") \
	S(SHAPE, ntlb, "machine.ntlb", "32/4", "nested TLB: guest-physical translations of any size") \
	S(CYCLES, psc_hit, "machine.psc_hit", "1", \
	  "cycles of a walk's start, look-up of paging-structure caches included") \
	S(CYCLES, ntlb_hit, "machine.ntlb_hit", "1", "cycles of a translation that the nested TLB answers") \
	S(BYTES, l1_cache, "machine.l1_cache", "32K/8", "L1 data cache, as page walks find it") \
	S(BYTES, l2_cache, "machine.l2_cache", "256K/8", "L2 cache") \
	S(BYTES, l3_cache, "machine.l3_cache", "8M/16", "L3 cache, or the core's share of it") \
	S(CYCLES, l1_cycles, "machine.l1_cycles", "4", "cycles of a reference that the L1 cache answers") \
	S(CYCLES, l2_cycles, "machine.l2_cycles", "12", "... the L2 cache") \
	S(CYCLES, l3_cycles, "machine.l3_cycles", "36", "... the L3 cache") \
	S(CYCLES, dram_cycles, "machine.dram_cycles", "230", "... memory") \
	S(FLAG, data_cache, "machine.data_cache", "off", \
	  "the program's own accesses go through the caches too, and cost") \
	S(FLAG, data_sample, "machine.data_sample", "on", \
	  "... where they do not: of a sample it is found what they would cost, for the range's upper end") \
	S(COUNT, walkers, "machine.walkers", "1", "page walks at a time") \
	S(COUNT, window, "machine.window", "192", "instructions that the CPU looks ahead (its reorder buffer)") \
	S(FLAG, ept, "machine.ept", "on", "the CPU has EPT") \
	S(PAGES, ept_pages, "machine.ept_pages", "1g", "the largest EPT page that the CPU knows") \
	S(FLAG, ept_ad, "machine.ept_ad", "on", "EPT accessed and dirty flags") \
	S(FLAG, ept_5level, "machine.ept_5level", "off", "the CPU has EPT tables of five levels") \
	S(FLAG, vpid, "machine.vpid", "on", "the CPU has VPIDs") \
	S(FLAG, pcid, "machine.pcid", "on", "the CPU has PCIDs") \
	S(FLAG, invpcid, "machine.invpcid", "on", "... and INVPCID") \
	S(FLAG, la57, "machine.la57", "off", "the CPU has 5-level paging") \
	S(CYCLES, exit_cycles, "machine.exit_cycles", "500", \
	  "a VM exit and the entry that follows, without the hypervisor") \
	S(CYCLES, invvpid_cycles, "machine.invvpid_cycles", "150", "INVVPID") \
	S(CYCLES, invept_cycles, "machine.invept_cycles", "250", "INVEPT") \
	S(CYCLES, invlpg_cycles, "machine.invlpg_cycles", "120", "INVLPG, and INVPCID") \
	S(CYCLES, cr3_cycles, "machine.cr3_cycles", "120", "MOV to CR3") \
	S(CYCLES, fault_cycles, "machine.fault_cycles", "300", "delivery of #PF and IRET, without the handler") \
	S(CYCLES, ipi_cycles, "machine.ipi_cycles", "1000", \
	  "an interrupt from one CPU to another, from the write of its ICR until the other takes it") \
	S(CYCLES, wake_cycles, "machine.wake_cycles", "2000", "leaving HLT (C1) when an interrupt comes") \
	S(CYCLES, copy_byte_cycles, "machine.copy_byte_cycles", "0.1", "zeroing or copying memory, a byte") \
	S(CYCLES, cpi, "machine.cpi", "0.5", "cycles an instruction when translation costs nothing")

/* Instructions in the hypervisor by exit; defaults are its own measured counts (docs/lab.md). */
#define LAB_HYPERVISOR_SETTINGS(S) \
	S(NAME, mechanism, "hv.mmu", "ept", "native, ept, shadow, vtlb or brute") \
	S(PAGES, pages, "hv.pages", "2m", "largest page of the host's backing, and of the tables made from it") \
	S(COUNT, ept_levels, "hv.ept_levels", "4", "levels of EPT tables: 4 or 5") \
	S(RATIO, fragmentation, "hv.fragmentation", "0", \
	  "part of the 2M blocks (at 1g, also of the 1G blocks) backed in pieces") \
	S(FLAG, vpid, "hv.vpid", "on", "virtual machines run with VPIDs") \
	S(COUNT, vms, "hv.vms", "1", \
	  "virtual machines that share the CPU, each with the same workload and another seed") \
	S(COUNT, quantum, "hv.quantum", "1000000", "accesses after which another virtual machine has its turn") \
	S(COUNT, exit_period, "hv.exit_period", "7460K", \
	  "accesses between exits for devices and the host's own interrupts; 0: none") \
	S(FLAG, in_sync, "hv.in_sync", "off", \
	  "shadow: no guest table goes out of sync; writes to one are emulated, the fourth without a use ends that") \
	S(FLAG, populate, "hv.populate", "on", \
	  "the host gives memory at its first touch: its page fault and zeroing come with the exit; off: it is there") \
	S(NAME, interrupts, "hv.interrupts", "trap", \
	  "interrupts of virtual CPUs: trap (ICR and EOI exit), apicv (EOI does not), ipiv (neither does)") \
	S(FLAG, halt_poll, "hv.halt_poll", "on", \
	  "the host polls for the wake-up of a virtual CPU that halts, as KVM does; off: its CPU sleeps too") \
	S(COUNT, tick_exits, "hv.tick_exits", "3", "exits for each guest.tick") \
	S(COUNT, table_frames, "hv.table_frames", "0", \
	  "4-KByte frames for the mechanism's tables at most; 0: as the guest's memory asks for") \
	S(CYCLES, path_cpi, "hv.cpi", "1", "cycles an instruction of the hypervisor") \
	S(COUNT, path_exit, "hv.path_exit", "60", "instructions of the run loop for any exit") \
	S(COUNT, path_violation, "hv.path_violation", "740", "... more for an EPT violation") \
	S(CYCLES, path_prefetch, "hv.path_prefetch", "120", \
	  "... more for each shadow entry made in advance, or anew by a sync") \
	S(CYCLES, path_remove, "hv.path_remove", "285", "... for each shadow entry taken away") \
	S(CYCLES, path_page, "hv.path_page", "9200", "... for each shadow page made, and unmade again") \
	S(CYCLES, path_sync, "hv.path_sync", "300", "... for each table that is compared with its shadow page") \
	S(CYCLES, path_compare, "hv.path_compare", "4", "... for each entry of these") \
	S(CYCLES, path_change, "hv.path_change", "110", "... for each of these that is found changed") \
	S(CYCLES, path_search, "hv.path_search", "26", \
	  "... for each entry of a virtual TLB looked through for what is to be dropped") \
	S(COUNT, path_fault, "hv.path_fault", "2320", "... more for a page fault that the mechanism fixes") \
	S(COUNT, path_inject, "hv.path_inject", "970", "... more for a page fault that is the guest's") \
	S(COUNT, path_emulate, "hv.path_emulate", "4460", "... more for an access that is emulated") \
	S(COUNT, path_cr3, "hv.path_cr3", "640", "... more for MOV to CR3") \
	S(COUNT, path_cr4, "hv.path_cr4", "640", "... more for a flush by MOV to CR4") \
	S(COUNT, path_invlpg, "hv.path_invlpg", "740", "... more for INVLPG") \
	S(COUNT, path_timer, "hv.path_timer", "845", "... more for an exit of the guest's timer") \
	S(COUNT, path_cpuid, "hv.path_cpuid", "50", "... more for CPUID") \
	S(COUNT, path_host_fault, "hv.path_host_fault", "1500", \
	  "... of the host's page fault where hv.populate is on, without zeroing") \
	S(COUNT, path_hlt, "hv.path_hlt", "400", "... more for HLT, with the injection that ends it") \
	S(COUNT, path_wake, "hv.path_wake", "2000", "... more where hv.halt_poll is off: the host's scheduler") \
	S(COUNT, path_ipi, "hv.path_ipi", "400", "... more for an interrupt sent to another virtual CPU") \
	S(COUNT, path_eoi, "hv.path_eoi", "130", "... more for the end of an interrupt") \
	S(COUNT, path_deadline, "hv.path_deadline", "130", \
	  "... more for the timer that a CPU arms or stops when it goes to sleep or wakes") \
	S(COUNT, path_other, "hv.path_other", "400", "... more for an exit of another kind")

#define LAB_GUEST_SETTINGS(S) \
	S(COUNT, memory, "guest.memory", "4G", "guest-physical memory") \
	S(PAGES, pages, "guest.pages", "4k", \
	  "pages of anonymous memory: 4k, 2m (transparent huge pages), 1g (hugetlb)") \
	S(COUNT, levels, "guest.levels", "4", "levels of the guest's page tables: 4 or 5") \
	S(FLAG, pcid, "guest.pcid", "on", "the guest uses PCIDs where its CPU has them") \
	S(FLAG, pti, "guest.pti", "off", \
	  "page-table isolation: CR3 is loaded at each entry to the kernel and each return") \
	S(FLAG, global, "guest.global", "on", "the kernel's mappings are global (not with pti)") \
	S(RATIO, fragmentation, "guest.fragmentation", "0", \
	  "part of the 2M blocks of guest memory that cannot be had whole") \
	S(COUNT, cpus, "guest.cpus", "1", \
	  "CPUs of the guest, each on one of the host; a process stays on that of its number") \
	S(NAME, idle, "guest.idle", "halt", \
	  "a CPU without work: halt, or poll (then it is woken without an interrupt)") \
	S(COUNT, tick, "guest.tick", "32M", "accesses between timer interrupts of the guest; 0: none") \
	S(COUNT, khugepaged, "guest.khugepaged", "8", \
	  "2M regions that khugepaged looks at each time, to make large pages of them; 0: none") \
	S(COUNT, khugepaged_period, "guest.khugepaged_period", "1M", \
	  "accesses between its times; they stand for Linux' 10 seconds; 0: it is off") \
	S(COUNT, cpuids, "guest.cpuids", "65", "CPUID instructions of a program that begins (exec)") \
	S(COUNT, flush_ceiling, "guest.flush_ceiling", "33", \
	  "pages beyond which everything is flushed instead of one by one") \
	S(COUNT, path_fault, "guest.path_fault", "900", \
	  "instructions of the guest kernel's page-fault handler, without zeroing") \
	S(COUNT, path_syscall, "guest.path_syscall", "300", \
	  "... of a system call that changes mappings, without each page's") \
	S(COUNT, path_page, "guest.path_page", "60", "... for each page that is mapped or unmapped by it") \
	S(COUNT, path_switch, "guest.path_switch", "1200", "... of a context switch") \
	S(COUNT, path_wake, "guest.path_wake", "1000", "... of waking a process on another CPU") \
	S(COUNT, path_idle, "guest.path_idle", "1500", "... of a CPU that goes to sleep") \
	S(COUNT, path_irq, "guest.path_irq", "600", "... of an interrupt that wakes a CPU")

#define LAB_RUN_SETTINGS(S) \
	S(TEXT, workload, "workload", "gups:size=64M", "what the guest runs: NAME:key=value,... or trace:FILE") \
	S(COUNT, seed, "seed", "1", "of everything that is random") \
	S(COUNT, limit, "limit", "0", "accesses after which the run ends; 0: when the workload does") \
	S(COUNT, warmup, "warmup", "0", "accesses before the account begins") \
	S(NAME, dependence, "dependence", "auto", \
	  "part of the walks that what follows waits for, 0 to 1; auto: as the workload has it") \
	S(FLAG, plain, "plain", "off", "use the plain engine: slow, the same results to the bit")

struct lab_machine_config {
#define LAB_FIELD_COUNT(f) uint64_t f
#define LAB_FIELD_CYCLES(f) double f
#define LAB_FIELD_RATIO(f) double f
#define LAB_FIELD_FLAG(f) bool f
#define LAB_FIELD_SHAPE(f) struct lab_geometry f
#define LAB_FIELD_BYTES(f) struct lab_geometry f
#define LAB_FIELD_PAGES(f) uint8_t f
#define LAB_FIELD_HOLDS(f) uint8_t f
#define LAB_FIELD_NAME(f) char f[64]
#define LAB_FIELD_TEXT(f) char f[512]
#define S(type, field, key, value, help) LAB_FIELD_##type(field);
	LAB_MACHINE_SETTINGS(S)
};
struct lab_hypervisor_config {
	LAB_HYPERVISOR_SETTINGS(S)
};
struct lab_guest_config {
	LAB_GUEST_SETTINGS(S)
};
struct lab_config {
	struct lab_machine_config machine;
	struct lab_hypervisor_config hv;
	struct lab_guest_config guest;
	LAB_RUN_SETTINGS(S)
#undef S
};

/* The defaults: preset haswell. */
void lab_config_init(struct lab_config *config);
/* One setting. Setting machine.preset sets all of the machine's settings. false: no such key (the nearest is named), or
 * a value that it cannot have. */
bool lab_config_set(struct lab_config *config, const char *key, const char *value, struct lab_error *error);
/* "key=value". */
bool lab_config_assign(struct lab_config *config, const char *assignment, struct lab_error *error);
bool lab_config_read(struct lab_config *config, const char *path, struct lab_error *error);
/* What lab_config_read reads: all settings whose key begins with prefix ("" for all), with their help as comments. */
void lab_config_write(const struct lab_config *config, const char *prefix, FILE *out);
/* The value of a key as text, as lab_config_set takes it; NULL: no such key. The caller frees. */
char *lab_config_get(const struct lab_config *config, const char *key);
/* All keys, in order; NULL after the last. */
const char *lab_config_key(unsigned index);
/* Fails: there is none of that name; the one that was meant, and the command that lists all. */
bool lab_unknown(const char *what, const char *asked, const char *(*name)(unsigned index), const char *list,
		 struct lab_error *error);
/* Settings that are names, of which there are only some: a mistake in one is none of a combination. */
bool lab_config_names(const struct lab_config *config, struct lab_error *error);
/* What no run can be made of (a mechanism that the CPU has not, PCID under shadow, 1G pages where there are none,
 * …). */
bool lab_config_check(const struct lab_config *config, struct lab_error *error);

/* The machines. */
struct lab_preset {
	const char *name, *title;
	const char *settings; /* lines of `key = value  # source` that differ from the defaults above */
};
extern const struct lab_preset lab_presets[]; /* ends with a NULL name */

/* A number with k, M, G, T, or a fraction of them; false: it is none. */
bool lab_parse_count(const char *text, uint64_t *out);

#endif
