/* lib/multiboot.h - the numbers by which Multiboot's two sides know each other, for loaders and for guests, in C and in
 * assembly. Multiboot Specification 0.6.96, "OS image format", "Machine state"; Multiboot2 Specification, "OS image
 * format", "I386 machine state". */
#ifndef VELLUM_LIB_MULTIBOOT_H
#define VELLUM_LIB_MULTIBOOT_H

#define MULTIBOOT_HEADER_MAGIC 0x1badb002
#define MULTIBOOT_BOOT_MAGIC 0x2badb002 /* in EAX, where the kernel begins */
#define MULTIBOOT2_HEADER_MAGIC 0xe85250d6
#define MULTIBOOT2_BOOT_MAGIC 0x36d76289

#define MULTIBOOT_ALIGN_MODULES 1 /* flags of the header */
#define MULTIBOOT_MEMORY 2
#define MULTIBOOT_ADDRESSES 0x10000

/* "Boot information format": which parts of it there are. */
#define MULTIBOOT_INFO_MEMORY 0x001
#define MULTIBOOT_INFO_CMDLINE 0x004
#define MULTIBOOT_INFO_MODULES 0x008
#define MULTIBOOT_INFO_MMAP 0x040
#define MULTIBOOT_INFO_LOADER_NAME 0x200

#endif
