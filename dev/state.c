#include "dev/state.h"

#include "lib/mutants/mutate.h"

/* Before a section: its name, its version, how many bytes follow. */
#define HEADER (STATE_NAME_MAX + 1 + 2 + 4)

static void fail(struct fields *s, const char *what)
{
	if (s->bad)
		return;
	s->bad = true;
	s->why = what;
	s->where = s->name;
}

void state_save(struct fields *s, uint8_t *bytes, size_t size)
{
	*s = (struct fields){ .bytes = bytes, .size = size };
}

void state_load(struct fields *s, const uint8_t *bytes, size_t size, uint64_t shift)
{
	*s = (struct fields){ .bytes = (uint8_t *)(uintptr_t)bytes, .size = size, .end = size, .load = true,
			     .shift = shift };
}

/* Where the next n bytes are; NULL: there are not so many, or it is bad already. */
static uint8_t *next_bytes(struct fields *s, size_t n)
{
	size_t end = s->load ? s->end : s->size;
	uint8_t *p = s->bytes + s->at;

	if (s->bad)
		return NULL;
	if (VM_KEPT(STATE_ENDS, n > end - s->at)) {
		fail(s, s->load ? "too little stands" : "there is no room");
		return NULL;
	}
	s->at += n;
	return p;
}

static uint64_t get_number(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | p[n];
	return v;
}

static void put_number(uint8_t *p, unsigned n, uint64_t v)
{
	for (unsigned i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

/* true: *v was read. */
static bool number(struct fields *s, unsigned n, uint64_t *v)
{
	uint8_t *p = next_bytes(s, n);

	if (!p)
		return false;
	if (s->load)
		*v = get_number(p, n);
	else
		put_number(p, n, *v);
	return s->load;
}

/* ---- sections ---- */

void state_begin(struct fields *s, const char *name, uint16_t version)
{
	size_t length = strlen(name);
	uint64_t known = version, bytes = 0;
	uint8_t *p;

	BUG_ON(s->name || length > STATE_NAME_MAX);
	s->end = s->size;
	s->section = s->at;
	s->name = name;
	s->version = version;
	p = next_bytes(s, STATE_NAME_MAX + 1);
	if (p && !s->load) {
		memset(p, 0, STATE_NAME_MAX + 1);
		memcpy(p, name, length);
	}
	if (p && VM_KEPT(STATE_NAME, s->load && (memcmp(p, name, length) || p[length])))
		fail(s, "stands something else");
	number(s, 2, &known);
	number(s, 4, &bytes);
	s->version = (uint16_t)known;
	state_check(s, VM_LEFT_OUT_OR(STATE_VERSION, s->version <= version), "a newer version stands");
	if (state_check(s, VM_LEFT_OUT_OR(STATE_LENGTH, bytes <= s->size - s->at), "more is promised than stands"))
		s->end = s->at + bytes;
}

void state_end(struct fields *s)
{
	if (!s->bad && !s->load)
		put_number(s->bytes + s->section + HEADER - 4, 4, s->at - s->section - HEADER);
	state_check(s, VM_LEFT_OUT_OR(STATE_REST, s->at == s->end), "more stands than belongs there");
	s->name = NULL;
	s->end = s->size;
}

void state_done(struct fields *s)
{
	state_check(s, s->at == s->size, "more stands behind its last section");
}

/* ---- fields ---- */

void state_bytes(struct fields *s, void *p, size_t n)
{
	uint8_t *at = next_bytes(s, n);

	if (at && s->load)
		memcpy(p, at, n);
	else if (at)
		memcpy(at, p, n);
}

void state_u8(struct fields *s, uint8_t *v)
{
	uint64_t n = *v;

	if (number(s, 1, &n))
		*v = (uint8_t)n;
}

void state_u16(struct fields *s, uint16_t *v)
{
	uint64_t n = *v;

	if (number(s, 2, &n))
		*v = (uint16_t)n;
}

void state_u32(struct fields *s, uint32_t *v)
{
	uint64_t n = *v;

	if (number(s, 4, &n))
		*v = (uint32_t)n;
}

void state_u64(struct fields *s, uint64_t *v)
{
	uint64_t n = *v;

	if (number(s, 8, &n))
		*v = n;
}

void state_unsigned(struct fields *s, unsigned *v)
{
	uint64_t n = *v;

	if (number(s, 4, &n))
		*v = (unsigned)n;
}

void state_int(struct fields *s, int *v)
{
	uint64_t n = (uint32_t)*v;

	if (number(s, 4, &n))
		*v = (int)(uint32_t)n;
}

void state_bool(struct fields *s, bool *v)
{
	uint64_t n = *v;

	if (!number(s, 1, &n))
		return;
	if (state_check(s, VM_LEFT_OUT_OR(STATE_BOOL, n <= 1), "something is neither yes nor no"))
		*v = n == 1;
}

void state_time(struct fields *s, uint64_t *v)
{
	uint64_t n = *v;

	if (number(s, 8, &n))
		*v = VM_LEFT_OUT_OR(STATE_SHIFT, false) ? n : n + s->shift;
}

void state_same(struct fields *s, uint64_t v, const char *what)
{
	uint64_t n = v;

	if (number(s, 8, &n))
		state_check(s, VM_LEFT_OUT_OR(STATE_SAME, n == v), what);
}

bool state_check(struct fields *s, bool holds, const char *what)
{
	if (s->load && !s->bad && !holds)
		fail(s, what);
	return !s->load || !s->bad;
}
