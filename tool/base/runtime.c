#include "tool/base/runtime.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char suffix[] = ".sock";
static const char disk_suffix[] = ".disk";
static char *own_path, *own_directory, *own_link;

bool run_name_valid(const char *name)
{
	return *name != 0 && *name != '.' && strlen(name) <= RUN_NAME_MAX &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == strlen(name);
}

static char *directory(void)
{
	const char *base = getenv("XDG_RUNTIME_DIR"), *tmp = getenv("TMPDIR");

	if (base != NULL && *base == '/')
		return text("%s/vellum", base);
	return text("%s/vellum-%u", tmp != NULL && *tmp == '/' ? tmp : "/tmp", (unsigned)getuid());
}

/* Others must not be able to put sockets there. */
static bool may_be_used(const struct stat *info)
{
	return S_ISDIR(info->st_mode) && info->st_uid == getuid() && (info->st_mode & 022) == 0;
}

static bool is_ours(const char *path)
{
	struct stat info;

	return lstat(path, &info) == 0 && may_be_used(&info);
}

/* A name of a socket can have 107 bytes; through the directory's descriptor that is enough for any. */
static bool address_of(int dir, const char *name, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	return snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s%s", dir, name, suffix) <
	       (int)sizeof address->sun_path;
}

/* type: SOCK_NONBLOCK, or 0. */
static int connect_in(int dir, const char *name, int type)
{
	struct sockaddr_un address;
	int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | type, 0);

	if (file >= 0 && address_of(dir, name, &address) &&
	    connect(file, (struct sockaddr *)&address, sizeof address) == 0)
		return file;
	if (file >= 0)
		close(file);
	return -1;
}

/* What begins and what cleans up does so one after the other: who holds this sees no socket that is bound and not yet
 * listened on. The directory is made for its user alone. */
static void lock(int dir)
{
	while (flock(dir, LOCK_EX) != 0 && errno == EINTR)
		continue;
}

static void unlock(int dir)
{
	flock(dir, LOCK_UN);
}

/* Under the lock: removes the socket that nobody listens on. Does somebody? */
static bool is_listened_on(int dir, const char *name)
{
	int file = connect_in(dir, name, SOCK_NONBLOCK);
	bool dead = file < 0 && errno == ECONNREFUSED;
	char *socket_name;

	if (file >= 0)
		close(file);
	if (!dead)
		return file >= 0 || errno == EAGAIN;    /* so many wait for it that none more can */
	socket_name = text("%s%s", name, suffix);
	unlinkat(dir, socket_name, 0);
	free(socket_name);
	return false;
}

/* Connects; where nobody listens any more the socket is removed. */
static int connect_or_clean(int dir, const char *name)
{
	int file = connect_in(dir, name, 0);

	if (file < 0 && errno == ECONNREFUSED) {
		lock(dir);
		is_listened_on(dir, name);
		unlock(dir);
		errno = ECONNREFUSED;
	}
	return file;
}

/* Locks a directory of ours; false: it has been removed meanwhile, by another who had the lock. */
static bool lock_in_place(int dir)
{
	struct stat info;

	lock(dir);
	return fstat(dir, &info) == 0 && info.st_nlink > 0;
}

/* The directory goes with the last one, but not under one that begins. */
static void remove_empty(const char *path)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return;
	if (lock_in_place(dir))
		rmdir(path);
	close(dir);
}

void runtime_forget(void)
{
	if (own_path == NULL)
		return;
	unlink(own_path);
	if (own_link != NULL)
		unlink(own_link);
	remove_empty(own_directory);
	free(own_path);
	free(own_link);
	free(own_directory);
	own_path = own_link = own_directory = NULL;     /* another of this name may begin */
}

/* Makes the directory if there is none, and opens it; -1: errno says why not. */
static int open_made(const char *path)
{
	int dir;

	do {
		if (mkdir(path, 0700) != 0 && errno != EEXIST)
			return -1;
		dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	} while (dir < 0 && errno == ENOENT);   /* the last one out has removed it, just now */
	return dir;
}

/* And locks it; -1: error says why not. */
static int open_locked(const char *path, char *error, size_t error_size)
{
	struct stat info;
	int dir;

	while ((dir = open_made(path)) >= 0) {
		/* Another's may be locked for good. */
		if (fstat(dir, &info) != 0 || !may_be_used(&info)) {
			snprintf(error, error_size, "%s belongs to somebody else, or others may write to it", path);
			close(dir);
			return -1;
		}
		if (lock_in_place(dir))
			return dir;
		close(dir);
	}
	snprintf(error, error_size, "cannot use the directory %s: %s", path, strerror(errno));
	return -1;
}

