/* vellum ctl snapshot: a virtual machine's memory leaves while it runs; then it stands for the rest, goes on, and the
 * file takes its place (docs/snapshot.md). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lib/base.h"
#include "tool/base/output.h"
#include "tool/base/number.h"
#include "tool/base/runtime.h"
#include "tool/ctl/screen.h"
#include "tool/ctl/snapshot.h"
#include "vm/load/snapshot_file.h"

enum { ROUNDS_MAX = 8, FEW_PAGES = 256, STATE_MAX = 1 << 20, REST_TRIES = 1000 };
#define HIGH_GFN (4 * GIB >> PAGE_SHIFT)

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

/* ---- asking ---- */

static cJSON *ask(struct snapshot_job *job, const char *part)
{
	char *request = text("save %s%s", job->vm, part);
	cJSON *answer;

	if (interrupted) {
		snprintf(job->error, sizeof job->error, "interrupted: nothing was written");
		free(request);
		return NULL;
	}
	answer = ctl_ask_json(job->ctl, request, NULL, job->error, sizeof job->error);
	free(request);
	return answer;
}

static bool senseless(struct snapshot_job *job)
{
	snprintf(job->error, sizeof job->error, "the hypervisor's answer about the snapshot makes no sense");
	return false;
}

/* What was there is of another snapshot: an empty file is all zeroes. */
static bool open_disk(struct snapshot_job *job)
{
	off_t end;

	job->disk = runtime_disk(job->ctl->run);
	if (job->disk < 0) {
		snprintf(job->error, sizeof job->error, "the machine's own disk cannot be opened: %s", strerror(errno));
		return false;
	}
	end = lseek(job->disk, 0, SEEK_END);
	if (end > 0 && fallocate(job->disk, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, end) == 0)
		return true;
	snprintf(job->error, sizeof job->error, "the machine's own disk cannot be cleared: %s", strerror(errno));
	return false;
}

