/* Threads that share an address space: one takes pages away - munmap, mprotect, mremap, madvise, fork - while the
 * others read and write them. What was taken away must not be seen, nor written to, after the call that took it
 * returned. */
#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PROCESSES = 2, TOUCHERS = 3, PAGES = 12, LOOKS = 3, STACK = 65536, CHILD_LOOKS = 8, SEED = 12000 };

/* What the pages are now, as far as those who touch them are told: before a call that changes it they are told that
 * nothing is sure, and after it what must be. The last two say nothing of the pages. */
enum { HERE, LOCKED, HIDDEN, GONE, ZERO, UNSURE, OVER };

static struct {
	unsigned char *base, *aside;
	uint32_t state;                 /* the generation, and what the pages are */
	uint32_t looks[TOUCHERS];       /* how often each has looked */
} shared;

/* ---- pages ---- */

static uint32_t stamp(uint32_t generation, uint32_t page) { return (uint32_t)mix(SEED + generation, page) | 1; }

/* A page's stamp, and behind it a word for each of those who write. */
static uint32_t *stamp_at(unsigned char *base, uint32_t page)
{
	return (uint32_t *)(void *)(base + (size_t)page * PAGE + page * 256);
}

static uint32_t *word_at(unsigned char *base, uint32_t page, uint32_t who) { return stamp_at(base, page) + 1 + who; }

static uint32_t state(void) { return __atomic_load_n(&shared.state, __ATOMIC_SEQ_CST); }

static const char *const names[] = { "there", "read-only", "without rights", "gone", "given up" };

static void must(int fault, uint32_t now, int is_store)
{
	uint32_t what = now & 7;
	int wanted = what == GONE ? SEGV_MAPERR : what == HIDDEN || (what == LOCKED && is_store) ? SEGV_ACCERR : 0;

	if (fault != wanted)
		fail("threads: a %s, of a page that is %s, ended with %d, should be %d", is_store ? "store" : "load",
		     names[what], fault, wanted);
}

static void look(uint32_t page)
{
	uint32_t before = state(), value = 0;
	int fault = try_load_word(stamp_at(shared.base, page), &value);

	if (before != state() || (before & 7) >= UNSURE)
		return;
	must(fault, before, 0);
	if (fault == 0 && value != ((before & 7) == ZERO ? 0 : stamp(before >> 3, page)))
		fail("threads: page %u, of generation %u and %s, shows %08x", page, before >> 3, names[before & 7],
		     value);
}

static void write_word(uint32_t page, uint32_t who, uint32_t value)
{
	uint32_t before = state(), is = 0;
	int fault = try_store_word(word_at(shared.base, page, who), value), again;

	if (before != state() || (before & 7) >= UNSURE)
		return;
	must(fault, before, 1);
	again = try_load_word(word_at(shared.base, page, who), &is);
	if (fault == 0 && before == state() && (again != 0 || is != value))
		fail("threads: page %u lost a store: %08x, should be %08x", page, is, value);
}

static void *touch(void *number)
{
	uint32_t who = (uint32_t)(uintptr_t)number;

	for (uint32_t n = 0; (state() & 7) != OVER; n++) {
		uint32_t page = (uint32_t)(mix(who, n) % PAGES);

		look(page);
		write_word(page, who, n);
		__atomic_add_fetch(&shared.looks[who], 1, __ATOMIC_SEQ_CST);
		if (n % 4 == 3)
			sched_yield();
	}
	return NULL;
}

/* ---- who takes them away ---- */

static void tell(uint32_t generation, uint32_t what)
{
	__atomic_store_n(&shared.state, generation << 3 | what, __ATOMIC_SEQ_CST);
}

/* All have looked since. */
static void let_look(void)
{
	for (uint32_t who = 0; who < TOUCHERS; who++) {
		uint32_t from = __atomic_load_n(&shared.looks[who], __ATOMIC_SEQ_CST);

		while (__atomic_load_n(&shared.looks[who], __ATOMIC_SEQ_CST) - from < LOOKS)
			sched_yield();
	}
}

static void remember(unsigned char *base, uint32_t seen[PAGES][TOUCHERS])
{
	for (uint32_t page = 0; page < PAGES; page++)
		for (uint32_t who = 0; who < TOUCHERS; who++)
			seen[page][who] = __atomic_load_n(word_at(base, page, who), __ATOMIC_SEQ_CST);
}

/* Nobody writes to what was taken away. */
static void still(unsigned char *base, uint32_t seen[PAGES][TOUCHERS], const char *where)
{
	uint32_t now[PAGES][TOUCHERS];

	remember(base, now);
	if (memcmp(now, seen, sizeof now) != 0)
		fail("threads: a store after %s came through", where);
}

static void checked(int result, const char *call)
{
	if (result != 0)
		fail("threads: %s: %s", call, strerror(errno));
}

static void bring(uint32_t generation)
{
	void *p = mmap(shared.base, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		       0);

	if (p != shared.base)
		fail("threads: mmap: %s", strerror(errno));
	madvise(p, PAGES * PAGE, MADV_NOHUGEPAGE);
	for (uint32_t page = 0; page < PAGES; page++)
		*stamp_at(shared.base, page) = stamp(generation, page);
}

static void unmap_round(uint32_t n)
{
	checked(munmap(shared.base, PAGES * PAGE), "munmap");
	tell(n, GONE);
	let_look();
	tell(n, UNSURE);
	bring(n + 1);
}

