/* host/multiboot.h - what the Multiboot2 loader left: memory map, modules, the RSDP. Multiboot2 Specification, "Boot information". */
#ifndef VELLUM_HOST_MULTIBOOT_H
#define VELLUM_HOST_MULTIBOOT_H

#include "lib/base.h"

#define BOOT_MODULES_MAX 32

struct boot_module {
	const char *name; /* the first word of its string */
	const uint8_t *data;
	size_t size;
};

struct boot_info {
	bool native;      /* the word "native" on the hypervisor's command line: run the guest without it */
	const void *rsdp; /* NULL: the loader gave none */
	unsigned module_count;
	struct boot_module module[BOOT_MODULES_MAX];
	uint64_t ram_end; /* the end of the highest RAM, bytes */
};

/* Reads the information once, gives RAM to host/frames.h, and keeps what it needs of it. Returns NULL, or what is wrong. */
const char *boot_info_read(uint32_t magic, const void *information);
const struct boot_info *boot_info(void);
/* The module of this name (name_length bytes), or NULL. */
const struct boot_module *boot_module_find(const char *name);

#endif
