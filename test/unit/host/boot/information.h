/* test/unit/host/boot/information.h - a machine with RAM and what a Multiboot2 loader says of it, for the tests of
 * host/boot/multiboot.c and of what it gives its RAM to; and its CPU, as far as they use it. */
#ifndef VELLUM_TEST_INFORMATION_H
#define VELLUM_TEST_INFORMATION_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/boot/multiboot.h"

#define MIB (1ull << 20)
#define SEEN (192 * MIB) /* of the machine's memory, from 0 on */

extern uint8_t *memory;
void map_memory(void);

/* What is to be in CR4 whenever nobody executes vector instructions. */
#define CR4_OF_THE_LOADER CR4_PAE
extern uint64_t cr4;

struct information {
	uint32_t total, reserved;
	uint8_t tags[60000];
};

void add_tag(struct information *i, uint32_t type, const void *data, uint32_t n);
void add_named_module(struct information *i, uint32_t start, uint32_t end, const char *string);
void add_module(struct information *i, uint32_t start, uint32_t end);
/* Reads it; NULL, or what is wrong. */
const char *read_information(struct information *i);

#define ENTRY(base, bytes) { (base), (bytes), 1 }
struct map {
	uint32_t entry_size, version;
	struct { uint64_t base, length, type; } entry[4];
};

/* The tests, each in a process of its own: what the loader left is read once. 0, or the line that is not so. */
#define CHECK(what) \
	do { \
		if (!(what)) \
			return __LINE__; \
	} while (0)

void in_child(int (*test)(void));

#endif
