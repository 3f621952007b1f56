/* lab/sweep/store.c - a results file that is appended to (lab/sweep/results.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/sweep/results.h"

/* Reads what is there, then locks, and does both again where another process has written between. The lock is POSIX's:
 * it goes when this process goes, whatever its children do; but it also goes when the process closes the file once
 * more, hence the order. */
static bool read_and_lock(struct lab_store *store, const char *file, struct lab_results *results, uint64_t *whole,
			  uint64_t *size, struct lab_error *error)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat before, after;

	do {
		lab_results_free(results);
		if (fstat(store->fd, &before) || !S_ISREG(before.st_mode))
			return lab_fail(error, "%s is not a regular file; results are kept in one (-o FILE)", file);
		if (!lab_results_read(results, file, whole, error))
			return false;
		if (fcntl(store->fd, F_SETLK, &lock))
			return lab_fail(error,
					"another sweep is writing %s; wait for it, or give this one a file of its own "
					"(-o) and join "
					"them by vellum lab merge",
					file);
		if (fstat(store->fd, &after))
			return lab_fail(error, "cannot read the results %s: %s", file, strerror(errno));
	} while (before.st_size != after.st_size);
	*size = (uint64_t)after.st_size;
	return true;
}

bool lab_store_open(struct lab_store *store, const char *file, struct lab_results *results, struct lab_error *error)
{
	uint64_t whole, size;

	*store = (struct lab_store){ .fd = open(file, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666) };
	if (store->fd < 0)
		return lab_fail(error, "cannot write the results file %s: %s", file, strerror(errno));
	if (!read_and_lock(store, file, results, &whole, &size, error)) {
		close(store->fd);
		return false;
	}
	store->torn = whole < size;
	if (store->torn && ftruncate(store->fd, (off_t)whole)) {
		lab_fail(error, "cannot cut off the torn last line of %s: %s", file, strerror(errno));
		close(store->fd);
		return false;
	}
	store->file = strdup(file);
	return true;
}

bool lab_store_append(struct lab_store *store, const char *line, struct lab_error *error)
{
	size_t n = strlen(line);
	off_t end = lseek(store->fd, 0, SEEK_END);
	ssize_t written = write(store->fd, line, n);
	int why = written < 0 ? errno : ENOSPC;

	if (written == (ssize_t)n)
		return true;
	/* Half a line would be torn: better none. */
	if (written > 0 && ftruncate(store->fd, end))
		why = errno;
	return lab_fail(error, "cannot write the results file %s: %s; what is in it stays good", store->file,
			strerror(why));
}

void lab_store_close(struct lab_store *store)
{
	close(store->fd);
	free(store->file);
	*store = (struct lab_store){ .fd = -1 };
}

void lab_build(char build[LAB_KEY_SIZE])
{
	uint64_t hash;

	build[0] = '\0';
	if (lab_hash_file("/proc/self/exe", &hash, NULL))
		snprintf(build, LAB_KEY_SIZE, "%016llx", (unsigned long long)hash);
}
