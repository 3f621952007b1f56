/* lab/sweep/results.h - results of many runs: in memory, and in a results file.
 *
 * A results file is text, one JSON object a line, appended to and never rewritten (docs/lab-sweeps.md). Two kinds of
 * lines:
 *
 *   {"sweep":{"cells":[["KEY","LABEL"],...]}}                          what a sweep consists of
 *   {"cell":"KEY","build":"HASH","settings":{...},"account":{...}}     one finished cell; the rest as
 *                                                                      lab_result_json() writes it
 *
 * LF1: a line is there wholly or counts as not there: it is written by one write(), and a last line without its newline
 *     is cut off when the file is opened for appending. Anything else that is not such a line is an error, and the file
 *      is left alone.
 * LF2: one process at a time appends (a POSIX lock). */
#ifndef VELLUM_LAB_RESULTS_H
#define VELLUM_LAB_RESULTS_H

#include <stdio.h>

#include "lab/sweep/result.h"
#include "lab/sweep/sweep.h"

struct cJSON;

struct lab_record {
	char key[LAB_KEY_SIZE];
	struct cJSON *settings, *account; /* inside line */
	struct cJSON *line;               /* owned */
	char *text;                       /* the line as it was, without newline; owned */
	const char *label;                /* from the sweep, if there is one; else NULL */
};

struct lab_results {
	struct lab_record *record;
	unsigned count, room;
	/* What sweeps said they consist of. */
	struct lab_planned { char key[LAB_KEY_SIZE]; char *label; } *planned;
	unsigned plans;
	unsigned repeated;   /* cells that were there twice, with the same numbers */
};

/* A setting as text; NULL: the record does not know it. */
const char *lab_record_setting(const struct lab_record *record, const char *key);
/* One of lab_result_name()s; NAN where it has none. */
double lab_record_number(const struct lab_record *record, const char *name);
/* The build that made it; "" where unknown. */
const char *lab_record_build(const struct lab_record *record);

/* One line, with its newline. The caller frees. */
char *lab_record_line(const char *key, const char *build, const struct lab_result *result);
/* The line that says what a sweep consists of. */
char *lab_plan_line(const struct lab_sweep *sweep);
/* Takes in a line (without newline). false: it is no such line, or contradicts what is there: the same key with other
 * numbers. */
bool lab_results_take(struct lab_results *results, const char *line, struct lab_error *error);
/* Reads a file into results, adding to what is there. whole: bytes of whole lines (LF1; may be NULL): fewer than the
 * file has when its last line is torn. */
bool lab_results_read(struct lab_results *results, const char *file, uint64_t *whole, struct lab_error *error);
struct lab_record *lab_results_find(const struct lab_results *results, const char *key);
void lab_results_free(struct lab_results *results);

/* A results file that is appended to. */
struct lab_store {
	int fd;
	char *file;
	bool torn;           /* a half-written line was cut off */
};
/* Opens (or makes) the file, locks it, reads what it has into results (which held nothing), and cuts off a torn
 * line. */
bool lab_store_open(struct lab_store *store, const char *file, struct lab_results *results, struct lab_error *error);
bool lab_store_append(struct lab_store *store, const char *line, struct lab_error *error);
void lab_store_close(struct lab_store *store);

/* A hash of the running program, 16 digits; "" where it cannot be read. */
void lab_build(char build[LAB_KEY_SIZE]);

#endif
