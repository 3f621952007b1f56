/* vm/config/console.c - the key that says whose console is the machine's own. */
#include "vm/config/config.h"

#include "lib/fmt.h"
#include "lib/mutants/mutate.h"

bool config_one_console(const struct vm_config *vms, unsigned count, char *error, size_t error_size)
{
	const struct vm_config *last = &vms[count - 1];

	for (const struct vm_config *vm = vms; vm < last && last->console == CONFIG_ON; vm++) {
		if (VM_KEPT(CONFIG_CONSOLES, vm->console == CONFIG_ON)) {
			fmt(error, error_size, "%s and %s both have console on: the machine has one", vm->name,
			    last->name);
			return false;
		}
	}
	return true;
}
