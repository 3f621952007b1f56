/* vm/snapshot/firmware.h - of a virtual machine that starts at a firmware, and of its display: which memory a snapshot
 * has of it, and its devices (vm/snapshot/firmware.c).
 *
 *   SN5  Memory that the guest has not always at its address is told from where it lies: RAM behind the areas below
 *        1 MByte at that of the areas, whatever is found there now; the display's at SNAPSHOT_DISPLAY_GFN. Of what lies
 *        from PAM_HOLE to PAM_BASE no guest finds anything. What is written behind the areas is not logged: it leaves
 *        when the virtual machine stands. */
#ifndef VELLUM_VM_SNAPSHOT_FIRMWARE_H
#define VELLUM_VM_SNAPSHOT_FIRMWARE_H

#include "vm/snapshot/snapshot.h"

/* Bytes of its display's memory; 0: it has none. */
uint64_t save_display_bytes(const struct vm *vm);
/* A page that SN5 is about; NULL: it is RAM where the guest finds it, or nothing. */
void *save_own_page(const struct vm *vm, gfn_t gfn);
/* Is there memory of which a snapshot tells? */
bool save_is_memory(const struct vm *vm, uint64_t gfn);
/* n bytes from gpa on (SN5). false: some of it is no memory. The first is for struct guest_memory, with a struct vm. */
bool save_read(void *vm, uint64_t gpa, void *to, size_t n);
bool save_write(struct vm *vm, uint64_t gpa, const void *from, size_t n);
/* Tells each, 64 pages at a time (bit n: page first + n), what of the display's memory has changed since *since, which
 * becomes now; each NULL: only that. The device lock is held. */
void save_display_changes(struct vm *vm, uint32_t *since, void (*each)(void *ctx, gfn_t first, uint64_t pages),
			  void *ctx);
/* Its devices, behind the PCI bus; reading, what the guest then finds where. The device lock is held. */
void firmware_state(struct fields *s, struct vm *vm);

#endif
