/* vm/device/disk.h - the disks of virtual machines: which of the machine's each is, and what it is made of. */
#ifndef VELLUM_VM_DISK_H
#define VELLUM_VM_DISK_H

#include "dev/block/block.h"
#include "dev/virtio/blk.h"
#include "dev/virtio/pci.h"
#include "vm/config/config.h"

struct vm_disk {
	struct vm *vm;
	const struct config_disk *config;
	bool said; /* that it has failed */
	struct block_disk block;
	struct virtio_blk blk;
	struct virtio_pci pci;
};

/* For the disks of all descriptions, before any VM is made: finds the machine's, if there is one, or somebody else
 * wants some. NULL, or one sentence. */
const char *disks_begin(bool wanted);
/* A disk by its place, with no request: its queue, size and unit are filled in. false: the machine has none there. */
bool disk_of_machine(const char *place, struct block_disk *disk);
/* The slot on the bus of disk n, if that is a virtio device. */
unsigned disk_slot(unsigned n);
/* Puts the disks of the description on the bus of a new VM. false: it has ended, with a sentence. */
bool disks_add(struct vm *vm);
/* Takes back what they are at, and their memory; what was written to snapshots stays. */
void disks_release(struct vm *vm);
/* Gives back the snapshots of all. */
void disks_end(void);

#endif
