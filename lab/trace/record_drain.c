/* lab/trace/record_drain.c - records of the plugin into events of a trace: processes and files get small numbers, and
 * each chunk is what one thread did while it had the CPU. */
#include <stdlib.h>
#include <string.h>

#include "lab/trace/record.h"

enum { SYSCALL_INSTRUCTIONS = 400, NO_PROCESS = -1 };

static uint64_t canonical(uint64_t record) { return (uint64_t)((int64_t)(record << 16) >> 16); }

/* ---- numbers ---- */

static int find(const struct drain *d, uint32_t pid)
{
	for (unsigned i = d->processes; pid && i-- > 0;)
		if (d->pid[i] == pid)
			return (int)i;
	return NO_PROCESS;
}

/* A number that no living process has. */
static int number(struct drain *d, uint32_t pid)
{
	unsigned i;

	for (i = 0; i < d->processes && d->pid[i]; i++)
		;
	if (i == d->room) {
		unsigned room = d->room ? 2 * d->room : 64;
		uint32_t *grown = realloc(d->pid, room * sizeof(*grown));

		if (!grown)
			return NO_PROCESS;
		d->pid = grown;
		d->room = room;
	}
	d->pid[i] = pid;
	if (i == d->processes)
		d->processes++;
	return (int)i;
}

static uint32_t file_number(struct drain *d, uint64_t file)
{
	unsigned i;

	if (!file)
		return 0;
	for (i = 0; i < d->files && d->file[i] != file; i++)
		;
	if (i == d->files) {
		if (i == d->files_room) {
			unsigned room = d->files_room ? 2 * d->files_room : 64;
			uint64_t *grown = realloc(d->file, room * sizeof(*grown));

			if (!grown)
				return 0;
			d->file = grown;
			d->files_room = room;
		}
		d->file[d->files++] = file;
	}
	return i + 1;
}

/* ---- processes ---- */

static void switch_to(struct drain *d, uint32_t process, uint32_t thread)
{
	if (d->running && d->process == process && d->thread == thread)
		return;
	lab_writer_call(d->writer, &(struct lab_call){ .kind = LAB_SWITCH, .process = process, .thread = thread });
	d->process = process;
	d->thread = thread;
	d->running = true;
}

/* The parent is the one that runs in the trace. */
static int fork_process(struct drain *d, uint32_t pid)
{
	int child = find(d, pid);

	if (child != NO_PROCESS)
		return child;
	child = number(d, pid);
	if (child != NO_PROCESS)
		lab_writer_call(d->writer, &(struct lab_call){ .kind = LAB_FORK, .process = (uint32_t)child });
	return child;
}

/* The running process has ended. Of the last one that is not said: the stream ends with its memory in place. */
static void end_process(struct drain *d)
{
	bool others = false;

	d->pid[d->process] = 0;
	for (unsigned i = 0; i < d->processes; i++)
		others |= d->pid[i] != 0;
	if (others)
		lab_writer_call(d->writer, &(struct lab_call){ .kind = LAB_EXIT });
	d->running = false;
}

/* ---- calls ---- */

static bool range(struct lab_call *c, const uint64_t *words)
{
	c->addr = words[WORD_ADDR];
	c->length = (words[WORD_LENGTH] + 4095) & ~4095ull;
	return !(c->addr & 4095) && c->length && !(c->addr >> 47) && !(c->length >> 47) &&
	       (c->addr + c->length) >> 47 == 0;
}

/* A call that the kernel accepted; what is of no use to a guest OS becomes a system call without effect. */
static void memory_call(struct drain *d, unsigned kind, const uint64_t *words)
{
	struct lab_call c = { .kind = (uint8_t)kind, .prot = words[WORD_PROT] & 7 };
	bool good = range(&c, words);

	switch (kind) {
	case LAB_MMAP:
		c.flags = (uint16_t)words[WORD_FLAGS];
		c.file = file_number(d, words[WORD_FILE]);
		c.offset = words[WORD_OFFSET];
		break;
	case LAB_MADVISE:
		c.prot = (uint8_t)words[WORD_PROT];
		good = good &&
		       (c.prot == LAB_ADVICE_DONTNEED || c.prot == LAB_ADVICE_FREE || c.prot == LAB_ADVICE_HUGEPAGE ||
			c.prot == LAB_ADVICE_NOHUGEPAGE) &&
		       words[WORD_PROT] < 256;
		break;
	case LAB_MREMAP:
		c.prot = 0;
		c.to = words[WORD_TO];
		c.to_length = (words[WORD_TO_LENGTH] + 4095) & ~4095ull;
		good = good && !(c.to & 4095) && !(c.to >> 47) && c.to_length && !((c.to + c.to_length) >> 47);
		break;
	case LAB_BRK:
		c = (struct lab_call){ .kind = LAB_BRK, .addr = words[WORD_ADDR] };
		good = !(c.addr >> 47);
		break;
	case LAB_MUNMAP: case LAB_MPROTECT: break;
	default: good = false;
	}
	if (kind == LAB_MUNMAP)
		c.prot = 0;
	if (good)
		lab_writer_call(d->writer, &c);
	else
		lab_writer_call(d->writer, &(struct lab_call){ .kind = LAB_SYSCALL, .length = SYSCALL_INSTRUCTIONS });
}

