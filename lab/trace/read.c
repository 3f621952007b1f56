/* lab/trace/read.c - a trace file as a source of events: frames, one after the other, and what may be wrong with them.
 * What the codes of a frame mean is lab/trace/decode.c's. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "lab/trace/inside.h"

static struct reader *reader(struct lab_source *s) { return (struct reader *)s; }

bool trace_wrong(struct reader *r, const char *format, ...)
{
	char what[400];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return lab_fail(&r->error, "%s: %s", r->path, what);
}

/* ---- bytes ---- */

/* Exactly bytes of them; false: the file ends before, or cannot be read. */
static bool get(struct reader *r, void *to, size_t bytes)
{
	size_t got = fread(to, 1, bytes, r->in);

	r->at += got;
	if (got == bytes)
		return true;
	if (ferror(r->in))
		return trace_wrong(r, "reading failed at byte %llu: %s", (unsigned long long)r->at, strerror(errno));
	return trace_wrong(
		r,
		"the trace is truncated: the file ends at byte %llu, where %zu more bytes should follow; record or "
		"copy it again",
		(unsigned long long)r->at, bytes - got);
}

/* What some other files begin with, and what to do with them. */
static bool foreign(struct reader *r, const uint8_t *head, size_t bytes)
{
	static const struct { const char *magic; unsigned bytes; const char *what; } known[] = {
		{ "\x1f\x8b", 2, "is compressed by gzip: unpack it, or pipe it into `vellum lab import`" },
		{ "\xfd" "7zXZ", 5, "is compressed by xz: unpack it, or pipe it into `vellum lab import`" },
		{ "\x28\xb5\x2f\xfd", 4, "is compressed by zstd as a whole: unpack it with unzstd first" },
		{ "I ", 2, "looks like the text of Valgrind's lackey: `vellum lab import` makes a trace of it" },
		{ "==", 2, "looks like the text of Valgrind's lackey: `vellum lab import` makes a trace of it" },
		{ "\x7f" "ELF", 4, "is a program: `vellum lab record` makes a trace of its run" },
	};

	if (!bytes)
		return trace_wrong(r, "the file is empty: a trace has at least %d bytes", 2 * TRACE_HEADER_BYTES);
	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (bytes >= known[i].bytes && !memcmp(head, known[i].magic, known[i].bytes))
			return trace_wrong(r, "this is no trace of vellum: it %s", known[i].what);
	if (bytes < TRACE_HEADER_BYTES && !memcmp(head, TRACE_MAGIC, bytes < 8 ? bytes : 8))
		return trace_wrong(
			r,
			"the trace is truncated: the file ends at byte %zu, within its header; record or copy it again",
			bytes);
	return trace_wrong(
		r,
		"this is no trace of vellum: its first bytes are not %s; `vellum lab record` and `vellum lab import` "
		"make traces",
		TRACE_MAGIC);
}

static bool read_header(struct reader *r)
{
	uint8_t head[TRACE_HEADER_BYTES];
	size_t got = fread(head, 1, sizeof(head), r->in);
	unsigned major, minor, length;

	if (got < sizeof(head) && ferror(r->in))
		return trace_wrong(r, "cannot be read: %s", strerror(errno));
	if (got < sizeof(head) || memcmp(head, TRACE_MAGIC, 8))
		return foreign(r, head, got);
	r->at = sizeof(head);
	if (trace_header_sum(head) != trace_get(head + 60, 4))
		return trace_wrong(
			r, "the trace is damaged: the checksum of the header (bytes 0 to 63) is wrong; copy it again");
	major = (unsigned)trace_get(head + 8, 2);
	minor = (unsigned)trace_get(head + 10, 2);
	length = (unsigned)trace_get(head + 12, 4);
	if (major != LAB_TRACE_MAJOR || minor > LAB_TRACE_MINOR || length != TRACE_HEADER_BYTES)
		return trace_wrong(r,
				   "this trace has version %u.%u of the format (byte 8), and this vellum reads %d.0 to "
				   "%d.%d: use the "
				   "vellum that made it",
				   major, minor, LAB_TRACE_MAJOR, LAB_TRACE_MAJOR, LAB_TRACE_MINOR);
	return true;
}

/* ---- frames ---- */

