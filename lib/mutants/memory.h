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
	M(RELEASE_LAZY, "giving back RAM that was taken as it was touched")

#endif
