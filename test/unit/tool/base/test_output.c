/* Output files (tool/base/output.h): the old one stays as it was until the new one is whole, and nothing else is
 * left. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tool/base/output.h"

static char directory[] = "/tmp/vellum-output-XXXXXX";

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) && chdir(directory) == 0 ? 0 : -1;
}

static int remove_directory(void **state)
{
	(void)state;
	return chdir("/") == 0 && rmdir(directory) == 0 ? 0 : -1;
}

static void put(const char *path, const char *content)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(content, f);
	fclose(f);
}

static void assert_content(const char *path, const char *content)
{
	char got[100] = "";
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	got[fread(got, 1, sizeof(got) - 1, f)] = '\0';
	fclose(f);
	assert_string_equal(got, content);
}

/* How many names the directory has. */
static unsigned names(void)
{
	DIR *d = opendir(".");
	unsigned n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void the_old_one_stays_until_then(void **state)
{
	FILE *f;

	(void)state;
	put("file", "old");
	f = output_begin("file");
	assert_non_null(f);
	fputs("new", f);
	fflush(f);
	assert_content("file", "old");
	assert_true(output_end(f));
	assert_content("file", "new");
	f = output_begin("file");
	fputs("half", f);
	output_drop(f);
	assert_content("file", "new");
	assert_int_equal(names(), 1);
	unlink("file");
}

static void a_new_one(void **state)
{
	struct stat info;
	mode_t mask = umask(027);
	FILE *f = output_begin("file");

	(void)state;
	assert_non_null(f);
	assert_int_equal(names(), 0);
	assert_true(output_end(f));
	assert_int_equal(stat("file", &info), 0);
	assert_int_equal(info.st_mode & 0777, 0640);
	umask(mask);
	unlink("file");
}

/* The rights stay those of the old one, and a link goes on leading to it. */
static void what_it_replaces(void **state)
{
	struct stat info;
	FILE *f;

	(void)state;
	put("file", "old");
	chmod("file", 0604);
	assert_int_equal(symlink("file", "link"), 0);
	f = output_begin("link");
	assert_non_null(f);
	fputs("new", f);
	assert_true(output_end(f));
	assert_int_equal(lstat("link", &info), 0);
	assert_true(S_ISLNK(info.st_mode));
	assert_content("file", "new");
	assert_int_equal(stat("file", &info), 0);
	assert_int_equal(info.st_mode & 0777, 0604);
	unlink("link");
	unlink("file");
}

static void a_full_disk(void **state)
{
	FILE *f = output_begin("/dev/full");

	(void)state;
	assert_non_null(f);
	fputs("something", f);
	assert_false(output_end(f));
	assert_int_equal(errno, ENOSPC);
}

/* Killed in the midst of it: the old file, and no other. */
static void an_end_in_between(void **state)
{
	int status;
	pid_t child;

	(void)state;
	put("file", "old");
	child = fork();
	if (child == 0) {
		FILE *f = output_begin("file");

		fputs("half", f);
		fflush(f);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_content("file", "old");
	assert_int_equal(names(), 1);
	unlink("file");
}

static void what_cannot_be(void **state)
{
	(void)state;
	assert_null(output_begin("nowhere/file"));
	assert_int_equal(errno, ENOENT);
	assert_false(output_possible("nowhere/file"));
	assert_false(output_possible("."));
	assert_int_equal(errno, EISDIR);
	assert_true(output_possible("file"));
	assert_true(output_possible("/dev/null"));
	assert_int_equal(names(), 0);
}

static void names_of_one_file(void **state)
{
	(void)state;
	put("file", "");
	assert_int_equal(link("file", "other"), 0);
	assert_true(output_same("file", "./file"));
	assert_true(output_same("file", "other"));
	assert_false(output_same("file", "absent"));
	put("third", "");
	assert_false(output_same("file", "third"));
	unlink("file");
	unlink("other");
	unlink("third");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_old_one_stays_until_then),
		cmocka_unit_test(a_new_one),
		cmocka_unit_test(what_it_replaces),
		cmocka_unit_test(a_full_disk),
		cmocka_unit_test(an_end_in_between),
		cmocka_unit_test(what_cannot_be),
		cmocka_unit_test(names_of_one_file),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
