/* lab/plugin/inside.h - what the plugin's files share among themselves. */
#ifndef VELLUM_LAB_PLUGIN_INSIDE_H
#define VELLUM_LAB_PLUGIN_INSIDE_H

#include <stdbool.h>
#include <sys/types.h>

#include "lab/plugin/ring.h"

enum { SYS_ARGUMENTS = 6 };

/* A thread of the program. */
struct vcpu {
	uint64_t *at, *end; /* in the chunk; both NULL: it has none */
	struct ring_chunk *chunk;
	uint64_t argument[SYS_ARGUMENTS];
	bool begun;
	/* The last access in this run of the block: whose, and where it ended. */
	const void *instruction;
	uint64_t next;
	bool write;
};

void put_call(struct vcpu *v, unsigned kind, const uint64_t words[RING_CALL_WORDS - 1]);

/* A file by a number that is never 0. */
uint64_t file_number(dev_t device, ino_t inode);
/* Called before QEMU loads the program; then at the program's first instruction; then at its first store, to va. */
void note_regions_before(void);
void put_regions(struct vcpu *v);
void put_stack(struct vcpu *v, uint64_t va);

#endif
