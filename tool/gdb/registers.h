/* The registers in the order and form that GDB wants them, and their description for it (GDB's manual, "Target
 * Descriptions", "i386 Features"). */
#ifndef VELLUM_TOOL_GDB_REGISTERS_H
#define VELLUM_TOOL_GDB_REGISTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tool/base/util.h"

enum { REGISTERS_NUMBERS = 33, REGISTERS_PC = 16, REGISTERS_IMAGE = 416, REGISTERS_YMM = 256,
       REGISTER_BYTES_MAX = 16 };

/* Which registers there are: those of x86-64, and of AVX. Of a target for good. */
enum { REGISTERS_WIDE = 1, REGISTERS_AVX = 2, REGISTERS_FORMS = 4 };

/* What the hypervisor tells (vm/control/debug.c): numbers, the image of FXSAVE, and the upper halves of YMM0
 * to YMM15. */
struct registers {
	uint64_t number[REGISTERS_NUMBERS];
	uint8_t image[REGISTERS_IMAGE];
	uint8_t ymm[REGISTERS_YMM];
};

unsigned registers_count(unsigned form);
/* The bytes of register n, in the target's order; how many. n is below the count. */
size_t register_read(const struct registers *r, unsigned form, unsigned n, uint8_t *out);
size_t register_size(unsigned form, unsigned n);
bool register_is_pc(unsigned form, unsigned n);
/* The words of the request that makes register n these bytes: "NAME HEX", to be freed; NULL: it cannot be changed. */
char *register_set(unsigned form, unsigned n, const uint8_t *bytes);
/* target.xml; to be freed. */
char *registers_description(unsigned form);

#endif
