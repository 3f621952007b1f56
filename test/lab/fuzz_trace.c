/* Coverage-guided: any file as a trace (`make fuzz-trace`). The first byte chooses: the bytes as a whole file, or as the content
 * of one frame whose header and checksums are right, which is where the decoder is. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include "lab/trace/trace.h"
#include "lab/trace/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t file[1 << 20];

static size_t add_frame(size_t at, struct trace_frame f, const uint8_t *raw)
{
	uint8_t *head = file + at;
	size_t stored = ZSTD_compress(head + 64, sizeof(file) - at - 64, raw, f.raw, 1);

	memset(head, 0, 64);
	memcpy(head, TRACE_FRAME_MAGIC, 4);
	trace_put(head + 4, f.type, 4);
	trace_put(head + 8, stored, 4);
	trace_put(head + 12, f.raw, 4);
	trace_put(head + 16, f.codes, 4);
	trace_put(head + 20, f.calls, 4);
	trace_put(head + 24, f.first, 8);
	trace_put(head + 32, f.accesses, 8);
	trace_put(head + 60, trace_header_sum(head), 4);
	return at + 64 + stored;
}

static size_t wrap(const uint8_t *data, size_t size)
{
	struct trace_frame f = { .type = TRACE_EVENTS, .raw = (uint32_t)size };
	size_t at = 64;

	memset(file, 0, 64);
	memcpy(file, TRACE_MAGIC, 8);
	trace_put(file + 8, LAB_TRACE_MAJOR, 2);
	trace_put(file + 12, 64, 4);
	trace_put(file + 60, trace_header_sum(file), 4);
	at = add_frame(at, (struct trace_frame){ .type = TRACE_NOTES }, data);
	if (size >= 8) {
		f.codes = data[0];
		f.calls = data[1] & 3;
		f.accesses = data[2];
		at = add_frame(at, f, data);
	}
	return add_frame(at, (struct trace_frame){ .type = TRACE_END, .first = f.accesses }, data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	static char path[64];
	static struct lab_batch batch;
	struct lab_error error = { "" };
	struct lab_source *s;
	bool whole = size && data[0] & 1;

	if (fd < 0) {
		fd = memfd_create("trace", 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (!size || size > 65536)
		return 0;
	size = whole ? size - 1 : wrap(data + 1, size - 1);
	if (ftruncate(fd, 0) || pwrite(fd, whole ? data + 1 : file, size, 0) != (ssize_t)size)
		abort();
	s = lab_trace_open(path, &error);
	if (!s)
		return 0;
	while (lab_source_next(s, &batch)) {
		if (!batch.events || batch.events > LAB_BATCH_EVENTS || batch.calls > LAB_BATCH_CALLS)
			abort();
		for (unsigned i = 0; i < batch.events; i++)
			if (batch.event[i].kind >= LAB_KINDS || (batch.event[i].kind == LAB_CALL && batch.event[i].addr >= batch.calls))
				abort();
	}
	lab_source_close(s);
	return 0;
}
