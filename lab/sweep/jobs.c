/* lab/sweep/jobs.c - see lab/sweep/jobs.h. Every job is a `vellum lab sweep --cells A-B` of the same sweep: it can be
 * started again, and goes on where it was. */
#include "lab/sweep/jobs.h"
#include "tool/base/output.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SLURM_ARRAY_SIZE = 1001 }; /* Slurm's MaxArraySize unless its administrator says otherwise */

/* The value of the line "MaxArraySize = VALUE", cut out of it; NULL: it is another line. */
static char *value_of(char *line)
{
	static const char key[] = "MaxArraySize";
	char *at = line + sizeof(key) - 1, *end = line + strlen(line);

	if (strncmp(line, key, sizeof(key) - 1))
		return NULL;
	at += strspn(at, " \t");
	if (*at++ != '=')
		return NULL;
	at += strspn(at, " \t");
	while (end > at && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return at;
}

/* Whole digits, and no more than Slurm can have. */
static bool array_size(const char *text, unsigned *most)
{
	unsigned long long v;

	if (!*text || text[strspn(text, "0123456789")])
		return false;
	errno = 0;
	v = strtoull(text, NULL, 10);
	*most = (unsigned)v;
	return !errno && v <= LAB_JOBS_ARRAY_MOST;
}

/* Slurm's MaxArraySize; indices go from 0 to it - 1. Where Slurm is at hand, it is asked. 0: there are no arrays.
 * *said: it says one. false: what it says is none. */
static bool asked(unsigned *most, bool *said, struct lab_error *error)
{
	FILE *f = popen("scontrol show config 2>/dev/null", "r");
	char line[256];
	bool ok = true;

	*said = false;
	while (f && ok && fgets(line, sizeof(line), f)) {
		const char *value = value_of(line);

		if (!value)
			continue;
		*said = true;
		ok = array_size(value, most) ||
		     lab_fail(error,
			      "Slurm's scontrol says MaxArraySize = '%s', which is no number from 0 to %u: --array N "
			      "says how many tasks an array may have",
			      value, (unsigned)LAB_JOBS_ARRAY_MOST);
	}
	if (f)
		pclose(f);
	return ok;
}

/* Tasks that an array may have. */
static bool array_most(const struct lab_jobs *jobs, unsigned *most, struct lab_error *error)
{
	bool said;

	*most = jobs->array;
	if (*most)
		return true;
	if (!asked(most, &said, error))
		return false;
	if (!said) {
		*most = SLURM_ARRAY_SIZE;
		fprintf(stderr,
			"vellum: note: no Slurm here says its MaxArraySize; %u is taken, which it is by default "
			"(--array N for another cluster)\n",
			*most);
	}
	return *most || lab_fail(error, "this cluster has no arrays (its MaxArraySize is 0): --array N writes one for "
					"another cluster, --jobs-for parallel a list without");
}

/* Cells for each job. false: so many tasks cannot be. */
static bool choose_chunk(const struct lab_jobs *jobs, bool array, unsigned *chunk, struct lab_error *error)
{
	unsigned most = jobs->cells, least;

	if (array && !array_most(jobs, &most, error))
		return false;
	least = (jobs->cells + most - 1) / most;
	*chunk = jobs->chunk ? jobs->chunk : least;
	return *chunk >= least ||
	       lab_fail(error,
			"%u cells in chunks of %u are %u tasks, and a Slurm array may have %u here (MaxArraySize, "
			"--array): take --chunk %u, or none",
			jobs->cells, *chunk, (jobs->cells + *chunk - 1) / *chunk, most, least);
}

/* As a word of the shell. */
static void quote(const char *text, FILE *out)
{
	if (*text &&
	    strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%") == strlen(text)) {
		fputs(text, out);
		return;
	}
	fputc('\'', out);
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", out);
		else
			fputc(*text, out);
	}
	fputc('\'', out);
}

static void quote_with(const char *text, const char *suffix, FILE *out)
{
	char *whole;

	if (asprintf(&whole, "%s%s", text, suffix) < 0)
		abort();
	quote(whole, out);
	free(whole);
}

static bool program(char *path, struct lab_error *error)
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);

	if (n < 0)
		return lab_fail(error, "cannot find out where this program is: %s", strerror(errno));
	path[n] = '\0';
	return true;
}

/* cd DIRECTORY && PROGRAM lab sweep OPTIONS --jobs 1 --quiet */
static void command(const struct lab_jobs *jobs, const char *directory, const char *path, FILE *out)
{
	fputs("cd ", out);
	quote(directory, out);
	fputs(" && ", out);
	quote(path, out);
	fputs(" lab sweep", out);
	for (unsigned i = 0; i < jobs->words; i++) {
		fputc(' ', out);
		quote(jobs->word[i], out);
	}
	fputs(" --jobs 1 --quiet", out);
}

