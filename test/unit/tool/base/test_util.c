/* What is refused before a machine is started: a file that cannot be written, CPUs that an emulator gets wrong. */
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

#include "lib/base.h"
#include "tool/emulator/emulator.h"
#include "tool/base/output.h"
#include "tool/base/temporary.h"
#include "tool/base/util.h"

static char *directory;

/* One for the whole program: it is removed at exit. */
static int make_temporary(void **state)
{
	(void)state;
	directory = temporary_directory();
	return 0;
}

static void writable_new_file(void **state)
{
	char *path = text("%s/new", directory);

	(void)state;
	assert_true(output_possible(path));
	assert_false(file_exists(path));        /* asking leaves nothing behind */
	free(path);
}

static void writable_old_file(void **state)
{
	char *path = text("%s/old", directory);
	struct bytes content = { 0 };

	(void)state;
	file_write(path, "kept", 4);
	assert_true(output_possible(path));
	assert_true(file_read(path, &content));
	assert_string_equal(content.data, "kept");
	bytes_free(&content);
	free(path);
}

/* A promise that is broken ends the program, and says which. */
static void bug_ends(void **state)
{
	int ends[2], status;
	char said[200];
	ssize_t n;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		dup2(ends[1], STDERR_FILENO);
		bug("a.c", 7, "x == y");
	}
	close(ends[1]);
	n = read(ends[0], said, sizeof said - 1);
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_true(n > 0);
	said[n] = 0;
	assert_non_null(strstr(said, "a.c:7: broken promise: x == y"));
}

static void not_writable(void **state)
{
	char *missing = text("%s/no/such/dir/x.json", directory);
	char *through_file = text("%s/old/x.json", directory), *old = text("%s/old", directory);

	(void)state;
	assert_false(output_possible(missing));
	assert_int_equal(errno, ENOENT);
	assert_false(output_possible(directory));
	assert_int_equal(errno, EISDIR);
	file_write(old, "", 0);
	assert_false(output_possible(through_file));
	assert_int_equal(errno, ENOTDIR);
	if (geteuid() != 0) {                   /* to root every file is writable */
		assert_int_equal(chmod(old, 0444), 0);
		assert_false(output_possible(old));
		assert_int_equal(errno, EACCES);
	}
	free(missing);
	free(through_file);
	free(old);
}

static void cpus_of_bochs(void **state)
{
	char error[300] = "";

	(void)state;
	assert_true(bochs_can_have(true, false, 1, error, sizeof error));
	assert_true(bochs_can_have(true, false, 128, error, sizeof error));
	assert_true(bochs_can_have(true, true, 256, error, sizeof error));
	assert_true(bochs_can_have(false, false, 1, error, sizeof error));
	assert_string_equal(error, "");
	assert_false(bochs_can_have(true, false, 129, error, sizeof error));
	assert_non_null(strstr(error, "--host-cpus 129: "));
	assert_non_null(strstr(error, "128 CPUs"));
	assert_false(bochs_can_have(false, true, 2, error, sizeof error));
	assert_non_null(strstr(error, "--host-cpus 2: "));
	assert_non_null(strstr(error, "make bochs"));
	assert_null(strchr(error, '\n'));
}

static const char *complains(const char *text)
{
	static struct bytes said;

	bytes_free(&said);
	said = (struct bytes){ 0 };
	bytes_add(&said, text, strlen(text));
	return complaint(&said);
}

/* What comes of an error is said behind it; and not each line that has the word in it tells of one. */
static void complaints(void **state)
{
	struct bytes nothing = { 0 };

	(void)state;
	assert_string_equal(complaint(&nothing), "it does not say why");
	assert_string_equal(complains("Setting up libgpg-error0\nx: error: no room\nE: it failed\n"),
			    "x: error: no room");
	assert_string_equal(complains("xorriso : UPDATE\nxorriso : FAILURE : none\nCannot go on\n"),
			    "xorriso : FAILURE : none");
	assert_string_equal(complains("one\ntwo\n"), "two");
	complains("");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writable_new_file),
		cmocka_unit_test(writable_old_file),
		cmocka_unit_test(not_writable), cmocka_unit_test(bug_ends),
		cmocka_unit_test(cpus_of_bochs), cmocka_unit_test(complaints),
	};

	return cmocka_run_group_tests(tests, make_temporary, NULL);
}
