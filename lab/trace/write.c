/* lab/trace/write.c - events into a trace file. */
#include <errno.h>
#include <stdlib.h>
#include <zstd.h>

#include "lab/trace/trace.h"
#include "lab/trace/format.h"

const char *const lab_call_name[LAB_CALLS] = {
	"switch", "mmap", "munmap", "mprotect", "brk",	   "madvise",
	"mremap", "fork", "exec",   "exit",	"syscall", "measure",
};

/* One frame in the making: the planes of its codes, and what does not fit into them. */
struct frame {
	uint8_t op[TRACE_FRAME_CODES], slot[TRACE_FRAME_CODES], low[TRACE_FRAME_CODES], high[TRACE_FRAME_CODES];
	uint8_t misc[TRACE_MISC_BYTES + TRACE_CALL_BYTES];
	unsigned codes, misc_used;
	struct trace_frame head;
};

struct lab_writer {
	FILE *out;
	ZSTD_CCtx *zstd;
	int level;
	int failed; /* errno of what failed first; 0: nothing has */
	uint64_t bytes;
	struct lab_trace_totals totals;
	/* The event that may still get fetches. */
	struct lab_event held;
	struct lab_call held_call;
	bool holding;
	/* What runs, and where its code is. */
	uint32_t process, thread;
	uint64_t code;
	bool code_known;
	/* The state of the frame's encoding. */
	bool kernel;
	uint64_t page[TRACE_SLOTS]; /* address of the page that a slot means */
	uint64_t filled;            /* the latest fill's */
	struct frame frame;
	uint8_t raw[TRACE_RAW_MAX], stored[TRACE_STORED_MAX];
};

void lab_totals_add(struct lab_trace_totals *t, const struct lab_event *e, const struct lab_call *calls)
{
	t->accesses += lab_event_accesses(e);
	t->fetches += e->fetches;
	switch (e->kind) {
	case LAB_READ: t->reads++; break;
	case LAB_WRITE: t->writes++; break;
	case LAB_FETCH: t->code_pages++; break;
	default: t->calls[calls[e->addr].kind]++; break;
	}
	if (e->kind <= LAB_WRITE)
		t->kernel += e->kernel;
}

static void put(struct lab_writer *w, const void *data, size_t bytes)
{
	errno = 0;
	if (!w->failed && fwrite(data, 1, bytes, w->out) != bytes)
		w->failed = errno ? errno : EIO;
	w->bytes += bytes;
}

/* ---- frames ---- */

static void put_frame(struct lab_writer *w, const struct trace_frame *f, const void *raw)
{
	uint8_t head[TRACE_HEADER_BYTES] = TRACE_FRAME_MAGIC;
	size_t stored = ZSTD_compress2(w->zstd, w->stored, sizeof(w->stored), raw, f->raw);

	if (ZSTD_isError(stored)) {
		w->failed = w->failed ? w->failed : ENOMEM;
		return;
	}
	trace_put(head + 4, f->type, 4);
	trace_put(head + 8, stored, 4);
	trace_put(head + 12, f->raw, 4);
	trace_put(head + 16, f->codes, 4);
	trace_put(head + 20, f->calls, 4);
	trace_put(head + 24, f->first, 8);
	trace_put(head + 32, f->accesses, 8);
	trace_put(head + 40, f->process, 4);
	trace_put(head + 44, f->thread, 4);
	trace_put(head + 48, f->code, 8);
	trace_put(head + 56, f->flags, 4);
	trace_put(head + 60, trace_header_sum(head), 4);
	put(w, head, sizeof(head));
	put(w, w->stored, stored);
}

static void begin_frame(struct lab_writer *w)
{
	w->frame.codes = w->frame.misc_used = 0;
	w->frame.head = (struct trace_frame){
		.type = TRACE_EVENTS,
		.first = w->totals.accesses,
		.process = w->process,
		.thread = w->thread,
		.code = w->code,
	};
	memset(w->page, 0, sizeof(w->page));
	w->filled = 0;
	w->kernel = false;
}

