/* What the compiler tells of each access, and how it is undone. */
#include "test/oracle/explore/footprint.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base.h"

/* The linker has these called in the place of the library's (--wrap). */
#define REAL(type, name, ...) \
	extern type __real_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__)
REAL(void *, memcpy, void *, const void *, size_t);
REAL(void *, memmove, void *, const void *, size_t);
REAL(void *, memset, void *, int, size_t);
REAL(int, memcmp, const void *, const void *, size_t);
REAL(void *, malloc, size_t);
REAL(void *, calloc, size_t, size_t);
REAL(void *, realloc, void *, size_t);
REAL(void, free, void *);

#define RANGES 64u
#define WORDS (1u << 16)
#define ARENA (64u << 20)

struct range { uintptr_t from, to; bool kept; };

static struct range private[RANGES], left_out[RANGES];
static unsigned privates, left_outs;
static bool recording, undoing, quiet;

/* The step under way: words by hash, as long as they are of this generation. */
static struct { uint64_t word; uint32_t generation, number; } seen[WORDS];
static struct touch touch[WORDS / 2];
static uint32_t touches, generation = 1;

/* What was there, the latest last: the bytes, then where they belong and how many they are. */
static uint8_t *log_bytes;
static size_t log_size, log_room;

/* Memory that is taken meanwhile. */
static uint8_t *arena;
static size_t arena_used;

static uint32_t hash_of(uint64_t word) { return (uint32_t)((word * 0x9e3779b97f4a7c15ull) >> 40); }

/* Those of a word's bytes that nothing depends on. */
static uint8_t bytes_left_out(uint64_t word)
{
	uintptr_t at = word << 3;
	uint8_t bytes = 0;

	for (unsigned i = 0; i < left_outs; i++)
		for (unsigned k = 0; k < 8 && at + 8 > left_out[i].from && at < left_out[i].to; k++)
			if (at + k >= left_out[i].from && at + k < left_out[i].to)
				bytes |= (uint8_t)(1u << k);
	return bytes;
}

static bool in(const struct range *r, unsigned count, uintptr_t at)
{
	for (unsigned i = 0; i < count; i++)
		if (at >= r[i].from && at < r[i].to)
			return true;
	return false;
}

static void add(struct range *list, unsigned *count, const void *at, size_t size, bool kept)
{
	BUG_ON(*count == RANGES);
	list[(*count)++] = (struct range){ (uintptr_t)at, (uintptr_t)at + size, kept };
}

void footprint_private(const void *at, size_t size) { add(private, &privates, at, size, true); }
void footprint_leave_out(const void *at, size_t size, bool kept) { add(left_out, &left_outs, at, size, kept); }
void footprint_forget_ranges(void) { privates = left_outs = 0; }
void footprint_record(bool on) { recording = on; }

bool footprint_quiet(bool now)
{
	bool before = quiet;

	quiet = now;
	return before;
}

/* ---- what a step touches ---- */

static void note_word(uint64_t word, uint8_t bytes, bool write)
{
	uint32_t h = hash_of(word) & (WORDS - 1);

	while (seen[h].generation == generation && seen[h].word != word)
		h = (h + 1) & (WORDS - 1);
	if (seen[h].generation != generation) {
		BUG_ON(touches == ARRAY_SIZE(touch));
		seen[h].generation = generation;
		seen[h].word = word;
		seen[h].number = touches;
		touch[touches++] = (struct touch){ .word = word };
	}
	if (write)
		touch[seen[h].number].written |= bytes;
	else
		touch[seen[h].number].read |= bytes;
}

static void note(uintptr_t at, size_t size, bool write)
{
	while (size) {
		unsigned from = at & 7, n = 8 - from < size ? 8 - from : (unsigned)size;

		note_word(at >> 3, (uint8_t)(((1u << n) - 1) << from), write);
		at += n;
		size -= n;
	}
}

void footprint_touch(const void *at, size_t size, bool write)
{
	if (recording)
		note((uintptr_t)at, size, write);
}

void footprint_take(struct footprint *f)
{
	uint32_t slots = 16;

	while (slots < 2 * touches)
		slots *= 2;
	if (f->room < touches) {
		f->room = touches;
		f->touch = __real_realloc(f->touch, touches * sizeof(*touch));
	}
	if (f->slots < slots)
		f->slot = __real_realloc(f->slot, slots * sizeof(*f->slot));
	BUG_ON((touches && !f->touch) || !f->slot);
	f->slots = slots;
	f->touches = 0;
	f->any = f->writes = 0;
	__real_memset(f->slot, 0, slots * sizeof(*f->slot));
	for (uint32_t i = 0; i < touches; i++) {
		uint32_t h = hash_of(touch[i].word);
		uint8_t left = bytes_left_out(touch[i].word);

		touch[i].read &= (uint8_t)~left;
		touch[i].written &= (uint8_t)~left;
		if (!(touch[i].read | touch[i].written))
			continue;
		f->touch[f->touches++] = touch[i];
		f->any |= BIT(h >> 16 & 63);
		if (touch[i].written)
			f->writes |= BIT(h >> 16 & 63);
		while (f->slot[h & (slots - 1)])
			h++;
		f->slot[h & (slots - 1)] = f->touches;
	}
	touches = 0;
	generation++;
}

