#include "tool/run/incoming.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool/base/runtime.h"
#include "tool/base/temporary.h"
#include "tool/base/util.h"

enum { LINE_MOST = 300, PATIENCE_MS = 60000, KILLED_MOST = 10 };

static void say_to(int file, const char *line)
{
	if (send(file, line, strlen(line), MSG_NOSIGNAL) < 0)
		return; /* he is gone, which the next read says */
}

/* Bytes of it; 0: it has ended, or says nothing for so many milliseconds (-1: for ever). A signal ends the program. */
static size_t get(int file, char *to, size_t most, int patience)
{
	struct pollfd ready = { .fd = file, .events = POLLIN };
	ssize_t n;

	for (;;) {
		int polled = poll(&ready, 1, patience);

		temporary_check();
		if (polled == 0)
			return 0;
		n = polled > 0 ? read(file, to, most) : -1;
		if (n >= 0)
			return (size_t)n;
		if (errno != EINTR && errno != EAGAIN)
			return 0;
	}
}

/* A line without its end; false: there is none, or it has not begun in time. */
static bool get_line(int file, char *line, int patience)
{
	for (size_t n = 0; n < LINE_MOST && get(file, line + n, 1, n ? PATIENCE_MS : patience) == 1; n++) {
		if (line[n] == '\n') {
			line[n] = 0;
			return true;
		}
	}
	return false;
}

static bool get_file(int file, const char *path, unsigned long long bytes)
{
	FILE *out = fopen(path, "we");
	char block[65536];
	bool ok = out != NULL;

	while (ok && bytes > 0) {
		size_t n = get(file, block, bytes < sizeof block ? (size_t)bytes : sizeof block, PATIENCE_MS);

		ok = n > 0 && fwrite(block, 1, n, out) == n;
		bytes -= n;
	}
	if (out != NULL && fclose(out) != 0)
		ok = false;
	return ok;
}

/* "incoming RUN VM PAUSED BYTES", and as many behind it. */
static bool accept_offer(struct incoming *in, int file, const char *line)
{
	char run[LINE_MOST + 1], vm[LINE_MOST + 1];
	unsigned paused;
	unsigned long long bytes;

	if (sscanf(line, "incoming %s %s %u %llu", run, vm, &paused, &bytes) != 4 || !run_name_valid(run) ||
	    paused > 1 || bytes == 0) {
		say_to(file, "done error this run waits for a virtual machine: vellum migrate brings it\n");
		return false;
	}
	if (!get_file(file, in->path, bytes)) {
		say("what came of %s was not whole; still waiting for a virtual machine", vm);
		return false;
	}
	in->run = text("%s", run);
	in->vm = text("%s", vm);
	in->paused = paused;
	in->file = file;
	return true;
}

/* Who has asked whether this run waits has a virtual machine to take out of another, however long that lasts. What is
 * behind a file that could not be taken is no request, but the rest of it. */
static bool serve(struct incoming *in, int file)
{
	char line[LINE_MOST + 1];
	int patience = PATIENCE_MS;

	while (get_line(file, line, patience)) {
		if (strcmp(line, "incoming") != 0)
			return accept_offer(in, file, line);
		say_to(file, "reply waits\ndone ok\n");
		patience = -1;
	}
	return false;
}

void incoming_listen(struct incoming *in, const char *name, const char *work)
{
	char error[300];

	*in = (struct incoming){ .file = -1, .path = text("%s/incoming", work) };
	in->listener = runtime_listen(name, error, sizeof error);
	if (in->listener < 0)
		die(STATUS_USAGE, "--incoming: %s", error);
}

void incoming_wait(struct incoming *in)
{
	struct pollfd ready = { .fd = in->listener, .events = POLLIN };

	while (in->file < 0) {
		int polled = poll(&ready, 1, -1), file;

		temporary_check();
		file = polled > 0 ? accept4(in->listener, NULL, NULL, SOCK_CLOEXEC) : -1;
		if (file >= 0 && !serve(in, file))
			close(file);
	}
}

static void start_taker(struct incoming *in)
{
	char *program = text("%s/vellum", program_directory()), *file = text("%d", in->file);
	pid_t pid = fork();
	sigset_t none;

	if (pid == 0) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (in->file >= 0)
			fcntl(in->file, F_SETFD, 0);
		execl(program, "vellum", "migrate", "--takes", in->name, in->run, in->vm, in->paused ? "1" : "0", file,
		      in->said, NULL);
		_exit(STATUS_FAILED);
	}
	in->taker = pid > 0 ? pid : 0;
	free(program);
	free(file);
}

void incoming_start(struct incoming *in, const char *name)
{
	in->name = text("%s", name);
	in->said = text("%s.go", in->path);
	start_taker(in);
	if (in->taker == 0)
		die(STATUS_FAILED, "cannot start what takes the virtual machine over: %s", strerror(errno));
	close(in->file);
	in->file = -1;
}

void incoming_look(struct incoming *in)
{
	if (in->taker <= 0 || waitpid(in->taker, &in->status, WNOHANG) != in->taker)
		return;
	in->taker = 0;
	if (WIFSIGNALED(in->status) && in->killed++ < KILLED_MOST)
		start_taker(in);
}

int incoming_status(struct incoming *in, int run)
{
	if (in->name == NULL)
		return run;
	if (in->taker > 0) {
		kill(in->taker, SIGTERM); /* if it waits yet, that is for nothing */
		while (waitpid(in->taker, &in->status, 0) < 0 && errno == EINTR)
			;
	}
	if (WIFEXITED(in->status) && WEXITSTATUS(in->status) == 0)
		return run;
	say("the virtual machine that was to come stayed where it was");
	return run != 0 ? run : STATUS_FAILED;
}
