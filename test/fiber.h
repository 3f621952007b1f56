/* test/fiber.h - for tests that change stacks: the address sanitizer has to know, where it is linked in. */
#ifndef VELLUM_TEST_FIBER_H
#define VELLUM_TEST_FIBER_H

#include <stdbool.h>
#include <stddef.h>

__attribute__((weak)) void __sanitizer_start_switch_fiber(void **fake, const void *bottom, size_t size);
__attribute__((weak)) void __sanitizer_finish_switch_fiber(void *fake, const void **bottom, size_t *size);

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

#endif