static bool read_frame_header(struct reader *r, struct trace_frame *f)
{
	uint8_t head[TRACE_HEADER_BYTES];

	r->frame_at = r->at;
	if (!get(r, head, sizeof(head)))
		return false;
	*f = (struct trace_frame){
		.type = (uint32_t)trace_get(head + 4, 4),
		.stored = (uint32_t)trace_get(head + 8, 4),
		.raw = (uint32_t)trace_get(head + 12, 4),
		.codes = (uint32_t)trace_get(head + 16, 4),
		.calls = (uint32_t)trace_get(head + 20, 4),
		.first = trace_get(head + 24, 8),
		.accesses = trace_get(head + 32, 8),
		.process = (uint32_t)trace_get(head + 40, 4),
		.thread = (uint32_t)trace_get(head + 44, 4),
		.code = trace_get(head + 48, 8),
		.flags = (uint32_t)trace_get(head + 56, 4),
	};
	if (memcmp(head, TRACE_FRAME_MAGIC, 4) || trace_header_sum(head) != trace_get(head + 60, 4))
		return trace_wrong(r,
				   "the trace is damaged: no valid frame begins at byte %llu; copy or record it again",
				   (unsigned long long)r->frame_at);
	if (f->type < TRACE_NOTES || f->type > TRACE_END || f->raw > TRACE_RAW_MAX || f->stored > TRACE_STORED_MAX ||
	    f->codes > TRACE_FRAME_CODES || 4 * f->codes > f->raw || f->flags)
		return trace_wrong(r,
				   "the frame at byte %llu says what no frame of version %d.%d can say: the trace is "
				   "damaged, or its "
				   "maker was faulty",
				   (unsigned long long)r->frame_at, LAB_TRACE_MAJOR, LAB_TRACE_MINOR);
	return true;
}

static bool read_frame_body(struct reader *r, const struct trace_frame *f)
{
	size_t raw;

	if (!get(r, r->stored, f->stored))
		return false;
	raw = ZSTD_decompressDCtx(r->zstd, r->raw, sizeof(r->raw), r->stored, f->stored);
	if (ZSTD_isError(raw) || raw != f->raw)
		return trace_wrong(r, "the trace is damaged between bytes %llu and %llu (%s); copy or record it again",
				   (unsigned long long)r->frame_at + TRACE_HEADER_BYTES, (unsigned long long)r->at,
				   ZSTD_isError(raw) ? ZSTD_getErrorName(raw) : "wrong length");
	return true;
}

/* The end mark must count what was read, and be the last thing. */
static bool check_end(struct reader *r, const struct trace_frame *f)
{
	if (f->first != r->totals_accesses)
		return trace_wrong(r,
				   "the end mark at byte %llu counts %llu accesses, and the trace holds %llu: parts of "
				   "it are missing; copy "
				   "or record it again",
				   (unsigned long long)r->frame_at, (unsigned long long)f->first,
				   (unsigned long long)r->totals_accesses);
	if (fgetc(r->in) != EOF)
		return trace_wrong(r,
				   "there is something behind the trace's end mark, at byte %llu: it may be two files "
				   "in one; cut it there",
				   (unsigned long long)r->at);
	r->ended = true;
	return true;
}

static bool skipped(const struct reader *r, const struct trace_frame *f)
{
	return r->skip > f->first + f->accesses;
}

/* A frame that is to be skipped, and that has no calls, need not be looked at. */
static bool pass_over(struct reader *r, const struct trace_frame *f)
{
	if (!skipped(r, f) || f->calls || !get(r, r->stored, f->stored))
		return false;
	r->totals_accesses += f->accesses;
	return true;
}

/* Takes the next frame. false: the end, or an error. */
static bool next_frame(struct reader *r)
{
	struct trace_frame f;

	do {
		if (!read_frame_header(r, &f))
			return false;
		if (f.type == TRACE_END) {
			if (read_frame_body(r, &f))
				check_end(r, &f);
			return false;
		}
		if (f.type != TRACE_EVENTS || f.first != r->totals_accesses || !f.codes)
			return trace_wrong(r,
					   "the frame at byte %llu does not follow the one before it: parts of the "
					   "trace are missing; copy or "
					   "record it again",
					   (unsigned long long)r->frame_at);
	} while (pass_over(r, &f));
	if (!read_frame_body(r, &f))
		return false;
	trace_decode_begin(r, &f);
	return true;
}

