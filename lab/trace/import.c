/* lab/trace/import.c - `vellum lab import`: its options, the input (unpacked where it is compressed) and the output
 * file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/trace/import.h"
#include "lab/lab.h"
#include "tool/base/output.h"

static const char usage[] = "usage: vellum lab import [--format lackey|champsim] [--level N] [--force] -o TRACE "
			    "[FILE]\n"
			    "  FILE is the text of valgrind --tool=lackey --trace-mem=yes, or a ChampSim trace;\n"
			    "  compressed by gzip, xz or zstd, or not; without FILE, the standard input.\n"
			    "  --force: a file of that name that is there is replaced.\n"
			    "  --level: of zstd, 1 to 19 (default 3).";

typedef bool import_function(FILE *in, const char *name, struct lab_writer *w, struct lab_error *error);

struct job {
	const char *format, *output, *input;
	int level;
	bool force;
	FILE *in;
	pid_t unpacker;
	FILE *out;
};

static const struct { const char *magic; unsigned bytes; char *argv[4]; const char *package; } packers[] = {
	{ "\x1f\x8b", 2, { "gzip", "-dc", NULL }, "gzip" },
	{ "\xfd" "7zXZ", 5, { "xz", "-dc", NULL }, "xz-utils" },
	{ "\x28\xb5\x2f\xfd", 4, { "zstd", "-dcq", NULL }, "zstd" },
};

/* Puts a program between the file and us. The file's offset is 0. */
static bool unpack(struct job *job, unsigned which, struct lab_error *error)
{
	int ends[2];

	if (pipe(ends))
		return lab_fail(error, "no pipe: %s", strerror(errno));
	job->unpacker = fork();
	if (job->unpacker < 0)
		return lab_fail(error, "no process for %s: %s", packers[which].argv[0], strerror(errno));
	if (!job->unpacker) {
		dup2(fileno(job->in), 0);
		dup2(ends[1], 1);
		close(ends[0]);
		close(ends[1]);
		execvp(packers[which].argv[0], packers[which].argv);
		_exit(127);
	}
	close(ends[1]);
	fclose(job->in);
	job->in = fdopen(ends[0], "rb");
	return job->in || lab_fail(error, "no memory");
}

static bool open_input(struct job *job, struct lab_error *error)
{
	unsigned char head[8] = "";
	ssize_t got;

	if (!job->input) {
		job->in = stdin;
		job->input = "standard input";
	} else {
		job->in = fopen(job->input, "rb");
		if (!job->in)
			return lab_fail(error, "%s: %s", job->input, strerror(errno));
	}
	got = pread(fileno(job->in), head, sizeof(head), 0);
	for (unsigned i = 0; i < sizeof(packers) / sizeof(packers[0]); i++)
		if (got >= (ssize_t)packers[i].bytes && !memcmp(head, packers[i].magic, packers[i].bytes))
			return unpack(job, i, error);
	if (!job->format && got > 0)
		job->format =
			head[0] == '=' || head[0] == '-' || head[0] == 'I' || head[0] == ' ' ? "lackey" : "champsim";
	return true;
}

/* Of a pipe, or of something compressed, the first byte tells. */
static import_function *choose(struct job *job, struct lab_error *error)
{
	int c = 0;

	if (!job->format) {
		c = getc(job->in);
		if (c == EOF) {
			lab_fail(error, "%s: there is nothing in it", job->input);
			return NULL;
		}
		ungetc(c, job->in);
		job->format = c == '=' || c == '-' || c == 'I' || c == ' ' ? "lackey" : "champsim";
	}
	if (!strcmp(job->format, "lackey"))
		return lab_import_lackey;
	if (!strcmp(job->format, "champsim"))
		return lab_import_champsim;
	lab_fail(error, "there is no format %s: lackey and champsim can be imported", job->format);
	return NULL;
}

static bool finish_input(struct job *job, bool whole, struct lab_error *error)
{
	int status = 0;

	if (job->in && job->in != stdin)
		fclose(job->in);
	if (!job->unpacker)
		return true;
	waitpid(job->unpacker, &status, 0);
	if (whole && (!WIFEXITED(status) || WEXITSTATUS(status)))
		return lab_fail(error, "%s: unpacking it failed%s", job->input,
				WIFEXITED(status) && WEXITSTATUS(status) == 127
					? ": gzip, xz or zstd is needed (Debian packages gzip, xz-utils, zstd)"
					: "");
	return true;
}

static bool convert(struct job *job, struct lab_error *error)
{
	import_function *import = choose(job, error);
	FILE *out = NULL;
	struct lab_writer *w;
	char notes[256];
	bool ok;

	if (!import)
		return false;
	out = output_begin(job->output);
	if (!out)
		return lab_fail(error, "%s: cannot be written: %s", job->output, strerror(errno));
	snprintf(notes, sizeof(notes), "source: %s\nmappings: none\n", job->format);
	w = lab_writer_open(out, notes, job->level);
	ok = w ? import(job->in, job->input, w, error) : lab_fail(error, "no memory");
	if (w && !lab_writer_close(w))
		ok = lab_fail(error, "%s: writing failed: %s", job->output, strerror(errno));
	job->out = out;
	return ok;
}

/* Half an import is no trace. */
static bool finish_output(struct job *job, bool whole, struct lab_error *error)
{
	if (job->out && !whole)
		output_drop(job->out);
	if (!job->out || !whole)
		return false;
	return output_end(job->out) || lab_fail(error, "%s: writing failed: %s", job->output, strerror(errno));
}

/* Before anything is read. */
static bool place_free(const struct job *job, struct lab_error *error)
{
	if (job->input && output_same(job->input, job->output))
		return lab_fail(error,
				"%s: the trace would take the place of what it is made from: name another file by -o",
				job->output);
	if (!job->force && lab_trace_taken(job->output, error))
		return false;
	return output_possible(job->output) ||
	       lab_fail(error, "%s: cannot be written: %s", job->output, strerror(errno));
}

static bool parse(struct job *job, int argc, char **argv, struct lab_error *error)
{
	for (int i = 1; i < argc; i++) {
		const char **value = !strcmp(argv[i], "-o")	    ? &job->output
				     : !strcmp(argv[i], "--format") ? &job->format
								    : NULL;

		if (value || !strcmp(argv[i], "--level")) {
			if (i + 1 == argc)
				return lab_fail(error, "%s needs a value", argv[i]);
			if (value)
				*value = argv[++i];
			else
				job->level = lab_level(argv[++i]);
		} else if (!strcmp(argv[i], "--force")) {
			job->force = true;
		} else if (argv[i][0] == '-' && argv[i][1]) {
			return lab_fail(error, "%s is no option of import (vellum lab import --help)", argv[i]);
		} else if (strcmp(argv[i], "-")) {
			job->input = argv[i];
		}
	}
	if (job->level < 1 || job->level > 19)
		return lab_fail(error, "--level goes from 1 to 19");
	return job->output || lab_fail(error, "where should the trace go? -o TRACE (vellum lab import --help)");
}

int lab_command_import(int argc, char **argv)
{
	struct job job = { .level = 3 };
	struct lab_error error = { "" };
	bool ok;

	if (lab_asks_for_help(argc, argv)) {
		puts(usage);
		return 0;
	}
	ok = parse(&job, argc, argv, &error) && place_free(&job, &error) && open_input(&job, &error);

	if (ok) {
		ok = convert(&job, &error);
		if (!finish_input(&job, ok, &error))
			ok = false;
		ok = finish_output(&job, ok, &error);
	}
	if (!ok)
		fprintf(stderr, "vellum: %s\n", error.text);
	return ok ? 0 : 2;
}
