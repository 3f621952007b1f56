/* What the guests and the hypervisor say, on one terminal. One guest's console is passed on as it comes; what others
 * say waits while one of its lines has no end yet. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool/run/session.h"

/* Is it the same pipe or terminal? */
static bool same_file(int one, int other)
{
	struct stat a, b;

	return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

void display_open(struct session *session)
{
	outflow_open(&session->output, STDOUT_FILENO);
	outflow_open(&session->errors, STDERR_FILENO);
	session->one_reader = same_file(STDOUT_FILENO, STDERR_FILENO);
}

/* Words of our own, that are no output. That they cannot be written ends nothing. */
static void show_words(struct session *session, const char *data, size_t length)
{
	outflow_write(session->one_reader ? &session->output : &session->errors, data, length);
}

void display_text(struct session *session, const char *data, size_t length)
{
	if (!outflow_write(&session->output, data, length) && session->ending == RUNNING)
		session->ending = OUTPUT_GONE;
}

static void on_console_line(void *context, char *line)
{
	struct session *session = context;
	unsigned vm = (unsigned)session->machines->console;

	tail_add(&session->console_tail, line);
	result_console_line(&session->result, vm, line);
	look_for_panic(session, vm);
	if (session->options->quiet && strstr(line, "VELLUM-RESULT") != NULL) {
		display_text(session, line, strlen(line));
		display_text(session, "\n", 1);
	}
}

static void release_lines(struct session *session)
{
	if (session->held_lines.length == 0)
		return;
	display_text(session, session->held_lines.data, session->held_lines.length);
	session->held_lines.length = 0;
}

static void release_held(struct session *session)
{
	release_lines(session);
	if (session->held.length == 0)
		return;
	show_words(session, session->held.data, session->held.length);
	session->held.length = 0;
}

/* What was held comes behind the first line that ends here. */
static void show_console(struct session *session, const char *data, size_t length)
{
	bool any = session->held.length != 0 || session->held_lines.length != 0;
	const char *end = any ? memchr(data, '\n', length) : NULL;

	if (end != NULL) {
		size_t n = (size_t)(end - data) + 1;

		display_text(session, data, n);
		release_held(session);
		data += n;
		length -= n;
	}
	if (length != 0)
		display_text(session, data, length);
	session->middle_of_line = length != 0 && data[length - 1] != '\n';
}

void display_console(struct session *session, const char *data, size_t length)
{
	fwrite(data, 1, length, session->console_copy);
	if (!session->options->quiet)
		show_console(session, data, length);
	lines_feed(&session->console_lines, data, length, on_console_line, session);
}

/* Another guest's line does not come into the middle of a line of the console's. */
void display_other_console(struct session *session, const struct record *record)
{
	const char *name = result_vm(&session->result, record->vm)->name;
	char *line = text("[%s] %s\n", name != NULL ? name : "?", record->text);

	if (session->middle_of_line && !session->options->quiet) {
		if (session->held_lines.length == 0)
			session->held_lines_since = clock_seconds();
		bytes_add(&session->held_lines, line, strlen(line));
	} else if (!session->options->quiet || strstr(record->text, "VELLUM-RESULT") != NULL) {
		display_text(session, line, strlen(line));
	}
	free(line);
}

/* The hypervisor's own words. On one terminal with the guest's, they do not go on where the guest stopped. */
void display_log(struct session *session, const char *line)
{
	free(session->last_log);
	session->last_log = text("%s", line);
	if (session->options->quiet)
		return;
	bytes_print(&session->held, "vellum: %s\n", line);
	session->held_since = clock_seconds();
	if (!session->middle_of_line)
		release_held(session);
}

/* A line that does not end, such as a prompt, is not waited for. */
void display_what_waits(struct session *session)
{
	display_text(session, "", 0);
	outflow_go_on(&session->errors);
	if (session->held_lines.length != 0 && (clock_seconds() - session->held_lines_since) * 1000 >= HELD_LINES_MS) {
		display_text(session, "\n", 1);
		session->middle_of_line = false;
		release_lines(session);
	}
	if (session->held.length == 0 || (clock_seconds() - session->held_since) * 1000 < HELD_MS)
		return;
	if (isatty(1) && isatty(2))
		show_words(session, "\n", 1);
	session->middle_of_line = false;
	release_held(session);
}

/* Where words of ours go the same way as the output, nobody takes those either. */
static void give_up(struct session *session)
{
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

	session->unheard = true;
	if (nowhere >= 0 && session->one_reader)
		dup2(nowhere, STDERR_FILENO);
	if (nowhere >= 0)
		close(nowhere);
}

/* Who types Ctrl-C may still read on; a program that was told to end has no more time. */
static void wait_for_reader(struct session *session, struct outflow *flow)
{
	bool told = session->ending == INTERRUPTED && session->signal != SIGINT;

	while (!session->unheard && !outflow_end(flow, session->signals, told ? LAST_WORDS_MS : -1)) {
		if (flow->error != 0)
			return;
		session->hurry = false;
		take_signals(session);
		if (told || session->hurry)
			give_up(session);
	}
}

void display_end(struct session *session)
{
	wait_for_reader(session, &session->errors);
	wait_for_reader(session, &session->output);
}

void display_rest(struct session *session)
{
	lines_end(&session->console_lines, on_console_line, session);
	if (session->held_lines.length != 0 && session->middle_of_line)
		display_text(session, "\n", 1);
	release_held(session);
}
