/* Traces: what is written is read; whatever else is in a file ends in one sentence. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/unit/lab/trace/frame.h"
#include "lib/xorshift.h"

/* A file in memory. */
struct file {
	int fd;
	char path[64];
};

static struct file file_new(void)
{
	struct file f = { .fd = memfd_create("trace", 0) };

	assert_true(f.fd >= 0);
	snprintf(f.path, sizeof(f.path), "/proc/self/fd/%d", f.fd);
	return f;
}

static void file_set(struct file *f, const void *data, size_t bytes)
{
	assert_int_equal(ftruncate(f->fd, 0), 0);
	assert_int_equal(pwrite(f->fd, data, bytes, 0), (ssize_t)bytes);
}

static size_t file_get(struct file *f, uint8_t **data)
{
	off_t end = lseek(f->fd, 0, SEEK_END);

	*data = malloc((size_t)end + 1);
	assert_int_equal(pread(f->fd, *data, (size_t)end, 0), end);
	return (size_t)end;
}

static uint64_t random_state = 1;
static uint64_t rnd(void)
{
	return xorshift(&random_state) * 0x2545f4914f6cdd1dull;
}

static struct lab_writer *begin(struct file *f, FILE **out)
{
	struct lab_writer *w;

	assert_int_equal(ftruncate(f->fd, 0), 0);
	*out = fopen(f->path, "wb");
	assert_non_null(*out);
	w = lab_writer_open(*out, "source: test\n", 1);
	assert_non_null(w);
	return w;
}

static void end_trace(struct lab_writer *w, FILE *out)
{
	assert_true(lab_writer_close(w));
	assert_int_equal(fclose(out), 0);
}

/* Reads to the end; the events are given to each() where there is one. Returns the error's text, or NULL. */
static const char *read_all(const char *path, uint64_t skip, void (*each)(void *, const struct lab_batch *, unsigned),
			    void *ctx, struct lab_trace_totals *totals)
{
	static char text[512];
	struct lab_error error = { "" };
	struct lab_batch *b = malloc(sizeof(*b));
	struct lab_source *s = lab_trace_open(path, &error);
	struct lab_trace_totals t = { 0 };

	snprintf(text, sizeof(text), "%s", error.text);
	if (s) {
		lab_trace_skip(s, skip);
		while (lab_source_next(s, b)) {
			assert_true(b->events > 0 && b->events <= LAB_BATCH_EVENTS && b->calls <= LAB_BATCH_CALLS);
			for (unsigned i = 0; i < b->events; i++) {
				if (b->event[i].kind == LAB_CALL)
					assert_true(b->event[i].addr < b->calls);
				lab_totals_add(&t, &b->event[i], b->call);
				if (each)
					each(ctx, b, i);
			}
		}
		if (lab_source_error(s))
			snprintf(text, sizeof(text), "%s", lab_source_error(s));
		lab_source_close(s);
	}
	free(b);
	if (totals)
		*totals = t;
	return text[0] ? text : NULL;
}

/* ---- round trip ---- */

enum { MANY = 300000 };
static struct lab_event events[MANY];
static struct lab_call calls[MANY];

static struct lab_call random_call(void)
{
	struct lab_call c = {
		.kind = (uint8_t)(rnd() % LAB_CALLS),
		.prot = (uint8_t)(rnd() % 8),
		.flags = (uint16_t)(rnd() % 32),
		.process = (uint32_t)(rnd() % 1000),
		.thread = (uint32_t)rnd(),
		.file = (uint32_t)rnd(),
		.addr = rnd() >> 20 << 12,
		.length = rnd() >> 24 << 12,
		.to = rnd() >> 20 << 12,
		.to_length = rnd() >> 30 << 12,
		.offset = rnd(),
	};

	c.addr &= 0x7fffffffffffull;
	c.to &= 0x7fffffffffffull;
	return c;
}