static void end_frame(struct lab_writer *w)
{
	struct frame *f = &w->frame;
	unsigned n = f->codes;

	if (!n)
		return;
	memcpy(w->raw, f->op, n);
	memcpy(w->raw + n, f->slot, n);
	memcpy(w->raw + 2 * n, f->low, n);
	memcpy(w->raw + 3 * n, f->high, n);
	memcpy(w->raw + 4 * n, f->misc, f->misc_used);
	f->head.codes = n;
	f->head.raw = 4 * n + f->misc_used;
	f->head.accesses = w->totals.accesses - f->head.first;
	put_frame(w, &f->head, w->raw);
	begin_frame(w);
}

/* ---- codes ---- */

static void code(struct lab_writer *w, unsigned kind, unsigned low_bits, unsigned slot, unsigned offset, unsigned size)
{
	struct frame *f = &w->frame;

	f->op[f->codes] = (uint8_t)(kind << 6 | low_bits);
	f->slot[f->codes] = (uint8_t)slot;
	f->low[f->codes] = (uint8_t)offset;
	f->high[f->codes++] = (uint8_t)(offset >> 8 | size << 4);
}

static void varint(struct lab_writer *w, uint64_t value)
{
	struct frame *f = &w->frame;

	for (; value >= 128; value >>= 7)
		f->misc[f->misc_used++] = (uint8_t)(value | 128);
	f->misc[f->misc_used++] = (uint8_t)value;
}

static unsigned slot_of(struct lab_writer *w, uint64_t page)
{
	unsigned slot = (unsigned)((page >> 12) * 0x9e3779b97f4a7c15ull >> 56);
	int64_t delta;

	if (w->page[slot] == page)
		return slot;
	delta = ((int64_t)page >> 12) - ((int64_t)w->filled >> 12);
	code(w, LAB_CALL, TRACE_FILL, slot, 0, 0);
	varint(w, (uint64_t)delta << 1 ^ (uint64_t)(delta >> 63));
	w->page[slot] = w->filled = page;
	return slot;
}

static unsigned size_code(unsigned size)
{
	unsigned c = 15;

	if (size > 255)
		return 0;
	while (trace_sizes[c] > size)
		c--;
	return c;
}

static void put_call(struct lab_writer *w, const struct lab_call *c)
{
	code(w, LAB_CALL, TRACE_CALL, 0, 0, 0);
	varint(w, c->kind);
	varint(w, c->prot);
	varint(w, c->flags);
	varint(w, c->process);
	varint(w, c->thread);
	varint(w, c->file);
	varint(w, c->addr);
	varint(w, c->length);
	varint(w, c->to);
	varint(w, c->to_length);
	varint(w, c->offset);
	w->frame.head.calls++;
	if (c->kind == LAB_SWITCH) {
		w->process = c->process;
		w->thread = c->thread;
	}
}

/* At most four codes. */
static void put_event(struct lab_writer *w, const struct lab_event *e, const struct lab_call *call)
{
	unsigned fetches = e->fetches, slot;

	if (w->frame.codes + 4 > TRACE_FRAME_CODES || w->frame.misc_used + TRACE_CALL_BYTES > TRACE_MISC_BYTES)
		end_frame(w);
	if (fetches > TRACE_FETCHES_MAX || (fetches && e->kind == LAB_CALL)) {
		unsigned here = e->kind == LAB_CALL ? 0 : TRACE_FETCHES_MAX;

		code(w, LAB_CALL, TRACE_EXTRA, 0, 0, 0);
		varint(w, fetches - here);
		fetches = here;
	}
	if (e->kind == LAB_CALL) {
		put_call(w, call);
	} else {
		if (e->kind == LAB_FETCH)
			w->code = e->addr;
		else if (w->kernel != e->kernel)
			code(w, LAB_CALL, (w->kernel = e->kernel) ? TRACE_KERNEL : TRACE_USER, 0, 0, 0);
		slot = slot_of(w, e->addr & ~0xfffull);
		code(w, e->kind, fetches, slot, e->addr & 0xfff, size_code(e->size));
	}
	lab_totals_add(&w->totals, &(struct lab_event){ .kind = e->kind, .fetches = e->fetches, .kernel = e->kernel },
		       call);
}

