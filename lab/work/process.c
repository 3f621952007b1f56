/* lab/work/process.c - workloads of many processes: fork, ring, boot. */
#include "lab/work/work.h"

static void switch_to(struct work *w, unsigned process)
{
	work_call(w, (struct lab_call){ .kind = LAB_SWITCH, .process = process, .thread = process });
	work_run(w, 0, 6);
}

/* ---- fork: children, size, write, exec ---- */

struct forks {
	uint64_t child, page, pages, touched;
	enum { FORKS_START, FORKS_INIT, FORKS_PARENT, FORKS_CHILD } phase;
};

static bool fork_begin(struct work *w, struct lab_error *error)
{
	struct forks *f = w->state;

	if (w->param[1] < 4096 || w->param[1] > 1ull << 40 || w->param[2] > 100)
		return lab_fail(error, "fork takes a heap of 4K to 1T bytes, and at most 100 percent of written pages");
	f->pages = w->param[1] >> 12;
	f->touched = f->pages * w->param[2] / 100;
	return true;
}

static void child_starts(struct work *w, struct forks *f)
{
	work_call(w, (struct lab_call){ .kind = LAB_FORK, .process = 1 });
	work_run(w, 3, 40);
	switch_to(w, 1);
	if (w->param[3]) {
		work_call(w, (struct lab_call){ .kind = LAB_EXEC });
		work_program(w);
		work_map(w, WORK_HEAP, 64 << 10, 0);
	}
	f->page = 0;
	f->phase = FORKS_CHILD;
}

static void child_ends(struct work *w, struct forks *f)
{
	work_access(w, LAB_WRITE, WORK_STACK - 64, 8, 20);
	work_call(w, (struct lab_call){ .kind = LAB_EXIT });
	switch_to(w, 0);
	work_access(w, LAB_WRITE, WORK_STACK - 128, 8, 30);
	work_access(w, LAB_READ, WORK_HEAP + (work_below(w, f->pages) << 12), 8, 10);
	f->child++;
	f->phase = FORKS_PARENT;
}

static bool fork_step(struct work *w)
{
	struct forks *f = w->state;
	uint64_t pages = w->param[3] ? 16 : f->pages, touched = w->param[3] ? 16 : f->touched;

	switch (f->phase) {
	case FORKS_START:
		work_call(w, (struct lab_call){ .kind = LAB_SWITCH });
		work_program(w);
		work_map(w, WORK_HEAP, f->pages << 12, 0);
		f->phase = FORKS_INIT;
		return true;
	case FORKS_INIT:
		if (work_touch_all(w, f->pages << 12)) {
			work_call(w, (struct lab_call){ .kind = LAB_MEASURE });
			f->phase = FORKS_PARENT;
		}
		return true;
	case FORKS_PARENT:
		if (f->child == w->param[0])
			return false;
		child_starts(w, f);
		return true;
	default:
		for (unsigned i = 0; i < 40 && f->page < touched; i++, f->page++)
			work_access(w, LAB_WRITE, WORK_HEAP + (work_below(w, pages) << 12), 8, 8);
		if (f->page == touched)
			child_ends(w, f);
		return true;
	}
}

const struct work_kind work_fork = { "fork", sizeof(struct forks), fork_begin, fork_step, NULL };

/* ---- ring: processes, pages, switches ---- */

struct ring {
	uint64_t turn, page;
	bool ready;
};

static bool ring_begin(struct work *w, struct lab_error *error)
{
	return (w->param[0] >= 1 && w->param[0] <= 10000 && w->param[1] <= 1 << 20) ||
	       lab_fail(error, "ring takes 1 to 10000 processes of 0 to 1M pages");
}

/* Each process is forked from the first one and has memory of its own. */
static void ring_process(struct work *w, unsigned process)
{
	if (process) {
		work_call(w, (struct lab_call){ .kind = LAB_FORK, .process = process });
		switch_to(w, process);
	} else {
		work_call(w, (struct lab_call){ .kind = LAB_SWITCH });
		work_program(w);
	}
	if (w->param[1])
		work_map(w, WORK_HEAP, w->param[1] << 12, 0);
	work_run(w, 0, 5);
	w->at = 0;
}

static void ring_turn(struct work *w, struct ring *r)
{
	uint64_t n = r->page ? 0 : 1;

	if (n) {
		/* a byte into a pipe, and sleep */
		work_call(w, (struct lab_call){ .kind = LAB_SYSCALL, .length = 800 });
		switch_to(w, (unsigned)(r->turn % w->param[0]));
		work_overhead(w);
	}
	for (n = 0; n < 32 && r->page < w->param[1]; n++, r->page++)
		work_access(w, work_random(w) & 3 ? LAB_READ : LAB_WRITE,
			    WORK_HEAP + (r->page << 12) + (r->turn & 63) * 64, 8, 6);
	if (r->page == w->param[1]) {
		r->page = 0;
		r->turn++;
	}
}

static bool ring_step(struct work *w)
{
	struct ring *r = w->state;

	if (!r->ready) {
		if (!r->page)
			ring_process(w, (unsigned)r->turn);
		r->page = 1;
		if (!work_touch_all(w, w->param[1] << 12))
			return true;
		r->page = 0;
		if (++r->turn < w->param[0]) {
			if (r->turn > 1)
				switch_to(w, 0);
			return true;
		}
		r->ready = true;
		r->turn = 0;
		work_call(w, (struct lab_call){ .kind = LAB_MEASURE });
		return true;
	}
	if (r->turn == w->param[2])
		return false;
	ring_turn(w, r);
	return true;
}