static void random_events(unsigned pages, unsigned calls_in_1000)
{
	static const uint16_t sizes[] = { 0, 1, 2, 4, 8, 16, 32, 64, 10 };

	for (unsigned i = 0; i < MANY; i++) {
		bool call = rnd() % 1000 < calls_in_1000;
		struct lab_event e = {
			.kind = call ? LAB_CALL : (uint8_t)(rnd() % 3),
			.fetches = rnd() % 20 ? (uint32_t)(rnd() % 12) : (uint32_t)(rnd() >> 35),
			.addr = call ? i : (rnd() % pages) * 0x3fe5c000 + rnd() % 4032,
			.size = (uint8_t)sizes[rnd() % 9],
		};

		if (rnd() & 1)
			e.addr |= call ? 0 : 0xffff800000000000ull;
		if (e.kind >= LAB_FETCH)
			e.size = 0;
		e.kernel = e.kind <= LAB_WRITE && rnd() % 50 == 0;
		events[i] = e;
		calls[i] = random_call();
	}
}

static void compare(void *ctx, const struct lab_batch *b, unsigned i)
{
	unsigned *at = ctx;
	const struct lab_event *got = &b->event[i], *want = &events[*at];

	assert_int_equal(got->kind, want->kind);
	assert_int_equal(got->fetches, want->fetches);
	if (got->kind == LAB_CALL) {
		assert_memory_equal(&b->call[got->addr], &calls[*at], sizeof(calls[0]));
	} else {
		assert_int_equal(got->addr, want->addr);
		assert_int_equal(got->size, want->size);
	}
	if (got->kind <= LAB_WRITE)
		assert_int_equal(got->kernel, want->kernel);
	++*at;
}

static void test_round_trip(void **state)
{
	static const struct { unsigned pages, calls; } of[] = { { 30, 1 }, { 1000, 20 }, { 60000, 0 }, { 3, 1000 } };
	struct file f = file_new();

	(void)state;
	for (unsigned i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		FILE *out;
		struct lab_writer *w = begin(&f, &out);
		struct lab_trace_totals wrote, got;
		unsigned at = 0;

		random_events(of[i].pages, of[i].calls);
		for (unsigned e = 0; e < MANY; e++)
			lab_writer_event(w, &events[e], calls);
		wrote = *lab_writer_totals(w);
		end_trace(w, out);
		assert_null(read_all(f.path, 0, compare, &at, &got));
		assert_int_equal(at, MANY);
		assert_memory_equal(&wrote, &got, sizeof(got));
	}
	close(f.fd);
}

/* What is left out from the front: no access of the frames before, every call, and then everything. */
static void test_skip(void **state)
{
	struct file f = file_new();
	FILE *out;
	struct lab_writer *w = begin(&f, &out);
	struct lab_trace_totals all, part, none;
	uint64_t half;

	(void)state;
	random_events(100, 5);
	for (unsigned e = 0; e < MANY; e++)
		lab_writer_event(w, &events[e], calls);
	all = *lab_writer_totals(w);
	end_trace(w, out);
	half = all.accesses / 2;
	assert_null(read_all(f.path, half, NULL, NULL, &part));
	assert_memory_equal(part.calls, all.calls, sizeof(all.calls));
	assert_true(part.accesses >= all.accesses - half && part.accesses < all.accesses);
	assert_null(read_all(f.path, all.accesses + 1, NULL, NULL, &none));
	assert_int_equal(none.accesses, 0);
	assert_memory_equal(none.calls, all.calls, sizeof(all.calls));
	close(f.fd);
}

/* ---- what the writer makes of accesses that cross pages, and of fetches ---- */

struct list {
	struct lab_event e[32];
	unsigned n;
};

static void collect(void *ctx, const struct lab_batch *b, unsigned i)
{
	struct list *l = ctx;

	assert_true(l->n < 32);
	l->e[l->n++] = b->event[i];
}

static void expect(const struct lab_event *e, unsigned kind, uint64_t addr, unsigned size, unsigned fetches)
{
	assert_int_equal(e->kind, kind);
	assert_int_equal(e->addr, addr);
	assert_int_equal(e->size, size);
	assert_int_equal(e->fetches, fetches);
}

