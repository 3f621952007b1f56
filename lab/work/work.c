/* lab/work/work.c - the built-in workloads as sources of events: which there are, their parameters, and what they have
 * in common. */
#include <stdlib.h>
#include <string.h>

#include "lab/config/config.h"
#include "lab/trace/trace.h"
#include "lab/work/work.h"

const struct lab_workload lab_workloads[] = {
	{ "chase", "pointer chase: a list of objects, linked at random, is followed from one end to the other",
	  "size=256M  bytes of all objects\nobject=64  bytes of one\npasses=1  times that the list is followed\n"
	  "init=1  1: the objects are written before the account begins",
	  { 1, 1, 1 } },
	{ "gups", "random update: a word anywhere in a table is read, changed and written",
	  "size=64M  bytes of the table\nupdates=4M  how many\ninit=1  1: the table is written before the account "
	  "begins",
	  { 0, 0, 0.1 } },
	{ "seq", "sequential: an array is read (or written) from one end to the other",
	  "size=64M  bytes of the array\nstride=64  bytes from one access to the next\npasses=4  times\n"
	  "write=0  percent of the accesses that are writes\ninit=1  1: the array is written before the account "
	  "begins",
	  { 0, 0, 0.2 } },
	{ "zipf", "key-value store: a hash table and its values; keys are drawn from a Zipf distribution",
	  "keys=1M  how many\nvalue=256  bytes of a value; of a longer one the first 4K are used\n"
	  "theta=99  skew, in hundredths (1 to 99)\nops=2M  operations\nupdate=5  percent of the operations that "
	  "write\n"
	  "init=1  1: the store is filled before the account begins",
	  { 0.5, 0.3, 0.8 } },
	{ "bfs", "graph traversal: breadth-first search; edges by R-MAT or uniform",
	  "scale=18  logarithm of the number of vertices\ndegree=16  edges from each\nrmat=1  1: R-MAT (0.57, 0.19, "
	  "0.19), 0: uniform\n"
	  "searches=1  how many, each from another vertex\ninit=1  1: the graph is written before the account begins",
	  { 0.4, 0.2, 0.8 } },
	{ "fork", "fork storm: a parent forks, the child writes to some of its memory and ends, and again",
	  "children=500  how many\nsize=16M  bytes of the parent's heap\nwrite=10  percent of the pages that a child "
	  "writes\n"
	  "exec=0  1: the child execs a small program instead",
	  { 0, 0, 0 } },
	{ "mmap", "mmap churn: regions are mapped, written, and unmapped",
	  "ops=10000  regions in all\nlive=32  of them at a time\nsize=128K  average bytes of a region",
	  { 0, 0, 0 } },
	{ "ring", "context-switch ring: processes that take turns, with a little work each",
	  "processes=8  how many; each waits for the one before it (a byte through a pipe)\n"
	  "pages=64  pages of each that its turn touches, 0: none\nswitches=50000  turns in all",
	  { 0, 0, 0 } },
	{ "faults", "page-fault storm: a region is mapped, each page is written once, and it is unmapped",
	  "size=64M  bytes of the region\npasses=4  times\nadvise=0  1: given back by madvise(MADV_DONTNEED) instead "
	  "of munmap",
	  { 0, 0, 0 } },
	{ "boot", "boot-like mix: a kernel that sets up its memory, then many small processes with shared libraries",
	  "kernel=32M  bytes of the kernel's own memory, in a guest with more, and of 4 levels\nprocesses=60  in all\n"
	  "heap=1M  bytes of each one's heap\nwork=4000  operations of each",
	  { 0, 0, 0 } },
	{ "grow", "a heap that grows: a step at a time, as malloc's does, while objects anywhere in it are used",
	  "size=64M  bytes in the end, after half of the operations\nstep=128K  bytes by which it grows\nops=2M  "
	  "operations",
	  { 0, 0, 0 } },
	{ NULL, NULL, NULL, { 0, 0, 0 } },
};

/* In the order of lab_workloads. */
static const struct work_kind *const kinds[] = {
	&work_chase, &work_gups, &work_seq,    &work_zipf, &work_bfs,  &work_fork,
	&work_mmap,  &work_ring, &work_faults, &work_boot, &work_grow,
};

