/* lab/presets.c - the machines. docs/lab.md gives the source of every number. */
#include <stdio.h>
#include <string.h>

#include "lab/lab.h"

const struct lab_preset lab_presets[] = {
	{ "haswell", "Intel Haswell (2013)", "" },
	{ NULL, NULL, NULL },
};

int lab_command_presets(int argc, char **argv)
{
	struct lab_config config;
	struct lab_error error = { "" };

	lab_config_init(&config);
	if (argc > 2) {
		fprintf(stderr, "usage: vellum lab presets [NAME]\n");
		return 2;
	}
	if (argc == 1) {
		for (const struct lab_preset *p = lab_presets; p->name; p++)
			printf("%-14s %s\n", p->name, p->title);
		return 0;
	}
	if (!lab_config_set(&config, "machine.preset", argv[1], &error)) {
		fprintf(stderr, "vellum: %s\n", error.text);
		return 2;
	}
	lab_config_write(&config, "machine.", true, stdout);
	return 0;
}
