/* vm/device/ide.h - the IDE controller of a virtual machine that has drives at it.
 *
 * IP1  Disks come to the first place that is free from the first channel's first on, CD drives from the second
 *      channel's first on, and then to what is left: there is room for all that a description may have. */
#ifndef VELLUM_VM_IDE_H
#define VELLUM_VM_IDE_H

#include "dev/ide/ide.h"
#include "vm/config/config.h"

struct vm;

/* Where a drive is. */
struct ide_place {
	unsigned channel, unit;
};

/* The place of disk n of a description, which is one of an IDE drive (IP1). */
struct ide_place vm_ide_place(const struct vm_config *c, unsigned n);
/* Puts the controller on the bus, if the description has a drive for it. false: there is no memory, or no room. */
bool vm_ide_add(struct vm *vm);
/* Attaches disk n, which block_disk_init() has made. false: it cannot be. */
bool vm_ide_attach(struct vm *vm, unsigned n, struct block_disk *disk);
/* Gives back its memory; its requests have been taken back. */
void vm_ide_release(struct vm *vm);

#endif
