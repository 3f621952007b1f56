/* vm/config/dirty.c - the key that says how writes are found while a guest's memory is logged. */
#include "vm/config/config.h"

#include "lib/fmt.h"

const char *const config_dirties[CONFIG_DIRTIES + 1] = { "auto", "wp", "ad", "pml", NULL };

bool config_read_dirty(enum config_dirty *dirty, const char *value, char *error, size_t error_size)
{
	for (unsigned i = 0; i < CONFIG_DIRTIES; i++)
		if (strcmp(value, config_dirties[i]) == 0) {
			*dirty = (enum config_dirty)i;
			return true;
		}
	fmt(error, error_size, "dirty must be wp, ad, pml or auto, not \"%.40s\"", value);
	return false;
}

bool config_set_dirty(struct vm_config *vm, const char *value, char *error, size_t error_size)
{
	return config_read_dirty(&vm->dirty, value, error, error_size);
}
