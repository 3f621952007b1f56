/* 64 bits: writes to so many pages (pages=N on the command line), over and over, and to no other memory: for what
 * counts the pages that a running guest dirties. It ends only from outside. */
#include "guest/test/base/rt.h"

const char test_name[] = "dirty";

#define FIRST 0x1000000ul /* 16 MBytes */
#define STRIDE 0x5000ul   /* some in each of several large pages, none beside another */

/* Registers only, no interrupt: a stack would be a page more. */
static _Noreturn void write_for_ever(word pages)
{
	__asm__ volatile("1: mov %[first], %%rdi\n"
			 "   mov %[pages], %%rcx\n"
			 "   test %%rcx, %%rcx\n"
			 "   jz 1b\n"
			 "2: incq (%%rdi)\n"
			 "   add %[stride], %%rdi\n"
			 "   dec %%rcx\n"
			 "   jnz 2b\n"
			 "   jmp 1b"
			 :
			 : [first] "r"(FIRST), [pages] "r"(pages), [stride] "r"(STRIDE)
			 : "rdi", "rcx", "memory", "cc");
	__builtin_unreachable();
}

void test_main(void)
{
	word pages = parameter_number("pages", 100);

	print("dirty: ready\n");
	cli();
	write_for_ever(pages);
}
