/* What the guests and the hypervisor say, on one terminal. One guest's console is passed on as it comes; what others
 * say waits while one of its lines has no end yet. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/base/tty.h"
#include "tool/run/session.h"

static void show(struct session *session, const char *data, size_t length)
{
	if (console_write(data, length) || session->ending != RUNNING)
		return;
	session->output_error = errno;
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
		show(session, line, strlen(line));
		show(session, "\n", 1);
	}
}

static void release_lines(struct session *session)
{
	if (session->held_lines.length == 0)
		return;
	show(session, session->held_lines.data, session->held_lines.length);
	session->held_lines.length = 0;
}

static void release_held(struct session *session)
{
	release_lines(session);
	if (session->held.length == 0)
		return;
	fwrite(session->held.data, 1, session->held.length, stderr);
	session->held.length = 0;
}

/* What was held comes behind the first line that ends here. */
static void show_console(struct session *session, const char *data, size_t length)
{
	bool any = session->held.length != 0 || session->held_lines.length != 0;
	const char *end = any ? memchr(data, '\n', length) : NULL;

	if (end != NULL) {
		size_t n = (size_t)(end - data) + 1;

		show(session, data, n);
		release_held(session);
		data += n;
		length -= n;
	}
	if (length != 0)
		show(session, data, length);
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
		show(session, line, strlen(line));
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
	if (session->middle_of_line) {
		bytes_print(&session->held, "vellum: %s\n", line);
		session->held_since = clock_seconds();
		return;
	}
	say("%s", line);
}

/* A line that does not end, such as a prompt, is not waited for. */
void display_what_waits(struct session *session)
{
	if (session->held_lines.length != 0 && (clock_seconds() - session->held_lines_since) * 1000 >= HELD_LINES_MS) {
		show(session, "\n", 1);
		session->middle_of_line = false;
		release_lines(session);
	}
	if (session->held.length == 0 || (clock_seconds() - session->held_since) * 1000 < HELD_MS)
		return;
	if (isatty(1) && isatty(2))
		fputc('\n', stderr);
	session->middle_of_line = false;
	release_held(session);
}

void display_rest(struct session *session)
{
	lines_end(&session->console_lines, on_console_line, session);
	if (session->held_lines.length != 0 && session->middle_of_line)
		show(session, "\n", 1);
	release_held(session);
}
