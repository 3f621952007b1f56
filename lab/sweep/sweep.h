/* lab/sweep/sweep.h - a sweep: the cross product of axes over a base configuration, and the cells that come of it. */
#ifndef VELLUM_LAB_SWEEP_H
#define VELLUM_LAB_SWEEP_H

#include "lab/config/config.h"

enum { LAB_KEY_SIZE = 17, LAB_CELLS_MAX = 20000 };

/* One dimension: one setting and its values, or several settings that change together. */
struct lab_axis {
	unsigned keys, values;
	char **key;   /* [keys], as lab_config_set takes them */
	char **value; /* [values][keys] */
};

struct lab_cell {
	struct lab_config config;
	char key[LAB_KEY_SIZE]; /* lab_cell_key(); empty where why is set */
	char *label;            /* "hv.mmu=ept hv.pages=2m": what tells it from the others */
	char *why;              /* NULL, or why no run can be made of it */
	bool twin;              /* one before it has the same key: the same run */
	double weight;          /* how long it takes, compared with the others: a guess */
};

struct lab_sweep {
	struct lab_axis *axis;
	unsigned axes;
	struct lab_cell *cell;
	unsigned cells;
};

/* Adds a dimension; both begin with an empty sweep, {0}. vary: "hv.mmu=ept,shadow"; where a value may hold commas (a
 * workload), values are separated by ; instead. pair: "hv.mmu,hv.pages=ept,2m;shadow,4k". The keys of the command's
 * short options will do, too ("mmu"). */
bool lab_sweep_vary(struct lab_sweep *sweep, const char *text, struct lab_error *error);
bool lab_sweep_pair(struct lab_sweep *sweep, const char *text, struct lab_error *error);

/* What the cells have in common: sets it in config, which has the defaults (of the cell's machine). */
typedef bool lab_sweep_base(void *ctx, struct lab_config *config, struct lab_error *error);
/* Makes the cells; the last axis changes fastest. A value that a setting cannot have is an error; a combination of
 * which no run can be made is a cell with .why. */
bool lab_sweep_expand(struct lab_sweep *sweep, lab_sweep_base *base, void *ctx, struct lab_error *error);
/* Finds the cells that are the same run as one before (an axis that gives a value twice; natively, all that differ in
 * hv.* alone). The keys are there. */
void lab_sweep_twins(struct lab_sweep *sweep);
void lab_sweep_free(struct lab_sweep *sweep);

/* What a result is known by: a hash of every setting, where a trace counts by its content and not by its name.
 * identities: remembers traces that were read ({0} at first; lab_identities_free). */
struct lab_identities {
	struct lab_identity { char *file; uint64_t hash; } *known;
	unsigned count;
};
bool lab_cell_key(const struct lab_config *config, struct lab_identities *identities, char key[LAB_KEY_SIZE],
		  struct lab_error *error);
/* The file of the trace that is run; NULL: none is. The caller frees. */
char *lab_cell_trace(const struct lab_config *config);
void lab_identities_free(struct lab_identities *identities);
/* FNV-1a of a file's content. */
bool lab_hash_file(const char *file, uint64_t *hash, struct lab_error *error);

#endif
