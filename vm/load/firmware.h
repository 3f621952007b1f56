/* vm/load/firmware.h - a firmware's ROM, and a Linux kernel as a firmware loads it: what must be true of their bytes,
 * which are hostile (LI1 in vm/load/image.h), and where the parts go. */
#ifndef VELLUM_VM_LOAD_FIRMWARE_H
#define VELLUM_VM_LOAD_FIRMWARE_H

#include "vm/load/image.h"

/* Bytes of the setup code, with the boot sector: what it may have below the heap that it is told of. */
#define LOAD_SETUP_MAX 0xc000u

struct firmware_kernel {
	uint32_t setup_size; /* bytes of the image up to the code that runs in protected mode */
	uint32_t setup_at, cmdline_at, kernel_at, initrd_at; /* guest-physical */
};

/* Is a firmware of so many bytes one that a PC could start at? error: one sentence. */
bool load_firmware_fits(size_t bytes, char *error, size_t error_size);
/* A bzImage, with what its setup code is to find in its header written into setup, a copy ("The Linux/x86 Boot
 * Protocol", "The Real-Mode Kernel Header"). low_ram_end: as in struct loader_memory. false: error says why. */
bool load_firmware_kernel(const struct image_files *files, uint64_t low_ram_end, struct firmware_kernel *out,
			  uint8_t setup[LOAD_SETUP_MAX], char *error, size_t error_size);

#endif
