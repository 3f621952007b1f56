/* lab/plugin/program.h - how a program is started under QEMU: shared by the recorder, for the first one, and the
 * plugin, for those that it execs. */
#ifndef VELLUM_LAB_PLUGIN_PROGRAM_H
#define VELLUM_LAB_PLUGIN_PROGRAM_H

#include <stdbool.h>

enum program_kind { PROGRAM_NONE, PROGRAM_X86_64, PROGRAM_OTHER };
enum { PROGRAM_PATH = 4096 };

struct program {
	char path[PROGRAM_PATH];        /* the ELF file: the program, or a script's interpreter */
	char argument[256];             /* of a script: the interpreter's argument, or "" */
	bool script;
};

/* What the file at path is; scripts are followed to their interpreter. */
enum program_kind program_look(const char *path, struct program *p);
/* QEMU's arguments for the program; argv are the program's own, argv[0] included; given is the path as it was given (a
 * script's name among the interpreter's arguments). The result, to be freed, ends with NULL; NULL: no memory. */
char **program_arguments(const struct program *p, const char *given, char *const argv[], const char *qemu,
			 const char *plugin);

#endif
