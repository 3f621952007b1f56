/* emulate/descriptor.h - private to emulate/: segment and gate descriptors. SDM: "Segment Descriptors", "System
 * Descriptor Types". */
#ifndef VELLUM_EMULATE_DESCRIPTOR_H
#define VELLUM_EMULATE_DESCRIPTOR_H

#include "emulate/internal.h"
#include "lib/descriptor.h"

static inline bool is_ia32e(const struct emulate *e)
{
	return e->efer & EFER_LMA;
}

/* A descriptor as memory has it: its 8 bytes, the next 8 if it is a system descriptor of IA-32e mode, and its linear
 * address. */
struct descriptor {
	uint64_t low, high, address;
	uint32_t access; /* as in struct emulate_segment */
};

/* exec_segment.c: the selector's descriptor from the GDT or LDT. Errors: #GP(selector) beyond the table. found, unless
 * NULL: says that instead of raising. */
enum emulate_result read_descriptor(struct emulate *e, uint16_t selector, struct descriptor *d, bool *found);
/* The CPU sets the accessed bit of a descriptor at address in memory, and in s, before it loads the register. */
enum emulate_result set_accessed(struct emulate *e, uint64_t address, struct emulate_segment *s);
/* What a segment register holds of it. */
void unpack_descriptor(const struct emulate *e, const struct descriptor *d, uint16_t selector,
		       struct emulate_segment *out);
/* A code segment for a far transfer without change of privilege, from its descriptor (which may be that of a gate's
 * target). */
enum emulate_result prepare_code(struct emulate *e, uint16_t selector, const struct descriptor *d, bool is_return,
				 struct emulate_segment *out);
/* exec_far.c: is offset within the new code segment? */
enum emulate_result check_far(struct emulate *e, const struct emulate_segment *cs, uint64_t offset);

#endif
