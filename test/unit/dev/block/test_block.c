/* Requests of two guests at one queue: pieces, turns, flushes, snapshots, what fails, what is taken back. */
#include "test/unit/dev/block/medium.h"
#include "test/unit/dev/block/pages.h"

#include <stdlib.h>
#include <string.h>

static struct medium m;
static struct guest a, b;

struct asked {
	struct block_request r;
	unsigned answers;
	enum block_result result;
	unsigned when;
};
static unsigned clock_now;

static void done(struct block_request *r, enum block_result result)
{
	struct asked *k = container_of(r, struct asked, r);

	k->answers++;
	k->result = result;
	k->when = ++clock_now;
}

static int setup(void **state)
{
	(void)state;
	medium_make(&m);
	guest_make(&a, &m, 0);
	guest_make(&b, &m, 1);
	clock_now = 0;
	return 0;
}

static void ask(struct guest *g, struct asked *k, enum block_op op, uint64_t sector, uint64_t count,
		const struct guest_segment *s, unsigned segments)
{
	*k = (struct asked){ .r = { .op = op, .sector = sector, .count = count, .segment = s, .segments = segments,
				    .done = done } };
	g->inside = true;
	block_submit(&g->disk, &k->r);
	g->inside = false;
}

/* Of any lengths, over several pieces. */
static void test_read(void **state)
{
	const struct guest_segment s[] = { { 0x1001, 1 }, { 0x2000, 0 }, { 0x30ff, 0x3fff },
					   { 0x8000, 100 * 512 - 0x4000 } };
	struct asked k;

	(void)state;
	ask(&a, &k, BLOCK_READ, 10, 100, s, ARRAY_SIZE(s));
	assert_int_equal(k.answers, 0);
	medium_finish(&m);
	assert_int_equal(k.answers, 1);
	assert_int_equal(k.result, BLOCK_OK);
	assert_int_equal(m.started, 2); /* 64 and 36 sectors */
	assert_int_equal(a.ram[0x1001], (uint8_t)(10 * 3 + 1));
	assert_int_equal(a.ram[0x30ff + 0x1fe], (uint8_t)(10 * 3 + 1));
	assert_int_equal(a.ram[0x30ff + 0x1ff], (uint8_t)(11 * 3 + 1));
	assert_int_equal(a.ram[0x8000 + 100 * 512 - 0x4000 - 1], (uint8_t)(109 * 3 + 1));
	assert_int_equal(a.ram[0x8000 + 100 * 512 - 0x4000], 0);
	assert_int_equal(a.disk.account.reads, 1);
	assert_int_equal(a.disk.account.bytes_read, 100 * SECTOR_SIZE);
}

static void test_write(void **state)
{
	const struct guest_segment s[] = { { 0x1000, 0x300 }, { 0x9000, 0x1300 } };
	struct asked k, z;

	(void)state;
	memset(a.ram, 0xaa, 0x8000);
	memset(a.ram + 0x8000, 0xbb, 0x8000);
	ask(&a, &k, BLOCK_WRITE, 7, 11, s, 2);
	ask(&a, &z, BLOCK_ZEROES, 100, 200, NULL, 0);
	medium_finish(&m);
	assert_true(k.answers == 1 && k.result == BLOCK_OK && z.answers == 1 && z.result == BLOCK_OK);
	assert_int_equal(m.data[0][6][511], (uint8_t)(6 * 3 + 1));
	assert_int_equal(m.data[0][7][0], 0xaa);
	assert_int_equal(m.data[0][8][0xff], 0xaa);
	assert_int_equal(m.data[0][8][0x100], 0xbb);
	assert_int_equal(m.data[0][17][511], 0xbb);
	assert_int_equal(m.data[0][18][0], (uint8_t)(18 * 3 + 1));
	for (unsigned i = 100; i < 300; i++)
		assert_int_equal(m.data[0][i][i], 0);
	assert_int_equal(m.data[0][300][0], (uint8_t)(300 * 3 + 1));
	assert_int_equal(a.disk.account.writes, 2);
	assert_int_equal(a.disk.account.bytes_written, 211 * SECTOR_SIZE);
}

