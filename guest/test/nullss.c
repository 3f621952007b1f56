/* 64 bits: level 2, whose SS may be null. RET and IRET take a null SS of that level's RPL only (the manual: RET, IRET);
 * and it stays level 2 over a VM exit, which takes the level from the DPL of SS. */
#include "guest/test/base/pages.h"

const char test_name[] = "nullss";

#define CODE2 0x50u /* 64-bit code of level 2 */
extern uint64_t gdt[];
extern uint32_t tss[];
static uint64_t table[11];
static uint8_t stack[4096] __attribute__((aligned(16)));

struct way { uint64_t ss, iret; };

/* The CPU exits at CPUID; MOV from CR0 is level 0's. */
static void go(void *p)
{
	const struct way *w = p;

	if (w->iret)
		__asm__ volatile("mov %%rsp, %%rdx; pushq %0; pushq %%rdx; pushq $2; pushq %1; leaq 1f(%%rip), %%rdx; "
				 "pushq %%rdx; iretq\n"
				 "1: xorl %%eax, %%eax; cpuid; movq %%cr0, %%rax; ud2"
				 :
				 : "r"(w->ss), "i"(CODE2 | 2)
				 : "rax", "rbx", "rcx", "rdx", "memory");
	else
		__asm__ volatile(
			"mov %%rsp, %%rdx; pushq %0; pushq %%rdx; pushq %1; leaq 1f(%%rip), %%rdx; pushq %%rdx; lretq\n"
			"1: xorl %%eax, %%eax; cpuid; movq %%cr0, %%rax; ud2"
			:
			: "r"(w->ss), "i"(CODE2 | 2)
			: "rax", "rbx", "rcx", "rdx", "memory");
}

static uint64_t byte_at(word at) { return *(const uint8_t *)at; }

void test_main(void)
{
	struct { uint16_t limit; uint64_t base; } __attribute__((packed)) gdtr = { sizeof(table) - 1, (word)table };

	for (unsigned i = 0; i < 9; i++)
		table[i] = gdt[i];
	*(uint64_t *)(tss + 1) = (word)(stack + sizeof(stack));
	table[CODE2 / 8] = 0x00afdb000000ffff;
	__asm__ volatile("lgdt %0" : : "m"(gdtr));
	for (uint64_t iret = 0; iret < 2; iret++)
		for (uint64_t ss = 0; ss < 4; ss++) {
			struct way w = { ss, iret };

			CHECK(trap_call(go, &w) == TRAP(GP) && trap.error == 0, "SS %lu: trap %u, error 0x%x", ss,
			      trap.vector, trap.error);
			/* The return itself (48 CF, 48 CB), or MOV from CR0 (0F 20 C0). */
			CHECK((byte_at(trap.ip) == 0x0f) == (ss == 2), "SS %lu: the exception is at 0x%lx", ss,
			      trap.ip);
		}
}
