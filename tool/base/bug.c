/* What the freestanding code that the command shares with the hypervisor expects of its surroundings. */
#include <stdlib.h>

#include "lib/base.h"
#include "tool/base/util.h"

void bug(const char *file, int line, const char *what)
{
	say("%s:%d: broken promise: %s", file, line, what);
	abort();
}
