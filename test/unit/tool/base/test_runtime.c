/* Where runs are found (tool/base/runtime.h): whoever looks while one begins or ends does not take its socket away. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tool/base/runtime.h"

enum { BEGINNINGS = 400, LOOKERS = 3, CONTENDERS = 8, ROUNDS = 40 };

static char where[] = "/tmp/vellum-test-XXXXXX";

static int make_where(void **state)
{
	(void)state;
	return mkdtemp(where) && setenv("XDG_RUNTIME_DIR", where, 1) == 0 ? 0 : -1;
}

static int remove_where(void **state)
{
	(void)state;
	return rmdir(where);
}

static void free_all(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

/* A process that asks again and again what runs. */
static pid_t look(void)
{
	pid_t pid = fork();
	size_t count;
	char **names;

	assert_true(pid >= 0);
	while (pid == 0) {
		names = runtime_sessions(&count);
		free_all(names, count);
		if (getppid() == 1)
			_exit(1);
	}
	return pid;
}

/* Begins one, whose socket must be there then (nobody accepts: who connects may have to wait); 0, or what did not
 * work. */
static int begin(const char *name)
{
	char error[200], path[200];

	if (runtime_listen(name, error, sizeof error) < 0) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	snprintf(path, sizeof path, "%s/vellum/%s.sock", where, name);
	usleep(200);
	return access(path, F_OK) == 0 ? 0 : 2;
}

/* Runs that begin and end one after the other, in processes of their own, in sight of those who look. */
static void is_found_by_all(void **state)
{
	pid_t lookers[LOOKERS], pid;
	unsigned failed = 0;
	int status;

	(void)state;
	for (int i = 0; i < LOOKERS; i++)
		lookers[i] = look();
	for (int i = 0; i < BEGINNINGS; i++) {
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			exit(begin("one"));     /* by exit(): its socket goes */
		assert_int_equal(waitpid(pid, &status, 0), pid);
		failed += status != 0;
	}
	for (int i = 0; i < LOOKERS; i++) {
		kill(lookers[i], SIGKILL);
		waitpid(lookers[i], NULL, 0);
	}
	assert_int_equal(failed, 0);
}

/* Begins one when the gate opens, tells whether it could, and stays until it may go; its socket stays for good, as a
 * killed one's does. */
static pid_t contend(int gate[2], int told[2], int held[2])
{
	pid_t pid = fork();
	char error[200], byte = 0;

	assert_true(pid >= 0);
	if (pid != 0)
		return pid;
	close(gate[1]);
	close(held[1]);
	if (read(gate[0], &byte, 1) != 0)
		_exit(1);
	byte = runtime_listen("same", error, sizeof error) >= 0;
	if (write(told[1], &byte, 1) != 1 || read(held[0], &byte, 1) != 0)
		_exit(1);
	_exit(0);
}

static void close_both(int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

/* Of many that begin under one name at once, where a killed one left its socket, one does. */
static void one_of_a_name(void **state)
{
	int gate[2], told[2], held[2], status;
	pid_t pids[CONTENDERS];
	unsigned begun = 0;
	char byte = 0;

	(void)state;
	assert_true(pipe(gate) == 0 && pipe(told) == 0 && pipe(held) == 0);
	for (int i = 0; i < CONTENDERS; i++)
		pids[i] = contend(gate, told, held);
	close_both(gate);
	for (int i = 0; i < CONTENDERS; i++) {
		assert_int_equal(read(told[0], &byte, 1), 1);
		begun += byte != 0;
	}
	close_both(held);
	close_both(told);
	for (int i = 0; i < CONTENDERS; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(begun, 1);
}

static void one_of_a_name_each_time(void **state)
{
	size_t count;

	for (int i = 0; i < ROUNDS; i++)
		one_of_a_name(state);
	free_all(runtime_sessions(&count), 0);
	assert_int_equal(count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_found_by_all),
		cmocka_unit_test(one_of_a_name_each_time),
	};

	return cmocka_run_group_tests(tests, make_where, remove_where);
}
