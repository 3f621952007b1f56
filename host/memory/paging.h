/* host/memory/paging.h - the hypervisor's own address space, after boot. SDM, "4-Level Paging and 5-Level
 * Paging".
 *
 * The image lies where it is linked, at its physical address. All other RAM is seen through the direct map
 * (host/memory/frames.h), at a place that each boot chooses anew; stacks and the few pages of firmware and devices that
 * the host needs lie in a window area, each between unmapped pages.
 *
 * H1  No page is both writable and executable, and no frame that one page lets execute can be written through another.
 *     (The one writer of code, host/cpu/insn_slot.c, clears CR0.WP for the length of a copy.)
 * H2  No page is the user's (U = 0 in every leaf): SMEP and SMAP, where the CPU has them, have nothing to let through.
 * H3  Nothing but the image is mapped below 4 GiB of virtual addresses: a NULL pointer faults. The page under each
 *     stack is not mapped.
 * H4  Only the image's code is executable: guests' memory, tables, modules and stacks never are.
 *
 * paging_audit() walks the tables for all four; it runs at the end of every boot. */
#ifndef VELLUM_HOST_PAGING_H
#define VELLUM_HOST_PAGING_H

#include "mmu/addr.h"

enum paging_access {
	PAGING_READ,
	PAGING_WRITE,
	PAGING_EXECUTE, /* and read */
	PAGING_DEVICE,  /* read and write, not cached */
};

/* Builds the address space and loads it: from here on frames_ptr() gives addresses in the direct map, and nothing else
 * of RAM is mapped. NULL, or one sentence that says what is missing. Called once, on the first CPU, after
 * boot_info_read(). */
const char *paging_init(void);
/* What each CPU sets for itself: CR0.WP, SMEP, SMAP and UMIP where it has them. (NXE comes with long mode,
 * host/boot/boot.S.) */
void paging_protect_cpu(void);
/* What is only written at boot (READ_MOSTLY) can only be read from here on. */
void paging_seal(void);

/* n bytes of physical memory from address, mapped between two pages that are not. NULL: no memory for the tables, or n
 * is 0 or more than 16 MiB. Stays for good. Boot only: other CPUs do not expect the tables to change. */
void *paging_window(uint64_t address, size_t n, enum paging_access access);
/* A new stack of so many pages; returns its end, as it is loaded into RSP. NULL: no memory. */
void *paging_stack(unsigned pages);

/* NULL, or one sentence: which of H1 to H4 does not hold, and where. */
const char *paging_audit(void);
/* For the tests of paging_audit() alone (host/trap/provoke.c): what it says of a page at va (0: in the window area)
 * whose entry, made as a writable one, has bits set and cleared. */
const char *paging_break_promise(uint64_t va, uint64_t pa, uint64_t set, uint64_t clear);
/* Is the page that p points into mapped? */
bool paging_maps(const void *p);

/* Written at boot, read-only after paging_seal(). */
#define READ_MOSTLY __attribute__((section(".data.read_mostly")))

#endif
