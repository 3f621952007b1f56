/* A boot sector that writes what is typed; m and g are modes 13h, with all colours, and 12h, all of one. For
 * test/boot/screen.py, to which the same disk is a guest that waits. */
#include "guest/test/sector/sector.h"
#include "lib/vga.h"

	.set	MODE_ALL_COLOURS, 0x13
	.set	MODE_PLANES, 0x12

	sector_begin
	movw	$(VGA_APERTURE / 16), %ax
	movw	%ax, %es
	movw	$greeting, %si
1:	lodsb
	testb	%al, %al
	jz	next
	call	put
	jmp	1b
next:	xorb	%ah, %ah
	int	$BIOS_KEYBOARD
	cmpb	$'m', %al
	je	colours
	cmpb	$'g', %al
	je	planes
	call	put
	jmp	next
put:	movb	$BIOS_VIDEO_TELETYPE, %ah
	movw	$7, %bx
	int	$BIOS_VIDEO
	ret
colours:
	movw	$MODE_ALL_COLOURS, %ax
	int	$BIOS_VIDEO
	xorw	%di, %di
	movw	$(320 * 200), %cx
1:	movw	%di, %ax
	stosb
	loop	1b
	jmp	next
planes:	movw	$MODE_PLANES, %ax
	int	$BIOS_VIDEO
	movw	$VGA_SEQUENCER, %dx
	movw	$0x0502, %ax	/* the map mask: planes 0 and 2 */
	outw	%ax, %dx
	xorw	%di, %di
	movb	$0x5a, %al
	movw	$(640 / 8 * 480), %cx
	rep stosb
	jmp	next
greeting:
	.asciz	"typed: "
	sector_end
