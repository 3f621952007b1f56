/* lab/machine/event.h - what a program does, as the lab sees it: the stream of events that a workload generator or a
 * recorded trace gives and that the machine model takes.
 *
 * Events come in batches. Nearly all are accesses, 16 bytes each; what a program asks of its operating system (a call)
 * is rare and lies beside them. Instruction fetches are not one event each: they are counted, by the page that they
 * come from.
 *
 * V1: no access crosses a 4-KByte page.
 * V2: the fetches counted in an event come after its own action, from the page of the latest LAB_FETCH; after a
 *     LAB_SWITCH nothing counts fetches until a LAB_FETCH of the new thread (nor after LAB_EXEC, until one of the new
 *     program).
 * V3: addresses are canonical. */
#ifndef VELLUM_LAB_EVENT_H
#define VELLUM_LAB_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "lab/error.h"

enum lab_kind {
	LAB_READ,
	LAB_WRITE,
	LAB_FETCH, /* the code page becomes that of addr; the first of .fetches is at addr itself */
	LAB_CALL,  /* call[addr] of the batch is made */
	LAB_KINDS
};

struct lab_event {
	uint64_t addr;
	uint32_t fetches; /* instructions fetched from the current code page after this event and before the next */
	uint8_t kind;
	uint8_t size;     /* bytes of the access; 0: unknown (or 256 and more) */
	uint8_t kernel;   /* 1: a supervisor-mode access */
	uint8_t spare;
};

/* Calls. `process` and `thread` are numbers that the source gives, from 0 and small; a process is an address space.
 * The first event of a source is a LAB_SWITCH to process 0, which begins with an empty address space. */
enum lab_call_kind {
	LAB_SWITCH,   /* from now on process, thread runs */
	LAB_MMAP,     /* addr, length: a mapping, which replaces what was there; prot, flags; file, offset */
	LAB_MUNMAP,   /* addr, length */
	LAB_MPROTECT, /* addr, length, prot */
	LAB_BRK,      /* addr: the heap's new end; the first one says where the heap begins */
	LAB_MADVISE,  /* addr, length, advice (in prot): LAB_ADVICE_* */
	LAB_MREMAP,   /* addr, length: old; to, to_length: new */
	LAB_FORK,     /* process becomes a copy of the running process; the parent runs on */
	LAB_EXEC,     /* the running process's address space becomes empty */
	LAB_EXIT,     /* the running process has ended (its last thread, too); the last one of a stream need not */
	/* a system call that does nothing else to memory; length: instructions that the kernel executes for it */
	LAB_SYSCALL,
	LAB_MEASURE,  /* the program's set-up is over: the account begins anew here; what caches hold stays */
	LAB_CALLS
};

enum { LAB_PROT_READ = 1, LAB_PROT_WRITE = 2, LAB_PROT_EXEC = 4 }; /* as Linux' PROT_* */
enum {
	LAB_MAP_SHARED = 1,    /* with file 0: shared anonymous memory */
	LAB_MAP_HUGE_2M = 2,   /* hugetlb */
	LAB_MAP_HUGE_1G = 4,
	LAB_MAP_STACK = 8,     /* grows downwards */
	LAB_MAP_POPULATE = 16,
};
/* As Linux' MADV_*. */
enum { LAB_ADVICE_DONTNEED = 4, LAB_ADVICE_FREE = 8, LAB_ADVICE_HUGEPAGE = 14, LAB_ADVICE_NOHUGEPAGE = 15 };

struct lab_call {
	uint8_t kind;
	uint8_t prot;
	uint16_t flags;
	uint32_t process, thread;
	uint32_t file;            /* number of the file, from 1; 0: anonymous memory */
	uint64_t addr, length;
	uint64_t to, to_length;   /* LAB_MREMAP */
	uint64_t offset;          /* LAB_MMAP: in the file, bytes */
};

enum { LAB_BATCH_EVENTS = 4096, LAB_BATCH_CALLS = 64 };

struct lab_batch {
	unsigned events, calls;
	struct lab_event event[LAB_BATCH_EVENTS];
	struct lab_call call[LAB_BATCH_CALLS];
};

/* Where events come from. next() fills the batch: true with at least one event; false at the end, or when something is
 * wrong, which error() then says in one sentence (else it is NULL). close() frees the source. */
struct lab_source {
	const struct lab_source_ops *ops;
	uint64_t accesses;      /* that the stream will hold, for progress; 0: not known */
	/* The stream does not say what is mapped where (an imported trace): the guest OS maps what is touched, as
	 * private memory. */
	bool implicit_mappings;
	/* Of the walks, the part that what follows waits for (lab/machine/estimate.h), and between what it lies; high
	 * 0: nothing is known of it. */
	struct lab_dependence {
		double best, low, high;
	} dependence;
};
struct lab_source_ops {
	bool (*next)(struct lab_source *source, struct lab_batch *batch);
	const char *(*error)(struct lab_source *source);
	void (*close)(struct lab_source *source);
};

static inline bool lab_source_next(struct lab_source *s, struct lab_batch *b) { return s->ops->next(s, b); }
static inline const char *lab_source_error(struct lab_source *s) { return s->ops->error(s); }
static inline void lab_source_close(struct lab_source *s) { s->ops->close(s); }

/* Opens a stream by its description: "NAME" or "NAME:key=value,key=value", a built-in workload (`gups:size=256M`), or a
 * recorded trace, `trace:FILE`. Sizes take k, M, G, T. limit: accesses after which the stream may as well end; 0: none.
 * NULL: error says why, and for an unknown name or key which there are. */
struct lab_source *lab_source_open(const char *description, uint64_t seed, uint64_t limit, struct lab_error *error);

/* What lab_source_open knows besides traces, for `vellum lab workloads`; ends with a NULL name. */
struct lab_workload {
	const char *name, *help;
	const char *keys; /* a line for each: "size=64M        bytes in all" */
	struct lab_dependence dependence;
};
extern const struct lab_workload lab_workloads[];

/* Accesses that an event stands for: its fetches and its own. */
static inline uint64_t lab_event_accesses(const struct lab_event *e)
{
	return e->fetches + (e->kind <= LAB_WRITE);
}

#endif
