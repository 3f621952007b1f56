/* Requests that are taken back by one CPU while another answers them, copies for them, or is about to (BK1, BK4): two
 * guests submit and reset at random, and end; a third thread is the medium. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "dev/block/block.h"

#define ROUNDS 20000
#define SLOTS 6
#define RAM 0x4000

struct guest {
	struct block_disk disk;
	pthread_mutex_t device; /* its device lock */
	uint8_t ram[RAM];
	struct slot {
		struct block_request r;
		struct guest *guest;
		bool busy;
	} slot[SLOTS];
	struct guest_segment segment;
	unsigned answers, resets;
	bool over; /* nothing of it may be touched any more */
};

static struct guest guests[2];
static struct block_queue queue;
static uint8_t buffer[8 * SECTOR_SIZE];
static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
/* What the medium is to do; under a lock of its own. */
static pthread_mutex_t work_lock = PTHREAD_MUTEX_INITIALIZER;
static bool started, later, stop;

static void lock(void *ctx) { pthread_mutex_lock(ctx); }
static void unlock(void *ctx) { pthread_mutex_unlock(ctx); }
static void relax(void) { sched_yield(); }

static void set(bool *what)
{
	pthread_mutex_lock(&work_lock);
	*what = true;
	pthread_mutex_unlock(&work_lock);
}

static bool take(bool *what)
{
	bool was;

	pthread_mutex_lock(&work_lock);
	was = *what;
	*what = false;
	pthread_mutex_unlock(&work_lock);
	return was;
}

static bool start(void *ctx, unsigned unit, enum block_op op, uint64_t sector, unsigned sectors)
{
	(void)ctx, (void)unit, (void)op, (void)sector, (void)sectors;
	set(&started);
	return true;
}

static void go_later(void *ctx)
{
	(void)ctx;
	set(&later);
}

static bool access_memory(void *ctx, uint64_t gpa, const void *from, void *to, size_t n)
{
	struct guest *g = ctx;

	BUG_ON(__atomic_load_n(&g->over, __ATOMIC_SEQ_CST));
	if (gpa + n > RAM)
		return false;
	memcpy(from ? (void *)(g->ram + gpa) : to, from ? from : (const void *)(g->ram + gpa), n);
	return true;
}
static bool read_memory(void *ctx, uint64_t gpa, void *to, size_t n) { return access_memory(ctx, gpa, NULL, to, n); }
static bool write_memory(void *ctx, uint64_t gpa, const void *from, size_t n)
{
	return access_memory(ctx, gpa, from, NULL, n);
}

static void enter(void *ctx)
{
	BUG_ON(__atomic_load_n(&((struct guest *)ctx)->over, __ATOMIC_SEQ_CST));
	pthread_mutex_lock(&((struct guest *)ctx)->device);
}
static void leave(void *ctx)
{
	BUG_ON(__atomic_load_n(&((struct guest *)ctx)->over, __ATOMIC_SEQ_CST));
	pthread_mutex_unlock(&((struct guest *)ctx)->device);
}

static void done(struct block_request *r, enum block_result result)
{
	struct slot *s = container_of(r, struct slot, r);

	(void)result;
	BUG_ON(!s->busy);
	s->busy = false;
	s->guest->answers++;
}

static void submit(struct guest *g, struct slot *s, unsigned random)
{
	s->busy = true;
	s->r = (struct block_request){ .op = random % 3 ? BLOCK_READ : BLOCK_WRITE, .sector = random % 100,
				       .count = 1 + random % 20, .segment = &g->segment, .segments = 1, .done = done };
	block_submit(&g->disk, &s->r);
}

/* A vCPU of the guest, within its device lock: it asks, or resets the device. */
static void *vcpu(void *arg)
{
	struct guest *g = arg;
	unsigned seed = (unsigned)(g - guests) + 1;
	bool answered = false;

	/* The medium's thread may be long in coming. */
	for (unsigned n = 0; n < ROUNDS || !answered; n++) {
		unsigned random = (seed = seed * 1103515245 + 12345) >> 8;
		struct slot *s = &g->slot[random % SLOTS];

		pthread_mutex_lock(&g->device);
		if (random / SLOTS % 16 == 0) {
			block_cancel(&g->disk, true);
			for (unsigned i = 0; i < SLOTS; i++)
				g->slot[i].busy = false;
			g->resets++;
		} else if (!s->busy) {
			submit(g, s, random / 7);
		}
		answered = g->answers;
		pthread_mutex_unlock(&g->device);
		if (n % 32 == 0)
			sched_yield();
	}
	block_cancel(&g->disk, false);
	__atomic_store_n(&g->over, true, __ATOMIC_SEQ_CST);
	return NULL;
}

static void *medium(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		if (take(&started))
			block_event(&queue, true);
		if (take(&later))
			block_go_on(&queue);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct block_medium below = { lock, unlock, relax, start, go_later, &queue_lock };
	pthread_t thread[3];

	(void)state;
	block_queue_init(&queue, &below, buffer, 8);
	pthread_create(&thread[2], NULL, medium, NULL);
	for (unsigned i = 0; i < 2; i++) {
		struct guest *g = &guests[i];

		pthread_mutex_init(&g->device, NULL);
		g->segment = (struct guest_segment){ 0, 20 * SECTOR_SIZE };
		g->disk = (struct block_disk){ .queue = &queue, .unit = i, .sectors = 1000, .most = 8,
					       .memory = { read_memory, write_memory, g },
					       .enter = enter, .leave = leave, .ctx = g };
		block_disk_init(&g->disk);
		for (unsigned n = 0; n < SLOTS; n++)
			g->slot[n].guest = g;
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, vcpu, &guests[i]);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	pthread_join(thread[2], NULL);
	assert_true(guests[0].answers && guests[1].answers && guests[0].resets && guests[1].resets);
	assert_null(queue.ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_threads) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
