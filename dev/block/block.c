#include "dev/block/block.h"
#include "lib/mutants/mutate.h"

static void lock(struct block_queue *q) { q->medium.lock(q->medium.ctx); }
static void unlock(struct block_queue *q) { q->medium.unlock(q->medium.ctx); }

void block_queue_init(struct block_queue *q, const struct block_medium *medium, uint8_t *buffer, unsigned sectors)
{
	*q = (struct block_queue){ .medium = *medium, .buffer = buffer, .buffer_sectors = sectors };
}

void block_disk_init(struct block_disk *d)
{
	d->first = NULL;
	d->last = &d->first;
	d->next = NULL;
}

bool block_in_range(const struct block_disk *d, uint64_t sector, uint64_t count)
{
	return sector <= d->sectors && count <= d->sectors - sector;
}

/* ---- the ring (BK2); the lock is held ---- */

static void ring_add(struct block_queue *q, struct block_disk *d)
{
	struct block_disk **p = &q->ring;

	while (*p)
		p = &(*p)->next;
	*p = d;
	d->next = NULL;
}

static void ring_remove(struct block_queue *q, struct block_disk *d)
{
	struct block_disk **p = &q->ring;

	while (*p && *p != d)
		p = &(*p)->next;
	if (*p)
		*p = d->next;
	d->next = NULL;
}

/* ---- guest memory ---- */

/* The next bytes of the request's segments, to or from p. false: bad memory. */
static bool copy(const struct block_disk *d, struct block_request *r, uint8_t *p, size_t bytes)
{
	while (bytes) {
		const struct guest_segment *s = &r->segment[r->seg];
		uint64_t gpa = s->gpa + r->seg_done;
		size_t n = min_u64(bytes, s->bytes - r->seg_done);
		bool ok = true;

		if (n)
			ok = r->op == BLOCK_READ ? guest_memory_write(&d->memory, gpa, p, n)
						 : guest_memory_read(&d->memory, gpa, p, n);
		if (!ok)
			return false;
		p += n;
		bytes -= n;
		r->seg_done += (uint32_t)n;
		if (r->seg_done == s->bytes) {
			r->seg++;
			r->seg_done = 0;
		}
	}
	return true;
}

/* ---- a request's end ---- */

static void count(struct block_disk *d, const struct block_request *r, enum block_result result)
{
	struct block_account *a = &d->account;

	if (result == BLOCK_FAILED && d->failed)
		d->failed(d->ctx, r);
	if (result != BLOCK_OK)
		a->failures++;
	else if (r->op == BLOCK_READ)
		a->reads++, a->bytes_read += r->count * SECTOR_SIZE;
	else if (r->op == BLOCK_FLUSH)
		a->flushes++;
	else
		a->writes++, a->bytes_written += r->count * SECTOR_SIZE;
}

/* BK4: the request is taken off its disk with the lock held, within enter(): nobody can take it back between. Who has
 * been taken back meanwhile is not answered. */
static void answer(struct block_queue *q, const struct block_disk *held, enum block_result result)
{
	struct block_disk *d;
	struct block_request *r = NULL;

	lock(q);
	d = q->current;
	q->visited = d;
	q->state = BLOCK_ANSWERS;
	unlock(q);
	if (!d)
		return;
	if (d != held)
		d->enter(d->ctx);
	lock(q);
	if (VM_LEFT_OUT_OR(BLOCK_STILL, q->current)) {
		r = d->first;
		d->first = r->next;
		if (!d->first) {
			d->last = &d->first;
			ring_remove(q, d);
		}
		q->current = NULL;
	}
	unlock(q);
	if (r) {
		count(d, r, result);
		r->done(r, result);
	}
	if (d != held)
		d->leave(d->ctx);
	lock(q);
	q->visited = NULL;
	q->state = BLOCK_RUNNING;
	unlock(q);
}

/* ---- pieces ---- */

enum step { STEP_DONE, STEP_STARTED, STEP_FAILED, STEP_BAD_MEMORY };

/* The medium has what is asked for. The state is its own before it begins: it may end at once, on another CPU, or the
 * disk may be gone. */
