/* lib/mutants/memory.h - the mutants of a guest's RAM (vm/memory/), and of the frames that it is made of
 * (lib/mutants/mutate.h). */
#ifndef VELLUM_LIB_MUTANTS_MEMORY_H
#define VELLUM_LIB_MUTANTS_MEMORY_H

#define VM_MUTANTS_MEMORY(M) \
	M(FRAMES_DIRTY, "that a frame which was somebody's is not clear") \
	M(FRAMES_DIRTY_BLOCK, "the same of a block of 2 MBytes") \
	M(RAM_KEEPS, "the frames that guests leave to the hypervisor") \
	M(RAM_SHARES, "what a guest leaves to others of what they are entitled to") \
	M(RAM_LAST_SHARER, "that who leaves a shared frame last keeps it") \
	M(RAM_SPLIT_GONE, "forgetting where its pages were") \
	M(RAM_PROTECTS, "taking the write permission from a page that may be shared") \
	M(RAM_REPLACE_UNMAPS, "unmapping a page that comes to lie in another frame") \
	M(RAM_DROP_UNMAPS, "unmapping a page that goes") \
	M(RELEASE_LAZY, "giving back RAM that was taken as it was touched") \
	M(RAM_ASKED, "that a page which is asked for is not aged any more") \
	M(RELEASE_SWAPPED, "giving back the places of what is in the swap area") \
	M(RELEASE_HELD, "that nobody takes pages of RAM that is given back") \
	M(AGE_BLOCK_UNMAPS, "unmapping a block that is aged") \
	M(AGE_UNMAPS, "unmapping pages that are aged") \
	M(TAKE_COLD_BLOCK, "that a block which was used stays in one piece") \
	M(TAKE_COLD, "that a page which was used stays") \
	M(TAKE_UNMAPS, "unmapping pages that go") \
	M(SETTLE_STILL, "the look whether a page was taken back on its way") \
	M(PUT_OUT_ZERO, "that zeroes are not written") \
	M(PUT_OUT_WRITTEN, "that what is not written stays") \
	M(PUT_OUT_RELEASES, "giving back places that nothing came to") \
	M(PUT_OUT_BACK, "that what finds no place stays") \
	M(BACK_READ, "reading a page that comes back") \
	M(BACK_RELEASES, "giving back the place of a page that has come back") \
	M(BACK_LOOKS_AGAIN, "the second look at a page, with the area's lock held") \
	M(SAVE_SWAPPED, "that a page in the swap area is in a snapshot") \
	M(SWAP_THERE, "that there is a disk to swap to") \
	M(SWAP_FULL, "that a full area takes nothing") \
	M(SWAP_FAILED, "that an area which failed takes nothing") \
	M(SWAP_ONE_DISK, "that all swap to the same disk") \
	M(SWAP_ALONE, "that it is alone at its channel") \
	M(SHARE_RESERVED, "what a reservation keeps") \
	M(SHARE_LIMIT, "that who is above its limit gives back first") \
	M(SHARE_MOST, "that who is most above its share gives back") \
	M(SHARE_ROOM, "that there is room in the area for what others are entitled to") \
	M(LIMIT_BLOCK, "that nobody takes 2 MBytes beyond its limit") \
	M(RECLAIM_NOTED, "asking for memory to be given back") \
	M(RECLAIM_WAITS, "that a fault waits for a frame") \
	M(RECLAIM_LEAST, "that nobody goes on with less than the least") \
	M(RECLAIM_ENDS_ONE, "ending one where nothing can go") \
	M(CLOCK_GAP, "the distance between the two hands") \
	M(CLOCK_STUCK, "that who has nothing to give is passed over") \
	M(CONFIG_SIZE_MOST, "how much reservation and limit can be") \
	M(CONFIG_SIZE_PAGES, "that these are whole pages") \
	M(CONFIG_LIMIT_LEAST, "the least limit") \
	M(CONFIG_SWAP_PLACE, "what a place to swap to is called") \
	M(CONFIG_RESERVED_MOST, "that no more is reserved than there may be") \
	M(CONFIG_SWAP_STAYS, "that what is taken at once is not swapped")

#endif