/* BK6: of 200 sectors, the first piece is zeroes and stays as it is, in the second one is not. */
static void test_zeroes(void **state)
{
	struct asked z;

	(void)state;
	memset(m.data[0][100], 0, 200 * SECTOR_SIZE);
	m.data[0][100 + 64 + 5][17] = 1;
	ask(&a, &z, BLOCK_ZEROES, 100, 200, NULL, 0);
	medium_finish(&m);
	assert_true(z.answers == 1 && z.result == BLOCK_OK);
	assert_int_equal(m.written, 64);
	for (unsigned i = 100; i < 300; i++)
		for (unsigned at = 0; at < SECTOR_SIZE; at++)
			assert_int_equal(m.data[0][i][at], 0);
	assert_int_equal(m.data[0][99][0], (uint8_t)(99 * 3 + 1));
	assert_int_equal(m.data[0][300][0], (uint8_t)(300 * 3 + 1));
	m.fail = true;
	ask(&a, &z, BLOCK_ZEROES, 100, 1, NULL, 0);
	medium_finish(&m);
	assert_true(z.answers == 1 && z.result == BLOCK_FAILED);
}

/* BK3: a flush comes behind what was before it; one of a write that is to be through, before its answer. */
static void test_flush(void **state)
{
	const struct guest_segment s = { 0x1000, 512 };
	struct asked w, f, t;

	(void)state;
	ask(&a, &w, BLOCK_WRITE, 1, 1, &s, 1);
	ask(&a, &f, BLOCK_FLUSH, 0, 0, NULL, 0);
	assert_true(medium_end(&m));
	assert_int_equal(w.answers, 1);
	assert_int_equal(m.flushed, 0);
	assert_int_equal(m.op, BLOCK_FLUSH);
	assert_int_equal(f.answers, 0);
	medium_finish(&m);
	assert_true(f.answers == 1 && m.flushed == 1);

	t = (struct asked){ .r = { .op = BLOCK_WRITE, .through = true, .sector = 2, .count = 1, .segment = &s,
				   .segments = 1, .done = done } };
	block_submit(&a.disk, &t.r);
	assert_true(medium_end(&m));
	assert_int_equal(t.answers, 0);
	assert_int_equal(m.op, BLOCK_FLUSH);
	medium_finish(&m);
	assert_true(t.answers == 1 && t.result == BLOCK_OK && m.flushed == 2);
}

/* BK2: a small request of one waits for a piece of the other's large one. */
static void test_turns(void **state)
{
	const struct guest_segment large = { 0, 1000 * 512 }, small = { 0x1000, 512 };
	struct asked l, s;

	(void)state;
	ask(&a, &l, BLOCK_READ, 0, 1000, &large, 1);
	ask(&b, &s, BLOCK_READ, 5, 1, &small, 1);
	assert_true(medium_end(&m));
	assert_int_equal(m.unit, 1);
	assert_true(medium_end(&m));
	assert_true(s.answers == 1 && l.answers == 0);
	assert_int_equal(b.ram[0x1000], (uint8_t)(5 * 3 + 2));
	assert_int_equal(b.entered, 1);
	medium_finish(&m);
	assert_true(l.answers == 1 && l.result == BLOCK_OK);
	assert_int_equal(a.entered, 1);
}

static void test_bad_memory(void **state)
{
	const struct guest_segment rom = { GUEST_ROM - 512, 1024 }, absent = { GUEST_RAM - 512, 1024 },
				   wraps = { ~0ull - 511, 1024 };
	const struct guest_segment *const all[] = { &rom, &absent, &wraps };
	struct asked k;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		ask(&a, &k, BLOCK_READ, 3, 2, all[i], 1);
		medium_finish(&m);
		assert_true(k.answers == 1 && k.result == BLOCK_BAD_MEMORY);
		ask(&a, &k, BLOCK_WRITE, 3, 2, all[i], 1);
		medium_finish(&m);
		assert_int_equal(k.answers, 1);
		assert_int_equal(k.result, i == 0 ? BLOCK_OK : BLOCK_BAD_MEMORY);
	}
	assert_int_equal(a.failed, 0);
	assert_int_equal(m.queue.state, BLOCK_IDLE);
}

