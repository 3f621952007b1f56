/* lab/trace/decode.c - the codes of one frame into events. The loop over accesses has one branch for all that is not an
 * access; at two nanoseconds an access there is no room for more. */
#include "lab/trace/inside.h"

_Static_assert(sizeof(struct lab_event) == 16, "an event is two words");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "an event's second word is put together by shifts");
enum { EVENT_KIND = 32, EVENT_SIZE = 40, EVENT_KERNEL = 48 };

void trace_decode_init(struct reader *r)
{
	for (unsigned i = 0; i < 256; i++) {
		r->of_op[i] = (i & TRACE_FETCHES_MAX) | (uint64_t)(i >> 6) << EVENT_KIND;
		r->of_high[i] = (uint64_t)trace_sizes[i >> 4] << EVENT_SIZE;
	}
}

/* Of all codes that are accesses or changes of the code page, without what special codes add. */
static uint64_t count_accesses(const uint8_t *op, uint32_t n)
{
	uint64_t all = 0;

	for (uint32_t at = 0; at < n;) {
		uint32_t stop = n - at < 1024 ? n : at + 1024, fetches = 0, own = 0;

		for (; at < stop; at++) {
			fetches += op[at] < LAB_CALL << 6 ? op[at] & TRACE_FETCHES_MAX : 0;
			own += op[at] < LAB_FETCH << 6;
		}
		all += fetches + own;
	}
	return all;
}

void trace_decode_begin(struct reader *r, const struct trace_frame *f)
{
	r->frame = *f;
	r->op = r->raw;
	r->slot = r->op + f->codes;
	r->low = r->slot + f->codes;
	r->high = r->low + f->codes;
	r->misc = r->high + f->codes;
	r->misc_end = r->raw + f->raw;
	r->left = f->codes;
	r->extra = r->calls = 0;
	r->mode = 0;
	r->filled = 0;
	r->frame_accesses = count_accesses(r->op, f->codes);
	memset(r->page, 0, sizeof(r->page));
}

bool trace_decode_end(struct reader *r)
{
	if (r->frame_accesses != r->frame.accesses || r->calls != r->frame.calls || r->misc != r->misc_end || r->extra)
		return trace_wrong(r, "the frame at byte %llu does not hold what its header says: its maker was faulty",
				   (unsigned long long)r->frame_at);
	r->totals_accesses += r->frame_accesses;
	return true;
}

static bool varint(struct reader *r, uint64_t *value)
{
	*value = 0;
	for (unsigned shift = 0; shift < 64 && r->misc < r->misc_end; shift += 7) {
		uint8_t byte = *r->misc++;

		*value |= (uint64_t)(byte & 127) << shift;
		if (byte < 128)
			return true;
	}
	return trace_wrong(r, "the frame at byte %llu breaks off in a number: its maker was faulty",
			   (unsigned long long)r->frame_at);
}

static bool nonsense(struct reader *r, const char *what)
{
	return trace_wrong(r, "the frame at byte %llu holds %s: its maker was faulty", (unsigned long long)r->frame_at,
			   what);
}

static bool read_fill(struct reader *r, unsigned slot)
{
	uint64_t delta, page;

	if (!varint(r, &delta))
		return false;
	page = r->filled + (((delta >> 1) ^ -(delta & 1)) << 12);
	if (!trace_canonical(page))
		return nonsense(r, "an address that no program can have");
	r->filled = r->page[slot] = page;
	return true;
}

/* What a machine or a guest OS could stumble over. */
static bool sane(const struct lab_call *c)
{
	bool range = c->kind >= LAB_MMAP && c->kind <= LAB_MREMAP && c->kind != LAB_BRK;

	if (!trace_canonical(c->addr) || !trace_canonical(c->to) || (c->kind != LAB_BRK && (c->addr & 0xfff)) ||
	    (c->to & 0xfff))
		return false;
	if (c->length >> 57 || c->to_length >> 57)
		return false;
	return !range || (trace_canonical(c->addr + c->length) && trace_canonical(c->to + c->to_length));
}

