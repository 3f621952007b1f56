/* lab/sweep/worker.c - the process that makes one run for a pool (lab/sweep/pool.c), and what it says through its pipe:
 * lines
 *
 *   p DONE ALL     accesses made, and to be made
 *   r LINE         the result
 *   e SENTENCE     why there is none */
#include "lab/sweep/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lab/lab.h"
#include "tool/base/util.h"

struct teller {
	FILE *out;
	double last;
};

static void progress(void *ctx, uint64_t done, uint64_t all)
{
	struct teller *t = ctx;
	double now = clock_seconds();

	if (now - t->last < 0.2)
		return;
	t->last = now;
	fprintf(t->out, "p %llu %llu\n", (unsigned long long)done, (unsigned long long)all);
	fflush(t->out);
}

/* Never returns: the process ends. */
static void work_on(const struct lab_pool *pool, const struct lab_job *job, unsigned number, int fd)
{
	struct teller t = { fdopen(fd, "w"), clock_seconds() };
	struct lab_error error = { "" };
	struct lab_result *result = calloc(1, sizeof(*result));
	char *line;

	if (!t.out || !result)
		_exit(1);
	if (lab_run(job->config, result, progress, &t, &error)) {
		line = pool->line(pool->ctx, number, result);
		fprintf(t.out, "p %llu %llu\nr %s\n", (unsigned long long)result->accesses,
			(unsigned long long)result->accesses, line);
		free(line);
	} else {
		fprintf(t.out, "e %s\n", error.text[0] ? error.text : "the run failed and did not say why");
	}
	free(result);
	/* Without the parent's exit handlers and buffers. */
	_exit(fclose(t.out) ? 1 : 0);
}

pid_t lab_worker_start(const struct lab_pool *pool, const struct lab_job *job, unsigned number, int *fd)
{
	pid_t parent = getpid(), pid;
	int ends[2];

	if (pipe(ends))
		return -1;
	pid = fork();
	if (pid == 0) {
		sigset_t none;

		/* A Ctrl-C at the terminal is the parent's to judge. */
		signal(SIGINT, SIG_IGN);
		signal(SIGTERM, SIG_DFL);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		close(ends[0]);
		work_on(pool, job, number, ends[1]);
	}
	close(ends[1]);
	if (pid < 0)
		close(ends[0]);
	*fd = ends[0];
	return pid;
}
