/* vellum run --trace: the disk that the hypervisor writes the exits to, and the file that is made of it. */
#include "tool/run/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/base/exits.h"
#include "tool/base/number.h"
#include "tool/base/output.h"
#include "tool/base/util.h"

/* Sparse: 134 million exits have room. */
static const off_t disk_bytes = (off_t)4 << 30;

void trace_check(const struct options *options)
{
	bool csv;

	if (options->trace == NULL)
		return;
	if (!exits_format(options->trace, &csv))
		die(STATUS_USAGE, "--trace %s: the name ends in .json (for Perfetto and Chrome) or in .csv",
		    options->trace);
	if (options->native)
		die(STATUS_USAGE, "--native runs the guest without the hypervisor: it has no exits to trace");
	if (!output_possible(options->trace))
		die(STATUS_USAGE, "--trace %s: cannot be written: %s", options->trace, strerror(errno));
}

static void make_disk(struct drive *d, const char *work, const char *name, off_t bytes)
{
	int file;

	if (d == NULL)
		return;
	d->path = text("%s/%s", work, name);
	file = open(d->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (file < 0 || ftruncate(file, bytes) != 0)
		die(STATUS_FAILED, "cannot make %s: %s", d->path, strerror(errno));
	close(file);
}

void trace_make_disk(struct drives *drives, const char *work)
{
	make_disk(drives->trace, work, "trace.raw", disk_bytes);
}

void swap_make_disk(struct drives *drives, const char *work, uint64_t bytes)
{
	make_disk(drives->swap, work, "swap.raw", (off_t)bytes);
}

static uint64_t lost(const struct run_result *result)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < result->vm_count; i++)
		sum += stat_find(&result->vms[i], "trace.lost");
	return sum;
}

void trace_write(const struct options *options, const struct drives *drives, const struct run_result *result)
{
	const char **names = allocate((result->vm_count + 1) * sizeof *names);
	struct exits_about about = { .command = options->typed, .cpu = result->machine.cpu,
		.emulator = result->machine.emulator, .ips = result->machine.ips, .vms = names,
		.vm_count = result->vm_count };
	struct exits exits = { 0 };
	char count[32];

	for (size_t i = 0; i < result->vm_count; i++)
		names[i] = result->vms[i].name;
	if (!exits_read_disk(&exits, drives->trace->path))
		die(STATUS_FAILED, "cannot read %s: %s", drives->trace->path, strerror(errno));
	exits_write(options->trace, &exits, &about);
	if (!options->quiet)
		say("%s: %s exit%s", options->trace, grouped(exits.count, count), plural(exits.count));
	if (lost(result) != 0)
		say("%s: %s more exits were not recorded: the disk was full, or did not keep up", options->trace,
		    grouped(lost(result), count));
	if (!result->ended)
		say("%s: the machine was stopped: the last exits of each virtual CPU, at most %zu, are missing",
		    options->trace, TRACE_CHUNK / sizeof(struct trace_record) - 1);
	exits_free(&exits);
	free(names);
}
