/* lib/mutants/memory.h - the mutants of a guest's RAM (vm/memory/), and of the frames that it is made of
 * (lib/mutants/mutate.h). */
#ifndef VELLUM_LIB_MUTANTS_MEMORY_H
#define VELLUM_LIB_MUTANTS_MEMORY_H

#define VM_MUTANTS_MEMORY(M) \
	M(BOOT_KEPT, "that what the boot loader says is kept") \
	M(BOOT_BESIDE, "that its copy lies beside it") \
	M(BOOT_END, "that a module's end is below 4 GiB") \
	M(BOOT_AGAIN, "looking for room in all of RAM where there is none behind the last module") \
	M(BOOT_HEAD, "looking whether a packed module has its head") \
	M(BOOT_SIZE, "the bound of what a module unpacks to") \
	M(BOOT_OSFXSR, "that vector instructions may be executed where modules are unpacked") \
	M(BOOT_CR4, "that CR4 then is as it was") \
	M(BOOT_DAMAGE, "noticing that a packed module is damaged") \
	M(BOOT_UNPACKED, "that what was unpacked is the module, and is kept") \
	M(FRAMES_DIRTY, "that a frame which was somebody's is not clear") \
	M(FRAMES_DIRTY_BLOCK, "the same of a block of 2 MBytes") \
	M(RAM_KEEPS, "the frames that guests leave to the hypervisor") \
	M(RAM_SHARES, "what a guest leaves to others of what they are entitled to") \
	M(RAM_LAST_SHARER, "that who leaves a shared frame last keeps it") \
	M(RAM_SPLIT_GONE, "forgetting where its pages were") \
	M(RAM_PROTECTS, "taking the write permission from a page that may be shared") \
	M(RAM_COPIES, "copying a shared page before it is written to") \
	M(RAM_PARTED, "that a page which got a frame of its own is not counted as shared any more") \
	M(RAM_STILL_HERE, "looking whether a page that is to part is in memory still") \
	M(RAM_PROTECTS_HERE, "that what is on its way out is not protected") \
	M(RAM_STILL, "looking whether a page was written to since it was protected") \
	M(OWNER_STILL, "that nobody joins a frame which is not shared any more") \
	M(MERGE_STEADY, "that a page must have held the same at the last look") \
	M(MERGE_PROTECTS, "protecting a page before it is compared") \
	M(MERGE_COMPARES, "comparing pages whole") \
	M(MERGE_ZERO, "looking whether a page is all zero, not its hash alone") \
	M(MERGE_PARTS, "giving back that a frame has counted who does not come") \
	M(MERGE_UNPROTECTS, "that a page which stays where it is is its own again") \
	M(MERGE_UNMAPS, "unmapping pages before their frames are free") \
	M(MERGE_SPARES, "that opening blocks leaves the hypervisor what is its own") \
	M(MERGE_END_MAKES_ROOM, "making room as pages part in the end") \
	M(MERGE_FREES, "freeing the frames of pages that lie elsewhere") \
	M(MERGE_BUSY, "looking less often while there is something to do") \
	M(MERGE_ALARM, "waking a virtual machine that sleeps for its next look") \
	M(MERGE_AGAIN, "looking again") \
	M(MERGE_ENDS, "that merging ends with no page shared") \
	M(MERGE_SUMS_FREED, "giving back what is remembered of pages") \
	M(MERGE_TABLE_FREED, "giving back the table of what pages hold") \
	M(MERGE_RELEASED, "giving that back with the virtual machine") \
	M(RAM_DROP_UNMAPS, "unmapping a page that goes") \
	M(GIVE_BLOCK_UNMAPS, "unmapping a block that is given back in one piece") \
	M(GIVE_BLOCK_GONE, "forgetting where it was") \
	M(GIVE_SPLIT, "telling of a block page by page, of which some are given back") \
	M(RELEASE_LAZY, "giving back RAM that was taken as it was touched") \
	M(HELD_STAYS, "that a page which is held does not go to the area") \
	M(HELD_GIVEN, "nor is given back") \
	M(HELD_BLOCK_GIVEN, "also where it lies in a block in one piece") \
	M(HELD_WRITABLE, "nor is protected, to be merged or moved") \
	M(RAM_ASKED, "that a page which is asked for is not aged any more") \
	M(RELEASE_SETTLES, "that RAM is given back when nothing of it is on its way any more") \
	M(RELEASE_SWAPPED, "giving back the places of what is in the swap area") \
	M(RELEASE_HELD, "that nobody takes pages of RAM that is given back") \
	M(AGE_HIDES_BLOCK, "that an aged block is looked up, and not found by its address") \
	M(AGE_FLAGS, "clearing the accessed flags of pages that are aged") \
	M(AGE_UNMAPS, "unmapping them where there are none") \
	M(TAKE_USED_BLOCK, "the look at the flags of a block that is to be opened") \
	M(TAKE_USED, "and at those of pages that are to go") \
	M(TAKE_COLD_BLOCK, "that a block which was used stays in one piece") \
	M(TAKE_COLD, "that a page which was used stays") \
	M(TAKE_UNMAPS, "unmapping pages that go") \
	M(GO_MERGING, "that a page which is about to be merged stays") \
	M(SETTLE_SHARED, "that a page which went from a shared frame is not counted there any more") \
	M(SETTLE_STILL, "the look whether a page was taken back on its way") \
	M(PUT_OUT_ZERO, "that zeroes are not written") \
	M(PUT_OUT_WRITTEN, "that what is not written stays") \
	M(PUT_OUT_RELEASES, "giving back places that nothing came to") \
	M(PUT_OUT_BACK, "that what was not written is back") \
	M(PUT_OUT_BACK_FULL, "that what finds no place stays") \
	M(BACK_OUT_STILL, "the look, when a page was read, whether it is out still") \
	M(SWAP_WAKES, "waking the CPUs of those that wait for the area") \
	M(SWAP_OVER, "that who waits for the area has his turn again") \
	M(RUN_SWAPPING, "that who waits for the area has no turn") \
	M(AWAIT_LEAVES, "that who waits for the area lets others have the CPU") \
	M(JOIN_LOOKS, "the look at the flags of a block that could be put together") \
	M(JOIN_USED, "that a block with pages that were not used is not put together") \
	M(JOIN_MAPS_ANEW, "unmapping a block that was put together where it was") \
	M(JOIN_STILL, "the look whether a page was written to while its block was copied") \
	M(JOIN_UNPROTECTS, "that pages of a block that is not put together may be written again") \
	M(JOIN_PROTECTS, "protecting pages before they are copied") \
	M(JOIN_UNMAPS, "unmapping a block before the frames that it had are free") \
	M(JOIN_FREES, "freeing them") \
	M(JOIN_SPARES, "that nobody has to give back for a block to be put together") \
	M(JOIN_NOTED, "telling that there is a block to be put together") \
	M(JOIN_LATER, "that a block which has just been opened stays so for a while") \
	M(JOIN_MERGED, "that none is of a machine whose pages are merged") \
	M(JOIN_LOGGED, "nor of one whose writes are logged") \
	M(PACKED_MOST, "how many frames there are for packed pages") \
	M(PACKED_KEEPS, "that the hypervisor's own frames are not taken for them") \
	M(PACKED_FREES, "giving back a frame in which no page is packed any more") \
	M(PACKED_VECTORS, "that what packs leaves the vector registers as they were") \
	M(UNPACKED_VECTORS, "the same of what unpacks") \
	M(PACKED_DROPS, "that a place which is given back is packed no more") \
	M(PACKED_ONE_WRITE, "that the oldest packed pages do not go on while something else is written") \
	M(PACKED_STAYS, "that a packed page stays until it has been written") \
	M(PACKED_GOT, "that what is packed is what comes back") \
	M(PACKED_ROOM, "that the oldest packed pages go on to the disk") \
	M(SWEEP_ONE, "that no more pages are taken while some are on their way") \
	M(RECLAIM_PATIENT, "that nobody ends while pages are on their way") \
	M(RECLAIM_GOES_ON, "that pages go on leaving when some have gone") \
	M(BACK_READ, "reading a page that comes back") \
	M(BACK_RELEASES, "giving back the place of a page that has come back") \
	M(BACK_LOOKS_AGAIN, "the second look at a page, with the area's lock held") \
	M(SAVE_SWAPPED, "that a page in the swap area is in a snapshot") \
	M(SWAP_THERE, "that there is a disk to swap to") \
	M(SWAP_FULL, "that a full area takes nothing") \
	M(SWAP_FAILED, "that an area which failed takes nothing") \
	M(SWAP_ONE_DISK, "that all swap to the same disk") \
	M(ZPOOL_FITS, "that what compressed pages may have is less than the machine has") \
	M(SWAP_ALONE, "that it is alone at its channel") \
	M(SHARE_RESERVED, "what a reservation keeps") \
	M(SHARE_AROUND, "that a reservation comes off what the others have a share of") \
	M(SHARE_LIMIT, "that who is above its limit gives back first") \
	M(SHARE_ONCE, "that two containers of one guest have one share") \
	M(SHARE_MOST, "that who is most above its share gives back") \
	M(SHARE_ROOM, "that there is room in the area for what others are entitled to") \
	M(LIMIT_BLOCK, "that nobody takes 2 MBytes beyond its limit") \
	M(RECLAIM_NOTED, "asking for memory to be given back") \
	M(RECLAIM_WAITS, "that a fault waits for a frame") \
	M(RECLAIM_LEAST, "that nobody goes on with less than the least") \
	M(RECLAIM_SHARED, "that pages in shared frames go where no others can") \
	M(RECLAIM_ENDS_ONE, "ending one where nothing can go") \
	M(CLOCK_GAP, "the distance between the two hands") \
	M(CLOCK_WATCH, "that pages are aged before memory is short") \
	M(CLOCK_STUCK, "that who has nothing to give is passed over") \
	M(CONFIG_SIZE_MOST, "how much reservation and limit can be") \
	M(CONFIG_SIZE_PAGES, "that these are whole pages") \
	M(CONFIG_LIMIT_LEAST, "the least limit") \
	M(CONFIG_SWAP_PLACE, "what a place to swap to is called") \
	M(CONFIG_RESERVED_MOST, "that no more is reserved than there may be") \
	M(CONFIG_LIMIT_LESS, "that a limit beyond the RAM is refused") \
	M(CONFIG_SWAP_STAYS, "that what is taken at once is not swapped")

#endif
