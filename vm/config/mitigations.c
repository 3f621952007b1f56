/* vm/config/mitigations.c - the key about what is done against the speculation of real CPUs: auto, off, or names with
 * commas between them. */
#include "vm/config/config.h"

#include "lib/fmt.h"
#include "lib/mutants/mutate.h"

/* vm/cpu/mitigations.c and host/cpu/speculation.h say what each is. */
const char *const config_measures[CONFIG_MEASURES + 1] = { "registers", "l1d",	"verw",	 "ibrs",
							   "rsb",	"ibpb", "guest", NULL };

static bool find(const char *name, uint32_t *bit)
{
	for (unsigned i = 0; config_measures[i]; i++) {
		if (strcmp(name, config_measures[i]) == 0) {
			*bit = (uint32_t)BIT(i);
			return true;
		}
	}
	return false;
}

static bool read_list(const char *value, uint32_t *set, char *error, size_t error_size)
{
	char known[80] = "", name[16];
	uint32_t bit = 0;

	for (const char *rest = value; rest;) {
		rest = config_next_among(rest, name);
		if (VM_LEFT_OUT_OR(CONFIG_MEASURE, find(name, &bit))) {
			*set |= bit;
			continue;
		}
		config_print_measures(UINT32_MAX, known, sizeof(known));
		fmt(error, error_size, "mitigations must be auto, off, or some of %s, not \"%.40s\"", known, value);
		return false;
	}
	return true;
}

bool config_set_mitigations(struct vm_config *vm, const char *value, char *error, size_t error_size)
{
	bool automatic = strcmp(value, "auto") == 0;
	uint32_t set = 0;

	if (!automatic && strcmp(value, "off") != 0 && !read_list(value, &set, error, error_size))
		return false;
	vm->mitigations_chosen = !automatic;
	vm->mitigations = set;
	return true;
}

void config_print_measures(uint32_t measures, char *buf, size_t size)
{
	size_t n = fmt(buf, size, "%s", measures ? "" : "off");

	for (unsigned i = 0; config_measures[i]; i++)
		if (measures & BIT(i))
			n += fmt(n < size ? buf + n : NULL, n < size ? size - n : 0, "%s%s", n ? "," : "",
				 config_measures[i]);
}
