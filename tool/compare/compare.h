/* `vellum compare`: the same guest and workload under a list of configurations, each a `vellum run` in a process of its
 * own.
 *
 * options.c reads the command line; matrix.c makes cells of it and refuses what no machine can do; run.c runs them;
 * read.c takes what is compared from each run's JSON; text.c, html.c and cross.c write it down. */
#ifndef VELLUM_TOOL_COMPARE_H
#define VELLUM_TOOL_COMPARE_H

#include <cjson/cJSON.h>
#include <stdio.h>

#include "lib/for_tests.h"
#include "tool/base/util.h"

enum { COMPARE_VALUES = 32, COMPARE_CELLS = 512 };

/* What a configuration may differ in. */
enum axis {
	AXIS_WORKLOAD, AXIS_GUEST, AXIS_KERNEL, AXIS_CPU, AXIS_PTI, AXIS_MMU, AXIS_PAGES, AXIS_VPID, AXIS_TPR, AXES
};
extern const char *const axis_names[AXES];

/* A value for each axis; "": the default. */
struct configuration {
	const char *value[AXES];
};

struct reason_count {
	char *name;
	uint64_t count, ticks;
};

/* A part of a run, or the whole of what is compared of it. */
struct part {
	char *name;
	uint64_t steps;                         /* operations of the workload; 0: not told */
	uint64_t guest, hypervisor;             /* instructions */
	uint64_t exits, mechanism_exits;        /* those of them that the mechanism causes */
	uint64_t table_pages, invvpid, invept;
};

/* What exits for the priority register's sake, by any method. */
enum tpr_exit { TPR_READS, TPR_WRITES, TPR_THRESHOLD, TPR_EOIS, TPR_EXITS };

struct measure {
	bool phases_only;                       /* the workload without the boot; else the whole run */
	struct part all;
	struct part *phases;
	size_t phase_count;
	struct reason_count *reasons;           /* of VM exits, the most frequent first */
	size_t reason_count;
	uint64_t tpr[TPR_EXITS];                /* of the whole run */
	char *result;                           /* "ok checksum=…", without the kernel's name */
	double cpu_seconds;
};

enum cell_state { CELL_WAITING, CELL_RUNNING, CELL_OK, CELL_FAILED };

struct cell {
	struct configuration is;
	char *label;                            /* what tells it from the others */
	enum cell_state state;
	char *why;                              /* one sentence, of a cell that failed */
	struct measure measure;
	cJSON *run;                             /* the run's JSON, or null */
	char *from;                             /* the snapshot of a boot for several that it goes on with, or null */
	cJSON *booted;                          /* the JSON of that boot */
	bool boots;                             /* there is no such snapshot for it */
	pid_t pid;
	double started;
};

struct comparison {
	struct cell *cells;
	size_t count;
	char **notes;                           /* about configurations that were left out */
	size_t note_count;
	/* The command line. */
	const char *values[AXES][COMPARE_VALUES];
	size_t value_count[AXES];               /* 0: not given */
	struct configuration explicit_cells[COMPARE_VALUES];
	size_t explicit_count;
	bool no_native, quiet, crossover;
	const char *ips, *mem, *append, *timeout, *hypervisor;
	const char *from;                       /* the snapshot that runs go on with, or null */
	bool boots;                             /* each run boots by itself */
	const char *json, *csv, *html, *svg, *resume;
	unsigned jobs;
	char *command;                          /* as it was typed */
	char *fingerprint;                      /* of the hypervisor and the guests that were run */
};

void compare_options(struct comparison *c, int argc, char **argv);

/* Fills in the cells; ends the program with one sentence when something that was asked for is impossible. */
void compare_expand(struct comparison *c);
/* Why this cannot run, in one sentence that the caller frees; null: it can. */
FOR_TESTS char *compare_impossible(const struct configuration *is);
bool compare_is_native(const struct configuration *is);
/* The cell that runs the same without the hypervisor, if there is one that succeeded. */
const struct cell *compare_native(const struct comparison *c, const struct cell *cell);

/* Runs what has no result yet; false: interrupted. */
bool compare_run(struct comparison *c, int *signal_number);
/* The command line of one cell's run; the caller frees the words. */
FOR_TESTS size_t compare_arguments(const struct comparison *c, const struct cell *cell, const char *program,
				   const char *json, char *argv[40]);

/* What its guest's command line has beside the usual, or null; the caller frees. */
char *compare_append(const struct comparison *c, const struct configuration *is);
/* One more sentence about the comparison, which it takes. */
void compare_note(struct comparison *c, char *sentence);
/* How many runs that are to begin could go on with a snapshot of this one's guest, itself among them. */
size_t compare_sharing(const struct comparison *c, const struct cell *cell);
/* Boots that guest, and has these go on with the snapshot, a file of the directory `work`; or boot, with a note that
 * says why. The number of a signal that has ended it, or 0; signals that end the comparison are blocked. */
int compare_boot(struct comparison *c, const struct cell *of, const char *work);

/* Takes the cell's state and measure from its run. `status`: of the run; `said`: what it said. */
void compare_read(struct cell *cell, int status, const char *said);
/* Takes over the cells that succeeded in an earlier comparison. */
void compare_resume(struct comparison *c, const char *path);
/* Every cell of one workload must have the same result; those that have not, fail. */
void compare_results(struct comparison *c);
void measure_free(struct measure *m);

/* What is at a path of names with dots between them, or null. */
const cJSON *compare_at(const cJSON *object, const char *path);
/* What the cell ran with, or would have: never empty; "none" where there is no such thing. The caller frees. */
char *compare_value(const struct cell *cell, enum axis axis);
char *compare_command_line(const struct cell *cell);
uint64_t compare_memory(const struct comparison *c, const struct cell *cell);
/* All of that as a part of the page. */
void compare_about(const struct comparison *c, FILE *out);

void compare_table(const struct comparison *c, FILE *out);
void compare_csv(const struct comparison *c, FILE *out);
char *compare_json(const struct comparison *c);
void compare_html(const struct comparison *c, FILE *out);
/* Each chart as a file of its own. */
void compare_svg(const struct comparison *c, const char *directory);
size_t compare_failed(const struct comparison *c);

/* The sweeps of the workload mix: what the hypervisor adds to a turn by the edits in it, and where two mechanisms
 * cross. */
enum { CROSSING_KINDS = 2, CROSSING_SERIES = 8, CROSSING_POINTS = 40 };
struct crossing_kind {
	const char *phase;                      /* what its phases' names begin with; a number of edits follows */
	const char *file;                       /* of its chart, without .svg */
	const char *title, *edits, *explained;  /* of the chart; what is counted; what a turn does */
};
extern const struct crossing_kind crossing_kinds[CROSSING_KINDS];
struct crossing {
	const struct crossing_kind *kind;
	size_t points, series;
	unsigned edits[CROSSING_POINTS];
	const struct cell *cell[CROSSING_SERIES];
	/* [series][point]: instructions per turn, in the hypervisor, of the bare machine in the guest; not finite:
	 * unmeasured. */
	double per_turn[CROSSING_SERIES][CROSSING_POINTS];
};
bool compare_crossing(const struct comparison *c, const struct crossing_kind *kind, struct crossing *x);
void crossing_chart(const struct crossing *x, FILE *out);
/* What the crossing is, in a sentence or two; the caller frees. */
char *crossing_sentence(const struct crossing *x);
/* What a turn without edits costs each series, and what one more edit costs between the last two points; the caller
 * frees. */
char *crossing_prices(const struct crossing *x);

int compare_main(int argc, char **argv);

#endif
