/* The first process: prepares the file systems, runs the workload (or a shell), powers off. */
#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

static struct utsname kernel;
static pid_t worker = 1;        /* the process that speaks for the whole workload */
enum { SAID_ALREADY = 112 };

void say(const char *text)
{
	size_t length = strlen(text);

	/* One write per line: the console is a serial port. */
	while (length > 0) {
		ssize_t n = write(1, text, length);

		if (n <= 0)
			return;
		text += n;
		length -= (size_t)n;
	}
}

void fail(const char *format, ...)
{
	char what[200], line[260];
	va_list list;

	va_start(list, format);
	vsnprintf(what, sizeof what, format, list);
	va_end(list);
	if (getpid() != 1 && getpid() != worker) {
		snprintf(line, sizeof line, "workload: child %d: %s\n", (int)getpid(), what);
		say(line);
		_exit(111);
	}
	snprintf(line, sizeof line, "VELLUM-RESULT FAIL %s\n", what);
	say(line);
	debug_exit(1);
	if (getpid() != 1)
		_exit(SAID_ALREADY);
	power_off();
}

void reap(int pid, const char *what)
{
	int status;

	if (pid < 0)
		fail("%s: fork: %s", what, strerror(errno));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			fail("%s: waitpid: %s", what, strerror(errno));
	if (WIFSIGNALED(status))
		fail("%s: a child died of signal %d", what, WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		fail("%s: a child ended with status %d", what, WEXITSTATUS(status));
}

void fill_words(uint64_t *words, size_t count, uint64_t seed)
{
	for (size_t i = 0; i < count; i++)
		words[i] = mix(seed, i);
}

uint64_t check_words(const uint64_t *words, size_t count, uint64_t seed, const char *what)
{
	uint64_t sum = seed;

	for (size_t i = 0; i < count; i++) {
		uint64_t value = words[i];

		if (value != mix(seed, i))
			fail("%s: word %zu reads %016llx, should be %016llx", what, i, (unsigned long long)value,
			     (unsigned long long)mix(seed, i));
		sum = fold(sum, value);
	}
	return sum;
}

const char *parameter(const char *name)
{
	static char line[4096];
	size_t length = strlen(name);
	int file = open("/proc/cmdline", O_RDONLY);
	ssize_t n = file < 0 ? 0 : read(file, line, sizeof line - 1);

	close(file);
	line[n > 0 ? n : 0] = 0;
	for (char *word = strtok(line, " \n"); word != NULL; word = strtok(NULL, " \n"))
		if (strncmp(word, name, length) == 0 && (word[length] == 0 || word[length] == '='))
			return word[length] == '=' ? word + length + 1 : "";
	return NULL;
}

static void mount_at(const char *type, const char *where)
{
	mkdir(where, 0755);
	if (mount(type, where, type, 0, NULL) != 0 && errno != EBUSY)
		fail("cannot mount %s: %s", where, strerror(errno));
}

static void workload(const struct workload *w, uint32_t size)
{
	char line[200];
	uint64_t sum;

	phases_open();
	sum = w->run(size);
	phases_end();
	phases_say();
	clock_say();
	snprintf(line, sizeof line, "VELLUM-RESULT ok checksum=%016llx kernel=%s\n", (unsigned long long)sum,
		 kernel.release);
	say(line);
}

/* The workload's name, which is typed when the machine has been gone on with from a snapshot that was taken here. */
static void wait_for_name(char *name, size_t size)
{
	size_t used = 0;
	char byte;

	say("VELLUM-READY\n");
	while (read(0, &byte, 1) == 1 && byte != '\n')
		if (byte != '\r' && used + 1 < size)
			name[used++] = byte;
	name[used] = 0;
}

/* Not in the first process: of that, the kernel reports each SIGSEGV on the console, even the ones that are handled. */
static void run_workload(void)
{
	uint32_t size;
	int status = 0;
	char name[64];
	const struct workload *w;

	/* Two looks at the command line: the second overwrites what the first returned. */
	snprintf(name, sizeof name, "%s",
		 parameter("vellum.workload") != NULL ? parameter("vellum.workload") : workloads->name);
	if (parameter("vellum.wait") != NULL)
		wait_for_name(name, sizeof name);
	w = workload_find(name, parameter("vellum.size"), &size);
	worker = fork();
	if (worker < 0)
		fail("fork: %s", strerror(errno));
	if (worker == 0) {
		worker = getpid();
		workload(w, size);
		_exit(0);
	}
	while (waitpid(worker, &status, 0) < 0)
		if (errno != EINTR)
			fail("waitpid: %s", strerror(errno));
	if (WIFSIGNALED(status))
		fail("the workload died of signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != SAID_ALREADY)
		fail("the workload ended with status %d", WEXITSTATUS(status));
}

static const struct helper helpers[] = {
	{ "--child", processes_child }, { "--fork-exec", fork_exec_helper }, { "--compile", compile_helper },
	{ "--link", link_helper }, { NULL, NULL },
};

int main(int argc, char **argv)
{
	struct sysinfo info;
	char line[400];

	if (argc == 3)
		for (const struct helper *h = helpers; h->name != NULL; h++)
			if (strcmp(argv[1], h->name) == 0)
				return h->run(argv[2]);
	if (getpid() != 1) {
		say("this is the first process of a virtual machine; it is of no use elsewhere\n");
		return 2;
	}
	mount_at("proc", "/proc");
	mount_at("sysfs", "/sys");
	mount_at("devtmpfs", "/dev");
	uname(&kernel);
	sysinfo(&info);
	snprintf(line, sizeof line, "init: %s %s %s, %llu MB of RAM, %s\n", kernel.sysname, kernel.release,
		 kernel.machine, (unsigned long long)info.totalram * info.mem_unit >> 20, kernel.version);
	say(line);
	load_modules();
	if (sysconf(_SC_PAGESIZE) != PAGE)
		fail("the page size is %ld, not %d", sysconf(_SC_PAGESIZE), PAGE);
	if (parameter("vellum.shell") != NULL) {
		shell();
		power_off();
	}
	run_workload();
	power_off();
}
