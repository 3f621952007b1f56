/* 32 bits: an exception that no handler takes; "tf": a trap of the guest's own, behind an instruction. */
#include "guest/test/base/rt.h"

const char test_name[] = "triple-fault";

void test_main(void)
{
	struct { uint16_t limit; uint32_t base; } __attribute__((packed)) none = { 0, 0 };

	print("triple-fault: now\n");
	if (parameter("tf"))
		__asm__ volatile("pushf\n\torl $0x100, (%%esp)\n\tpopf\n\tlidt %0\n\tnop" : : "m"(none) : "memory");
	__asm__ volatile("lidt %0; ud2" : : "m"(none));
	print("triple-fault: FAILED, still here\n");
	debug_exit(1);
}
