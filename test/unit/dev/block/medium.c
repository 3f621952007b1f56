#include "test/unit/dev/block/medium.h"

#include <string.h>

/* ---- below ---- */

static void lock(void *ctx) { assert_int_equal(((struct medium *)ctx)->locked++, 0); }
static void unlock(void *ctx) { assert_int_equal(--((struct medium *)ctx)->locked, 0); }
void (*medium_waits)(void);

static void relax(void)
{
	if (!medium_waits)
		fail_msg("there is nobody to wait for");
	medium_waits();
}

static bool start(void *ctx, unsigned unit, enum block_op op, uint64_t sector, unsigned sectors)
{
	struct medium *m = ctx;

	assert_int_equal(m->locked, 0);
	assert_false(m->busy);
	assert_true(sectors <= MEDIUM_BUFFER && sector + sectors <= MEDIUM_SECTORS);
	assert_int_equal(sectors == 0, op == BLOCK_FLUSH);
	if (m->refuse)
		return false;
	m->started++;
	m->busy = true;
	m->unit = unit;
	m->op = op;
	m->sector = sector;
	m->sectors = sectors;
	return true;
}

static void later(void *ctx) { ((struct medium *)ctx)->laters++; }

void medium_make(struct medium *m)
{
	struct block_medium below = { lock, unlock, relax, start, later, m };

	memset(m, 0, sizeof(*m));
	for (unsigned n = 0; n < 2; n++)
		for (unsigned i = 0; i < MEDIUM_SECTORS; i++)
			memset(m->data[n][i], (int)(i * 3 + n + 1), SECTOR_SIZE);
	block_queue_init(&m->queue, &below, m->buffer, MEDIUM_BUFFER);
}

bool medium_end(struct medium *m)
{
	bool good = !m->fail;
	size_t bytes = (size_t)m->sectors * SECTOR_SIZE;

	if (m->laters) {
		m->laters--;
		block_go_on(&m->queue);
		return true;
	}
	if (!m->busy)
		return false;
	m->busy = false;
	if (m->op == BLOCK_FLUSH)
		m->flushed += good;
	else if (good && m->op == BLOCK_READ)
		memcpy(m->buffer, m->data[m->unit][m->sector], bytes);
	else if (good && (m->written += m->sectors))
		memcpy(m->data[m->unit][m->sector], m->buffer, bytes);
	block_event(&m->queue, good);
	return true;
}

void medium_finish(struct medium *m)
{
	while (medium_end(m))
		;
}

/* ---- above ---- */

static bool in_ram(uint64_t gpa, size_t n, uint64_t end) { return gpa <= end && n <= end - gpa; }

static void call_once(void (**what)(struct guest *), struct guest *g)
{
	void (*f)(struct guest *) = *what;

	*what = NULL;
	if (f)
		f(g);
}

static bool read_memory(void *ctx, uint64_t gpa, void *to, size_t n)
{
	struct guest *g = ctx;

	if (!in_ram(gpa, n, GUEST_RAM))
		return false;
	g->watched_reads += g->watched >= gpa && g->watched < gpa + n;
	call_once(&g->at_read, g);
	memcpy(to, g->ram + gpa, n);
	return true;
}

static bool write_memory(void *ctx, uint64_t gpa, const void *from, size_t n)
{
	struct guest *g = ctx;

	if (!in_ram(gpa, n, GUEST_ROM))
		return false;
	memcpy(g->ram + gpa, from, n);
	return true;
}

static void enter(void *ctx)
{
	struct guest *g = ctx;

	call_once(&g->at_enter, g);
	assert_false(g->inside);
	g->inside = true;
	g->entered++;
}

static void leave(void *ctx)
{
	struct guest *g = ctx;

	assert_true(g->inside);
	g->inside = false;
	g->left++;
}

static void failed(void *ctx, const struct block_request *r)
{
	(void)r;
	((struct guest *)ctx)->failed++;
}

void guest_make(struct guest *g, struct medium *m, unsigned unit)
{
	memset(g, 0, sizeof(*g));
	g->disk = (struct block_disk){
		.queue = &m->queue, .unit = unit, .sectors = MEDIUM_SECTORS, .most = MEDIUM_BUFFER,
		.memory = { read_memory, write_memory, g }, .enter = enter, .leave = leave, .failed = failed, .ctx = g,
	};
	block_disk_init(&g->disk);
}