static void test_failures(void **state)
{
	const struct guest_segment s = { 0x1000, 512 };
	struct asked k, next;

	(void)state;
	m.refuse = true;
	ask(&a, &k, BLOCK_READ, 3, 1, &s, 1);
	assert_true(k.answers == 1 && k.result == BLOCK_FAILED);
	m.refuse = false;
	m.fail = true;
	ask(&a, &k, BLOCK_WRITE, 3, 1, &s, 1);
	ask(&a, &next, BLOCK_FLUSH, 0, 0, NULL, 0);
	assert_true(medium_end(&m));
	assert_true(k.answers == 1 && k.result == BLOCK_FAILED);
	m.fail = false;
	medium_finish(&m);
	assert_true(next.answers == 1 && next.result == BLOCK_OK);
	assert_int_equal(a.failed, 2);
	assert_int_equal(a.disk.account.failures, 2);
}

/* BK4: whatever the state, nothing of it happens any more. */
static void test_cancel(void **state)
{
	const struct guest_segment s = { 0x1000, 512 };
	struct asked k[3], other;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		ask(&a, &k[i], BLOCK_READ, i, 1, &s, 1);
	ask(&b, &other, BLOCK_READ, 9, 1, &s, 1);
	block_cancel(&a.disk, true);
	memset(k, 0xee, sizeof(k));
	medium_finish(&m);
	assert_int_equal(a.ram[0x1000], 0);
	assert_int_equal(a.entered, 0);
	assert_true(other.answers == 1 && other.result == BLOCK_OK);
	assert_int_equal(b.ram[0x1000], (uint8_t)(9 * 3 + 2));
	/* And it can go on. */
	ask(&a, &k[0], BLOCK_READ, 4, 1, &s, 1);
	medium_finish(&m);
	assert_true(k[0].answers == 1 && k[0].result == BLOCK_OK);
	block_cancel(&a.disk, false);
	assert_int_equal(m.queue.state, BLOCK_IDLE);
}

/* ---- what comes in the middle, as from another CPU ---- */

static const struct guest_segment sector_at = { 0x1000, SECTOR_SIZE };
static jmp_buf waiting;
static bool waited;

static void waits(void)
{
	waited = true;
	longjmp(waiting, 1);
}

/* Takes all back; or has to wait before. */
static void cancel(struct guest *g, bool entered)
{
	medium_waits = waits;
	waited = false;
	if (!setjmp(waiting))
		block_cancel(&g->disk, entered);
	medium_waits = NULL;
}

static void cancel_outside(struct guest *g) { cancel(g, false); }

/* And the guest asks for something else. */
static struct asked anew;
static void cancel_inside(struct guest *g)
{
	cancel(g, true);
	ask(g, &anew, BLOCK_READ, 20, 1, &sector_at, 1);
}

/* BK4: while data are copied for a request, nobody takes it back. */
static void test_cancel_copying(void **state)
{
	struct asked k;

	(void)state;
	a.at_read = cancel_outside;
	ask(&a, &k, BLOCK_WRITE, 3, 1, &sector_at, 1);
	assert_true(waited);
	medium_finish(&m);
	assert_true(k.answers == 1 && k.result == BLOCK_OK);
}

/* Who ends the virtual machine waits for who is about to enter it; who is within it does not. */
static void test_cancel_answering(void **state)
{
	struct asked k;

	(void)state;
	ask(&a, &k, BLOCK_READ, 3, 1, &sector_at, 1);
	a.at_enter = cancel_outside;
	medium_finish(&m);
	assert_true(waited && k.answers == 1);

	ask(&a, &k, BLOCK_READ, 3, 1, &sector_at, 1);
	a.at_enter = cancel_inside;
	medium_end(&m);
	assert_false(waited);
	assert_int_equal(k.answers, 0);
	assert_int_equal(anew.answers, 0);
	medium_finish(&m);
	assert_int_equal(anew.answers, 1);
	assert_int_equal(a.ram[0x1000], (uint8_t)(20 * 3 + 1));
}

/* VD3: b asks while a is within its virtual machine, and is not entered by a. */
static struct asked other_asked;
static void other_asks(struct guest *g)
{
	(void)g;
	ask(&b, &other_asked, BLOCK_ZEROES, 5, 1, NULL, 0);
}

