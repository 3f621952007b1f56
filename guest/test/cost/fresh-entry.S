/* The processors of fresh, without a stack: from the start-up IPI to 64 bits, with the first one's CR3; a number; and
 * when it is told to go, each touches the pages of its own. */
#include "guest/test/base/entry.h"
#include "guest/test/cost/fresh.h"

	from_real_mode fresh
	movl	%cr4, %eax
	orl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	fresh_cr3, %eax
	movl	%eax, %cr3
	set_lme
	movl	%cr0, %eax
	orl	$(CR0_PG | CR0_PE), %eax
	movl	%eax, %cr0
	ljmp	$SELECTOR_CODE64, $1f
	.code64
1:	movl	$1, %eax
	lock xaddl %eax, fresh_started
	incl	%eax		/* the first processor's number is 0 */
	movl	fresh_pages, %ecx
	shlq	$12, %rcx	/* FRESH_PAGE */
	imulq	%rax, %rcx
	addq	fresh_from, %rcx
	movl	fresh_pages, %edx
2:	pause
	cmpl	$0, fresh_go
	je	2b
3:	movl	%edx, (%rcx)
	addq	$FRESH_PAGE, %rcx
	decl	%edx
	jnz	3b
	lock incl fresh_done
4:	cli
	hlt
	jmp	4b
	.section .note.GNU-stack, "", @progbits
