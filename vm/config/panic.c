/* vm/config/panic.c - the key that says what becomes of a guest that panics. */
#include "vm/config/config.h"

#include "lib/fmt.h"

const char *const config_panics[CONFIG_PANICS] = { "stop", "pause", "none" };

bool config_set_on_panic(struct vm_config *vm, const char *value, char *error, size_t error_size)
{
	for (unsigned i = 0; i < CONFIG_PANICS; i++)
		if (strcmp(value, config_panics[i]) == 0) {
			vm->on_panic = (enum config_on_panic)i;
			return true;
		}
	fmt(error, error_size, "on-panic must be stop, pause or none, not \"%.40s\"", value);
	return false;
}
