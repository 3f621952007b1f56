/* tool/ctl/snapshot_write.c - a snapshot's file: what there is goes into chunks, memory packed; the file takes its
 * place when it is whole. */
#include <errno.h>
#include <lz4hc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base.h"
#include "tool/base/output.h"
#include "tool/ctl/snapshot.h"
#include "vm/load/snapshot_file.h"

enum { HC_LEVEL = 6 };

static void add_chunk(struct bytes *file, enum snapshot_kind kind, const void *data, size_t n)
{
	static const uint8_t padding[8];
	uint8_t head[SNAPSHOT_CHUNK_BYTES];

	snapshot_chunk_head(head, kind, data, n);
	bytes_add(file, head, sizeof head);
	bytes_add(file, data, n);
	bytes_add(file, padding, (8 - n % 8) % 8);
}

static bool is_zero(const uint8_t *page)
{
	return page[0] == 0 && memcmp(page, page + 1, PAGE_SIZE - 1) == 0;
}

static void add_run(struct bytes *file, const struct snapshot_job *job, uint64_t gfn, unsigned pages)
{
	uint8_t run[SNAPSHOT_RUN_HEAD + LZ4_COMPRESSBOUND(SNAPSHOT_RUN_MAX * PAGE_SIZE)];
	int n = LZ4_compress_HC((const char *)job->image + gfn * PAGE_SIZE, (char *)run + SNAPSHOT_RUN_HEAD,
				(int)(pages * PAGE_SIZE), (int)(sizeof run - SNAPSHOT_RUN_HEAD), HC_LEVEL);

	snapshot_put64(run, gfn);
	snapshot_put32(run + 8, pages);
	snapshot_put32(run + 12, (uint32_t)n);
	add_chunk(file, SNAPSHOT_MEMORY, run, SNAPSHOT_RUN_HEAD + (size_t)n);
}

static void add_range(struct bytes *file, const struct snapshot_job *job, uint64_t first, uint64_t end)
{
	for (uint64_t at = first, run; at < end; at += run != 0 ? run : 1) {
		for (run = 0; run < SNAPSHOT_RUN_MAX && at + run < end && job->seen[at + run] != 0 &&
			      !is_zero(job->image + (at + run) * PAGE_SIZE); run++)
			;
		if (run != 0)
			add_run(file, job, at, (unsigned)run);
	}
}

size_t snapshot_write(struct snapshot_job *job, const char *path)
{
	struct bytes file = { 0 };
	uint8_t header[SNAPSHOT_HEADER_BYTES] = { 0 };
	FILE *out = output_begin(path);
	size_t size;

	if (out == NULL)
		die(STATUS_FAILED, "%s cannot be written: %s", path, strerror(errno));
	bytes_add(&file, header, sizeof header);
	add_chunk(&file, SNAPSHOT_DESCRIPTION, job->description.data, job->description.length);
	add_chunk(&file, SNAPSHOT_MACHINE, job->machine.data, job->machine.length);
	for (unsigned n = 0; n < job->cpus; n++)
		add_chunk(&file, SNAPSHOT_CPU, job->cpu[n].data, job->cpu[n].length);
	add_range(&file, job, 0, job->frames);
	snapshot_header((uint8_t *)file.data, file.length, job->tsc_hz, job->cpus);
	size = file.length;
	/* Whole on the disk before it takes its place. */
	if (fwrite(file.data, 1, file.length, out) != file.length || fflush(out) != 0 ||
	    (fsync(fileno(out)) != 0 && errno != EINVAL && errno != EROFS)) {
		output_drop(out);
		die(STATUS_FAILED, "%s cannot be written: %s; what was there stays", path, strerror(errno));
	}
	if (!output_end(out))
		die(STATUS_FAILED, "%s cannot be written: %s; what was there stays", path, strerror(errno));
	bytes_free(&file);
	return size;
}
