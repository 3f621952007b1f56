/* 64 bits: SYSRET to a 32-bit program, from a kernel whose SS is null. The manual (SYSRET) gives SS the attributes of a
 * flat 32-bit stack, whatever it had: pushes and pops use all of ESP. */
#include "guest/test/base/pages.h"

const char test_name[] = "sysret";

#define STACK 0x9f000ul /* above 64 KiB, below 1 MiB: memory that the test's image does not use */

extern uint64_t boot_pml4[PAGE_TABLE_ENTRIES], boot_pdpt[PAGE_TABLE_ENTRIES], boot_pd[16][PAGE_TABLE_ENTRIES];
void kernel_entry(void);
__asm__(".text\n"
	"kernel_entry:\n" /* by SYSCALL, on the program's stack */
	"	xorl %eax, %eax\n"
	"	movw %ax, %ss\n"
	"	leaq compat(%rip), %rcx\n"
	"	movl $2, %r11d\n"
	"	movl $0x9f000, %esp\n"
	"	sysretl\n"
	"	.code32\n"
	"compat:\n"
	"	pushl $0x12345678\n"
	"	popl %ebx\n"
	"	movl %esp, %ecx\n"
	"	pushl $0x5a5a5a5a\n"
	"	ud2\n"
	"	.code64\n");

static void program(void *p)
{
	(void)p;
	__asm__ volatile("syscall" : : : "rax", "rbx", "rcx", "r11", "memory");
}

void test_main(void)
{
	volatile uint32_t *top = (volatile uint32_t *)STACK;

	boot_pml4[0] |= PTE_U, boot_pdpt[0] |= PTE_U, boot_pd[0][0] |= PTE_U;
	write_cr3(read_cr3());
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
	wrmsr(MSR_STAR, (uint64_t)(SELECTOR_USER_CODE32 & ~SELECTOR_RPL) << STAR_SYSRET_SHIFT |
			(uint64_t)SELECTOR_CODE64 << STAR_SYSCALL_SHIFT);
	wrmsr(MSR_LSTAR, (word)kernel_entry);
	wrmsr(MSR_FMASK, RFLAGS_TF | RFLAGS_IF | RFLAGS_DF);
	for (unsigned n = 0; n < 100; n++) {
		top[-1] = 0;
		CHECK(trap_call_user(program, NULL) == TRAP(UD),
		      "the 32-bit program ended in trap %u, error 0x%x, CR2 0x%lx", trap.vector, trap.error, trap.cr2);
		CHECK(top[-1] == 0x5a5a5a5a, "what it pushed is not on its stack");
	}
}