/* Under the lock. */
static int listen_in(int dir, const char *path, const char *name, char *error, size_t error_size)
{
	struct sockaddr_un address;
	int file;

	if (is_listened_on(dir, name)) {
		snprintf(error, error_size, "there is a run named %s already", name);
		return -1;
	}
	file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (file < 0 || !address_of(dir, name, &address) ||
	    bind(file, (struct sockaddr *)&address, sizeof address) != 0) {
		snprintf(error, error_size, "cannot listen in %s: %s", path, strerror(errno));
		return -1;
	}
	own_path = text("%s/%s%s", path, name, suffix);
	own_directory = text("%s", path);
	atexit(runtime_forget);
	if (listen(file, 8) != 0) {
		snprintf(error, error_size, "cannot listen on %s: %s", own_path, strerror(errno));
		return -1;
	}
	return file;
}

int runtime_listen(const char *name, char *error, size_t error_size)
{
	char *path = directory();
	int dir = open_locked(path, error, error_size), file = -1;

	if (dir >= 0) {
		file = listen_in(dir, path, name, error, error_size);
		close(dir);
	}
	free(path);
	return file;
}

void runtime_link(const char *path)
{
	if (own_path == NULL)
		return;
	own_link = text("%.*s%s", (int)(strlen(own_path) - strlen(suffix)), own_path, disk_suffix);
	unlink(own_link);
	if (symlink(path, own_link) != 0)
		die(STATUS_FAILED, "cannot make %s: %s", own_link, strerror(errno));
}

int runtime_disk(const char *name)
{
	char *dir = directory(), *path = text("%s/%s%s", dir, name, disk_suffix);
	int file = open(path, O_RDWR | O_CLOEXEC);

	free(path);
	free(dir);
	return file;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The name in a file's name; NULL: it is none. The caller frees. */
static char *name_in(const char *file)
{
	size_t length = strlen(file), tail = strlen(suffix);
	char *name;

	if (length <= tail || strcmp(file + length - tail, suffix) != 0)
		return NULL;
	name = text("%.*s", (int)(length - tail), file);
	if (run_name_valid(name))
		return name;
	free(name);
	return NULL;
}

char **runtime_sessions(size_t *count)
{
	char **names = NULL, *path = directory(), *name;
	DIR *dir = is_ours(path) ? opendir(path) : NULL;
	struct dirent *entry;
	int file;

	*count = 0;
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if ((name = name_in(entry->d_name)) == NULL)
			continue;
		file = connect_or_clean(dirfd(dir), name);
		if (file < 0) {
			free(name);
			continue;
		}
		close(file);
		names = grow(names, (*count + 1) * sizeof *names);
		names[(*count)++] = name;
	}
	if (dir != NULL)
		closedir(dir);
	if (*count > 0)
		qsort(names, *count, sizeof *names, by_name);
	else if (dir != NULL)
		remove_empty(path);
	free(path);
	return names;
}

static int connect_named(const char *name, char *error, size_t error_size)
{
	char *path = directory();
	int dir = is_ours(path) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1, file = -1;

	if (dir >= 0) {
		file = connect_or_clean(dir, name);
		if (file < 0 && errno == ECONNREFUSED)
			snprintf(error, error_size, "the run %s is over (it ended without saying so)", name);
		else if (file < 0)
			snprintf(error, error_size, "there is no run named %s", name);
		close(dir);
	} else {
		snprintf(error, error_size, "there is no run named %s, nor any other: start one with vellum run", name);
	}
	free(path);
	return file;
}

int runtime_connect(const char *name, char **found, char *error, size_t error_size)
{
	struct bytes list = { 0 };
	size_t count = 0;
	char **names = NULL, *only;
	int file = -1;

	if (name != NULL) {
		if (found != NULL)
			*found = text("%s", name);
		return connect_named(name, error, error_size);
	}
	names = runtime_sessions(&count);
	if (count == 1) {
		only = names[0];
		file = connect_named(only, error, error_size);
		if (found != NULL)
			*found = text("%s", only);
	} else if (count == 0) {
		snprintf(error, error_size, "nothing runs: start a virtual machine with vellum run");
	} else {
		for (size_t i = 0; i < count; i++)
			bytes_print(&list, " %s", names[i]);
		snprintf(error, error_size, "there are several runs: choose one with --run:%s", list.data);
		bytes_free(&list);
	}
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
	return file;
}