void footprint_free(struct footprint *f)
{
	__real_free(f->touch);
	__real_free(f->slot);
	*f = (struct footprint){ 0 };
}

static const struct touch *find(const struct footprint *f, uint64_t word)
{
	for (uint32_t h = hash_of(word); f->slot[h & (f->slots - 1)]; h++)
		if (f->touch[f->slot[h & (f->slots - 1)] - 1].word == word)
			return &f->touch[f->slot[h & (f->slots - 1)] - 1];
	return NULL;
}

static bool writes_into(const struct footprint *a, const struct footprint *b, bool writes_only)
{
	if (!(a->writes & b->any))
		return false;
	for (uint32_t i = 0; i < a->touches; i++) {
		const struct touch *t = a->touch[i].written ? find(b, a->touch[i].word) : NULL;

		if (t && a->touch[i].written & (writes_only ? t->written : t->read | t->written))
			return true;
	}
	return false;
}

bool footprint_conflict(const struct footprint *a, const struct footprint *b, bool writes_only)
{
	return writes_into(a, b, writes_only) || writes_into(b, a, writes_only);
}

bool footprint_holds(const struct footprint *f, const void *at, size_t size, bool write)
{
	for (uintptr_t p = (uintptr_t)at; p < (uintptr_t)at + size; p++) {
		const struct touch *t = find(f, p >> 3);

		if (!t || !((write ? t->written : t->read) >> (p & 7) & 1))
			return false;
	}
	return true;
}

/* ---- how it is undone ---- */

static void keep(const void *at, size_t size)
{
	size_t need = log_size + size + sizeof(at) + sizeof(size);

	if (need > log_room) {
		log_room = need > 2 * log_room ? need + (1u << 20) : 2 * log_room;
		log_bytes = __real_realloc(log_bytes, log_room);
		BUG_ON(!log_bytes);
	}
	__real_memcpy(log_bytes + log_size, at, size);
	__real_memcpy(log_bytes + log_size + size, &at, sizeof(at));
	__real_memcpy(log_bytes + log_size + size + sizeof(at), &size, sizeof(size));
	log_size = need;
}

void undo_begin(void)
{
	if (!arena)
		arena = __real_malloc(ARENA);
	BUG_ON(!arena);
	undoing = true;
	log_size = arena_used = 0;
}

static bool is_kept(uintptr_t at)
{
	for (unsigned i = 0; i < left_outs; i++)
		if (left_out[i].kept && at >= left_out[i].from && at < left_out[i].to)
			return true;
	return false;
}

void undo_all(void)
{
	undoing = false;
	while (log_size) {
		uint8_t *at;
		size_t size;

		__real_memcpy(&size, log_bytes + log_size - sizeof(size), sizeof(size));
		__real_memcpy(&at, log_bytes + log_size - sizeof(size) - sizeof(at), sizeof(at));
		log_size -= size + sizeof(size) + sizeof(at);
		if (!is_kept((uintptr_t)at))
			__real_memcpy(at, log_bytes + log_size, size);
	}
	arena_used = 0;
}

/* ---- what the compiler calls ---- */

static inline void access(const void *at, size_t size, bool write)
{
	bool noted = recording & !quiet, kept = write & undoing;

	if (!(noted | kept) || in(private, privates, (uintptr_t)at))
		return;
	if (kept)
		keep(at, size);
	if (noted)
		note((uintptr_t)at, size, write);
}

#define ACCESS(n) \
	void __tsan_read##n(const void *); \
	void __tsan_write##n(void *); \
	void __tsan_unaligned_read##n(const void *); \
	void __tsan_unaligned_write##n(void *); \
	void __tsan_read##n(const void *p) { access(p, n, false); } \
	void __tsan_write##n(void *p) { access(p, n, true); } \
	void __tsan_unaligned_read##n(const void *p) { access(p, n, false); } \
	void __tsan_unaligned_write##n(void *p) { access(p, n, true); }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)

void __tsan_read_range(const void *, size_t);
void __tsan_write_range(void *, size_t);
void __tsan_init(void);
void __tsan_atomic_thread_fence(int);
void __tsan_read_range(const void *p, size_t n) { access(p, n, false); }
void __tsan_write_range(void *p, size_t n) { access(p, n, true); }
void __tsan_init(void) {}
void __tsan_atomic_thread_fence(int order) { (void)order; }

