/* tool/ctl/migrate.c - a virtual machine goes to another run. Exactly one of both has it in the end:
 *
 *   ME1  It is taken out of its run as a snapshot is, while it runs, then stands there, and is sent.
 *   ME2  The other run starts a machine with it, in which it stands, and says so. Until it is answered "go" whatever
 *        fails lets it go on where it was; what stands in the other run is ended.
 *   ME3  From "go" on, the other run alone decides, and needs nobody: it ends the one where it was, if that stands as
 *        it did when it left, and when it is over lets its own go on. Who waits for that learns by the end of the
 *        connection that it could not; then it goes on where it was, if it is there.
 *   ME4  What takes it out is watched by the process that was started, and the other way round: so one that is killed
 *        leaves nothing standing; both that are may leave the guest paused.
 *   ME5  What takes it over is watched by its run, which begins it again where it was killed (tool/run/incoming.c);
 *        whether "go" has been said is in a file by then. */
#include "tool/ctl/migrate.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tool/base/number.h"
#include "tool/base/runtime.h"
#include "tool/base/temporary.h"
#include "tool/ctl/snapshot.h"

enum { LINE_MOST = 300, TRIES_MS = 100, SAYS_MOST = 50 };

static const char usage[] =
	"usage: vellum migrate RUN [VM] RUN\n"
	"\n"
	"A virtual machine of the first run goes to the second one, which was started by vellum run --incoming, and\n"
	"waits for it. Where anything fails it goes on where it was, with status 1.\n";

/* What both processes know (ME4). The directory is of the first one. */
struct shared {
	bool stands; /* by us */
	bool gone;   /* "go" is being said */
};

struct migration {
	struct ctl source;
	const char *to;
	char *vm;
	int other; /* the connection to the other run */
	char *path; /* where it is before it is sent */
	struct shared *shared;
};

static void wait_a_while(void)
{
	const struct timespec while_ = { .tv_nsec = TRIES_MS * 1000000 };

	nanosleep(&while_, NULL);
}

/* ---- the connection ---- */

