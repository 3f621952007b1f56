/* A boot sector that loads a test kernel as Multiboot does: behind it on the disk lies the kernel as it lies in memory
 * from 1 MiB on, its entry there. Who makes the disk fills in the last words (test/boot/screen.py). */
#include "guest/test/sector/sector.h"

	.set	SECTORS, 64
	.set	BELOW, 0x10000
	.set	KERNEL_AT, 0x100000

	sector_begin
	ljmp	$0, $1f
1:	movb	%dl, drive
	/* SECTORS at a time, into what is below 640 KiB. */
2:	movw	$packet, %si
	movb	drive, %dl
	movb	$BIOS_DISK_READ, %ah
	int	$BIOS_DISK
	jc	failed
	addw	$(SECTORS * 512 / 16), packet + 6
	addl	$SECTORS, packet + 8
	subw	$SECTORS, left
	ja	2b
	cli
	lgdt	gdt_register
	movl	%cr0, %eax
	orb	$CR0_PE, %al
	movl	%eax, %cr0
	ljmpl	$SELECTOR_CODE32, $protected
failed:	hlt
	jmp	failed

	.code32
protected:
	movw	$SELECTOR_DATA, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %fs
	movw	%ax, %gs
	movw	%ax, %ss
	cld
	movl	$BELOW, %esi
	movl	$KERNEL_AT, %edi
	movl	bytes, %ecx
	rep movsb
	xorl	%eax, %eax
	movl	$0x40000, %ecx	/* and its BSS */
	rep stosb
	movl	$MULTIBOOT_BOOT_MAGIC, %eax
	movl	$information, %ebx
	jmp	*entry

	.balign	8
gdt:	.quad	0, DESCRIPTOR_FLAT_CODE32, DESCRIPTOR_FLAT_DATA
gdt_register:
	.word	. - gdt - 1
	.long	gdt
packet:	.word	16, SECTORS, 0, BELOW / 16
	.quad	1
drive:	.byte	0
	.balign	4
information:
	.long	4, 0, 0, 0, command
	.fill	8, 4, 0
	.org	440
command:
	.fill	56, 1, 0
	.org	496
entry:	.long	0
bytes:	.long	0
left:	.word	0
	sector_end
