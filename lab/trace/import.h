/* lab/trace/import.h - traces of other programs into ours. */
#ifndef VELLUM_LAB_IMPORT_H
#define VELLUM_LAB_IMPORT_H

#include <stdio.h>

#include "lab/error.h"
#include "lab/trace/trace.h"

/* Reads all of `in` and gives its events to the writer; name is for messages. false: error says what is wrong and
 * where. */
bool lab_import_lackey(FILE *in, const char *name, struct lab_writer *w, struct lab_error *error);
bool lab_import_champsim(FILE *in, const char *name, struct lab_writer *w, struct lab_error *error);

#endif
