/* 64 bits: CR3 leads to where no memory is (cr3=PAGE).
 * All ones are an entry with reserved bits: a page fault, which nobody can take. */
#include "guest/test/base/rt.h"

const char test_name[] = "lost";

void test_main(void)
{
	print("lost: now\n");
	__asm__ volatile("movq %0, %%cr3; jmp 1f; 1: hlt"
			 :
			 : "r"((word)parameter_number("cr3", 0x80000) << 12)
			 : "memory");
	print("lost: FAILED, still here\n");
	debug_exit(1);
}
