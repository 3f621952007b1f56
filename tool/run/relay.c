/* Moves what a running machine says and is told: serial ports, keyboard, signals, time. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool/base/tty.h"
#include "tool/run/session.h"

/* For atexit(): what must not outlive us. */
static struct session *current;

static void kill_machine(void)
{
	if (current != NULL && current->alive)
		kill(-current->pid, SIGKILL);
}

void guard_machine(struct session *session)
{
	current = session;
	session->alive = true;
	atexit(kill_machine);
}

/* The image has been booted again: so the guest has reset the machine, which ends a virtual one. */
static void reset_natively(struct session *session)
{
	struct record end = { .kind = RECORD_VM_END, .text = "reset" };

	if (session->ending != RUNNING)
		return;
	result_apply(&session->result, &end);
	session->ending = ENDED;
	session->hurry = true;
}

/* The last line has arrived: the machine waits for this before it is powered off, so that nothing is on its way then.
 * What remains of a request is no line without the newline. */
static void say_bye(struct session *session)
{
	static const char bye[] = "\nbye\n";

	if (session->statistics >= 0)
		send(session->statistics, bye, sizeof bye - 1, MSG_NOSIGNAL);
}

static void on_statistics_line(void *context, char *line)
{
	struct session *session = context;
	struct record record;

	heard_from_machine(session);
	if (control_answer(&session->control, line))
		return;
	fprintf(session->statistics_copy, "%s\n", line);
	if (strncmp(line, "stat ", 5) != 0)
		tail_add(&session->statistics_tail, line);
	if (!record_parse(line, &record))
		return;         /* a newer hypervisor may say more than we know */
	if (record.kind == RECORD_VERSION && session->options->native && session->result.spoke) {
		reset_natively(session);
		return;
	}
	result_apply(&session->result, &record);
	if (record.kind == RECORD_VM_START && session->options->from)
		bytes_print(&session->keys, "%s\n", session->options->workload); /* the guest waits for it */
	if (record.kind == RECORD_LOG)
		display_log(session, record.text);
	if (record.kind == RECORD_CON) {
		display_other_console(session, &record);
		look_for_panic(session, record.vm);
	}
	if (record.kind == RECORD_VM_END)
		panics_alone(session);
	if (record.kind == RECORD_VERSION && record.value != 1)
		say("the hypervisor speaks version %llu of the protocol, this program version 1",
		    (unsigned long long)record.value);
	if ((record.kind == RECORD_END || record.kind == RECORD_PANIC) && session->ending == RUNNING) {
		session->ending = record.kind == RECORD_END ? ENDED : PANICKED;
		session->ended_at = clock_seconds();
		say_bye(session);
	}
}

/* An emulator that writes byte by byte waits, by Nagle's algorithm, until its first byte is acknowledged; and that is
 * put off for 40 ms, unless it is asked for behind each read (tcp(7), TCP_QUICKACK). */