static void small_trace(struct file *f)
{
	FILE *out;
	struct lab_writer *w = begin(f, &out);

	lab_writer_call(w, &(struct lab_call){ .kind = LAB_SWITCH });
	lab_writer_fetch(w, 0x401000, 3);
	lab_writer_access(w, LAB_READ, 0x7ffe12345ffc, 8, false);
	lab_writer_fetch(w, 0x401010, 100);
	lab_writer_access(w, LAB_WRITE, 0x600123, 4, false);
	lab_writer_fetch(w, 0x402ffe, 1);
	lab_writer_fetch(w, 0x402000, 1);
	lab_writer_call(w, &(struct lab_call){ .kind = LAB_EXEC });
	lab_writer_fetch(w, 0x402000, 2);
	lab_writer_access(w, LAB_READ, 0x600123, 5000, true);
	end_trace(w, out);
}

static void check_small(const char *path)
{
	struct list l = { .n = 0 };

	assert_null(read_all(path, 0, collect, &l, NULL));
	assert_int_equal(l.n, 10);
	expect(&l.e[0], LAB_CALL, 0, 0, 0);
	expect(&l.e[1], LAB_FETCH, 0x401000, 0, 3);
	expect(&l.e[2], LAB_READ, 0x7ffe12345ffc, 4, 0);
	expect(&l.e[3], LAB_READ, 0x7ffe12346000, 4, 100);
	expect(&l.e[4], LAB_WRITE, 0x600123, 4, 0);
	expect(&l.e[5], LAB_FETCH, 0x402ffe, 0, 2);
	expect(&l.e[6], LAB_CALL, 1, 0, 0);
	expect(&l.e[7], LAB_FETCH, 0x402000, 0, 2);
	expect(&l.e[8], LAB_READ, 0x600123, 0, 0);
	assert_int_equal(l.e[8].kernel, 1);
	expect(&l.e[9], LAB_READ, 0x601000, 0, 0);
}

static void test_normalises(void **state)
{
	struct file f = file_new();

	(void)state;
	small_trace(&f);
	check_small(f.path);
	close(f.fd);
}

/* A trace made by the first version must be readable for good. */
static void test_golden(void **state)
{
	(void)state;
	check_small("test/unit/data/small-1.0.vtrace");
}

/* ---- what is no trace, or no whole one ---- */

static void expect_error(struct file *f, const void *data, size_t bytes, const char *part)
{
	const char *error;

	file_set(f, data, bytes);
	error = read_all(f->path, 0, NULL, NULL, NULL);
	assert_non_null(error);
	assert_null(strchr(error, '\n'));
	if (part && !strstr(error, part))
		fail_msg("\"%s\" is not in \"%s\"", part, error);
}

static void test_foreign(void **state)
{
	struct file f = file_new();
	uint8_t head[64] = TRACE_MAGIC;

	(void)state;
	expect_error(&f, "", 0, "empty");
	expect_error(&f, "hello", 5, "no trace of vellum");
	expect_error(&f, "==123== Lackey, an example Valgrind tool and more and more and more and more", 77,
		     "vellum lab import");
	expect_error(&f, "\x1f\x8b\x08", 3, "gzip");
	expect_error(&f, head, 20, "truncated");
	expect_error(&f, head, 64, "checksum");
	head[8] = 2;
	trace_put(head + 12, 64, 4);
	trace_put(head + 60, trace_header_sum(head), 4);
	expect_error(&f, head, 64, "version 2.0");
	assert_non_null(read_all("/nonexistent/trace", 0, NULL, NULL, NULL));
	close(f.fd);
}

