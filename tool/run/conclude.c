/* How a run ended, in words. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tool/run/session.h"

void tail_add(struct tail *tail, const char *line)
{
	char **place = &tail->lines[tail->count++ % TAIL];

	free(*place);
	*place = text("%s", line);
}

void tail_print(const struct tail *tail, const char *title)
{
	unsigned first = tail->count > TAIL ? tail->count - TAIL : 0;

	if (tail->count > 0)
		fprintf(stderr, "  last lines of %s:\n", title);
	for (unsigned i = first; i < tail->count; i++)
		fprintf(stderr, "    %s\n", tail->lines[i % TAIL]);
}

void tail_free(struct tail *tail)
{
	for (unsigned i = 0; i < TAIL; i++)
		free(tail->lines[i]);
}

/* What the emulator itself wrote last, for a machine that did not get far. */
static void explain_bad_start(const struct session *session)
{
	char *path = text("%s/emulator.txt", session->work), *line, *state;
	struct bytes said = { 0 };
	struct tail tail = { .count = 0 };

	if (file_read(path, &said))
		for (line = strtok_r(said.data, "\r\n", &state); line != NULL; line = strtok_r(NULL, "\r\n", &state))
			tail_add(&tail, line);
	tail_print(&tail, "the emulator");
	tail_free(&tail);
	bytes_free(&said);
	free(path);
}

static void explain_bad_end(const struct session *session)
{
	bochs_explain(stderr, session->emulator.log);
	if (!session->result.spoke)
		explain_bad_start(session);
	tail_print(&session->statistics_tail, "the hypervisor");
	if (session->options->quiet)
		tail_print(&session->console_tail, "the console");
}

/* Says in one sentence how a run ended that did not end by itself; returns the exit status. */
int conclude(const struct session *session)
{
	switch (session->ending) {
	case RUNNING:
	case ENDED:
		return (int)session->result.status;
	case PANICKED:
		say("the hypervisor stopped: %s", session->result.panic);
		explain_bad_end(session);
		return STATUS_BROKEN;
	case MACHINE_GONE:
		say(session->options->native ? "%s ended before the guest had powered it off"
		    : session->result.spoke ? "%s ended before the hypervisor said how its virtual machines did"
					  : "%s ended before the hypervisor said a word", session->emulator.name);
		explain_bad_end(session);
		return STATUS_BROKEN;
	case SILENT:
		say("the hypervisor said nothing for %d seconds", SILENCE_MS / 1000);
		explain_bad_end(session);
		return STATUS_BROKEN;
	case TIMED_OUT:
		say("timeout: no end after %u seconds, the machine was stopped", session->options->timeout);
		return STATUS_TIMEOUT;
	case INTERRUPTED:
		say("interrupted, the machine was stopped");
		return 128 + session->signal;
	case OUTPUT_GONE:
		return 128 + SIGPIPE;
	case QUIT:
		say("quit, the machine was stopped");
		return 0;
	}
	return STATUS_BROKEN;
}
