/* The standard output of a run (tool/base/outflow.h): nobody has to read it for the run to go on, and all of it comes
 * in order to who does. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tool/base/outflow.h"

enum { LINES = 20000 };

struct ends {
	int reader, writer;
	struct outflow out;
};

static struct ends pipe_ends(void)
{
	struct ends e;
	int ends[2];

	assert_int_equal(0, pipe(ends));
	e.reader = ends[0];
	e.writer = ends[1];
	outflow_open(&e.out, e.writer);
	return e;
}

static void close_ends(struct ends *e)
{
	if (e->out.file != e->writer)
		close(e->out.file);
	close(e->writer);
	if (e->reader >= 0)
		close(e->reader);
	bytes_free(&e->out.waiting);
}

static void add_line(struct outflow *out, unsigned n)
{
	char line[32];

	assert_true(outflow_write(out, line, (size_t)snprintf(line, sizeof line, "line %u\n", n)));
}

/* Reads from there on as many bytes as there are now, of lines that follow each other. */
static void take(int reader, struct bytes *seen)
{
	char block[3000];
	ssize_t n = read(reader, block, sizeof block);

	assert_true(n > 0);
	bytes_add(seen, block, (size_t)n);
}

static void check_lines(const struct bytes *seen, unsigned lines)
{
	const char *at = seen->data;

	for (unsigned n = 0; n < lines; n++) {
		char line[32];
		size_t length = (size_t)snprintf(line, sizeof line, "line %u\n", n);

		assert_true((size_t)(at - seen->data) + length <= seen->length);
		assert_memory_equal(at, line, length);
		at += length;
	}
	assert_int_equal(seen->length, at - seen->data);
}

/* Far more than a pipe holds, read piece by piece while more comes: nothing waits, nothing is lost or changes its
 * place. */
static void test_order(void **state)
{
	struct ends e = pipe_ends();
	struct bytes seen = { 0 };
	unsigned n = 0;

	(void)state;
	for (; n < LINES / 2; n++)
		add_line(&e.out, n);
	assert_true(outflow_waits(&e.out) > 0);
	for (; n < LINES; n++) {
		add_line(&e.out, n);
		if (n % 100 == 0)
			take(e.reader, &seen);
	}
	while (outflow_waits(&e.out) > 0) {
		take(e.reader, &seen);
		assert_true(outflow_go_on(&e.out));
	}
	assert_true(outflow_end(&e.out, -1, -1));
	close(e.out.file);
	close(e.writer);
	e.writer = e.out.file = -1;
	for (size_t before = 0; before != seen.length;) {
		char block[4096];
		ssize_t more = read(e.reader, block, sizeof block);

		before = seen.length;
		assert_true(more >= 0);
		bytes_add(&seen, block, (size_t)more);
	}
	check_lines(&seen, LINES);
	bytes_free(&seen);
	close_ends(&e);
}

/* Who else has the descriptor waits at a full pipe as before. */
static void test_others(void **state)
{
	struct ends e = pipe_ends();

	(void)state;
	assert_int_not_equal(e.out.file, e.writer);
	assert_int_equal(0, fcntl(e.writer, F_GETFL) & O_NONBLOCK);
	close_ends(&e);
}

static void fill(struct outflow *out)
{
	static const char zeros[1 << 20];

	assert_true(outflow_write(out, zeros, sizeof zeros));
	assert_true(outflow_waits(out) > 0);
}

static void test_end(void **state)
{
	struct ends e = pipe_ends();
	int stop[2];

	(void)state;
	assert_int_equal(0, pipe(stop));
	fill(&e.out);
	assert_false(outflow_end(&e.out, stop[0], 20));
	assert_int_equal(1, write(stop[1], "x", 1));
	assert_false(outflow_end(&e.out, stop[0], -1));
	assert_int_equal(0, e.out.error);
	close(stop[0]);
	close(stop[1]);
	close_ends(&e);
}

static void test_gone(void **state)
{
	struct ends e = pipe_ends();

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	fill(&e.out);
	close(e.reader);
	e.reader = -1;
	assert_false(outflow_end(&e.out, -1, -1));
	assert_int_equal(EPIPE, e.out.error);
	assert_false(outflow_write(&e.out, "more", 4));
	assert_int_equal(0, outflow_waits(&e.out));
	close_ends(&e);
}

/* A file's place is that of all who write to it: one opened anew would write over what is there. */
static void test_file(void **state)
{
	char name[] = "/tmp/vellum-outflow-XXXXXX", got[20] = "";
	int file = mkstemp(name);
	struct outflow out;

	(void)state;
	assert_true(file >= 0);
	assert_int_equal(7, write(file, "before ", 7));
	outflow_open(&out, file);
	assert_true(outflow_write(&out, "and after", 9));
	assert_int_equal(16, pread(file, got, sizeof got, 0));
	assert_string_equal("before and after", got);
	bytes_free(&out.waiting);
	close(file);
	unlink(name);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order), cmocka_unit_test(test_others), cmocka_unit_test(test_end),
		cmocka_unit_test(test_gone), cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
