/* lab/work/list.c - `vellum lab workloads`. */
#include <stdio.h>
#include <string.h>

#include "lab/lab.h"
#include "lab/wrap.h"

int lab_command_workloads(int argc, char **argv)
{
	bool found = false;

	if (lab_asks_for_help(argc, argv)) {
		printf("usage: vellum lab workloads [NAME]\n\nLists the built-in workloads, or one, with their "
		       "parameters and defaults.\n");
		return 0;
	}
	for (const struct lab_workload *w = lab_workloads; w->name; w++) {
		if (argc > 1 && strcmp(argv[1], w->name))
			continue;
		found = true;
		lab_print_wrapped(stdout, 4, "%s - %s", w->name, w->help);
		for (const char *line = w->keys; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
			int key = (int)strcspn(line, " "), all = (int)strcspn(line, "\n");

			lab_print_wrapped(stdout, 22, "    %-18.*s%.*s", key, line, all - key - 2, line + key + 2);
		}
	}
	if (argc <= 1)
		printf("trace:FILE - a recorded trace (vellum lab record, vellum lab import)\n"
		       "    skip=0            accesses at its beginning that are left out; its system calls are "
		       "made\n\n"
		       "Use one as --workload NAME:key=value,key=value; K, M, G and T are powers of 1024.\n");
	else if (!found)
		fprintf(stderr, "vellum: there is no workload %s; 'vellum lab workloads' lists them\n", argv[1]);
	return found ? 0 : 2;
}
