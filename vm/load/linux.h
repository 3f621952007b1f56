/* vm/load/linux.h - the zero page and the setup header of Linux ("The Linux/x86 Boot Protocol"). */
#ifndef VELLUM_VM_LOAD_LINUX_H
#define VELLUM_VM_LOAD_LINUX_H

#include "lib/base.h"

/* Fields of the zero page; those of the setup header lie at the same offsets in the image. */
#define ZP_EXT_MEM_K 0x002
#define ZP_OLD_CMDLINE_MAGIC 0x020
#define ZP_OLD_CMDLINE_OFFSET 0x022
#define ZP_ACPI_RSDP 0x070
#define ZP_ALT_MEM_K 0x1e0
#define ZP_E820_ENTRIES 0x1e8
#define ZP_SETUP_SECTS 0x1f1
#define ZP_SYSSIZE 0x1f4
#define ZP_VID_MODE 0x1fa
#define ZP_BOOT_FLAG 0x1fe
#define ZP_HEADER_LENGTH 0x201 /* second byte of the jump: the header ends at 0x202 + this */
#define ZP_HEADER 0x202
#define ZP_VERSION 0x206
#define ZP_TYPE_OF_LOADER 0x210
#define ZP_LOADFLAGS 0x211
#define ZP_RAMDISK_IMAGE 0x218
#define ZP_RAMDISK_SIZE 0x21c
#define ZP_HEAP_END 0x224
#define ZP_CMD_LINE_PTR 0x228
#define ZP_INITRD_ADDR_MAX 0x22c
#define ZP_KERNEL_ALIGNMENT 0x230
#define ZP_XLOADFLAGS 0x236
#define ZP_CMDLINE_SIZE 0x238
#define ZP_PREF_ADDRESS 0x258
#define ZP_INIT_SIZE 0x260
#define ZP_HEADER_MAX 0x290 /* the setup header may not reach beyond */
#define ZP_E820_TABLE 0x2d0

#define LOADFLAG_LOADED_HIGH 0x01u

/* Versions of the protocol, each the first with a field ("The Real-Mode Kernel Header"). */
#define LINUX_VERSION_OLDEST 0x200u /* the first whose header says its version and takes an initrd */
#define LINUX_VERSION_CMD_LINE_PTR 0x202u
#define LINUX_VERSION_INITRD_MAX 0x203u
#define LINUX_VERSION_SYSSIZE 0x204u /* of 32 bits */
#define LINUX_VERSION_CMDLINE_SIZE 0x206u
#define LINUX_VERSION_INIT_SIZE 0x20au
#define LINUX_VERSION_XLOADFLAGS 0x20cu
/* The most characters of a command line where the header does not say. */
#define LINUX_CMDLINE_OLD_MAX 255u

/* An entry of the memory map, in the zero page and as firmware has it (ACPI, "INT 15H, E820H"). */
struct e820_entry {
	uint64_t base, bytes;
	uint32_t type; /* E820_... */
} __attribute__((packed));
#define E820_RAM 1u
#define E820_RESERVED 2u

/* Where what runs in protected mode begins in the image: behind the boot sector and setup_sects more, of which 0 means
 * 4 ("Loading The Rest of The Kernel"). */
static inline uint32_t linux_setup_size(uint8_t setup_sects)
{
	return ((setup_sects ? setup_sects : 4u) + 1) * SECTOR_SIZE;
}

#endif
