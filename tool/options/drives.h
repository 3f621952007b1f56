/* The files that a run's virtual machines have as disks, and where the machine has them. */
#ifndef VELLUM_TOOL_DRIVES_H
#define VELLUM_TOOL_DRIVES_H

#include "tool/options/options.h"

enum { MOST_DRIVES = 3 };       /* Bochs' controller has four, and the boot image is one of them */

struct drive {
	char *path;             /* absolute */
	unsigned channel, unit; /* as config_disk_place() counts them */
	bool written;           /* else the machine need not be able to */
};

struct drives {
	struct drive drive[MOST_DRIVES];
	unsigned count;
	struct drive *trace;    /* of these, what exits are written to; NULL: none */
	struct drive *swap;     /* of these, what guests' pages go to; NULL: none. It is alone at its channel */
};

/* Gives the disks of a virtual machine their places, which become their names. Their files are locked until this
 * program ends, so that no other run writes them. In an image that is made for its own sake they keep their names. Ends
 * the program with one sentence if one cannot be had. */
void drives_place(struct drives *drives, struct vm_config *vm, const struct options *options);
/* What a description calls its place; the caller frees it. */
char *drives_place_name(const struct drive *d);
/* Gives the machine a disk of its own, a new file of this path and of so many bytes (docs/snapshot.md). Returns its
 * place's name; ends the program where there is none left. */
const char *drives_own(struct drives *drives, const char *path, uint64_t bytes, bool qemu);

/* A place for a disk that exits are written to, which is none of theirs; its path is filled in later. */
void drives_place_trace(struct drives *drives, const struct options *options);

/* The same for the swap area; before any other. */
void drives_place_swap(struct drives *drives, const struct options *options);

#endif
