#include "tool/gdb/gdb.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tool/base/runtime.h"
#include "tool/ctl/ctl.h"
#include "tool/gdb/stub.h"

enum { LOOK_LEAST_MS = 1, LOOK_MOST_MS = 200, BEGIN_TRIES = 300, BEGIN_PAUSE_MS = 200 };

static const char usage[] =
	"usage: vellum gdb [--run NAME] [--vm VM] [--arch auto|i386|x86-64] PORT|PATH|-\n"
	"\n"
	"Lets GDB debug the guest of a running session: by \"target remote localhost:PORT\", the Unix socket "
	"PATH,\n"
	"or from GDB by \"target remote | vellum gdb -\". The virtual machine stops when GDB comes, and goes on when\n"
	"it leaves. --arch says what GDB is told of the CPU; auto, by the mode that the guest is in then: x86-64 in\n"
	"IA-32e mode, else i386. docs/debugging.md has more.\n";

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

struct server {
	const char *run, *vm, *place;
	enum wideness wanted;
	int listener;           /* -1: standard input and output */
	struct ctl ctl;
};

static cJSON *ask(void *context, const char *request, char *error, size_t size)
{
	return ctl_ask_json(context, request, NULL, error, size);
}

static bool write_all(int file, struct bytes *out)
{
	size_t done = 0;

	while (done < out->length) {
		ssize_t n = write(file, out->data + done, out->length - done);

		if (n < 0 && errno == EINTR && !stop)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	out->length = 0;
	return true;
}

/* A run that has just been started has no virtual machine yet. GDB waits for an answer for 2 seconds, and for somebody
 * who listens for 15. */
static bool wait_for_machine(struct server *s)
{
	char *request = text("debug %s status", s->vm), error[300];
	cJSON *answer = NULL;

	for (unsigned n = 0; n < BEGIN_TRIES && !stop && answer == NULL; n++) {
		answer = ask(&s->ctl, request, error, sizeof error);
		if (answer == NULL && (strcmp(error, "the run ended, or does not answer") == 0 ||
				       strstr(error, " is over: ") != NULL))
			break;
		if (answer == NULL)
			poll(NULL, 0, BEGIN_PAUSE_MS);
	}
	if (answer == NULL && !stop)
		say("gdb: %s", error);
	free(request);
	cJSON_Delete(answer);
	return answer != NULL;
}

/* Until GDB leaves, or the virtual machine is over. */
static void talk(struct stub *stub, int in, int out)
{
	int wait = LOOK_LEAST_MS;
	char block[4096];

	while (!stop && !stub->detached) {
		struct pollfd ready = { .fd = in, .events = POLLIN };
		int got = poll(&ready, 1, stub->running ? wait : -1);

		if (got < 0 && errno != EINTR)
			return;
		if (got > 0) {
			ssize_t n = read(in, block, sizeof block);

			if (n <= 0)
				return;
			stub_take(stub, block, (size_t)n);
			wait = LOOK_LEAST_MS;
		} else if (stub->running) {
			stub_look(stub);
			wait = wait * 2 < LOOK_MOST_MS ? wait * 2 : LOOK_MOST_MS;
		}
		if (!write_all(out, &stub->out))
			return;
	}
}

static bool serve(struct server *s, int in, int out)
{
	static struct stub stub;
	char error[300];
	bool begun;

	stub = (struct stub){ .ask = ask, .show = ctl_show, .context = &s->ctl, .vm = s->vm, .wanted = s->wanted };
	begun = stub_begin(&stub, error, sizeof error);
	if (begun)
		talk(&stub, in, out);
	else if (!stop)
		say("gdb: %s", error);
	stub_end(&stub);
	return begun && !stub.ended;
}

/* One debugger after the other, while the run lasts. */
static int serve_all(struct server *s)
{
	struct pollfd polls[2] = { { .fd = s->listener, .events = POLLIN }, { .fd = s->ctl.file } };

	if (!wait_for_machine(s))
		return stop ? 0 : STATUS_FAILED;
	if (s->listener < 0) {
		serve(s, 0, 1);
		return 0;
	}
	if (listen(s->listener, 1) < 0)
		die(STATUS_FAILED, "gdb: %s: %s", s->place, strerror(errno));
	say("gdb can connect to %s", s->place);
	while (!stop) {
		int file;

		if (poll(polls, 2, -1) < 0)
			continue;
		if (polls[1].revents != 0)
			return 0;
		file = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
		if (file < 0)
			continue;
		if (!serve(s, file, file)) {
			close(file);
			return 0;
		}
		close(file);
	}
	return 0;
}

static void take_signals(void)
{
	const struct sigaction end = { .sa_handler = on_signal }, ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGINT, &end, NULL);
	sigaction(SIGHUP, &end, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

static enum wideness wideness(const char *word)
{
	if (strcmp(word, "auto") == 0)
		return WIDE_BY_MODE;
	if (strcmp(word, "i386") != 0 && strcmp(word, "x86-64") != 0)
		die(STATUS_USAGE, "gdb: --arch is auto, i386 or x86-64, not %s", word);
	return word[0] == 'x' ? WIDE_YES : WIDE_NO;
}

static void take_options(struct server *s, int argc, char **argv)
{
	for (int at = 1; at < argc; at++) {
		bool value = at + 1 < argc;

		if (strcmp(argv[at], "--run") == 0 && value)
			s->run = argv[++at];
		else if (strcmp(argv[at], "--vm") == 0 && value)
			s->vm = argv[++at];
		else if (strcmp(argv[at], "--arch") == 0 && value)
			s->wanted = wideness(argv[++at]);
		else if (strcmp(argv[at], "--listener") == 0 && value) /* from gdb_start() */
			s->listener = atoi(argv[++at]);
		else if ((argv[at][0] != '-' || argv[at][1] == 0) && s->place == NULL)
			s->place = argv[at];
		else
			die(STATUS_USAGE, "gdb: there is no option %s here, or it needs a value (vellum help gdb)",
			    argv[at]);
	}
}

int gdb_main(int argc, char **argv)
{
	struct server s = { .vm = "0", .listener = -1 };
	char error[300];

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return fputs(usage, stdout) < 0;
	take_options(&s, argc, argv);
	if (s.place == NULL)
		die(STATUS_USAGE, "gdb: give a port, a path, or - (vellum help gdb)");
	if (!run_name_valid(s.vm))
		die(STATUS_USAGE, "gdb: --vm %s is not a virtual machine's name or number", s.vm);
	take_signals();
	s.ctl.file = runtime_connect(s.run, NULL, error, sizeof error);
	if (s.ctl.file < 0)
		die(STATUS_USAGE, "%s", error);
	s.ctl.stop = &stop;
	if (s.listener < 0 && strcmp(s.place, "-") != 0 &&
	    (s.listener = gdb_place(s.place, error, sizeof error)) < 0)
		die(STATUS_USAGE, "gdb: %s: %s", s.place, error);
	return serve_all(&s);
}