static void flush_held(struct lab_writer *w)
{
	bool held = w->holding;

	w->holding = false;
	if (held)
		lab_writer_event(w, &w->held, &w->held_call);
}

static void hold(struct lab_writer *w, struct lab_event e)
{
	flush_held(w);
	w->held = e;
	w->holding = true;
}

/* ---- for all to use ---- */

int lab_level(const char *text)
{
	char *end;
	long level = strtol(text, &end, 10);

	return *end || level < 0 || level > 100 ? 0 : (int)level;
}

struct lab_writer *lab_writer_open(FILE *out, const char *notes, int level)
{
	struct lab_writer *w = calloc(1, sizeof(*w));
	uint8_t head[TRACE_HEADER_BYTES] = TRACE_MAGIC;
	struct trace_frame f = { .type = TRACE_NOTES };
	size_t length = strnlen(notes, TRACE_MISC_BYTES);

	if (!w)
		return NULL;
	w->out = out;
	w->zstd = ZSTD_createCCtx();
	if (!w->zstd) {
		free(w);
		return NULL;
	}
	ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, level);
	ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_checksumFlag, 1);
	trace_put(head + 8, LAB_TRACE_MAJOR, 2);
	trace_put(head + 10, LAB_TRACE_MINOR, 2);
	trace_put(head + 12, TRACE_HEADER_BYTES, 4);
	trace_put(head + 60, trace_header_sum(head), 4);
	put(w, head, sizeof(head));
	f.raw = (uint32_t)length;
	put_frame(w, &f, notes);
	begin_frame(w);
	return w;
}

void lab_writer_access(struct lab_writer *w, enum lab_kind kind, uint64_t addr, unsigned size, bool kernel)
{
	unsigned room = 4096 - (addr & 0xfff);

	for (; size > room; addr += room, size -= room, room = 4096)
		hold(w, (struct lab_event){
				.addr = addr, .kind = kind, .size = room > 255 ? 0 : (uint8_t)room, .kernel = kernel });
	hold(w, (struct lab_event){
			.addr = addr, .kind = kind, .size = size > 255 ? 0 : (uint8_t)size, .kernel = kernel });
}

void lab_writer_fetch(struct lab_writer *w, uint64_t addr, unsigned count)
{
	if (w->holding && w->code_known && (w->code ^ addr) >> 12 == 0 &&
	    w->held.fetches + (uint64_t)count < 1u << 30) {
		w->held.fetches += count;
		return;
	}
	hold(w, (struct lab_event){ .addr = addr, .kind = LAB_FETCH, .fetches = count });
	w->code = addr;
	w->code_known = true;
}

void lab_writer_call(struct lab_writer *w, const struct lab_call *call)
{
	hold(w, (struct lab_event){ .kind = LAB_CALL });
	w->held_call = *call;
	if (call->kind == LAB_SWITCH || call->kind == LAB_EXEC)
		w->code_known = false;
}

void lab_writer_event(struct lab_writer *w, const struct lab_event *e, const struct lab_call *calls)
{
	flush_held(w);
	put_event(w, e, e->kind == LAB_CALL ? &calls[e->addr] : NULL);
}

const struct lab_trace_totals *lab_writer_totals(const struct lab_writer *w) { return &w->totals; }
uint64_t lab_writer_bytes(const struct lab_writer *w) { return w->bytes; }

bool lab_writer_close(struct lab_writer *w)
{
	struct trace_frame f = { .type = TRACE_END };
	uint8_t totals[8 * (6 + LAB_CALLS)];
	const struct lab_trace_totals *t = &w->totals;
	const uint64_t head[6] = { t->accesses, t->reads, t->writes, t->fetches, t->code_pages, t->kernel };
	int failed;

	flush_held(w);
	end_frame(w);
	for (unsigned i = 0; i < 6 + LAB_CALLS; i++)
		trace_put(totals + 8 * i, i < 6 ? head[i] : t->calls[i - 6], 8);
	f.raw = sizeof(totals);
	f.first = t->accesses;
	put_frame(w, &f, totals);
	if (fflush(w->out) && !w->failed)
		w->failed = errno;
	failed = w->failed;
	ZSTD_freeCCtx(w->zstd);
	free(w);
	errno = failed;
	return !failed;
}
