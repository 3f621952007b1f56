/* The last question before a machine is stopped that would have gone on: what has each of its virtual machines cost? It
 * is asked over the control channel. A machine that does not answer is not waited for, nor one that has so many that it
 * takes long: for those that are left, what they said before stands. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tool/run/answer.h"
#include "tool/run/session.h"

/* How long a machine that works may be silent when it is asked. SILENT_CPU_MS: of a CPU's time, which does not pass
 * where others have the CPU; of the clock's, if the machine is stopped. SILENT_MS: of the clock's, at most, at the end
 * of a run. SLOW_MS: while it goes on, when who asks can wait: a busy host may give it little, before its virtual
 * machines are made and for what takes long. */
enum { SILENT_CPU_MS = 700, SILENT_MS = 3000, SLOW_MS = 30000 };

/* After so long nothing more is asked; and so long is waited at most, also for one that says other things meanwhile, as
 * it does while it makes its virtual machines. */
enum { FAREWELL_MS = 5000, FAREWELL_MOST_MS = 8000 };

static double farewell_ms(const struct session *session) { return (clock_seconds() - session->farewell_since) * 1000; }

void counters_heard(void *context, bool own, const char *json)
{
	struct session *session = context;

	answer_apply(&session->result, json, own ? COUNTERS_STOP : COUNTERS_EARLIER);
}

/* Seconds of CPU time that the emulator has had; 0 if nobody can tell. */
static double machine_cpu_time(const struct session *session)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(session->pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
		return 0;
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void heard_from_machine(struct session *session)
{
	session->heard_at = clock_seconds();
	session->heard_at_cpu = machine_cpu_time(session);
}

/* Has it made all its virtual machines? None runs before. */
static bool has_made_all(const struct session *session)
{
	const struct vm_result *last;

	if (session->console_tail.count > 0)
		return true;
	if (session->result.vm_count < session->machines->count)
		return false;
	last = &session->result.vms[session->machines->count - 1];
	return last->ended || fact_find(last->settings, last->setting_count, "mem_bytes") != NULL;
}

/* Stopped by a signal, or by a debugger (proc(5), /proc/PID/stat: the state is behind the name, which may hold any
 * character). */
static bool is_stopped(pid_t pid)
{
	char *path = text("/proc/%d/stat", (int)pid), *state = NULL;
	struct bytes stat = { 0 };
	bool stopped = false;

	if (file_read(path, &stat) && stat.length > 0) {
		bytes_add(&stat, "", 1);
		state = strrchr(stat.data, ')');
		stopped = state != NULL && state[1] == ' ' && (state[2] == 'T' || state[2] == 't');
	}
	bytes_free(&stat);
	free(path);
	return stopped;
}

bool machine_silent(const struct session *session)
{
	double silent = (clock_seconds() - session->heard_at) * 1000,
	       worked = (machine_cpu_time(session) - session->heard_at_cpu) * 1000;

	if (!session->farewell && (session->control.slow || !has_made_all(session)))
		return silent > SLOW_MS;
	return worked > SILENT_CPU_MS || silent > (session->farewell ? SILENT_MS : SLOW_MS) ||
	       (silent > SILENT_CPU_MS && is_stopped(session->pid));
}

/* Asks the next virtual machine that runs, if it has panicked, what it was doing, for its counters, and for those of
 * its phases. false: there is none, or no time. */
static bool ask_next(struct session *session)
{
	static const char *const words[] = { "tell", "stats", "phases" };
	enum { WORDS = sizeof(words) / sizeof(words[0]) };

	if (farewell_ms(session) > FAREWELL_MS)
		return false;
	while (session->farewell_next < WORDS * session->result.vm_count) {
		unsigned vm = session->farewell_next / WORDS, word = session->farewell_next++ % WORDS;
		const struct vm_result *one = &session->result.vms[vm];
		char *request;

		if (!one->started || one->ended || (word == 0 && (!one->stuck || session->panic_told[vm])))
			continue;
		request = text("%s %u", words[word], vm);
		control_ask(&session->control, request);
		free(request);
		return true;
	}
	return false;
}

bool farewell(struct session *session)
{
	bool live = session->ending == TIMED_OUT || session->ending == INTERRUPTED || session->ending == QUIT ||
		    session->ending == OUTPUT_GONE || session->ending == GUEST_PANICKED;

	if (!live || session->statistics < 0 || session->hurry || session->options->native)
		return true;
	if (!session->farewell) {
		session->farewell = true;
		session->farewell_since = clock_seconds();
		heard_from_machine(session);
		if (!ask_next(session))
			return true;
	}
	if (control_asking(&session->control))
		return machine_silent(session) || farewell_ms(session) > FAREWELL_MOST_MS;
	return !ask_next(session);
}
