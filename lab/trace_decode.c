/* lab/trace_decode.c - the codes of one frame into events. The loop over accesses has one branch for all that is not an access;
 * at two nanoseconds an access there is no room for more. */
#include "lab/trace_inside.h"

_Static_assert(sizeof(struct lab_event) == 16, "an event is two words");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "an event's second word is put together by shifts");
enum { EVENT_KIND = 32, EVENT_SIZE = 40, EVENT_KERNEL = 48 };

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
	r->filled = r->frame_accesses = 0;
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
	return trace_wrong(r, "the frame at byte %llu breaks off in a number: its maker was faulty", (unsigned long long)r->frame_at);
}

static bool canonical(uint64_t addr)
{
	return (uint64_t)((int64_t)(addr << 7) >> 7) == addr;
}

static bool nonsense(struct reader *r, const char *what)
{
	return trace_wrong(r, "the frame at byte %llu holds %s: its maker was faulty", (unsigned long long)r->frame_at, what);
}

static bool fill(struct reader *r, unsigned slot)
{
	uint64_t delta, page;

	if (!varint(r, &delta))
		return false;
	page = r->filled + (((delta >> 1) ^ -(delta & 1)) << 12);
	if (!canonical(page))
		return nonsense(r, "an address that no program can have");
	r->filled = r->page[slot] = page;
	return true;
}

/* What a machine or a guest OS could stumble over. */
static bool sane(const struct lab_call *c)
{
	bool range = c->kind >= LAB_MMAP && c->kind <= LAB_MREMAP && c->kind != LAB_BRK;

	if (!canonical(c->addr) || !canonical(c->to) || (c->kind != LAB_BRK && (c->addr & 0xfff)) || (c->to & 0xfff))
		return false;
	if (c->length >> 57 || c->to_length >> 57)
		return false;
	return !range || (canonical(c->addr + c->length) && canonical(c->to + c->to_length));
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
		.kind = (uint8_t)v[0], .prot = (uint8_t)v[1], .flags = (uint16_t)v[2], .process = (uint32_t)v[3],
		.thread = (uint32_t)v[4], .file = (uint32_t)v[5], .addr = v[6], .length = v[7], .to = v[8], .to_length = v[9],
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
		return fill(r, slot);
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
static uint32_t accesses(struct reader *r, struct lab_batch *b, uint32_t n)
{
	const uint8_t *op = r->op, *slot = r->slot, *low = r->low, *high = r->high;
	struct lab_event *out = &b->event[b->events];
	uint64_t mode = r->mode, extra = r->extra, sum = 0, own = 0;
	uint32_t i;

	for (i = 0; i < n && op[i] < LAB_CALL << 6; i++) {
		uint64_t fetches = (op[i] & TRACE_FETCHES_MAX) + extra, kind = op[i] >> 6, event[2];

		extra = 0;
		sum += fetches;
		own += kind < LAB_FETCH;
		event[0] = r->page[slot[i]] + (low[i] | (high[i] & 15u) << 8);
		event[1] = fetches | kind << EVENT_KIND | (uint64_t)trace_sizes[high[i] >> 4] << EVENT_SIZE | mode;
		memcpy(&out[i], event, sizeof(event));
	}
	r->extra = (uint32_t)extra;
	r->frame_accesses += sum + own;
	b->events += i;
	return i;
}

bool trace_decode(struct reader *r, struct lab_batch *b)
{
	while (r->left && b->events < LAB_BATCH_EVENTS && b->calls < LAB_BATCH_CALLS) {
		uint32_t room = LAB_BATCH_EVENTS - b->events;
		uint32_t n = accesses(r, b, r->left < room ? r->left : room);

		if (n < r->left && b->events < LAB_BATCH_EVENTS) {
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