static bool send_all(int file, const void *data, size_t n)
{
	const char *p = data;

	while (n > 0) {
		ssize_t done = send(file, p, n, MSG_NOSIGNAL);

		if (done < 0 && errno == EINTR && !snapshot_interrupted())
			continue;
		if (done <= 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

/* A line without its end; false: the connection has ended, or, where that may be, a signal has come. */
static bool get_line(int file, char *line, bool may_stop)
{
	for (size_t n = 0; n < LINE_MOST;) {
		struct pollfd ready = { .fd = file, .events = POLLIN };

		if (may_stop && snapshot_interrupted())
			return false;
		if (poll(&ready, 1, 200) <= 0)
			continue;
		if (read(file, line + n, 1) != 1)
			return false;
		if (line[n] == '\n') {
			line[n] = 0;
			return true;
		}
		n++;
	}
	return false;
}

/* ---- what takes it out ---- */

static bool fail(struct snapshot_job *job, const char *why)
{
	snprintf(job->error, sizeof job->error, "%.250s", snapshot_interrupted() ? "interrupted" : why);
	return false;
}

/* ME1. */
static bool send_it(struct migration *m, struct snapshot_job *job, bool paused)
{
	char *head;
	struct bytes content = { 0 };
	bool ok;

	snapshot_write(job, m->path);
	ok = file_read(m->path, &content);
	head = text("incoming %s %s %u %zu\n", m->source.run, m->vm, paused ? 1 : 0, content.length);
	ok = ok && send_all(m->other, head, strlen(head)) && send_all(m->other, content.data, content.length);
	bytes_free(&content);
	free(head);
	return ok || fail(job, "the other run has ended, or takes nothing");
}

/* ME2, ME3. */
static bool hand_over(struct migration *m, struct snapshot_job *job)
{
	char line[LINE_MOST + 1];

	if (!get_line(m->other, line, true))
		return fail(job, "the other run has ended, and says why");
	if (strcmp(line, "ready") != 0)
		return fail(job, line);
	if (snapshot_interrupted())
		return fail(job, "");
	m->shared->gone = true;
	if (!send_all(m->other, "go\n", 3) || !get_line(m->other, line, false))
		return fail(job, "the other run has ended");
	return strcmp(line, "done") == 0 || fail(job, line);
}

/* Is it there still, and its run? Then it goes on; else it says where it may be. */
static const char *goes_on(struct migration *m)
{
	char error[300], *end = text("save %s end", m->vm), *resume = text("resume %s", m->vm), *there = NULL;
	struct ctl ctl = { .file = runtime_connect(m->source.run, NULL, error, sizeof error) };

	if (ctl.file >= 0) {
		there = ctl_ask(&ctl, end, error, sizeof error);
		if (m->shared->stands)
			free(ctl_ask(&ctl, resume, error, sizeof error));
		m->shared->stands = false;
		bytes_free(&ctl.in);
		close(ctl.file);
	}
	free(end);
	free(resume);
	free(there);
	return there != NULL ? "it goes on as it was" : "where it was it is over";
}

static int run_migration(struct migration *m)
{
	struct snapshot_job job = { .ctl = &m->source, .vm = m->vm, .stands = &m->shared->stands };
	const char *what = "";
	double stood;
	bool ok = snapshot_take(&job, &stood), paused = ok && !job.paused;

	ok = ok && send_it(m, &job, paused) && hand_over(m, &job);
	close(m->other);
	if (!ok)
		what = goes_on(m);
	if (isatty(2))
		fputs("\r\033[K", stderr);
	if (!ok)
		die(STATUS_FAILED, "%s was not moved to %s: %s; %s", m->vm, m->to, job.error, what);
	say("%s is in the run %s: %llu page%s left it, in %u round%s, and it stood for %.1f s", m->vm, m->to,
	    (unsigned long long)job.told, plural(job.told), job.rounds, plural(job.rounds),
	    clock_seconds() - stood);
	snapshot_free(&job);
	return 0;
}

/* ---- ME4 ---- */

static volatile pid_t worker;

static void pass_on(int number)
{
	(void)number;
	if (worker > 0)
		kill(worker, SIGTERM);
}

/* The one that worked was killed. */
static int mend(struct migration *m)
{
	char line[LINE_MOST + 1] = "";

	shutdown(m->other, SHUT_WR); /* a "go" that was not sent will not be */
	if (m->shared->gone && get_line(m->other, line, false) && strcmp(line, "done") == 0)
		return 0;
	close(m->other);
	die(STATUS_FAILED, "%s was not moved to %s: what moved it was killed; %s", m->vm, m->to, goes_on(m));
}

static int watch(struct migration *m)
{
	const struct sigaction action = { .sa_handler = pass_on };
	int status;

	m->path = text("%s/snapshot", temporary_directory());
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	worker = fork();
	if (worker < 0)
		die(STATUS_FAILED, "cannot start what moves it: %s", strerror(errno));
	if (worker == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		exit(run_migration(m));
	}
	while (waitpid(worker, &status, 0) < 0 && errno == EINTR)
		;
	worker = 0;
	if (!WIFEXITED(status))
		return mend(m);
	if (WEXITSTATUS(status) != 0 && !m->shared->gone)
		goes_on(m); /* it has ended where it could do nothing else, with its sentence */
	return WEXITSTATUS(status);
}

/* ---- the run that takes it (ME2, ME3); started by tool/run/incoming.c ---- */

struct taken {
	const char *run;            /* its own */
	const char *source, *vm;    /* where it is, and its name there */
	bool paused;                /* it stood before, and is to */
	int other;                  /* who brings it; -1: this is begun again (ME5) */
	const char *said;           /* a file that is there when "go" has been said */
};

/* It is there, and stands, or goes on already. false: its run has ended. */
static bool until_it_stands(const struct taken *t, struct ctl *own)
{
	const char *run = t->run;
	char error[300];

	for (;; wait_a_while()) {
		cJSON *list;
		bool stands, none;

		own->file = own->file >= 0 ? own->file : runtime_connect(run, NULL, error, sizeof error);
		if (own->file < 0)
			return false;
		list = ctl_ask_json(own, "list", NULL, error, sizeof error);
		stands = strcmp(ctl_text(cJSON_GetArrayItem(ctl_get(list, "vms"), 0), "state"), "paused") == 0 ||
			 (t->other < 0 && list != NULL);
		none = list == NULL;
		cJSON_Delete(list);
		if (stands)
			return true;
		if (none) {
			close(own->file);
			own->file = -1;
		}
	}
}

/* Is it over there, or gone? false: it is there, or nothing is said of it. */
static bool is_over(const char *run, const char *vm, bool *said)
{
	char error[300];
	struct ctl ctl = { .file = runtime_connect(run, NULL, error, sizeof error) };
	cJSON *list = ctl.file >= 0 ? ctl_ask_json(&ctl, "list", NULL, error, sizeof error) : NULL;
	const cJSON *one;
	bool there = false;

	*said = list != NULL;
	cJSON_ArrayForEach(one, ctl_get(list, "vms")) {
		char *id = text("%.0f", ctl_number(one, "id"));
		const char *state = ctl_text(one, "state");

		if (strcmp(vm, ctl_text(one, "name")) == 0 || strcmp(vm, id) == 0)
			there = strcmp(state, "off") != 0 && strcmp(state, "ended") != 0;
		free(id);
	}
	cJSON_Delete(list);
	if (ctl.file >= 0)
		close(ctl.file);
	return ctl.file < 0 || (*said && !there);
}

/* Where it was it is over, or all of that run; not if it went on there since it left. What was asked for may come about
 * though nobody has answered: a run that ends with its last virtual machine has no time to, and a hypervisor that is
 * slow was given up. So only who says that it is there still, again and again, keeps it. */
static bool end_there(const char *run, const char *vm, char *error, size_t size)
{
	char *leave = text("save %s leave", vm), *destroy = text("destroy %s", vm), *answer = NULL, why[300];
	struct ctl ctl = { .file = runtime_connect(run, NULL, error, size) };
	bool over = ctl.file < 0, said;

	if (!over) {
		answer = ctl_ask(&ctl, leave, error, size);
		over = answer != NULL;
		if (over)
			free(ctl_ask(&ctl, destroy, why, sizeof why));
		close(ctl.file);
	}
	for (unsigned n = 0; !over && n < SAYS_MOST; n += said) {
		wait_a_while();
		over = is_over(run, vm, &said);
	}
	free(answer);
	free(leave);
	free(destroy);
	return over;
}

static bool note(const char *path)
{
	int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return file >= 0 && close(file) == 0;
}

/* ME2; what is said is in a file before anything follows from it. */
static bool asked_for(const struct taken *t)
{
	char line[LINE_MOST + 1];

	if (t->other < 0)
		return file_exists(t->said);
	return send_all(t->other, "ready\n", 6) && get_line(t->other, line, false) && strcmp(line, "go") == 0 &&
	       note(t->said);
}

static int receive(const struct taken *t)
{
	struct ctl own = { .file = -1 };
	char error[300] = "", ignored[300];
	bool ok = until_it_stands(t, &own);

	if (!ok || !asked_for(t)) {
		if (ok)
			free(ctl_ask(&own, "destroy 0", error, sizeof error));
		return STATUS_FAILED;
	}
	if (!end_there(t->source, t->vm, error, sizeof error)) {
		free(ctl_ask(&own, "destroy 0", ignored, sizeof ignored));
		send_all(t->other, error, strlen(error));
		send_all(t->other, "\n", 1);
		return STATUS_FAILED;
	}
	if (!t->paused)
		free(ctl_ask(&own, "resume 0", error, sizeof error));
	send_all(t->other, "done\n", 5);
	return 0;
}

/* ---- the command ---- */

static void connect_both(struct migration *m, const char *from, const char *vm)
{
	char error[300], *answer;
	struct ctl other = { .file = -1 };
	bool named;

	m->source.file = runtime_connect(from, &m->source.run, error, sizeof error);
	if (m->source.file < 0)
		die(STATUS_USAGE, "migrate: %s", error);
	other.file = runtime_connect(m->to, NULL, error, sizeof error);
	if (other.file < 0)
		die(STATUS_USAGE, "migrate: %s", error);
	m->vm = ctl_vm(&m->source, vm, &named);
	if (vm != NULL && !named)
		die(STATUS_USAGE, "migrate: %s has no virtual machine %s (vellum ctl list)", from, vm);
	answer = ctl_ask(&other, "incoming", error, sizeof error);
	if (answer == NULL)
		die(STATUS_USAGE, "migrate: the run %s waits for no virtual machine: start one by vellum run "
		    "--incoming --name NAME", m->to);
	free(answer);
	m->other = other.file;
}

int migrate_main(int argc, char **argv)
{
	struct migration m = { .other = -1 };

	if (argc == 8 && strcmp(argv[1], "--takes") == 0)
		return receive(&(struct taken){ argv[2], argv[3], argv[4], strcmp(argv[5], "1") == 0, atoi(argv[6]),
						argv[7] });
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return fputs(usage, stdout) < 0;
	if ((argc != 3 && argc != 4) || argv[1][0] == '-')
		die(STATUS_USAGE, "it is: vellum migrate RUN [VM] RUN (vellum migrate --help)");
	m.to = argv[argc - 1];
	if (strcmp(argv[1], m.to) == 0)
		die(STATUS_USAGE, "migrate: %s is one run; vellum ctl move goes to another container of it", m.to);
	connect_both(&m, argv[1], argc == 4 ? argv[2] : NULL);
	m.shared = mmap(NULL, sizeof *m.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (m.shared == MAP_FAILED)
		die(STATUS_FAILED, "there is no memory for it: %s", strerror(errno));
	return watch(&m);
}
