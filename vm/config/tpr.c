/* vm/config/tpr.c - the key that says how accesses to the local APIC's priority register are virtualized. */
#include "vm/config/config.h"

#include "lib/fmt.h"

const char *const config_tprs[CONFIG_TPRS + 1] = { "auto", "trap", "patch", "flexpriority", "apicv", NULL };

bool config_read_tpr(enum config_tpr *tpr, const char *value, char *error, size_t error_size)
{
	for (unsigned i = 0; i < CONFIG_TPRS; i++)
		if (strcmp(value, config_tprs[i]) == 0) {
			*tpr = (enum config_tpr)i;
			return true;
		}
	fmt(error, error_size, "tpr must be trap, patch, flexpriority, apicv or auto, not \"%.40s\"", value);
	return false;
}

bool config_set_tpr(struct vm_config *vm, const char *value, char *error, size_t error_size)
{
	return config_read_tpr(&vm->tpr, value, error, error_size);
}
