#include "tool/base/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An output that has been begun. */
struct output {
	struct output *next;
	FILE *file;
	char *path;  /* its place, with no link on the way; NULL: it is written where it is */
	char *fresh; /* where it is until then; empty: it has no name yet */
};

static struct output *outputs;

static char *joined(const char *one, const char *other)
{
	char *both;

	if (asprintf(&both, "%s%s", one, other) < 0)
		abort();
	return both;
}

/* The file's own name: where a link leads. A new allocated name; NULL: errno says why. */
static char *real_name(const char *path)
{
	char *real = realpath(path, NULL);

	if (real || errno != ENOENT)
		return real;
	return joined(path, "");
}

/* The directory of a path, as an allocated name. */
static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory;

	if (!slash)
		return joined(".", "");
	directory = joined(path, "");
	directory[slash == path ? 1 : slash - path] = '\0';
	return directory;
}

/* The rights of the file that is replaced, or those of any new file. */
static mode_t rights(const char *path)
{
	struct stat info;
	mode_t mask;

	if (stat(path, &info) == 0)
		return info.st_mode & 07777;
	mask = umask(0);
	umask(mask);
	return 0666 & ~mask;
}

/* A file without a name, which leaves nothing if the program is killed, where the file system has such; else a file
 * beside the place. */
static int begin_beside(struct output *o)
{
	char *directory = directory_of(o->path);
	int file = open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

	free(directory);
	o->fresh = joined(o->path, ".XXXXXX");
	if (file >= 0) {
		o->fresh[0] = '\0';
		return file;
	}
	return errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL ? mkostemp(o->fresh, O_CLOEXEC) : -1;
}

static int open_fresh(struct output *o, const char *path)
{
	struct stat info;

	if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
		return open(path, O_WRONLY | O_CLOEXEC);
	/* A file that may not be written is not replaced either. */
	if (access(path, W_OK) != 0 && errno != ENOENT)
		return -1;
	o->path = real_name(path);
	return o->path ? begin_beside(o) : -1;
}

static void forget(struct output *o)
{
	struct output **at = &outputs;
	int error = errno;

	while (*at && *at != o)
		at = &(*at)->next;
	if (*at)
		*at = o->next;
	free(o->path);
	free(o->fresh);
	free(o);
	errno = error;
}

FILE *output_begin(const char *path)
{
	struct output *o = calloc(1, sizeof(*o));
	int file;

	if (!o)
		abort();
	file = open_fresh(o, path);
	if (file >= 0 && o->path && fchmod(file, rights(o->path)) != 0) {
		close(file);
		file = -1;
	}
	o->file = file >= 0 ? fdopen(file, "w") : NULL;
	if (!o->file) {
		forget(o);
		return NULL;
	}
	o->next = outputs;
	outputs = o;
	return o->file;
}

static struct output *output_of(const FILE *file)
{
	struct output *o = outputs;

	while (o && o->file != file)
		o = o->next;
	if (!o)
		abort();
	return o;
}

/* Gives a file without a name one beside its place: no link can replace what is there. */
static bool name(struct output *o)
{
	char descriptor[40];

	if (o->fresh[0])
		return true;
	snprintf(descriptor, sizeof(descriptor), "/proc/self/fd/%d", fileno(o->file));
	free(o->fresh);
	if (asprintf(&o->fresh, "%s.new-%ld", o->path, (long)getpid()) < 0)
		abort();
	if (linkat(AT_FDCWD, descriptor, AT_FDCWD, o->fresh, AT_SYMLINK_FOLLOW) == 0)
		return true;
	o->fresh[0] = '\0';
	return false;
}

/* Closes the stream; false: something of what was written to it is not in the file. */
static bool close_whole(FILE *file)
{
	bool good = !ferror(file);
	int error = good ? 0 : EIO;

	if (fclose(file) != 0) {
		good = false;
		error = errno;
	}
	errno = error;
	return good;
}

bool output_standard(void)
{
	bool good = fflush(stdout) == 0 && !ferror(stdout);
	int error = errno != 0 ? errno : EIO;

	if (good)
		return true;
	__fpurge(stdout);
	clearerr(stdout);
	errno = error;
	return false;
}

bool output_end(FILE *file)
{
	struct output *o = output_of(file);
	bool good = fflush(file) == 0 && !ferror(file) && (!o->path || name(o));
	int error = errno;

	if (!close_whole(file) && good) {
		good = false;
		error = errno;
	}
	if (good && o->path && rename(o->fresh, o->path) != 0) {
		good = false;
		error = errno;
	}
	if (!good && o->path && o->fresh[0])
		unlink(o->fresh);
	forget(o);
	errno = error;
	return good;
}

void output_drop(FILE *file)
{
	struct output *o = output_of(file);

	fclose(file);
	if (o->path && o->fresh[0])
		unlink(o->fresh);
	forget(o);
}

bool output_possible(const char *path)
{
	struct stat info;
	FILE *file;

	if (!*path) {
		errno = ENOENT;
		return false;
	}
	if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
		if (S_ISDIR(info.st_mode))
			errno = EISDIR;
		return !S_ISDIR(info.st_mode) && access(path, W_OK) == 0;
	}
	file = output_begin(path);
	if (!file)
		return false;
	output_drop(file);
	return true;
}

bool output_same(const char *one, const char *other)
{
	struct stat a, b;

	return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}
