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

/* How it ended, in one sentence; NULL: by itself. The caller frees. */
static char *sentence(const struct session *session)
{
	const char *emulator = session->emulator.name;

	switch (session->ending) {
	case PANICKED:
		return text("the hypervisor stopped: %s", session->result.panic);
	case MACHINE_GONE:
		return text(session->options->native ? "%s ended before the guest had powered it off"
			    : session->result.spoke ? "%s ended before the hypervisor said how its virtual machines did"
						    : "%s ended before the hypervisor said a word", emulator);
	case SILENT:
		return text("the hypervisor said nothing for %d seconds", SILENCE_MS / 1000);
	case TIMED_OUT:
		return text("timeout: no end after %u second%s, the machine was stopped", session->options->timeout,
			    session->options->timeout == 1 ? "" : "s");
	case INTERRUPTED:
		return text("interrupted, the machine was stopped");
	case OUTPUT_GONE:
		return text("nobody reads the output, the machine was stopped");
	case QUIT:
		return text("quit, the machine was stopped");
	case RUNNING:
	case ENDED:
		break;
	}
	return NULL;
}

static const char *word_for(enum ending ending)
{
	switch (ending) {
	case PANICKED: return "panic";
	case MACHINE_GONE: return "emulator";
	case SILENT: return "silent";
	case TIMED_OUT: return "timeout";
	case INTERRUPTED: return "interrupted";
	case OUTPUT_GONE: return "output";
	case QUIT: return "quit";
	case RUNNING:
	case ENDED: break;
	}
	return "ended";
}

static int status_for(const struct session *session)
{
	switch (session->ending) {
	case RUNNING:
	case ENDED: return (int)session->result.status;
	case TIMED_OUT: return STATUS_TIMEOUT;
	case INTERRUPTED: return 128 + session->signal;
	case OUTPUT_GONE: return 128 + SIGPIPE;
	case QUIT: return 0;
	default: return STATUS_BROKEN;
	}
}

/* What was wrong where the hypervisor itself ended the run: a virtual machine, the first that ended badly, or that
 * there was none. NULL: nothing. Said here where nobody else does. */
static char *bad_end(const struct session *session)
{
	const struct run_result *result = &session->result;

	if (result->status == 0)
		return NULL;
	for (size_t i = 0; i < result->vm_count; i++)
		if (result->vms[i].ended && result->vms[i].status != 0)
			return text("%s: status %u, %s", result->vms[i].name, result->vms[i].status,
				    result->vms[i].end);
	if (session->options->quiet && session->last_log != NULL)
		say("%s", session->last_log);
	return text("%s", session->last_log != NULL ? session->last_log : "the hypervisor does not say why");
}

int conclude(struct session *session)
{
	char *how = sentence(session);
	int status = status_for(session);

	session->result.ending = word_for(session->ending);
	/* Whoever closes a pipe, as head does, wants no comment. */
	if (how != NULL && session->ending != OUTPUT_GONE)
		say("%s", how);
	if (status == STATUS_BROKEN && how != NULL)
		explain_bad_end(session);
	if (session->ending == QUIT) {
		free(how);
		how = NULL;
	}
	session->result.error = how != NULL || session->ending == QUIT ? how : bad_end(session);
	return status;
}
