/* lab/command/files.h - the files of a command line, looked at before anything runs: what is written can be written,
 * and takes the place of nothing that is read or written besides. */
#ifndef VELLUM_LAB_FILES_H
#define VELLUM_LAB_FILES_H

#include "lab/config/config.h"
#include "lab/show/view.h"

enum lab_use {
	LAB_FILE_READ,
	LAB_FILE_KEPT,    /* read, and appended to */
	LAB_FILE_WRITTEN, /* as a whole */
};

struct lab_files {
	struct lab_file {
		const char *what; /* "--csv", "-o" */
		char *path;
		enum lab_use use;
	} *file;
	unsigned count;
};

/* what: a text that stays; path: copied. Nothing happens where path is NULL, or is that of the file before. */
void lab_files_add(struct lab_files *files, const char *what, const char *path, enum lab_use use);
void lab_files_add_output(struct lab_files *files, const struct lab_output *output);
/* The trace that it runs, if it does. */
void lab_files_add_trace(struct lab_files *files, const struct lab_config *config);
/* The file of --config, if argv[at] is that. */
void lab_files_add_config(struct lab_files *files, int argc, char **argv, int at);
bool lab_files_good(const struct lab_files *files, struct lab_error *error);
void lab_files_free(struct lab_files *files);

#endif
