/* lab/command/command.c - `vellum lab`: the table of commands. */
#include <stdio.h>
#include <string.h>

#include "lab/lab.h"

const struct lab_command lab_commands[] = {
	{ "run", "run [OPTION]... [WORKLOAD]", "runs one configuration: the full account", lab_command_run },
	{ "explain", "explain [OPTION]... [GVA]...", "one access, reference by reference: what each cache answered",
	  lab_command_explain },
	{ "presets", "presets [NAME]", "lists the machines, or prints one as a configuration file",
	  lab_command_presets },
	{ "workloads", "workloads [NAME]", "lists the built-in workloads and their parameters", lab_command_workloads },
	{ "record", "record [-o TRACE] -- PROGRAM ...", "makes a trace of a program's run", lab_command_record },
	{ "import", "import -o TRACE [FILE]", "makes a trace of valgrind's lackey text or of a ChampSim trace",
	  lab_command_import },
	{ "trace-info", "trace-info FILE", "says what is inside a trace, and whether it is whole",
	  lab_command_trace_info },
	{ "sweep", "sweep --vary KEY=V,V,... ...", "runs every combination of settings, on all CPUs",
	  lab_command_sweep },
	{ "merge", "merge FILE... -o FILE", "joins the results of a sweep that ran in parts", lab_command_merge },
	{ "report", "report FILE...", "makes tables and reports of results", lab_command_report },
	{ "figure", "figure NAME...", "reproduces a published figure: SVG, CSV, how far ours is off",
	  lab_command_figure },
	{ NULL, NULL, NULL, NULL },
};

static int help(void)
{
	printf("usage: vellum lab COMMAND ...\n\n");
	for (const struct lab_command *c = lab_commands; c->name; c++)
		printf("  %-34s %s\n", c->usage, c->help);
	printf("\nOptions of the commands that run something:\n%s", lab_options_help);
	return 0;
}

static const struct lab_command *find(const char *name)
{
	for (const struct lab_command *c = lab_commands; c->name; c++)
		if (!strcmp(name, c->name))
			return c;
	return NULL;
}

static int unknown(const char *name)
{
	fprintf(stderr, "vellum: there is no command 'lab %s'; 'vellum lab help' lists them\n", name);
	return 2;
}

static int nothing(void)
{
	fprintf(stderr, "vellum: lab: say what to do (vellum lab help)\n");
	return 2;
}

static int help_of(const char *name)
{
	char command[32], option[] = "--help", *argv[] = { command, option, NULL };
	const struct lab_command *c = find(name);

	if (!c)
		return unknown(name);
	snprintf(command, sizeof(command), "%s", name);
	return c->run(2, argv);
}

int lab_main(int argc, char **argv)
{
	const struct lab_command *c;

	if (argc < 2)
		return nothing();
	/* help COMMAND is COMMAND --help. */
	if (!strcmp(argv[1], "help") && argc > 2 && strcmp(argv[2], "--help"))
		return help_of(argv[2]);
	if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return help();
	c = find(argv[1]);
	return c ? c->run(argc - 1, argv + 1) : unknown(argv[1]);
}
