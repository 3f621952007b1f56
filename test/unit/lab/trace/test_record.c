/* What the recorder makes of the plugin's records, and the imports: chunks of several processes in any order that can
 * happen, chunks that killed threads left; text of lackey and records of ChampSim, good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "lab/trace/import.h"
#include "lab/trace/record.h"
#include "lab/trace/format.h"

/* The events of a trace, as text: "switch 0.100 fetch 401000 2 read 601000 8 ..." */
static char text[4096];

static void add(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void add(const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + used, sizeof(text) - used, format, args);
	va_end(args);
}

static void add_event(const struct lab_event *e, const struct lab_call *calls)
{
	static const char *const names[] = { "read", "write", "fetch" };
	const struct lab_call *c = &calls[e->kind == LAB_CALL ? e->addr : 0];

	if (e->kind != LAB_CALL)
		add("%s %llx %u", names[e->kind], (unsigned long long)e->addr,
		    e->kind == LAB_FETCH ? e->fetches : e->size);
	else if (c->kind == LAB_SWITCH)
		add("switch %u.%u", c->process, c->thread);
	else if (c->kind == LAB_FORK)
		add("fork %u", c->process);
	else
		add("%s %llx %llx %u", lab_call_name[c->kind], (unsigned long long)c->addr,
		    (unsigned long long)c->length, c->file);
	if (e->kind != LAB_FETCH && e->fetches)
		add(" +%u", e->fetches);
	add("; ");
}

struct file {
	int fd;
	char path[64];
	FILE *out;
	struct lab_writer *w;
};

static struct file begin(void)
{
	struct file f = { .fd = memfd_create("trace", 0) };

	snprintf(f.path, sizeof(f.path), "/proc/self/fd/%d", f.fd);
	f.out = fopen(f.path, "wb");
	assert_non_null(f.out);
	f.w = lab_writer_open(f.out, "", 1);
	assert_non_null(f.w);
	return f;
}

static void end_file(struct file *f)
{
	struct lab_error error = { "" };
	struct lab_batch *b = malloc(sizeof(*b));
	struct lab_source *s;

	assert_true(lab_writer_close(f->w));
	fclose(f->out);
	s = lab_trace_open(f->path, &error);
	assert_non_null(s);
	text[0] = 0;
	while (lab_source_next(s, b))
		for (unsigned i = 0; i < b->events; i++)
			add_event(&b->event[i], b->call);
	assert_null(lab_source_error(s));
	lab_source_close(s);
	close(f->fd);
	free(b);
}

/* ---- chunks ---- */

static struct ring *ring;
static unsigned chunk, at;

static void new_chunk(unsigned pid, unsigned tid)
{
	chunk++;
	at = 0;
	ring->chunk[chunk].state = CHUNK_CLAIMED;
	ring->chunk[chunk].pid = pid;
	ring->chunk[chunk].tid = tid;
}

static void record(enum ring_kind kind, uint64_t addr, unsigned n)
{
	ring->chunk[chunk].record[at++] = (uint64_t)kind << 60 | (uint64_t)n << 48 | addr;
}

static void call(unsigned kind, uint64_t a, uint64_t b)
{
	record(RING_CALL, 0, kind);
	ring->chunk[chunk].record[at] = a;
	ring->chunk[chunk].record[at + 1] = b;
	at += RING_CALL_WORDS - 1;
}

static void submit(void)
{
	ring->queue[ring->tail++ % RING_CHUNKS] = chunk + 1;
}

static struct drain start(struct file *f)
{
	*f = begin();
	ring = calloc(1, sizeof(*ring));
	assert_non_null(ring);
	chunk = 0;
	return (struct drain){ .ring = ring, .writer = f->w };
}

static void end(struct drain *d, struct file *f)
{
	while (drain_chunk(d))
		;
	drain_rest(d);
	for (unsigned i = 0; i < RING_CHUNKS; i++) {
		assert_int_equal(ring->chunk[i].state, CHUNK_FREE);
		for (unsigned n = 0; n < RING_RECORDS; n++)
			assert_int_equal(ring->chunk[i].record[n], 0);
	}
	drain_free(d);
	free(ring);
	end_file(f);
}

static void first_image(void)
{
	new_chunk(100, 100);
	call(RING_IMAGE, 0, 0);
	record(RING_FETCH, 0x401000, 2);
	record(RING_READ, 0x601ffc, 8);
}

static void test_one_process(void **state)
{
	struct file f;
	struct drain d = start(&f);

	(void)state;
	first_image();
	record(RING_FETCH, 0x401010, 3);
	call(LAB_MMAP, 0x700000, 0x1001);
	call(LAB_MADVISE, 0x700000, 0x1000); /* advice 0: of no use */
	call(LAB_MUNMAP, 0x700000, 0x1000);
	call(LAB_EXIT, 0, 0);
	submit();
	end(&d, &f);
	assert_string_equal(
		text,
		"switch 0.100; fetch 401000 2; read 601ffc 4; read 602000 4 +3; mmap 700000 2000 0; syscall 0 190 0; "
		"munmap 700000 1000 0; ");
}