/* ---- writing events ---- */

void work_call(struct work *w, struct lab_call call)
{
	work_event(w, (struct lab_event){ .addr = w->batch->calls, .kind = LAB_CALL });
	w->batch->call[w->batch->calls++] = call;
}

void work_fetch(struct work *w, uint64_t addr, unsigned count)
{
	work_event(w, (struct lab_event){ .addr = addr, .kind = LAB_FETCH, .fetches = count });
}

void work_run(struct work *w, unsigned page, unsigned count)
{
	work_fetch(w, WORK_CODE + 4096 * page + 64 * (page % 7), count);
}

void work_access_two(struct work *w, enum lab_kind kind, uint64_t addr, unsigned size, unsigned count)
{
	unsigned room = 4096 - (addr & 0xfff);

	work_event(w, (struct lab_event){ .addr = addr, .kind = kind, .size = (uint8_t)room });
	work_event(w, (struct lab_event){
			      .addr = addr + room, .kind = kind, .size = (uint8_t)(size - room), .fetches = count });
}

/* One operation in eight calls a function; the functions that are called often are few. */
void work_overhead(struct work *w)
{
	uint64_t r;

	if (w->until_call--)
		return;
	r = work_random(w);
	w->until_call = 4 + (r & 7);
	work_run(w, 1 + (unsigned)((r >> 8 & 31) * (r >> 16 & 31)) * (WORK_CODE_PAGES - 1) / 1024, 12);
	work_access(w, LAB_WRITE, WORK_STACK - 256 - (r >> 24 & 15) * 8, 8, 6);
	work_access(w, LAB_READ, WORK_STACK - 256 - (r >> 24 & 15) * 8, 8, 1);
	work_run(w, 0, 2);
}

void work_map(struct work *w, uint64_t addr, uint64_t bytes, unsigned flags)
{
	work_call(w, (struct lab_call){ .kind = LAB_MMAP,
					.addr = addr,
					.length = bytes,
					.prot = LAB_PROT_READ | LAB_PROT_WRITE,
					.flags = (uint16_t)flags });
}

void work_program(struct work *w)
{
	work_call(w, (struct lab_call){ .kind = LAB_MMAP, .addr = WORK_CODE, .length = WORK_CODE_PAGES * 4096,
					.prot = LAB_PROT_READ | LAB_PROT_EXEC, .file = WORK_FILE_CODE });
	work_map(w, WORK_STACK - WORK_STACK_BYTES, WORK_STACK_BYTES, LAB_MAP_STACK);
	work_run(w, 0, 10);
}

bool work_touch_all(struct work *w, uint64_t bytes)
{
	for (unsigned i = 0; i < 64 && w->at < bytes; i++, w->at += 4096)
		work_access(w, LAB_WRITE, WORK_HEAP + w->at, 8, 3);
	return w->at >= bytes;
}

/* ---- as a source ---- */

static bool next(struct lab_source *s, struct lab_batch *b)
{
	struct work *w = (struct work *)s;

	b->events = b->calls = 0;
	w->batch = b;
	while (!w->done && b->events + WORK_STEP_EVENTS <= LAB_BATCH_EVENTS &&
	       b->calls + WORK_STEP_CALLS <= LAB_BATCH_CALLS)
		w->done = !w->kind->step(w) || (w->limit && w->made >= w->limit);
	return b->events > 0;
}

static const char *no_error(struct lab_source *s)
{
	(void)s;
	return NULL;
}

static void close_work(struct lab_source *s)
{
	struct work *w = (struct work *)s;

	if (w->kind->end && w->state)
		w->kind->end(w);
	free(w->state);
	free(w);
}

static const struct lab_source_ops ops = { next, no_error, close_work };

/* ---- parameters ---- */

/* Line i of the keys: its name, and what follows the '='. false: there is none. */
static bool key_line(const char *keys, unsigned i, char name[32], char value[32])
{
	for (; i; i--) {
		keys = strchr(keys, '\n');
		if (!keys)
			return false;
		keys++;
	}
	return sscanf(keys, "%31[^=]=%31[^ ]", name, value) == 2;
}

