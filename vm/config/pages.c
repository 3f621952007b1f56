/* vm/config/pages.c - the values of pages and ept-levels: the form of a virtual machine's tables. */
#include "vm/config/config.h"

#include "lib/fmt.h"

const struct config_page_size config_page_sizes[] = {
	{ "4k", 12 }, { "2m", 21 }, { "1g", 30 }, { "auto", 0 }, { NULL, 0 }
};

bool config_set_pages(struct vm_config *vm, const char *value, char *error, size_t error_size)
{
	for (size_t i = 0; config_page_sizes[i].name; i++) {
		if (strcmp(value, config_page_sizes[i].name) == 0) {
			vm->page_bits = config_page_sizes[i].bits;
			return true;
		}
	}
	fmt(error, error_size, "pages must be 4k, 2m, 1g or auto, not \"%.40s\"", value);
	return false;
}

static const char *const ept_levels[] = { [0] = "auto", [4] = "4", [5] = "5" };

bool config_set_ept_levels(struct vm_config *vm, const char *value, char *error, size_t error_size)
{
	for (unsigned i = 0; i < ARRAY_SIZE(ept_levels); i++) {
		if (ept_levels[i] && strcmp(value, ept_levels[i]) == 0) {
			vm->ept_levels = i;
			return true;
		}
	}
	fmt(error, error_size, "ept-levels must be 4, 5 or auto, not \"%.40s\"", value);
	return false;
}