static void call(struct drain *d, unsigned kind, const uint64_t *words)
{
	switch (kind) {
	case RING_IMAGE:
		if (d->image)
			lab_writer_call(d->writer, &(struct lab_call){ .kind = LAB_EXEC });
		d->image = true;
		break;
	case RING_LOST:
		d->lost_threads += words[0] == LOST_THREADS;
		d->lost_execs += words[0] == LOST_EXEC;
		break;
	case LAB_FORK:
		if (words[0])
			fork_process(d, (uint32_t)words[0]);
		break;
	case LAB_EXIT:
		end_process(d);
		break;
	case RING_FORKED: case RING_THREAD_EXIT: break;
	default: memory_call(d, kind, words);
	}
}

/* ---- chunks ---- */

static void records(struct drain *d, const uint64_t *at, const uint64_t *end)
{
	for (; at < end && *at; at++) {
		unsigned n = (unsigned)(*at >> 48 & 0xfff);
		uint64_t addr = canonical(*at);

		switch (*at >> 60) {
		case RING_FETCH: lab_writer_fetch(d->writer, addr, n); break;
		case RING_READ: lab_writer_access(d->writer, LAB_READ, addr, n, false); break;
		case RING_WRITE: lab_writer_access(d->writer, LAB_WRITE, addr, n, false); break;
		default:
			if (end - at < RING_CALL_WORDS)
				return;
			call(d, n, at + 1);
			at += RING_CALL_WORDS - 1;
			if (!d->running)
				return; /* it has ended */
		}
	}
}

/* Which process the chunk is of; one that is not known yet begins with what it was forked from, or is the first. */
static int owner(struct drain *d, const struct ring_chunk *c)
{
	int process = find(d, c->pid), parent;

	if (process != NO_PROCESS)
		return process;
	if (!d->processes)
		return number(d, c->pid);
	if (c->record[0] >> 60 != RING_CALL || (c->record[0] >> 48 & 0xfff) != RING_FORKED)
		return NO_PROCESS; /* has ended already */
	parent = find(d, (uint32_t)c->record[1]);
	if (parent == NO_PROCESS)
		return NO_PROCESS;
	switch_to(d, (uint32_t)parent,
		  d->process == (uint32_t)parent && d->running ? d->thread : (uint32_t)c->record[1]);
	return fork_process(d, c->pid);
}

static void take_chunk(struct drain *d, struct ring_chunk *c)
{
	int process = owner(d, c);

	if (process != NO_PROCESS) {
		switch_to(d, (uint32_t)process, c->tid);
		records(d, c->record, c->record + RING_RECORDS);
	}
	memset(c->record, 0, sizeof(c->record));
	atomic_store(&c->state, CHUNK_FREE);
}

bool drain_chunk(struct drain *d)
{
	_Atomic uint32_t *slot = &d->ring->queue[d->head % RING_CHUNKS];
	uint32_t chunk = atomic_exchange(slot, 0);

	if (!chunk)
		return false;
	d->head++;
	if (chunk <= RING_CHUNKS)
		take_chunk(d, &d->ring->chunk[chunk - 1]);
	return true;
}

void drain_stalled(struct drain *d)
{
	if (d->head < atomic_load(&d->ring->tail) && !atomic_load(&d->ring->queue[d->head % RING_CHUNKS]))
		d->head++;
}

void drain_rest(struct drain *d)
{
	unsigned alive = 0;

	/* Holes, as above. */
	for (; d->head < atomic_load(&d->ring->tail); d->head++)
		while (drain_chunk(d))
			;
	for (unsigned i = 0; i < RING_CHUNKS; i++)
		if (atomic_load(&d->ring->chunk[i].state) == CHUNK_CLAIMED)
			take_chunk(d, &d->ring->chunk[i]);
	for (unsigned i = 0; i < d->processes; i++)
		alive += d->pid[i] != 0;
	for (unsigned i = 0; i < d->processes && alive > 1; i++) {
		if (!d->pid[i] || (d->running && d->process == i))
			continue;
		switch_to(d, i, d->pid[i]);
		end_process(d);
		alive--;
	}
}

void drain_free(struct drain *d)
{
	free(d->pid);
	free(d->file);
}
