/* lab/trace/record.c - `vellum lab record`: runs a program under QEMU's user-mode emulator with our plugin
 * (lab/plugin/), and writes the trace of it and of all processes that it starts. The program keeps its standard input,
 * output and exit status. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lab/lab.h"
#include "lab/plugin/program.h"
#include "lab/trace/record.h"
#include "tool/base/output.h"
#include "tool/base/util.h"

static const char usage[] =
	"usage: vellum lab record [-o TRACE] [--force] [--level N] [--quiet] -- PROGRAM [ARGUMENT]...\n"
	"  -o TRACE    where the trace goes (default: PROGRAM's name with .vtrace, in the current directory)\n"
	"  --force     a file of that name that is there is replaced\n"
	"  --level N   of zstd, 1 to 19 (default 3)";

struct recording {
	char *output;
	int level;
	bool quiet, force;
	char **argv;
	char ring_path[64];
	struct ring *ring;
	FILE *out;
	pid_t child;
	int status;
	int ended_by; /* the signal that was passed on; 0: none was */
	bool child_ended, all_ended;
	struct drain drain;
};

/* ---- before ---- */

static bool parse(struct recording *r, int argc, char **argv, struct lab_error *error)
{
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--")) {
			i++;
			break;
		}
		if (!strcmp(argv[i], "--quiet"))
			r->quiet = true;
		else if (!strcmp(argv[i], "--force"))
			r->force = true;
		else if (!strcmp(argv[i], "-o") && i + 1 < argc)
			r->output = strdup(argv[++i]);
		else if (!strcmp(argv[i], "--level") && i + 1 < argc)
			r->level = lab_level(argv[++i]);
		else
			return lab_fail(error, "%s is no option of record, or its value is missing (vellum lab "
					"record --help)", argv[i]);
	}
	if (i == argc)
		return lab_fail(error, "which program? -- PROGRAM (vellum lab record --help)");
	if (r->level < 1 || r->level > 19)
		return lab_fail(error, "--level goes from 1 to 19");
	r->argv = argv + i;
	if (!r->output) {
		const char *slash = strrchr(argv[i], '/');

		r->output = text("%s.vtrace", slash ? slash + 1 : argv[i]);
	}
	return r->output || lab_fail(error, "no memory");
}

/* As execvp finds it. */
static bool search(const char *name, char path[PROGRAM_PATH])
{
	const char *dirs = getenv("PATH") ? getenv("PATH") : "/usr/local/bin:/usr/bin:/bin";

	if (strchr(name, '/'))
		return snprintf(path, PROGRAM_PATH, "%s", name) < PROGRAM_PATH && !access(path, X_OK);
	for (; *dirs; dirs += dirs[strcspn(dirs, ":")] ? strcspn(dirs, ":") + 1 : strcspn(dirs, ":")) {
		int n = snprintf(path, PROGRAM_PATH, "%.*s/%s", (int)strcspn(dirs, ":"), dirs, name);

		if (n < PROGRAM_PATH && !access(path, X_OK))
			return true;
	}
	return false;
}

/* QEMU's arguments, and QEMU. */
static char **arguments(struct recording *r, char qemu[PROGRAM_PATH], struct lab_error *error)
{
	static struct program p;
	char path[PROGRAM_PATH], *self = text("%s/vellum-record.so", program_directory());
	char **out = NULL;

	if (!search("qemu-x86_64", qemu))
		lab_fail(error, "recording needs QEMU's user-mode emulator: install it with apt-get install qemu-user");
	else if (!file_exists(self))
		lab_fail(error, "%s is missing: 'make' builds it", self);
	else if (strchr(self, ','))
		lab_fail(error, "%s has a comma in its name, which QEMU's options cannot express: move vellum", self);
	else if (!search(r->argv[0], path))
		lab_fail(error, "%s: no such program", r->argv[0]);
	else if (program_look(path, &p) != PROGRAM_X86_64)
		lab_fail(error, "%s is no 64-bit program for x86: only such can be recorded", path);
	else
		out = program_arguments(&p, path, r->argv, qemu,
					text("file=%s,self=%s,ring=%s", self, self, r->ring_path));
	free(self);
	return out;
}

