/* How a run ended, in words. */
#include <errno.h>
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

static void tail_print(const struct tail *tail, const char *title)
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

/* The first whose panic matters, or NULL. */
static const struct vm_result *panicked(const struct session *session)
{
	for (size_t i = 0; i < session->result.vm_count && i < session->machines->count; i++)
		if (session->result.vms[i].panic != NULL && session->machines->vms[i].on_panic != CONFIG_PANIC_NONE)
			return &session->result.vms[i];
	return NULL;
}

/* The first should have told a result, and has not. */
static bool result_missing(const struct session *session)
{
	return session->machines->expects_result && session->result.vm_count > 0 &&
	       session->result.vms[0].result == NULL;
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
		return text("the hypervisor said nothing for %d seconds", session_silence_ms(session) / 1000);
	case TIMED_OUT:
		return text("timeout: no end after %u second%s, the machine was stopped", session->options->timeout,
			    session->options->timeout == 1 ? "" : "s");
	case INTERRUPTED:
		return text("interrupted, the machine was stopped");
	case OUTPUT_GONE:
		if (session->output.error != EPIPE)
			return text("the standard output cannot be written: %s; the machine was stopped",
				    strerror(session->output.error));
		return text("nobody reads the output, the machine was stopped");
	case QUIT:
		return text("quit, the machine was stopped");
	case GUEST_PANICKED:
		return text("%s panicked: %s; the machine was stopped", panicked(session)->name,
			    panicked(session)->panic);
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
	case GUEST_PANICKED: return "guest-panic";
	case RUNNING:
	case ENDED: break;
	}
	return "ended";
}

static int status_for(const struct session *session)
{
	switch (session->ending) {
	case RUNNING:
	case ENDED:
		if (session->result.status != 0)
			return (int)session->result.status;
		return panicked(session) != NULL ? STATUS_PANICKED : result_missing(session) ? STATUS_NO_RESULT : 0;
	case GUEST_PANICKED: return STATUS_PANICKED;
	case TIMED_OUT: return STATUS_TIMEOUT;
	case INTERRUPTED: return 128 + session->signal;
	case OUTPUT_GONE: return session->output.error != EPIPE ? STATUS_FAILED : 128 + SIGPIPE;
	case QUIT: return 0;
	default: return STATUS_BROKEN;
	}
}

/* What was wrong where the hypervisor itself ended the run: a virtual machine, the first that ended badly, or that
 * there was none. NULL: nothing. Said here where nobody else does. */
static char *bad_end(const struct session *session)
{
	const struct run_result *result = &session->result;
	const struct vm_result *vm = panicked(session);

	if (result->status == 0 && vm != NULL)
		return text("%s panicked: %s", vm->name, vm->panic);
	if (result->status == 0 && result_missing(session))
		return text("%s ended without the result that its workload should have told: %s", result->vms[0].name,
			    result->vms[0].end);
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
	if (how != NULL && (session->ending != OUTPUT_GONE || session->output.error != EPIPE))
		say("%s", how);
	if (status == STATUS_BROKEN && how != NULL)
		explain_bad_end(session);
	if (session->ending == QUIT) {
		free(how);
		how = NULL;
	}
	if (how == NULL && session->ending != QUIT) {
		how = bad_end(session);
		/* That of a status is said with the virtual machines' own ends. */
		if (how != NULL && session->result.status == 0)
			say("%s", how);
	}
	session->result.error = how;
	return status;
}
