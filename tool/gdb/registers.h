/* The registers in the order and form that GDB wants them, and their description for it (GDB's manual, "Target
 * Descriptions", "i386 Features"). */
#ifndef VELLUM_TOOL_GDB_REGISTERS_H
#define VELLUM_TOOL_GDB_REGISTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tool/base/util.h"

enum { REGISTERS_NUMBERS = 33, REGISTERS_PC = 16, REGISTERS_IMAGE = 416, REGISTER_BYTES_MAX = 16 };

/* What the hypervisor tells (vm/control/debug.c): numbers, and the image of FXSAVE. */
struct registers {
	uint64_t number[REGISTERS_NUMBERS];
	uint8_t image[REGISTERS_IMAGE];
};

unsigned registers_count(bool wide);
/* The bytes of register n, in the target's order; how many. n is below the count. */
size_t register_read(const struct registers *r, bool wide, unsigned n, uint8_t *out);
size_t register_size(bool wide, unsigned n);
bool register_is_pc(bool wide, unsigned n);
/* The words of the request that makes register n these bytes: "NAME HEX", to be freed; NULL: it cannot be changed. */
char *register_set(bool wide, unsigned n, const uint8_t *bytes);
/* target.xml; to be freed. */
char *registers_description(bool wide);

#endif