static enum step start(struct block_queue *q, struct block_disk *d, enum block_op op, uint64_t sector, unsigned n)
{
	unsigned unit = d->unit;

	lock(q);
	q->state = BLOCK_MEDIUM;
	unlock(q);
	if (q->medium.start(q->medium.ctx, unit, op, sector, n))
		return STEP_STARTED;
	lock(q);
	q->state = BLOCK_RUNNING;
	unlock(q);
	return STEP_FAILED;
}

static enum step begin_read(struct block_queue *q, struct block_disk *d, struct block_request *r)
{
	uint64_t sector = r->sector + r->at;

	if (d->snapshot && snapshot_has(d->snapshot, sector, q->piece))
		return STEP_DONE;
	return start(q, d, BLOCK_READ, sector, q->piece);
}

/* BK6: what is there comes first. */
static enum step begin_zeroes(struct block_queue *q, struct block_disk *d, struct block_request *r)
{
	q->looking = VM_KEPT(BLOCK_LOOKS, !r->holds);
	if (!q->looking)
		memset(q->buffer, 0, q->piece * SECTOR_SIZE);
	return start(q, d, q->looking ? BLOCK_READ : BLOCK_WRITE, r->sector + r->at, q->piece);
}

static bool is_zero(const uint8_t *p, size_t n)
{
	uint64_t some = 0, word;

	for (size_t at = 0; at < n; at += sizeof(word)) {
		memcpy(&word, p + at, sizeof(word));
		some |= word;
	}
	return !some;
}

static enum step begin_write(struct block_queue *q, struct block_disk *d, struct block_request *r)
{
	uint64_t sector = r->sector + r->at;
	size_t bytes = q->piece * SECTOR_SIZE;

	if (r->op == BLOCK_ZEROES && !d->snapshot)
		return begin_zeroes(q, d, r);
	if (r->op == BLOCK_ZEROES)
		memset(q->buffer, 0, bytes);
	else if (!copy(d, r, q->buffer, bytes))
		return STEP_BAD_MEMORY;
	if (d->snapshot)
		return snapshot_write(d->snapshot, sector, q->piece, q->buffer) ? STEP_DONE : STEP_FAILED;
	return start(q, d, BLOCK_WRITE, sector, q->piece);
}

/* BK3. A snapshot is not kept, and what nobody writes is on the medium. */
static enum step begin_flush(struct block_queue *q, struct block_disk *d)
{
	q->flushing = true;
	return d->snapshot || d->read_only ? STEP_DONE : start(q, d, BLOCK_FLUSH, 0, 0);
}

static enum step begin_piece(struct block_queue *q, struct block_disk *d)
{
	struct block_request *r = d->first;

	q->flushing = q->looking = false;
	q->piece = (unsigned)min_u64(r->count - r->at, min_u64(d->most, q->buffer_sectors));
	if (r->op == BLOCK_FLUSH || r->at == r->count)
		return begin_flush(q, d);
	return r->op == BLOCK_READ ? begin_read(q, d, r) : begin_write(q, d, r);
}

/* The piece is in the buffer, or on the medium. true: that was the request. */
static bool piece_done(struct block_queue *q, struct block_disk *d, enum block_result *result)
{
	struct block_request *r = d->first;

	if (q->flushing)
		return true;
	if (q->looking && VM_KEPT(BLOCK_HOLDS, !is_zero(q->buffer, q->piece * SECTOR_SIZE))) {
		r->holds = true;
		return false;
	}
	r->holds = false;
	if (r->op == BLOCK_READ) {
		if (d->snapshot)
			snapshot_read(d->snapshot, r->sector + r->at, q->piece, q->buffer);
		if (!copy(d, r, q->buffer, q->piece * SECTOR_SIZE)) {
			*result = BLOCK_BAD_MEMORY;
			return true;
		}
	}
	r->at += q->piece;
	return r->at == r->count && !VM_KEPT(BLOCK_THROUGH, r->through && r->op != BLOCK_READ);
}

