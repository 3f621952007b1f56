#include "test/unit/lab/own_command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/vellum-unit-XXXXXX";

int shell(const char *format, ...)
{
	char *command = NULL;
	va_list args;
	int status;
	pid_t pid;

	va_start(args, format);
	assert_true(vasprintf(&command, format, args) > 0);
	va_end(args);
	pid = fork();
	if (pid == 0) {
		execl("/bin/bash", "bash", "-c", command, (char *)NULL);
		_exit(127);
	}
	free(command);
	assert_int_equal(pid, waitpid(pid, &status, 0));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

char *slurp(const char *name)
{
	FILE *f = fopen(name, "r");
	char *text = NULL;
	size_t room = 0;

	assert_non_null(f);
	if (getdelim(&text, &room, '\0', f) < 0) {
		free(text);
		text = strdup("");
	}
	fclose(f);
	return text;
}

void spill(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

void look(const char *name, const char *what, bool there)
{
	char *text = slurp(name);

	if ((strstr(text, what) != NULL) != there)
		fail_msg("%s %s '%s': %s", name, there ? "does not hold" : "holds", what, text);
	free(text);
}

int own_command_setup(void **state)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	(void)state;
	if (n < 0 || !mkdtemp(directory) || chdir(directory))
		return -1;
	self[n] = '\0';
	return setenv("V", self, 1);
}

int own_command_teardown(void **state)
{
	(void)state;
	return shell("rm -rf '%s'", directory);
}
