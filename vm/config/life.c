/* vm/config/life.c - the keys that say when a virtual machine begins, and what follows its reset. */
#include "vm/config/config.h"

#include "lib/fmt.h"
#include "lib/mutants/mutate.h"

const char *const config_resets[CONFIG_RESETS] = { "end", "boot" };

bool config_set_on_reset(struct vm_config *vm, const char *value, char *error, size_t error_size)
{
	for (unsigned i = 0; i < CONFIG_RESETS; i++)
		if (strcmp(value, config_resets[i]) == 0) {
			vm->on_reset = (enum config_on_reset)i;
			return true;
		}
	fmt(error, error_size, "on-reset must be boot or end, not \"%.40s\"", value);
	return false;
}

bool config_check_restore(const struct vm_config *vm, char *error, size_t error_size)
{
	/* A firmware may be about to read its kernel. */
	bool begins = !vm->bios[0] && (vm->kernel[0] || vm->initrd[0] || vm->append[0] || vm->modules);

	if (!VM_KEPT(CONFIG_RESTORE_ALONE, vm->restore[0] && begins))
		return true;
	fmt(error, error_size, "machine %s has restore, and what it would begin with anew (kernel, initrd, module, "
	    "append): a snapshot goes on by itself", vm->name);
	return false;
}

unsigned config_count(const char *text, size_t n)
{
	unsigned count = 0;

	for (size_t at = 0; at < n; at++) {
		while (at < n && config_is_blank(text[at]))
			at++;
		if (n - at > 2 && text[at] == 'v' && text[at + 1] == 'm' && config_is_blank(text[at + 2]))
			VM_MUTANT(CONFIG_COUNTED, count++);
		while (at < n && text[at] != '\n')
			at++;
	}
	return count;
}
