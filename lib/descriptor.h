/* lib/descriptor.h - what the 8 bytes of a segment descriptor or of a gate say. SDM, "Segment Descriptors",
 * "IDT Descriptors", "Call Gates". */
#ifndef VELLUM_LIB_DESCRIPTOR_H
#define VELLUM_LIB_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "x86.h"

/* Bits 31:0 of the base; the next 8 bytes of a system descriptor of IA-32e mode have the others. */
static inline uint32_t descriptor_base(uint64_t raw)
{
	return (uint32_t)((raw >> 16 & 0xffffff) | (raw >> 32 & 0xff000000));
}

/* As in SEGMENT_*: without the four bits of the limit that stand among them. */
static inline uint32_t descriptor_access(uint64_t raw) { return raw >> DESCRIPTOR_ACCESS_SHIFT & 0xf0ff; }

/* Of the last byte, whichever unit G says. */
static inline uint32_t descriptor_limit(uint64_t raw)
{
	uint32_t limit = (uint32_t)((raw & 0xffff) | (raw >> 32 & 0xf0000));

	return descriptor_access(raw) & SEGMENT_G ? limit << 12 | 0xfff : limit;
}

/* A descriptor of base, of which bits 31:0 count, limit, as descriptor_limit has it, and access, as in SEGMENT_*. */
static inline uint64_t descriptor_pack(uint64_t base, uint32_t limit, uint32_t access)
{
	uint64_t units = access & SEGMENT_G ? limit >> 12 : limit;

	return (units & 0xffff) | (base & 0xffffff) << 16 | (uint64_t)(access & 0xf0ff) << DESCRIPTOR_ACCESS_SHIFT |
	       (units & 0xf0000) << 32 | (base & 0xff000000) << 32;
}

/* A gate to selector:offset, access as GATE_*. In IA-32e mode the next 8 bytes begin with the offset's upper half. */
static inline uint64_t gate_pack(uint64_t offset, uint16_t selector, uint32_t access)
{
	return (offset & 0xffff) | (uint64_t)selector << 16 | (uint64_t)(access & 0xff) << DESCRIPTOR_ACCESS_SHIFT |
	       (offset & 0xffff0000) << 32;
}

/* ---- access rights, as SEGMENT_* and TYPE_* say them ---- */

static inline unsigned access_dpl(uint32_t access) { return access >> SEGMENT_DPL_SHIFT & 3; }

/* The type of a system descriptor; 0, which none has, for code and data. */
static inline unsigned access_system_type(uint32_t access) { return access & SEGMENT_S ? 0 : access & SEGMENT_TYPE; }

static inline bool access_conforming_code(uint32_t access)
{
	unsigned want = SEGMENT_S | TYPE_CODE | TYPE_CONFORMING;

	return (access & want) == want;
}

#endif
