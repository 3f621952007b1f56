/* lab/config/options.c - the options that several of the lab's commands take. */
#include <string.h>

#include "lab/lab.h"

const char lab_options_help[] =
	"  --config FILE      settings from a file of lines key = value\n"
	"  --set KEY=VALUE    one setting\n"
	"  --preset NAME      the machine: --set machine.preset=NAME\n"
	"  --mmu NAME         native, ept, shadow, vtlb or brute: --set hv.mmu=NAME\n"
	"  --pages SIZE       the host's pages: --set hv.pages=SIZE\n"
	"  --guest-pages SIZE the guest's pages: --set guest.pages=SIZE\n"
	"  --vcpus N          CPUs of the guest: --set guest.cpus=N\n"
	"  --workload TEXT    what runs: --set workload=TEXT\n"
	"  --seed N           --set seed=N\n";

static const struct { const char *option, *key;
} shorthands[] = {
	{ "--preset", "machine.preset" },   { "--mmu", "hv.mmu" },	  { "--pages", "hv.pages" },
	{ "--guest-pages", "guest.pages" }, { "--vcpus", "guest.cpus" },  { "--workload", "workload" },
	{ "--seed", "seed" },
};

const char *lab_shorthand(const char *name)
{
	for (unsigned i = 0; i < sizeof(shorthands) / sizeof(shorthands[0]); i++)
		if (!strcmp(name, shorthands[i].option + 2))
			return shorthands[i].key;
	return NULL;
}

/* Has the command line said what runs, before the argument `at`? */
static bool has_workload(char **argv, int at)
{
	for (int i = 1; i + 1 < at; i++)
		if (!strcmp(argv[i], "--workload") ||
		    (!strcmp(argv[i], "--set") && !strncmp(argv[i + 1], "workload=", 9)))
			return true;
	return false;
}

bool lab_workload_once(char **argv, int at, struct lab_error *error)
{
	return !has_workload(argv, at) || lab_fail(error, "the workload is given twice");
}

bool lab_option(struct lab_config *config, int argc, char **argv, int *at, struct lab_error *error)
{
	const char *option = argv[*at], *value = *at + 1 < argc ? argv[*at + 1] : NULL, *key = NULL;

	for (unsigned i = 0; i < sizeof(shorthands) / sizeof(shorthands[0]); i++)
		if (!strcmp(option, shorthands[i].option))
			key = shorthands[i].key;
	if (!key && strcmp(option, "--config") && strcmp(option, "--set"))
		return false;
	if (!value)
		return lab_fail(error, "%s needs a value", option);
	if ((key ? !strcmp(key, "workload") : option[2] == 's' && !strncmp(value, "workload=", 9)) &&
	    !lab_workload_once(argv, *at, error))
		return false;
	*at += 2;
	if (key)
		return lab_config_set(config, key, value, error);
	return option[2] == 'c' ? lab_config_read(config, value, error) : lab_config_assign(config, value, error);
}