static void parallel(const struct lab_jobs *jobs, unsigned chunk, const char *directory, const char *path, FILE *out)
{
	for (unsigned first = 1; first <= jobs->cells; first += chunk) {
		unsigned last = first + chunk - 1 < jobs->cells ? first + chunk - 1 : jobs->cells;
		char name[40];

		command(jobs, directory, path, out);
		snprintf(name, sizeof(name), ".parts/%05u.jsonl", first);
		fprintf(out, " --cells %u-%u -o ", first, last);
		quote_with(jobs->file, name, out);
		fputc('\n', out);
	}
}

static void slurm(const struct lab_jobs *jobs, unsigned chunk, const char *directory, const char *path, FILE *out)
{
	fprintf(out,
		"#!/bin/bash\n#SBATCH --job-name=vellum-lab\n#SBATCH --array=0-%u\n#SBATCH --ntasks=1\n#SBATCH "
		"--cpus-per-task=1\n",
		(jobs->cells - 1) / chunk);
	fprintf(out,
		"# A task is %u of %u cells; it can be submitted again and goes on where it was. Time and memory: add "
		"--time, "
		"--mem.\n",
		chunk, jobs->cells);
	fprintf(out, "set -euo pipefail\nfirst=$((SLURM_ARRAY_TASK_ID * %u + 1))\nlast=$((first + %u))\n", chunk,
		chunk - 1);
	fprintf(out, "[ \"$last\" -le %u ] || last=%u\n", jobs->cells, jobs->cells);
	command(jobs, directory, path, out);
	fputs(" --cells \"$first-$last\" -o ", out);
	quote_with(jobs->file, ".parts/", out);
	fputs("\"$(printf %05d \"$first\")\".jsonl\n", out);
}

static void say_how(const struct lab_jobs *jobs, const char *list, unsigned tasks)
{
	printf("%s: %u job%s for %u cell%s. To run them, and then join the results:\n  ", list, tasks,
	       tasks == 1 ? "" : "s", jobs->cells, jobs->cells == 1 ? "" : "s");
	fputs(!strcmp(jobs->kind, "slurm") ? "sbatch --wait " : "parallel --joblog ", stdout);
	if (!strcmp(jobs->kind, "parallel")) {
		quote_with(jobs->file, ".joblog", stdout);
		fputs(" < ", stdout);
	}
	quote(list, stdout);
	fputs("\n  vellum lab merge ", stdout);
	quote_with(jobs->file, ".parts/", stdout);
	fputs("*.jsonl -o ", stdout);
	quote(jobs->file, stdout);
	fputc('\n', stdout);
}

static bool write_list(const struct lab_jobs *jobs, const char *list, unsigned chunk, struct lab_error *error)
{
	char directory[PATH_MAX], path[PATH_MAX];
	FILE *f;

	if (!program(path, error))
		return false;
	if (!getcwd(directory, sizeof(directory)))
		return lab_fail(error, "cannot find out the current directory: %s", strerror(errno));
	f = output_begin(list);
	if (!f)
		return lab_fail(error, "cannot write the job list %s: %s", list, strerror(errno));
	(!strcmp(jobs->kind, "slurm") ? slurm : parallel)(jobs, chunk, directory, path, f);
	return output_end(f) || lab_fail(error, "cannot write the job list %s: %s", list, strerror(errno));
}

bool lab_jobs_write(const struct lab_jobs *jobs, struct lab_error *error)
{
	bool array = !strcmp(jobs->kind, "slurm");
	unsigned chunk;
	char *list, *parts;
	bool ok;

	if (!array && strcmp(jobs->kind, "parallel"))
		return lab_fail(error, "--jobs-for takes parallel or slurm, not '%s'", jobs->kind);
	for (unsigned i = 0; i < jobs->words; i++)
		if (strchr(jobs->word[i], '\n'))
			return lab_fail(error, "a job list has one job a line: no option may hold a line break");
	if (!choose_chunk(jobs, array, &chunk, error))
		return false;
	if (asprintf(&list, "%s.%s", jobs->file, array ? "sbatch" : "jobs") < 0 ||
	    asprintf(&parts, "%s.parts", jobs->file) < 0)
		abort();
	ok = !mkdir(parts, 0777) || errno == EEXIST ||
	     lab_fail(error, "cannot make the directory %s: %s", parts, strerror(errno));
	ok = ok && write_list(jobs, list, chunk, error);
	if (ok)
		say_how(jobs, list, (jobs->cells + chunk - 1) / chunk);
	free(list);
	free(parts);
	return ok;
}
