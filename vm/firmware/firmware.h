/* vm/firmware/firmware.h - a virtual machine that starts at a firmware, as a PC does: its ROM, what lies below 1 MByte,
 * and what the firmware reads of fw_cfg.
 *
 * FM1  What the guest finds from 0xc0000 to 0xfffff is what the host bridge's registers say, of each area by itself:
 *      RAM, RAM that is read-only, or the ROM, whose writes go to RAM or nowhere. Who has written a register finds it
 *      so at its next instruction; every other virtual CPU, when it next enters its guest.
 * FM2  The ROM is never written. */
#ifndef VELLUM_VM_FIRMWARE_H
#define VELLUM_VM_FIRMWARE_H

#include "dev/bus/i440fx.h"
#include "dev/firmware/flash.h"
#include "hvm/types.h"
#include "mmu/backing.h"

/* By which SeaBIOS knows a machine that has fw_cfg: vendor and device of QEMU's. */
#define QEMU_SUBSYSTEM 0x11001af4u
#define ACPI_BYTES 0x8000u /* room for the ACPI tables, in memory or as a file of fw_cfg */
#define VM_EXTENTS_MAX 16
/* What host memory a virtual machine has: RAM below and above 4 GBytes, a firmware's ROM, its files of fw_cfg,
 * a TSS, and its screen's memory. */
enum vm_extents {
	VM_EXTENTS_LOW, VM_EXTENTS_HIGH, VM_EXTENTS_ROM, VM_EXTENTS_FILES, VM_EXTENTS_TSS, VM_EXTENTS_VIDEO,
	VM_EXTENT_LISTS
};

enum area_source { AREA_NOTHING, AREA_ROM, AREA_RAM, AREA_RAM_READ_ONLY };

/* A slot of one piece of memory. */
struct firmware_piece {
	struct extent extent;
	struct backing_extents backing;
};

struct vm_firmware {
	struct firmware_piece base, first, rom, tss_pages, flash, area[PAM_AREAS];
	struct flash chip;                  /* .bytes 0: it has none */
	bool flash_plain;                   /* that is memory */
	struct hvm_tss tss;                 /* for real mode in virtual-8086 mode: all ports are allowed */
	enum area_source source[PAM_AREAS]; /* what is there */
	struct extent rest[VM_EXTENTS_MAX]; /* of RAM from 1 MByte on */
	struct backing_extents rest_backing;
	uint64_t rom_bytes;
	bool stale;                         /* what is there is not what the host bridge says */
	unsigned line_used;                 /* of what it has said, and has not been written yet: */
	char line[100];
};

struct vm;
struct cpu_start;
/* ---- vm/create.c ---- */
/* Takes pages of host memory in as few and as well aligned runs as there are, all zero. Returns the number of runs, 0:
 * not enough memory. */
unsigned vm_take_memory(struct extent *extent, uint64_t pages);
struct boot_module;
/* The module that the description names; NULL: there is none, and the VM has ended. */
const struct boot_module *vm_find_module(struct vm *vm, const char *name, const char *what);

/* ---- vm/firmware/bios_data.c ---- */
/* What a guest that starts at its kernel finds of a firmware. false: no memory. */
bool bios_data_write(struct vm *vm);

/* ---- vm/firmware/firmware.c ---- */
/* RAM below 4 GBytes, with the hole and the areas that are RAM by themselves; the areas are added by firmware_load().
 * false: no memory. */
bool firmware_add_low_ram(struct vm *vm);
/* Bytes from 0 that it has always, a slot from 1 MByte on of its own among them, where the rest comes when it is
 * touched. */
uint64_t firmware_at_once(const struct vm *vm);
/* Its ROM, and the files. false: the VM has ended. */
bool firmware_load(struct vm *vm, struct cpu_start *start);
/* What it reads of fw_cfg (vm/firmware/firmware_files.c). false: the VM has ended. */
bool firmware_add_files(struct vm *vm);
/* Writes what it is to boot from (vm/firmware/boot_order.c): first the ROM of this name, unless NULL. Returns the
 * characters. */
size_t firmware_boot_order(struct vm *vm, const char *rom, char *text, size_t size);
/* The host bridge's registers have changed, or the flash's mode; the device lock is held. */
void firmware_areas_changed(void *vm);
/* Serves REQUEST_MEMORY; freezes the VM. */
void firmware_memory_changed(struct vm *vm);
/* The same of the areas, where no virtual CPU has begun yet and the bridge's registers were read from a snapshot; the
 * device lock is held. A display's memory is placed when the first enters its guest. */
void firmware_place(struct vm *vm);
/* The ROM, of .rom_bytes bytes. */
const void *firmware_rom(const struct vm *vm);
/* The page of RAM that is behind what the guest finds at gpa, a page's below PAM_END, whatever that is now. */
void *firmware_behind(const struct vm *vm, uint64_t gpa);
/* A byte of the firmware's log. */
void firmware_says(void *vm, uint8_t byte);

#endif
