/* guest/test/sector/sector.h - for assembly: how a boot sector begins and ends. */
#include "guest/test/base/selectors.h"
#include "lib/multiboot.h"
#include "lib/x86.h"

#define BOOT_SECTOR_AT 0x7c00 /* where the BIOS puts it */
/* Services: interrupts, and functions in AH. */
#define BIOS_VIDEO 0x10
#define BIOS_VIDEO_TELETYPE 0x0e
#define BIOS_DISK 0x13
#define BIOS_DISK_READ 0x42 /* by a packet, "Enhanced Disk Drive" */
#define BIOS_KEYBOARD 0x16  /* function 0: waits for a key */
#define BOOT_SIGNATURE 0xaa55 /* what the BIOS looks for in its last bytes */

	/* All segments are 0, the stack is below it. */
	.macro	sector_begin
	.code16
	.globl sector
sector:
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	movw	$BOOT_SECTOR_AT, %sp
	.endm

	.macro	sector_end
	.org	510
	.word	BOOT_SIGNATURE
	.endm