static bool make_ring(struct recording *r, struct lab_error *error)
{
	const char *where = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";
	int fd;

	snprintf(r->ring_path, sizeof(r->ring_path), "%s/vellum-record-XXXXXX", where);
	fd = mkostemp(r->ring_path, O_CLOEXEC);
	if (fd < 0 || ftruncate(fd, sizeof(*r->ring)))
		return lab_fail(error, "no memory to share with QEMU in %s: %s", where, strerror(errno));
	r->ring = mmap(NULL, sizeof(*r->ring), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (r->ring == MAP_FAILED)
		return lab_fail(error, "no memory to share with QEMU: %s", strerror(errno));
	r->ring->magic = RING_MAGIC;
	return true;
}

bool lab_trace_taken(const char *path, struct lab_error *error)
{
	struct stat info;

	if (stat(path, &info) || !S_ISREG(info.st_mode) || !info.st_size)
		return false;
	lab_fail(error, "%s is there already: name another file by -o, or replace it by --force", path);
	return true;
}

static bool open_output(struct recording *r, struct lab_error *error)
{
	char *notes;

	if (!r->force && lab_trace_taken(r->output, error))
		return false;
	r->out = output_begin(r->output);
	if (!r->out)
		return lab_fail(error, "%s: cannot be written: %s", r->output, strerror(errno));
	notes = text("source: record\nprogram: %s\nmappings: all but those of the kernel\n", r->argv[0]);
	r->drain.ring = r->ring;
	r->drain.writer = lab_writer_open(r->out, notes, r->level);
	free(notes);
	return r->drain.writer || lab_fail(error, "no memory");
}

/* ---- while it runs ---- */

static bool start(struct recording *r, struct lab_error *error)
{
	char qemu[PROGRAM_PATH], **argv = arguments(r, qemu, error);

	if (!argv || !open_output(r, error))
		return false;
	prctl(PR_SET_CHILD_SUBREAPER, 1); /* what the program leaves behind is waited for, too */
	fflush(NULL);
	r->child = fork();
	if (r->child < 0)
		return lab_fail(error, "no process: %s", strerror(errno));
	if (!r->child) {
		signal(SIGINT, SIG_DFL);
		signal(SIGQUIT, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		signal(SIGHUP, SIG_DFL);
		execv(qemu, argv);
		_exit(127);
	}
	free(argv);
	return true;
}

static void reap(struct recording *r)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == r->child) {
			r->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			r->child_ended = true;
		}
	}
	r->all_ended = pid < 0 && errno == ECHILD;
}

static void show(const struct recording *r)
{
	const struct lab_trace_totals *t = lab_writer_totals(r->drain.writer);

	fprintf(stderr, "\rvellum: %s: %.1f million accesses, %.1f MB%s  ", r->output, (double)t->accesses / 1e6,
		(double)lab_writer_bytes(r->drain.writer) / 1e6,
		r->child_ended && !r->all_ended ? "; waiting for processes left behind" : "");
}

/* What asks us to end is passed on to the program: the trace ends in good order when it does. */
static volatile sig_atomic_t passed_on;

static void on_signal(int number) { passed_on = number; }

static void pass_on(struct recording *r)
{
	if (!passed_on || r->child_ended)
		return;
	r->ended_by = passed_on;
	kill(r->child, passed_on);
	passed_on = 0;
}

static void pump(struct recording *r)
{
	bool progress = !r->quiet && isatty(2);
	time_t shown = time(NULL), came = shown;

	while (!r->all_ended) {
		bool any = false;

		for (unsigned i = 0; i < RING_CHUNKS && drain_chunk(&r->drain); i++)
			any = true;
		if (any) {
			came = time(NULL);
		} else {
			nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
			if (time(NULL) - came > 3) {
				drain_stalled(&r->drain);
				came = time(NULL);
			}
		}
		reap(r);
		pass_on(r);
		if (progress && time(NULL) != shown) {
			show(r);
			shown = time(NULL);
		}
	}
	drain_rest(&r->drain);
	if (progress)
		fprintf(stderr, "\r\033[K");
}

static bool finish_recording(struct recording *r, struct lab_error *error)
{
	bool image = r->drain.image, ok;
	struct lab_trace_totals totals = *lab_writer_totals(r->drain.writer);
	uint64_t bytes = lab_writer_bytes(r->drain.writer);

	if (r->drain.lost_execs)
		fprintf(stderr, "vellum: %llu program%s ran unrecorded: no 64-bit ELF file\n",
			(unsigned long long)r->drain.lost_execs, r->drain.lost_execs == 1 ? "" : "s");
	if (r->drain.lost_threads)
		fprintf(stderr, "vellum: with more than 4096 threads, some of them were taken for each other\n");
	if (!lab_writer_close(r->drain.writer)) {
		lab_fail(error, "%s: writing failed: %s", r->output, strerror(errno));
		output_drop(r->out);
		return false;
	}
	if (image) {
		ok = output_end(r->out);
		if (!ok)
			return lab_fail(error, "%s: writing failed: %s", r->output, strerror(errno));
		if (!r->quiet)
			fprintf(stderr, "vellum: %s: %.1f million accesses, %.1f MB\n", r->output,
				(double)totals.accesses / 1e6, (double)bytes / 1e6);
		return true;
	}
	output_drop(r->out);
	if (r->ended_by)
		return lab_fail(error, "%s was ended by signal %d before it began: there is no trace", r->argv[0],
				r->ended_by);
	return lab_fail(error, "QEMU did not run %s (status %d): does 'qemu-x86_64 -h' know -plugin? Debian 12's does",
			r->argv[0], r->status);
}

int lab_command_record(int argc, char **argv)
{
	static struct recording r = { .level = 3 };
	struct lab_error error = { "" };
	bool ok;

	if (lab_asks_for_help(argc, argv)) {
		puts(usage);
		return 0;
	}
	ok = parse(&r, argc, argv, &error) && make_ring(&r, &error);
	if (ok) {
		/* An interrupt from the keyboard goes to the program anyway. */
		signal(SIGINT, SIG_IGN);
		signal(SIGQUIT, SIG_IGN);
		signal(SIGTERM, on_signal);
		signal(SIGHUP, on_signal);
		ok = start(&r, &error);
		if (ok) {
			pump(&r);
			ok = finish_recording(&r, &error);
		}
	}
	if (r.ring_path[0])
		unlink(r.ring_path);
	drain_free(&r.drain);
	if (!ok)
		fprintf(stderr, "vellum: %s\n", error.text);
	return ok ? r.status : r.ended_by ? 128 + r.ended_by : STATUS_USAGE;
}