const struct work_kind work_ring = { "ring", sizeof(struct ring), ring_begin, ring_step, NULL };

/* ---- boot: kernel, processes, heap, work ---- */

#define BOOT_LIBRARY 0x7f0000000000ull
enum { BOOT_LIBRARY_PAGES = 448, BOOT_DIRECT_FIRST = 16 << 20 };
/* The kernel's own memory as its direct map shows it, with 4 levels; Linux with 5 has it elsewhere. */
#define BOOT_DIRECT 0xffff888000000000ull

struct boot {
	enum { BOOT_START, BOOT_KERNEL, BOOT_PARENT, BOOT_EXEC, BOOT_WORK } phase;
	uint64_t process, op, at;
	uint64_t library;  /* the page that code runs on there */
};

static bool boot_begin(struct work *w, struct lab_error *error)
{
	return (w->param[0] <= 1ull << 40 && w->param[2] >= 4096 && w->param[2] <= 1ull << 40) ||
	       lab_fail(error, "boot takes at most 1T bytes of kernel memory and a heap of 4K to 1T");
}

/* The kernel sets up its memory: page after page is written, and some are looked at again. */
static bool boot_kernel(struct work *w, struct boot *b)
{
	for (unsigned i = 0; i < 40 && b->at < w->param[0]; i++, b->at += 1024) {
		work_access(w, LAB_WRITE, BOOT_DIRECT + BOOT_DIRECT_FIRST + b->at, 64, 8);
		w->batch->event[w->batch->events - 1].kernel = 1;
	}
	return b->at >= w->param[0];
}

static void boot_exec(struct work *w)
{
	work_call(w, (struct lab_call){ .kind = LAB_EXEC });
	work_program(w);
	work_call(w, (struct lab_call){ .kind = LAB_MMAP, .addr = BOOT_LIBRARY, .length = BOOT_LIBRARY_PAGES * 4096,
					.prot = LAB_PROT_READ | LAB_PROT_EXEC, .file = WORK_FILE_LIBRARY });
	work_call(w, (struct lab_call){ .kind = LAB_MMAP,
					.addr = BOOT_LIBRARY + BOOT_LIBRARY_PAGES * 4096,
					.length = 8 * 4096,
					.prot = LAB_PROT_READ | LAB_PROT_WRITE,
					.file = WORK_FILE_LIBRARY,
					.offset = BOOT_LIBRARY_PAGES * 4096 });
	work_call(w, (struct lab_call){ .kind = LAB_BRK, .addr = 0x600000 });
	work_call(w, (struct lab_call){ .kind = LAB_BRK, .addr = 0x600000 + ((w->param[2] + 4095) & ~4095ull) });
	work_run(w, 0, 50);
	for (unsigned i = 0; i < 8; i++) /* relocations */
		work_access(w, LAB_WRITE, BOOT_LIBRARY + (BOOT_LIBRARY_PAGES + i) * 4096 + 8 * i, 8, 12);
}

/* Code mostly of the library, data mostly near the heap's beginning, now and then a system call. */
static void boot_work(struct work *w, struct boot *b)
{
	uint64_t r = work_random(w), heap = work_below(w, w->param[2] >> 12), near = work_below(w, heap + 1);

	if ((r & 15) == 0)
		b->library = (r >> 8 & 1023) * (r >> 20 & 1023) % BOOT_LIBRARY_PAGES;
	work_fetch(w, BOOT_LIBRARY + b->library * 4096, 14);
	work_access(w, r >> 30 & 1 ? LAB_WRITE : LAB_READ, 0x600000 + near * 4096 + (r >> 32 & 511) * 8, 8, 9);
	work_access(w, LAB_READ, BOOT_LIBRARY + (BOOT_LIBRARY_PAGES + (r >> 44 & 7)) * 4096, 8, 5);
	work_access(w, LAB_WRITE, WORK_STACK - 512 + (r >> 48 & 31) * 8, 8, 4);
	work_run(w, (unsigned)(r >> 54 & 3), 6);
	if (r >> 58 == 0)
		work_call(w, (struct lab_call){ .kind = LAB_SYSCALL, .length = 400 });
}

static bool boot_step(struct work *w)
{
	struct boot *b = w->state;

	switch (b->phase) {
	case BOOT_START:
		work_call(w, (struct lab_call){ .kind = LAB_SWITCH });
		work_program(w);
		b->phase = BOOT_KERNEL;
		return true;
	case BOOT_KERNEL:
		if (boot_kernel(w, b))
			b->phase = BOOT_PARENT;
		return true;
	case BOOT_PARENT:
		if (b->process == w->param[1])
			return false;
		work_access(w, LAB_WRITE, WORK_STACK - 64 - (b->process & 63) * 64, 8, 30);
		work_call(w, (struct lab_call){ .kind = LAB_FORK, .process = 1 });
		switch_to(w, 1);
		b->phase = BOOT_EXEC;
		return true;
	case BOOT_EXEC:
		boot_exec(w);
		b->op = 0;
		b->phase = BOOT_WORK;
		return true;
	default:
		if (b->op++ < w->param[3]) {
			boot_work(w, b);
			return true;
		}
		work_call(w, (struct lab_call){ .kind = LAB_EXIT });
		switch_to(w, 0);
		b->process++;
		b->phase = BOOT_PARENT;
		return true;
	}
}

const struct work_kind work_boot = { "boot", sizeof(struct boot), boot_begin, boot_step, NULL };