/* One actor runs at a time: order is no matter. */
#define ATOMIC(bits, type) \
	type __tsan_atomic##bits##_load(const volatile type *, int); \
	void __tsan_atomic##bits##_store(volatile type *, type, int); \
	type __tsan_atomic##bits##_exchange(volatile type *, type, int); \
	type __tsan_atomic##bits##_fetch_add(volatile type *, type, int); \
	type __tsan_atomic##bits##_fetch_sub(volatile type *, type, int); \
	type __tsan_atomic##bits##_fetch_or(volatile type *, type, int); \
	type __tsan_atomic##bits##_fetch_and(volatile type *, type, int); \
	type __tsan_atomic##bits##_compare_exchange_val(volatile type *, type, type, int, int); \
	type __tsan_atomic##bits##_load(const volatile type *p, int order) \
	{ \
		(void)order; \
		access((const void *)p, sizeof(type), false); \
		return *p; \
	} \
	void __tsan_atomic##bits##_store(volatile type *p, type v, int order) \
	{ \
		(void)order; \
		access((const void *)p, sizeof(type), true); \
		*p = v; \
	} \
	MODIFY(bits, type, exchange, v) \
	MODIFY(bits, type, fetch_add, old + v) \
	MODIFY(bits, type, fetch_sub, old - v) \
	MODIFY(bits, type, fetch_or, old | v) \
	MODIFY(bits, type, fetch_and, old & v) \
	type __tsan_atomic##bits##_compare_exchange_val(volatile type *p, type old, type v, int a, int b) \
	{ \
		type is = *p; \
		(void)a; \
		(void)b; \
		access((const void *)p, sizeof(type), false); \
		if (is == old) { \
			access((const void *)p, sizeof(type), true); \
			*p = v; \
		} \
		return is; \
	}
#define MODIFY(bits, type, name, now) \
	type __tsan_atomic##bits##_##name(volatile type *p, type v, int order) \
	{ \
		type old = *p; \
		(void)order; \
		access((const void *)p, sizeof(type), false); \
		access((const void *)p, sizeof(type), true); \
		*p = (type)(now); \
		return old; \
	}
ATOMIC(8, uint8_t)
ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)

static bool in_arena(const void *p) { return arena && (uint8_t *)p >= arena && (uint8_t *)p < arena + ARENA; }

void *__wrap_memcpy(void *to, const void *from, size_t n)
{
	access(from, n, false);
	access(to, n, true);
	return __real_memcpy(to, from, n);
}

void *__wrap_memmove(void *to, const void *from, size_t n)
{
	access(from, n, false);
	access(to, n, true);
	return __real_memmove(to, from, n);
}

void *__wrap_memset(void *to, int c, size_t n)
{
	access(to, n, true);
	return __real_memset(to, c, n);
}

int __wrap_memcmp(const void *a, const void *b, size_t n)
{
	access(a, n, false);
	access(b, n, false);
	return __real_memcmp(a, b, n);
}

/* What the compiler makes of them. */
void *__tsan_memcpy(void *, const void *, size_t);
void *__tsan_memmove(void *, const void *, size_t);
void *__tsan_memset(void *, int, size_t);
void *__tsan_memcpy(void *to, const void *from, size_t n) { return __wrap_memcpy(to, from, n); }
void *__tsan_memmove(void *to, const void *from, size_t n) { return __wrap_memmove(to, from, n); }
void *__tsan_memset(void *to, int c, size_t n) { return __wrap_memset(to, c, n); }

/* Of the arena, with room for its size before it. */
void *__wrap_malloc(size_t size)
{
	uint8_t *p;

	if (!undoing)
		return __real_malloc(size);
	BUG_ON(arena_used + size + 32 > ARENA);
	p = arena + arena_used + 16;
	__real_memcpy(p - sizeof(size), &size, sizeof(size));
	arena_used += (size + 31) & ~(size_t)15;
	return p;
}

void *__wrap_calloc(size_t count, size_t size)
{
	void *p;

	if (!undoing)
		return __real_calloc(count, size);
	p = __wrap_malloc(count * size);
	return __real_memset(p, 0, count * size);
}

/* What was taken before is given back never: it will be wanted again. */
void __wrap_free(void *p)
{
	if (!undoing && !in_arena(p))
		__real_free(p);
}

void *__wrap_realloc(void *p, size_t size)
{
	size_t old;
	void *to;

	if (!undoing)
		return __real_realloc(p, size);
	to = __wrap_malloc(size);
	if (!p)
		return to;
	old = malloc_usable_size(p);
	if (in_arena(p))
		__real_memcpy(&old, (uint8_t *)p - sizeof(old), sizeof(old));
	return __real_memcpy(to, p, old < size ? old : size);
}