static void acknowledge_at_once(int file)
{
	const int on = 1;

	setsockopt(file, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

static void on_statistics(struct session *session, const char *data, size_t length)
{
	acknowledge_at_once(session->statistics);
	lines_feed(&session->statistics_lines, data, length, on_statistics_line, session);
}

static void on_screen(struct session *session, const char *data, size_t length)
{
	(void)session;
	(void)data;
	(void)length;
}

/* Passes on what can be read now; closes the descriptor at its end. */
static void drain(struct session *session, int *file, void (*handler)(struct session *, const char *, size_t))
{
	char block[16384];
	ssize_t n;

	while (*file >= 0 && (n = read(*file, block, sizeof block)) != 0) {
		if (n > 0)
			handler(session, block, (size_t)n);
		else if (errno == EAGAIN)
			return;
		else if (errno != EINTR)
			break;
	}
	if (*file >= 0)
		close(*file);
	*file = -1;
}

static int make_fifo(const char *path)
{
	int file;

	unlink(path);
	if (mkfifo(path, 0600) != 0 || (file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) < 0)
		die(STATUS_FAILED, "cannot make the pipe %s: %s", path, strerror(errno));
	return file;
}

/* Where the machine connects its second serial port to: a port that the kernel chooses. */
static int make_listener(unsigned *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (file < 0 || bind(file, (struct sockaddr *)&address, length) != 0 || listen(file, 1) != 0 ||
	    getsockname(file, (struct sockaddr *)&address, &length) != 0)
		die(STATUS_FAILED, "cannot listen on a port of 127.0.0.1: %s", strerror(errno));
	*port = ntohs(address.sin_port);
	return file;
}

/* Is the other end of a connection from 127.0.0.1 a program of this user? The kernel's table says whose each local end
 * is. */
static bool same_user(unsigned port)
{
	struct bytes table = { 0 };
	char *line, *state;
	bool same = false;

	if (!file_read("/proc/net/tcp", &table))
		return true;            /* nobody can tell; without the connection there is no run */
	for (line = strtok_r(table.data, "\n", &state); line != NULL && !same; line = strtok_r(NULL, "\n", &state)) {
		unsigned local, uid;

		if (sscanf(line, " %*u: 0100007F:%x %*x:%*x %*x %*x:%*x %*x:%*x %*x %u", &local, &uid) == 2)
			same = local == port && uid == getuid();
	}
	bytes_free(&table);
	return same;
}

static void accept_statistics(struct session *session)
{
	struct sockaddr_in peer;
	socklen_t length = sizeof peer;
	int file = accept4(session->statistics_listener, (struct sockaddr *)&peer, &length,
			   SOCK_CLOEXEC | SOCK_NONBLOCK),
	    on = 1;

	if (file < 0)
		return;
	if (!same_user(ntohs(peer.sin_port))) {
		close(file);
		return;
	}
	setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	session->statistics = file;
	close(session->statistics_listener);
	session->statistics_listener = -1;
}

static FILE *make_copy(const struct session *session, const char *name)
{
	char *path = text("%s/%s", session->work, name);
	FILE *file = fopen(path, "we");

	if (file == NULL)
		die(STATUS_FAILED, "cannot write %s: %s", path, strerror(errno));
	free(path);
	return file;
}

/* Does somebody write to the guest's console? */
static bool is_typed_to(const struct session *session)
{
	return session->options->interactive || session->options->from;
}

void connect_wires(struct session *session, struct wires *wires)
{
	unsigned port;

	session->statistics_listener = make_listener(&port);
	if (is_typed_to(session)) {
		session->console = pseudo_terminal(&session->console_path, &session->console_other);
	} else {
		session->console_path = text("%s/console.pipe", session->work);
		session->console = make_fifo(session->console_path);
	}
	if (session->emulator.needs_screen)
		session->screen = pseudo_terminal(&session->screen_path, &session->screen_other);
	session->console_copy = make_copy(session, "console.txt");
	session->statistics_copy = make_copy(session, "statistics.txt");
	*wires = (struct wires){ .console = session->console_path, .statistics = port,
		.console_is_terminal = is_typed_to(session), .screen = session->screen_other };
}

void disconnect_wires(struct session *session)
{
	fclose(session->console_copy);
	fclose(session->statistics_copy);
	if (!is_typed_to(session))
		unlink(session->console_path);
}

void watch_signals(struct session *session)
{
	static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(caught); i++)
		sigaddset(&set, caught[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	session->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (session->signals < 0)
		die(STATUS_FAILED, "cannot watch for signals: %s", strerror(errno));
}

void take_signals(struct session *session)
{
	struct signalfd_siginfo info;

	while (read(session->signals, &info, sizeof info) == sizeof info)
		if (info.ssi_signo != SIGCHLD && session->ending == RUNNING) {
			session->ending = INTERRUPTED;
			session->signal = (int)info.ssi_signo;
		} else if (info.ssi_signo != SIGCHLD) {
			session->hurry = true;
			if (session->ending != INTERRUPTED)
				session->signal = (int)info.ssi_signo;
		}
}

/* Notices the machine's end; keeps its CPU time. */
static void look_after_machine(struct session *session, int options)
{
	struct rusage usage;
	int status;
	pid_t pid;

	if (!session->alive)
		return;
	do
		pid = wait4(session->pid, &status, options, &usage);
	while (pid < 0 && errno == EINTR);
	if (pid != session->pid)
		return;
	session->alive = false;
	session->result.machine.cpu_seconds = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
		(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	session->result.machine.seconds = clock_seconds() - session->start;
}

static void on_keyboard(struct session *session)
{
	char typed[256], *escape;
	ssize_t n = read(session->keyboard, typed, sizeof typed);

	if (n <= 0) {
		if (n == 0 || (errno != EINTR && errno != EAGAIN))
			session->keyboard = -1;         /* the input's end is not the session's */
		return;
	}
	escape = memchr(typed, ESCAPE_KEY, (size_t)n);
	if (escape != NULL && isatty(0)) {
		n = escape - typed;
		session->hurry = session->ending != RUNNING;
		if (session->ending == RUNNING)
			session->ending = QUIT;
	}
	bytes_add(&session->keys, typed, (size_t)n);
}

static void send_keys(struct session *session)
{
	if (session->keys.length == 0 || session->console < 0 || clock_seconds() < session->next_key)
		return;
	if (write(session->console, session->keys.data, 1) == 1)
		memmove(session->keys.data, session->keys.data + 1, session->keys.length--);
	session->next_key = clock_seconds() + KEY_PAUSE_MS / 1000.0;
}

/* How long to wait for something to happen, in milliseconds; sets the ending when a time is over. */
static int patience(struct session *session)
{
	double past = (clock_seconds() - session->start) * 1000, left = 1000;

	if (session->ending != RUNNING)
		return session->control.own != NULL ? 0 : 100;
	if (session->options->timeout != 0) {
		left = session->options->timeout * 1000.0 - past;
		if (left <= 0)
			session->ending = TIMED_OUT;
	}
	if (!session->result.spoke && past > session_silence_ms(session))
		session->ending = SILENT;
	if (session->control.active >= 0 && left > ASKING_MS)
		left = ASKING_MS;
	if (session->keys.length > 0)
		left = KEY_PAUSE_MS;
	if ((session->held.length > 0 || session->held_lines.length > 0) && left > HELD_MS)
		left = HELD_MS;
	return left <= 0 ? 0 : left > 1000 ? 1000 : (int)left + 1;
}

/* Requests of `vellum ctl` on their way to the hypervisor. */
static void send_requests(struct session *session)
{
	ssize_t n;

	if (session->statistics < 0 || (session->ending != RUNNING && !session->farewell))
		return;
	if (session->control.active >= 0 && machine_silent(session))
		control_give_up(&session->control);
	if (control_next(&session->control, &session->requests))
		heard_from_machine(session);
	if (session->requests.length == 0)
		return;
	n = send(session->statistics, session->requests.data, session->requests.length, MSG_NOSIGNAL);
	if (n > 0) {
		session->requests.length -= (size_t)n;
		memmove(session->requests.data, session->requests.data + n, session->requests.length);
	}
}

/* Of who says something while nobody takes what is said, no more is read. */
static int unless_full(const struct session *session, int file, size_t most)
{
	return outflow_waits(&session->output) + outflow_waits(&session->errors) < most ? file : -1;
}

enum { OWN_POLLS = 8 };

static void wait_for_news(struct session *session)
{
	struct pollfd list[OWN_POLLS + CONTROL_CLIENTS + 1] = {
		{ .fd = session->signals, .events = POLLIN },
		{ .fd = unless_full(session, session->console, OUTPUT_MOST), .events = POLLIN },
		{ .fd = unless_full(session, session->statistics, OUTPUT_TOO_MUCH), .events = POLLIN },
		{ .fd = session->screen, .events = POLLIN },
		{ .fd = session->keyboard, .events = POLLIN },
		{ .fd = session->statistics_listener, .events = POLLIN },
		{ .fd = outflow_waits(&session->output) > 0 ? session->output.file : -1, .events = POLLOUT },
		{ .fd = outflow_waits(&session->errors) > 0 ? session->errors.file : -1, .events = POLLOUT },
	};
	size_t clients = control_polls(&session->control, list + OWN_POLLS);

	if (poll(list, OWN_POLLS + clients, patience(session)) < 0 && errno != EINTR)
		die(STATUS_FAILED, "cannot wait for the machine: %s", strerror(errno));
	if (list[0].revents != 0)
		take_signals(session);
	incoming_look(&session->incoming);
	/* A guest's own words before what is told about it. */
	if (list[1].revents != 0)
		drain(session, &session->console, display_console);
	if (list[2].revents != 0)
		drain(session, &session->statistics, on_statistics);
	if (list[3].revents != 0)
		drain(session, &session->screen, on_screen);
	if (list[4].revents != 0)
		on_keyboard(session);
	display_what_waits(session);
	send_keys(session);
	if (list[5].revents != 0)
		accept_statistics(session);
	control_exchange(&session->control);
	send_requests(session);
}

/* Is there nothing more to wait for? */
static bool over(struct session *session)
{
	if (session->ending == RUNNING)
		return false;
	if (session->ending == ENDED)
		return session->hurry || (clock_seconds() - session->ended_at) * 1000 > LINGER_MS;
	return farewell(session);
}

/* To its end: what a program has written may still be on its way when it is gone. */
static void drain_connection(struct session *session)
{
	struct pollfd connection = { .events = POLLIN };

	do {
		drain(session, &session->statistics, on_statistics);
		connection.fd = session->statistics;
	} while (session->statistics >= 0 && poll(&connection, 1, LAST_WORDS_MS) > 0);
}

void relay(struct session *session)
{
	do {
		wait_for_news(session);
		look_after_machine(session, WNOHANG);
	} while (session->alive && !over(session));
	if (session->alive) {
		kill_machine();
		look_after_machine(session, 0);
	}
	/* What was still on its way. */
	drain(session, &session->console, display_console);
	drain_connection(session);
	lines_end(&session->statistics_lines, on_statistics_line, session);
	display_rest(session);
	if (session->ending == RUNNING)
		session->ending = MACHINE_GONE;
}
