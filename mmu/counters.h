/* mmu/counters.h - every decision of the MMU code, counted once. The names below are the names in the hypervisor's
 * statistics, in the lab, in the JSON and in the docs. */
#ifndef VELLUM_MMU_COUNTERS_H
#define VELLUM_MMU_COUNTERS_H

#include "lib/base.h"

/* C(name, help) */
#define MMU_COUNTERS(C) \
	C(faults, "faults given to the mechanism: #PF, EPT violations and misconfigurations") \
	C(outcome_fixed, "faults answered by changing tables") \
	C(outcome_retry, "faults that someone else had answered meanwhile") \
	C(outcome_spurious, "faults that the tables already allowed") \
	C(outcome_inject, "faults that are the guest's own") \
	C(outcome_emulate, "faults that ended in the emulator") \
	C(outcome_stop, "faults that ended the virtual machine") \
	C(ept_violations, "EPT violations") \
	C(ept_misconfigs, "EPT misconfigurations") \
	C(mapped_4k, "4-KByte leaves installed") \
	C(mapped_2m, "2-MByte leaves installed") \
	C(mapped_1g, "1-GByte leaves installed") \
	C(leaves_removed, "leaves taken away or reduced in rights") \
	C(leaves_split, "large leaves split") \
	C(mmio_cached, "MMIO leaves installed") \
	C(mmio_stale, "MMIO leaves found out of date") \
	C(table_pages_allocated, "table pages allocated") \
	C(table_pages_freed, "table pages freed") \
	C(tables_relieved, \
	  "times that the VM had to lose tables of its own, because its limit or the machine's memory was used up") \
	C(invvpid_address, "INVVPID of one address") \
	C(invvpid_single, "INVVPID of one context") \
	C(invvpid_nonglobal, "INVVPID of one context, global translations kept") \
	C(invvpid_all, "INVVPID of all contexts") \
	C(invept_single, "INVEPT of one root") \
	C(invept_all, "INVEPT of all roots") \
	C(invvpid_for_creation, "of these INVVPIDs, those because a vCPU was new to all CPUs") \
	C(invvpid_for_migration, "because it came from another CPU") \
	C(invvpid_for_tables, "because shadow tables, or the mechanism, had changed") \
	C(invvpid_for_register, "for writes of CR0, CR3 or CR4 that exited") \
	C(invvpid_for_address, "for the guest's INVLPGs, and addresses of its own page faults") \
	C(invept_for_creation, "of these INVEPTs, those because the root was new to the CPU") \
	C(invept_for_migration, "because a vCPU brought the root to a CPU that had not run it") \
	C(invept_for_tables, "because an entry had lost rights, or was taken away or changed") \
	C(flushes_refused, "INVVPIDs and INVEPTs that the CPU did not carry out, answered by a wider one") \
	C(flush_requests, "flushes requested, before merging") \
	C(kicks, "vCPUs forced out of the guest for a flush") \
	C(vpid_exhausted, "vCPUs that run untagged because no VPID was free") \
	C(migrations, "entries on another CPU than the last") \
	C(switches, "changes to another mechanism while the virtual machine ran") \
	C(populated, "pages brought into memory, or made writable, for a fault") \
	C(cr3_loads, "guest loads of CR3 that the mechanism saw") \
	C(invlpg, "guest INVLPGs that the mechanism saw") \
	C(root_hits, "CR3 loads that found their shadow root ready") \
	C(shadow_created, "shadow pages made") \
	C(shadow_reused, "shadow pages found by their role") \
	C(shadow_evicted, "shadow pages dropped for want of room") \
	C(shadow_flooded, "shadow pages dropped because the guest kept writing to the table") \
	C(tracked_writes, "writes to guest tables that were carried over into shadow tables") \
	C(tracked_reads, "reads of guest tables that were answered by emulation") \
	C(loosened, "guest tables that the delivery of an event was let reach") \
	C(unsynced, "guest tables let go out of sync") \
	C(resynced, "guest tables brought back into sync") \
	C(entries_compared, "entries that syncs compared with those that the shadow was made from") \
	C(entries_synced, "shadow entries that a resync changed") \
	C(entries_searched, \
	  "entries of a virtual TLB that were looked through for what is to be dropped, or freed with it") \
	C(prefetched, "leaves made in advance of a fault") \
	C(prefetched_direct, "of these, parts of a larger page of the guest's: many at once, and so cheap") \
	C(wp_flips, "leaves turned between user and supervisor for CR0.WP = 0") \
	C(write_protected, "leaves made read-only because their frame holds a guest table") \
	C(rmap_entries, "entries added to reverse maps") \
	C(rmap_steps, "entries of reverse maps that were looked at on the way through a list") \
	C(interrupted, "operations that would have looked at too many at once, and were put off until the guest " \
		       "comes back for the rest") \
	C(steps, "steps of loops whose length the guest decides") \
	C(log_dirtied, "pages marked dirty while logging; one that a CPU has logged and the hypervisor has written " \
		       "to counts twice") \
	C(log_faults, "faults by writes to pages that were read-only because of that") \
	C(log_entries, "pages that CPUs wrote into their own logs") \
	C(log_full, "times that such a log was full") \
	C(log_looked_at, "leaves whose dirty flags were looked at") \
	C(overlays_set, "pages whose instructions are fetched from another frame") \
	C(overlays_dropped, "of these, those that are themselves again") \
	C(overlay_reads, "reads of such a page that were answered by emulation")

struct mmu_counters {
#define C(name, help) uint64_t name;
	MMU_COUNTERS(C)
#undef C
};

#endif