static bool next(struct lab_source *s, struct lab_batch *b)
{
	struct reader *r = reader(s);

	b->events = b->calls = 0;
	while (!r->ended && !r->error.text[0]) {
		if (!r->left) {
			if (r->loaded && !trace_decode_end(r))
				return false;
			r->loaded = false;
			if (!next_frame(r))
				break;
			r->loaded = true;
			if (r->skip && !skipped(r, &r->frame)) { /* the stream begins here */
				b->event[b->events++] = (struct lab_event){ .addr = r->frame.code, .kind = LAB_FETCH };
				r->skip = 0;
			}
		}
		if (!trace_decode(r, b))
			return false;
		if (r->skip)
			trace_keep_calls(b);
		if (b->events >= LAB_BATCH_EVENTS / 2 || b->calls == LAB_BATCH_CALLS)
			return true;
	}
	return b->events > 0;
}

static const char *error_of(struct lab_source *s)
{
	return reader(s)->error.text[0] ? reader(s)->error.text : NULL;
}

static void close_source(struct lab_source *s)
{
	struct reader *r = reader(s);

	if (r->in && r->in != stdin)
		fclose(r->in);
	ZSTD_freeDCtx(r->zstd);
	free(r->path);
	free(r->notes);
	free(r);
}

static const struct lab_source_ops ops = { next, error_of, close_source };

static bool read_notes(struct reader *r)
{
	struct trace_frame f;

	if (!read_frame_header(r, &f) || !read_frame_body(r, &f))
		return false;
	if (f.type != TRACE_NOTES)
		return trace_wrong(
			r,
			"the frame at byte %llu should hold the notes: the trace is damaged; copy or record it again",
			(unsigned long long)r->frame_at);
	r->notes = malloc(f.raw + 1);
	if (!r->notes)
		return trace_wrong(r, "no memory");
	memcpy(r->notes, r->raw, f.raw);
	r->notes[f.raw] = 0;
	return true;
}

/* Where the file can be sought in: the end mark's count, for progress. Whatever is wrong there is found out later. */
static void peek_at_end(struct reader *r)
{
	long here = ftell(r->in);
	uint8_t head[TRACE_HEADER_BYTES];

	if (here < 0)
		return;
	while (fread(head, 1, sizeof(head), r->in) == sizeof(head) && !memcmp(head, TRACE_FRAME_MAGIC, 4) &&
	       trace_header_sum(head) == trace_get(head + 60, 4)) {
		if (trace_get(head + 4, 4) == TRACE_END) {
			r->source.accesses = trace_get(head + 24, 8);
			break;
		}
		if (fseek(r->in, (long)trace_get(head + 8, 4), SEEK_CUR))
			break;
	}
	if (fseek(r->in, here, SEEK_SET))
		trace_wrong(r, "seeking failed: %s", strerror(errno));
}

struct lab_source *lab_trace_open(const char *path, struct lab_error *error)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (!r) {
		lab_fail(error, "no memory for reading %s", path);
		return NULL;
	}
	r->source.ops = &ops;
	trace_decode_init(r);
	r->path = strdup(strcmp(path, "-") ? path : "standard input");
	r->zstd = ZSTD_createDCtx();
	r->in = strcmp(path, "-") ? fopen(path, "rb") : stdin;
	if (!r->path || !r->zstd)
		lab_fail(&r->error, "no memory for reading %s", path);
	else if (!r->in)
		trace_wrong(r, "cannot be opened: %s", strerror(errno));
	else if (read_header(r) && read_notes(r))
		peek_at_end(r);
	if (r->error.text[0]) {
		lab_fail(error, "%s", r->error.text);
		close_source(&r->source);
		return NULL;
	}
	r->source.implicit_mappings = strstr(r->notes, "mappings: all\n") == NULL;
	return &r->source;
}

const char *lab_trace_notes(const struct lab_source *s) { return ((const struct reader *)s)->notes; }
uint64_t lab_trace_bytes(const struct lab_source *s) { return ((const struct reader *)s)->at; }
void lab_trace_skip(struct lab_source *s, uint64_t accesses) { reader(s)->skip = accesses; }
