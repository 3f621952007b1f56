/* test/fiber.h - for tests that change stacks, millions of times: without a system call, as swapcontext() makes two for
 * the mask of signals. The address sanitizer has to know, where it is linked in. */
#ifndef VELLUM_TEST_FIBER_H
#define VELLUM_TEST_FIBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

__attribute__((weak)) void __sanitizer_start_switch_fiber(void **fake, const void *bottom, size_t size);
__attribute__((weak)) void __sanitizer_finish_switch_fiber(void *fake, const void **bottom, size_t *size);
__attribute__((weak)) void __asan_unpoison_memory_region(const volatile void *bottom, size_t size);

/* Before a change: to the stack of so many bytes at bottom. fake: where something is kept for the way back; NULL: there
 * is none. */
static inline void fiber_leave(void **fake, const void *bottom, size_t size)
{
	if (__sanitizer_start_switch_fiber)
		__sanitizer_start_switch_fiber(fake, bottom, size);
}

/* Behind one; false: nothing is known of the stack that was left. */
static inline bool fiber_arrive(void *fake, const void **bottom, size_t *size)
{
	if (!__sanitizer_finish_switch_fiber)
		return false;
	__sanitizer_finish_switch_fiber(fake, bottom, size);
	return true;
}

/* Goes on where to stands; *from is where this stands meanwhile. System V ABI, AMD64, "Registers": who is called keeps
 * these. */
__attribute__((naked, noinline, unused)) static void fiber_switch(void **from __attribute__((unused)),
								   void *to __attribute__((unused)))
{
	__asm__("push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15\n\t"
		"mov %rsp, (%rdi)\n\t"
		"mov %rsi, %rsp\n\t"
		"pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp\n\t"
		"ret");
}

/* Where one stands that has a stack of so many bytes and is to begin at run, which never returns. Of who had the stack
 * before nothing is left. */
static inline void *fiber_make(void *bottom, size_t size, void (*run)(void))
{
	uintptr_t *top = (uintptr_t *)(((uintptr_t)bottom + size) & ~(uintptr_t)15);

	if (__asan_unpoison_memory_region)
		__asan_unpoison_memory_region(bottom, size);
	*--top = 0; /* in the place of an address to return to */
	*--top = (uintptr_t)run;
	for (unsigned kept = 0; kept < 6; kept++)
		*--top = 0;
	return top;
}

#endif