/* The child's chunk before the parent's that says that it forked, and the other way round. */
static void test_fork(void **state)
{
	for (unsigned child_first = 0; child_first < 2; child_first++) {
		struct file f;
		struct drain d = start(&f);

		(void)state;
		first_image();
		submit();
		for (unsigned i = 0; i < 2; i++) {
			if (i == child_first) {
				new_chunk(100, 100);
				call(LAB_FORK, 101, 0);
				record(RING_FETCH, 0x402000, 1);
			} else {
				new_chunk(101, 101);
				call(RING_FORKED, 100, 0);
				call(RING_IMAGE, 0, 0);
				record(RING_FETCH, 0x500000, 5);
			}
			submit();
		}
		new_chunk(101, 101);
		call(LAB_EXIT, 0, 0);
		record(RING_FETCH, 0x500000, 9); /* what comes after the end is nothing */
		submit();
		new_chunk(101, 107);
		record(RING_FETCH, 0x500000, 9);
		submit();
		new_chunk(100, 100);
		record(RING_READ, 0x601000, 8);
		submit();
		end(&d, &f);
		assert_string_equal(text, child_first ? "switch 0.100; fetch 401000 2; read 601ffc 4; read 602000 4; "
							"fork 1; switch 1.101; exec 0 0 0; fetch 500000 5; "
							"switch 0.100; fetch 402000 1; switch 1.101; exit 0 0 0; "
							"switch 0.100; read 601000 8; "
						      : "switch 0.100; fetch 401000 2; read 601ffc 4; read 602000 4; "
							"fork 1; fetch 402000 1; switch 1.101; exec 0 0 0; "
							"fetch 500000 5; exit 0 0 0; switch 0.100; read 601000 8; ");
	}
}

/* A hole in the queue; a chunk that was never handed over; a process that did not say that it ended. */
static void test_killed(void **state)
{
	struct file f;
	struct drain d = start(&f);

	(void)state;
	first_image();
	submit();
	assert_true(drain_chunk(&d));
	drain_stalled(&d); /* nothing is missing */
	assert_int_equal(d.head, 1);
	ring->tail++;
	assert_false(drain_chunk(&d));
	drain_stalled(&d);
	assert_int_equal(d.head, 2);
	ring->tail++;
	new_chunk(101, 101);
	call(RING_FORKED, 100, 0);
	record(RING_FETCH, 0x402000, 1);
	submit();
	new_chunk(101, 101);
	record(RING_WRITE, 0x601000, 4);
	new_chunk(999, 999);
	record(RING_WRITE, 0x666000, 4);
	submit();
	end(&d, &f);
	assert_string_equal(
		text,
		"switch 0.100; fetch 401000 2; read 601ffc 4; read 602000 4; fork 1; switch 1.101; fetch 402000 1; "
		"write 601000 4; switch 0.100; exit 0 0 0; ");
}

/* ---- imports ---- */

typedef bool import_function(FILE *in, const char *name, struct lab_writer *w, struct lab_error *error);

static void import(import_function *function, const void *data, size_t bytes, const char *events, const char *message)
{
	FILE *in = bytes ? fmemopen((void *)(uintptr_t)data, bytes, "rb") : fopen("/dev/null", "rb");
	struct lab_error error = { "" };
	struct file f = begin();
	bool ok = function(in, "FILE", f.w, &error);

	fclose(in);
	end_file(&f);
	if (message) {
		assert_false(ok);
		if (!strstr(error.text, message))
			fail_msg("\"%s\" is not in \"%s\"", message, error.text);
	} else {
		if (!ok)
			fail_msg("%s", error.text);
		assert_string_equal(text, events);
	}
}

static void lackey(const char *lines, const char *events, const char *message)
{
	import(lab_import_lackey, lines, strlen(lines), events, message);
}

static void test_lackey(void **state)
{
	(void)state;
	lackey("==12== Lackey\nI  04000890,3\nI  04000893,5\n S 1ffeffe7e,8\nI  04001000,2\n L 601000,4\n M "
	       "601ffe,4\n==12== \n",
	       "switch 0.0; fetch 4000890 2; write 1ffeffe7e 8; fetch 4001000 1; read 601000 4; read 601ffe 2; read "
	       "602000 2; "
	       "write 601ffe 2; write 602000 2; ",
	       NULL);
	lackey("I  1000,1", "switch 0.0; fetch 1000 1; ", NULL);
	lackey("", NULL, "no access");
	lackey("==1== only words\n", NULL, "no access");
	lackey("I  1000,1\nhello world\n", NULL, "line 2");
	lackey(" X 1000,1\n", NULL, "line 1");
	lackey(" L 1000\n", NULL, "line 1");
	lackey(" L 1000,\n", NULL, "line 1");
	lackey(" L 1000,4x\n", NULL, "line 1");
	lackey(" L 11112222333344445,4\n", NULL, "line 1");
	lackey(" L 0800000000000000,4\n", NULL, "line 1");
	lackey(" L 1000,0\n", NULL, "line 1");
	lackey(" L 1000,999999\n", NULL, "line 1");
}

static void test_champsim(void **state)
{
	uint8_t r[3 * 64] = { 0 };

	(void)state;
	trace_put(r, 0x401000, 8);
	trace_put(r + 32, 0x601000, 8);
	trace_put(r + 16, 0x602000, 8);
	trace_put(r + 64, 0x401003, 8);
	trace_put(r + 128, 0x402000, 8);
	r[128 + 8] = r[128 + 9] = 1;
	import(lab_import_champsim, r, sizeof(r),
	       "switch 0.0; fetch 401000 1; read 601000 0; write 602000 0 +1; fetch 402000 1; ", NULL);
	import(lab_import_champsim, r, sizeof(r) - 1, NULL, "ends at byte 191");
	import(lab_import_champsim, r, 0, NULL, "empty");
	r[64 + 8] = 2;
	import(lab_import_champsim, r, sizeof(r), NULL, "at byte 64");
	r[64 + 8] = 0;
	r[64 + 7] = 0x40;
	import(lab_import_champsim, r, sizeof(r), NULL, "at byte 64");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_process), cmocka_unit_test(test_fork), cmocka_unit_test(test_killed),
		cmocka_unit_test(test_lackey), cmocka_unit_test(test_champsim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