static void test_snapshot(void **state)
{
	const struct guest_segment s = { 0x1000, 3 * 512 }, big = { 0x2000, 30 * 512 };
	struct snapshot snapshot = { .alloc = page, .free = page_free };
	struct asked k;

	(void)state;
	a.disk.snapshot = &snapshot;
	memset(a.ram + 0x1000, 0xcc, 3 * 512);
	ask(&a, &k, BLOCK_WRITE, 15, 3, &s, 1);
	assert_true(k.answers == 1 && k.result == BLOCK_OK);
	assert_int_equal(m.started, 0);
	ask(&a, &k, BLOCK_READ, 0, 30, &big, 1);
	medium_finish(&m);
	assert_int_equal(a.ram[0x2000 + 14 * 512], (uint8_t)(14 * 3 + 1));
	assert_int_equal(a.ram[0x2000 + 15 * 512], 0xcc);
	assert_int_equal(a.ram[0x2000 + 18 * 512 - 1], 0xcc);
	assert_int_equal(a.ram[0x2000 + 18 * 512], (uint8_t)(18 * 3 + 1));
	/* All of it is there: the medium is not asked. Nor is it for a flush. */
	m.started = 0;
	ask(&a, &k, BLOCK_READ, 15, 3, &big, 1);
	assert_int_equal(k.answers, 1);
	ask(&a, &k, BLOCK_FLUSH, 0, 0, NULL, 0);
	assert_true(k.answers == 1 && m.started == 0);
	page_limit = 0;
	ask(&a, &k, BLOCK_WRITE, 1900, 3, &s, 1);
	assert_true(k.answers == 1 && k.result == BLOCK_FAILED);
	page_limit = ~0u;
	snapshot_clear(&snapshot);
	assert_int_equal(pages, 0);
	for (unsigned i = 0; i < MEDIUM_SECTORS; i++)
		assert_int_equal(m.data[0][i][0], (uint8_t)(i * 3 + 1));
}

/* BK5: what needs no medium does not keep who submits; nor is another guest entered by who is within one. */
static void test_later(void **state)
{
	const struct guest_segment s = { 0, 1000 * 512 }, small = { 0x1000, 512 };
	struct snapshot snapshot = { .alloc = page, .free = page_free };
	struct asked k, other;

	(void)state;
	a.disk.snapshot = b.disk.snapshot = &snapshot;
	ask(&a, &k, BLOCK_WRITE, 0, 1000, &s, 1);
	assert_int_equal(k.answers, 0);
	assert_int_equal(k.r.at, BLOCK_PIECES * MEDIUM_BUFFER);
	assert_int_equal(m.laters, 1);
	ask(&b, &other, BLOCK_WRITE, 5, 1, &small, 1);
	assert_int_equal(other.answers, 0);
	medium_finish(&m);
	assert_true(k.answers == 1 && other.answers == 1);
	snapshot_clear(&snapshot);
}

static void test_enters_one(void **state)
{
	struct snapshot snapshot = { .alloc = page, .free = page_free };
	struct asked k;

	(void)state;
	a.disk.snapshot = b.disk.snapshot = &snapshot;
	a.at_read = other_asks;
	ask(&a, &k, BLOCK_WRITE, 0, 1, &sector_at, 1);
	assert_true(k.answers == 1 && other_asked.answers == 0 && b.entered == 0);
	assert_int_equal(m.laters, 1);
	medium_finish(&m);
	assert_true(other_asked.answers == 1 && b.entered == 1);
	snapshot_clear(&snapshot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_read, setup), cmocka_unit_test_setup(test_write, setup),
		cmocka_unit_test_setup(test_zeroes, setup),
		cmocka_unit_test_setup(test_flush, setup), cmocka_unit_test_setup(test_turns, setup),
		cmocka_unit_test_setup(test_bad_memory, setup), cmocka_unit_test_setup(test_failures, setup),
		cmocka_unit_test_setup(test_cancel, setup), cmocka_unit_test_setup(test_snapshot, setup),
		cmocka_unit_test_setup(test_later, setup), cmocka_unit_test_setup(test_enters_one, setup),
		cmocka_unit_test_setup(test_cancel_copying, setup),
		cmocka_unit_test_setup(test_cancel_answering, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
