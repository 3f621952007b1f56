/* host/boot/multiboot.h - what the Multiboot2 loader left: memory map, modules, the RSDP. Multiboot2 Specification,
 * "Boot information". */
#ifndef VELLUM_HOST_MULTIBOOT_H
#define VELLUM_HOST_MULTIBOOT_H

#include "lib/base.h"

#define BOOT_MODULES_MAX 32

#define BOOT_RAM_MAX 64

struct boot_module {
	const char *name; /* the first word of its string */
	uint64_t start;   /* its physical address */
	const uint8_t *data; /* set by boot_module_find(): where it is seen then */
	size_t size;
};

struct boot_info {
	bool native;      /* the word "native" on the hypervisor's command line: run the guest without it */
	bool stay;           /* of the word stay: the machine stays up when no virtual machine is left */
	const char *provoke; /* of the word provoke=NAME (host/trap/provoke.h); NULL: none */
	uint32_t vpids;      /* of the word vpids=N: how many VPIDs may be given; 0: all that there are */
	const char *exchange; /* of the word exchange=DISK (vm/snapshot/exchange.h); NULL: none */
	const char *hide;    /* of the word hide=LIST (vm/cpu/hide.c); NULL: nothing */
	const void *rsdp; /* NULL: the loader gave none */
	unsigned module_count;
	struct boot_module module[BOOT_MODULES_MAX];
	unsigned ram_count;
	struct { uint64_t base, end; } ram[BOOT_RAM_MAX]; /* bytes; what a longer memory map has more is left unused */
};

/* Reads the information once, gives RAM to host/memory/frames.h, and keeps what it needs of it. Returns NULL, or what
 * is wrong. */
const char *boot_info_read(uint32_t magic, const void *information);
const struct boot_info *boot_info(void);
/* The module of this name, with .data set; NULL: there is none. */
const struct boot_module *boot_module_find(const char *name);

#endif
