/* vm/config/module.c - the value of module: NAME [TEXT]. */
#include "vm/config/config.h"

#include "lib/fmt.h"
#include "lib/mutants/mutate.h"

static void copy(char *to, const char *from, size_t n)
{
	memcpy(to, from, n);
	to[n] = 0;
}

bool config_set_module(struct vm_config *vm, const char *value, size_t n, char *error, size_t error_size)
{
	struct config_module *m = &vm->module[vm->modules];
	size_t name = 0, text;

	if (VM_KEPT(CONFIG_MODULES, vm->modules == CONFIG_MODULES_MAX)) {
		fmt(error, error_size, "machine %s has more than %d modules", vm->name, CONFIG_MODULES_MAX);
		return false;
	}
	while (name < n && !config_is_blank(value[name]))
		name++;
	for (text = name; text < n && config_is_blank(value[text]);)
		text++;
	if (VM_KEPT(CONFIG_MODULE_NAME, name == 0 || name > CONFIG_FILE_MAX)) {
		fmt(error, error_size, "module needs the name of a file, of at most %d characters", CONFIG_FILE_MAX);
		return false;
	}
	if (VM_KEPT(CONFIG_MODULE_TEXT, n - text > CONFIG_MODULE_TEXT_MAX)) {
		fmt(error, error_size, "what module %.*s is given is too long: %zu characters, at most %d are possible",
		    (int)min_u64(name, 40), value, n - text, CONFIG_MODULE_TEXT_MAX);
		return false;
	}
	copy(m->name, value, name);
	copy(m->text, value + text, n - text);
	vm->modules++;
	return true;
}