static bool begin_snapshot(struct snapshot_job *job)
{
	cJSON *answer = ask(job, " begin");
	const char *description = ctl_text(answer, "description");
	bool by_disk;
	long n;

	if (answer == NULL)
		return false;
	job->ram_pages = (uint64_t)ctl_number(answer, "pages");
	job->cpus = (unsigned)ctl_number(answer, "cpus");
	job->tsc_hz = (uint64_t)ctl_number(answer, "tsc_hz");
	job->high_pages = (uint64_t)ctl_number(answer, "high_pages");
	job->display_pages = (uint64_t)ctl_number(answer, "display_pages");
	by_disk = cJSON_IsTrue(ctl_get(answer, "disk"));
	job->description.data = allocate(strlen(description) + 1);
	n = base64_decode(description, (uint8_t *)job->description.data, strlen(description));
	job->description.length = n > 0 ? (size_t)n : 0;
	cJSON_Delete(answer);
	if (n <= 0 || job->cpus == 0 || job->cpus > 64 || job->ram_pages == 0 || job->ram_pages > 1ull << 32 ||
	    job->high_pages > job->ram_pages || job->display_pages > HIGH_GFN - SNAPSHOT_DISPLAY_GFN)
		return senseless(job);
	job->cpu = allocate(job->cpus * sizeof *job->cpu);
	job->frames = HIGH_GFN + job->ram_pages;
	job->image = mmap(NULL, job->frames * PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (job->image == MAP_FAILED) {
		snprintf(job->error, sizeof job->error, "there is no memory for it: %s", strerror(errno));
		return false;
	}
	job->seen = calloc(job->frames, 1);
	if (job->seen == NULL)
		snprintf(job->error, sizeof job->error, "there is no memory for it");
	if (job->seen != NULL && by_disk && !open_disk(job))
		return false;
	return job->seen != NULL;
}

/* ---- memory ---- */

static bool take_pages(struct snapshot_job *job, const cJSON *answer)
{
	uint8_t plain[4 * PAGE_SIZE];
	const cJSON *page;
	unsigned count = (unsigned)cJSON_GetArraySize(ctl_get(answer, "pages")), n = 0;

	if (count > sizeof plain / PAGE_SIZE || (count > 0 && !ctl_unpack(ctl_text(answer, "data"), plain,
									  count * PAGE_SIZE)))
		return false;
	cJSON_ArrayForEach(page, ctl_get(answer, "pages")) {
		if (page->valuedouble < 0 || page->valuedouble >= (double)job->frames)
			return false;
		memcpy(job->image + (uint64_t)page->valuedouble * PAGE_SIZE, plain + n++ * PAGE_SIZE, PAGE_SIZE);
		job->seen[(uint64_t)page->valuedouble] = 1;
	}
	job->told += count;
	return true;
}

static bool take_zeroes(struct snapshot_job *job, const cJSON *answer)
{
	const cJSON *list = ctl_get(answer, "zero"), *first, *pages;

	for (first = list != NULL ? list->child : NULL; first != NULL; first = pages->next) {
		pages = first->next;
		if (pages == NULL || first->valuedouble < 0 || pages->valuedouble < 0 ||
		    first->valuedouble + pages->valuedouble > (double)job->frames)
			return false;
		memset(job->image + (uint64_t)first->valuedouble * PAGE_SIZE, 0,
		       (uint64_t)pages->valuedouble * PAGE_SIZE);
	}
	return true;
}

static void show_progress(const struct snapshot_job *job, uint64_t left, uint64_t of)
{
	if (isatty(2))
		fprintf(stderr, "\rsnapshot of %s: %s, %3u %% ", job->vm, job->paused ? "the rest" : "memory",
			of != 0 ? (unsigned)((of - left) * 100 / of) : 100);
}

static void wait_a_while(void)
{
	const struct timespec while_ = { .tv_nsec = 10000000 };

	nanosleep(&while_, NULL);
}

/* By the disk: begun, and looked after. */
static bool send_all(struct snapshot_job *job)
{
	uint64_t of = 0;
	bool sent = false;

	for (const char *part = " send"; !sent; part = " sent") {
		cJSON *answer = ask(job, part);
		uint64_t left = (uint64_t)ctl_number(answer, "left");

		if (answer == NULL)
			return false;
		sent = cJSON_IsTrue(ctl_get(answer, "sent"));
		cJSON_Delete(answer);
		of = left > of ? left : of;
		show_progress(job, left, of);
		if (!sent)
			wait_a_while();
	}
	return true;
}

/* All that is to leave now. */
static bool pull(struct snapshot_job *job)
{
	uint64_t left = 1, of = 0;

	if (job->disk >= 0)
		return send_all(job);
	while (left != 0) {
		cJSON *answer = ask(job, " memory");
		bool ok;

		if (answer == NULL)
			return false;
		left = (uint64_t)ctl_number(answer, "left");
		of = left > of ? left : of;
		ok = take_pages(job, answer) && take_zeroes(job, answer);
		cJSON_Delete(answer);
		if (!ok)
			return senseless(job);
		show_progress(job, left, of);
	}
	return true;
}

/* Which pages are zero, and need not leave. */
static bool scan(struct snapshot_job *job)
{
	for (bool scanned = job->disk < 0; !scanned;) {
		cJSON *answer = ask(job, " scan");

		if (answer == NULL)
			return false;
		scanned = cJSON_IsTrue(ctl_get(answer, "scanned"));
		job->told = (uint64_t)ctl_number(answer, "left");
		cJSON_Delete(answer);
	}
	return true;
}

/* Rounds, while the guest runs on, as long as each has much less to do than the one before. By the channel there are
 * none: a guest writes more than leaves by a serial port. */
static bool precopy(struct snapshot_job *job)
{
	uint64_t before = job->told, left = 0;

	while (job->disk >= 0 && job->rounds < ROUNDS_MAX) {
		cJSON *answer;

		job->rounds++;
		if (!pull(job))
			return false;
		answer = ask(job, " collect");
		left = (uint64_t)ctl_number(answer, "left");
		if (answer == NULL)
			return false;
		cJSON_Delete(answer);
		job->told += left;
		if (left <= FEW_PAGES || left > before / 4 * 3)
			break;
		before = left;
	}
	return true;
}

/* Where the n-th page that the disk has is in the image: RAM, then the display's memory. */
static uint64_t frame_of(const struct snapshot_job *job, uint64_t page)
{
	uint64_t low = job->ram_pages - job->high_pages;

	if (page >= job->ram_pages)
		return SNAPSHOT_DISPLAY_GFN + page - job->ram_pages;
	return page < low ? page : HIGH_GFN + page - low;
}

/* What is on the disk comes into the image. */
static bool read_disk(struct snapshot_job *job)
{
	for (uint64_t page = 0; page < job->ram_pages + job->display_pages; page++) {
		uint64_t gfn = frame_of(job, page);

		if (pread(job->disk, job->image + gfn * PAGE_SIZE, PAGE_SIZE, (off_t)(page * PAGE_SIZE)) != PAGE_SIZE) {
			snprintf(job->error, sizeof job->error, "the machine's own disk cannot be read: %s",
				 strerror(errno));
			return false;
		}
		job->seen[gfn] = 1;
	}
	return true;
}

/* ---- the rest ---- */

/* The virtual machine stands; true also where it did before. */
static bool stop(struct snapshot_job *job)
{
	cJSON *list = ctl_ask_json(job->ctl, "list", NULL, job->error, sizeof job->error);
	const cJSON *vm;
	char *request;
	bool stands = false;

	cJSON_ArrayForEach(vm, ctl_get(list, "vms")) {
		char *id = text("%.0f", ctl_number(vm, "id"));

		if (strcmp(job->vm, ctl_text(vm, "name")) == 0 || strcmp(job->vm, id) == 0)
			stands = strcmp(ctl_text(vm, "state"), "paused") == 0;
		free(id);
	}
	cJSON_Delete(list);
	if (list == NULL || stands)
		return list != NULL;
	request = text("pause %s", job->vm);
	job->paused = true;
	if (job->stands != NULL)
		*job->stands = true;
	cJSON_Delete(ctl_ask_json(job->ctl, request, NULL, job->error, sizeof job->error));
	free(request);
	return true;
}

static bool prepare(struct snapshot_job *job)
{
	for (unsigned tries = 0; tries < REST_TRIES; tries++) {
		cJSON *answer = ask(job, " prepare");
		bool still = cJSON_IsTrue(ctl_get(answer, "still"));

		if (answer == NULL)
			return false;
		cJSON_Delete(answer);
		if (still)
			return true;
		wait_a_while();
	}
	snprintf(job->error, sizeof job->error, "its disks have not come to rest for %d s", REST_TRIES / 100);
	return false;
}

/* Piece by piece. */
static bool state(struct snapshot_job *job, const char *part, struct bytes *to)
{
	uint64_t all = 1;

	while (to->length < all) {
		char *piece = text("%s %zu", part, to->length);
		cJSON *answer = ask(job, piece);
		uint8_t plain[4 * PAGE_SIZE];
		size_t length = (size_t)ctl_number(answer, "length");
		bool ok = length != 0 && length <= sizeof plain && ctl_unpack(ctl_text(answer, "data"), plain, length);

		all = (uint64_t)ctl_number(answer, "bytes");
		free(piece);
		if (answer == NULL)
			return false;
		cJSON_Delete(answer);
		if (!ok || all > STATE_MAX)
			return senseless(job);
		bytes_add(to, plain, length);
	}
	return true;
}

static bool save_state(struct snapshot_job *job)
{
	if (!stop(job) || !prepare(job) || !pull(job) || !state(job, " machine", &job->machine))
		return false;
	for (unsigned n = 0; n < job->cpus; n++) {
		char *part = text(".%u cpu", n);
		bool ok = state(job, part, &job->cpu[n]);

		free(part);
		if (!ok)
			return false;
	}
	return true;
}

/* Whatever comes of it. */
static void tell(struct snapshot_job *job, const char *before, const char *behind)
{
	char error[300], *request = text("%s%s%s", before, job->vm, behind);

	cJSON_Delete(ctl_ask_json(job->ctl, request, NULL, error, sizeof error));
	free(request);
}

/* Unless it was paused before. */
static void resume(struct snapshot_job *job)
{
	if (job->paused)
		tell(job, "resume ", "");
	job->paused = false;
	if (job->stands != NULL)
		*job->stands = false;
}

bool snapshot_interrupted(void) { return interrupted; }

bool snapshot_take(struct snapshot_job *job, double *stood)
{
	const struct sigaction action = { .sa_handler = interrupt };
	bool ok;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	job->disk = -1;
	ok = begin_snapshot(job) && scan(job) && precopy(job);
	*stood = clock_seconds();
	ok = ok && save_state(job);
	if (!ok || job->stands == NULL)
		tell(job, "save ", " end");
	if (ok && job->disk >= 0)
		ok = read_disk(job);
	if (!ok)
		resume(job);
	return ok;
}

void snapshot_free(struct snapshot_job *job)
{
	if (job->image != NULL && job->image != MAP_FAILED)
		munmap(job->image, job->frames * PAGE_SIZE);
	for (unsigned n = 0; job->cpu != NULL && n < job->cpus; n++)
		bytes_free(&job->cpu[n]);
	if (job->disk >= 0)
		close(job->disk);
	free(job->cpu);
	free(job->seen);
	bytes_free(&job->description);
	bytes_free(&job->machine);
}

int snapshot_command(struct ctl *ctl, const char *vm, int argc, char **argv)
{
	struct snapshot_job job = { .ctl = ctl, .vm = vm };
	double stood;
	size_t size;
	bool ok;

	if (argc != 1)
		die(STATUS_USAGE, "ctl: it is: snapshot [VM] FILE");
	if (!output_possible(argv[0]))
		die(STATUS_USAGE, "%s cannot be written: %s", argv[0], strerror(errno));
	ok = snapshot_take(&job, &stood);
	resume(&job);
	stood = clock_seconds() - stood;
	if (isatty(2))
		fputs("\r\033[K", stderr);
	if (!ok)
		die(STATUS_FAILED, "%s", job.error);
	size = snapshot_write(&job, argv[0]);
	say("%s: %.1f MB, of %llu MB of RAM; %llu page%s left it, in %u round%s, and it stood for %.1f s", argv[0],
	    (double)size / (1 << 20), (unsigned long long)(job.ram_pages >> 8), (unsigned long long)job.told,
	    plural(job.told), job.rounds, plural(job.rounds), stood);
	snapshot_free(&job);
	return 0;
}