/* After a step that is over; not of a request that has been taken back. */
static void end_step(struct block_queue *q, const struct block_disk *held, enum step step)
{
	enum block_result result = step == STEP_FAILED ? BLOCK_FAILED : step == STEP_DONE ? BLOCK_OK : BLOCK_BAD_MEMORY;
	struct block_disk *d = q->current;

	if (VM_KEPT(BLOCK_FORGOTTEN, !d))
		return;
	if (result != BLOCK_OK || piece_done(q, d, &result)) {
		answer(q, held, result);
		return;
	}
	lock(q);
	ring_remove(q, d);
	if (VM_LEFT_OUT_OR(BLOCK_TURN, false)) {
		d->next = q->ring;
		q->ring = d;
	} else {
		ring_add(q, d); /* the others' turn (BK2) */
	}
	q->current = NULL;
	unlock(q);
}

/* The next disk's turn; NULL: nobody waits, and the queue is nobody's, or it goes on later (BK5). That is so, too,
 * where the disk is another than the one that is entered: nobody enters two. */
static struct block_disk *next(struct block_queue *q, const struct block_disk *held, bool enough)
{
	struct block_disk *d;

	lock(q);
	d = q->ring;
	if (!d)
		q->state = BLOCK_IDLE;
	else if (VM_KEPT(BLOCK_ENOUGH, enough) || VM_KEPT(BLOCK_OTHER, held && d != held))
		q->state = BLOCK_LATER;
	else
		q->state = BLOCK_RUNNING;
	if (q->state != BLOCK_RUNNING)
		d = NULL;
	q->current = d;
	if (q->state == BLOCK_LATER)
		q->medium.later(q->medium.ctx);
	unlock(q);
	return d;
}

static void run(struct block_queue *q, const struct block_disk *held)
{
	for (unsigned pieces = 0;; pieces++) {
		struct block_disk *d = next(q, held, pieces == BLOCK_PIECES);
		enum step step = d ? begin_piece(q, d) : STEP_STARTED;

		if (step == STEP_STARTED)
			return;
		end_step(q, held, step);
	}
}

void block_submit(struct block_disk *d, struct block_request *r)
{
	struct block_queue *q = d->queue;
	bool mine;

	r->next = NULL;
	r->at = 0;
	r->seg = 0;
	r->seg_done = 0;
	r->holds = false;
	lock(q);
	if (!d->first)
		ring_add(q, d);
	*d->last = r;
	d->last = &r->next;
	mine = q->state == BLOCK_IDLE;
	if (mine)
		q->state = BLOCK_RUNNING;
	unlock(q);
	if (mine)
		run(q, d);
}

/* The queue becomes the caller's if it is in this state. */
static bool take_queue(struct block_queue *q, enum block_state state)
{
	bool mine;

	lock(q);
	mine = q->state == state;
	if (mine)
		q->state = BLOCK_RUNNING;
	unlock(q);
	return mine;
}

void block_event(struct block_queue *q, bool good)
{
	if (!take_queue(q, BLOCK_MEDIUM))
		return;
	end_step(q, NULL, good ? STEP_DONE : STEP_FAILED);
	run(q, NULL);
}

void block_go_on(struct block_queue *q)
{
	if (take_queue(q, BLOCK_LATER))
		run(q, NULL);
}

/* May the disk's requests be forgotten now (BK4)? The lock is held. */
static bool may_cancel(const struct block_queue *q, const struct block_disk *d, bool entered)
{
	if (q->state == BLOCK_RUNNING)
		return VM_LEFT_OUT_OR(BLOCK_COPIES, q->current != d);
	return VM_LEFT_OUT_OR(BLOCK_ENTERS, q->state != BLOCK_ANSWERS || q->visited != d) ||
	       VM_KEPT(BLOCK_ENTERED, entered);
}

void block_cancel(struct block_disk *d, bool entered)
{
	struct block_queue *q = d->queue;

	lock(q);
	while (!may_cancel(q, d, entered)) {
		unlock(q);
		q->medium.relax();
		lock(q);
	}
	if (VM_KEPT(BLOCK_CURRENT, q->current == d))
		q->current = NULL;
	VM_MUTANT(BLOCK_RING, ring_remove(q, d));
	d->first = NULL;
	d->last = &d->first;
	unlock(q);
}
