/* lab/show/view.h - results for people and programs: a terminal table, CSV, JSON, one self-contained HTML page. */
#ifndef VELLUM_LAB_VIEW_H
#define VELLUM_LAB_VIEW_H

#include <stdio.h>

#include "lab/sweep/results.h"
#include "lab/wrap.h"

enum { LAB_LABEL_VALUE = 56 }; /* characters of a value in a label */

/* What is shown: some records, in some order. */
struct lab_view {
	const struct lab_record **record;
	unsigned count;
	const char **varied;     /* settings in which they differ, the most telling first */
	unsigned varies;
	char **column;           /* of the table */
	unsigned columns;
	bool chosen;             /* by the user; else the table leaves out what a page has no room for */
	const char *title;
	const char *const *note; /* sentences for the reader (cells that were left out, say) */
	unsigned notes;
};

/* record: copied. columns: names separated by commas (settings, numbers of the account, or what lab_columns_help
 * lists); NULL: a good choice. false: there is no such column. The records and texts stay the caller's. */
bool lab_view_init(struct lab_view *view, const struct lab_record *const *record, unsigned count, const char *columns,
		   struct lab_error *error);
void lab_view_free(struct lab_view *view);

/* A setting of the record as it is shown: natively, "-" for what is the hypervisor's. NULL: it has none. */
const char *lab_view_setting(const struct lab_record *record, const char *key);
/* A column's value: text of a setting, or numbers; low differs from high in ranges only. */
struct lab_value {
	const char *text; /* NULL: it is numbers */
	double low, high; /* NAN: not known */
};
struct lab_value lab_column_value(const struct lab_record *record, const char *column);
/* The same of a record of the view, as it is shown: times are in the unit that fits the longest of them. */
struct lab_value lab_column_shown(const struct lab_view *view, unsigned record, const char *column);
/* What stands above them, with that unit. The caller frees. */
char *lab_column_heading(const struct lab_view *view, const char *column);
void lab_columns_help(FILE *out);
/* Are these names of columns, as far as this build knows? Before hours are spent on what is to be shown. */
bool lab_columns_check(const char *names, struct lab_error *error);
/* A record by what tells it from the others: the values of view->varied. The caller frees. */
char *lab_view_label(const struct lab_view *view, unsigned record);

/* Not wider than a page; rows that differ in one setting and in no number are one. */
void lab_view_table(const struct lab_view *view, FILE *out);
/* Notes, each as a line: where large pages were asked for and memory lies in small ones, and why. */
void lab_view_small(const struct lab_view *view, void (*line)(const char *text, FILE *out), FILE *out);
/* Which is the fastest, as far as that is known (lab/machine/estimate.h): a line for each workload. */
void lab_view_verdict(const struct lab_view *view, FILE *out);
/* What data would take that has no price, and by how good a sample: a sentence in parentheses, where there is such
 * data. compared: percentages stand before it. */
void lab_view_unpriced(const struct lab_view *view, bool compared, FILE *out);
/* The same of one run, as the end of a sentence. exits, translation: cycles with the waiting for data. */
void lab_result_unpriced(const struct lab_result *result, double exits, double translation, FILE *out);
enum { LAB_SAMPLE_WORDS = 80 };
/* What the sample is, of so many of a page's lines: "a sample of the caches' sets, sampling error 1.7 %". Writes and
 * returns text. */
const char *lab_sample_words(uint64_t lines, double error, char text[LAB_SAMPLE_WORDS]);
void lab_view_html(const struct lab_view *view, FILE *out);
/* A field of CSV (RFC 4180). */
void lab_csv_field(const char *text, FILE *out);

/* What the commands' options ask for. */
struct lab_output {
	const char *columns, *json, *csv, *html; /* NULL: not asked for; "-": the standard output */
	bool no_table;
};
/* --columns, --json, --csv, --html: as lab_option(). */
bool lab_output_option(struct lab_output *output, int argc, char **argv, int *at, struct lab_error *error);
extern const char lab_output_help[];
/* Writes all that is asked for, and the table (unless the standard output is taken). view->columns are output's. */
bool lab_output_write(const struct lab_output *output, const struct lab_view *view, struct lab_error *error);

#endif
