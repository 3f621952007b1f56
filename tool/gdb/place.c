/* Where GDB comes to, and the process that waits for it beside a run. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool/base/size.h"
#include "tool/gdb/gdb.h"
#include "tool/base/util.h"

static int give_up(int file, char *error, size_t size)
{
	snprintf(error, size, "%s", strerror(errno));
	close(file);
	return -1;
}

static int bind_path(const char *path, char *error, size_t size)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof at.sun_path) {
		errno = ENAMETOOLONG;
		return give_up(file, error, size);
	}
	memcpy(at.sun_path, path, strlen(path));
	if (file < 0 || bind(file, (struct sockaddr *)&at, sizeof at) < 0)
		return give_up(file, error, size);
	return file;
}

/* This computer's own programs only: who debugs a guest reads and writes all of it. */
static int bind_port(uint64_t port, char *error, size_t size)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (file < 0)
		return give_up(file, error, size);
	setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(file, (struct sockaddr *)&at, sizeof at) < 0)
		return give_up(file, error, size);
	return file;
}

int gdb_place(const char *place, char *error, size_t size)
{
	uint64_t port;

	if (strchr(place, '/') != NULL)
		return bind_path(place, error, size);
	if (parse_number(place, &port) && port > 0 && port < 65536)
		return bind_port(port, error, size);
	snprintf(error, size, "a port is a number from 1 to 65535, a path has a / in it, and - is the standard input");
	return -1;
}

pid_t gdb_start(const char *place, const char *arch, const char *session)
{
	char error[300], *number, *program = text("%s/vellum", program_directory());
	bool standard = strcmp(place, "-") == 0;
	int listener = standard ? -1 : gdb_place(place, error, sizeof error);
	pid_t pid;

	if (!standard && listener < 0)
		die(STATUS_USAGE, "--gdb %s: %s", place, error);
	number = text("%d", listener);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (!standard && fcntl(listener, F_SETFD, 0) < 0)
			_exit(STATUS_FAILED);
		execl(program, "vellum", "gdb", "--run", session, "--arch", arch, "--listener", number, place, NULL);
		_exit(STATUS_FAILED);
	}
	if (pid < 0)
		die(STATUS_FAILED, "cannot start what GDB talks to: %s", strerror(errno));
	if (standard) {
		dup2(2, 1);     /* the other end is GDB's */
	} else {
		close(listener);
	}
	free(number);
	free(program);
	return pid;
}

void gdb_wait(pid_t pid)
{
	for (unsigned n = 0; n < 20; n++) {
		if (waitpid(pid, NULL, WNOHANG) != 0)
			return;
		poll(NULL, 0, 50);
	}
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

void gdb_check(const struct options *options)
{
	const char *arch = options->gdb_arch;

	if (strcmp(arch, "auto") != 0 && strcmp(arch, "i386") != 0 && strcmp(arch, "x86-64") != 0)
		die(STATUS_USAGE, "--gdb-arch %s: it must be auto, i386 or x86-64", arch);
	if (options->gdb == NULL)
		return;
	if (options->native)
		die(STATUS_USAGE, "--gdb is the hypervisor's: --native has none");
	if (strcmp(options->gdb, "-") == 0 && options->interactive)
		die(STATUS_USAGE, "--gdb - and -i both want the standard input");
}