/* seen: a bit for each that was set before. */
static bool set(struct work *w, const struct lab_workload *kind, const char *assignment, uint64_t *seen,
		struct lab_error *error)
{
	char name[32], value[32], all[256] = "";
	size_t length = strcspn(assignment, "=");

	for (unsigned i = 0; key_line(kind->keys, i, name, value); i++) {
		if (strlen(name) == length && !strncmp(name, assignment, length)) {
			if (*seen >> i & 1)
				return lab_fail(error, "%s of workload %s is set twice", name, kind->name);
			*seen |= 1ull << i;
			if (assignment[length] == '=' && lab_parse_count(assignment + length + 1, &w->param[i]))
				return true;
			return lab_fail(error, "%s of workload %s needs a number, such as %s=%s", name, kind->name,
					name, value);
		}
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i ? ", " : "", name);
	}
	return lab_fail(error, "workload %s has no parameter %.*s; it has %s", kind->name, (int)length, assignment,
			all);
}

static bool parameters(struct work *w, const struct lab_workload *kind, const char *text, struct lab_error *error)
{
	char name[32], value[32], *copy = strdup(text), *rest = copy;
	uint64_t seen = 0;
	bool ok = copy != NULL;

	for (unsigned i = 0; ok && key_line(kind->keys, i, name, value); i++)
		ok = lab_parse_count(value, &w->param[i]);
	for (char *part; ok && (part = strsep(&rest, ","));)
		ok = !*part || set(w, kind, part, &seen, error);
	free(copy);
	return ok || lab_fail(error, "no memory");
}

static struct lab_source *open_work(const struct lab_workload *kind, const char *text, uint64_t seed, uint64_t limit,
				    struct lab_error *error)
{
	struct work *w = calloc(1, sizeof(*w));

	if (!w) {
		lab_fail(error, "no memory");
		return NULL;
	}
	w->source.ops = &ops;
	w->source.dependence = kind->dependence;
	w->kind = kinds[kind - lab_workloads];
	w->seed = seed;
	w->limit = limit;
	work_seed(w);
	w->state = calloc(1, w->kind->state);
	if (!w->state || !parameters(w, kind, text, error) || !w->kind->begin(w, error)) {
		lab_fail(error, "no memory");
		close_work(&w->source);
		return NULL;
	}
	return &w->source;
}

/* FILE, or FILE,skip=N */
static struct lab_source *open_trace(const char *rest, struct lab_error *error)
{
	const char *skip = strstr(rest, ",skip=");
	char *path = strndup(rest, skip ? (size_t)(skip - rest) : strlen(rest));
	struct lab_source *s = NULL;
	uint64_t accesses = 0;

	if (!path)
		lab_fail(error, "no memory");
	else if (!*path)
		lab_fail(error, "which trace? trace:FILE");
	else if (skip && !lab_parse_count(skip + 6, &accesses))
		lab_fail(error, "skip needs a number of accesses, such as trace:%s,skip=10M", path);
	else
		s = lab_trace_open(path, error);
	if (s && s->accesses && accesses > s->accesses) {
		lab_fail(error, "%s has %llu accesses: more cannot be skipped", path, (unsigned long long)s->accesses);
		lab_source_close(s);
		s = NULL;
	}
	if (s)
		lab_trace_skip(s, accesses);
	free(path);
	return s;
}

struct lab_source *lab_source_open(const char *description, uint64_t seed, uint64_t limit, struct lab_error *error)
{
	size_t length = strcspn(description, ":");
	const char *rest = description[length] ? description + length + 1 : "";
	char all[256] = "";

	if (length == 5 && !strncmp(description, "trace", 5))
		return open_trace(rest, error);
	for (const struct lab_workload *k = lab_workloads; k->name; k++) {
		if (strlen(k->name) == length && !strncmp(k->name, description, length))
			return open_work(k, rest, seed, limit, error);
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s, ", k->name);
	}
	lab_fail(error, "there is no workload %.*s; there are %sand trace:FILE", (int)length, description, all);
	return NULL;
}