static void test_truncated_and_damaged(void **state)
{
	struct file f = file_new();
	uint8_t *data;
	size_t bytes;
	unsigned unnoticed = 0;

	(void)state;
	small_trace(&f);
	bytes = file_get(&f, &data);
	for (size_t n = 0; n < bytes; n++)
		expect_error(&f, data, n, n ? "truncated" : "empty");
	/* zstd's own headers have bits without a meaning: what is not noticed there must not matter. */
	for (size_t i = 0; i < 8 * bytes; i++) {
		data[i / 8] ^= (uint8_t)(1 << i % 8);
		file_set(&f, data, bytes);
		if (!read_all(f.path, 0, NULL, NULL, NULL)) {
			check_small(f.path);
			unnoticed++;
		}
		data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_true(unnoticed < 20);
	data = realloc(data, bytes + 1);
	data[bytes] = 0;
	expect_error(&f, data, bytes + 1, "end mark");
	free(data);
	close(f.fd);
}

/* A missing frame, and a frame twice. */
static void test_frames_missing(void **state)
{
	struct file f = file_new();
	FILE *out;
	struct lab_writer *w = begin(&f, &out);
	uint8_t *data, *other;
	size_t bytes, notes, first;

	(void)state;
	random_events(100, 0);
	for (unsigned e = 0; e < MANY; e++)
		lab_writer_event(w, &events[e], calls);
	end_trace(w, out);
	bytes = file_get(&f, &data);
	notes = 64 + 64 + trace_get(data + 64 + 8, 4);
	first = notes + 64 + trace_get(data + notes + 8, 4);
	other = malloc(bytes + first);
	memcpy(other, data, notes);
	memcpy(other + notes, data + first, bytes - first);
	expect_error(&f, other, bytes - (first - notes), "does not follow");
	memcpy(other, data, first);
	memcpy(other + first, data + notes, bytes - notes);
	expect_error(&f, other, bytes + first - notes, "does not follow");
	free(data);
	free(other);
	close(f.fd);
}

/* ---- frames whose checksums are right and whose content is anything ---- */

static void test_any_content(void **state)
{
	static uint8_t file[4 << 20], raw[65536];
	struct file f = file_new();
	unsigned rounds = 3000, good = 0;

	(void)state;
	for (unsigned round = 0; round < rounds; round++) {
		struct trace_frame frame = { .type = TRACE_EVENTS,
					     .codes = (uint32_t)(rnd() % (round % 16 ? 40 : 8000) + 1) };
		size_t bytes = put_file_header(file);

		bytes +=
			put_frame(file + bytes, sizeof(file) - bytes, (struct trace_frame){ .type = TRACE_NOTES }, raw);
		frame.raw = 4 * frame.codes + (uint32_t)(rnd() % 400);
		for (unsigned i = 0; i < frame.raw; i++)
			raw[i] = (uint8_t)(rnd() >> 8);
		for (unsigned i = 0; i < frame.codes; i++)
			if (raw[i] >= 0xc0)
				raw[i] = (uint8_t)(0xc0 + rnd() % (TRACE_SPECIALS + (rnd() % 64 == 0)));
		for (unsigned i = 4 * frame.codes; i < frame.raw; i++)
			raw[i] &= rnd() % 4 ? 127 : 255;
		frame.calls = (uint32_t)(rnd() % 3);
		frame.accesses = rnd() % 300;
		bytes += put_frame(file + bytes, sizeof(file) - bytes, frame, raw);
		bytes += put_frame(file + bytes, sizeof(file) - bytes,
				   (struct trace_frame){ .type = TRACE_END, .first = frame.accesses }, raw);
		file_set(&f, file, bytes);
		good += !read_all(f.path, rnd() % 3 ? 0 : 100, NULL, NULL, NULL);
	}
	assert_true(good < rounds / 10);
	close(f.fd);
}

/* A full disk is told as such, whatever has happened since. */
static void test_full(void **state)
{
	FILE *full = fopen("/dev/full", "w");
	struct lab_writer *w;

	(void)state;
	assert_non_null(full);
	assert_int_equal(0, setvbuf(full, NULL, _IONBF, 0));
	w = lab_writer_open(full, "source: test\n", 3);
	assert_non_null(w);
	lab_writer_fetch(w, 0x1000, 3);
	errno = ECHILD;
	assert_false(lab_writer_close(w));
	assert_int_equal(ENOSPC, errno);
	fclose(full);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full), cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_skip),
		cmocka_unit_test(test_normalises),     cmocka_unit_test(test_golden),
		cmocka_unit_test(test_foreign),	       cmocka_unit_test(test_truncated_and_damaged),
		cmocka_unit_test(test_frames_missing), cmocka_unit_test(test_any_content),
	};

	if (argc > 1) { /* makes the golden trace */
		struct file f = { .fd = -1 };

		snprintf(f.path, sizeof(f.path), "%s", argv[1]);
		f.fd = fileno(fopen(argv[1], "wb"));
		small_trace(&f);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
