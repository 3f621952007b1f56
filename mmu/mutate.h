/* mmu/mutate.h - the names of the flushes, write-protections, syncs, barriers, rechecks and limits, each of which a
 * mutation build can leave out.
 *
 * In every normal build MUTANT(NAME, statement) is the statement. With -DMUTATION it is skipped while NAME is the
 * mutant that was selected at run time; then some test must fail, or the statement is excess. `make mutate` goes
 * through the list. */
#ifndef VELLUM_MMU_MUTATE_H
#define VELLUM_MMU_MUTATE_H

/* M(name, what is left out) */
#define MMU_MUTANTS(M) \
	M(NONE, "nothing") \
	M(PDPTE_CR3, "loading the PDPTEs at MOV to CR3") \
	M(PDPTE_CR0, "loading them at writes of CR0 that the manual names") \
	M(PDPTE_CR4, "loading them at writes of CR4 that the manual names") \
	M(WALK_REWALK, "walking again when an accessed or dirty flag lost its race") \
	M(TAG_FIRST_RUN, "INVVPID on the first entry on a CPU") \
	M(TAG_SYNCHRONIZE, "kicking the other vCPUs") \
	M(TAG_ADDRESS, "INVVPID of requested addresses") \
	M(TAG_NONGLOBAL, "INVVPID of a context, globals kept") \
	M(TAG_ALL, "INVVPID of a whole context") \
	M(TAG_EPT, "INVEPT before an entry") \
	M(FLUSH_WIDEN, "a wider flush where the CPU refused one") \
	M(EPT_UNMAP_FLUSH, "INVEPT after ept took translations away, before table frames are freed") \
	M(EPT_UNMAP, "clearing an EPT leaf whose frame goes") \
	M(EPT_FREE_KICK, "kicking before EPT tables are freed") \
	M(EPT_NEW_ROOT, "INVEPT owed by every CPU to a new root") \
	M(EPT_INVLPG_FLUSH, "the INVVPID of an INVLPG that the hypervisor carries out under ept") \
	M(EPT_PROTECT_FLUSH, "INVEPT after ept took write permission away") \
	M(EPT_PROTECT, "clearing W in an EPT leaf") \
	M(EPT_PDPTES, "telling a load of PDPTEs from other accesses outside IA-32e mode") \
	M(EPT_GENERATION, "comparing the generation of an MMIO leaf") \
	M(EPT_REGS_FLUSH, "the flush of an emulated register write under ept") \
	M(SWITCH_FLUSH, "INVVPID after another mechanism took over") \
	M(UNMAP_KICK, "kicking running vCPUs after the host unmapped") \
	M(PROTECT_KICK, "the same after it write-protected") \
	M(SLOT_KICK, "the same after a slot went") \
	M(SLOT_REMOVE_UNMAP, "unmapping a slot that goes") \
	M(LOG_KICK, "kicking when logging starts") \
	M(LOG_COLLECT_KICK, "kicking when the log is collected") \
	M(LOG_CLEAN, "keeping clean pages of a log read-only") \
	M(LOG_LARGE, "using small pages in a slot that is logged") \
	M(LOG_MARK_FAULT, "marking the page that a write fault makes writable") \
	M(LOG_PROTECT, "write-protecting a slot when logging starts") \
	M(LOG_COLLECT_PROTECT, "write-protecting reported pages") \
	M(LOG_MARK_EMULATED, "marking pages that the hypervisor writes") \
	M(LOG_CLEAR, "clearing the dirty flags of a slot when logging by them starts") \
	M(LOG_CLEAR_LARGE, "write-protecting large leaves when it starts") \
	M(LOG_CLEAR_FLUSH, "INVEPT after dirty flags were cleared") \
	M(LOG_COLLECT_CLEAR, "clearing the dirty flags of pages that were reported by the CPU's log") \
	M(LOG_UNMAP_TAKE, "marking the page of a dirty leaf that is taken away") \
	M(LOG_TABLE_TAKE, "marking those of a table that is taken away") \
	M(LOG_KEEP, "keeping the dirty flag of a leaf that is made writable") \
	M(LOG_SWITCH_TAKE, "marking those of all tables when another mechanism takes over") \
	M(LOG_SWITCH_READ, "reading the CPUs' logs then") \
	M(LOG_BUFFERS_ON, "having CPUs log when logging so starts") \
	M(LOG_BUFFERS_KICK, "kicking before the CPUs' logs are read") \
	M(LOG_BUFFERS_READ, "reading the CPUs' logs when the log is collected") \
	M(LOG_FULL_READ, "reading a CPU's log when it is full") \
	M(LOG_VCPU_READ, "reading a CPU's log when its vCPU ends") \
	M(AGE_CLEAR, "clearing the accessed flag of a leaf that is aged") \
	M(AGE_FLUSH, "INVEPT after that") \
	M(AGE_SHADOW_FLUSH, "the flush of shadow leaves after that") \
	M(AGE_KICK, "kicking running vCPUs then") \
	M(AGE_LEAF_TELLS, "telling the backing of a leaf that goes, and was used") \
	M(AGE_TABLE_TELLS, "the same of those of an EPT table that goes") \
	M(AGE_PART_TELLS, "the same of a large leaf that is aged in part") \
	M(SYNC_ON_LINK, "syncing a page found out of sync before it is linked") \
	M(SYNC_BELOW, "syncing what a page reaches before it is linked") \
	M(SYNC_ROOT, "syncing what the root reaches when CR3 is loaded") \
	M(SHADOW_FREE_FLUSH, "the flush before shadow tables are freed") \
	M(RMAP_PROTECT, "clearing W in a shadow leaf") \
	M(TRACK_PROTECT, "write-protecting a guest table before it is shadowed") \
	M(TRACK_ZAP, "unmapping a guest table before brute force answers for it") \
	M(TRACK_FLUSH, "the flush before a tracked table's entries are read") \
	M(RESYNC_PROTECT, "write-protecting a table that goes back into sync") \
	M(RESYNC_FLUSH, "the flush before such a table is read") \
	M(RESYNC_READ, "reading it") \
	M(UNSYNC_LOOK, "that others leave their guests to take note that INVLPG exits from now on") \
	M(WRITE_SYNC, "carrying an emulated write over into the shadow") \
	M(SHADOW_REGS_FLUSH, "INVVPID when a register write changes what tables mean") \
	M(SHADOW_CR3_FLUSH, "INVVPID when CR3 is loaded") \
	M(INVLPG_SYNC, "syncing the entry that INVLPG names") \
	M(INVLPG_FLUSH, "INVVPID of the address that INVLPG names") \
	M(INVLPG_FLUSH_UPPER, "INVVPID of all at an INVLPG after entries above the last level went") \
	M(FAULT_RECHECK, "reading guest entries again after their table is tracked") \
	M(PATH_DROPS, "forgetting the way to a page when entries above the last level went") \
	M(ROOT_ZAPS, "forgetting a known root when its page is unlinked") \
	M(ROOT_MODES, "forgetting known roots when the paging modes change") \
	M(ADOPT_CHECK, "looking whether an entry of a new root may be used without a fault before its table is named") \
	M(ROOT_UNSYNC, "finding out whether a known root reaches what went out of sync since") \
	M(ROOT_SHAPE, "finding out anew what a known root reaches when that has changed") \
	M(MMIO_GENERATION, "comparing the generation of a shadow's MMIO leaf") \
	M(SPURIOUS_FLUSH, "INVVPID of the address of a fault that changed nothing") \
	M(INJECT_SYNC, "syncing the address of a fault that the guest gets") \
	M(INJECT_FLUSH, "the INVVPID of that address") \
	M(SHADOW_UNMAP, "removing shadow leaves of frames that go away") \
	M(UNMAP_CLEAR, "emptying the shadows of a guest table whose frame goes") \
	M(MMIO_EPOCH, "dropping MMIO leaves when their generation comes round") \
	M(LARGE_TRACKED, "looking for tracked frames before a large leaf is made") \
	M(MAY_WRITE, "keeping leaves of tracked frames read-only") \
	M(RESERVE_RELIEVE, "losing tables of its own when a VM's reserve is used up") \
	M(RMAP_ADD, "putting a leaf on its frame's list") \
	M(PREFETCH_CHECK, "looking whether an entry can be used without a fault before its leaf is made in advance") \
	M(RESERVE_LIMIT, "looking whether a VM may hold more frames before one is taken for it") \
	M(RESERVE_LEAST, "looking whether a VM holds more than its own before one is given back") \
	M(INVLPG_CANONICAL, "doing nothing at an INVLPG of what is no address") \
	M(MMIO_HIGH, "giving MMIO leaves the address of what is no memory") \
	M(EPT_MAP_FIRST, "making a large EPT leaf begin with its block's first frame") \
	M(EPT_MAP_TYPE, "the memory type of an EPT leaf") \
	M(NPT_MAP_FIRST, "making a large leaf of NPT begin with its block's first frame") \
	M(NPT_MAP_TYPE, "the memory type of an NPT leaf") \
	M(NPT_MAP_WRITABLE, "looking whether a page may be written before its NPT leaf is writable") \
	M(NPT_MAP_FETCH, "that an NPT leaf of the local APIC's page is not executable") \
	M(EPT_MAP_WRITABLE, "looking whether a page may be written before its EPT leaf is writable") \
	M(LARGE_BACKED, "looking whether the backing is one piece as large as a leaf") \
	M(APIC_FETCH, "leaving fetches from the local APIC's page to the emulator") \
	M(APIC_NO_FETCH, "that a leaf of the local APIC's page is not executable") \
	M(RESOLVE_ROM, "leaving writes to ROM to the emulator") \
	M(HW_DIRTY, "keeping a leaf read-only until the guest's dirty flag is set") \
	M(HW_FLIP, "keeping the user from what the supervisor writes with CR0.WP clear") \
	M(HW_FIRST, "making a large leaf begin with its block's first frame") \
	M(HW_NO_EXEC, "execute-disable in a leaf") \
	M(VTLB_WRITABLE, "keeping the leaf of a page read-only that must not be written, in the virtual TLB") \
	M(FAULT_WRITABLE, "the same in a shadow") \
	M(VTLB_MARKS, "marking what an entry of the virtual TLB has below it") \
	M(VTLB_SEARCH_FLUSH, "the flush of all where a virtual TLB is too full to be searched for what is not global") \
	M(GRAVE_REST, "freeing what a grave holds before more is buried") \
	M(GRAVE_RELIEVE, "freeing what is buried when a VM's reserve is used up") \
	M(PART_GLOBAL, "making parts of a larger guest page not global, in a shadow") \
	M(TABLES_MEMORY, "leaving what is translated by tables outside memory to the emulator") \
	M(LOOSEN_INVLPG, "intercepting INVLPG while a table is let loose for the delivery of an event") \
	M(LOOSEN_KICK, "kicking for that") \
	M(DIRECT_WRITE, "keeping leaves read-only that are made in advance for a larger guest page") \
	M(DIRECT_BACKED, "looking whether their memory is one piece") \
	M(TIGHTEN_PROTECT, "protecting a table that was let loose for the delivery of an event") \
	M(TIGHTEN_FLUSH, "the flush before such a table is read") \
	M(TIGHTEN_READ, "reading it") \
	M(PREFETCH_MEMORY, "looking whether there is memory for a leaf that is made in advance") \
	M(PREFETCH_WRITE, "making such a leaf read-only where it must be") \
	M(RMAP_INTERRUPT, "interrupting the way through a long list") \
	M(STALE_DROP, "noting that an entry was dropped without a flush") \
	M(SHADOW_UNMAP_FLUSH, "the flush after that") \
	M(SHADOW_PROTECT_FLUSH, "the flush after write-protecting frames") \
	M(VTLB_REGS, "emptying the virtual TLB when a register write changes what tables mean") \
	M(VTLB_PARTS, "remembering that leaves are parts of one larger guest page") \
	M(VTLB_HOST_FLUSH, "INVVPID when the host empties the virtual TLB") \
	M(VTLB_HOST_KICK, "kicking before its tables are freed") \
	M(VTLB_REGS_FLUSH, "INVVPID when a register write empties the virtual TLB") \
	M(VTLB_INVLPG, "dropping what INVLPG names from the virtual TLB") \
	M(VTLB_INVLPG_FLUSH, "the INVVPID for it") \
	M(VTLB_CR3, "dropping non-global entries of the virtual TLB when CR3 is loaded") \
	M(VTLB_CR3_FLUSH, "the INVVPID for it") \
	M(VTLB_DROP_FLUSH, "the flush before tables of the virtual TLB are freed") \
	M(VTLB_HOST_DROP, "dropping the virtual TLB at a host-side change") \
	M(MEMO_ACCESS, "looking what kind of access it is before a remembered walk is believed") \
	M(MEMO_REGISTERS, "looking at the registers before that") \
	M(MEMO_NUMBER, "or at the number of the state that they are in") \
	M(MEMO_NUMBERED, "giving that number only to a walk that was found to hold in it") \
	M(MEMO_SLOTS, "looking whether its entries are where they were") \
	M(MEMO_ENTRIES, "looking whether they are the same") \
	M(WRITE_TOLD, "telling the mechanism what the hypervisor wrote") \
	M(FLAGS_TOLD, "telling it which flags the walker set") \
	M(FLAGS_BESIDE, "telling it of them with the lock alone") \
	M(INTERCEPTS_FIRST, "that intercepts are taken note of before they are read (it is done after)") \
	M(TAG_CLEAR_FIRST, "that requests are answered after the note of them is cleared (it is done before)") \
	M(TAG_LOCKED, "consuming requests under the VM's lock") \
	M(FLUSH_ALL_FIRST, "that a flush of all is requested before vCPUs are kicked for it (it is done after)") \
	M(FREE_LAST, "that shadow tables are freed after the flush (it is done before)") \
	M(EPT_FREE_LAST, "that EPT tables are freed after the flush (it is done before)") \
	M(UNSYNC_KICK, "kicking when a table goes out of sync, for others' INVLPGs") \
	M(WRITE_KICK, "kicking after an emulated write to a table") \
	M(SHADOW_FLUSH_KICK, "kicking for a flush of all in a shadow") \
	M(FINISH_KICK, "kicking at the end of a fault in a shadow") \
	M(KICK_WAIT, "waiting until a kicked vCPU is out of its guest (a promise of mmu/below.h)") \
	M(ENTRY_SAID, "saying that the guest is being entered before the last look at what was requested (RL2)") \
	M(ENTRY_LOOK, "that last look (RL2)") \
	M(ALONE_SAID, "saying that one is alone (BE1)") \
	M(ALONE_WAITS, "waiting for faults that are being served beside (BE1)") \
	M(BESIDE_SAID, "saying that a fault is being served beside (BE1)") \
	M(BESIDE_LOOK, "looking whether somebody is alone before it is (BE1)") \
	M(BESIDE_LOST, "looking whether an entry is still what was read when it is changed beside others (BE2)") \
	M(LEAF_PAGE, "one fault at a time in a shadow page") \
	M(LEAF_LIST, "one at a time on the list of a frame's leaves") \
	M(LEAF_LOSES, "leaving it to the lock where a leaf would lose a right") \
	M(LEAF_WATCH, "the same where INVLPG does not exit yet, and the table is out of sync") \
	M(LEAF_UNSYNC, "the same where a table must go out of sync") \
	M(WRITE_FIRST, "taking out of the shadow what is about to be written by the hypervisor") \
	M(FLAGS_FIRST, "the same for flags, which are no flags where the table is read with entries of another size") \
	M(WRITE_PARTS, "that INVLPG exits first instead where a TLB may have it in parts") \
	M(WATCH_FIRST, "that INVLPG exits before an entry of a table out of sync is read") \
	M(LOG_MARK_ATOMIC, "marking pages of a log by an atomic operation (it is read, changed and written)") \
	M(POPULATE_KICK, "kicking after a page was copied to be written") \
	M(POPULATE_UNMAP, "dropping the old frame when a page was copied to be written") \
	M(OVERLAY_SHOW, "fetching from an overlay's frame") \
	M(OVERLAY_LARGE, "small leaves around a page with an overlay") \
	M(OVERLAY_UNMAP, "unmapping a page that is overlaid, or no longer") \
	M(OVERLAY_KICK, "kicking after that") \
	M(COVER_RESOLVE, "looking whether a page is covered, when an access wants a leaf") \
	M(COVER_PEEK, "or when leaves are made in advance") \
	M(COVER_LARGE, "keeping a covered page out of large leaves") \
	M(COVER_UNMAP, "dropping the leaves of a page that is covered") \
	M(COVER_KICK, "kicking after that") \
	M(OVERLAY_HIDE, "keeping an overlay's frame from being read") \
	M(OVERLAY_READS, "dropping an overlay that is read too often") \
	M(OVERLAY_BESIDE, "a look whether a page beside overlays has one") \
	M(OVERLAY_BESIDE_LOG, "a look whether a page beside overlays is logged") \
	M(OVERLAY_UNMAPPED, "dropping the overlay of a page that the host takes away") \
	M(OVERLAY_REGS, "dropping all when the guest turns paging or PAE on or off") \
	M(OVERLAY_WATCH, "the supervisor's page faults while overlays are watched") \
	M(OVERLAY_WATCH_FLUSH, "the flush of such a fault, which the CPU has not raised")

#ifdef MUTATION
#define M(name, what) MUTANT_##name,
enum mmu_mutant { MMU_MUTANTS(M) MUTANT_COUNT };
#undef M
extern enum mmu_mutant mmu_mutant_selected;
#define MUTANT(name, ...) \
	do { \
		if (mmu_mutant_selected != MUTANT_##name) { \
			__VA_ARGS__; \
		} \
	} while (0)
/* What is done in another place where the mutation leaves it out in its own: another order. */
#define MUTANT_INSTEAD(name, ...) \
	do { \
		if (mmu_mutant_selected == MUTANT_##name) { \
			__VA_ARGS__; \
		} \
	} while (0)
/* The same for a condition: true where the mutation leaves the check out. */
#define MUTANT_OR(name, cond) (mmu_mutant_selected == MUTANT_##name || (cond))
#else
#define MUTANT(name, ...) \
	do { \
		__VA_ARGS__; \
	} while (0)
#define MUTANT_INSTEAD(name, ...)
#define MUTANT_OR(name, cond) (cond)
#endif

#endif
