#include "tool/base/temporary.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tool/base/util.h"

#define PREFIX "vellum-"
#define TEMPLATE PREFIX "XXXXXX"
/* A file in the directory that its owner has locked as long as it lives. */
#define ALIVE "alive"
/* A directory so young may not have its lock yet. */
#define YOUNG_S 60

static char *directory;
static pid_t owner;
static volatile sig_atomic_t signal_number;
static volatile pid_t waited_for; /* and its process group */
static volatile sig_atomic_t ending = SIGKILL; /* what ends it */

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *where)
{
	(void)info;
	(void)type;
	(void)where;
	return remove(path);
}

static void remove_all(const char *path)
{
	nftw(path, remove_one, 1, FTW_DEPTH | FTW_PHYS); /* also where hardly a file can be opened */
}

static void remove_own(void)
{
	if (directory != NULL && getpid() == owner)
		remove_all(directory);
	free(directory);
	directory = NULL;
}

/* ---- signals ---- */

static void on_signal(int number)
{
	if (signal_number != 0)
		ending = SIGKILL;
	signal_number = number;
	if (waited_for > 0)
		kill(-waited_for, ending);
}

void temporary_ends_gently(void) { ending = SIGTERM; }

static void watch_signals(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction action = { .sa_handler = on_signal }, old;

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		/* What is ignored (nohup) stays so. */
		if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			sigaction(numbers[i], &action, NULL);
}

void temporary_check(void)
{
	if (signal_number != 0)
		exit(128 + signal_number);
}

void temporary_waits_for(pid_t pid)
{
	waited_for = pid;
	if (pid > 0 && signal_number != 0)
		kill(-pid, ending);
}

/* ---- what others have left ---- */

/* Does nobody live who made it? One of a version without locks is left alone. */
static bool is_dead(const char *path)
{
	char *lock = text("%s/" ALIVE, path);
	int file = open(lock, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	bool dead = file >= 0 && flock(file, LOCK_EX | LOCK_NB) == 0;

	if (file >= 0)
		close(file);
	free(lock);
	return dead;
}

static bool is_ours(const char *path)
{
	struct stat info;

	return lstat(path, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid() &&
	       info.st_mtime + YOUNG_S < time(NULL);
}

static void sweep(const char *where)
{
	DIR *d = opendir(where);
	struct dirent *entry;

	while (d != NULL && (entry = readdir(d)) != NULL) {
		char *path;

		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0 || strlen(entry->d_name) != strlen(TEMPLATE))
			continue;
		path = text("%s/%s", where, entry->d_name);
		if (is_ours(path) && is_dead(path))
			remove_all(path);
		free(path);
	}
	if (d != NULL)
		closedir(d);
}

/* ---- making it ---- */

/* The file stays open, and locked, to the program's end. */
static void lock_own(void)
{
	char *path = text("%s/" ALIVE, directory);
	int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (file < 0 || flock(file, LOCK_EX) != 0)
		die(STATUS_FAILED, "cannot write %s: %s", path, strerror(errno));
	free(path);
}

char *temporary_directory(void)
{
	const char *where = getenv("TMPDIR");

	where = where != NULL && *where != 0 ? where : "/tmp";
	watch_signals();
	sweep(where);
	directory = text("%s/" TEMPLATE, where);
	owner = getpid();
	if (mkdtemp(directory) == NULL) {
		char *wanted = directory;

		directory = NULL;
		die(STATUS_FAILED, "cannot make a directory %s: %s", wanted, strerror(errno));
	}
	atexit(remove_own);
	lock_own();
	return directory;
}
