#include "tool/base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tool/base/output.h"
#include "tool/base/temporary.h"

static void say_list(const char *format, va_list list)
{
	char line[1000];

	/* One write, so that lines of different sources do not mix. */
	vsnprintf(line, sizeof line, format, list);
	fprintf(stderr, "vellum: %s\n", line);
}

void say(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	say_list(format, list);
	va_end(list);
}

void die(int status, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	say_list(format, list);
	va_end(list);
	exit(status);
}

void *grow(void *memory, size_t bytes)
{
	void *p = realloc(memory, bytes > 0 ? bytes : 1);

	if (p == NULL)
		die(STATUS_FAILED, "out of memory");
	return p;
}

void *allocate(size_t bytes)
{
	return memset(grow(NULL, bytes), 0, bytes);
}

static char *formatted(const char *format, va_list list, size_t *length)
{
	char *result;
	int n = vasprintf(&result, format, list);

	if (n < 0)
		die(STATUS_FAILED, "out of memory");
	*length = (size_t)n;
	return result;
}

char *text(const char *format, ...)
{
	char *result;
	size_t length;
	va_list list;

	va_start(list, format);
	result = formatted(format, list, &length);
	va_end(list);
	return result;
}

void bytes_add(struct bytes *bytes, const void *data, size_t length)
{
	if (bytes->length + length + 1 > bytes->room) {
		bytes->room = 2 * (bytes->length + length + 1);
		bytes->data = grow(bytes->data, bytes->room);
	}
	if (length > 0)
		memcpy(bytes->data + bytes->length, data, length);
	bytes->length += length;
	bytes->data[bytes->length] = 0;
}

void bytes_print(struct bytes *bytes, const char *format, ...)
{
	char *more;
	size_t length;
	va_list list;

	va_start(list, format);
	more = formatted(format, list, &length);
	va_end(list);
	bytes_add(bytes, more, length);
	free(more);
}

void bytes_free(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){ 0 };
}

/* A word as a shell reads it. */
static void add_word(struct bytes *line, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_";

	if (*word != 0 && word[strspn(word, plain)] == 0) {
		bytes_print(line, " %s", word);
		return;
	}
	bytes_print(line, " '");
	for (; *word != 0; word++)
		if (*word == '\'')
			bytes_print(line, "'\\''");
		else
			bytes_add(line, word, 1);
	bytes_print(line, "'");
}

char *command_typed(int argc, char **argv)
{
	struct bytes line = { 0 };

	bytes_print(&line, "vellum");
	for (int i = 0; i < argc; i++)
		add_word(&line, argv[i]);
	return line.data;
}

static bool read_all(int file, struct bytes *out)
{
	static char block[65536];
	ssize_t n;

	bytes_add(out, "", 0);
	while ((n = read(file, block, sizeof block)) != 0) {
		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0)
			bytes_add(out, block, (size_t)n);
	}
	return true;
}

bool file_read(const char *path, struct bytes *out)
{
	int file = open(path, O_RDONLY | O_CLOEXEC), error;
	struct stat info;
	bool good;

	if (file < 0)
		return false;
	/* One block for all of it, where the size is known. */
	if (fstat(file, &info) == 0 && S_ISREG(info.st_mode)) {
		out->room = out->length + (size_t)info.st_size + 1;
		out->data = grow(out->data, out->room);
	}
	good = read_all(file, out);
	error = errno;
	close(file);
	errno = error;
	return good;
}

void file_write(const char *path, const void *data, size_t length)
{
	FILE *file = output_begin(path);

	if (file != NULL && length != 0)
		fwrite(data, 1, length, file);
	if (file == NULL || !output_end(file))
		die(STATUS_FAILED, "cannot write %s: %s", path, strerror(errno));
}

bool file_exists(const char *path)
{
	return access(path, R_OK) == 0;
}

void make_directory(const char *path)
{
	struct stat info;

	if (mkdir(path, 0755) != 0 && errno != EEXIST)
		die(STATUS_FAILED, "cannot make the directory %s: %s", path, strerror(errno));
	if (stat(path, &info) == 0 && !S_ISDIR(info.st_mode))
		die(STATUS_FAILED, "%s is not a directory", path);
}

const char *program_directory(void)
{
	static char path[PATH_MAX];

	if (path[0] == 0) {
		ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
		char *slash;

		path[n > 0 ? n : 0] = 0;
		slash = strrchr(path, '/');
		if (slash == NULL)
			die(STATUS_FAILED, "cannot find the directory of this program (is /proc mounted?)");
		*slash = 0;
	}
	return path;
}

pid_t spawn(char *const argv[], const char *directory, int output)
{
	pid_t parent = getpid(), pid;
	sigset_t none;
	int in;

	fflush(NULL);
	pid = fork();
	if (pid != 0) {
		if (pid > 0)
			setpgid(pid, pid);      /* here too, so that it is true as soon as this returns */
		return pid;
	}
	setpgid(0, 0);
	/* The parent may have died before this took effect. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	in = open("/dev/null", O_RDONLY);
	if (in < 0 || dup2(in, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
		_exit(127);
	if (directory == NULL || chdir(directory) == 0)
		execvp(argv[0], argv);
	dprintf(2, "cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

int run_program(char *const argv[], struct bytes *output)
{
	struct bytes ignored = { 0 };
	int ends[2], status;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		die(STATUS_FAILED, "cannot make a pipe: %s", strerror(errno));
	pid = spawn(argv, NULL, ends[1]);
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return -1;
	}
	temporary_waits_for(pid);
	read_all(ends[0], output != NULL ? output : &ignored);
	close(ends[0]);
	bytes_free(&ignored);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	temporary_waits_for(0);
	temporary_check();
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

const char *complaint(struct bytes *output)
{
	static const char *const signs[] = { "E: ", "rror:", "error processing", "annot ", "ould not", "FAILURE" };
	const char *last = "it does not say why";
	char *line, *state;

	line = output->data != NULL ? strtok_r(output->data, "\n", &state) : NULL;
	for (; line != NULL; line = strtok_r(NULL, "\n", &state)) {
		for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
			if (strstr(line, signs[i]) != NULL)
				return line;
		last = line;
	}
	return last;
}

double clock_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
