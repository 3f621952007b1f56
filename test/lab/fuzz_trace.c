/* Coverage-guided: any file as a trace (`make fuzz-trace`). The first byte chooses: the bytes as a whole file, or as
 * the content of one frame whose header and checksums are right, which is where the decoder is. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test/unit/lab/trace/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t file[1 << 20];

static size_t add_frame(size_t at, struct trace_frame f, const uint8_t *raw)
{
	return at + put_frame(file + at, sizeof(file) - at, f, raw);
}

static size_t wrap(const uint8_t *data, size_t size)
{
	struct trace_frame f = { .type = TRACE_EVENTS, .raw = (uint32_t)size };
	size_t at = put_file_header(file);

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
			if (batch.event[i].kind >= LAB_KINDS ||
			    (batch.event[i].kind == LAB_CALL && batch.event[i].addr >= batch.calls))
				abort();
	}
	lab_source_close(s);
	return 0;
}
