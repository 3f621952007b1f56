/* lab/command.c - `vellum lab`: the table of commands, and the options that several of them take. */
#include <stdio.h>
#include <string.h>

#include "lab/lab.h"

const struct lab_command lab_commands[] = {
	{ "run", "run [OPTION]... [WORKLOAD]", "runs one configuration: the full account", lab_command_run },
	{ "presets", "presets [NAME]", "lists the machines, or prints one as a configuration file", lab_command_presets },
	{ "workloads", "workloads [NAME]", "lists the built-in workloads and their parameters", lab_command_workloads },
	{ "import", "import -o TRACE [FILE]", "makes a trace of valgrind's lackey text or of a ChampSim trace", lab_command_import },
	{ "trace-info", "trace-info FILE", "says what is inside a trace, and whether it is whole", lab_command_trace_info },
	{ NULL, NULL, NULL, NULL },
};

const char lab_options_help[] =
	"  --config FILE      settings from a file of lines key = value\n"
	"  --set KEY=VALUE    one setting\n"
	"  --preset NAME      the machine: --set machine.preset=NAME\n"
	"  --mmu NAME         native, ept, shadow, vtlb or brute: --set hv.mmu=NAME\n"
	"  --pages SIZE       the host's pages: --set hv.pages=SIZE\n"
	"  --guest-pages SIZE the guest's pages: --set guest.pages=SIZE\n"
	"  --workload TEXT    what runs: --set workload=TEXT\n"
	"  --seed N           --set seed=N\n";

static const struct { const char *option, *key; } shorthands[] = {
	{ "--preset", "machine.preset" }, { "--mmu", "hv.mmu" }, { "--pages", "hv.pages" }, { "--guest-pages", "guest.pages" },
	{ "--workload", "workload" }, { "--seed", "seed" },
};

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
	*at += 2;
	if (key)
		return lab_config_set(config, key, value, error);
	return option[2] == 'c' ? lab_config_read(config, value, error) : lab_config_assign(config, value, error);
}

static int help(FILE *out)
{
	fprintf(out, "usage: vellum lab COMMAND ...\n\n");
	for (const struct lab_command *c = lab_commands; c->name; c++)
		fprintf(out, "  %-34s %s\n", c->usage, c->help);
	fprintf(out, "\nOptions of the commands that run something:\n%s", lab_options_help);
	return out == stdout ? 0 : 2;
}

int lab_main(int argc, char **argv)
{
	if (argc < 2)
		return help(stderr);
	if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return help(stdout);
	for (const struct lab_command *c = lab_commands; c->name; c++)
		if (!strcmp(argv[1], c->name))
			return c->run(argc - 1, argv + 1);
	fprintf(stderr, "vellum: there is no command 'lab %s'; 'vellum lab help' lists them\n", argv[1]);
	return 2;
}
