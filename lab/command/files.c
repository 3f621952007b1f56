/* lab/command/files.c - see lab/command/files.h. */
#include "lab/command/files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lab/sweep/sweep.h"
#include "tool/base/output.h"

void lab_files_add(struct lab_files *files, const char *what, const char *path, enum lab_use use)
{
	const struct lab_file *last = files->count ? &files->file[files->count - 1] : NULL;

	if (!path || (last && use == LAB_FILE_READ && last->use == LAB_FILE_READ && !strcmp(last->path, path)))
		return;
	files->file = realloc(files->file, (files->count + 1) * sizeof(*files->file));
	if (!files->file)
		abort();
	files->file[files->count++] = (struct lab_file){ what, strdup(path), use };
	if (!files->file[files->count - 1].path)
		abort();
}

void lab_files_add_output(struct lab_files *files, const struct lab_output *output)
{
	lab_files_add(files, "--csv", output->csv, LAB_FILE_WRITTEN);
	lab_files_add(files, "--json", output->json, LAB_FILE_WRITTEN);
	lab_files_add(files, "--html", output->html, LAB_FILE_WRITTEN);
}

void lab_files_add_trace(struct lab_files *files, const struct lab_config *config)
{
	char *trace = lab_cell_trace(config);

	lab_files_add(files, "the trace", trace, LAB_FILE_READ);
	free(trace);
}

void lab_files_add_config(struct lab_files *files, int argc, char **argv, int at)
{
	if (at + 1 < argc && !strcmp(argv[at], "--config"))
		lab_files_add(files, "--config", argv[at + 1], LAB_FILE_READ);
}

void lab_files_free(struct lab_files *files)
{
	for (unsigned i = 0; i < files->count; i++)
		free(files->file[i].path);
	free(files->file);
	*files = (struct lab_files){ 0 };
}

/* Of a file that is not there: its directory, and the name in it. */
static bool same_place(const char *one, const char *other)
{
	const char *name[2] = { strrchr(one, '/'), strrchr(other, '/') }, *path[2] = { one, other };
	struct stat st[2];

	for (unsigned i = 0; i < 2; i++) {
		char *directory = name[i] ? strndup(path[i], (size_t)(name[i] - path[i]) + 1) : strdup(".");
		bool there;

		if (!directory)
			abort();
		there = !stat(directory, &st[i]);
		free(directory);
		if (!there)
			return !strcmp(one, other);
		name[i] = name[i] ? name[i] + 1 : path[i];
	}
	return st[0].st_dev == st[1].st_dev && st[0].st_ino == st[1].st_ino && !strcmp(name[0], name[1]);
}

/* What is there and no regular file (a pipe, a device) may be named twice. */
static bool same(const char *one, const char *other)
{
	struct stat st[2];
	bool there[2] = { !stat(one, &st[0]), !stat(other, &st[1]) };

	if (!there[0] && !there[1])
		return same_place(one, other);
	return there[0] && there[1] && S_ISREG(st[0].st_mode) && st[0].st_dev == st[1].st_dev &&
	       st[0].st_ino == st[1].st_ino;
}

static bool is_standard(const struct lab_file *f)
{
	return f->use == LAB_FILE_WRITTEN && !strcmp(f->path, "-");
}

/* f is written, or appended to. */
static bool apart(const struct lab_file *f, const struct lab_file *other, struct lab_error *error)
{
	if (is_standard(f) && is_standard(other))
		return lab_fail(error, "only one of --json, --csv and --html can be -, the standard output");
	if (is_standard(f) || is_standard(other) || !same(f->path, other->path))
		return true;
	return lab_fail(error, "%s and %s are the same file, %s, and one would be lost: name another for %s", f->what,
			other->what, f->path, f->what);
}

bool lab_files_good(const struct lab_files *files, struct lab_error *error)
{
	for (unsigned i = 0; i < files->count; i++) {
		const struct lab_file *f = &files->file[i];

		for (unsigned k = 0; f->use != LAB_FILE_READ && k < files->count; k++)
			if (k != i && files->file[k].use <= f->use && !apart(f, &files->file[k], error))
				return false;
		if (f->use == LAB_FILE_WRITTEN && !is_standard(f) && !output_possible(f->path))
			return lab_fail(error, "cannot write %s: %s", f->path, strerror(errno));
	}
	return true;
}
