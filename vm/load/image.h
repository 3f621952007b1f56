/* vm/load/image.h - loading a guest: from the bytes of its kernel to the registers of its first instruction.
 *
 * The formats, told apart by content:
 *   - a Linux bzImage, and a Linux vmlinux (ELF), entered by Linux' own boot protocol (its "The Linux/x86 Boot
 *     Protocol"), RSI = the zero page: a 64-bit kernel in long mode, the first 4 GiB mapped to themselves; a 32-bit
 *     kernel in protected mode, paging off, flat segments;
 *   - a Multiboot 1 kernel (ELF, or with the header's address fields), entered as the "Multiboot Specification",
 *     version 0.6.96, demands: protected mode, paging off, flat segments, EAX = the magic number, EBX = the information
 *     structure.
 *
 *   LI1  The files' bytes are hostile: no field of theirs is used before it is checked, and nothing outside of
 *        [kernel, kernel + kernel_size), the initrd's and the modules' is read. The work done is bounded by the size of
 *        the files and of the guest's RAM.
 *   LI2  Nothing is written outside the guest's RAM below low_ram_end, nor inside the firmware's area.
 *   LI3  What the loader places (initrd, tables, command line) overlaps neither the kernel nor each other.
 *   LI4  RAM that the loader does not write is zero already. */
#ifndef VELLUM_VM_IMAGE_H
#define VELLUM_VM_IMAGE_H

#include "lib/base.h"
#include "mmu/addr.h"

/* The guest's memory map: RAM [0, LOADER_EBDA), RAM that is reserved from there to 0xa0000, no RAM to LOADER_FIRMWARE,
 * where the firmware's tables (ACPI) are, up to 1 MiB; RAM [1 MiB, low_ram_end); RAM [4 GiB, 4 GiB + high_ram). */
#define LOADER_EBDA 0x9fc00ull
#define LOADER_LOW_HOLE 0xa0000ull
#define LOADER_FIRMWARE 0xe0000ull
#define LOADER_MB 0x100000ull
#define LOADER_LOW_MAX (3ull << 30)

/* The guest's RAM, as the loader may write it. Both functions are called with ranges inside RAM only; false: that
 * memory cannot be had (the host is out of frames). */
struct loader_memory {
	bool (*write)(void *ctx, gpa_t gpa, const void *data, size_t n);
	bool (*zero)(void *ctx, gpa_t gpa, size_t n);
	void *ctx;
	uint64_t low_ram_end; /* bytes from 0: at least 1 MiB, at most LOADER_LOW_MAX, a multiple of 4 KiB */
	uint64_t high_ram;    /* bytes from 4 GiB */
	uint64_t acpi_rsdp;   /* gpa of the RSDP, 0: none; told to Linux */
};

/* What a Multiboot kernel gets beside it: a file, and the string that goes with it. */
struct image_module {
	const void *data;
	size_t size;
	const char *string; /* never NULL */
};
#define IMAGE_MODULES_MAX 8

struct image_files {
	const void *kernel;
	size_t kernel_size;
	const void *initrd;      /* NULL: none */
	size_t initrd_size;
	const char *cmdline;     /* never NULL */
	/* Multiboot: the first word of the command line, as other loaders have it; its last path component */
	const char *kernel_name;
	const char *initrd_name; /* Multiboot, for which it is the first module: its string; may be NULL */
	struct image_module module[IMAGE_MODULES_MAX]; /* Multiboot only: those behind it */
	unsigned modules;
};

enum cpu_start_mode {
	START_LONG64, /* CR0.PE/PG, CR4.PAE, EFER.LME/LMA set; CR3 = cr3 */
	START_PROT32, /* CR0.PE set; CR4 = 0; EFER = 0 */
	START_RESET,  /* as after a reset, at a firmware: nothing of what follows holds */
};

/* The state of the boot CPU at the guest's first instruction. RFLAGS = 2; registers not named are 0; ES, FS, GS and SS
 * are as DS; the descriptors are flat (base 0, limit 4 GiB, present, accessed; CS.L in long mode, D/B otherwise); the
 * IDT is empty (limit 0). */
struct cpu_start {
	enum cpu_start_mode mode;
	uint64_t rip, rsp, rax, rbx, rsi;
	uint64_t cr3;
	uint64_t gdt_base; /* a GDT in guest memory that holds cs and ds */
	uint32_t gdt_limit;
	uint16_t cs, ds;
};

/* Loads files into mem and says in *out how the guest starts. false: nothing may run; error is one clear sentence or
 * clause, without a final newline. */
bool load_image(const struct loader_memory *mem, const struct image_files *files, struct cpu_start *out, char *error,
		size_t error_size);

#endif
