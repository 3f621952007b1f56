/* vm/device/flash.h - the flash memory of a virtual machine that starts at a firmware, below its ROM: a disk of the
 * machine's that is read as a whole before any virtual machine begins, and written where the guest has changed it.
 *
 * FH1  What it holds is the place's of the virtual machine, and stays where that begins again, or goes on in another
 *      container.
 * FH2  Each sector that was changed is written again and flushed, after its last change; one that could not be written
 *      is told of once, and the guest goes on with what is in memory.
 * FH3  The guest finds plain memory there while the device's array can be read (FL1 in dev/firmware/flash.h): who has
 *      written a command finds it so at its next instruction. */
#ifndef VELLUM_VM_FLASH_H
#define VELLUM_VM_FLASH_H

#include "dev/block/block.h"
#include "dev/firmware/flash.h"
#include "host/cpu/spinlock.h"
#include "vm/config/config.h"

#define FLASH_MAX (8u << 20)

struct flash_store {
	struct flash_store *next; /* of all */
	const struct vm_config *vm;
	uint8_t *array;
	uint32_t bytes;
	struct spinlock lock; /* a leaf, but for that of the disk's queue; it guards what follows */
	struct block_disk disk;
	struct block_request request;
	struct guest_segment segment;
	bool busy, failed;
	uint64_t stale[FLASH_MAX / SECTOR_SIZE / 64]; /* sectors that are to be written */
};

struct vm;
/* Reads the flash memories of all descriptions; the disks' queues take no request yet. NULL, or one sentence. */
const char *vm_flash_begin(void);
/* Writes what is left of all, and waits for it; on the first CPU, with no lock held. */
void vm_flash_end(void);
/* Gives their memory back. */
void vm_flash_release(void);
/* Puts it below the ROM of a new virtual machine, if its description has one; mode_changed: what calls vm_flash_place()
 * before the next instruction of the guest. false: there is no room. */
bool vm_flash_add(struct vm *vm, void (*mode_changed)(void *vm));
/* The guest is to find what the device says; the device lock is held, and the virtual machine stands. */
void vm_flash_place(struct vm *vm);

#endif