static void protect_round(uint32_t n)
{
	uint32_t seen[PAGES][TOUCHERS];

	checked(mprotect(shared.base, PAGES * PAGE, PROT_READ), "mprotect");
	tell(n, LOCKED);
	remember(shared.base, seen);
	let_look();
	still(shared.base, seen, "mprotect");
	tell(n, UNSURE);
	checked(mprotect(shared.base, PAGES * PAGE, PROT_NONE), "mprotect");
	tell(n, HIDDEN);
	let_look();
	tell(n, UNSURE);
	checked(mprotect(shared.base, PAGES * PAGE, PROT_READ | PROT_WRITE), "mprotect");
	for (uint32_t page = 0; page < PAGES; page++)
		*stamp_at(shared.base, page) = stamp(n + 1, page);
}

static void move(unsigned char *from, unsigned char *to)
{
	if (mremap(from, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		fail("threads: mremap: %s", strerror(errno));
}

static void move_round(uint32_t n)
{
	uint32_t seen[PAGES][TOUCHERS];

	move(shared.base, shared.aside);
	tell(n, GONE);
	remember(shared.aside, seen);
	let_look();
	still(shared.aside, seen, "mremap");
	tell(n, UNSURE);
	for (uint32_t page = 0; page < PAGES; page++)
		*stamp_at(shared.aside, page) = stamp(n + 1, page);
	move(shared.aside, shared.base);
}

static void give_up_round(uint32_t n)
{
	checked(madvise(shared.base, PAGES * PAGE, MADV_DONTNEED), "madvise");
	tell(n, ZERO);
	let_look();
	tell(n, UNSURE);
	for (uint32_t page = 0; page < PAGES; page++)
		*stamp_at(shared.base, page) = stamp(n + 1, page);
}

/* The child's pages are those of the moment of the fork, whatever the parent's threads write now; what it writes, they
 * do not see. */
static int child(uint32_t n)
{
	uint32_t seen[PAGES][TOUCHERS];

	remember(shared.base, seen);
	for (uint32_t page = 0; page < PAGES; page++)
		if (*stamp_at(shared.base, page) != stamp(n, page))
			return 1;
	for (uint32_t i = 0; i < CHILD_LOOKS; i++) {
		sched_yield();
		still(shared.base, seen, "fork");
		*stamp_at(shared.base, i) = 0;
	}
	return 0;
}

static void fork_round(uint32_t n)
{
	int pid;

	tell(n, HERE);
	pid = fork();
	if (pid == 0)
		_exit(child(n));
	let_look();
	reap(pid, "threads");
	tell(n, UNSURE);
	for (uint32_t page = 0; page < PAGES; page++)
		*stamp_at(shared.base, page) = stamp(n + 1, page);
}

/* ---- the processes ---- */

static const struct part {
	const char *name;
	void (*round)(uint32_t n);
} parts[] = {
	{ "unmap", unmap_round }, { "protect", protect_round }, { "move", move_round }, { "give-up", give_up_round },
	{ "fork", fork_round },
};

static uint64_t rounds(const struct part *part, uint32_t first, uint32_t size)
{
	uint64_t sum = 0;

	for (uint32_t n = first; n < first + size; n++) {
		tell(n, HERE);
		let_look();
		tell(n, UNSURE);
		part->round(n);
		for (uint32_t page = 0; page < PAGES; page++) {
			uint32_t is = *stamp_at(shared.base, page);

			if (is != stamp(n + 1, page))
				fail("threads: page %u, of generation %u, shows %08x after its round", page, n + 1, is);
			sum = fold(sum, is);
		}
	}
	return sum;
}

static uint64_t process(const struct part *part, uint32_t first, uint32_t size)
{
	pthread_t thread[TOUCHERS];
	pthread_attr_t small;
	uint64_t sum;

	faults_init();
	tell(first, UNSURE);
	shared.base = take_pages(PAGES, MAP_PRIVATE);
	shared.aside = take_pages(PAGES, MAP_PRIVATE); /* taken until it is used, so that no stack comes there */
	bring(first);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, STACK);
	for (uintptr_t who = 0; who < TOUCHERS; who++)
		if (pthread_create(&thread[who], &small, touch, (void *)who) != 0)
			fail("threads: no thread can be made");
	sum = rounds(part, first, size);
	tell(0, OVER);
	for (unsigned who = 0; who < TOUCHERS; who++)
		pthread_join(thread[who], NULL);
	return sum;
}

static uint64_t run_part(const struct part *part, uint32_t first, uint32_t size, uint64_t *sums)
{
	int pid[PROCESSES];
	uint64_t sum = 0;

	for (uint32_t i = 0; i < PROCESSES; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			sums[i] = process(part, first + i * size, size);
			_exit(0);
		}
	}
	for (uint32_t i = 0; i < PROCESSES; i++) {
		reap(pid[i], "threads");
		sum = fold(sum, sums[i]);
	}
	return sum;
}

uint64_t threads_workload(uint32_t size)
{
	uint64_t *sums = (uint64_t *)(void *)take_pages(1, MAP_SHARED), sum = 0;

	for (uint32_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		phase(parts[i].name);
		sum = fold(sum, run_part(&parts[i], 1 + i * PROCESSES * size, size, sums));
		phase_steps(PROCESSES * size);
	}
	munmap(sums, PAGE);
	return sum;
}
