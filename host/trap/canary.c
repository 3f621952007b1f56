/* host/trap/canary.c - the stack protector: what the compiler puts between a function's arrays and its return address,
 * and looks at before the function returns (gcc, -fstack-protector-strong). */
#include "host/trap/canary.h"

#include "host/cpu/random.h"
#include "host/device/console.h"
#include "host/memory/paging.h"

/* The names are the compiler's. */
uintptr_t __stack_chk_guard READ_MOSTLY;
_Noreturn void __stack_chk_fail(void);

/* The lowest byte is 0: a string that runs over cannot write it and go on. */
void canary_choose(void) { __stack_chk_guard = random_u64() & ~0xffull; }

_Noreturn void __stack_chk_fail(void)
{
	console_panic("the hypervisor's stack was written over: the function at 0x%lx found its return address no "
		      "longer safe",
		      (uint64_t)(uintptr_t)__builtin_return_address(0));
}
