/* host/boot/multiboot.h - what the Multiboot2 loader left: memory map, modules, the RSDP. Multiboot2 Specification,
 * "Boot information". */
#ifndef VELLUM_HOST_MULTIBOOT_H
#define VELLUM_HOST_MULTIBOOT_H

#include "lib/base.h"

struct boot_module {
	const uint8_t *data;
	size_t size;
};

/* Of physical addresses. */
struct boot_range {
	uint64_t base, end;
};

struct boot_info {
	bool native;      /* the word "native" on the hypervisor's command line: run the guest without it */
	bool stay;           /* of the word stay: the machine stays up when no virtual machine is left */
	const char *provoke; /* of the word provoke=NAME (host/trap/provoke.h); NULL: none */
	uint32_t vpids;      /* of the word vpids=N: how many VPIDs may be given; 0: all that there are */
	const char *exchange; /* of the word exchange=DISK (vm/snapshot/exchange.h); NULL: none */
	const char *hide;    /* of the word hide=LIST (vm/cpu/hide.c); NULL: nothing */
	const void *rsdp; /* NULL: the loader gave none */
};

/* Reads the information once, gives RAM to host/memory/frames.h, and keeps what it needs of it. Returns NULL, or what
 * is wrong. */
const char *boot_info_read(uint32_t magic, const void *information);
const struct boot_info *boot_info(void);
/* Range i of RAM, as the memory map has them; false: there are no more. */
bool boot_ram(unsigned i, struct boot_range *ram);
/* The module whose string has this as its first word; NULL: there is none. */
const struct boot_module *boot_module_find(const char *name);

#endif
