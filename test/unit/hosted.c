/* What the freestanding code expects of its surroundings, for hosted tests. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base.h"

/* Weak: where host/device/console.c is linked in, it has its own. */
__attribute__((weak)) _Noreturn void bug(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, what);
	abort();
}
