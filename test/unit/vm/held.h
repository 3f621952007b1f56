/* test/unit/vm/held.h - for unit tests of what takes no lock of the virtual machine. */
#ifndef VELLUM_TEST_VM_HELD_H
#define VELLUM_TEST_VM_HELD_H

#include "test/unit/vm/fixture.h"

#include <signal.h>
#include <unistd.h>

static inline void devices_awaited(int number)
{
	(void)number;
	fail_msg("it waits for the lock of its VM's devices");
}

/* Another CPU has the device lock from here on, for which nothing may wait, until devices_free(). */
static inline void devices_held(void)
{
	signal(SIGALRM, devices_awaited);
	spin_lock(&bench.v->vm->device_lock);
	alarm(10);
}

static inline void devices_free(void)
{
	alarm(0);
	spin_unlock(&bench.v->vm->device_lock);
}

#endif
