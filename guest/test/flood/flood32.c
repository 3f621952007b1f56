/* 32 bits: keeps the CPU busy with alignment checks without end (CVE-2015-5307): an #AC whose handler runs at level 3
 * too, on a stack that is not aligned, so that the delivery of each is the cause of the next. In 64-bit mode the CPU
 * aligns the stack. */
#include "guest/test/base/rt.h"

const char test_name[] = "flood32";

#define STACK 0x300001u

static void misalign(void *p)
{
	(void)p;
	__asm__ volatile("movl %0, %%esp; pushfl; orl %1, (%%esp); popfl; movl 0x300003, %%eax; 1: jmp 1b"
			 : : "i"(STACK), "i"(RFLAGS_AC) : "memory", "eax");
}

void test_main(void)
{
	struct { uint16_t limit; uint32_t base; } __attribute__((packed)) idtr;

	__asm__ volatile("sidt %0" : "=m"(idtr));
	((uint64_t *)idtr.base)[VECTOR_AC] =
		gate_pack((word)misalign, SELECTOR_USER_CODE32, GATE_INTERRUPT | SEGMENT_DPL);
	write_cr0(read_cr0() | CR0_AM);
	print("flood: alignment\n");
	trap_call_user(misalign, NULL);
	print("flood: the end\n");
}
