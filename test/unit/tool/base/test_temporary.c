/* The temporary directory (tool/base/temporary.h): who is ended by a signal removes it, and what one left that was
 * killed goes with the next. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tool/base/temporary.h"
#include "tool/base/util.h"

static char where[] = "/tmp/vellum-test-XXXXXX";

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

static int make_where(void **state)
{
	(void)state;
	return mkdtemp(where) && setenv("TMPDIR", where, 1) == 0 ? 0 : -1;
}

static int remove_where(void **state)
{
	(void)state;
	return rmdir(where);
}

/* The names in there; the last one into name. */
static unsigned names(char name[256])
{
	DIR *d = opendir(where);
	unsigned n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] != '.') {
			strcpy(name, e->d_name);
			n++;
		}
	closedir(d);
	return n;
}

/* Leaves a file that it removes if it is ended by SIGTERM, and says that it was. */
static char tidy[] = "trap 'rm .tidy; touch .was-tidy; exit' TERM; touch .tidy; while :; do sleep 0.1; done";

/* A process that has a temporary directory with something in it, and waits in a program: for ever, or in one that is
 * tidy. */
static pid_t begin_with(bool gently)
{
	static char shell[] = "sh", option[] = "-c", forever[] = "trap '' TERM; while :; do sleep 0.1; done";
	char name[256], *path;
	pid_t child = fork();

	if (child == 0) {
		char *program[] = { shell, option, gently ? tidy : forever, NULL };

		/* Whoever runs the test in the background may ignore some: then so would this. */
		for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
			signal(signals[i], SIG_DFL);
		path = text("%s/content", temporary_directory());
		if (gently)
			temporary_ends_gently();
		assert_int_equal(chdir(where), 0);
		file_write(path, "x", 1);
		run_program(program, NULL);
		_exit(99); /* it comes back only to be ended */
	}
	for (unsigned i = 0; i < 1000 && names(name) == 0; i++)
		usleep(10000);
	path = text("%s/%s/content", where, name);
	for (unsigned i = 0; i < 1000 && access(path, F_OK) != 0; i++)
		usleep(10000);
	free(path);
	return child;
}

static pid_t begin(void) { return begin_with(false); }

static void ended_gently(void **state)
{
	char name[256], *made = text("%s/.tidy", where), *left = text("%s/.was-tidy", where);
	pid_t child = begin_with(true);
	int status;

	(void)state;
	for (unsigned i = 0; i < 1000 && access(made, F_OK) != 0; i++)
		usleep(10000);
	kill(child, SIGINT);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 128 + SIGINT);
	assert_int_equal(access(made, F_OK), -1);
	assert_int_equal(unlink(left), 0);
	assert_int_equal(names(name), 0);
	free(made);
	free(left);
}

static void ended_by_signals(void **state)
{
	char name[256];
	int status;

	(void)state;
	for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) {
		pid_t child = begin();

		assert_int_equal(names(name), 1);
		kill(child, signals[i]);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 128 + signals[i]);
		assert_int_equal(names(name), 0);
	}
}

static pid_t of_another(int number)
{
	pid_t child = begin();

	if (number)
		kill(child, number);
	return child;
}

/* Makes a directory of its own and ends, in the way that the command does. */
static void one_more(void)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		temporary_directory();
		exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void age(const char *name)
{
	const struct timespec old[2] = { { .tv_sec = time(NULL) - 1000 }, { .tv_sec = time(NULL) - 1000 } };
	char *path = text("%s/%s", where, name);

	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	free(path);
}

static void left_by_the_killed(void **state)
{
	char name[256];
	int status;
	pid_t child = of_another(SIGKILL);

	(void)state;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(names(name), 1);
	one_more(); /* it is too young */
	assert_int_equal(names(name), 1);
	age(name);
	one_more();
	assert_int_equal(names(name), 0);
}

static void of_the_living(void **state)
{
	char name[256], first[256];
	pid_t child = of_another(0);
	int status;

	(void)state;
	assert_int_equal(names(first), 1);
	age(first);
	one_more();
	assert_int_equal(names(name), 1);
	assert_string_equal(name, first);
	kill(child, SIGTERM);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(names(name), 0);
}

/* A directory that has no lock is somebody else's. */
static void of_others(void **state)
{
	char name[256], *path = text("%s/vellum-abcdef", where);

	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	age("vellum-abcdef");
	one_more();
	assert_int_equal(names(name), 1);
	assert_int_equal(rmdir(path), 0);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ended_by_signals),
		cmocka_unit_test(ended_gently),
		cmocka_unit_test(left_by_the_killed),
		cmocka_unit_test(of_the_living),
		cmocka_unit_test(of_others),
	};

	return cmocka_run_group_tests(tests, make_where, remove_where);
}
