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

static const char *key_of_option(const char *option)
{
	return strncmp(option, "--", 2) ? NULL : lab_shorthand(option + 2);
}

/* Has the command line set it, before the argument `at`? */
static bool is_set(char **argv, int at, const char *key, size_t length)
{
	for (int i = 1; i + 1 < at; i++) {
		const char *set = key_of_option(argv[i]);

		if (set ? strlen(set) == length && !memcmp(set, key, length) :
		    !strcmp(argv[i], "--set") && !strncmp(argv[i + 1], key, length) && argv[i + 1][length] == '=')
			return true;
	}
	return false;
}

bool lab_workload_once(char **argv, int at, struct lab_error *error)
{
	return !is_set(argv, at, "workload", strlen("workload")) || lab_fail(error, "the workload is given twice");
}

/* Of two values for one setting, nobody can say which was meant. */
static bool once(char **argv, int at, const char *key, size_t length, struct lab_error *error)
{
	if (length == strlen("workload") && !memcmp(key, "workload", length))
		return lab_workload_once(argv, at, error);
	return !is_set(argv, at, key, length) ||
	       lab_fail(error, "%.*s is given twice; once is what works", (int)length, key);
}

bool lab_option(struct lab_config *config, int argc, char **argv, int *at, struct lab_error *error)
{
	const char *option = argv[*at], *value = *at + 1 < argc ? argv[*at + 1] : NULL;
	const char *key = key_of_option(option), *set;

	if (!key && strcmp(option, "--config") && strcmp(option, "--set"))
		return false;
	if (!value)
		return lab_fail(error, "%s needs a value", option);
	set = key ? key : value;
	if ((key || option[2] == 's') && !once(argv, *at, set, key ? strlen(key) : strcspn(value, "="), error))
		return false;
	*at += 2;
	if (key)
		return lab_config_set(config, key, value, error);
	return option[2] == 'c' ? lab_config_read(config, value, error) : lab_config_assign(config, value, error);
}
