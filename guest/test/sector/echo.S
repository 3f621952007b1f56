/* A boot sector that writes what is typed; m and g are modes 13h, with all colours, and 12h, all of one. For
 * test/boot/screen.py, to which the same disk is a guest that waits. */
#include "guest/test/sector/sector.h"

	sector_begin
	movw	$0xa000, %ax
	movw	%ax, %es
	movw	$greeting, %si
1:	lodsb
	testb	%al, %al
	jz	next
	call	put
	jmp	1b
next:	xorb	%ah, %ah
	int	$0x16
	cmpb	$'m', %al
	je	colours
	cmpb	$'g', %al
	je	planes
	call	put
	jmp	next
put:	movb	$0x0e, %ah
	movw	$7, %bx
	int	$0x10
	ret
colours:
	movw	$0x13, %ax
	int	$0x10
	xorw	%di, %di
	movw	$64000, %cx
1:	movw	%di, %ax
	stosb
	loop	1b
	jmp	next
planes:	movw	$0x12, %ax
	int	$0x10
	movw	$0x3c4, %dx
	movw	$0x0502, %ax	/* planes 0 and 2 */
	outw	%ax, %dx
	xorw	%di, %di
	movb	$0x5a, %al
	movw	$38400, %cx
	rep stosb
	jmp	next
greeting:
	.asciz	"typed: "
	sector_end
