/* vm/device/video.h - a virtual machine's screen: the VGA, its memory, where the guest has that as its own, and what of
 * it has changed.
 *
 *   VV1  Where the guest has the memory (VG2 in dev/video/vga.h), it is RAM of the memory map, all of it of one piece.
 *        Who has changed that by a register finds it so at its next instruction; every other virtual CPU, when it next
 *        enters its guest. What is not RAM exits, and is the device's. Where other memory of the guest's is in the
 *        way, it stays as it was, and the device's.
 *   VV2  A page that has changed since a number that video_changes() gave is told by it for that number, whether the
 *        device has changed it or the guest in its own memory, where that is logged (mmu_log_start). Nothing is logged
 *        before somebody has asked. */
#ifndef VELLUM_VM_VIDEO_H
#define VELLUM_VM_VIDEO_H

#include "dev/video/stdvga.h"
#include "mmu/backing.h"
#include "vm/config/config.h"

#define VIDEO_BYTES CONFIG_VGA_MEMORY
#define VIDEO_PAGES (VIDEO_BYTES >> PAGE_SHIFT)

/* Where the guest has it, and what of it is at the beginning there. */
struct video_place {
	enum vga_plain plain;
	uint32_t gpa, bytes, offset;
};

struct vm_video {
	struct stdvga stdvga;
	void *memory;
	struct video_place place;    /* where it is */
	bool stale;                  /* that is not where it is to be */
	struct extent extent;
	struct backing_extents backing;
	bool watched, logging;
	uint32_t number;             /* of the last change that was told */
	uint32_t registers_number;   /* that of the registers' */
	uint32_t page_number[VIDEO_PAGES];
	uint64_t log[VIDEO_PAGES / 64], collected[VIDEO_PAGES / 64];
};

struct vm;
/* Puts it on the bus, if the description has one. false: the VM has ended. */
bool video_add(struct vm *vm);
/* Serves REQUEST_MEMORY, where there is a screen; the VM is frozen, the device lock held. */
void video_set_place(struct vm *vm);
/* Numbers what has changed since it was last called; the device lock is held, and mmu_lock not. */
void video_changes(struct vm *vm);

#endif