static bool call(struct reader *r, struct lab_batch *b)
{
	uint64_t v[11];
	struct lab_call *c = &b->call[b->calls];

	for (unsigned i = 0; i < 11; i++)
		if (!varint(r, &v[i]))
			return false;
	if (v[0] >= LAB_CALLS || v[1] > 255 || v[2] > 65535 || v[3] >> 20 || v[4] >> 32 || v[5] >> 32)
		return nonsense(r, "a call that there is not");
	*c = (struct lab_call){
		.kind = (uint8_t)v[0],
		.prot = (uint8_t)v[1],
		.flags = (uint16_t)v[2],
		.process = (uint32_t)v[3],
		.thread = (uint32_t)v[4],
		.file = (uint32_t)v[5],
		.addr = v[6],
		.length = v[7],
		.to = v[8],
		.to_length = v[9],
		.offset = v[10],
	};
	if (!sane(c))
		return nonsense(r, "a call with an impossible address or length");
	b->event[b->events++] = (struct lab_event){ .addr = b->calls++, .kind = LAB_CALL, .fetches = r->extra };
	r->frame_accesses += r->extra;
	r->extra = 0;
	r->calls++;
	return true;
}

static bool special(struct reader *r, struct lab_batch *b, unsigned what, unsigned slot)
{
	uint64_t value;

	switch (what) {
	case TRACE_FILL:
		return read_fill(r, slot);
	case TRACE_EXTRA:
		if (!varint(r, &value))
			return false;
		if (value >> 30 || r->extra)
			return nonsense(r, "too many fetches in one event");
		r->extra = (uint32_t)value;
		return true;
	case TRACE_CALL:
		return call(r, b);
	case TRACE_USER:
		r->mode = 0;
		return true;
	case TRACE_KERNEL:
		r->mode = 1ull << EVENT_KERNEL;
		return true;
	default:
		return nonsense(r, "a code that there is not");
	}
}

/* Accesses and changes of the code page, up to the next special code. Returns how many codes were taken. */
static uint32_t accesses(struct reader *r, struct lab_event *out, uint32_t n)
{
	const uint8_t *op = r->op, *slot = r->slot, *low = r->low, *high = r->high;
	const uint64_t *page = r->page, *of_op = r->of_op, *of_high = r->of_high;
	uint64_t mode = r->mode;
	uint32_t i;

	for (i = 0; i < n && op[i] < LAB_CALL << 6; i++) {
		const uint64_t event[2] = {
			page[slot[i]] + (low[i] | (high[i] & 15u) << 8),
			of_op[op[i]] | of_high[high[i]] | mode,
		};

		memcpy(&out[i], event, sizeof(event));
	}
	return i;
}

bool trace_decode(struct reader *r, struct lab_batch *b)
{
	while (r->left && b->events < LAB_BATCH_EVENTS && b->calls < LAB_BATCH_CALLS) {
		uint32_t room = r->extra ? 1 : LAB_BATCH_EVENTS - b->events;
		uint32_t n = accesses(r, &b->event[b->events], r->left < room ? r->left : room);

		b->events += n;
		if (n && r->extra) {
			b->event[b->events - 1].fetches += r->extra;
			r->frame_accesses += r->extra;
			r->extra = 0;
		} else if (n < r->left && b->events < LAB_BATCH_EVENTS) {
			if (!special(r, b, r->op[n] & TRACE_FETCHES_MAX, r->slot[n]))
				return false;
			n++;
		}
		r->op += n;
		r->slot += n;
		r->low += n;
		r->high += n;
		r->left -= n;
	}
	return true;
}

void trace_keep_calls(struct lab_batch *b)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < b->events; i++) {
		if (b->event[i].kind != LAB_CALL)
			continue;
		b->event[kept] = b->event[i];
		b->event[kept++].fetches = 0;
	}
	b->events = kept;
}
